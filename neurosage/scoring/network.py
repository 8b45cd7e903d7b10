"""Score a network: its layers' similarity to each region of a teacher."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import xarray as xr

from neurosage.errors import InputError
from neurosage.scoring.ceilings import teacher_ceilings
from neurosage.scoring.gathering import gather, joined
from neurosage.scoring.result import Score
from neurosage.scoring.settings import Precision, Progress, Settings, quiet
from neurosage.scoring.uncertainty import drawn, uncertainty

if TYPE_CHECKING:
    import torch
    from torch import nn

    from neurosage.data.stimuli import StimulusSet
    from neurosage.data.teacher import Teacher
    from neurosage.models.preprocess import Preprocessing
    from neurosage.models.source import Model
    from neurosage.rsa.prepared import Prepared

logger = logging.getLogger(__name__)


def score(
    model: nn.Module | Model | str,
    teacher: Teacher | str,
    layers: Sequence[str] | None = None,
    *,
    units: int = 1000,
    seed: int = 0,
    distance: str | None = None,
    comparison: str = "pearson",
    normalise: str | None = None,
    normalise_layers: str = "none",
    backend: str = "torch",
    nan: str = "raise",
    precision: Precision = None,
    interval: float | None = 0.95,
    resamples: int = 1000,
    by: str = "stimulus_id",
    ceilings: bool = True,
    preprocessing: Preprocessing | None = None,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    progress: Progress | None = None,
) -> Score:
    """Measure how alike each layer of a network and each region of a teacher are.

    Parameters
    ----------
    model : torch.nn.Module, Model or str
        The network, or its source such as ``"torchvision:resnet50"``.
    teacher : Teacher or str
        The teacher, or its id.
    layers : sequence of str, optional
        Names of modules; all leaf modules by default.
    units : int
        At most so many units of a layer are recorded, a random sample.
    seed : int
        Of that sample.
    distance : {"correlation", "euclidean", "cosine", "crossnobis"}, optional
        Makes an RDM from patterns: ``correlation``, or that of a teacher's RDMs, if omitted.
        ``crossnobis`` takes the teacher's single repetitions; the network, which has no
        noise, then has ``euclidean`` distance, which crossnobis estimates.
    comparison : str
        Makes a similarity from two RDMs: ``pearson``, ``spearman``, ``cosine``.
    normalise : str, optional
        Of the teacher's neuroids; what its card says, if omitted.
    normalise_layers : str
        Of the network's units.
    backend : str
        What computes: ``torch``, ``rsatoolbox``.
    nan : {"raise", "drop-stimulus", "drop-neuroid", "pairwise"}
        What to do about missing responses of the teacher.
    precision : str or mapping of str to array, optional
        Of ``crossnobis`` and ``mahalanobis`` distance, as in `rdms`.
    interval : float or None
        How much the intervals cover; None leaves out intervals and cross-fitting.
    resamples : int
        Of the stimuli, for the intervals.
    by : str
        What is drawn together: coordinate on the teacher's presentations or column of its
        stimuli, such as an object of which there are several images.
    ceilings : bool
        Whether to estimate the noise ceilings of the teacher's regions.
    preprocessing : Preprocessing, optional
        Of the stimuli, instead of the model's own.
    batch_size : int
        Stimuli in a batch.
    device : str or torch.device, optional
        Where the network runs; where it is, if omitted.
    progress : callable, optional
        Called with what is counted (``"stimuli recorded"``, then the steps that follow), how
        many are done, and of how many.

    Returns
    -------
    Score
        Layers whose similarity is undefined (a stimulus to which all their units
        answer alike) are NaN, and it says why.

    Raises
    ------
    InputError
        If a name is unknown or a setting wrong, before anything is recorded; if
        the network fails on the stimuli; if no layer's similarity is defined.

    Examples
    --------
    >>> score("pixels", "simulated-macaque").best.layer.unique().tolist()
    ['pixels']
    """
    from neurosage.models.forward import check_run
    from neurosage.models.source import as_model

    check_run(units=units, seed=seed, batch_size=batch_size, device=device)
    settings = Settings(
        distance=distance,
        comparison=comparison,
        normalise=normalise,
        normalise_layers=normalise_layers,
        nan=nan,
        precision=precision,
        backend=backend,
        interval=interval,
        resamples=resamples,
        by=by,
        ceilings=ceilings,
        seed=seed,
    ).checked()
    network, say = as_model(model), progress or quiet

    def recorded(stimuli: StimulusSet) -> xr.DataArray:
        from neurosage.models.record import record

        return record(
            network,
            stimuli,
            layers,
            units=units,
            seed=seed,
            batch_size=batch_size,
            device=device,
            preprocessing=preprocessing,
            progress=partial(say, "stimuli recorded"),
        )

    return _score(network, teacher, layers, recorded, settings, say=say)


def _score(
    network: Model,
    teacher: Teacher | str,
    layers: Sequence[str] | None,
    record: Callable[[StimulusSet], xr.DataArray],
    settings: Settings,
    *,
    say: Progress,
) -> Score:
    """Check and draw all that can be before the network runs; then compare."""
    from neurosage.models.recorder import modules_to_hook
    from neurosage.rsa.similarity import similarity_to

    modules_to_hook(network.module, layers)
    teacher = _as_teacher(teacher)
    prepared = _prepared(teacher, settings)
    together = drawn(teacher, prepared.stimulus_ids, settings)
    recorded = record(teacher.stimuli)
    say("similarities", 0, 1)
    logger.info("recorded %d stimuli, %d units", *recorded.shape)
    own = settings.normalise_layers
    found = similarity_to(prepared, recorded, normalise=own, undefined="nan")
    say("similarities", 1, 1)
    data, parts = gather(found, recorded, network, teacher), []
    if settings.interval is not None:
        parts.append(uncertainty(recorded, teacher, together, settings, say))
    if settings.ceilings:
        parts.append(teacher_ceilings(teacher, found.attrs["distance"], settings, say))
    return Score(joined(data, parts, settings))


def _as_teacher(teacher: Teacher | str) -> Teacher:
    from neurosage.data.registry import load_teacher
    from neurosage.data.teacher import Teacher

    if isinstance(teacher, str):
        return load_teacher(teacher)
    if isinstance(teacher, Teacher):
        return teacher
    raise InputError(
        "score shows a network the stimuli of a teacher, so it takes a Teacher or its id: "
        f"neurosage.Teacher(id, stimuli, assembly), not {type(teacher).__name__}."
    )


def _prepared(teacher: Teacher, settings: Settings) -> Prepared:
    from neurosage.rsa.similarity import prepare

    return prepare(
        teacher,
        distance=settings.distance,
        comparison=settings.comparison,
        normalise=settings.normalise,
        backend=settings.backend,
        nan=settings.nan,
        precision=settings.precision,
    )
