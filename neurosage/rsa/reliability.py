"""How well repeated measurement of a neuroid agrees with itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.normalise import group_starts, within_squares
from neurosage.rsa.patterns import Source, responses_of
from neurosage.rsa.splits import halves

METHODS = ("split-half", "variance")
MINIMUM_STIMULI = 3


@dataclass(frozen=True)
class Trials:
    """Presentations of the stimuli that some neuroids answered at least twice.

    Parameters
    ----------
    values : array of float64, shape (presentation, neuroid)
        No NaN; presentations of a stimulus stand together.
    starts : array of int, shape (stimulus,)
        Where each stimulus starts.
    counts : array of int, shape (stimulus,)
        Repetitions of each, 2 or more.
    """

    values: Floats
    starts: Any
    counts: Any


def reliability(
    teacher_or_assembly: Source, method: str = "split-half", splits: int = 100, seed: int = 0
) -> xr.DataArray:
    """Estimate the reliability of each neuroid's responses, averaged over all repetitions.

    The share of the variance over stimuli of a neuroid's mean responses that another such
    measurement would share. Repetitions may be ragged and padded with NaN; a stimulus that
    a neuroid answered less than twice is left out for that neuroid.

    Parameters
    ----------
    teacher_or_assembly : Teacher or xarray.DataArray
        Assembly with its single repetitions, dims ``presentation × neuroid``.
    method : {"split-half", "variance"}
        ``split-half`` correlates the means of random halves of each stimulus' repetitions,
        averages over splits, then corrects once for the halves' sizes. ``variance`` is
        ``1 - mean_i(s_i² / R_i) / S²``, with s_i² the variance over the R_i repetitions of
        stimulus i and S² that of the means over stimuli: no splits, the same target.
    splits : int
        Distinct splits to take; all, where there are fewer.
    seed : int
        Of the splits.

    Returns
    -------
    xarray.DataArray
        Dim ``neuroid``, with its coordinates and ``stimuli_used``, ``stimuli_left_out``.
        At most 1; reported as it is where 0 or below, and counted in attribute ``negative``.
        NaN where it cannot be estimated, with counted reasons in ``not_estimable`` (JSON):
        never 0 or 1 for want of repetitions.

    Raises
    ------
    InputError
        If the method is unknown, there are time bins, or responses are infinite.

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
    if method not in METHODS:
        raise unknown("method of reliability", method, METHODS)
    if splits < 1:
        raise InputError(f"splits must be at least 1, not {splits}.")
    responses = responses_of(teacher_or_assembly)
    estimate = by_variance if method == "variance" else _by_splits(splits, seed)
    count = responses.sizes["neuroid"]
    values, used = np.full(count, np.nan), np.zeros(count, int)
    reasons: dict[str, int] = {}
    for columns, trials in _groups(responses):
        used[columns] = len(trials.starts)
        reason = _not_estimable(trials)
        if not reason:
            values[columns] = estimate(trials)
            reason = "constant over stimuli"
        undefined = int(np.isnan(values[columns]).sum())
        if undefined:
            reasons[reason] = reasons.get(reason, 0) + undefined
    how = {"splits": splits, "seed": seed} if method == "split-half" else {}
    return _label(responses, values, used, {"method": method, **how}, reasons)


def _groups(responses: xr.DataArray) -> Iterator[tuple[Any, Trials]]:
    """Neuroids that answered in the same presentations are estimated together."""
    order, starts = group_starts(responses["stimulus_id"].values)
    values = responses.values[order].astype(np.float64)
    if np.isinf(values).any():
        names = responses["neuroid_id"].values[np.isinf(values).any(0)]
        raise InputError(f"responses are infinite for neuroids {[str(n) for n in names[:5]]}.")
    sizes = np.diff(np.append(starts, len(values)))
    stimulus = np.repeat(np.arange(len(starts)), sizes)
    present = ~np.isnan(values)
    patterns, member = np.unique(np.packbits(present, axis=0), axis=1, return_inverse=True)
    for group in range(patterns.shape[1]):
        columns = np.flatnonzero(member.ravel() == group)
        counts = np.bincount(stimulus[present[:, columns[0]]], minlength=len(starts))
        rows = np.flatnonzero(present[:, columns[0]] & (counts >= 2)[stimulus])
        kept = counts[counts >= 2]
        yield columns, Trials(values[np.ix_(rows, columns)], np.cumsum(kept) - kept, kept)


def _not_estimable(trials: Trials) -> str:
    if not len(trials.starts):
        return "no stimulus has two repetitions"
    if len(trials.starts) < MINIMUM_STIMULI:
        return f"fewer than {MINIMUM_STIMULI} stimuli have two repetitions"
    return ""


def by_variance(trials: Trials) -> Floats:
    """Return ``1 - mean_i(s_i² / R_i) / S²`` of each neuroid.

    Parameters
    ----------
    trials : Trials
        Of at least two stimuli.

    Returns
    -------
    array of float64, shape (neuroid,)
        NaN where the means do not vary over stimuli.
    """
    counts = trials.counts[:, None]
    squares = within_squares(trials.values, trials.starts)
    noise = (squares / (counts - 1) / counts).mean(0)
    means = np.add.reduceat(trials.values, trials.starts, axis=0) / counts
    total = means.var(0, ddof=1)
    total[_flat(means)] = np.nan
    estimate: Floats = 1.0 - noise / total
    return estimate


def _flat(means: Floats) -> Any:
    return np.ptp(means, axis=0) <= 1e-12 * np.abs(means).max(0)


def _by_splits(splits: int, seed: int) -> Callable[[Trials], Floats]:
    return lambda trials: by_splits(trials, splits, seed)


def by_splits(trials: Trials, splits: int, seed: int) -> Floats:
    """Return the split-half reliability of each neuroid, corrected for the halves' sizes.

    Parameters
    ----------
    trials : Trials
        Of at least three stimuli.
    splits, seed : int
        As in `reliability`.

    Returns
    -------
    array of float64, shape (neuroid,)
        NaN where a half's means do not vary over stimuli in any split.
    """
    sums = np.add.reduceat(trials.values, trials.starts, axis=0)
    correlations, inverse_sizes = [], []
    for mask in halves(trials.counts, splits, seed):
        first = np.add.reduceat(trials.values * mask[:, None], trials.starts, axis=0)
        size = np.add.reduceat(mask.astype(np.int64), trials.starts)
        rest = trials.counts - size
        correlations.append(_pearson(first / size[:, None], (sums - first) / rest[:, None]))
        inverse_sizes.append(((1.0 / size).mean(), (1.0 / rest).mean()))
    # Correcting every split before averaging would be biased low where reliability is low.
    stacked = np.array(correlations)
    found = ~np.isnan(stacked)
    mean = np.where(found, stacked, 0.0).sum(0) / np.where(found.any(0), found.sum(0), np.nan)
    h1, h2 = 1.0 / np.mean(inverse_sizes, axis=0)
    return step_up(mean, float(h1), float(h2), float(1.0 / (1.0 / trials.counts).mean()))


def _pearson(x: Floats, y: Floats) -> Floats:
    flat = _flat(x) | _flat(y)
    x, y = x - x.mean(0), y - y.mean(0)
    scale = np.sqrt((x * x).sum(0) * (y * y).sum(0))
    scale[flat] = np.nan
    correlation: Floats = (x * y).sum(0) / scale
    return correlation


def step_up(correlation: Floats, h1: float, h2: float, repetitions: float) -> Floats:
    """Return the reliability of all repetitions from the correlation of two halves.

    Parameters
    ----------
    correlation : array of float64
        Pearson between means of h1 and of h2 repetitions, in [-1, 1].
    h1, h2 : float
        Harmonic mean sizes of the halves.
    repetitions : float
        Harmonic mean number of repetitions.

    Returns
    -------
    array of float64
        ``R / (R + λ)`` with λ the noise variance of one repetition over the signal's;
        ``2c / (1 + c)`` for equal halves; 0 where the correlation is 0.

    References
    ----------
    Horst 1951, "Estimating total test reliability from parts of unequal length".

    Examples
    --------
    >>> step_up(np.array([0.5, 0.0]), 4, 4, 8).round(4)
    array([0.6667, 0.    ])
    """
    zero = correlation == 0
    safe = np.where(zero, 1.0, correlation)
    root = np.sqrt((h1 - h2) ** 2 + 4.0 * h1 * h2 / safe**2)
    noise = 0.5 * (-(h1 + h2) + np.sign(safe) * root)
    with np.errstate(divide="ignore"):
        estimate: Floats = np.where(zero, 0.0, repetitions / (repetitions + noise))
    return estimate


def _label(
    responses: xr.DataArray,
    values: Floats,
    used: Any,
    how: dict[str, Any],
    reasons: dict[str, int],
) -> xr.DataArray:
    coords = {name: c for name, c in responses.coords.items() if c.dims == ("neuroid",)}
    stimuli = len(set(responses["stimulus_id"].values))
    return xr.DataArray(
        values,
        dims=("neuroid",),
        coords={
            **coords,
            "stimuli_used": ("neuroid", used),
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
            "neurosage": __version__,
        },
        name="reliability",
    )
