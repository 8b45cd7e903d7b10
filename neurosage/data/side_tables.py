"""Tables beside responses, a row a neuroid or a presentation: matched by id where both have ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.data.columns import count_in_order
from neurosage.data.formats.matching import as_ids
from neurosage.data.formats.regions import AS_STORED
from neurosage.errors import InputError

UNNAMED = "unnamed"  # until the table of neuroids says the region
NEXT = "Give the table the file's ids, or leave that column out where rows are in the file's order."


def beside_neuroids(
    responses: xr.DataArray, table: pd.DataFrame, owner: str, *, some: bool = False
) -> xr.DataArray:
    """Add a table of neuroids to responses.

    Parameters
    ----------
    responses : xarray.DataArray
        Their ids begin with ``unnamed.`` where the file has none.
    table : pandas.DataFrame
        A row a neuroid.
    owner : str
        Id and part, for messages.
    some : bool
        Whether neuroids have been left out, so that rows may be too many.

    Returns
    -------
    xarray.DataArray
        Rows belong to neuroids by ``neuroid_id``; by position where the table or the file
        has no ids, or the file has none but such as neurosage makes: ``V4.0``, ``V4.1``.

    Raises
    ------
    InputError
        If the ids of the two differ, or numbers do.
    """
    if "neuroid_id" in table and (own := _own_ids(responses)) is not None:
        given = list(as_ids(table["neuroid_id"]))
        _check_unique(given, "neuroid_table", owner)
        if set(own) <= set(given) if some else set(own) == set(given):
            table = table.iloc[pd.Index(given).get_indexer(pd.Index(own))]
        elif not _made(responses, own):
            raise _differ(own, given, "neuroid", owner)
    return _by_position(responses, table, "neuroid", owner)


def beside_presentations(
    responses: xr.DataArray, table: pd.DataFrame, owner: str, *, some: bool = False
) -> xr.DataArray:
    """Add a table of presentations to responses.

    Parameters
    ----------
    responses : xarray.DataArray
        Where the file names no stimuli, with those of the table.
    table : pandas.DataFrame
        A row a presentation, with ``stimulus_id``.
    owner : str
        Id and part, for messages.
    some : bool
        Whether presentations have been left out, so that rows may be too many.

    Returns
    -------
    xarray.DataArray
        Rows belong to presentations by position where the stimuli stand in one order, else
        by ``stimulus_id`` and, where stimuli repeat, ``repetition``.

    Raises
    ------
    InputError
        If the two name different stimuli, or their order differs and cannot be told.
    """
    own, given = (list(as_ids(one["stimulus_id"])) for one in (responses, table))
    if own != given:
        table = table.iloc[_places(own, given, responses, table, owner, some=some)]
    return _by_position(responses, table, "presentation", owner)


def _places(
    own: list[Any],
    given: list[Any],
    responses: xr.DataArray,
    table: pd.DataFrame,
    owner: str,
    *,
    some: bool,
) -> npt.NDArray[np.intp]:
    """The row of each presentation."""
    left, right = pd.Index(own), pd.Index(given)
    if not (set(own) <= set(given) if some else set(own) == set(given)):
        raise _differ(own, given, "presentation", owner)
    if "repetition" in table and not (left.is_unique and right.is_unique):
        left = pd.MultiIndex.from_arrays([own, responses["repetition"].values])
        right = pd.MultiIndex.from_arrays([given, table["repetition"].to_numpy()])
    if left.is_unique and right.is_unique:
        rows = right.get_indexer(left)
        if (rows >= 0).all() and (some or len(left) == len(right)):
            return np.asarray(rows)
    raise InputError(
        f"the presentation_table of {owner!r} has {len(given)} rows (first: {given[:3]}) and the "
        f"responses {len(own)} presentations (first: {own[:3]}) in another order, and repetitions "
        "do not tell which is which: give both a column repetition, or bring the rows into the "
        "order of the file."
    )


def _own_ids(responses: xr.DataArray) -> list[Any] | None:
    ids = list(as_ids(responses["neuroid_id"].values))
    return None if all(str(name).startswith(f"{UNNAMED}.") for name in ids) else ids


def _made(responses: xr.DataArray, ids: Sequence[Any]) -> bool:
    """Whether the ids in the file are such as neurosage makes where there are none."""
    regions = [responses[name].values for name in ("region", f"region{AS_STORED}")
               if name in responses.coords]  # fmt: skip
    return any(list(ids) == name_in_order(column) for column in regions)


def name_in_order(regions: npt.ArrayLike) -> list[str]:
    """Return ids for neuroids that have none.

    Parameters
    ----------
    regions : array_like, shape (neuroid,)
        Of each.

    Returns
    -------
    list of str
        Region and number.

    Examples
    --------
    >>> name_in_order(["V4", "IT", "V4"])
    ['V4.0', 'IT.0', 'V4.1']
    """
    names = [str(region) for region in np.asarray(regions).tolist()]
    return [f"{name}.{k}" for name, k in zip(names, count_in_order(names), strict=True)]


def _by_position(
    responses: xr.DataArray, table: pd.DataFrame, dim: str, owner: str
) -> xr.DataArray:
    if len(table) != responses.sizes[dim]:
        raise InputError(
            f"the {dim}_table of {owner!r} has {len(table)} rows, but there are "
            f"{responses.sizes[dim]} of {dim} in the responses; it has a row each, in their order."
        )
    return responses.assign_coords(
        {str(name): (dim, _plain(column)) for name, column in table.items()}
    )


def _plain(column: pd.Series[Any]) -> npt.NDArray[Any]:
    values = column.to_numpy()
    return values if values.dtype.kind in "biuf" else np.array(column.tolist(), dtype=object)


def _check_unique(ids: list[Any], table: str, owner: str) -> None:
    index = pd.Index(ids)
    if not index.is_unique:
        twice = list(index[index.duplicated()].unique()[:3])
        raise InputError(f"the {table} of {owner!r} names neuroids twice: {twice}; name each once.")


def _differ(own: list[Any], given: list[Any], dim: str, owner: str) -> InputError:
    lost = [name for name in dict.fromkeys(own) if name not in set(given)]
    extra = [name for name in dict.fromkeys(given) if name not in set(own)]
    return InputError(
        f"the {dim}_table of {owner!r} does not name what its responses do: {len(lost)} of the "
        f"file's {len(set(own))} ids have no row (first: {lost[:3]}), {len(extra)} of the table's "
        f"{len(set(given))} are not in the file (first: {extra[:3]}). {NEXT}"
    )
