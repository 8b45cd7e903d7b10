"""One model's layers, chosen for each region: on all stimuli, or on halves of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.inference.halving import CrossFit
from neurosage.rsa.inference.labelled import flat_regions
from neurosage.rsa.inference.redrawn import Resampled
from neurosage.rsa.inference.sides import Sides

NO_LAYER = "the distances of the region, or of all layers, do not vary"
NO_HALVES = (
    "in no split of the stimuli do both halves have enough of them, and distances that vary, of "
    "the region and a layer"
)


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
    warnings : tuple of str
        What not to believe.
    """

    estimate: Floats
    draws: Floats
    layers: list[str]
    count: int
    undefined: dict[str, str]
    warnings: tuple[str, ...] = ()


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
    reasons = flat_regions(sides, found.whole, undefined)
    layers = _names(sides, found.chosen, found.estimate)
    chosen = _with_mean(found.estimate, found.draws, layers, len(sides.names_a), reasons)
    return replace(chosen, warnings=seldom_defined(sides, found))


def without_value(sides: Sides, found: CrossFit) -> list[str]:
    """Say of every region why it has no cross-fitted similarity, where it has none."""
    flat: Any = np.isnan(found.whole).all(0)
    return [NO_LAYER if flat[k] else NO_HALVES for k in range(len(sides.names_b))]


def seldom_defined(sides: Sides, found: CrossFit) -> tuple[str, ...]:
    """Say which layers could not be chosen in some splits, in a sentence for each region."""
    said = []
    for k, region in enumerate(sides.names_b):
        seldom: Any = (found.lacking[:, k] > 0) & ~np.isnan(found.whole[:, k])
        counts = [(sides.names_a[j], found.lacking[j, k]) for j in np.flatnonzero(seldom)]
        if counts:
            shown = ", ".join(f"{name!r} ({many} of {found.splits})" for name, many in counts[:5])
            more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
            said.append(
                f"{region}: layers left out of splits, for in one half their distances or "
                f"{region}'s do not vary: {shown}{more}."
            )
    return tuple(said)


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
