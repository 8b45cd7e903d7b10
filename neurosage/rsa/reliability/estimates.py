"""Reliability of neuroids by either method, and the same on resampled stimuli."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.reliability.horst import LOWEST
from neurosage.rsa.reliability.neuroid_splits import corrected, mean_correlation
from neurosage.rsa.reliability.splits import padded_halves
from neurosage.rsa.reliability.trials import FLAT, Trials, means_and_noise

SPLITS_OF_RESAMPLES = 20  # with 60, intervals are as wide to 2% and three times as dear


def by_variance(trials: Trials, weights: Any = None) -> tuple[Floats, Floats | None]:
    """Return ``1 - mean_i(s_i² / R_i) / S²`` of each neuroid.

    Parameters
    ----------
    trials : Trials
        Of at least two stimuli.
    weights : array of float64, shape (resample, stimulus), optional
        How often each stimulus was drawn.

    Returns
    -------
    values : array of float64, shape (neuroid,)
        At most 1; NaN where responses do not vary; -inf where only single repetitions do, or
        where it would be below -1e6: repetitions agree less than chance allows.
    resampled : array of float64, shape (resample, neuroid), or None
        The same in each resample, -1e6 in place of -inf, so that ends of intervals are finite.
    """
    means, noise, size = means_and_noise(trials)
    smallest = (FLAT * size) ** 2
    means -= means.mean(0)
    each = np.ones((1, len(means)))
    values = _one_less_noise(means, noise, each, smallest)[0]
    if weights is None:
        return values, None
    return values, np.maximum(_one_less_noise(means, noise, weights, smallest), LOWEST)


def _one_less_noise(means: Floats, noise: Floats, weights: Any, smallest: Floats) -> Floats:
    count = weights.sum(1)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        squares = weights @ (means * means) - (weights @ means) ** 2 / count
        total = squares / (count - 1)
        mean_noise = (weights @ noise) / count
        estimate: Floats = 1.0 - mean_noise / total
    flat = ~(total > smallest)
    estimate[flat | (estimate < LOWEST)] = -np.inf
    estimate[flat & ~(mean_noise > smallest)] = np.nan
    return estimate


def by_splits(
    trials: Trials, splits: int, seed: int, weights: Any = None
) -> tuple[Floats, Floats | None]:
    """Return the split-half reliability of each neuroid, corrected for the halves' sizes.

    Parameters
    ----------
    trials : Trials
        Of at least three stimuli.
    splits, seed : int
        As in `neurosage.reliability`.
    weights : array of float64, shape (resample, stimulus), optional
        How often each stimulus was drawn, with its repetitions and their halves.

    Returns
    -------
    values : array of float64, shape (neuroid,)
        At most 1; NaN where a half's means do not vary over stimuli in any split; -inf at
        the correction's pole.
    resampled : array of float64, shape (resample, neuroid), or None
        The same in each resample, from the first 20 splits; mean correlations are shifted by
        what all splits give more than these do. -1e6 in place of -inf.
    """
    masks = padded_halves(trials.counts, splits, seed)
    correlation = mean_correlation(trials, masks)
    values = corrected(correlation, trials, masks)[0]
    if weights is None:
        return values, None
    few = masks[:SPLITS_OF_RESAMPLES]
    shift = correlation - mean_correlation(trials, few)
    resampled = np.clip(mean_correlation(trials, few, weights) + shift, -1.0, 1.0)
    return values, np.maximum(corrected(resampled, trials, few, weights), LOWEST)
