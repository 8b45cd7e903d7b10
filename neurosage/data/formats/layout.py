"""From an array with named dims and columns beside it to an assembly, for every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.assembly import assembly, select
from neurosage.data.formats.matching import as_ids, as_ids_too, match_ids
from neurosage.data.formats.regions import with_region
from neurosage.data.unfolding import check_dims, unfold
from neurosage.errors import InputError

HOMES = {  # where a column of ours must stand
    "stimulus_id": ("stimulus", "presentation"),
    "repetition": ("presentation",),
    "neuroid_id": ("neuroid",),
    "region": ("neuroid",),
    "time_bin_start": ("time_bin",),
    "time_bin_end": ("time_bin",),
}


def lay_out(
    values: npt.ArrayLike,
    dims: Sequence[str],
    *,
    source: Path | str,
    columns: Mapping[str, Any],
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    region: str | npt.ArrayLike | None = None,
    chosen: Mapping[str, Any] | None = None,
    some: bool = False,
    unit: str | None = None,
) -> xr.DataArray:
    """Make an assembly of an array, whatever the order of its dims.

    Parameters
    ----------
    values : array_like
        Responses. Dims of length 1 are left out or added at the end where that, and only
        that, makes them as many as `dims`.
    dims : sequence of str
        ``neuroid``, and ``presentation`` or ``stimulus`` with or without ``repetition``,
        and ``time_bin`` if there. Repetitions that are NaN for every neuroid were not
        shown, and are left out.
    source : Path or str
        Named in errors.
    columns : mapping of str to array_like, shape (dim,)
        The file's columns under our names; ``(dim, values)`` where length does not tell.
    stimulus_id : sequence of str, optional
        The stimuli in order: what the file's own ids must be, if it has any; otherwise the
        ids themselves.
    region : str or array_like, shape (neuroid,), optional
        Of every neuroid; where `columns` says another, that is kept as ``region_as_stored``.
    chosen : mapping of str to scalar or list, optional
        Coordinate → values kept, before ids are compared with `stimulus_id`.
    some : bool
        Whether presentations have been left out already, so that stimuli may be without one.
    unit : str, optional
        Of the values; kept in ``attrs``.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.

    Raises
    ------
    InputError
        If dims or lengths do not fit, a region or ids are missing, or ids differ.

    Examples
    --------
    >>> a = lay_out([[1.0, 2.0, 3.0]], ("neuroid", "stimulus"), source="r.mat",
    ...             columns={"stimulus_id": [1.0, 2.0, 4.0]}, region="V4")
    >>> a.shape, list(a.stimulus_id.values)
    ((3, 1), ['1', '2', '4'])
    """
    array = _named(source, tuple(dims), np.asarray(values))
    own = "stimulus_id" in columns
    held = dict(columns)
    if not own:
        held["stimulus_id"] = _in_order(source, array, stimulus_id)
    held = with_region(held, region, array.sizes["neuroid"], source)
    if "region" not in held:
        raise InputError(
            f"{source} does not say the region of its neuroids: give region, or "
            'coordinates = { region = "…" } that names where it stands.'
        )
    array = unfold(array.assign_coords(_placed(source, held, array)))
    responses = _assembled(array, unit)
    kept = select(responses, **as_ids_too(chosen or {}))
    some = some or kept.sizes["presentation"] < responses.sizes["presentation"]
    return match_ids(kept, stimulus_id, source, some=some) if own else kept


def _named(source: Path | str, dims: tuple[str, ...], values: Any) -> xr.DataArray:
    check_dims(dims, values.dtype, source)
    shape = values.shape
    fitted = shape + (1,) * (len(dims) - len(shape))
    if len(fitted) > len(dims):
        fitted = tuple(length for length in shape if length != 1)
    if len(fitted) != len(dims):
        raise InputError(f"{source} has shape {shape}, but its dims are {dims}.")
    return xr.DataArray(values.reshape(fitted), dims=dims)


def _in_order(source: Path | str, array: xr.DataArray, stimulus_id: Any) -> Any:
    dim = "stimulus" if "stimulus" in array.dims else "presentation"
    if stimulus_id is None:
        raise InputError(
            f"{source} holds no stimulus ids: give them as stimulus_id, or "
            'coordinates = { stimulus_id = "…" } that names where they stand.'
        )
    if array.sizes[dim] != len(stimulus_id):
        if dim == "presentation":
            raise InputError(
                f"{source} has {array.sizes[dim]} along presentation, but there are "
                f"{len(stimulus_id)} stimulus ids (first: {list(stimulus_id[:3])}); shape "
                f"{array.shape}, dims {tuple(array.dims)}. It does not say which was shown when: "
                'name the stimulus of each presentation, coordinates = { stimulus_id = "…" } '
                "(with index = 1 where it is the number of the image) or a presentation_table."
            )
        raise InputError(
            f"{source} has {array.sizes[dim]} along {dim}, but there are {len(stimulus_id)} "
            f"stimulus ids (first: {list(stimulus_id[:3])}); shape {array.shape}, "
            f"dims {tuple(array.dims)}. Are the dims in the right order?"
        )
    return stimulus_id


def _placed(source: Path | str, columns: Mapping[str, Any], array: xr.DataArray) -> dict[str, Any]:
    placed = {}
    for name, given in columns.items():
        homes = HOMES.get(name, tuple(dim for dim in array.dims if dim != "repetition"))
        told, values = given if isinstance(given, tuple) else (None, given)
        homes = tuple(home for home in homes if told in (None, home))
        column = np.asarray(values).reshape(-1)
        fits = [dim for dim in homes if array.sizes.get(dim) == len(column)]
        if len(fits) != 1:
            raise InputError(
                f"{name} of {source} has {len(column)} values, which fit "
                f"{' and '.join(map(str, fits)) or 'no dim'} of {dict(array.sizes)}"
                + ("; leave it out." if fits else "; are the dims in the right order?")
            )
        named = name in ("stimulus_id", "neuroid_id", "region")
        placed[name] = (fits[0], as_ids(column) if named else column)
    return placed


def _assembled(array: xr.DataArray, unit: str | None) -> xr.DataArray:
    ours: dict[str, Any] = {str(n): array[n].values for n in array.coords if n in HOMES}
    responses = assembly(array.values, tuple(map(str, array.dims)), **ours)
    for name in [name for name in array.coords if name not in HOMES]:
        column = array[name].values
        text = column.astype(object) if column.dtype.kind in "US" else column
        responses = responses.assign_coords({name: (array[name].dims[0], text)})
    return responses.assign_attrs({"unit": unit} if unit else {})
