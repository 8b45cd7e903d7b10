"""MATLAB: MAT-files of any version, plain or with structs and cells, as assemblies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import xarray as xr

from neurosage.data.average import average_time
from neurosage.data.formats.layout import lay_out
from neurosage.data.formats.matlab_files import opened
from neurosage.data.formats.matlab_values import Source, find, nest, settle
from neurosage.data.spikes import count_relative
from neurosage.errors import InputError


def read(
    path: Path | str,
    dims: Sequence[str] | None = None,
    *,
    key: str | None = None,
    coordinates: Mapping[str, str] | None = None,
    select: Mapping[str, Any] | None = None,
    window: tuple[float, float] | None = None,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    region: str | None = None,
    unit: str | None = None,
) -> xr.DataArray:
    """Read a MAT-file as an assembly.

    A card says it so::

        responses = { file = "it.mat", format = "matlab", key = "data.rate",
            dims = ["neuroid", "stimulus", "repetition"],
            coordinates = { stimulus_id = "stim.names", region = "area" } }

    Cells of spike times, neuroid × presentation, are counted where `window` is given; then
    `unit`, ``"s"`` or ``"ms"``, is that of the times, which are relative to stimulus onset.
    An empty cell is a presentation without spikes; one that holds NaN was not recorded.

    Parameters
    ----------
    path : Path or str
        Versions 4 to 7.3.
    dims : sequence of str, optional
        In the order of MATLAB's ``size(x)``, whatever the version: ``neuroid``, and
        ``presentation`` or ``stimulus`` with or without ``repetition``, and ``time_bin``;
        ``stimulus, neuroid`` if omitted. A field of a struct array puts the array's dims
        first. Repetitions that are NaN for every neuroid are left out.
    key : str, optional
        Variable, with fields and indices from 1 as MATLAB writes them:
        ``data.rate``, ``session(2).rate``; needed where the file holds several variables.
    coordinates : mapping of str to str, optional
        Our name → key of numbers, char or cellstr. ``time_bin_start`` and ``time_bin_end``
        are in ms.
    select : mapping of str to scalar or list, optional
        Coordinate, by our name or the file's → values kept.
    window : (start, end), optional
        ms after onset: time bins within it are averaged, spikes in it counted.
    stimulus_id : sequence of str, optional
        The stimuli in order, if the file does not name them; else what it must hold.
    region : str, optional
        Of every neuroid, if the file does not say it.
    unit : str, optional
        Of the values; kept in ``attrs``.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.

    Raises
    ------
    InputError
        If the file is damaged or no MAT-file, a key does not exist, or dims do not fit.

    Examples
    --------
    >>> import tempfile, numpy as np, scipy.io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scipy.io.savemat(f"{folder}/r.mat", {"data": {"rate": [[1.0, 2.0, 3.0]]}})
    ...     a = read(f"{folder}/r.mat", ("neuroid", "stimulus"), key="data.rate",
    ...              stimulus_id=["a", "b", "c"], region="V4")
    >>> a.shape
    (3, 1)
    """
    path, named = Path(path), dict(coordinates or {})
    named_dims = tuple(dims or ("stimulus", "neuroid"))
    if not path.is_file():
        raise InputError(f"there is no file {path}; a MAT-file was expected.")
    with opened(path) as source:
        held = find(source, key or _only(source, path), str(path))
        columns = {ours: _column(source, theirs, path) for ours, theirs in named.items()}
    counted = held.dtype == object and window is not None and "time_bin" not in named_dims
    if counted:
        assert window is not None  # held by counted
        held, unit = _counted(held, window, unit, path)
    responses = lay_out(
        _numbers(held, path),
        named_dims,
        source=path,
        columns=columns,
        stimulus_id=stimulus_id,
        region=region,
        chosen=_ours(select, named),
        unit=unit,
    )
    if window is None or counted:
        return responses
    if "time_bin" not in responses.dims:
        raise InputError(
            f"window = {list(window)} needs time bins or cells of spike times, but {path} holds "
            f"one number a presentation; leave window out."
        )
    return average_time(responses, *window)


def read_variable(path: Path | str, key: str) -> npt.NDArray[Any]:
    """Read one variable, or a field within it, of a MAT-file.

    Parameters
    ----------
    path : Path or str
        Versions 4 to 7.3.
    key : str
        As MATLAB writes it: ``data.rate``, ``RDMs(1, 2).RDM``. A field of a struct array
        gives all elements', those of one shape stacked.

    Returns
    -------
    numpy.ndarray
        Numbers in MATLAB's size, text (an element a row or cell), or objects where cells
        differ in shape.

    Raises
    ------
    InputError
        If the file is damaged or no MAT-file, or the key does not exist.

    Examples
    --------
    >>> import tempfile, numpy as np, scipy.io
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scipy.io.savemat(f"{folder}/r.mat", {"area": np.array(["V4", "IT"], object)})
    ...     read_variable(f"{folder}/r.mat", "area")
    array([['V4', 'IT']], dtype='<U2')
    """
    if not Path(path).is_file():
        raise InputError(f"there is no file {path}; a MAT-file was expected.")
    with opened(Path(path)) as source:
        return settle(find(source, key, str(path)))


def _only(source: Source, path: Path) -> str:
    names = source.names()
    if len(names) != 1:
        raise InputError(
            f"{path} holds {len(names)} variables ({', '.join(names[:20]) or 'none'}); "
            'say which are the responses: key = "…".'
        )
    return names[0]


def _column(source: Source, key: str, path: Path) -> npt.NDArray[Any]:
    column = settle(find(source, key, str(path)))
    if column.dtype == object or sum(length != 1 for length in column.shape) > 1:
        raise InputError(
            f"{key} in {path} has size {column.shape}; a coordinate is one list of numbers or text."
        )
    return column.reshape(-1)


def _counted(
    held: npt.NDArray[Any], window: tuple[float, float], unit: str | None, path: Path
) -> tuple[npt.NDArray[Any], str]:
    if unit not in ("s", "ms"):
        raise InputError(
            f"{path} holds cells of spike times: say their unit, 's' or 'ms', not {unit!r}."
        )
    counts = count_relative(nest(held), [window], unit=unit)[..., 0]
    return counts, f"spikes / {window[1] - window[0]:g} ms"


def _numbers(held: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    settled = settle(held)
    if settled.dtype == object:
        raise InputError(
            f"cells in {path} differ in size: if they hold spike times, give window = [70, 170] "
            'and unit = "s" or "ms"; otherwise make a plain array of them.'
        )
    return settled


def _ours(select: Mapping[str, Any] | None, coordinates: Mapping[str, str]) -> dict[str, Any]:
    names = {theirs: ours for ours, theirs in coordinates.items()}
    return {names.get(name, name): wanted for name, wanted in (select or {}).items()}
