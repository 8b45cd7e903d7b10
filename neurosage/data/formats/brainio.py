"""BrainIO: assemblies in netCDF, with stimuli in a table and a zip file, as Brain-Score has them.

A file has the dims ``presentation``, ``neuroid`` and perhaps ``time_bin``, no index variables,
every coordinate as a flat variable on its dim, and the responses as one variable ``data``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.assembly import DIMS, check_assembly
from neurosage.data.formats.brainio_columns import Columns, merge_stimuli
from neurosage.data.formats.brainio_layout import Stored, group_names, look, opened
from neurosage.data.formats.brainio_slabs import read_slabs, result_dtype
from neurosage.data.formats.brainio_stimuli import read_stimuli, write_stimuli
from neurosage.data.formats.brainio_writing import write
from neurosage.data.formats.matching import as_ids, match_ids
from neurosage.data.formats.memory import check_free
from neurosage.data.stimuli import StimulusSet
from neurosage.errors import InputError

__all__ = ["groups", "read", "read_stimuli", "write", "write_stimuli"]


def read(
    path: Path,
    *,
    group: str | None = None,
    coordinates: Mapping[str, str] | None = None,
    select: Mapping[str, Any] | None = None,
    window: tuple[float, float] | None = None,
    region: str | npt.ArrayLike | None = None,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    stimuli: StimulusSet | None = None,
    unit: str | None = None,
) -> xr.DataArray:
    """Read an assembly from a BrainIO netCDF file, only what is selected.

    Parameters
    ----------
    path : Path
        The ``.nc`` file. Its time bins' edges are ms after stimulus onset, unless the
        file gives them other units.
    group : str, optional
        The netCDF group; the root if omitted.
    coordinates : mapping of str to str, optional
        Our name of a coordinate to the file's, such as ``{"region": "subregion"}``. What
        the file itself has under our name is kept as ``region_as_stored``.
        ``image_id`` is taken for ``stimulus_id`` where only that is there.
    select : mapping of str to scalar or list, optional
        Coordinate (our name or the file's) to the values kept. Order is the file's.
    window : tuple of float, optional
        ``(start, end)`` in ms: the time bins within it are averaged, NaN left out.
    region : str or array_like, shape (neuroid,), optional
        Of each neuroid of the file; needed where the file does not say it.
    stimulus_id : sequence of str, optional
        The stimuli that must have been shown, all of them and no others; where `select`
        leaves out presentations, some of them.
    stimuli : StimulusSet, optional
        Its labels are added to ``presentation``, matched by ``stimulus_id``; a label that
        the file has stays the file's.
    unit : str, optional
        Of the values; kept in ``attrs``.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``; its name is the file's identifier.
        ``neuroid_id`` (region and number) and ``repetition`` (counted in order) are made
        where the file has none.

    Raises
    ------
    InputError
        If the file is damaged or no such file, a coordinate or value is not in it, or
        the selection does not fit into memory.

    Examples
    --------
    >>> import tempfile
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, 2.0, 3.0]], stimulus_id=["cat"], region=["V4", "IT", "IT"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(a, Path(folder, "a.nc"), identifier="lab.it")
    ...     it = read(Path(folder, "a.nc"), select={"region": "IT"})
    >>> it.name, it.values, list(it.neuroid_id.values)
    ('lab.it', array([[2., 3.]]), ['IT.0', 'IT.1'])
    """
    path = Path(path)
    with opened(path) as root:
        stored = look(path, root, group)
        columns = Columns(stored, coordinates or {}, region)
        kept = columns.choose(select or {})
        averaged = _window(stored, columns, kept, window)
        _check_memory(stored, kept, averaged)
        values = _values(stored, kept, averaged)
        coords = columns.load(kept, without="time_bin" if averaged else None)
        attrs = stored.attrs
    dims = tuple(dim for dim in DIMS if dim in kept and not (averaged and dim == "time_bin"))
    name = attrs.pop("identifier", "") or None
    if averaged and window is not None:
        attrs |= {"window_start": float(window[0]), "window_end": float(window[1])}
    responses = xr.DataArray(values, dims=dims, coords=coords, name=name, attrs=attrs)
    if stimulus_id is not None or stimuli is not None:  # whose ids are text
        ids = as_ids(responses["stimulus_id"].values)
        responses = responses.assign_coords(stimulus_id=("presentation", ids))
    _check_named(responses, path)
    some = len(kept["presentation"]) < columns.sizes["presentation"]
    responses = match_ids(responses, stimulus_id, path, some=some)
    responses = responses if stimuli is None else merge_stimuli(responses, stimuli.table)
    return check_assembly(responses.assign_attrs({"unit": unit} if unit else {}))


def _check_named(responses: xr.DataArray, path: Path) -> None:
    ids = as_ids(responses["stimulus_id"].values)
    if nameless := sum(name is None for name in ids):
        raise InputError(
            f"{nameless} of {len(ids)} presentations in {path} have an empty stimulus_id (first: "
            f"presentation {list(ids).index(None) + 1}); name what was shown, or select the others."
        )


def groups(path: Path) -> tuple[str, ...]:
    """Return the names of the groups in a netCDF file.

    Parameters
    ----------
    path : Path
        The ``.nc`` file.

    Returns
    -------
    tuple of str
        Such as ``("trials", "trials/eye")``, without the root.

    Raises
    ------
    InputError
        If it is no netCDF file.
    """
    with opened(Path(path)) as root:
        return group_names(root)


def _window(
    stored: Stored,
    columns: Columns,
    kept: dict[str, npt.NDArray[np.intp]],
    window: tuple[float, float] | None,
) -> bool:
    """Narrow the time bins to the window; tell whether they are to be averaged."""
    if window is None:
        return False
    start, end = window
    if "time_bin" not in kept:
        raise InputError(
            f"{stored.path} has no time bins (dims {stored.data.dimensions}), so nothing can be "
            f"averaged from {start} to {end} ms; leave window out."
        )
    bins = kept["time_bin"]
    starts, ends = columns.edge("time_bin_start")[bins], columns.edge("time_bin_end")[bins]
    inside = (starts >= start) & (ends <= end)
    if not inside.any():
        raise InputError(
            f"no time bin of {stored.path} lies within {start} to {end} ms; bins run from "
            f"{starts.min():g} to {ends.max():g} ms in steps of {(ends - starts).min():g} ms."
        )
    kept["time_bin"] = bins[inside]
    return True


def _check_memory(stored: Stored, kept: Mapping[str, npt.NDArray[np.intp]], averaged: bool) -> None:
    sizes = [len(index) for dim, index in kept.items() if not (averaged and dim == "time_bin")]
    needed = float(np.prod(sizes, dtype=float)) * result_dtype(stored.data).itemsize
    check_free(needed, f"what is selected of {stored.path}")


def _values(
    stored: Stored, kept: Mapping[str, npt.NDArray[np.intp]], averaged: bool
) -> npt.NDArray[Any]:
    dims = list(stored.data.dimensions)
    average = dims.index("time_bin") if averaged else None
    values = read_slabs(stored.data, [kept[dim] for dim in dims], average=average)
    left = [dim for dim in dims if not (averaged and dim == "time_bin")]
    return values.transpose([left.index(dim) for dim in DIMS if dim in left])
