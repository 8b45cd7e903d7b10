"""What a BrainIO file holds: its data variable, its columns, its attributes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.assembly import DIMS
from neurosage.data.formats.memory import check_free
from neurosage.errors import InputError, unknown

COLUMN = 64  # bytes that a value of a column may take
PIECE = 2**14  # values of a column read at a time
DATA = ("data", "__xarray_dataarray_variable__")  # new files, older ones
MAGIC = (b"\x89HDF\r\n\x1a\n", b"CDF\x01", b"CDF\x02", b"CDF\x05")
CODED = (  # attributes that say how values are stored, not what they are
    *("_FillValue", "missing_value", "scale_factor", "add_offset", "coordinates", "dtype"),
    *("_Unsigned", "_Encoding", "_NCProperties", "_Netcdf4Dimid", "_Netcdf4Coordinates"),
    *("valid_min", "valid_max", "valid_range", "grid_mapping"),
)


@dataclass(frozen=True)
class Stored:
    """An opened group of a BrainIO file.

    Parameters
    ----------
    path : Path
        For messages.
    group : netCDF4.Dataset
        The root, or one of the groups.
    data : netCDF4.Variable
        The responses, dims in any order.
    columns : xarray.Dataset
        Every other variable on those dims, not loaded.
    """

    path: Path
    group: Any
    data: Any
    columns: xr.Dataset

    @property
    def attrs(self) -> dict[str, Any]:
        """Attributes of root and variable; the variable's win."""
        held = {k: self.group.getncattr(k) for k in self.group.ncattrs()}
        held |= {k: self.data.getncattr(k) for k in self.data.ncattrs()}
        return {k: _plain(v) for k, v in held.items() if k not in CODED}

    def on(self, dim: str) -> list[str]:
        """Names of the columns on a dim."""
        return [str(k) for k, v in self.columns.variables.items() if v.dims == (dim,)]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a netCDF file for reading; what netCDF says of a damaged one becomes one sentence.

    Parameters
    ----------
    path : Path
        A local file.

    Yields
    ------
    netCDF4.Dataset
        Its root.

    Raises
    ------
    InputError
        If there is no such file, it is no netCDF file, or it is damaged where it is read.
    """
    import netCDF4

    try:
        with path.open("rb") as stream:
            begins = stream.read(8)
        if not begins.startswith(MAGIC):
            raise InputError(
                f"{path} is no netCDF file (it is {'empty' if not begins else 'something else'}); "
                "give the .nc file of an assembly."
            )
        with netCDF4.Dataset(str(path)) as root:
            yield root
    except InputError:
        raise
    except MemoryError:
        raise InputError(f"{path} needs more memory than there is: select less of it.") from None
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}; give the .nc file of an assembly.") from error
    except Exception as error:  # HDF5's, netCDF's and CF's own, by what is damaged
        raise InputError(
            f"{path} cannot be read as a BrainIO file, an assembly in netCDF: {error}; "
            "it may be cut off or damaged: fetch or write it again."
        ) from error


def look(path: Path, root: Any, name: str | None) -> Stored:
    """Find the responses and their columns in a group of an opened file.

    Parameters
    ----------
    path : Path
        For messages.
    root : netCDF4.Dataset
        From `opened`.
    name : str or None
        The group; None is the root.

    Returns
    -------
    Stored
        Nothing is loaded yet.

    Raises
    ------
    InputError
        If the group is not there or holds no responses of ``presentation × neuroid``.
    """
    group = root
    if name:
        if name not in (names := group_names(root)):
            raise unknown(f"group of {path.name}", name, names, "Give it as group = ….")
        group = root[name]
    data = _find_data(path, group, name)
    check_free(COLUMN * float(max(data.shape)), f"a column of {path}")
    store: Any = xr.backends.NetCDF4DataStore(group)  # type: ignore[no-untyped-call]
    held = xr.open_dataset(store, decode_timedelta=False, drop_variables=[data.name])
    return Stored(path, group, data, held.drop_indexes(list(held.indexes)).reset_coords())


def group_names(root: Any) -> tuple[str, ...]:
    """Return the names of all groups below the root, such as ``("trials", "trials/eye")``.

    Parameters
    ----------
    root : netCDF4.Dataset
        An opened file.

    Returns
    -------
    tuple of str
        Without a leading ``/``.
    """
    below = [(each, *group_names(each)) for each in root.groups.values()]
    return tuple(str(name) for group, *inner in below for name in (group.path.strip("/"), *inner))


def _find_data(path: Path, group: Any, name: str | None) -> Any:
    fits = {
        key: variable
        for key, variable in group.variables.items()
        if {"presentation", "neuroid"} <= set(variable.dimensions) <= set(DIMS)
    }
    named = [key for key in DATA if key in fits] or (list(fits) if len(fits) == 1 else [])
    if not named:
        where = f"group {name!r} of {path}" if name else str(path)
        held = {key: variable.dimensions for key, variable in group.variables.items()}
        shown = "; ".join(f"{k} {v}" for k, v in list(held.items())[:20]) or "nothing"
        below = f" Its groups: {', '.join(names)}." if (names := group_names(group)) else ""
        raise InputError(
            f"{where} holds no responses: a variable 'data' of presentation × neuroid "
            f"[× time_bin] is expected, but it has {shown}.{below}"
        )
    data = fits[named[0]]
    if not isinstance(data.datatype, np.dtype) or data.datatype.kind not in "fiu":
        raise InputError(f"{path} holds {data.datatype} values, but responses must be numbers.")
    if len(set(data.dimensions)) != data.ndim or 0 in data.shape:
        raise InputError(
            f"{path} holds no responses: {data.name!r} has shape {data.shape}, "
            f"dims {data.dimensions}."
        )
    return data


def load_column(stored: Stored, name: str, index: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Load one column, text as objects that share equal strings.

    Parameters
    ----------
    stored : Stored
        From `look`.
    name : str
        The file's name of the column.
    index : mapping of str to ndarray of int
        What is kept along each dim.

    Returns
    -------
    ndarray
        Of the column's dims.
    """
    column = stored.columns[name].variable
    kept = [index.get(str(dim), np.arange(column.sizes[dim])) for dim in column.dims]
    if column.ndim != 1 or len(kept[0]) == column.size:
        return _shared(np.asarray(column[tuple(kept)].values))
    pieces = []
    for start in range(0, column.size, PIECE):  # netCDF is slow at single values
        piece = np.asarray(column[start : start + PIECE].values)
        inside = kept[0][(kept[0] >= start) & (kept[0] < start + PIECE)] - start
        pieces.append(_shared(piece[inside]))
    return np.concatenate(pieces)


def _shared(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind not in "OSUT":
        return values
    known: dict[Any, Any] = {}
    flat = [known.setdefault(text, text) for text in map(_as_text, values.ravel().tolist())]
    return np.array([*flat, None], object)[:-1].reshape(values.shape)


def _as_text(value: Any) -> Any:
    return value.decode("utf-8") if isinstance(value, bytes) else value
