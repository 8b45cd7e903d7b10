"""Which arrays files hold: names, shapes and dims as far as these can be told."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.data.cards.array_guesses import UNKNOWN, ArrayFound, numbers
from neurosage.data.cards.matlab_found import in_matlab

log = logging.getLogger(__name__)
LARGEST = 512 * 2**20  # bytes of what is read to be looked into


def arrays_in(path: Path, lengths: Mapping[str, int]) -> list[ArrayFound]:
    """Return the arrays of a file that may be responses.

    Parameters
    ----------
    path : Path
        Of any format; what cannot be read holds none.
    lengths : mapping of str to int
        How long dims are, as far as known: ``stimulus``, ``neuroid``, ``presentation``.

    Returns
    -------
    list of ArrayFound
        Those that fit `lengths` first.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "r.npy")
    ...     np.save(path, np.zeros((50, 640)))
    ...     arrays_in(path, {"stimulus": 640})[0].keys
    {'dims': ('neuroid', 'stimulus')}
    """
    look = LOOKS.get(path.suffix.lower())
    if look is None:
        return []
    try:
        found = list(look(path, lengths))
    except Exception as error:  # what a damaged file raises is up to its format
        log.info("%s is passed over: %s", path, error)
        return []
    return sorted(found, key=lambda one: UNKNOWN in one.keys.get("dims", ()))


def _in_npy(path: Path, lengths: Mapping[str, int]) -> Iterator[ArrayFound]:
    values = np.lib.format.open_memmap(path, mode="r")  # refuses pickled objects
    yield from numbers(path, "arrays", values.shape, values.dtype, lengths, values=values)


def _in_npz(path: Path, lengths: Mapping[str, int]) -> Iterator[ArrayFound]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".npy")]
        found = []
        for name in names:
            with archive.open(name) as stream:
                version = np.lib.format.read_magic(stream)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = read(stream)
            own = name.removesuffix(".npy")
            key = {"key": own} if len(names) > 1 else {}
            small = len(shape) == 3 and int(np.prod(shape)) * dtype.itemsize <= LARGEST
            values = _member(path, own) if small and dtype.kind == "f" else None
            found += list(numbers(path, "arrays", shape, dtype, lengths, keys=key, values=values))
    yield from found


def _member(path: Path, name: str) -> npt.NDArray[Any]:
    with np.load(path, allow_pickle=False) as held:
        values: npt.NDArray[Any] = held[name]
    return values


def _in_netcdf(path: Path, _lengths: Mapping[str, int]) -> Iterator[ArrayFound]:
    import netCDF4

    with netCDF4.Dataset(path) as root:
        for name, group in {"": root, **root.groups}.items():
            columns, dims = set(group.variables), set(group.dimensions) | set(root.dimensions)
            key: dict[str, Any] = {"group": name} if name else {}
            if {"stimulus_i", "stimulus_j"} <= dims:
                yield ArrayFound(path, "netcdf", (), key, "region" in columns, what="rdms")
            elif {"presentation", "neuroid"} <= dims and columns:
                yield _brainio(path, group, key)


def _brainio(path: Path, group: Any, key: dict[str, Any]) -> ArrayFound:
    columns = set(group.variables)
    notes = []
    named = next((name for name in ("subregion", "area", "roi") if name in columns), None)
    if "region" not in columns and named:
        key = {**key, "coordinates": {"region": named}}
        notes.append(f"The file's {named!r} is taken for the region.")
    if "time_bin" in group.dimensions:
        notes.append("It is resolved in time: window = [70, 170] would average over 70 to 170 ms.")
    shape = tuple(len(one) for name, one in group.dimensions.items())
    says = "region" in columns or named is not None
    return ArrayFound(path, "brainio", shape, key, says, tuple(notes))


def _in_nwb(path: Path, _lengths: Mapping[str, int]) -> Iterator[ArrayFound]:
    from neurosage.data.formats.nwb_tables import opened, presentation_tables

    try:
        with opened(path) as nwb:
            tables = {name: list(table) for name, table in presentation_tables(nwb).items()}
    except Exception as error:  # without pynwb, or a damaged file: a card can be begun all the same
        log.info("%s was not looked into: %s", path, error)
        tables = {}
    notes = [
        f"Table {name!r} has the columns {', '.join(map(str, c))}." for name, c in tables.items()
    ]
    keys: dict[str, Any] = {"window": (70, 170)}
    fit = [name for name, held in tables.items() if "stimulus_id" in held]
    if len(fit) == 1:
        keys |= {"key": fit[0]}
    else:
        keys |= {"key": UNKNOWN, "coordinates": {"stimulus_id": UNKNOWN}}
    notes.append("Spikes are counted from 70 to 170 ms after onset; correct window if need be.")
    yield ArrayFound(path, "nwb", (), keys, says_region=True, notes=tuple(notes))


LOOKS: dict[str, Callable[[Path, Mapping[str, int]], Iterator[ArrayFound]]] = {
    ".npy": _in_npy,
    ".npz": _in_npz,
    ".nc": _in_netcdf,
    ".mat": in_matlab,
    ".nwb": _in_nwb,
}
