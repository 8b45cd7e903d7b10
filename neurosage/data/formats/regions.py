"""A region given in two places: what the caller says wins, and the file's is kept beside it."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.errors import InputError

AS_STORED = "_as_stored"


def region_column(region: Any, number: int, source: Path | str) -> npt.NDArray[np.object_]:
    """Return the region of each neuroid.

    Parameters
    ----------
    region : str or array_like, shape (neuroid,)
        One stands for all.
    number : int
        Of neuroids.
    source : Path or str
        Named in errors.

    Returns
    -------
    numpy.ndarray of object, shape (neuroid,)
        Text.

    Raises
    ------
    InputError
        If there are more or fewer than neuroids.

    Examples
    --------
    >>> list(region_column("V4", 2, "r.npy"))
    ['V4', 'V4']
    """
    column = np.asarray(region, dtype=object)
    column = np.full(number, column, object) if column.ndim == 0 else column
    if column.shape != (number,):
        raise InputError(f"region has shape {column.shape}, but {source} has {number} neuroids.")
    return column


def name_aside(name: str, taken: Container[Any], source: Path | str) -> str:
    """Return under what name the file's own column is kept where another is given for it.

    Parameters
    ----------
    name : str
        Such as ``region``.
    taken : container of str
        Names of the file's columns.
    source : Path or str
        Named in errors.

    Returns
    -------
    str
        ``region_as_stored``.

    Raises
    ------
    InputError
        If the file has a column of that name too.

    Examples
    --------
    >>> name_aside("region", ["region"], "r.nc")
    'region_as_stored'
    """
    aside = f"{name}{AS_STORED}"
    if aside in taken:
        raise InputError(
            f"{source} has both {name!r} and {aside!r}, so its own {name!r} cannot be kept beside "
            "another; read it without coordinates for that name."
        )
    return aside


def with_region(
    columns: dict[str, Any], region: Any, number: int, source: Path | str
) -> dict[str, Any]:
    """Return a file's columns with the region that the caller gives, if one is given.

    Parameters
    ----------
    columns : dict of str to array_like or (dim, array_like)
        By our names.
    region : str, array_like, shape (neuroid,), or None
        It wins; the file's own, where it differs, is kept as ``region_as_stored``.
    number : int
        Of neuroids.
    source : Path or str
        Named in errors.

    Returns
    -------
    dict
        With ``region`` and ``region_as_stored`` as ``("neuroid", values)``.

    Examples
    --------
    >>> columns = with_region({"region": ["V4", "IT"]}, "cortex", 2, "r.mat")
    >>> list(columns["region"][1]), list(map(str, columns["region_as_stored"][1]))
    (['cortex', 'cortex'], ['V4', 'IT'])
    """
    if region is None:
        return columns
    held, given = dict(columns), region_column(region, number, source)
    own = held.pop("region", None)
    if own is not None:
        stored = np.ravel(np.asarray(own[1] if isinstance(own, tuple) else own))
        if list(map(str, stored)) != list(map(str, given)):
            held[name_aside("region", held, source)] = ("neuroid", stored)
    return held | {"region": ("neuroid", given)}
