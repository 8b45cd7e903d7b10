"""Brain-Score's internal consistency, so that its published ceilings can be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurosage.data.assembly import region_names
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.reliability.horst import LOWEST
from neurosage.rsa.reliability.trials import FLAT, slices
from neurosage.rsa.responses.normalise import group_starts

BRAIN_SCORE: dict[str, Any] = {"method": "internal-consistency", "splits": 10, "seed": 1}
COLUMNS = 64


def internal_consistency(
    responses: xr.DataArray, splits: int = 10, seed: int = 1
) -> tuple[Floats, dict[str, float]]:
    """Return Brain-Score's split-half consistency of neuroids, and its ceiling of each region.

    Every split puts whole repetitions, the same for all stimuli, into one half or the other
    (scikit-learn's ``ShuffleSplit(train_size=.5, random_state=seed)`` over the distinct values
    of ``repetition``), and corrects its own correlation by ``2c / (1 + c)``, unequal halves
    included. The ceiling is the median over neuroids, then the mean over splits.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly with single repetitions; NaN is left out of the halves' means, and a stimulus
        without a mean in both halves is left out of that split.
    splits, seed : int
        Brain-Score takes 10 and 1. Splits may repeat where repetitions are few.

    Returns
    -------
    values : array of float64, shape (split, neuroid)
        At most 1; -inf where the halves are opposite; NaN where a half's means do not vary,
        or fewer than three stimuli have both halves.
    ceilings : dict of str to float
        Of each region; NaN where there is no finite one.

    References
    ----------
    Schrimpf et al. 2020, "Integrative benchmarking to advance neurally mechanistic models of
    human intelligence".

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [1.2], [4.0], [4.2], [7.0], [7.2]], region="V4",
    ...              stimulus_id=["a", "a", "b", "b", "c", "c"])
    >>> internal_consistency(a)[1]
    {'V4': 1.0}
    """
    order, starts = group_starts(responses["stimulus_id"].values)
    repetition = np.unique(responses["repetition"].values[order], return_inverse=True)[1].ravel()
    firsts = _whole_repetitions(int(repetition.max()) + 1, splits, seed)
    found = np.full((splits, responses.sizes["neuroid"]), np.nan)
    for columns in slices(found.shape[1], COLUMNS):
        values = responses.values[:, columns][order].astype(np.float64)
        for split, first in enumerate(firsts):
            half = first[repetition]
            found[split, columns] = _pearson(*(_means(values, w, starts) for w in (half, ~half)))
    opposite = found <= -1.0 - 2.0 / LOWEST  # 2c / (1 + c) has its pole at -1
    found = np.where(opposite, -np.inf, 2.0 * found / np.where(opposite, 1.0, 1.0 + found))
    region = responses["region"].values.astype(str)
    names = region_names(responses)
    return found, {name: _ceiling(found[:, region == name]) for name in names}


def _whole_repetitions(count: int, splits: int, seed: int) -> Any:
    """Return which repetitions are in the first half, shape (split, repetition).

    The generator and the order of its draws are scikit-learn's.
    """
    masks = np.zeros((splits, count), bool)
    generator = np.random.RandomState(seed)
    for mask in masks:
        mask[generator.permutation(count)[: count - count // 2]] = True
    return masks


def _means(values: Floats, wanted: Any, starts: Any) -> Floats:
    present = ~np.isnan(values) & wanted[:, None]
    counts = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(present, values, 0.0), starts, axis=0)
    means: Floats = np.where(counts, sums, np.nan) / np.where(counts, counts, 1)
    return means


def _pearson(x: Floats, y: Floats) -> Floats:
    both = ~(np.isnan(x) | np.isnan(y))
    count = both.sum(0)
    flat = count < 3
    centred = []
    for half in (x, y):
        found = np.where(both, half, 0.0)
        about = np.where(both, found - found.sum(0) / np.maximum(count, 1), 0.0)
        flat |= np.abs(about).max(0) <= FLAT * np.abs(found).max(0)
        centred.append(about)
    x, y = centred
    scale = np.sqrt((x * x).sum(0) * (y * y).sum(0))
    correlation: Floats = (x * y).sum(0) / np.where(flat, np.nan, scale)
    return np.clip(correlation, -1.0, 1.0)


def _ceiling(values: Floats) -> float:
    medians = [np.median(found) for each in values if (found := each[~np.isnan(each)]).size]
    return float(np.mean(medians)) if np.isfinite(medians).all() and medians else float("nan")
