"""Rows of patterns that do not vary, from the largest and the smallest number of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.responses.rows import CACHED


def row_extremes(matrices: Mapping[str, Any]) -> dict[str, tuple[Floats, Floats]]:
    """Return the largest and the smallest number of each row, in one pass over blocks of rows.

    Parameters
    ----------
    matrices : mapping of str to array, shape (n, p)
        Of the same n stimuli; anything that gives slices of rows.

    Returns
    -------
    dict of str to tuple of two arrays of float64, shape (n,)
        For each matrix.

    Examples
    --------
    >>> row_extremes({"V4": np.array([[1.0, 3.0], [4.0, 2.0]])})["V4"]
    (array([3., 4.]), array([1., 2.]))
    """
    n = len(next(iter(matrices.values())))
    widest = max(matrix.shape[1] for matrix in matrices.values())
    own = [getattr(matrix, "block_rows", None) for matrix in matrices.values()]
    step = own[0] or max(1, CACHED // widest)
    found = {name: (np.empty(n), np.empty(n)) for name in matrices}
    for start in range(0, n, step):
        for name, matrix in matrices.items():
            block = matrix[start : start + step]
            found[name][0][start : start + step] = block.max(1)
            found[name][1][start : start + step] = block.min(1)
    return found


def constant_rows(matrix: Any) -> Any:
    """Tell which rows do not vary beyond the rounding of their own numbers.

    Parameters
    ----------
    matrix : array, shape (n, p)
        Patterns.

    Returns
    -------
    array of bool, shape (n,)
        True where constant; always so where p is 1.

    Examples
    --------
    >>> constant_rows(np.array([[1.0, 1.0], [1.0, 2.0]]))
    array([ True, False])
    """
    return constant(*row_extremes({"": matrix})[""], matrix.dtype)


def constant(high: Floats, low: Floats, dtype: np.dtype[Any]) -> Any:
    """Tell which rows do not vary, from their largest and smallest number.

    Parameters
    ----------
    high, low : array of float64, shape (n,)
        Of each row.
    dtype : numpy.dtype
        What the numbers were rounded to.

    Returns
    -------
    array of bool, shape (n,)
        True where constant.

    Examples
    --------
    >>> constant(np.array([1.0, 2.0]), np.array([1.0, 1.0]), np.dtype(float))
    array([ True, False])
    """
    largest = np.maximum(np.abs(high), np.abs(low))
    kind: Any = dtype if dtype.kind == "f" else np.dtype(float)
    return high - low <= 4.0 * float(np.finfo(kind).eps) * largest
