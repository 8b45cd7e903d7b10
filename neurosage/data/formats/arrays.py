"""Plain arrays: ``.npy``, ``.npz`` and ``.csv`` files of responses. No pickle is ever read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.assembly import check_assembly
from neurosage.data.formats.arrays_csv import lost_attributes, read_csv, write_csv
from neurosage.data.formats.arrays_npz import Held, read_npy, read_npz, write_npz
from neurosage.data.formats.carrying import without_lost, written_whole
from neurosage.data.formats.layout import lay_out
from neurosage.data.formats.matching import as_ids, match_ids
from neurosage.data.formats.regions import name_aside, with_region
from neurosage.errors import InputError, unknown

SUFFIXES = (".npy", ".npz", ".csv")


def read(
    path: Path,
    dims: Sequence[str] | None = None,
    *,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    region: str | Sequence[str] | npt.NDArray[Any] | None = None,
    key: str | None = None,
    unit: str | None = None,
    coordinates: Mapping[str, str] | None = None,
    **columns: npt.ArrayLike,
) -> xr.DataArray:
    """Read an array of responses as an assembly.

    Parameters
    ----------
    path : Path
        ``.npy``, ``.npz``, or ``.csv``: a table of numbers, or one whose header has
        ``stimulus_id``, perhaps ``repetition``, and the neuroids' ids, a row a
        presentation. An ``.npz`` that `write` made is an assembly already.
    dims : sequence of str, optional
        Dims of the array: ``neuroid``, and ``presentation`` or ``stimulus`` with or
        without ``repetition``, and ``time_bin`` if there; ``stimulus, neuroid`` if
        omitted. Repetitions that are NaN for every neuroid were not shown, and are
        left out.
    stimulus_id : sequence of str, optional
        Along ``stimulus`` or ``presentation``; needed unless the file holds it, which
        must then hold these stimuli and no others.
    region : str or array_like, shape (neuroid,), optional
        The area of each neuroid, needed unless the file holds it; what the file holds
        besides is kept as ``region_as_stored``.
    key : str, optional
        The array in an ``.npz`` file, needed where it holds several.
    unit : str, optional
        Of the values; kept in ``attrs``.
    coordinates : mapping of str to str, optional
        Our name of a coordinate to the file's: of an array in an ``.npz`` file (those that
        bear our names are taken unasked), of a column of presentations in a csv.
    **columns : array_like
        Further coordinates by name, as long as one of the dims.

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
    path = Path(path)
    held = _read_file(path, key, dict(coordinates or {}))
    if held.assembly is not None:
        if dims is not None and tuple(dims) != held.assembly.dims:
            raise InputError(
                f"{path} is an assembly with dims {held.assembly.dims}, not {tuple(dims)}; leave "
                "dims out."
            )
        renamed = _renamed(path, held.assembly, coordinates or {})
        renamed = renamed.assign_attrs({"unit": unit} if unit else {})
        return _restored(path, renamed, stimulus_id=stimulus_id, region=region)
    named = _dims(path, held, dims)
    given: dict[str, Any] = {**held.columns, **columns}
    if stimulus_id is not None and "stimulus_id" in given:  # what was shown, each once
        stimulus_id = list(dict.fromkeys(stimulus_id))
    responses = lay_out(
        held.values,
        named,
        source=path,
        columns=given,
        stimulus_id=stimulus_id,
        region=region,
        unit=unit,
    )
    return responses.assign_coords({k: ("presentation", v) for k, v in held.labels.items()})


def _dims(path: Path, held: Held, dims: Sequence[str] | None) -> tuple[str, ...]:
    rows = ("presentation", "neuroid")
    if path.suffix.lower() == ".csv" and "neuroid_id" in held.columns:  # a row a presentation
        if dims is not None and tuple(dims) not in (rows, ("stimulus", "neuroid")):
            raise InputError(
                f"{path} has a header with stimulus_id, so its dims are {rows}, not {tuple(dims)}; "
                "leave dims out."
            )
        return rows
    named = tuple(dims or ("stimulus", "neuroid"))
    if held.values.ndim != len(named):
        raise InputError(f"{path} has shape {held.values.shape}, but its dims are {named}.")
    return named


def write(assembly: xr.DataArray, path: Path, *, drop: Collection[str] = ()) -> None:
    """Write an assembly as ``.npz``, ``.csv`` or ``.npy``, whole or not at all.

    Parameters
    ----------
    assembly : xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.
    path : Path
        Its suffix says the format. An ``.npz`` carries all of it: `read` gives it back as
        it was, needing nothing else. A ``.csv`` carries values (as float64), stimulus_id,
        repetition and neuroid_id; an ``.npy`` values alone. A file of that name is
        replaced.
    drop : collection of str
        Coordinates, attributes or ``"name"`` that may be left out where the format
        cannot carry them; ``"all"`` for any.

    Raises
    ------
    InputError
        If something cannot be carried: all of it is listed, and nothing is written.

    Examples
    --------
    >>> import tempfile
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, 2.0]], stimulus_id=["cat"], region=["V4", "IT"], depth=[0.5, 0.7])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(a, Path(folder, "a.npz"))
    ...     read(Path(folder, "a.npz")).identical(a)
    True
    """
    path, suffix = Path(path), _suffix(Path(path))
    check_assembly(assembly)
    if suffix == ".npz":
        return write_npz(assembly, path, drop)
    if suffix == ".csv":
        return write_csv(assembly, path, drop)
    columns = dict.fromkeys(map(str, assembly.coords), "a coordinate")
    lost = lost_attributes(assembly)
    remedy = "; an .npz carries all"
    without_lost(assembly, columns, lost, carrier="an .npy", drop=drop, remedy=remedy)
    with written_whole(path) as part:
        np.save(part, assembly.values, allow_pickle=False)
    return None


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise unknown("format of arrays", suffix, SUFFIXES)
    return suffix


def _read_file(path: Path, key: str | None, coordinates: dict[str, str]) -> Held:
    suffix = _suffix(path)
    if suffix != ".npz" and key is not None:
        raise InputError(f"{path} holds one array, so it has no key {key!r}; leave key out.")
    if suffix == ".csv":
        return read_csv(path, coordinates)
    if suffix == ".npz":
        return read_npz(path, key, coordinates)
    if coordinates:
        raise InputError(
            f"{path} holds one array and no coordinates; remove coordinates = {coordinates}."
        )
    return read_npy(path)


def _renamed(path: Path, responses: xr.DataArray, coordinates: Mapping[str, str]) -> xr.DataArray:
    for ours, theirs in coordinates.items():
        if theirs not in responses.coords:
            raise unknown(f"coordinate of {path.name}", theirs, responses.coords)
        if ours != theirs:
            if ours in responses.coords:
                responses = responses.rename({ours: name_aside(ours, responses.coords, path)})
            responses = responses.rename({theirs: ours})
    return responses


def _restored(
    path: Path,
    responses: xr.DataArray,
    *,
    stimulus_id: Any,
    region: Any,
) -> xr.DataArray:
    """Bring an assembly that a file holds under the stimuli and regions given."""
    own = {str(name): one.values for name, one in responses.coords.items()}
    held = with_region(own, region, responses.sizes["neuroid"], path)
    responses = responses.assign_coords({k: v for k, v in held.items() if isinstance(v, tuple)})
    if stimulus_id is not None:
        ids = as_ids(responses["stimulus_id"].values)
        responses = responses.assign_coords(stimulus_id=("presentation", ids))
        responses = match_ids(responses, list(dict.fromkeys(stimulus_id)), path)
    return check_assembly(responses)
