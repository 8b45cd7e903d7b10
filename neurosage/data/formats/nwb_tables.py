"""The tables of an NWB file: presentations, units, and the electrodes that units lie at."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.data.formats.memory import check_free, check_held
from neurosage.errors import InputError, MissingExtraError, unknown

Column = Callable[[], npt.NDArray[Any]]
Table = Mapping[str, Column]


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open an NWB file.

    Parameters
    ----------
    path : Path
        NWB 2, in HDF5.

    Yields
    ------
    pynwb.NWBFile
        Read lazily.

    Raises
    ------
    InputError
        If it is no NWB file or damaged: also where that shows only in reading.
    MissingExtraError
        If pynwb is not installed.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}; an NWB file (.nwb, HDF5) was expected.")
    try:
        from pynwb import NWBHDF5IO
    except ImportError as error:
        raise MissingExtraError(
            "reading NWB needs the package pynwb: pip install 'neurosage[nwb]'."
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about extensions and versions of the schema
        try:
            with NWBHDF5IO(str(path), mode="r", load_namespaces=True) as stream:
                yield stream.read()
        except InputError:
            raise
        except Exception as error:  # HDF5, hdmf and pynwb each raise their own
            said = str(error).strip().rstrip(".") or type(error).__name__
            raise InputError(
                f"{path} cannot be read as an NWB file: {said}. Is it whole, and NWB 2 in HDF5? "
                "Check it with nwbinspector or pynwb-validate."
            ) from error


def presentation_tables(nwb: Any) -> dict[str, Table]:
    """Return every table but units and electrodes, and every series of image numbers.

    Parameters
    ----------
    nwb : pynwb.NWBFile
        Open.

    Returns
    -------
    dict of str to Table
        By name, ``parent/name`` where two have one name. An IndexSeries, a row a frame
        shown, has the columns ``stimulus_id`` and ``start_time``.
    """
    from hdmf.common import DynamicTable
    from pynwb.image import IndexSeries

    held: list[tuple[Any, Table]] = []
    for each in nwb.objects.values():
        if isinstance(each, DynamicTable) and each is not nwb.units and each is not nwb.electrodes:
            held.append((each, columns(each)))
        elif isinstance(each, IndexSeries):
            held.append((each, _frames(each)))
    names = [each.name for each, _ in held]
    return {
        each.name if names.count(each.name) == 1 else f"{each.parent.name}/{each.name}": table
        for each, table in held
    }


def columns(table: Any) -> dict[str, Column]:
    """Return the columns of a DynamicTable that hold plain values, and ``id``.

    Parameters
    ----------
    table : hdmf.common.DynamicTable
        Its ragged columns, and references to other tables, are left out, unless every row
        has as many values.

    Returns
    -------
    dict of str to callable
        Each reads its column, shape (row, …).
    """
    from hdmf.common import DynamicTableRegion

    held: dict[str, Column] = {"id": lambda: np.asarray(table.id[:])}
    for name in table.colnames:
        target = getattr(table[name], "target", table[name])
        if isinstance(target, DynamicTableRegion) or name in ("spike_times", "obs_intervals"):
            continue
        held[name] = _reader(table[name], name)
    return held


def _reader(column: Any, name: str) -> Column:
    return lambda: _plain(column, name)


def unit_tables(nwb: Any) -> dict[str, Table]:
    """Return what is known of each unit, as the tables ``units`` and ``electrodes``.

    Parameters
    ----------
    nwb : pynwb.NWBFile
        Open.

    Returns
    -------
    dict of str to Table
        Both with a row a unit: of electrodes, that on which a unit's electrodes agree. Empty
        where there are no units; without electrodes where units name none.
    """
    units = nwb.units
    if units is None:
        return {}
    held: dict[str, Table] = {"units": columns(units)}
    if "electrodes" in units.colnames:
        table = getattr(units["electrodes"], "target", units["electrodes"]).table
        held["electrodes"] = {n: _through(units, n, c) for n, c in columns(table).items()}
    return held


def _through(units: Any, name: str, column: Column) -> Column:
    return lambda: _agreed(name, column(), _electrode_rows(units), units.id[:])


def ragged(units: Any, name: str, rows: npt.NDArray[np.int64]) -> list[npt.NDArray[Any]]:
    """Return the arrays of a ragged column for some rows, nothing else being read.

    Parameters
    ----------
    units : hdmf.common.DynamicTable
        It has that column.
    name : str
        Such as ``spike_times``.
    rows : array of int
        Which.

    Returns
    -------
    list of numpy.ndarray
        One a row.
    """
    index = units[name]
    check_held(index.data, f"the column {name!r} of units")
    ends = np.concatenate([[0], np.asarray(index.data[:], int)])
    data = index.target.data
    taken = sum(int(ends[k + 1]) - int(ends[k]) for k in rows)
    check_free(8.0 * taken, f"the column {name!r} of units")
    return [np.asarray(data[ends[k] : ends[k + 1]]) for k in rows]


def resolve(name: str, tables: Mapping[str, Table], path: Path) -> tuple[str, npt.NDArray[Any]]:
    """Return the table and the values of the column that a name stands for.

    Parameters
    ----------
    name : str
        ``COLUMN``, or ``TABLE.COLUMN`` where several tables have it.
    tables : mapping of str to Table
        Where to look.
    path : Path
        For errors.

    Returns
    -------
    table : str
        Its name.
    values : numpy.ndarray, shape (row, …)
        As read.

    Raises
    ------
    InputError
        If no table has it, or several have.
    """
    full = {f"{t}.{each}": (t, c) for t, held in tables.items() for each, c in held.items()}
    found = (
        [name] if name in full else [each for each in full if full[each][0] + f".{name}" == each]
    )
    if not found:
        raise unknown(f"column in {path}", name, full, "Write COLUMN or TABLE.COLUMN.")
    if len(found) > 1:
        raise InputError(
            f"column {name!r} of {path} is not the only one: write {' or '.join(found)}."
        )
    table, column = full[found[0]]
    return table, column()


def _plain(column: Any, name: str) -> npt.NDArray[Any]:
    check_held(getattr(getattr(column, "target", column), "data", None), f"the column {name!r}")
    rows = [np.asarray(column[k]) for k in range(len(column))] if _is_ragged(column) else None
    if rows is None:
        values = np.asarray(column[:])
    elif len({row.shape for row in rows}) <= 1:
        values = np.asarray(rows)
    else:
        raise InputError(
            f"column {name!r} is ragged: its rows hold {min(map(len, rows))} to "
            f"{max(map(len, rows))} values, so it is neither a coordinate nor responses."
        )
    if values.dtype == object and values.size and isinstance(values.flat[0], bytes):
        values = np.vectorize(bytes.decode, otypes=[object])(values)
    return values


def _is_ragged(column: Any) -> bool:
    from hdmf.common import VectorIndex

    return isinstance(column, VectorIndex)


def _electrode_rows(units: Any) -> list[npt.NDArray[np.int64]]:
    column = units["electrodes"]
    if not _is_ragged(column):
        return [np.atleast_1d(np.asarray(k, int)) for k in column.data[:]]
    return [k.astype(int) for k in ragged(units, "electrodes", np.arange(len(units.id)))]


def _agreed(name: str, values: Any, rows: list[npt.NDArray[np.int64]], ids: Any) -> Any:
    for unit, at in zip(ids, rows, strict=True):
        if not len(at):
            raise InputError(f"unit {unit} names no electrode; name a column of units instead.")
        if any(np.any(values[k] != values[at[0]]) for k in at[1:]):
            raise InputError(
                f"the electrodes of unit {unit} differ in {name!r}: "
                f"{', '.join(map(str, values[at]))}; name a column of units instead."
            )
    return values[np.array([at[0] for at in rows], int)]


def _frames(series: Any) -> Table:
    def onsets() -> npt.NDArray[Any]:
        if series.timestamps is not None:
            return np.asarray(series.timestamps[:])
        check_held(series.data, "the frames of a series")
        return np.asarray(series.starting_time + np.arange(len(series.data)) / series.rate)

    return {"stimulus_id": lambda: np.asarray(series.data[:]), "start_time": onsets}
