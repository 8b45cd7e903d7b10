"""Distances that differ by rounding alone, made equal before they are ranked.

Patterns of few kinds (categories, features that are there or not) make RDMs of few distinct
distances. Rounding splits each of these, and ranks would take that for an order.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from neurosage.rsa.backends.base import Floats

RANKED = ("spearman", "rho-a", "kendall", "tau-a")  # comparisons that know only the order
ULPS = 32.0  # of the largest distance: the rounding of a difference of two sums
MADE = 1e-11  # of RDMs made here in float64, of responses that an offset may have rounded
WIDEST = 3.0  # roundings between the first and the last of one distance


def rounding_of(given: xr.DataArray) -> float:
    """Return the rounding that RDMs may have, relative to the largest distance.

    Parameters
    ----------
    given : xarray.DataArray
        From `rdms`, whose attribute ``backend`` says in which precision, or published: then
        the precision of the values.

    Returns
    -------
    float
        Some units in the last place.

    Examples
    --------
    >>> rounding_of(xr.DataArray([0.5])) < 1e-14 < rounding_of(xr.DataArray(np.float32([0.5])))
    True
    """
    made = str(given.attrs.get("backend", "")).split()
    single = given.dtype == np.float32 or "float32" in made
    return ULPS * float(np.finfo(np.float32 if single else np.float64).eps)


def merged(pairs: Floats, rounding: float) -> Floats:
    """Make equal what stands apart from all else and differs by rounding alone.

    Neighbours in order that differ by no more than rounding are one distance. Where distances
    are so dense that a chain of them grows longer than rounding explains, nothing is known of
    ties, and they stay as they are.

    Parameters
    ----------
    pairs : array of float64, shape (m,)
        Distances, without NaN.
    rounding : float
        Relative to the largest of them.

    Returns
    -------
    array of float64, shape (m,)
        The same array where nothing is merged.

    Examples
    --------
    >>> merged(np.array([0.3, 0.1 + 0.2, 1.0]), 1e-15).tolist()
    [0.3, 0.3, 1.0]
    >>> merged(np.array([0.3, 0.1 + 0.2, 1.0]), 1e-17)[1] > 0.3
    np.True_
    """
    ordered = np.sort(pairs)
    if not len(ordered):
        return pairs
    width = rounding * max(abs(float(ordered[0])), abs(float(ordered[-1])))
    gaps = np.diff(ordered)
    if not ((gaps > 0.0) & (gaps <= width)).any():
        return pairs
    starts = np.append(0, np.flatnonzero(gaps > width) + 1)
    first, last = ordered[starts], ordered[np.append(starts[1:], len(ordered)) - 1]
    kind = np.searchsorted(first, pairs, side="right") - 1
    found: Floats = np.where((last - first <= WIDEST * width)[kind], first[kind], pairs)
    return found


def merged_square(square: Floats, rounding: float) -> Floats:
    """Make distances of an RDM equal, as `merged`.

    Parameters
    ----------
    square : array of float64, shape (n, n)
        Symmetric; its diagonal is not looked at.
    rounding : float
        As in `merged`.

    Returns
    -------
    array of float64, shape (n, n)
        Symmetric, zero diagonal.

    Examples
    --------
    >>> merged_square(np.array([[0, 1, 1 + 1e-15], [1, 0, 2], [1 + 1e-15, 2, 0]]), 1e-14)
    array([[0., 1., 1.],
           [1., 0., 2.],
           [1., 2., 0.]])
    """
    rows, columns = np.triu_indices(len(square), 1)
    found = np.zeros(square.shape)
    found[rows, columns] = merged(square[rows, columns], rounding)
    found.T[rows, columns] = found[rows, columns]
    return found
