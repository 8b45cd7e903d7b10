"""MAT-files, opened: versions 4 to 7 by scipy, 7.3 (which is HDF5) by h5py."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.data.formats.matlab_check import check_elements
from neurosage.data.formats.matlab_values import Objects, Source
from neurosage.data.formats.memory import check_free, check_held
from neurosage.errors import InputError

HDF5 = b"\x89HDF\r\n\x1a\n"
WIDTHS = {  # bytes of a number, as scipy names the classes; char takes four
    **dict.fromkeys(("int8", "uint8", "logical"), 1),
    **dict.fromkeys(("int16", "uint16"), 2),
    **dict.fromkeys(("int32", "uint32", "single", "char"), 4),
    **dict.fromkeys(("int64", "uint64", "double"), 8),
}
DEEPEST = 16  # cells within cells; a damaged file may hold itself
REMEDY = "save it in MATLAB as numbers, char or cellstr, for instance cellstr(x) or double(x)"


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a MAT-file of any version.

    Parameters
    ----------
    path : Path
        It is never changed, and nothing in it is executed.

    Yields
    ------
    Source
        To be walked by `find`.

    Raises
    ------
    InputError
        If it is no MAT-file, or is damaged: also where that shows only in reading.
    """
    from scipy.io.matlab import matfile_version

    try:
        if _is_hdf5(path):
            import h5py

            with h5py.File(path, "r") as file:
                yield MatlabHDF5(file, path)
        else:
            if matfile_version(path)[0] == 1:  # 5 to 7; 4 has no elements
                check_elements(path)
            yield MatlabFile(path)
    except InputError:
        raise
    except Exception as error:  # scipy, zlib and HDF5 each raise their own
        said = str(error).rstrip(".") or type(error).__name__
        raise InputError(
            f"{path} cannot be read as a MAT-file: {said}. Is it whole? Save it again in MATLAB."
        ) from error


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as stream:
        begins = stream.read(520)
    if not begins:
        raise InputError(f"{path} is empty; a MAT-file was expected.")
    if begins[:2] in (b"PK", b"\x93N") or (begins[:1] == b"\x80" and begins[1:2] <= b"\x05"):
        raise InputError(f"{path} is no MAT-file, whatever its name; save the array in MATLAB.")
    return HDF5 in (begins[:8], begins[512:520])


class MatlabFile:
    """Versions 4 to 7."""

    def __init__(self, path: Path) -> None:
        from scipy.io import whosmat

        self.path = path
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about variables that are not read
            known = whosmat(path)
        self.held = [str(name) for name, *_ in known]
        self.shapes = {str(name): (shape, kind) for name, shape, kind in known}

    def names(self) -> list[str]:
        """See `Source`."""
        return [name for name in self.held if name.isidentifier() and name != "None"]

    def top(self, name: str) -> Any:
        """See `Source`."""
        from scipy.io import loadmat

        shape, kind = self.shapes[name]
        if kind in WIDTHS:
            needed = float(np.prod(shape, dtype=float)) * WIDTHS[kind]
            check_free(needed, f"{name!r} in {self.path}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return loadmat(self.path, variable_names=[name], mat_dtype=True)[name]

    def fields(self, node: Any) -> list[str]:
        """See `Source`."""
        return list(getattr(node, "dtype", np.dtype(float)).names or ())

    def elements(self, node: Any) -> Objects | None:
        """See `Source`."""
        if isinstance(node, np.void):
            return _one(node)
        if not isinstance(node, np.ndarray) or (node.dtype != object and not node.dtype.names):
            return None
        held = np.empty(node.shape, object)
        for place in np.ndindex(node.shape):
            held[place] = node[place]
        return held

    def field(self, element: Any, name: str) -> Any:
        """See `Source`."""
        return element[name]

    def value(self, node: Any) -> npt.NDArray[Any]:
        """See `Source`."""
        if hasattr(node, "tocsc"):  # sparse
            columns = node.tocsc()
            columns.check_format(full_check=True)  # or C code would trust wrong indices
            check_free(8 * float(np.prod(columns.shape, dtype=float)), f"what {self.path} holds")
            return _real(np.asarray(columns.toarray()), self.path)
        if self.fields(node) or type(node) is not np.ndarray:
            raise _unreadable(self.path, self.fields(node), type(node).__name__)
        if node.dtype == object:
            held = np.empty(node.shape, object)
            for place in np.ndindex(node.shape):
                held[place] = self.value(node[place])
            return held
        if node.dtype.kind == "U":
            return np.char.rstrip(node)  # MATLAB pads rows of a char matrix with blanks
        return _real(node, self.path)


class MatlabHDF5:
    """Version 7.3: HDF5 with MATLAB's attributes; dims stand in reverse."""

    def __init__(self, file: Any, path: Path) -> None:
        self.file, self.path = file, path

    def names(self) -> list[str]:
        """See `Source`."""
        import h5py

        names = [name for name in self.file if not name.startswith("#")]
        return [n for n in names if isinstance(self.file.get(n, getlink=True), h5py.HardLink)]

    def top(self, name: str) -> Any:
        """See `Source`."""
        return self.file[name]

    def fields(self, node: Any) -> list[str]:
        """See `Source`."""
        group = node[0] if isinstance(node, tuple) else node
        if not hasattr(group, "keys") or "MATLAB_sparse" in group.attrs:
            return []
        return list(group)

    def elements(self, node: Any) -> Objects | None:
        """See `Source`."""
        if isinstance(node, tuple):
            return _one(node)
        if names := self.fields(node):
            first = node[names[0]]
            if not _holds_references(first) or "MATLAB_class" in first.attrs:
                return _one((node, None))
            held = np.empty(first.shape, object)
            for place in np.ndindex(first.shape):
                held[place] = (node, place)
            return held.T
        return self._references(node) if _class(node) == "cell" else None

    def field(self, element: Any, name: str) -> Any:
        """See `Source`."""
        group, place = element
        return group[name] if place is None else self.file[group[name][place]]

    def value(self, node: Any, depth: int = 0) -> npt.NDArray[Any]:
        """See `Source`."""
        kind = _class(node) if not isinstance(node, tuple) else "struct"
        if depth > DEEPEST:
            raise InputError(f"cells in {self.path} lie deeper than {DEEPEST}: it is damaged.")
        if not isinstance(node, tuple) and "MATLAB_sparse" in node.attrs:
            return _sparse(node, self.path)
        if self.fields(node) or "MATLAB_object_decode" in getattr(node, "attrs", ()):
            raise _unreadable(self.path, self.fields(node), kind)
        if kind == "cell":
            cells = self._references(node)
            held = np.empty(cells.shape, object)
            for place in np.ndindex(cells.shape):
                held[place] = self.value(cells[place], depth + 1)
            return held
        return self._plain(node, kind)

    def _plain(self, node: Any, kind: str) -> npt.NDArray[Any]:
        if not kind:
            raise InputError(
                f"{node.name!r} in {self.path} was not written by MATLAB (it has no MATLAB_class), "
                "so the order of its dims is unknown; save it as .npy or .npz instead."
            )
        check_held(node, f"{node.name!r} in {self.path}")
        raw = node[()]
        if "MATLAB_empty" in node.attrs:
            return np.zeros(tuple(int(n) for n in raw), np.str_ if kind == "char" else np.float64)
        array = np.asarray(raw).T
        if kind == "char":
            rows = array.astype(np.uint16).astype("<u2")
            return np.array([row.tobytes().decode("utf-16-le").rstrip() for row in rows])
        return _real(array.astype(bool) if kind == "logical" else array, self.path)

    def _references(self, node: Any) -> Objects:
        if "MATLAB_empty" in node.attrs:
            return np.empty(tuple(int(n) for n in node[()]), object)
        check_held(node, f"{node.name!r} in {self.path}")
        references = node[()]
        held = np.empty(references.shape, object)
        for place in np.ndindex(references.shape):
            held[place] = self.file[references[place]]
        return held.T


def _class(node: Any) -> str:
    kind = node.attrs.get("MATLAB_class", b"")
    return kind.decode("ascii", "replace") if isinstance(kind, bytes) else str(kind)


def _holds_references(node: Any) -> bool:
    import h5py

    return isinstance(node, h5py.Dataset) and h5py.check_ref_dtype(node.dtype) is not None


def _one(node: Any) -> Objects:
    held = np.empty((1, 1), object)
    held[0, 0] = node
    return held


def _real(array: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    if array.dtype.names or array.dtype.kind == "c":
        raise InputError(f"{path} holds complex numbers there; save real(x) or abs(x).")
    return array


def _sparse(group: Any, path: Path) -> npt.NDArray[Any]:
    for name in ("jc", "ir", "data"):
        check_held(group.get(name), f"{group.name!r} in {path}")
    columns = np.asarray(group["jc"][()], int)
    full = float(group.attrs["MATLAB_sparse"]) * (len(columns) - 1)
    check_free(8 * full, f"{group.name!r} in {path}, which is sparse,")
    dense = np.zeros((int(group.attrs["MATLAB_sparse"]), len(columns) - 1))
    if "data" in group:
        rows = np.asarray(group["ir"][()], int)
        dense[rows, np.repeat(np.arange(len(columns) - 1), np.diff(columns))] = group["data"][()]
    return dense


def _unreadable(path: Path, fields: list[str], kind: str) -> InputError:
    if fields:
        return InputError(
            f"the key names a struct in {path}; name one of its fields: {', '.join(fields[:20])}."
        )
    return InputError(f"the key names a MATLAB object ({kind}) in {path}; {REMEDY}.")
