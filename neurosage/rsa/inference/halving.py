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
from neurosage.rsa.resampling import MINIMUM_GROUPS

TIE = 1e-6  # similarities are sums in float32: layers this close share the choice
EACH = 2  # splits of every resample: with two, what the splits add is known and taken out
BLOCK = 1 << 23  # multiplicities held at a time: 64 MB
STREAM = 1  # of the splits, apart from the draws of stimuli


@dataclass(frozen=True, eq=False)
class CrossFit:
    """What the layers chosen elsewhere give.

    Parameters
    ----------
    estimate : array of float64, shape (K,)
        Mean over halves; NaN where no layer has a similarity in both halves of any split.
    chosen : array of float64, shape (K, J)
        Share of halves in which each layer won, ties shared; 0 throughout where none could.
    draws : array of float64, shape (K, B, EACH)
        The estimate in every resample, by split; B is 0 where none were asked for, all NaN
        where stimuli are fewer than 10.
    splits : int
        How many the estimate is the mean of.
    whole : array of float64, shape (J, K)
        Similarities on all stimuli; NaN where undefined.
    lacking : array of int, shape (J, K)
        In how many splits a layer has none in one of the halves, and cannot be chosen.
    """

    estimate: Floats
    chosen: Floats
    draws: Floats
    splits: int
    whole: Floats
    lacking: Any


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
    rows = np.concatenate([np.ones((1, halves.shape[-1])), *halves])
    whole, *found = similarities(sides, rows, comparison)
    each = np.reshape(found, (splits, 2, *whole.shape))
    values, shares = chosen_elsewhere(each)
    estimate, known = mean_of_known(values, (0, 1))
    chosen = shares.sum((0, 1)) / np.maximum(known, 1)
    draws = np.empty((whole.shape[1], 0, EACH))
    if resamples is not None and drawn.grouping is None and drawn.units < MINIMUM_GROUPS:
        draws = np.full((whole.shape[1], resamples, EACH), np.nan)
    elif resamples is not None:
        redrawn = drawn_for(drawn, comparison, resamples, seed)
        draws = redrawn.factor * _resampled(sides, redrawn.weights, drawn, comparison, rng)
    lacking = np.isnan(each).any(1).sum(0)
    return CrossFit(estimate, chosen.T, draws, splits, whole, lacking)


def mean_of_known(values: Floats, axes: Any) -> tuple[Floats, Any]:
    """Return the mean of what is not NaN, NaN where nothing is, and how many that are."""
    known = (~np.isnan(values)).sum(axes)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.nansum(values, axes) / np.where(known, known, np.nan)
    return mean, known


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
    tuple of (array of float64, shape (S, 2, K); array of float64, shape (S, 2, J, K))
        The similarity in the other half, and 1 for the layer chosen in this one, of which
        layers that tie have equal shares. Chosen from those that have a similarity in both
        halves; NaN, and no shares, where none has.

    Examples
    --------
    >>> halves = np.array([[[[0.1], [0.3]], [[0.2], [0.0]]]])
    >>> chosen_elsewhere(halves)[0]
    array([[[0. ],
            [0.1]]])
    """
    lacking: Any = np.isnan(found).any(1, keepdims=True)
    known = np.where(lacking, -np.inf, found)
    best = (known >= known.max(2, keepdims=True, initial=-np.inf) - TIE) & ~lacking
    shares = best / np.maximum(best.sum(2, keepdims=True), 1)
    values: Floats = (shares * np.where(lacking, 0.0, found[:, ::-1])).sum(2)
    return np.where(lacking.all(2), np.nan, values), shares


def _resampled(
    sides: Sides, weights: Floats, drawn: Together, comparison: str, rng: np.random.Generator
) -> Floats:
    """Return the mean over both ways of each split of each resample, shape (K, B, EACH).

    A resample is drawn once and what is drawn then split, so that all its splits see the same
    stimuli; all copies of one are in the same half.
    """
    n, columns = weights.shape[1], len(sides.names_b)
    values = np.empty((len(weights), EACH, columns))
    together = max(1, BLOCK // (2 * EACH * n))
    for start in range(0, len(weights), together):
        block = weights[start : start + together]
        first = halves_of_drawn(block, drawn.member, rng)
        rows = both_halves(first.reshape(-1, n)).reshape(len(block), -1, n) * block[:, None]
        found = similarities(sides, rows.reshape(-1, n), comparison, drawn.grouping)
        fitted, _ = chosen_elsewhere(found.reshape(len(block) * EACH, 2, *found.shape[1:]))
        values[start : start + together] = fitted.mean(1).reshape(len(block), EACH, columns)
    return np.moveaxis(values, 2, 0)


def halves_of_drawn(weights: Floats, member: Any, rng: np.random.Generator) -> Any:
    """Split at random what resamples have drawn: half of the stimuli, or groups, that are in.

    Parameters
    ----------
    weights : array of float64, shape (B, n)
        How often each stimulus is drawn.
    member : array of int, shape (n,)
        Its group.
    rng : numpy.random.Generator
        Of the splits.

    Returns
    -------
    array of bool, shape (B, EACH, n)
        The first half of each split; the spare one of an odd number is in either.

    Examples
    --------
    >>> first = halves_of_drawn(np.ones((1, 6)), np.arange(6), np.random.default_rng(0))
    >>> first.sum(2)
    array([[3, 3]])
    """
    units, at = np.unique(member, return_index=True)
    inside = weights[:, None, at] > 0
    many = inside.sum(2, keepdims=True)
    keys = rng.random((len(weights), EACH, len(units))) + ~inside  # those not drawn come last
    size = many // 2 + rng.integers(0, 1 + many % 2, size=(len(weights), EACH, 1))
    return (keys.argsort(2).argsort(2) < size)[..., member]


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
