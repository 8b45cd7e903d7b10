"""``.npy`` and ``.npz`` files: arrays, and whole assemblies. No pickle is read or written."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.assembly import check_assembly
from neurosage.data.formats.carrying import without_lost, written_whole
from neurosage.data.formats.layout import HOMES
from neurosage.data.formats.memory import check_free
from neurosage.errors import InputError, unknown

ABOUT = "neurosage"  # the array of an npz file that says the others are an assembly
VERSION = 1


@dataclass(frozen=True)
class Held:
    """What a file of arrays holds.

    Parameters
    ----------
    values : ndarray
        Of numbers, or whatever stands there.
    columns : dict of str to ndarray
        By our names.
    labels : dict of str to ndarray
        Further columns, of presentations.
    assembly : xarray.DataArray, optional
        Where the file holds all of one.
    """

    values: npt.NDArray[Any]
    columns: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, Any] = field(default_factory=dict)
    assembly: xr.DataArray | None = None


def read_npy(path: Path) -> Held:
    """Read the array of a ``.npy`` file, never a pickle.

    Parameters
    ----------
    path : Path
        The file; an ``.npz`` of one array under that name is read too.

    Returns
    -------
    Held
        Values alone.

    Raises
    ------
    InputError
        If it is no such file, is cut off, or holds Python objects.
    """
    with _readable(path):
        _check_magic(path)
        _check_promised(path)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return Held(loaded)
    return read_npz(path, None, {})


def read_npz(path: Path, key: str | None, coordinates: Mapping[str, str]) -> Held:
    """Read arrays of an ``.npz`` file, never a pickle.

    Parameters
    ----------
    path : Path
        The file.
    key : str or None
        The array of responses; None where there is but one, or an assembly.
    coordinates : mapping of str to str
        Our name of a column to the array's; arrays that bear our names need not be named.

    Returns
    -------
    Held
        The assembly, where `neurosage.data.formats.arrays.write` made the file.

    Raises
    ------
    InputError
        If it is no such file, is damaged, would not fit into memory, holds Python
        objects, or has no such array.
    """
    with _readable(path):
        _check_magic(path)
        _check_promised(path)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return Held(loaded)
        with loaded:
            sizes = [member.file_size for member in loaded.zip.infolist()]
            check_free(float(sum(sizes)), str(path))
            for member in loaded.zip.infolist():
                with loaded.zip.open(member) as stream:
                    _check_array(stream, member.file_size, f"{member.filename} in {path}")
            if key is None and ABOUT in loaded.files:
                return Held(np.empty(0), assembly=_assembly(loaded))
            coordinates = _named(loaded.files, key) | dict(coordinates)
            rest = [name for name in loaded.files if name not in coordinates.values()]
            key = rest[0] if key is None and len(rest) == 1 else key
            for name in (key, *coordinates.values()):
                if name not in loaded.files:
                    hint = "Give it as key = …."
                    raise unknown(f"array in {path.name}", name, loaded.files, hint)
            columns = {ours: _array(loaded, name) for ours, name in coordinates.items()}
            return Held(_array(loaded, str(key)), columns)


def _named(files: Collection[str], key: str | None) -> dict[str, str]:
    """Arrays that bear our names are what they say: else values would go by position."""
    return {name: name for name in HOMES if name in files and name != key}


def _array(loaded: Any, name: str) -> npt.NDArray[Any]:
    found = loaded[name]
    if not isinstance(found, np.ndarray):  # a member that is no array is given as bytes
        raise InputError(f"{name!r} in it is no array")
    return found


def _assembly(loaded: Any) -> xr.DataArray:
    about = json.loads(str(_array(loaded, ABOUT)))
    if about["version"] != VERSION:
        raise InputError(
            f"it was written by another version: {about['version']!r}, where this package reads "
            f"{VERSION}; update neurosage"
        )
    coords = {
        name: (tuple(one["dims"]), _column(loaded, name, one), one["attrs"])
        for name, one in about["coords"].items()
    }
    attrs = about["attrs"] | {name: _array(loaded, f"attr.{name}") for name in about["arrays"]}
    made = xr.DataArray(_array(loaded, "values"), coords, about["dims"], about["name"], attrs)
    return check_assembly(made)


def _column(loaded: Any, name: str, one: Mapping[str, Any]) -> Any:
    if "json" in one:
        return np.array([*one["json"], None], object)[:-1]
    stored = _array(loaded, f"coord.{name}")
    return stored.astype(object) if one["text"] else stored


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What numpy, zipfile and their packing raise becomes one sentence."""
    try:
        yield
    except Exception as error:
        said = str(error).rstrip(".") or type(error).__name__
        if isinstance(error, InputError) and path.name in said:
            raise
        if "allow_pickle" in said:  # numpy's advice is to load it unsafely
            said = "it holds Python objects; save numbers, by numpy.save"
        message = f"{path} cannot be read as an array without pickle: {said}."
        raise InputError(message) from error


def _check_magic(path: Path) -> None:
    with path.open("rb") as stream:
        begins = stream.read(6)
    if not begins.startswith((b"\x93NUMPY", b"PK\x03\x04", b"PK\x05\x06")):
        raise InputError(
            f"{path} cannot be read as an array without pickle: whatever its name, it is no .npy "
            "or .npz file; save the array by numpy.save."
        )


def _check_promised(path: Path) -> None:
    with path.open("rb") as stream:
        _check_array(stream, path.stat().st_size, str(path))


def _check_array(stream: Any, size: int, what: str) -> None:
    """Refuse an array that would not fit into memory, or is larger than its file."""
    if stream.read(6) != b"\x93NUMPY":
        return  # not an array: said by who reads it
    version = tuple(stream.read(2))
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        else (np.lib.format.read_array_header_2_0)
    )
    shape, _, dtype = read(stream)
    needed = float(np.prod(shape, dtype=float)) * dtype.itemsize
    if needed > size and not dtype.hasobject:
        raise InputError(f"{what} is cut off: it says shape {shape}, but has {size} bytes.")
    check_free(needed, what)


def write_npz(responses: xr.DataArray, path: Path, drop: Collection[str] = ()) -> None:
    """Write an assembly so that `read_npz` gives all of it back.

    Text stands there as arrays of text, names, dims and attributes as JSON in the array
    ``neurosage``.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.
    path : Path
        The file, written whole or not at all.
    drop : collection of str
        What may be left out where it cannot be carried.

    Raises
    ------
    InputError
        If coordinates or attributes hold what is neither arrays nor JSON.
    """
    columns = {str(k): why for k, v in responses.coords.items() if (why := _why_no_column(v))}
    attrs = {str(k): why for k, v in responses.attrs.items() if (why := _why_no_attribute(k, v))}
    bare = without_lost(responses, columns, attrs, carrier="an .npz", drop=drop)
    packed = {f"coord.{name}": stored for name, one in bare.coords.items()
              if (stored := _stored(one)) is not None}  # fmt: skip
    arrays = {key: value for key, value in bare.attrs.items() if isinstance(value, np.ndarray)}
    about = {
        "version": VERSION,
        "dims": list(bare.dims),
        "name": bare.name,
        "attrs": {k: None if k in arrays else _json(v) for k, v in bare.attrs.items()},
        "arrays": list(arrays),
        "coords": {str(name): _describe(one) for name, one in bare.coords.items()},
    }
    packed |= {f"attr.{key}": value for key, value in arrays.items()}
    with written_whole(path) as part:
        np.savez(
            part, allow_pickle=False, values=bare.values, **packed, **{ABOUT: json.dumps(about)}
        )


def _describe(column: xr.DataArray) -> dict[str, Any]:
    described = {
        "dims": list(column.dims),
        "attrs": {k: _json(v) for k, v in column.attrs.items()},
        "text": column.dtype.kind in "OT",
    }
    if _stored(column) is None:
        described["json"] = column.values.tolist()
    return described


def _stored(column: xr.DataArray) -> npt.NDArray[Any] | None:
    """Return the array that holds a column, None where only JSON can."""
    if column.dtype.kind not in "OT":
        return column.values
    if not all(isinstance(text, str) for text in column.values.ravel()):
        return None
    text = np.array(column.values.tolist(), dtype=str).reshape(column.shape)
    return text if text.tolist() == column.values.tolist() else None  # trailing NULs are cut


def _json(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _is_json(value: Any) -> bool:
    try:
        return repr(json.loads(json.dumps(value))) == repr(value)
    except (TypeError, ValueError):
        return False


def _why_no_column(column: xr.DataArray) -> str:
    if column.dtype.kind not in "fiubcUSMmOT":
        return f"{column.dtype} values"
    if _stored(column) is None and not (column.ndim < 2 and _is_json(column.values.tolist())):
        return "objects other than text and numbers"
    odd = [
        str(k)
        for k, v in column.attrs.items()
        if isinstance(v, np.ndarray) or _why_no_attribute(k, v)
    ]
    return f"its attributes {odd}" if odd else ""


def _why_no_attribute(key: Any, value: Any) -> str:
    if not isinstance(key, str):
        return "its name is no text"
    if isinstance(value, np.ndarray):
        return "" if value.dtype.kind in "fiubcUSMm" else f"array of {value.dtype}"
    return "" if _is_json(_json(value)) else f"attribute of {type(value).__name__}"
