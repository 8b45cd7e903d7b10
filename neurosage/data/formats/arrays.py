"""Plain arrays: ``.npy``, ``.npz`` and ``.csv`` files of responses. No pickle is ever read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.errors import InputError, unknown

CELLS = ("stimulus", "repetition")  # what a presentation is made of


def read(
    path: Path,
    dims: Sequence[str] | None = None,
    *,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    region: npt.ArrayLike,
    key: str | None = None,
    unit: str | None = None,
    **coordinates: npt.ArrayLike,
) -> xr.DataArray:
    """Read an array of responses as an assembly.

    Parameters
    ----------
    path : Path
        ``.npy``, ``.npz``, or ``.csv``: a table of numbers, or one whose header is
        ``stimulus_id`` and the neuroids' ids, a row a presentation.
    dims : sequence of str, optional
        Dims of the array: ``neuroid``, and ``presentation`` or ``stimulus`` with or
        without ``repetition``, and ``time_bin`` if there; ``stimulus, neuroid`` if
        omitted. Repetitions that are NaN for every neuroid were not shown, and are
        left out.
    stimulus_id : sequence of str, optional
        Along ``stimulus`` or ``presentation``; needed unless the csv holds it.
    region : str or array_like, shape (neuroid,)
        The area of each neuroid.
    key : str, optional
        The array in an ``.npz`` file, needed where it holds several.
    unit : str, optional
        Of the values; kept in ``attrs``.
    **coordinates : array_like
        Further coordinates, as in `neurosage.data.assembly.assembly`.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.

    Raises
    ------
    InputError
        If the file cannot be read without pickle, dims do not fit, or the number of
        stimuli differs from the ids given.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/r.npy", [[1.0, 2.0, 3.0]])
    ...     a = read(Path(folder, "r.npy"), ("neuroid", "stimulus"),
    ...         stimulus_id=["a", "b", "c"], region="V4")
    >>> a.shape, list(a.stimulus_id.values)
    ((3, 1), ['a', 'b', 'c'])
    """
    values, rows, columns = _read_values(Path(path), key)
    if rows is not None:
        stimulus_id = rows if stimulus_id is None else stimulus_id
        _same_ids(path, rows, stimulus_id)
        stimulus_id = rows
        coordinates = {"neuroid_id": columns, **coordinates}
    if stimulus_id is None:
        raise InputError(f"{path} holds no stimulus ids; give them as stimulus_id=…")
    named = _check_dims(path, tuple(dims or ("stimulus", "neuroid")), values)
    array = xr.DataArray(values, dims=named)
    _check_count(path, array, stimulus_id)
    array, ids, repetition = _present(array, np.asarray(stimulus_id, dtype=object))
    responses = assembly(
        array.values,
        tuple(map(str, array.dims)),
        stimulus_id=ids,
        region=region,
        repetition=repetition,
        **coordinates,  # type: ignore[arg-type]  # names are checked there
    )
    return responses.assign_attrs({"unit": unit} if unit else {})


def _read_values(path: Path, key: str | None) -> tuple[Any, Any, Any]:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return _read_csv(path)
    if suffix not in (".npy", ".npz"):
        raise unknown("format of arrays", suffix, [".npy", ".npz", ".csv"])
    try:
        _check_magic(path)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, None, None
        with loaded:
            if key is None and len(loaded.files) == 1:
                key = loaded.files[0]
            if key not in loaded.files:
                raise unknown(f"array in {path.name}", key, loaded.files, "Give it as key = ….")
            return loaded[key], None, None
    except InputError:
        raise
    except Exception as error:  # headers, zip members and their packing: each has its own
        said = str(error).rstrip(".")
        if "allow_pickle" in said:  # numpy's advice is to load it unsafely
            said = "it holds Python objects; save numbers, by numpy.save"
        raise InputError(f"{path} cannot be read as an array without pickle: {said}.") from error


def _check_magic(path: Path) -> None:
    with path.open("rb") as stream:
        begins = stream.read(6)
    if not begins.startswith((b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06")):
        raise InputError(
            f"{path} cannot be read as an array without pickle: whatever its name, it is no .npy "
            "or .npz file; save the array by numpy.save."
        )


def _read_csv(path: Path) -> tuple[Any, Any, Any]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            headed = stream.readline().split(",")[0].strip().strip('"') == "stimulus_id"
        if not headed:
            return pd.read_csv(path, header=None).to_numpy(dtype=np.float64), None, None
        table = pd.read_csv(path, dtype={"stimulus_id": str}, index_col="stimulus_id")
        values = table.to_numpy(dtype=np.float64)
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 ({error.reason}); save it so.") from error
    except Exception as error:  # pandas raises what its parser trips over
        raise InputError(
            f"{path} is neither a table of numbers nor one with a header "
            f"stimulus_id,NEUROID,NEUROID,…: {error}"
        ) from error
    return values, np.array(table.index.tolist(), object), np.array(table.columns.tolist(), object)


def _same_ids(path: Path, rows: Any, stimulus_id: Any) -> None:
    own, wanted = pd.Index(pd.unique(rows)), pd.Index(list(stimulus_id))
    missing, extra = wanted.difference(own, sort=False), own.difference(wanted, sort=False)
    if len(missing) or len(extra):
        raise InputError(
            f"{path} holds responses to {len(own)} stimuli, but {len(wanted)} were shown: "
            f"{len(missing)} have none (first: {list(missing[:3])}), {len(extra)} were not shown "
            f"(first: {list(extra[:3])})."
        )


def _check_dims(path: Path, dims: tuple[str, ...], values: Any) -> tuple[str, ...]:
    if values.dtype.kind not in "fiub":
        raise InputError(f"{path} holds {values.dtype} values, but responses must be numbers.")
    rest = set(dims) - {"neuroid", "time_bin"}
    ways: list[set[str]] = [{"presentation"}, {"stimulus"}, {"stimulus", "repetition"}]
    if "neuroid" not in dims or rest not in ways or len(set(dims)) != len(dims):
        raise InputError(
            f"dims {dims} of {path} are not understood: give neuroid, one of presentation, "
            "stimulus, or stimulus and repetition, and time_bin if there, each once."
        )
    if values.ndim != len(dims):
        raise InputError(f"{path} has shape {values.shape}, but its dims are {dims}.")
    return dims


def _check_count(path: Path, array: xr.DataArray, stimulus_id: Any) -> None:
    dim = "stimulus" if "stimulus" in array.dims else "presentation"
    if array.sizes[dim] != len(stimulus_id):
        raise InputError(
            f"{path} has {array.sizes[dim]} along {dim}, but there are {len(stimulus_id)} "
            f"stimulus ids (first: {list(stimulus_id[:3])}); shape {array.shape}, "
            f"dims {tuple(array.dims)}. Are the dims in the right order?"
        )


def _present(array: xr.DataArray, ids: Any) -> tuple[xr.DataArray, Any, Any]:
    if "repetition" not in array.dims:
        names = {"stimulus": "presentation"} if "stimulus" in array.dims else {}
        return array.rename(names), ids, None
    rest = [dim for dim in array.dims if dim not in CELLS]
    ordered = array.transpose(*CELLS, *rest)
    stimuli, repetitions = ordered.shape[:2]
    flat = ordered.values.reshape(stimuli * repetitions, *ordered.shape[2:])
    shown = ~np.isnan(flat).all(axis=tuple(range(1, flat.ndim)))
    repetition = np.tile(np.arange(repetitions), stimuli)[shown]
    presented = xr.DataArray(flat[shown], dims=("presentation", *rest))
    return presented, np.repeat(ids, repetitions)[shown], repetition
