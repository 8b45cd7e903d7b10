"""Score a network: its layers' similarity to each region of a teacher."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from neurosage.errors import InputError
from neurosage.scoring.result import Score

if TYPE_CHECKING:
    import torch
    from torch import nn

    from neurosage.data.teacher import Teacher
    from neurosage.models.preprocess import Preprocessing
    from neurosage.models.source import Model

logger = logging.getLogger(__name__)

FORMULA = "S_i = max_j similarity(region i, layer j); TG = mean_i S_i"


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
    preprocessing: Preprocessing | None = None,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    progress: Callable[[int, int], None] | None = None,
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
    nan : {"raise", "drop-stimulus", "drop-neuroid"}
        What to do about missing responses of the teacher.
    preprocessing : Preprocessing, optional
        Of the stimuli, instead of the model's own.
    batch_size : int
        Stimuli in a batch.
    device : str or torch.device, optional
        Where the network runs; where it is, if omitted.
    progress : callable, optional
        Called while recording with how many stimuli are done, and how many there are.

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
    from neurosage.data.registry import load_teacher
    from neurosage.models.forward import check_run
    from neurosage.models.record import record
    from neurosage.models.recorder import modules_to_hook
    from neurosage.models.source import as_model
    from neurosage.rsa.similarity import prepare, similarity_to

    check_run(units=units, seed=seed, batch_size=batch_size, device=device)
    _check_layer_method(normalise_layers)
    network = as_model(model)
    modules_to_hook(network.module, layers)
    teacher = load_teacher(teacher) if isinstance(teacher, str) else teacher
    prepared = prepare(
        teacher,
        distance=distance,
        comparison=comparison,
        normalise=normalise,
        backend=backend,
        nan=nan,
    )
    recorded = record(
        network,
        teacher.stimuli,
        layers,
        units=units,
        seed=seed,
        batch_size=batch_size,
        device=device,
        preprocessing=preprocessing,
        progress=progress,
    )
    logger.info("recorded %d stimuli, %d units", *recorded.shape)
    found = similarity_to(prepared, recorded, normalise=normalise_layers, undefined="nan")
    return Score(_gather(found, recorded, network, teacher))


def _check_layer_method(method: str) -> None:
    from neurosage.rsa.normalise import check_method

    check_method(method)
    if method == "noise":
        raise InputError("normalise_layers='noise' needs repetitions; networks answer once.")


def _gather(
    found: xr.DataArray, recorded: xr.DataArray, network: Model, teacher: Teacher
) -> xr.Dataset:
    layers, regions = (list(map(str, found[dim].values)) for dim in ("region_a", "region_b"))
    reasons = json.loads(found.attrs["undefined"])
    counts = pd.Series(recorded["region"].values).value_counts()
    data = xr.Dataset(
        {"similarity": (("region", "layer"), found.transpose("region_b", "region_a").values)},
        coords={
            "region": regions,
            "layer": layers,
            "units": ("layer", [int(counts[layer]) for layer in layers]),
            "undefined": ("layer", [reasons.get(layer, "") for layer in layers]),
        },
        attrs=_provenance(found, recorded, network, teacher),
    )
    lost = [r for r in regions if data["similarity"].sel(region=r).isnull().all()]
    if lost:
        layer, reason = next(iter(reasons.items()), (layers[0], "unknown"))
        raise InputError(
            f"none of {len(layers)} layers has a defined similarity to {lost}; {layer!r}: {reason}."
        )
    return data


def _provenance(
    found: xr.DataArray, recorded: xr.DataArray, network: Model, teacher: Teacher
) -> dict[str, Any]:
    made, kept = found.attrs, recorded.attrs
    return {
        "model": network.id,
        "weights": network.weights,
        "weights_hash": kept["weights_hash"],
        "teacher": teacher.id,
        "teacher_kind": teacher.kind,
        "teacher_hash": teacher.content_hash(),
        "stimuli": kept["stimuli"],
        "stimuli_hash": kept["stimuli_hash"],
        "n_stimuli": int(made["n_stimuli"]),
        "preprocessing": kept["preprocessing"],
        "units": kept["units"],
        "seed": kept["seed"],
        "distance": made["distance"],
        "distance_layers": made["distance_a"],
        "comparison": made["comparison"],
        "normalise_layers": made["normalise_a"],
        "normalise_teacher": made["normalise_b"],
        "nan": made["nan"],
        "dropped": made["dropped"],
        "formula": FORMULA,
        "backend": made["backend"],
        "versions": kept["versions"],
    }
