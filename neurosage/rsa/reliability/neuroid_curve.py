"""The curve of a region's neuroids over repetitions, and what all curves share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.distances.presentations import MINIMUM_STIMULI, Presentations, Repeated
from neurosage.rsa.reliability.rdm_estimate import Settings
from neurosage.rsa.reliability.subsets import means, repetition_sets


@dataclass(frozen=True)
class Curve:
    """One region's curve.

    Parameters
    ----------
    measured, predicted : array of float64, shape (size,)
        NaN where they cannot be had.
    recorded : float
        How much was recorded: repetitions (harmonic mean) or sites.
    reason : str
        Why there is no curve, or empty.
    at_all : float
        Reliability of all that was recorded.
    """

    measured: Floats
    predicted: Floats
    recorded: float
    reason: str = ""
    at_all: float = float("nan")


def predicted_reliability(whole: Any, amount: Any, sizes: Any) -> Floats:
    """Return the reliability of k from that of N.

    Parameters
    ----------
    whole : float or array
        Reliability of all N.
    amount : float or array
        N.
    sizes : array
        k.

    Returns
    -------
    array of float64
        ``k ρ / (k ρ + N (1 - ρ))``, also where ρ is below 0; -inf for k beyond N (rounded)
        where ρ is not above 0: from there nothing is extrapolated.

    Examples
    --------
    >>> predicted_reliability(0.5, 10, np.array([10, 30]))
    array([0.5 , 0.75])
    >>> predicted_reliability(-0.5, 10, np.array([10, 30]))
    array([-0.5, -inf])
    """
    beyond = (sizes > np.round(amount)) & (np.asarray(whole) <= 0)
    total = np.where(beyond, 1.0, sizes * whole + amount * (1.0 - whole))
    return np.where(beyond, -np.inf, sizes * whole / total)


def finite(values: Any) -> Floats:
    """Return values with NaN in place of -inf."""
    return np.where(np.isinf(values), np.nan, values)


def neuroid_curve(
    repeated: Repeated, region: str, own: xr.DataArray, sizes: Any, settings: Settings
) -> Curve:
    """Return the curve of a region's median neuroid over repetitions.

    Parameters
    ----------
    repeated : Repeated
        The recording, not normalised: correlation over stimuli does not ask for it.
    region : str
        Of it.
    own : xarray.DataArray
        Each neuroid's reliability, from `neurosage.rsa.reliability.neuroids.reliability`.
    sizes : array of int, shape (size,)
        Repetitions.
    settings : Settings
        splits and seed.

    Returns
    -------
    Curve
        Medians over the neuroids whose reliability is known.
    """
    found = repeated.region(region)
    counts = np.broadcast_to(found.counts, (len(found.starts), found.values.shape[1]))
    amounts = 1.0 / (1.0 / counts).mean(0)
    names = repeated.patterns.neuroid_ids[repeated.patterns.columns[region]]
    place = {name: k for k, name in enumerate(own["neuroid_id"].values)}
    whole = own.values[[place[name] for name in names]]
    known = ~np.isnan(whole)
    measured, predicted = [], []
    for k in sizes:
        measured.append(_median_agreement(found, int(k), known, settings))
        each = predicted_reliability(whole[known], amounts[known], float(k))
        predicted.append(float(np.median(each)) if known.any() else float("nan"))
    middle = float(np.median(whole[known])) if known.any() else float("nan")
    amount = float(np.median(amounts))
    return Curve(np.array(measured), finite(predicted), amount, at_all=middle)


def _median_agreement(found: Presentations, k: int, known: Any, settings: Settings) -> float:
    """Return the neuroids' median correlation between two sets of k repetitions."""
    sums, count = np.zeros(found.values.shape[1]), 0
    for first, second in repetition_sets(found, k, settings.splits, settings.seed):
        if len(first.starts) < max(len(found.starts) / 2, MINIMUM_STIMULI):
            return float("nan")
        x, y = means(first), means(second)
        both = ~(np.isnan(x) | np.isnan(y))
        sums += _pearson(x, y, both)
        count += 1
    found_all = sums[known] / count if count else np.array([np.nan])
    found_all = found_all[~np.isnan(found_all)]
    return float(np.median(found_all)) if len(found_all) else float("nan")


def _pearson(x: Floats, y: Floats, both: Any) -> Floats:
    size = np.maximum(both.sum(0), 1)
    x, y = (np.where(both, each, 0.0) for each in (x, y))
    x, y = (np.where(both, each - each.sum(0) / size, 0.0) for each in (x, y))
    scale = np.sqrt((x * x).sum(0) * (y * y).sum(0))
    correlation: Floats = np.divide(
        (x * y).sum(0), scale, out=np.full(len(scale), np.nan), where=scale > 0
    )
    return correlation
