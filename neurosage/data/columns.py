"""Coordinates of an assembly, as users give them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from neurosage.errors import InputError

NAMES = ("stimulus_id", "neuroid_id", "region")


def as_column(key: str, value: Any, length: int, *, broadcast: bool = False) -> Any:
    """Return a coordinate as an array, text as objects and ids as text.

    Parameters
    ----------
    key : str
        Its name, for messages.
    value : array_like, shape (length,)
        A scalar will do with `broadcast`.
    length : int
        Of its dim.
    broadcast : bool
        Whether one value stands for all.

    Returns
    -------
    numpy.ndarray, shape (length,)
        Ids that are whole numbers become text, or they would match no stimulus set.

    Raises
    ------
    InputError
        If the length is another.

    Examples
    --------
    >>> as_column("stimulus_id", [7, 8], 2)
    array(['7', '8'], dtype=object)
    """
    column = np.asarray(value)
    column = np.full(length, column) if broadcast and column.ndim == 0 else column
    if column.shape != (length,):
        raise InputError(
            f"{key} has shape {column.shape}, but the responses need ({length},); are the dims "
            "in the order of the values?"
        )
    if key in NAMES and column.dtype.kind in "iu":
        column = column.astype(str)
    return column.astype(object) if column.dtype.kind in "US" else column


def count_in_order(ids: Any) -> Any:
    """Return how often each id stood before, shape (n,).

    Examples
    --------
    >>> count_in_order(["cat", "dog", "cat"])
    array([0, 0, 1])
    """
    series = pd.Series(ids)
    return series.groupby(series, sort=False).cumcount().to_numpy()


def place(key: str, value: Any, sizes: dict[str, int]) -> Any:
    """Return a coordinate with the dim that it is on, a scalar as it is.

    Parameters
    ----------
    key : str
        Its name, for messages.
    value : Any
        Scalar, array, or ``(dim, array)``.
    sizes : dict of str to int
        The dims there are.

    Returns
    -------
    scalar or tuple of (str, array)
        Its dim is the only one as long as it is.

    Raises
    ------
    InputError
        If no dim, or more than one, has its length.

    Examples
    --------
    >>> place("animal", ["M1", "M2"], {"presentation": 3, "neuroid": 2})[0]
    'neuroid'
    """
    pair = isinstance(value, tuple) and len(value) == 2 and not isinstance(value[1], str)
    if pair and isinstance(value[0], tuple | list) and all(d in sizes for d in map(str, value[0])):
        raise InputError(f"coordinate {key!r} is on {value[0]}; give one that stands on one dim.")
    if pair and isinstance(value[0], str):
        if value[0] not in sizes:
            raise InputError(f"coordinate {key!r} is on {value[0]!r}; dims are {list(sizes)}.")
        return value
    try:
        column = np.asarray(value)
    except ValueError as error:  # numpy's words for lists of unequal length
        raise InputError(f"coordinate {key!r} is no column of values: {error}.") from error
    if column.ndim == 0:
        return value
    fits = [dim for dim, length in sizes.items() if column.shape == (length,)]
    if len(fits) != 1:
        raise InputError(
            f"coordinate {key!r} has shape {column.shape}, which fits {fits or 'no dim'} of "
            f"{sizes}; give it as ('presentation', values) or ('neuroid', values)."
        )
    return fits[0], column


def types_of_ids(first: Sequence[Any], second: Sequence[Any]) -> str:
    """Say that ids do not match for their types, or nothing.

    Parameters
    ----------
    first, second : sequence
        Ids that the other side lacks.

    Returns
    -------
    str
        The end of a sentence.

    Examples
    --------
    >>> types_of_ids(["1"], ["2"])
    ''
    """
    texts = [{isinstance(name, str) for name in names} for names in (first, second)]
    if sorted(texts, key=str) != [{False}, {True}]:
        return ""
    return (
        ", and ids of one side are text and of the other numbers, which never match; "
        "give both as text (whole numbers become text by themselves)"
    )
