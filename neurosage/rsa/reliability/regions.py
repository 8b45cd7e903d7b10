"""How well an RDM would agree with that of another such measurement."""

from __future__ import annotations

import json
import logging
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.data.assembly import region_names
from neurosage.rsa.between_rdms import holds_rdms_only
from neurosage.rsa.distances.crossnobis import DISTANCE as CROSSNOBIS
from neurosage.rsa.given import check_asked, given_rdms, own_distance
from neurosage.rsa.reliability.drawing import drawn_groups, drawn_weights, interval_over
from neurosage.rsa.reliability.neuroids import inflated_attrs
from neurosage.rsa.reliability.rdm_estimate import Estimate, Estimator, Settings
from neurosage.rsa.reliability.rdm_warnings import (
    least_repetitions_of,
    notes_as_attrs,
    warnings_of,
    without_estimate,
)
from neurosage.rsa.resampling import check_sampling, percentile_interval
from neurosage.rsa.responses.patterns import Patterns, Source

FORMULA = "mean similarity of halves over splits, stepped up once (Horst 1951)"
TARGETS = {
    "trials": "the RDM of the mean over all repetitions, against others of these sites",
    "sites": "the RDM of all these sites, against other sites of the region",
}
RDMS_ONLY = "only RDMs are held, no responses to split"

logger = logging.getLogger(__name__)


def rdm_reliability(
    source: Source,
    kind: str = "trials",
    *,
    distance: str | None = None,
    comparison: str = "pearson",
    normalise: str | None = None,
    splits: int = 50,
    resamples: int = 1000,
    interval: float | None = 0.95,
    seed: int = 0,
    nan: str = "raise",
    precision: str = "none",
    by: str = "stimulus_id",
) -> xr.Dataset:
    """Estimate the reliability of each region's RDM.

    Two kinds that answer different questions. ``trials``, from halves of each stimulus'
    repetitions: how well the trials fix the RDM of these very sites; approximate, for an
    RDM's noise is not additive: at low rates too low, but with ``euclidean`` distance too
    high, where noise biases both halves alike (see the warnings). ``sites``, from halves of
    the neuroids: how well these sites stand for the region; it needs no repetitions.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Assembly, dims ``presentation × neuroid``; with single repetitions for ``trials``.
    kind : {"trials", "sites"}, default "trials"
        What is split. ``sites`` needs 6 sites with ``correlation`` distance, else 2.
    distance : {"correlation", "euclidean", "cosine", "crossnobis"}, optional
        As in `rdms`; ``correlation`` if omitted. ``crossnobis`` needs 4 repetitions of a
        stimulus for ``trials``, where the others need 2, and 2 for ``sites``.
    comparison : {"pearson", "spearman", "cosine"}, default "pearson"
        Between the RDMs of two halves.
    normalise : str, optional
        As in `rdms`; the neuroids' statistics are taken once, on the whole set.
    splits : int, default 50
        Distinct splits; all, where there are fewer.
    resamples : int, default 1000
        Of the stimuli, for the interval.
    interval : float or None, default 0.95
        How much the interval covers; None computes none. It is a percentile bootstrap over
        stimuli, so it speaks for new stimuli, not for new sites or subjects. The spread
        over splits is no error bar and is not reported. With more than 100 stimuli and more
        than 5 splits resamples are approximated, with 10 splits to 2% of the interval's width.
    seed : int, default 0
        Of splits and resamples.
    nan : {"raise", "drop-stimulus", "drop-neuroid"}, default "raise"
        What to do about missing responses.
    precision : {"none", "diagonal", "shrinkage"}, default "none"
        Of ``crossnobis``, as in `rdms`: taken once, on the whole set, for ``trials``; of each
        half of the neuroids for ``sites``.
    by : str, default "stimulus_id"
        Coordinate on presentation whose groups of stimuli are drawn together for the
        interval, such as an object of which there are several images.

    Returns
    -------
    xarray.Dataset
        Dim ``region``: ``reliability`` at most 1, ``low`` and ``high``, ``halves`` (the mean
        similarity of halves), ``stimuli_used``, ``stimuli_left_out`` (repeated too rarely),
        ``splits_taken``. NaN where not estimable, never 0 or 1 for want of data, with the
        reason by region in attribute ``not_estimable`` (JSON), and in words with the next
        step in ``reason``, which is logged too. A reliability of 0 or less is reported as it
        is and named in attribute ``warnings`` (a JSON list), as are stimuli left out, which
        ``target`` is then not about. ``inflated`` says so where neuroids were selected on
        these trials.

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
    settings = Settings(
        kind, own_distance(distance, source), comparison, normalise, splits, seed, nan, precision
    )
    found = estimate_regions(source, settings, resamples=resamples, interval=interval, by=by)
    for note in [*json.loads(found.attrs["warnings"]), *filter(None, [found.attrs["reason"]])]:
        logger.warning(note)
    return found


def estimate_regions(
    source: Source, settings: Settings, *, resamples: int, interval: float | None, by: str
) -> xr.Dataset:
    """Estimate as `rdm_reliability` does, but log nothing: for callers that say it themselves.

    Parameters
    ----------
    source, resamples, interval, by
        As in `rdm_reliability`.
    settings : Settings
        The rest of its arguments.

    Returns
    -------
    xarray.Dataset
        Of `rdm_reliability`.

    Raises
    ------
    InputError
        As `rdm_reliability`.
    """
    settings.checked()
    check_sampling(resamples=resamples, interval=interval)
    if holds_rdms_only(source):
        return _without_responses(source, settings)
    estimator = Estimator(source, settings)
    count = len(estimator.patterns.stimulus_ids)
    estimator.check_memory(resamples if interval else 0)
    names, many = estimator.patterns.stimulus_ids, resamples if interval else None
    weights = drawn_weights(source, by, names, many, settings.seed)
    regions = estimator.patterns.regions
    member = drawn_groups(source, by, names)
    estimates = {name: estimator.estimate(name, weights, member) for name in regions}
    notes = warnings_of(source, settings, estimates, count)
    reasons = {name: e.reason for name, e in estimates.items() if e.reason}
    how = {"resamples": resamples, "interval": interval} if interval else {}
    return _table(estimates, count, interval).assign_attrs(
        **provenance(settings, estimator.patterns, estimates, by),
        **how,
        **notes_as_attrs(notes, reasons, without_estimate(settings, reasons)),
        **inflated_attrs(source),
    )


def _table(estimates: dict[str, Estimate], count: int, interval: float | None) -> xr.Dataset:
    columns: dict[str, list[Any]] = {
        "reliability": [e.point for e in estimates.values()],
        "halves": [e.halves for e in estimates.values()],
        "stimuli_used": [e.stimuli for e in estimates.values()],
        "stimuli_left_out": [count - e.stimuli for e in estimates.values()],
        "splits_taken": [e.splits for e in estimates.values()],
    }
    ends = [_interval(e, interval) for e in estimates.values()]
    columns["low"], columns["high"] = ([end[k] for end in ends] for k in (0, 1))
    return xr.Dataset(
        {name: ("region", np.array(values)) for name, values in columns.items()},
        coords={"region": np.array(list(estimates), object)},
    )


def _interval(estimate: Estimate, interval: float | None) -> tuple[float, float]:
    if interval is None:
        return float("nan"), float("nan")
    return percentile_interval(estimate.resampled, interval, estimate.point)


def provenance(
    settings: Settings, patterns: Patterns, estimates: dict[str, Estimate], by: str
) -> dict[str, Any]:
    """Return the attributes that say what an RDM reliability is of and how it was made.

    Parameters
    ----------
    settings : Settings
        Checked.
    patterns : Patterns
        Of the recording.
    estimates : dict of str to Estimate
        By region.
    by : str
        What was resampled.
    """
    count = len(patterns.stimulus_ids)
    partly = any(e.stimuli < count for e in estimates.values() if not e.reason)
    target = TARGETS[settings.kind]
    if partly:
        target += f"; of the stimuli with {least_repetitions_of(settings)} or more repetitions only"
    made = _made_with(settings, patterns.normalise, patterns.dropped)
    return made | {"target": target, "interval_over": interval_over(by), "n_stimuli": count}


def _made_with(settings: Settings, normalise: str, dropped: Any) -> dict[str, Any]:
    return {
        "kind": settings.kind,
        "formula": FORMULA,
        "target": TARGETS[settings.kind],
        "interval_over": "stimuli",
        "distance": settings.distance,
        **({"precision": settings.precision} if settings.distance == CROSSNOBIS else {}),
        "comparison": settings.comparison,
        "normalise": normalise,
        "splits": settings.splits,
        "seed": settings.seed,
        "dropped": json.dumps(dropped, default=str),
        "backend": f"numpy {np.__version__} float64",
        "neurosage": __version__,
    }


def _without_responses(source: Source, settings: Settings) -> xr.Dataset:
    held, holder = given_rdms(source)
    check_asked(held, holder, normalise=settings.normalise, precision=settings.precision)
    empty = Estimate(float("nan"), np.empty(0), reason=RDMS_ONLY)
    names = region_names(held)
    count = int(held.sizes["stimulus_i"])
    reasons = dict.fromkeys(names, RDMS_ONLY)
    said = without_estimate(settings, reasons)
    return _table(dict.fromkeys(names, empty), count, None).assign_attrs(
        **_made_with(settings, str(held.attrs.get("normalise", "unknown")), {}),
        n_stimuli=count,
        **notes_as_attrs([], reasons, said),
    )
