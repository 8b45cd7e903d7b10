"""rsatoolbox's HDF5 files: nested dicts of arrays and text, read without rsatoolbox."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurosage import plugins
from neurosage.data.formats.carrying import why_no_text, written_whole
from neurosage.data.formats.memory import check_free
from neurosage.errors import InputError

HDF5 = b"\x89HDF\r\n\x1a\n"


def read_dict(path: Path, wanted: str) -> dict[str, Any]:
    """Read a file that rsatoolbox saved with ``file_type="hdf5"``.

    Parameters
    ----------
    path : Path
        The file.
    wanted : str
        The key that it must have: ``measurements`` or ``dissimilarities``.

    Returns
    -------
    dict
        As rsatoolbox's ``to_dict`` gives it; text is ``str``.

    Raises
    ------
    InputError
        If it is missing, damaged, a pickle (which is never opened), or holds something else.
    """
    import h5py

    if not path.is_file():
        raise InputError(f"there is no file {path}; one saved by rsatoolbox was expected.")
    with path.open("rb") as stream:
        begins = stream.read(8)
    if begins != HDF5:
        raise InputError(
            f"{path} is no HDF5 file; pickles are never opened. Save it in rsatoolbox by "
            '.save(path, file_type="hdf5").'
        )
    try:
        with h5py.File(path, "r") as file:
            check_free(_size(file), str(path))
            held = _read_group(file)
    except InputError:
        raise
    except Exception as error:  # HDF5 and its filters each raise their own
        raise InputError(
            f"{path} cannot be read: {str(error).rstrip('.')}. Is it whole? Save it again by "
            '.save(path, file_type="hdf5").'
        ) from error
    if not isinstance(held.get(wanted), np.ndarray):
        other = "RDMs" if "dissimilarities" in held else "Dataset" if "measurements" in held else ""
        raise InputError(
            f"{path} holds no {wanted} of rsatoolbox, but "
            f"{other or ', '.join(map(repr, held)) or 'nothing'}."
        )
    return held


def _size(group: Any) -> float:
    """Bytes that a file takes once it is read."""
    import h5py

    sizes = [0.0]

    def add(_: str, each: Any) -> None:
        if isinstance(each, h5py.Dataset) and each.shape is not None:
            sizes.append(float(np.prod(each.shape, dtype=float)) * each.dtype.itemsize)

    group.visititems(add)
    return sum(sizes)


def _read_group(group: Any) -> dict[str, Any]:
    import h5py

    held: dict[str, Any] = {}
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise InputError(
                f"{group.file.filename} cannot be read: {name!r} is a link to elsewhere, which is "
                "not followed."
            )
        each = group[name]
        if isinstance(each, h5py.Group):
            held[name] = _read_group(each)
        elif each.shape is None:
            held[name] = None
        else:
            held[name] = _as_text(each[()])
    held.update({name: _as_text(value) for name, value in group.attrs.items()})
    return held


def _as_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8")
    array = np.asarray(value)
    if array.dtype.kind == "S" or (array.dtype == object and array.size):
        flat = [v.decode("utf-8") if isinstance(v, bytes) else v for v in array.ravel().tolist()]
        return np.array([*flat, None], object)[:-1].reshape(array.shape)
    return value if isinstance(value, str) else array


def write_dict(path: Path, held: Mapping[str, Any]) -> None:
    """Write a dict as rsatoolbox does, beside the place, then rename.

    Parameters
    ----------
    path : Path
        Its suffix should be ``.h5`` or ``.hdf5``, by which rsatoolbox knows it.
    held : mapping
        As rsatoolbox's ``to_dict`` gives it; what it holds has been checked.
    """
    import h5py

    with written_whole(Path(path)) as part, h5py.File(part, "w") as file:
        file.attrs["rsatoolbox_version"] = plugins.version("rsatoolbox")
        _write_group(file, held)


def _write_group(group: Any, held: Mapping[str, Any]) -> None:
    import h5py

    for name, value in held.items():
        if isinstance(value, Mapping):
            _write_group(group.create_group(name), value)
        elif isinstance(value, str):
            group.attrs[name] = value
        elif value is None:
            group[name] = h5py.Empty("f")
        else:
            array = np.asarray(value)
            group[name] = array.astype("S") if array.dtype.kind == "U" else array


def why_not_column(values: Any, *, stored: bool) -> str:
    """Return why a column cannot be a descriptor, or ``""``.

    Parameters
    ----------
    values : array_like
        A coordinate.
    stored : bool
        In a file, where text is ASCII only.

    Returns
    -------
    str
        Empty where it can.
    """
    column = np.asarray(values)
    if column.dtype.kind in "OU":
        why = why_no_text(column)
        if why or not stored:
            return why
        return "" if all(v.isascii() for v in column.ravel().tolist()) else "text beyond ASCII"
    return "" if column.dtype.kind in "fiub" else f"{column.dtype} values"


def why_not_attribute(value: Any) -> str:
    """Return why an attribute cannot be a descriptor, or ``""``.

    Parameters
    ----------
    value : object
        Of ``attrs``.

    Returns
    -------
    str
        Empty for text and numbers. rsatoolbox takes an array for a value an RDM, and its
        calculations then fail.

    Examples
    --------
    >>> why_not_attribute("Hz"), why_not_attribute([1, 2])
    ('', 'a list')
    """
    if isinstance(value, str):
        return why_no_text([value])
    if isinstance(value, (bool, int, float, np.generic)):
        try:
            kind = np.asarray(value).dtype.kind
        except OverflowError:
            return "too large a number"
        return "" if kind in "fiub" else f"a {type(value).__name__}"
    return f"a {type(value).__name__}"


def as_descriptor(values: Any) -> np.ndarray[Any, Any]:
    """Return a column as rsatoolbox holds it: text of fixed width, or numbers."""
    column = np.asarray(values)
    return column.astype(str) if column.dtype == object else column


def as_coordinate(values: Any) -> np.ndarray[Any, Any]:
    """Return a descriptor as an assembly holds it: text as objects, or numbers."""
    column = np.asarray(values)
    return column.astype(object) if column.dtype.kind in "US" else column


def as_attribute(value: Any) -> Any:
    """Return a descriptor of the whole as an attribute: a number, not an array without dims."""
    array = np.asarray(value)
    return array.item() if array.ndim == 0 else value
