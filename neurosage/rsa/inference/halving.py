"""Layers chosen on one half of the stimuli and looked up in the other, in every resample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.inference.draws import Together
from neurosage.rsa.inference.redrawn import drawn_for
from neurosage.rsa.inference.resampled import similarities
from neurosage.rsa.inference.sides import Sides

EACH = 2  # splits of every resample: with two, what the splits add is known and taken out
BLOCK = 1 << 23  # multiplicities held at a time: 64 MB
STREAM = 1  # of the splits, apart from the draws of stimuli


@dataclass(frozen=True, eq=False)
class CrossFit:
    """What the layers chosen elsewhere give.

    Parameters
    ----------
    estimate : array of float64, shape (K,)
        Mean over halves; NaN where no layer has a similarity.
    chosen : array of float64, shape (K, J)
        Share of halves in which each layer won.
    draws : array of float64, shape (K, B, EACH)
        The estimate in every resample, by split; B is 0 where none were drawn.
    splits : int
        How many the estimate is the mean of.
    defined : array of bool, shape (J,)
        Layers that have similarities in some half.
    """

    estimate: Floats
    chosen: Floats
    draws: Floats
    splits: int
    defined: Any


def fit_across(
    sides: Sides,
    drawn: Together,
    comparison: str,
    *,
    splits: int,
    resamples: int | None,
    seed: int,
) -> CrossFit:
    """Choose layers on halves of the stimuli, in the recording and in its resamples.

    Parameters
    ----------
    sides : Sides
        J layers (a), K regions (b).
    drawn : Together
        Which stimuli are split and drawn together.
    comparison, splits, seed
        As in `cross_fitted_similarity`.
    resamples : int or None
        How many; None draws none.

    Returns
    -------
    CrossFit
        From the same splits and draws for all sides of the same stimuli.

    Raises
    ------
    InputError
        If stimuli are too few to be split.
    """
    rng = np.random.default_rng([seed, STREAM])
    halves = both_halves(drawn.halves(splits, rng))
    found = similarities(sides, halves.reshape(-1, halves.shape[-1]), comparison)
    values, winners = chosen_elsewhere(found.reshape(splits, 2, *found.shape[1:]))
    chosen = (winners[..., None] == np.arange(found.shape[1])).mean((0, 1))
    draws = np.empty((found.shape[2], 0, EACH))
    if resamples is not None:
        redrawn = drawn_for(drawn, comparison, resamples, seed)
        draws = redrawn.factor * _resampled(sides, redrawn.weights, drawn, comparison, rng)
    defined = ~np.isnan(found).all((0, 2))
    return CrossFit(values.mean((0, 1)), chosen, draws, splits, defined)


def both_halves(first: Any) -> Floats:
    """Return the weights of both halves of each split, shape (splits, 2, n)."""
    return np.stack([first, ~first], 1).astype(np.float64)


def chosen_elsewhere(found: Floats) -> tuple[Floats, Any]:
    """Choose each region's layer in one half and look it up in the other, both ways.

    Parameters
    ----------
    found : array of float64, shape (S, 2, J, K)
        Similarities of J layers with K regions in both halves of S splits.

    Returns
    -------
    tuple of (array of float64, shape (S, 2, K); array of int, shape (S, 2, K))
        The similarity in the other half, and which layer was chosen in this one, -1 (and NaN)
        where none has a similarity.

    Examples
    --------
    >>> halves = np.array([[[[0.1], [0.3]], [[0.2], [0.0]]]])
    >>> chosen_elsewhere(halves)[0]
    array([[[0. ],
            [0.1]]])
    """
    known = np.where(np.isnan(found), -np.inf, found)
    chosen = known.argmax(2)
    values: Floats = np.take_along_axis(found[:, ::-1], chosen[:, :, None], 2)[:, :, 0]
    none = np.isneginf(known.max(2))
    return np.where(none, np.nan, values), np.where(none, -1, chosen)


def _resampled(
    sides: Sides, weights: Floats, drawn: Together, comparison: str, rng: np.random.Generator
) -> Floats:
    """Return the mean over both ways of each split of each resample, shape (K, B, EACH).

    A resample is drawn once and then split, so that all its splits see the same stimuli; all
    copies of one are in the same half.
    """
    n, columns = weights.shape[1], len(sides.names_b)
    values = np.empty((len(weights), EACH, columns))
    together = max(1, BLOCK // (2 * EACH * n))
    for start in range(0, len(weights), together):
        block = weights[start : start + together]
        halves = both_halves(drawn.halves(len(block) * EACH, rng))
        rows = halves.reshape(len(block), EACH * 2, n) * block[:, None]
        found = similarities(sides, rows.reshape(-1, n), comparison)
        fitted, _ = chosen_elsewhere(found.reshape(len(block) * EACH, 2, *found.shape[1:]))
        values[start : start + together] = fitted.mean(1).reshape(len(block), EACH, columns)
    return np.moveaxis(values, 2, 0)


def about_cross_fit(draws: Floats, estimate: float, splits: int) -> Floats:
    """Put what resamples say about the estimate, with the spread that it has.

    Their spread is brought to what `splits` splits would leave of the chance of splitting, and
    their mean to the estimate: a resample has fewer different stimuli to choose a layer by.

    Parameters
    ----------
    draws : array of float64, shape (B, EACH)
        A cross-fitted similarity, or a difference of two, in each split of each resample.
    estimate : float
        The same from all stimuli.
    splits : int
        How many the estimate is the mean of.

    Returns
    -------
    array of float64, shape (B,)
        NaN where a resample has none.

    Examples
    --------
    >>> about_cross_fit(np.array([[0.1, 0.1], [0.3, 0.3]]), 0.5, 20)
    array([0.4, 0.6])
    """
    means: Floats = draws.mean(1)
    kept = ~np.isnan(means)
    if kept.sum() < 2:
        return np.full(len(means), np.nan)
    total = means[kept].var(ddof=1)
    by_splits = draws[kept].var(axis=1, ddof=1).mean()
    # What the splits that are taken leave is the least that there is.
    wanted = max(total - by_splits * (1.0 / EACH - 1.0 / splits), by_splits / splits)
    scale = np.sqrt(wanted / total) if total > 0 else 1.0
    about: Floats = estimate + (means - means[kept].mean()) * scale
    return about
