"""Assemblies written as BrainIO netCDF files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosage.data.assembly import DIMS, check_assembly
from neurosage.data.formats.brainio_layout import CODED, DATA
from neurosage.data.formats.carrying import why_no_text, without_lost, written_whole
from neurosage.errors import InputError

SET = "stimulus_set_identifier"
NAMED = re.compile(r"[A-Za-z0-9_\u0080-\U0010ffff][^/\x00-\x1f\x7f]{0,255}(?<! )")
CHUNK = 2**20  # bytes, unpacked: what a reader holds at the least
KEPT = "fiubM"  # kinds of dtype of numbers and times


def write(
    assembly: xr.DataArray,
    path: Path,
    *,
    identifier: str,
    stimulus_set_identifier: str | None = None,
    drop: Collection[str] = (),
) -> None:
    """Write an assembly as a BrainIO netCDF file, whole or not at all.

    The file has dims without index variables, each coordinate as a flat variable on its
    dim (text of variable length, whole numbers, CF times), and the responses, compressed
    without loss, as the one variable ``data``. A file of that name is replaced.

    Parameters
    ----------
    assembly : xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``, edges of time bins in ms.
    path : Path
        The ``.nc`` file; Brain-Score's are called ``assy_<identifier, _ for .>.nc``.
    identifier : str
        Of the assembly, on the root and on ``data``; it is the assembly's name when read.
    stimulus_set_identifier : str, optional
        The same for its stimuli; the assembly's own attribute if omitted.
    drop : collection of str
        Coordinates and attributes that may be left out where netCDF cannot carry them;
        ``"all"`` for any.

    Raises
    ------
    InputError
        If something cannot be carried: coordinates that are not on one dim or of mixed
        types, attributes that are neither text, numbers nor lists of at least two. All
        are listed, and nothing is written.

    Examples
    --------
    >>> import tempfile, netCDF4
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, 2.0]], stimulus_id=["cat"], region="IT")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(a, Path(folder, "a.nc"), identifier="lab.it")
    ...     with netCDF4.Dataset(f"{folder}/a.nc") as file:
    ...         print(sorted(file.variables), file.identifier)
    ['data', 'neuroid_id', 'region', 'repetition', 'stimulus_id'] lab.it
    """
    check_assembly(assembly)
    if not isinstance(identifier, str) or not identifier:
        raise InputError(f"identifier must be text that is not empty, not {identifier!r}.")
    if (
        assembly.dtype.kind not in "fiub"
        or assembly.dtype.itemsize not in (1, 2, 4, 8)
        or (assembly.dtype == np.float16)
    ):
        raise InputError(
            f'netCDF holds no {assembly.dtype} values; convert them first, by .astype("float32").'
        )
    wanted = stimulus_set_identifier or assembly.attrs.get(SET)
    reserved = ("identifier", SET)
    bare = without_lost(
        assembly,
        {str(k): why for k, v in assembly.coords.items() if (why := _why_no_column(str(k), v))},
        {
            str(k): why
            for k, v in assembly.attrs.items()
            if k not in reserved and (why := _why_no_attribute(k, v))
        },
        carrier="a BrainIO file",
        drop=drop,
    )
    ids = {"identifier": identifier} | ({SET: str(wanted)} if wanted else {})
    bare.attrs = {k: _attribute(v) for k, v in bare.attrs.items() if k not in reserved} | ids
    _save(bare, Path(path), ids)


def _save(responses: xr.DataArray, path: Path, ids: dict[str, str]) -> None:
    coordinates = {str(k): v.variable.copy(deep=False) for k, v in responses.coords.items()}
    data = responses.variable.copy(deep=False)
    for variable in (*coordinates.values(), data):  # what an earlier file said of its storage
        variable.encoding = {}
    chunks = _chunks(data.shape, data.dtype.itemsize)
    data.encoding = {"zlib": True, "complevel": 1, "shuffle": True, "chunksizes": chunks}
    held = xr.Dataset({"data": data}, xr.Coordinates(coordinates, indexes={}), attrs=ids)
    with written_whole(path) as part:
        held.to_netcdf(part, engine="netcdf4", format="NETCDF4")


def _chunks(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Shrink all dims alike until a chunk has `CHUNK` bytes: netCDF's own take 16 times that."""
    share = min(1.0, CHUNK / (itemsize * float(np.prod(shape, dtype=float))))
    return tuple(max(1, int(length * share ** (1 / len(shape)))) for length in shape)


def _why_no_column(name: str, column: xr.DataArray) -> str:
    if name in (*DATA, *DIMS) or not _is_name(name):
        return "netCDF cannot call a coordinate so"
    if column.ndim != 1:
        return f"on {len(column.dims) or 'no'} dims, not on one"
    if column.dtype.kind in "OUT":
        if why := why_no_text(column.values):
            return why
    elif column.dtype.kind not in KEPT or column.dtype == np.float16 or column.dtype.itemsize > 8:
        return f"{column.dtype} values"
    odd = [str(key) for key, value in column.attrs.items() if _why_no_attribute(key, value)]
    return f"its attributes {odd}" if odd else ""


def _why_no_attribute(key: Any, value: Any) -> str:
    if not isinstance(key, str) or key in CODED or not _is_name(key):
        return "netCDF cannot call an attribute so"
    if isinstance(value, list | tuple | np.ndarray):
        items = list(value)
        kinds = {isinstance(item, str) for item in items}
        fine = len(items) > 1 and len(kinds) == 1 and not any(map(_why_no_item, items))
        return "" if fine else "no list of at least two texts or two numbers"
    return _why_no_item(value)


def _why_no_item(value: Any) -> str:
    if isinstance(value, str):
        return why_no_text([value])
    if isinstance(value, bool) or not isinstance(value, Real):
        return f"attribute of {type(value).__name__}"
    wide = isinstance(value, Integral) and not -(2**63) <= int(value) < 2**63
    return "whole number of more than 64 bits" if wide else ""


def _attribute(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _is_name(name: str) -> bool:
    return bool(NAMED.fullmatch(name)) and unicodedata.normalize("NFC", name) == name
