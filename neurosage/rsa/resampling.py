"""Resampled stimuli: how often each is drawn, and similarities under these multiplicities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.grouped import form, pairs_drawn

COMPARISONS = ("pearson", "cosine")
MINIMUM_RESAMPLES = 20  # a 95% interval of fewer is not even their range
MINIMUM_GROUPS = 10  # 95% intervals hold the truth in 78%, with 20 in 88%, with 5 in 70%


def multiplicities(n_or_groups: int | npt.ArrayLike, samples: int, seed: int) -> Floats:
    """Draw stimuli, or groups of stimuli, with replacement: how often each is drawn.

    Parameters
    ----------
    n_or_groups : int or array_like, shape (n,)
        How many stimuli; or each stimulus' group, such as its object, where images of one
        group are not independent: groups are then drawn, with all their stimuli.
    samples : int
        How many resamples.
    seed : int
        Of the draws.

    Returns
    -------
    array of float64, shape (samples, n)
        Whole numbers, 0 or more; rows sum to n where stimuli are drawn or groups are equal.

    Raises
    ------
    InputError
        If there is nothing to draw, groups are fewer than 10 or labels are missing, or
        fewer than 20 resamples are asked for.

    Examples
    --------
    >>> multiplicities(4, 20, seed=0)[:2].sum(1)
    array([4., 4.])
    >>> drawn = multiplicities(np.repeat(list("abcdefghij"), 2), 20, seed=0)
    >>> bool((drawn[:, ::2] == drawn[:, 1::2]).all())
    True
    """
    check_sampling(resamples=samples, seed=seed)
    member = group_numbers(n_or_groups)
    if not len(member):
        raise InputError("there are no stimuli to resample.")
    groups = int(member.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(groups, np.full(groups, 1.0 / groups), size=samples)
    weights: Floats = drawn[:, member].astype(np.float64)
    return weights


def group_numbers(n_or_groups: int | npt.ArrayLike) -> Any:
    """Number the groups of stimuli; each stimulus is its own where only their number is given.

    Parameters
    ----------
    n_or_groups : int or array_like, shape (n,)
        As in `multiplicities`.

    Returns
    -------
    array of int, shape (n,)
        From 0.

    Raises
    ------
    InputError
        If labels are missing, or groups too few to speak for others.

    Examples
    --------
    >>> group_numbers(3), group_numbers(list("abcdefghijja"))[-2:]
    (array([0, 1, 2]), array([9, 0]))
    """
    if isinstance(n_or_groups, int | np.integer):
        return np.arange(int(n_or_groups))
    given = np.asarray(n_or_groups, object)
    missing = int(pd.isna(given).sum())
    if missing:
        raise InputError(
            f"{missing} of {len(given)} stimuli have no group label (None or NaN) to be drawn by; "
            "label them, or leave them out with select."
        )
    names, member = np.unique(given.astype(str), return_inverse=True)
    if len(given) and len(names) < MINIMUM_GROUPS:
        raise InputError(
            f"the stimuli are in {len(names)} group{'s' if len(names) > 1 else ''}, but an "
            f"interval over groups needs {MINIMUM_GROUPS} or more, for groups are what is drawn; "
            "draw stimuli, or choose a finer grouping."
        )
    return member.ravel()


def weighted_similarity(
    x: Floats, y: Floats, weights: Floats, comparison: str = "pearson", member: Any = None
) -> Floats:
    """Compare two RDMs under every resample of their stimuli, self-pairs excluded.

    A stimulus drawn twice is two stimuli whose distance to each other is left out. With w
    the multiplicities, every sum over pairs is a quadratic form such as ``wᵀ(X∘Y)w``, so all
    resamples together cost a few products of shape (B, n) × (n, n).

    Parameters
    ----------
    x, y : array of float64, shape (n, n)
        Symmetric; diagonals are not looked at. For Spearman give ranks.
    weights : array of float64, shape (B, n)
        From `multiplicities`; 0 leaves a stimulus out.
    comparison : {"pearson", "cosine"}
        Over the pairs of different stimuli.
    member : array of int, shape (n,), optional
        The group of each, where groups are drawn: pairs within count w times, not w².

    Returns
    -------
    array of float64, shape (B,)
        In [-1, 1]; NaN where a resample leaves no distances that vary.

    Raises
    ------
    InputError
        If the comparison has no such form.

    References
    ----------
    Nili et al. 2014, "A toolbox for representational similarity analysis" (the bootstrap).

    Examples
    --------
    >>> x = np.array([[0.0, 1, 2], [1, 0, 4], [2, 4, 0]])
    >>> weighted_similarity(x, 3 * x + 1, np.ones((1, 3))).round(6)
    array([1.])
    """
    if comparison not in COMPARISONS:
        raise unknown("comparison under resampling", comparison, COMPARISONS)
    centred = comparison == "pearson"
    x, y = standardised(x, centred), standardised(y, centred)
    weights = np.asarray(weights, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        pairs = pairs_drawn(weights, member)
        products = (x * y, x * x, y * y)
        cross, own_x, own_y = (form(each, weights, member) / pairs for each in products)
        if centred:
            mean_x, mean_y = (form(each, weights, member) / pairs for each in (x, y))
            cross, own_x, own_y = (
                cross - mean_x * mean_y,
                own_x - mean_x * mean_x,
                own_y - mean_y * mean_y,
            )
        # Standardised on the whole set, so that rounding is measured against 1.
        flat = ~((own_x > 1e-12) & (own_y > 1e-12) & (pairs > 0))
        similarity: Floats = np.clip(cross / np.sqrt(own_x * own_y), -1.0, 1.0)
    similarity[flat] = np.nan
    return similarity


def standardised(square: Floats, centred: bool) -> Floats:
    """Copy an RDM, zero its diagonal, centre and scale the rest: the comparison stays.

    Parameters
    ----------
    square : array of float64, shape (n, n)
        Symmetric.
    centred : bool
        Whether the comparison takes the mean out.

    Returns
    -------
    array of float64, shape (n, n)
        Pairs of mean 0 (if centred) and mean square 1; all 0 where they do not vary.

    Examples
    --------
    >>> standardised(np.array([[0.0, 2.0], [2.0, 0.0]]), centred=False)
    array([[0., 1.],
           [1., 0.]])
    """
    n = len(square)
    out = np.array(square, np.float64)
    np.fill_diagonal(out, 0.0)
    count = max(n * (n - 1), 1)
    size = float(np.abs(out).max(initial=0.0))
    if centred:
        out -= out.sum() / count
        np.fill_diagonal(out, 0.0)
    scale = float(np.sqrt(np.square(out).sum() / count))
    # What is left of a constant RDM after centring is rounding: zero it.
    if scale <= 1e-14 * size:
        return np.zeros_like(out)
    out /= scale
    return out


def percentile_interval(
    resampled: Floats, interval: float, point: float | None = None
) -> tuple[float, float]:
    """Return the ends of a percentile interval, NaN left out.

    Parameters
    ----------
    resampled : array of float64, shape (B,)
        The estimate in each resample.
    interval : float
        How much it covers, above 0 and below 1.
    point : float, optional
        The estimate; an interval that does not hold it is widened until it does.

    Returns
    -------
    tuple of two float
        Low and high; NaN where more than one in ten resamples has no estimate.

    Raises
    ------
    InputError
        If `interval` is not between 0 and 1.

    Examples
    --------
    >>> percentile_interval(np.arange(101.0), 0.5)
    (25.0, 75.0)
    """
    check_interval(interval)
    found = resampled[~np.isnan(resampled)]
    if len(found) < 0.9 * len(resampled) or not len(found):
        return float("nan"), float("nan")
    tail = 50.0 * (1.0 - interval)
    low, high = np.percentile(found, [tail, 100.0 - tail])
    if point is not None and not np.isnan(point):
        low, high = min(low, point), max(high, point)
    return float(low), float(high)


def check_interval(interval: Any) -> None:
    """Refuse a share that an interval cannot cover.

    Raises
    ------
    InputError
        If it is not a number between 0 and 1.
    """
    number = isinstance(interval, int | float | np.integer | np.floating)
    if not number or not 0.0 < interval < 1.0:
        raise InputError(f"interval must be between 0 and 1, such as 0.95, not {interval!r}.")


def check_sampling(
    *, splits: Any = None, seed: Any = None, resamples: Any = None, interval: Any = None
) -> None:
    """Refuse splits, a seed, resamples or an interval that cannot be taken; None is not checked.

    Raises
    ------
    InputError
        If `splits` is not a whole number of 1 or more, `seed` of 0 or more, `resamples` of
        20 or more, or `interval` is not between 0 and 1.

    Examples
    --------
    >>> check_sampling(splits=2.5)
    Traceback (most recent call last):
    neurosage.errors.InputError: splits must be a whole number of 1 or more, not 2.5.
    """
    for name, value, least in (
        ("splits", splits, 1),
        ("seed", seed, 0),
        ("resamples", resamples, MINIMUM_RESAMPLES),
    ):
        if value is not None:
            check_whole(name, value, least)
    if interval is not None:
        check_interval(interval)


def check_whole(name: str, value: Any, least: int) -> None:
    """Refuse what is not a whole number of so much or more; True is none.

    Raises
    ------
    InputError
        With the argument's name and the value.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise InputError(f"{name} must be a whole number of {least} or more, not {value!r}.")
