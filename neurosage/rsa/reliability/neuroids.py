"""How well repeated measurement of a neuroid agrees with itself."""

from __future__ import annotations

import json
import logging
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.distances.presentations import averaged_hint
from neurosage.rsa.reliability.brain_score import BRAIN_SCORE, internal_consistency
from neurosage.rsa.reliability.drawing import stimulus_groups
from neurosage.rsa.reliability.estimates import SPLITS_OF_RESAMPLES, by_splits, by_variance
from neurosage.rsa.reliability.horst import LESS_THAN_CHANCE, step_up
from neurosage.rsa.reliability.trials import Trials, trials_of
from neurosage.rsa.resampling import check_sampling, multiplicities, percentile_interval
from neurosage.rsa.responses.patterns import Source, responses_of

__all__ = ["BRAIN_SCORE", "METHODS", "reliability", "step_up"]

METHODS = ("split-half", "variance", "internal-consistency")
MINIMUM_STIMULI = 3

logger = logging.getLogger(__name__)


def reliability(
    teacher_or_assembly: Source,
    method: str = "split-half",
    splits: int = 100,
    seed: int = 0,
    *,
    interval: float | None = None,
    resamples: int = 1000,
    by: str = "stimulus_id",
) -> xr.DataArray:
    """Estimate the reliability of each neuroid's responses, averaged over all repetitions.

    The share of the variance over stimuli of a neuroid's mean responses that another such
    measurement would share. Repetitions may be ragged and padded with NaN; a stimulus that
    a neuroid answered less than twice is left out for that neuroid.

    Parameters
    ----------
    teacher_or_assembly : Teacher or xarray.DataArray
        Assembly with its single repetitions, dims ``presentation × neuroid``.
    method : {"split-half", "variance", "internal-consistency"}
        ``split-half`` correlates the means of random halves of each stimulus' repetitions,
        averages over splits, then corrects once for the halves' sizes. ``variance`` is
        ``1 - mean_i(s_i² / R_i) / S²``, with s_i² the variance over the R_i repetitions of
        stimulus i and S² that of the means over stimuli: no splits, the same target.
        ``internal-consistency`` is Brain-Score's; ``reliability(t, **BRAIN_SCORE)`` gives
        its ceiling of each region in attribute ``ceiling``.
    splits : int
        Distinct splits to take; all, where there are fewer.
    seed : int
        Of the splits and of the resamples.
    interval : float, optional
        Add an interval that covers this share, such as 0.95: percentile bootstrap over
        stimuli, each drawn with all its repetitions. It speaks for new stimuli of this kind;
        splits give no interval, they share their trials. With 600 stimuli it covers 92 to
        96% for a nominal 95%, but only 80 to 85% where a few stimuli hold most of the
        variance (rates lognormal over stimuli with an SD of 1). It is widened where it would
        not hold the estimate.
    resamples : int
        Of the bootstrap, 20 or more. ``split-half`` takes its first 20 splits in each.
    by : str
        Coordinate on presentation, or column of the teacher's stimuli, whose values are drawn
        instead of stimuli, such as
        ``object``, where images of one object are not independent; 10 values or more. Of few
        the interval is too narrow: it held the truth in 78% with 10, in 88% with 20.

    Returns
    -------
    xarray.DataArray
        Dim ``neuroid``, with its coordinates and ``stimuli_used``, ``stimuli_left_out``, and
        ``low`` and ``high`` where an interval is wanted. From -1e6 to 1; reported as it is
        where 0 or below, and counted in attribute ``negative``. NaN where it cannot be
        estimated, with counted reasons in ``not_estimable`` (JSON): never 0 or 1 for want of
        repetitions, nor where they agree so much less than chance allows that the correction
        has no value (a resample without one counts as -1e6). Where no neuroid has one,
        ``reason`` says why and what to do, and it is logged. ``inflated`` says so where
        neuroids were selected on these trials.

    Raises
    ------
    InputError
        If an argument is unknown or out of range, there are time bins, or responses are
        infinite.

    References
    ----------
    Horst 1951, "Estimating total test reliability from parts of unequal length"; for equal
    halves it is the formula of Spearman 1910 and Brown 1910.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [1.2], [4.0], [4.2], [7.0], [7.2]], region="V4",
    ...              stimulus_id=["a", "a", "b", "b", "c", "c"])
    >>> reliability(a, method="variance").values.round(4)
    array([0.9989])
    """
    check_sampling(splits=splits, seed=seed, resamples=resamples, interval=interval)
    _check(method, interval)
    responses = responses_of(teacher_or_assembly)
    stimulus_ids = list(dict.fromkeys(responses["stimulus_id"].values))
    drawn = stimulus_groups([teacher_or_assembly], by, stimulus_ids)
    how: dict[str, Any] = {"method": method}
    how |= {} if method == "variance" else {"splits": splits, "seed": seed}
    if method == "internal-consistency":
        return _as_brain_score(responses, how)
    if interval is None:
        return _label(responses, *_estimate(responses, how, None), how)
    weights = multiplicities(drawn, resamples, seed)
    how |= {"seed": seed, "interval": interval, "resamples": resamples, "resampled": by}
    if method == "split-half":
        how["splits_of_resamples"] = min(splits, SPLITS_OF_RESAMPLES)
    return _label(responses, *_estimate(responses, how, weights), how)


def _estimate(
    responses: xr.DataArray, how: dict[str, Any], weights: Any
) -> tuple[Floats, dict[str, Any], dict[str, int]]:
    """Return values, further coordinates and what could not be estimated."""
    estimate = by_variance
    if how["method"] == "split-half":
        estimate = partial(by_splits, splits=how["splits"], seed=how["seed"])
    count = responses.sizes["neuroid"]
    values, ends, used = np.full(count, np.nan), np.full((2, count), np.nan), np.zeros(count, int)
    reasons: dict[str, int] = {}
    for trials in trials_of(responses):
        columns, reason = trials.columns, _not_estimable(trials)
        used[columns] = len(trials.counts)
        if not reason:
            drawn = None if weights is None else _drawn(weights, trials)
            values[columns], resampled = estimate(trials, weights=drawn)
            if resampled is not None:
                ends[:, columns] = _ends(values[columns], resampled, how["interval"])
            reason = "constant over stimuli"
        _count(reasons, reason, values[columns])
    beside = {"low": ends[0], "high": ends[1]} if weights is not None else {}
    return _without_pole(values, reasons), {"stimuli_used": used, **beside}, reasons


def _without_pole(found: Floats, reasons: dict[str, int]) -> Floats:
    """Return values with NaN in place of -inf, and count these."""
    if beyond := int(np.isinf(found).sum()):
        reasons[LESS_THAN_CHANCE] = reasons.get(LESS_THAN_CHANCE, 0) + beyond
    return np.where(np.isinf(found), np.nan, found)


def _ends(values: Floats, resampled: Floats, interval: float) -> Floats:
    """Return the ends of intervals, shape (2, neuroid), NaN where there is no estimate."""
    pairs = zip(resampled.T, values, strict=True)
    each = [percentile_interval(column, interval, point) for column, point in pairs]
    return np.where(np.isfinite(values), np.array(each).T, np.nan)


def _check(method: str, interval: float | None) -> None:
    if method not in METHODS:
        raise unknown("method of reliability", method, METHODS)
    if interval is not None and method == "internal-consistency":
        raise InputError(
            "internal-consistency is Brain-Score's number, which has no interval over "
            "stimuli; use method='split-half' or 'variance' with interval."
        )


def _drawn(weights: Floats, trials: Trials) -> Floats:
    everything = len(trials.stimuli) == weights.shape[1]
    return weights if everything else weights[:, trials.stimuli]


def _not_estimable(trials: Trials) -> str:
    if not len(trials.counts):
        return "no stimulus has two repetitions"
    if len(trials.counts) < MINIMUM_STIMULI:
        return f"fewer than {MINIMUM_STIMULI} stimuli have two repetitions"
    return ""


def _count(reasons: dict[str, int], reason: str, values: Floats) -> None:
    if undefined := int(np.isnan(values).sum()):
        reasons[reason] = reasons.get(reason, 0) + undefined


def _as_brain_score(responses: xr.DataArray, how: dict[str, Any]) -> xr.DataArray:
    each, ceilings = internal_consistency(responses, how["splits"], how["seed"])
    found = ~np.isnan(each)
    values = np.where(found, each, 0.0).sum(0) / np.where(found.any(0), found.sum(0), np.nan)
    used = np.zeros(len(values), int)
    reasons: dict[str, int] = {}
    for trials in trials_of(responses):
        used[trials.columns] = len(trials.counts)
        if _not_estimable(trials):
            values[trials.columns] = np.nan
        reason = _not_estimable(trials) or "constant over stimuli"
        _count(reasons, reason, values[trials.columns])
    values = _without_pole(values, reasons)
    written = {name: None if np.isnan(c) else c for name, c in ceilings.items()}
    how |= {"ceiling": json.dumps(written), "formula": "median over neuroids, mean over splits"}
    return _label(responses, values, {"stimuli_used": used}, reasons, how)


def inflated_attrs(source: Source) -> dict[str, str]:
    """Return what `select_reliable` marked a recording with, as attributes of what follows."""
    responses = source.assembly if isinstance(source, Teacher) else source
    marked = {} if responses is None else responses.attrs
    return {key: str(marked[key]) for key in ("inflated",) if key in marked}


def _without_estimate(responses: xr.DataArray, values: Floats, reasons: dict[str, int]) -> str:
    """Say why no neuroid has a reliability, and what needs no repetitions; log it."""
    if not np.isnan(values).all():
        return ""
    said = (
        f"the reliability of none of {len(values)} neuroids can be estimated: "
        f"{'; '.join(reasons)}{averaged_hint(responses)}. Give single repetitions; RDM "
        "reliability and ceiling of kind='sites' need none."
    )
    logger.warning(said)
    return said


def _label(
    responses: xr.DataArray,
    values: Floats,
    beside: dict[str, Any],
    reasons: dict[str, int],
    how: dict[str, Any],
) -> xr.DataArray:
    coords = {name: c for name, c in responses.coords.items() if c.dims == ("neuroid",)}
    used = beside["stimuli_used"]
    stimuli = len(set(responses["stimulus_id"].values))
    return xr.DataArray(
        values,
        dims=("neuroid",),
        coords={
            **coords,
            **{name: ("neuroid", column) for name, column in beside.items()},
            "stimuli_left_out": ("neuroid", stimuli - used),
        },
        attrs={
            **how,
            "target": "the mean over all repetitions",
            "stimuli": stimuli,
            "stimuli_used": int(used.max()),
            "stimuli_left_out": int(stimuli - used.min()),
            "negative": int((values <= 0).sum()),
            "not_estimable": json.dumps(reasons),
            "reason": _without_estimate(responses, values, reasons),
            **inflated_attrs(responses),
            "neurosage": __version__,
        },
        name="reliability",
    )
