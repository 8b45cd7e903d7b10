"""One model's layers, chosen for each region: on all stimuli, or on halves of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.inference.halving import CrossFit
from neurosage.rsa.inference.labelled import flat_regions
from neurosage.rsa.inference.redrawn import Resampled
from neurosage.rsa.inference.sides import Sides


@dataclass(frozen=True, eq=False)
class Chosen:
    """The chosen layer for each region, and the mean over regions where several are.

    Parameters
    ----------
    estimate : array of float64, shape (K,)
        Its similarity; NaN where no layer has one.
    draws : array of float64, shape (K, B) or, cross-fitted, (K, B, EACH)
        The same in every resample.
    layers : list of str
        Names; empty where there is none, and for the mean.
    count : int
        How many layers there were to choose from.
    undefined : dict of str to str
        Layers without similarity, and why.
    """

    estimate: Floats
    draws: Floats
    layers: list[str]
    count: int
    undefined: dict[str, str]


def best_of(sides: Sides, resampled: Resampled, undefined: str) -> Chosen:
    """Choose the best layer for each region on all stimuli, and again in each resample.

    Parameters
    ----------
    sides : Sides
        J layers (a), K regions (b).
    resampled : Resampled
        Their similarities.
    undefined : {"raise", "nan"}
        What becomes of layers without similarity.

    Returns
    -------
    Chosen
        Draws of shape (K, B).

    Raises
    ------
    InputError
        If a layer has none, with ``undefined="raise"``.
    """
    found = np.concatenate([resampled.estimate[None], resampled.values])
    reasons = flat_regions(sides, resampled.estimate, undefined)
    known = np.where(np.isnan(found), -np.inf, found)
    values = known.max(1, initial=-np.inf)
    values = np.where(np.isneginf(values), np.nan, values)
    layers = _names(sides, known[0].T, values[0])
    return _with_mean(values[0], values[1:].T, layers, len(sides.names_a), reasons)


def cross_fitted_of(sides: Sides, found: CrossFit, undefined: str) -> Chosen:
    """Name the layers chosen on halves of the stimuli; as `best_of`, draws (K, B, EACH)."""
    reasons = flat_regions(sides, np.where(found.defined, 0.0, np.nan)[:, None], undefined)
    layers = _names(sides, found.chosen, found.estimate)
    return _with_mean(found.estimate, found.draws, layers, len(sides.names_a), reasons)


def _names(sides: Sides, of_layers: Floats, estimate: Floats) -> list[str]:
    """Name the layer with the largest number, shape (K, J), where there is an estimate."""
    rows = zip(of_layers, estimate, strict=True)
    return ["" if np.isnan(value) else sides.names_a[row.argmax()] for row, value in rows]


def _with_mean(
    estimate: Floats, draws: Floats, layers: list[str], count: int, reasons: dict[str, str]
) -> Chosen:
    if len(layers) > 1:
        estimate = np.append(estimate, estimate.mean())
        draws = np.concatenate([draws, draws.mean(0)[None]])
        layers = [*layers, ""]
    return Chosen(estimate, draws, layers, count, reasons)
