"""Tables of responses in CSV: a row a presentation, a column a neuroid."""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.csv_rows import (
    check_header,
    misnamed,
    of_width,
    read_rows,
    stimulus_column,
)
from neurosage.data.formats.arrays_npz import Held
from neurosage.data.formats.carrying import why_no_text, without_lost, written_whole
from neurosage.errors import InputError, unknown

COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
DECIMAL = "a decimal comma"
MISSING = ("", "NA")  # besides nan, which float() reads
OWN = ("stimulus_id", "repetition")  # columns that are no neuroid


def read_csv(path: Path, coordinates: Mapping[str, str]) -> Held:
    """Read a table of responses.

    Parameters
    ----------
    path : Path
        Numbers alone, or with a header that names ``stimulus_id`` (or ``image_id``, or
        the column that stands for it), perhaps ``repetition``, and the neuroids. Empty
        cells, ``NA`` and ``nan`` are missing.
    coordinates : mapping of str to str
        Our name of a column of presentations to the header's.

    Returns
    -------
    Held
        Values float64, shape (row, neuroid), with ``stimulus_id``, ``neuroid_id`` and
        the columns named.

    Raises
    ------
    InputError
        If it is no such table; the row is named.
    """
    rows = read_rows(path)
    first = next(rows, [])
    header = [name.strip() for name in first]
    wanted = {"stimulus_id": stimulus_column(header) or "stimulus_id", **coordinates}
    if wanted["stimulus_id"] in header:
        return _headed(path, check_header(path, first), rows, wanted)
    if coordinates:
        raise unknown(f"column of {path.name}", wanted["stimulus_id"], header)
    return Held(_table(path, first, rows))


def _table(path: Path, first: list[str], rows: Iterator[list[str]]) -> npt.NDArray[Any]:
    if not first:
        raise InputError(f"{path} is empty; a table of responses has a row a presentation.")
    every = of_width(path, itertools.chain([first], rows), len(first), start=1)
    try:
        return np.array([_numbers(path, number, row) for number, row in every])
    except InputError as error:
        raise InputError(
            f"{path} is neither a table of numbers nor one with a header "
            f"stimulus_id,NEUROID,NEUROID,…{misnamed(first)}: {error}"
        ) from error


def _headed(
    path: Path, header: list[str], rows: Iterator[list[str]], wanted: dict[str, str]
) -> Held:
    if "repetition" in header:
        wanted.setdefault("repetition", "repetition")
    _check_header(path, header, wanted)
    places = {ours: header.index(theirs) for ours, theirs in wanted.items()}
    neuroids = [i for i in range(len(header)) if i not in places.values()]
    cells: dict[str, list[str]] = {ours: [] for ours in places}
    values = []
    for number, row in of_width(path, rows, len(header)):
        values.append(_numbers(path, number, [row[i] for i in neuroids]))
        for ours, place in places.items():
            cells[ours].append(row[place])
    if not values:
        raise InputError(f"{path} has a header and no row; a row is a presentation.")
    every = {ours: _column(path, ours, column) for ours, column in cells.items()}
    columns: dict[str, Any] = {ours: each for ours, each in every.items() if ours in OWN}
    columns["neuroid_id"] = [header[i] for i in neuroids]
    return Held(np.array(values), columns, {k: v for k, v in every.items() if k not in OWN})


def _check_header(path: Path, header: list[str], wanted: Mapping[str, str]) -> None:
    if missing := [name for name in wanted.values() if name not in header]:
        raise unknown(f"column of {path.name}", missing[0], header)
    if len(header) == len(set(wanted.values())):
        raise InputError(f"{path} has no column of a neuroid beside {header}.")


def _numbers(path: Path, number: int, cells: Sequence[str]) -> npt.NDArray[np.float64]:
    try:
        values = ["nan" if cell.strip() in MISSING else cell for cell in cells]
        if any("_" in value for value in values):  # Python reads 1_000, no other program does
            raise ValueError("a number has no '_' in it")
        if odd := next((v for v in values if COMMA.fullmatch(v.strip())), None):
            raise ValueError(f"{odd!r} has {DECIMAL}; write {odd.strip().replace(',', '.')}")
        return np.array([float(value) for value in values])
    except ValueError as error:
        raise InputError(f"row {number} of {path} is not all numbers: {error}.") from error


def _column(path: Path, name: str, cells: list[str]) -> npt.NDArray[Any]:
    if name != "repetition":
        return np.array([*cells, None], object)[:-1]
    try:
        return np.array([int(cell) for cell in cells])
    except (ValueError, OverflowError) as error:
        raise InputError(f"repetitions in {path} are whole numbers: {error}.") from error


def write_csv(responses: xr.DataArray, path: Path, drop: Collection[str] = ()) -> None:
    """Write responses as a table: ``stimulus_id``, ``repetition``, a column a neuroid.

    Parameters
    ----------
    responses : xarray.DataArray
        Dims ``presentation × neuroid``; numbers are read back as float64.
    path : Path
        The file, written whole or not at all.
    drop : collection of str
        What may be left out: a table has no place for regions and further coordinates,
        nor for attributes.

    Raises
    ------
    InputError
        If there are time bins, ids that a header cannot hold, or fields that are neither
        carried nor named in `drop`.
    """
    _check_table(responses)
    without_lost(
        responses,
        _lost(responses),
        lost_attributes(responses),
        carrier="a csv",
        drop=drop,
        remedy="; an .npz carries all",
    )
    ids, repetition = responses["stimulus_id"].values, responses["repetition"].values
    with written_whole(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)  # its line ends are \r\n: else a \r in an id is not quoted
        writer.writerow([*OWN, *responses["neuroid_id"].values])
        for name, number, row in zip(ids, repetition, responses.values, strict=True):
            writer.writerow([name, int(number), *map(_cell, row.tolist())])


def _check_table(responses: xr.DataArray) -> None:
    if "time_bin" in responses.dims:
        raise InputError(
            "a csv has a row a presentation and a column a neuroid, so no time bins: average "
            "them first, by neurosage.data.average.average_time, or write an .npz."
        )
    names = responses["neuroid_id"].values
    odd = [n for n in names if not isinstance(n, str) or n != n.strip() or n in ("", *OWN)]
    odd += [names] if why_no_text(names) else []
    if odd or why_no_text(responses["stimulus_id"].values):
        raise InputError(
            f"a csv names stimuli and neuroids by text that a table can hold, not {odd[:3]}; "
            "give them such ids, or write an .npz."
        )
    if responses.dtype.kind in "iu" and np.abs(responses.values.astype(float)).max() > 2**53:
        raise InputError("a csv holds numbers of float64, but these are whole ones beyond 2⁵³.")


def _lost(responses: xr.DataArray) -> dict[str, str]:
    fields = {
        str(key): f"it stands on {' × '.join(map(str, one.dims)) or 'no dim'}"
        for key, one in responses.coords.items()
        if key not in (*OWN, "neuroid_id")
    }
    if responses["repetition"].dtype.kind not in "iu":
        fields["repetition"] = f"{responses['repetition'].dtype} values"
    inner = {str(k): "its attributes" for k, one in responses.coords.items() if one.attrs}
    fields |= {k: why for k, why in inner.items() if k not in fields}
    return fields


def lost_attributes(responses: xr.DataArray) -> dict[str, str]:
    """Return what a format without attributes loses: all of them, and the name.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.

    Returns
    -------
    dict of str to str
        Each with a reason.
    """
    lost = dict.fromkeys(map(str, responses.attrs), "an attribute")
    return lost if responses.name is None else lost | {"name": repr(responses.name)}


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))
