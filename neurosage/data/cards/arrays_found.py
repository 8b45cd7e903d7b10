"""Which arrays files hold: names, shapes and dims as far as these can be told."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.errors import NeurosageError

log = logging.getLogger(__name__)
UNKNOWN = "?"  # what a person has to fill in
WORDS = {"stimulus_id": ("stim", "image", "file", "name"), "region": ("region", "area", "roi")}
LARGEST = 512 * 2**20  # bytes of what is read to be looked into


@dataclass(frozen=True)
class ArrayFound:
    """An array that may be responses.

    Parameters
    ----------
    path : Path
        Its file.
    format : str
        Of `neurosage.data.formats`.
    shape : tuple of int
        As the format gives it; empty where that is not known.
    keys : dict
        What a card says of it: ``key``, ``dims``, ``coordinates``, …
    says_region : bool
        Whether the file itself says the region of its neuroids.
    notes : tuple of str
        Sentences for a person.
    what : {"responses", "rdms"}
        What it holds.
    """

    path: Path
    format: str
    shape: tuple[int, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)
    says_region: bool = False
    notes: tuple[str, ...] = ()
    what: str = "responses"


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


def guess_dims(
    shape: tuple[int, ...], lengths: Mapping[str, int], values: npt.NDArray[Any] | None = None
) -> tuple[str, ...]:
    """Tell the dims of an array of responses by their lengths; ``?`` where they do not say.

    Parameters
    ----------
    shape : tuple of int
        Two or three long.
    lengths : mapping of str to int
        How long dims are, as far as known: ``stimulus``, ``neuroid``, ``presentation``.
    values : array, optional
        Where given, repetitions are told by being NaN for every neuroid at once; without
        that, a third dim may as well be time bins.

    Returns
    -------
    tuple of str
        As long as `shape`.

    Examples
    --------
    >>> guess_dims((50, 640), {"stimulus": 640}), guess_dims((640, 640), {"stimulus": 640})
    (('neuroid', 'stimulus'), ('?', '?'))
    """
    dims = [UNKNOWN] * len(shape)
    for name in ("presentation", "stimulus", "neuroid"):
        places = [k for k, length in enumerate(shape) if length == lengths.get(name)]
        taken = name == "stimulus" and "presentation" in dims
        if len(places) == 1 and dims[places[0]] == UNKNOWN and not taken:
            dims[places[0]] = name
    shown = {"stimulus", "presentation"} & set(dims)
    if dims.count(UNKNOWN) == 1 and len(dims) == 2:
        if shown:
            dims[dims.index(UNKNOWN)] = "neuroid"
    elif "stimulus" in dims and len(dims) == 3:
        _guess_repetition(dims, values)
    return tuple(dims)


def _guess_repetition(dims: list[str], values: npt.NDArray[Any] | None) -> None:
    free = [k for k, name in enumerate(dims) if name == UNKNOWN]
    if values is None or values.dtype.kind != "f" or not (missing := np.isnan(values)).any():
        return
    own = [dims.index("neuroid")] if "neuroid" in dims else free
    whole = [k for k in own if _only_whole(missing, k)]
    if len(whole) != 1:  # NaN along all of it, or nowhere along it: those are the neuroids
        return
    left = next(k for k in free if k != whole[0])
    if not _only_whole(missing, left):
        dims[whole[0]], dims[left] = "neuroid", "repetition"


def _only_whole(missing: npt.NDArray[np.bool_], axis: int) -> bool:
    return bool((missing.any(axis) == missing.all(axis)).all())


def _in_npy(path: Path, lengths: Mapping[str, int]) -> Iterator[ArrayFound]:
    values = np.lib.format.open_memmap(path, mode="r")  # refuses pickled objects
    yield from _numbers(path, "arrays", values.shape, values.dtype, lengths, values=values)


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
            found += list(_numbers(path, "arrays", shape, dtype, lengths, keys=key, values=values))
    yield from found


def _member(path: Path, name: str) -> npt.NDArray[Any]:
    with np.load(path, allow_pickle=False) as held:
        values: npt.NDArray[Any] = held[name]
    return values


def _numbers(
    path: Path,
    format_name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    lengths: Mapping[str, int],
    *,
    keys: Mapping[str, Any] | None = None,
    values: npt.NDArray[Any] | None = None,
    says_region: bool = False,
) -> Iterator[ArrayFound]:
    if dtype.kind not in "fiub" or len(shape) not in (2, 3) or 0 in shape:
        return
    dims = guess_dims(shape, lengths, values)
    found = {**(keys or {}), "dims": dims}
    yield ArrayFound(path, format_name, shape, found, says_region=says_region)


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


def _in_matlab(path: Path, lengths: Mapping[str, int]) -> Iterator[ArrayFound]:
    from neurosage.data.formats.matlab_files import opened

    if path.stat().st_size > LARGEST:
        note = "The file is large and was not looked into; name its variable, and the dims."
        yield ArrayFound(path, "matlab", (), {"key": UNKNOWN, "dims": (UNKNOWN,)}, notes=(note,))
        return
    with opened(path) as source:
        held = {key: shaped for name in source.names() for key, shaped in _within(source, name)}
    numbers = {key: one for key, one in held.items() if one.dtype.kind in "fiub" and one.size > 1}
    text = {key: one for key, one in held.items() if one.dtype.kind in "OUS"}
    regions = {one.size for key, one in text.items() if _called(key, "region")}
    if len(regions) == 1:
        lengths = {"neuroid": regions.pop(), **lengths}
    for key, values in numbers.items():
        named = {"key": key} if len(held) > 1 else {}
        for found in _numbers(path, "matlab", values.shape, values.dtype, lengths, values=values):
            beside = _columns(text, found)
            keys = {**named, **found.keys, **({"coordinates": beside} if beside else {})}
            yield ArrayFound(path, "matlab", values.shape, keys, "region" in beside)


def _within(source: Any, key: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """The variable, or the fields of a struct, as far as they can be read."""
    from neurosage.data.formats.matlab_values import find

    fields = source.fields(source.top(key))
    for name in [f"{key}.{one}" for one in fields] or [key]:
        try:
            yield name, find(source, name, str(source.path))
        except NeurosageError as error:
            log.info("%s is passed over: %s", name, error)


def _columns(text: Mapping[str, npt.NDArray[Any]], found: ArrayFound) -> dict[str, str]:
    """Text beside an array that is as long as one of its dims, and called like one of ours."""
    columns: dict[str, str] = {}
    for dim, length in zip(found.keys["dims"], found.shape, strict=True):
        ours = {"stimulus": "stimulus_id", "neuroid": "region"}.get(dim, "")
        for key, values in text.items():
            if ours and values.size == length and _called(key, ours):
                columns.setdefault(ours, key)
    return columns


def _called(key: str, ours: str) -> bool:
    return any(word in key.rpartition(".")[2].lower() for word in WORDS[ours])


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
    ".mat": _in_matlab,
    ".nwb": _in_nwb,
}
