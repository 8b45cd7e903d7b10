"""Holm's correction for the number of comparisons made."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from neurosage.rsa.backends.base import Floats


def resamples_needed(comparisons: int, level: float) -> int:
    """Return how many resamples a corrected p needs to be able to reach a level.

    Parameters
    ----------
    comparisons : int
        How many are made, m.
    level : float
        Such as 0.05.

    Returns
    -------
    int
        The fewest B with ``2 m / (1 + B)``, m times the smallest two-sided p, at most `level`.

    Examples
    --------
    >>> resamples_needed(45, 0.05)
    1799
    """
    return math.ceil(round(2.0 * comparisons / level, 6)) - 1


def holm(p: npt.ArrayLike) -> Floats:
    """Adjust p values so that the chance of any false finding among them keeps to its level.

    Parameters
    ----------
    p : array_like, any shape
        In [0, 1]; NaN is no comparison.

    Returns
    -------
    array of float64, same shape
        Adjusted, at most 1; NaN stays.

    References
    ----------
    Holm 1979, "A simple sequentially rejective multiple test procedure".

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3)
    array([0.03, 0.06, 0.06])
    """
    given = np.asarray(p, np.float64)
    flat = given.ravel()
    made = np.flatnonzero(~np.isnan(flat))
    order = made[np.argsort(flat[made], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted = np.full(flat.shape, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(flat[order] * factors), 1.0)
    return adjusted.reshape(given.shape)
