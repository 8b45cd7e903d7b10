"""Assemblies: build, check, select, align.

An assembly is a plain :class:`xarray.DataArray` of responses, dims ``presentation × neuroid
[× time_bin]``, with plain, non-index coordinates: ``stimulus_id`` and ``repetition`` on
presentation, ``neuroid_id`` and ``region`` on neuroid, ``time_bin_start`` and ``time_bin_end``
(ms) on time_bin. No other module knows these rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.data.columns import as_column, count_in_order, place, types_of_ids
from neurosage.data.unfolding import check_dims, check_names, unfold
from neurosage.errors import InputError, unknown

DIMS = ("presentation", "neuroid", "time_bin")
REQUIRED = {
    "stimulus_id": "presentation",
    "repetition": "presentation",
    "neuroid_id": "neuroid",
    "region": "neuroid",
    "time_bin_start": "time_bin",
    "time_bin_end": "time_bin",
}


def assembly(
    values: npt.ArrayLike,
    dims: Sequence[str] = ("presentation", "neuroid"),
    *,
    stimulus_id: npt.ArrayLike | None = None,
    region: npt.ArrayLike | None = None,
    neuroid_id: npt.ArrayLike | None = None,
    repetition: npt.ArrayLike | None = None,
    time_bin_start: npt.ArrayLike | None = None,
    time_bin_end: npt.ArrayLike | None = None,
    name: str | None = None,
    **coordinates: npt.ArrayLike,
) -> xr.DataArray:
    """Build an assembly from arrays.

    Parameters
    ----------
    values : array_like
        Responses, with the dims named in `dims`, in any order. A dask array stays one, and is
        read when it is needed.
    dims : sequence of str
        The names of the dims of `values`: ``neuroid``; ``presentation``, or ``stimulus``
        with or without ``repetition`` (NaN where not shown); and ``time_bin`` if there.
    stimulus_id : array_like, shape (presentation,) or (stimulus,)
        What was shown; presentations of one stimulus share its id. Whole numbers become
        text, as ids are.
    region : str or array_like, shape (neuroid,)
        The area or layer of each neuroid; one string stands for all.
    neuroid_id : array_like, shape (neuroid,), optional
        Unique names; ``region.0``, ``region.1``, … if omitted.
    repetition : array_like, shape (presentation,), optional
        Counts the presentations of a stimulus from 0; counted in order if omitted.
    time_bin_start, time_bin_end : array_like, shape (time_bin,), optional
        Edges of the time bins in ms after stimulus onset; required with time bins.
    name : str, optional
        Of the DataArray.
    **coordinates : array_like
        Further coordinates, scalar, or as long as one of the dims; where two dims
        have that length, give ``(dim, values)``. ``unit="spikes / 100 ms"``, one string, is
        that of the values, and is kept in ``attrs``.

    Returns
    -------
    xarray.DataArray
        Checked, with dims in the order ``presentation, neuroid[, time_bin]``.

    Raises
    ------
    InputError
        If dims are missing or lengths do not fit.

    Examples
    --------
    >>> a = assembly([[1.0, 2.0], [3.0, 4.0]], stimulus_id=["cat", "dog"], region="V4")
    >>> a.dims, list(a.neuroid_id.values)
    (('presentation', 'neuroid'), ['V4.0', 'V4.1'])
    """
    check_names(coordinates, stimulus_id=stimulus_id, region=region, neuroid_id=neuroid_id)
    unit = coordinates.pop("unit") if isinstance(coordinates.get("unit"), str) else None
    # What is computed in chunks, such as a dask array, stays so.
    data: Any = values if hasattr(values, "__dask_graph__") else np.asarray(values)
    check_dims(tuple(dims), data.dtype)
    if data.ndim != len(dims):
        raise InputError(f"values have shape {data.shape}, but {len(dims)} dims are named: {dims}.")
    sizes = dict(zip(dims, data.shape, strict=True))
    shown = "stimulus" if "stimulus" in dims else "presentation"
    regions = as_column("region", region, sizes["neuroid"], broadcast=True)
    ids = as_column("stimulus_id", stimulus_id, sizes[shown])
    if nameless := int(pd.isna(ids).sum()):
        raise InputError(f"{nameless} of {len(ids)} stimulus ids are missing; name each stimulus.")
    if "repetition" in dims and (repetition is not None or len(set(ids)) < len(ids)):
        raise InputError(
            "with a dim 'repetition' each stimulus id stands once and repetition=… is not given; "
            "else name the presentations: dims ('presentation', 'neuroid')."
        )
    numbered = [f"{r}.{i}" for r, i in zip(regions, count_in_order(regions), strict=True)]
    coords: dict[str, Any] = {
        "stimulus_id": (shown, ids),
        "repetition": (shown, count_in_order(ids) if repetition is None else repetition),
        "neuroid_id": ("neuroid", numbered if neuroid_id is None else neuroid_id),
        "region": ("neuroid", regions),
    }
    edges = {"time_bin_start": time_bin_start, "time_bin_end": time_bin_end}
    coords |= {key: ("time_bin", edge) for key, edge in edges.items() if edge is not None}
    coords |= {key: place(key, value, sizes) for key, value in coordinates.items()}
    for key, entry in coords.items():
        if isinstance(entry, tuple):
            coords[key] = (entry[0], as_column(key, entry[1], sizes[entry[0]]))
    array = unfold(xr.DataArray(data, dims=tuple(dims), coords=coords)).rename(name)
    array = array.transpose(*[dim for dim in DIMS if dim in array.dims])
    return check_assembly(array.assign_attrs({} if unit is None else {"unit": unit}))


def check_assembly(responses: xr.DataArray) -> xr.DataArray:
    """Return the assembly unchanged if it keeps the contract.

    Parameters
    ----------
    responses : xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.

    Raises
    ------
    InputError
        If dims or coordinates are missing, index coordinates are present, neuroids
        repeat, or nothing was recorded.

    Examples
    --------
    >>> check_assembly(assembly([[1.0, 2.0]], stimulus_id=["cat"], region="V4")).sizes["neuroid"]
    2
    """
    _check_type(responses)
    if responses.dims not in (DIMS[:2], DIMS):
        raise InputError(f"dims of an assembly are {DIMS[:2]} or {DIMS}, not {responses.dims}.")
    for key, dim in REQUIRED.items():
        if dim in responses.dims and (key not in responses.coords or responses[key].dims != (dim,)):
            raise InputError(f"the assembly has no coordinate {key!r} on {dim}.")
    if empty := [dim for dim in responses.dims if responses.sizes[dim] == 0]:
        raise InputError(f"the assembly is empty along {empty}: sizes {dict(responses.sizes)}.")
    names = pd.Index(responses["neuroid_id"].values)
    if not names.is_unique:
        twice = list(names[names.duplicated()].unique()[:5])
        raise InputError(f"neuroid_id must be unique, but these repeat: {twice}.")
    if responses.indexes:
        raise InputError(
            f"coordinates must be plain, but {list(responses.indexes)} are indexes; "
            "drop them with .reset_index(…) or .drop_vars(…)."
        )
    return responses


def _check_type(responses: object) -> None:
    if not isinstance(responses, xr.DataArray):
        raise InputError(
            f"an assembly is an xarray.DataArray, but this is {type(responses).__name__}; "
            + (
                "give its .assembly."
                if hasattr(responses, "assembly")
                else "build one with neurosage.assembly(values, stimulus_id=…, region=…)."
            )
        )


def region_names(responses: xr.DataArray) -> tuple[str, ...]:
    """Return the regions in order of first appearance.

    Parameters
    ----------
    responses : xarray.DataArray
        Anything with a ``region`` coordinate: an assembly, or RDMs.

    Returns
    -------
    tuple of str
        Each region once.

    Examples
    --------
    >>> region_names(assembly([[1, 2, 3]], stimulus_id=["cat"], region=["V4", "IT", "V4"]))
    ('V4', 'IT')
    """
    return tuple(str(r) for r in pd.unique(pd.Series(responses["region"].values)))


def select(responses: xr.DataArray, **wanted: Any) -> xr.DataArray:
    """Keep what has the wanted coordinate values.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.
    **wanted : scalar or sequence of scalar
        Coordinate name and the value or values to keep, such as
        ``region="V4"`` or ``region=["pIT", "aIT"]``. Order is kept.

    Returns
    -------
    xarray.DataArray
        The part of the assembly that has all of them.

    Raises
    ------
    InputError
        If a coordinate does not exist, or a value does not occur.

    Examples
    --------
    >>> a = assembly([[1, 2, 3]], stimulus_id=["cat"], region=["V4", "IT", "V4"])
    >>> select(a, region="V4").values
    array([[1, 3]])
    """
    _check_type(responses)
    for key, value in wanted.items():
        if key not in responses.coords or len(responses[key].dims) != 1:
            raise unknown("coordinate", key, [c for c in responses.coords if responses[c].ndim])
        column = pd.Series(responses[key].values)
        values = [value] if np.ndim(value) == 0 else list(value)
        present = column.unique()
        for each in values:
            if each not in present:
                raise unknown(str(key), each, present)
        kept = np.flatnonzero(column.isin(values))
        responses = responses.isel({responses[key].dims[0]: kept})
    return responses


def align(responses: xr.DataArray, stimulus_ids: Sequence[str]) -> xr.DataArray:
    """Order an averaged assembly by the given stimuli.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly with one presentation per stimulus.
    stimulus_ids : sequence of str
        The order wanted: exactly the stimuli of the assembly.

    Returns
    -------
    xarray.DataArray
        Its presentations in that order.

    Raises
    ------
    InputError
        If the two do not hold the same stimuli, once each; the counts and first
        ids of what is missing are named.

    Examples
    --------
    >>> a = assembly([[1], [2]], stimulus_id=["img2", "img10"], region="V4")
    >>> align(a, ["img10", "img2"]).values.ravel()
    array([2, 1])
    """
    own, wanted = pd.Index(responses["stimulus_id"].values), pd.Index(list(stimulus_ids))
    for index, side in ((own, "responses"), (wanted, "wanted order")):
        if not index.is_unique:
            raise InputError(
                f"stimuli repeat in the {side}: {list(index[index.duplicated()][:3])}; "
                "average over repetitions first (average_repetitions)."
            )
    if len(own) == len(wanted) and (own == wanted).all():
        return responses
    missing, extra = wanted.difference(own, sort=False), own.difference(wanted, sort=False)
    if len(missing) or len(extra):
        raise InputError(
            f"stimuli do not match: {len(own)} with responses, {len(wanted)} wanted; "
            f"{len(missing)} have no responses (first: {list(missing[:3])}), "
            f"{len(extra)} are not wanted (first: {list(extra[:3])}). "
            f"Ids are matched exactly, never by position{types_of_ids(list(missing), list(extra))}."
        )
    return responses.isel(presentation=own.get_indexer(wanted))
