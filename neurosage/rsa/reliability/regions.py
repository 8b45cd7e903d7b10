"""How well an RDM would agree with that of another such measurement."""

from __future__ import annotations

import json
import logging
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.data.assembly import region_names
from neurosage.data.teacher import Teacher
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.between_rdms import holds_rdms_only
from neurosage.rsa.crossnobis import DISTANCE as CROSSNOBIS
from neurosage.rsa.patterns import Source
from neurosage.rsa.reliability.neuroids import reliability
from neurosage.rsa.reliability.rdm_estimate import Estimate, Estimator, Settings
from neurosage.rsa.resampling import check_interval, multiplicities, percentile_interval

FORMULA = "mean similarity of halves over splits, stepped up once (Horst 1951)"
TARGETS = {
    "trials": "the RDM of the mean over all repetitions, against others of these sites",
    "sites": "the RDM of all these sites, against other sites of the region",
}
UNRELIABLE = 0.3
RDMS_ONLY = "only RDMs are held, no responses to split"

logger = logging.getLogger(__name__)


def rdm_reliability(
    source: Source,
    kind: str = "trials",
    *,
    distance: str = "correlation",
    comparison: str = "pearson",
    normalise: str | None = None,
    splits: int = 50,
    resamples: int = 1000,
    interval: float | None = 0.95,
    seed: int = 0,
    nan: str = "raise",
) -> xr.Dataset:
    """Estimate the reliability of each region's RDM.

    Two kinds that answer different questions. ``trials``, from halves of each stimulus'
    repetitions: how well the trials fix the RDM of these very sites; approximate, for an
    RDM's noise is not additive, and too high where noise that depends on the stimulus
    biases plain distances in both halves alike. ``sites``, from halves of the neuroids: how
    well these sites stand for the region; it needs no repetitions.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Assembly, dims ``presentation × neuroid``; with single repetitions for ``trials``.
    kind : {"trials", "sites"}
        What is split.
    distance : {"correlation", "euclidean", "cosine", "crossnobis"}
        As in `rdms`; ``crossnobis`` needs 4 repetitions of a stimulus for ``trials``.
    comparison : {"pearson", "spearman", "cosine"}
        Between the RDMs of two halves.
    normalise : str, optional
        As in `rdms`; the neuroids' statistics are taken once, on the whole set.
    splits : int
        Distinct splits; all, where there are fewer.
    resamples : int
        Of the stimuli, for the interval.
    interval : float or None
        How much the interval covers; None computes none. It is a percentile bootstrap over
        stimuli, so it speaks for new stimuli, not for new sites or subjects. The spread
        over splits is no error bar and is not reported.
    seed : int
        Of splits and resamples.
    nan : {"raise", "drop-stimulus", "drop-neuroid"}
        What to do about missing responses.

    Returns
    -------
    xarray.Dataset
        Dim ``region``: ``reliability`` at most 1, ``low`` and ``high``, ``halves`` (the mean
        similarity of halves), ``stimuli_used``, ``stimuli_left_out`` (repeated too rarely),
        ``splits_taken``. NaN where not estimable, never 0 or 1 for want of data, with the
        reason by region in attribute ``not_estimable`` (JSON). A reliability of 0 or less is
        reported as it is and named in attribute ``warnings`` (a JSON list).

    Raises
    ------
    InputError
        If an argument is unknown, responses are missing, a neuroid or pattern is constant, or
        it would not fit into memory.

    References
    ----------
    Horst 1951, "Estimating total test reliability from parts of unequal length"; for equal
    halves it is the formula of Spearman 1910 and Brown 1910.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 40))
    >>> a = assembly(shared + rng.normal(size=shared.shape), region="V4",
    ...              stimulus_id=[f"s{k}" for k in range(30)])
    >>> rdm_reliability(a, "sites", interval=None).reliability.item() > 0.7
    True
    """
    settings = Settings(kind, distance, comparison, normalise, splits, seed, nan)
    settings = settings.checked()
    if interval is not None:
        check_interval(interval)
    if holds_rdms_only(source):
        return _without_responses(source, settings)
    estimator = Estimator(source, settings)
    count = len(estimator.patterns.stimulus_ids)
    estimator.check_memory(resamples if interval else 0)
    weights = multiplicities(count, resamples, seed) if interval else np.empty((0, count))
    regions = estimator.patterns.regions
    estimates = {name: estimator.estimate(name, weights) for name in regions}
    made = _table(estimates, count, interval)
    notes = warnings_of(source, settings, estimates)
    for note in notes:
        logger.warning(note)
    how = {"resamples": resamples, "interval": interval} if interval else {}
    patterns = estimator.patterns
    return made.assign_attrs(
        **_provenance(settings, patterns.normalise, patterns.dropped),
        **how,
        n_stimuli=count,
        not_estimable=json.dumps({name: e.reason for name, e in estimates.items() if e.reason}),
        warnings=json.dumps(notes),
    )


def _table(estimates: dict[str, Estimate], count: int, interval: float | None) -> xr.Dataset:
    columns: dict[str, list[Any]] = {
        "reliability": [e.point for e in estimates.values()],
        "halves": [e.halves for e in estimates.values()],
        "stimuli_used": [e.stimuli for e in estimates.values()],
        "stimuli_left_out": [count - e.stimuli for e in estimates.values()],
        "splits_taken": [e.splits for e in estimates.values()],
    }
    ends = [_interval(e.resampled, interval) for e in estimates.values()]
    columns["low"], columns["high"] = ([end[k] for end in ends] for k in (0, 1))
    return xr.Dataset(
        {name: ("region", np.array(values)) for name, values in columns.items()},
        coords={"region": np.array(list(estimates), object)},
    )


def _interval(resampled: Floats, interval: float | None) -> tuple[float, float]:
    if interval is None:
        return float("nan"), float("nan")
    return percentile_interval(resampled, interval)


def _provenance(settings: Settings, normalise: str, dropped: Any) -> dict[str, Any]:
    return {
        "kind": settings.kind,
        "formula": FORMULA,
        "target": TARGETS[settings.kind],
        "interval_over": "stimuli",
        "distance": settings.distance,
        "comparison": settings.comparison,
        "normalise": normalise,
        "splits": settings.splits,
        "seed": settings.seed,
        "dropped": json.dumps(dropped, default=str),
        "backend": f"numpy {np.__version__} float64",
        "neurosage": __version__,
    }


def _without_responses(source: Source, settings: Settings) -> xr.Dataset:
    held: Any = source.stored_rdms if isinstance(source, Teacher) else source
    empty = Estimate(float("nan"), np.empty(0), reason=RDMS_ONLY)
    names = region_names(held)
    count = int(held.sizes["stimulus_i"])
    return _table(dict.fromkeys(names, empty), count, None).assign_attrs(
        **_provenance(settings, str(held.attrs.get("normalise", "unknown")), {}),
        n_stimuli=count,
        not_estimable=json.dumps(dict.fromkeys(names, RDMS_ONLY)),
        warnings="[]",
    )


def warnings_of(source: Source, settings: Settings, estimates: dict[str, Estimate]) -> list[str]:
    """Say what should not be believed as it stands.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses.
    settings : Settings
        How the estimates were made.
    estimates : dict of str to Estimate
        By region.

    Returns
    -------
    list of str
        A sentence each.
    """
    notes = [
        f"region {name!r}: RDM reliability ({settings.kind}) is {e.point:.3f}, not above 0; "
        "nothing can be divided by it."
        for name, e in estimates.items()
        if e.point <= 0
    ]
    if settings.kind != "trials" or settings.distance == CROSSNOBIS:
        return notes
    known = {name for name, e in estimates.items() if not e.reason}
    if not known:
        return notes
    neuroids = reliability(source, method="variance")
    labels = neuroids["region"].values.astype(str)
    for name in (each for each in estimates if each in known):
        found = neuroids.values[labels == name]
        mean = float(found[~np.isnan(found)].mean()) if (~np.isnan(found)).any() else 1.0
        if mean < UNRELIABLE:
            notes.append(
                f"region {name!r}: mean neuroid reliability is {mean:.2f}, below {UNRELIABLE}; "
                f"noise biases {settings.distance} distances in both halves alike, so RDM "
                "reliability and ceiling (trials) may be far too high: use distance='crossnobis'."
            )
    return notes
