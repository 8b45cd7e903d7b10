"""From an array with named dims and columns beside it to an assembly, for every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.data.assembly import assembly, select
from neurosage.data.unfolding import WAYS, unfold
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
    region: str | None = None,
    chosen: Mapping[str, Any] | None = None,
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
    region : str, optional
        Of every neuroid, where `columns` does not say it.
    chosen : mapping of str to scalar or list, optional
        Coordinate → values kept, before ids are compared with `stimulus_id`.
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
    if "region" not in held:
        if region is None:
            raise InputError(
                f"{source} does not say the region of its neuroids: give region, or "
                'coordinates = { region = "…" } that names where it stands.'
            )
        held["region"] = np.full(array.sizes["neuroid"], region, object)
    elif region is not None:
        raise InputError(
            f"the region is given twice: {region!r}, and by a column of {source}; give one."
        )
    array = unfold(array.assign_coords(_placed(source, held, array)))
    responses = _assembled(array, unit)
    kept = select(responses, **_as_ids_too(chosen or {}))
    some = kept.sizes["presentation"] < responses.sizes["presentation"]
    return match_ids(kept, stimulus_id, source, some=some) if own else kept


def as_ids(values: npt.ArrayLike) -> npt.NDArray[np.object_]:
    """Return names as text: whole numbers without a point, missing ones as None.

    Parameters
    ----------
    values : array_like, shape (n,)
        Text, bytes or numbers.

    Returns
    -------
    numpy.ndarray of object, shape (n,)
        Text, or None.

    Examples
    --------
    >>> list(as_ids([3.0, 4.0])), list(as_ids(["cat"]))
    (['3', '4'], ['cat'])
    """
    named = [_as_id(value) for value in np.asarray(values).ravel().tolist()]
    return np.array([*named, None], object)[:-1]


def _as_id(value: Any) -> str | None:
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def match_ids(
    responses: xr.DataArray,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None,
    source: Path | str,
    *,
    some: bool = False,
) -> xr.DataArray:
    """Call stimuli as the stimulus set does, where folder or suffix is all that differs.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.
    stimulus_id : sequence of str or None
        The stimulus set's; None leaves the assembly as it is.
    source : Path or str
        Named in errors.
    some : bool
        Whether stimuli may be without a response, as presentations were selected.

    Returns
    -------
    xarray.DataArray
        With exactly these ids, or with `some` of them; order is kept.

    Raises
    ------
    InputError
        If the two hold different stimuli.

    Examples
    --------
    >>> a = assembly([[1], [2]], stimulus_id=["b.png", "a.png"], region="V4")
    >>> list(match_ids(a, ["a", "b"], "r.mat").stimulus_id.values)
    ['b', 'a']
    """
    if stimulus_id is None:
        return responses
    named = alike(responses["stimulus_id"].values, stimulus_id, source, some=some)
    return responses.assign_coords(stimulus_id=("presentation", named))


def alike(
    column: Any, wanted: Any, source: Path | str, *, some: bool = False
) -> npt.NDArray[np.object_]:
    """Return a column of ids as the wanted ids say them; see `match_ids`."""
    own, known = pd.unique(pd.Series(column, dtype=object)), list(dict.fromkeys(wanted))
    for shorten in (str, _bare, _stem):
        ours = {shorten(name): name for name in known}
        theirs = {shorten(str(name)) for name in own}
        fits = theirs <= set(ours) if some else theirs == set(ours)
        if fits and len(ours) == len(known) and len(theirs) == len(own):
            return np.array([*(ours[shorten(str(name))] for name in column), None], object)[:-1]
    missing = [name for name in known if name not in set(own)]
    extra = [name for name in own if name not in set(known)]
    raise InputError(
        f"{source} holds responses to {len(own)} stimuli, but {len(known)} were shown: "
        f"{len(missing)} have none (first: {missing[:3]}), {len(extra)} were not shown "
        f"(first: {extra[:3]}). Ids are matched by name, with or without folder and suffix; "
        "where the file numbers them, give a table of stimuli whose stimulus_id are the numbers."
    )


def _bare(name: str) -> str:
    head, _, tail = name.replace("\\", "/").rpartition(".")
    return head if head and "/" not in tail else name


def _stem(name: str) -> str:
    return _bare(name).rpartition("/")[2]


def _named(source: Path | str, dims: tuple[str, ...], values: Any) -> xr.DataArray:
    if values.dtype.kind not in "fiub":
        raise InputError(f"{source} holds {values.dtype} values, but responses must be numbers.")
    rest = set(dims) - {"neuroid", "time_bin"}
    if "neuroid" not in dims or rest not in WAYS or len(set(dims)) != len(dims):
        raise InputError(
            f"dims {dims} of {source} are not understood: give neuroid, one of presentation, "
            "stimulus, or stimulus and repetition, and time_bin if there, each once."
        )
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


def _as_ids_too(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Values wanted of ids are named as the ids are."""
    ids = ("stimulus_id", "neuroid_id", "region")
    return {k: list(as_ids(np.atleast_1d(v))) if k in ids else v for k, v in chosen.items()}
