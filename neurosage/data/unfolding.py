"""Arrays by stimulus and repetition → arrays by presentation."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurosage.errors import InputError

CELLS = ("stimulus", "repetition")  # what a presentation is made of
WAYS = ({"presentation"}, {"stimulus"}, {"stimulus", "repetition"})


def check_dims(dims: tuple[str, ...], values: np.ndarray[Any, Any]) -> None:
    """Refuse dims that are not those of responses, or do not fit the values.

    Parameters
    ----------
    dims : tuple of str
        ``neuroid``; ``presentation``, or ``stimulus`` with or without ``repetition``; and
        ``time_bin`` if there.
    values : numpy.ndarray
        With as many dims.

    Raises
    ------
    InputError
        With what is there and what would do.
    """
    rest = set(dims) - {"neuroid", "time_bin"}
    if "neuroid" not in dims or rest not in WAYS or len(set(dims)) != len(dims):
        raise InputError(
            f"dims {dims} are not those of an assembly: give neuroid; presentation, or stimulus, "
            "or stimulus and repetition; and time_bin where responses are resolved in time; each "
            "once."
        )
    if values.ndim != len(dims):
        raise InputError(
            f"values have shape {values.shape}, but {len(dims)} dims are named: {dims}."
        )
    if values.dtype.kind not in "fiub":
        raise InputError(f"responses must be numbers, but have dtype {values.dtype}.")


def unfold(array: xr.DataArray) -> xr.DataArray:
    """Return the array with ``presentation`` in place of ``stimulus`` and ``repetition``.

    Parameters
    ----------
    array : xarray.DataArray
        Dims as in `check_dims`, coordinates on any but ``repetition``.

    Returns
    -------
    xarray.DataArray
        The repetitions of a stimulus one after the other; those that are NaN throughout were
        not shown, and are left out. ``repetition`` is a coordinate where it was a dim.

    Examples
    --------
    >>> array = xr.DataArray([[[1.0, np.nan]], [[2.0, 3.0]]],
    ...                      dims=("stimulus", "neuroid", "repetition"))
    >>> flat = unfold(array)
    >>> flat.values.ravel(), flat.repetition.values
    (array([1., 2., 3.]), array([0, 0, 1]))
    """
    if "repetition" not in array.dims:
        return array.rename({"stimulus": "presentation"} if "stimulus" in array.dims else {})
    ordered = array.transpose(*CELLS, *[dim for dim in array.dims if dim not in CELLS])
    stimuli, repetitions = ordered.shape[:2]
    flat = ordered.values.reshape(stimuli * repetitions, *ordered.shape[2:])
    shown = ~np.isnan(flat).all(axis=tuple(range(1, flat.ndim)))
    coords: dict[str, Any] = {}
    for name, column in ordered.coords.items():
        along = column.dims[0] if column.dims else ""
        held = np.repeat(column.values, repetitions)[shown] if along == "stimulus" else column
        coords[str(name)] = ("presentation", held) if along == "stimulus" else column
    coords["repetition"] = ("presentation", np.tile(np.arange(repetitions), stimuli)[shown])
    return xr.DataArray(
        flat[shown], dims=("presentation", *ordered.dims[2:]), coords=coords, name=array.name
    )
