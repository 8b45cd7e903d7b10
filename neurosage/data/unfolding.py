"""Arrays by stimulus and repetition → arrays by presentation."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from neurosage.errors import InputError

CELLS = ("stimulus", "repetition")  # what a presentation is made of
WAYS = ({"presentation"}, {"stimulus"}, {"stimulus", "repetition"})


def check_dims(dims: tuple[str, ...], dtype: np.dtype[Any], source: object = "the array") -> None:
    """Refuse dims that are not those of responses, and values that are no numbers.

    Parameters
    ----------
    dims : tuple of str
        ``neuroid``; ``presentation``, or ``stimulus`` with or without ``repetition``; and
        ``time_bin`` if there.
    dtype : numpy.dtype
        Of the values.
    source : object
        Where they come from, for messages.

    Raises
    ------
    InputError
        With what is there and what would do.
    """
    rest = set(dims) - {"neuroid", "time_bin"}
    if "neuroid" not in dims or rest not in WAYS or len(set(dims)) != len(dims):
        raise InputError(
            f"dims {dims} of {source} are not understood: give neuroid, one of presentation, "
            "stimulus, or stimulus and repetition, and time_bin if there, each once."
        )
    if dtype.kind not in "fiub":
        raise InputError(f"{source} holds {dtype} values, but responses must be numbers.")


def check_names(coordinates: Iterable[str], **named: Any) -> None:
    """Refuse a misspelt name where the right one is missing.

    Parameters
    ----------
    coordinates : iterable of str
        Names given beside those that are known.
    **named : Any
        The known names and what was given for them, None for nothing.

    Raises
    ------
    InputError
        If ``stimulus_id`` or ``region`` is missing, or one of `coordinates` looks like a
        known name that was not given.

    Examples
    --------
    >>> check_names(["stimulus_ids"], stimulus_id=None, region="V4")
    Traceback (most recent call last):
    ...
    neurosage.errors.InputError: stimulus_id is missing; did you mean it by stimulus_ids?
    """
    for name in [name for name, value in named.items() if value is None]:
        close = difflib.get_close_matches(name, coordinates, n=1, cutoff=0.85)
        if close:
            raise InputError(f"{name} is missing; did you mean it by {close[0]}?")
        if name != "neuroid_id":
            raise InputError(f"{name} is missing: an assembly says {name}=… of its responses.")


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
    flat = ordered.data.reshape(stimuli * repetitions, *ordered.shape[2:])
    shown = np.asarray(~np.isnan(flat).all(axis=tuple(range(1, flat.ndim))))
    coords: dict[str, Any] = {}
    for name, column in ordered.coords.items():
        along = column.dims[0] if column.dims else ""
        held = np.repeat(column.values, repetitions)[shown] if along == "stimulus" else column
        coords[str(name)] = ("presentation", held) if along == "stimulus" else column
    coords["repetition"] = ("presentation", np.tile(np.arange(repetitions), stimuli)[shown])
    return xr.DataArray(
        flat[shown], dims=("presentation", *ordered.dims[2:]), coords=coords, name=array.name
    )
