"""Correlations of halves of the repetitions, many splits and resamples at once.

A split is a row of contrasts over a stimulus' repetitions, so all splits of a block of stimuli
are one batched product ``(stimulus, split, R) @ (stimulus, R, neuroid)``: δ, the difference of
the halves' means. With h their midpoint, the halves are ``h ± δ/2``, and every correlation
follows from sums over stimuli of h, δ, h², hδ and δ². Blocks keep the memory bounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.reliability.horst import step_up
from neurosage.rsa.reliability.splits import Mask
from neurosage.rsa.reliability.trials import BLOCK, FLAT, Trials, largest, slices

SUMS = 1 << 22  # numbers held for sums: 32 MB


def corrected(correlation: Floats, trials: Trials, masks: Mask, weights: Any = None) -> Floats:
    """Return reliabilities from mean correlations of halves.

    Parameters
    ----------
    correlation : array of float64, shape (resample, neuroid)
        From `mean_correlation`. Averaged before it is corrected: correcting every split would
        be biased low where reliability is low.
    trials, masks, weights
        As there.

    Returns
    -------
    array of float64, shape (resample, neuroid)
        Reliability of the mean over all repetitions; -inf at the correction's pole.
    """
    weights = np.ones((1, len(trials.counts))) if weights is None else weights
    first = masks.sum(2)
    inverse = [(1.0 / first).mean(0), (1.0 / (trials.counts - first)).mean(0), 1.0 / trials.counts]
    total = weights.sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample without any such stimulus
        h1, h2, repetitions = (total / (weights @ each) for each in inverse)
    return step_up(correlation, h1[:, None], h2[:, None], repetitions[:, None])


def mean_correlation(trials: Trials, masks: Mask, weights: Any = None) -> Floats:
    """Correlate the means of halves over stimuli, and average over splits.

    Parameters
    ----------
    trials : Trials
        Repetitions.
    masks : array of bool, shape (split, stimulus, most repetitions)
        From `neurosage.rsa.reliability.splits.padded_halves`.
    weights : array of float64, shape (resample, stimulus), optional
        How often each stimulus was drawn; once, if omitted.

    Returns
    -------
    array of float64, shape (resample, neuroid)
        Mean Pearson correlation, in [-1, 1]; one row if there are no weights. NaN where a
        half's means do not vary over stimuli in any split.
    """
    rows = 1 if weights is None else len(weights)
    found = np.empty((rows, len(trials.columns)))
    parts = list(slices(len(masks), SUMS // (5 * rows)))
    width = SUMS // (5 * rows * parts[0].stop)
    for columns in slices(len(trials.columns), width):
        correlations = [_correlations(trials, masks[part], weights, columns) for part in parts]
        found[:, columns] = _mean_of_found(np.concatenate(correlations, axis=1))
    return found


def _mean_of_found(correlations: Floats) -> Floats:
    found = ~np.isnan(correlations)
    count = found.sum(1)
    total: Floats = np.where(found, correlations, 0.0).sum(1)
    return total / np.where(count, count, np.nan)


def _correlations(trials: Trials, masks: Mask, weights: Any, columns: slice) -> Floats:
    """Return the Pearson correlations, shape (resample, split, neuroid)."""
    shift = trials.block(slice(0, 64), columns).sum(1)
    shift = (shift / trials.counts[:64, None]).mean(0)
    height = BLOCK // (len(masks) * max(len(shift), masks.shape[2]))
    height = height if weights is None else max(height, 64)
    sums, size = None, np.abs(shift)
    for rows in slices(len(trials.rows), height):
        values = trials.block(rows, columns)
        values -= shift
        # Of the responses, not of their means: what is left of means taken out is rounding.
        size = np.maximum(size, largest(values))
        contrasts, spare = _contrasts(masks[:, rows], trials.present[rows], trials.counts[rows])
        both = contrasts @ values
        middle, apart = both[:, :1], both[:, 1:]
        if (trials.counts % 2).any():
            middle = middle + spare[:, :, None] * apart
        part = _sums(middle, apart, None if weights is None else weights[:, rows])
        sums = part if sums is None else [a + b for a, b in zip(sums, part, strict=True)]
    count = np.array([len(trials.rows)]) if weights is None else weights.sum(1)
    return _pearson(sums, count[:, None, None], (FLAT * size) ** 2)


def _contrasts(masks: Mask, present: Mask, counts: Any) -> tuple[Floats, Floats]:
    """Return weights of repetitions for their mean and every δ, and how far h is off the mean.

    Shapes (stimulus, 1 + split, R) and (stimulus, split).
    """
    masks = np.ascontiguousarray(masks.transpose(1, 0, 2))
    first = masks.sum(2)
    rest = counts[:, None] - first
    contrasts = np.empty((len(counts), 1 + masks.shape[1], masks.shape[2]))
    contrasts[:, 0] = present / counts[:, None]
    # 1/first in the first half, -1/rest in the second: they sum to zero, so offsets cancel.
    np.multiply(masks, (1.0 / first + 1.0 / rest)[:, :, None], out=contrasts[:, 1:])
    contrasts[:, 1:] -= present[:, None] / rest[:, :, None]
    return contrasts, (rest - first) / (2.0 * counts[:, None])


def _sums(middle: Floats, apart: Floats, weights: Any) -> list[Floats]:
    """Return the sums over stimuli of h, δ, h², hδ, δ², shape (resample, split or 1, neuroid)."""
    pairs = [(middle, middle), (middle, apart), (apart, apart)]
    if weights is None:
        single = [middle.sum(0), apart.sum(0)]
        double = [np.einsum("i...,i...->...", *np.broadcast_arrays(*pair)) for pair in pairs]
        return [each[None] for each in (*single, *double)]
    terms = [middle, apart, *(a * b for a, b in pairs)]
    return [(weights @ each.reshape(len(each), -1)).reshape(-1, *each.shape[1:]) for each in terms]


def _pearson(sums: Any, count: Any, smallest: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample without any such stimulus
        h, d, hh, hd, dd = (each / count for each in sums)
    middle, cross, apart = hh - h * h, hd - h * d, (dd - d * d) / 4.0
    first, second = middle + apart + cross, middle + apart - cross
    flat = (first <= smallest) | (second <= smallest)
    scale = np.sqrt(np.where(flat, np.nan, first) * np.where(flat, np.nan, second))
    correlation: Floats = (middle - apart) / scale
    return correlation
