"""Tables of stimuli, neuroids and presentations: CSV files, typed by what they hold."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from neurosage.data.csv_rows import check_header, of_width, read_rows
from neurosage.errors import InputError

TEXT = ("stimulus_id", "image_id", "neuroid_id", "region", "filename", "image_file_name")
LONG = re.compile(r"[+-]?[0-9]{19,}")  # no number of a computer's holds all its digits
INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
NUMBER = re.compile(r"[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?|-?inf|nan|NaN|")


def read_table(path: Path, *, text: Iterable[str] = ()) -> pd.DataFrame:
    r"""Read a CSV file with a header.

    A column of whole numbers, of numbers (an empty cell is NaN), or of ``True`` and
    ``False`` is read as such, with or without blanks around; any other is text, among it
    ``007`` and whole numbers of 19 digits or more.

    Parameters
    ----------
    path : Path
        Text in UTF-8, cells parted by commas.
    text : iterable of str
        Columns that are text though they look like numbers; ids, regions and file names
        always are.

    Returns
    -------
    pandas.DataFrame
        A row each line below the header.

    Raises
    ------
    InputError
        If it is no such table: empty, not UTF-8, columns that repeat or have no name,
        rows of another length, or no column of a name in `text`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "stimuli.csv")
    ...     _ = path.write_text("stimulus_id,label,size\n7,007,1.5\n8,cat,\n")
    ...     read_table(path).to_dict("list")
    {'stimulus_id': ['7', '8'], 'label': ['007', 'cat'], 'size': [1.5, nan]}
    """
    found = read_rows(Path(path))
    if (first := next(found, None)) is None:
        raise InputError(f"{path} is empty; a table begins with a line of its columns' names.")
    header = check_header(path, first)
    rows = [row for _, row in of_width(path, found, len(header))]
    if unheard := [name for name in text if name not in header]:
        raise InputError(f"{path} has no column {unheard}, only {header}.")
    as_text = {*TEXT, *text}
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    return pd.DataFrame(
        {
            name: pd.Series(_as_text(cells) if name in as_text else _typed(cells))
            for name, cells in zip(header, columns, strict=True)
        }
    )


def write_table(table: pd.DataFrame, path: Path) -> tuple[str, ...]:
    """Write a table so that `read_table` gives it back as it was.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns of text, numbers, or true and false.
    path : Path
        Of the CSV file.

    Returns
    -------
    tuple of str
        Columns to be given to `read_table` as `text`.

    Raises
    ------
    InputError
        If columns cannot be written without loss: missing or mixed values, dates, lists;
        all of them are named.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_table(pd.DataFrame({"label": ["1", "2"], "n": [1, 2]}), Path(folder, "t.csv"))
    ('label',)
    """
    names = [str(name) for name in table.columns]
    cells = {name: [_cell(value) for value in table[name]] for name in table.columns}
    text = [
        str(name)
        for name in table.columns
        if name not in TEXT and _is_text(table[name]) and _typed(cells[name]).dtype != object
    ]
    returns = any("\r" in cell for column in [names, *cells.values()] for cell in column)
    with Path(path).open("w", encoding="utf-8", errors="replace", newline="") as stream:
        # Quoting only where needed forgets carriage returns.
        quoting: Literal[0, 1] = csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
        writer = csv.writer(stream, lineterminator="\n", quoting=quoting)
        writer.writerow(names)
        writer.writerows(zip(*cells.values(), strict=True))
    again = read_table(path, text=text)
    _check_same(table, again)
    return tuple(text)


def _check_same(table: pd.DataFrame, again: pd.DataFrame) -> None:
    lost = [
        str(name)
        for name, column in zip(table.columns, again.columns, strict=True)
        if name != column or not same_values(table[name], again[column])
    ]
    if lost:
        raise InputError(
            f"the columns {lost} cannot be written to CSV without loss: a column has a name, and "
            "is all text, all numbers, or all true or false; convert or drop them."
        )


def same_values(a: Sequence[Any] | pd.Series[Any], b: Sequence[Any] | pd.Series[Any]) -> bool:
    """Tell whether two columns hold equal values of one kind, NaN equal to NaN.

    Examples
    --------
    >>> same_values([1, 2], [1, 2]), same_values([1, 2], ["1", "2"])
    (True, False)
    """
    first, second = (pd.Series(column).reset_index(drop=True) for column in (a, b))
    kinds = {"f" if "f" in (f := np.asarray(c).dtype.kind) else f for c in (first, second)}
    if kinds - {"O", "U"} and len(kinds) > 1:
        return False
    left, right = (np.asarray(column, object) for column in (first, second))
    return len(left) == len(right) and all(map(_same, left, right))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return isinstance(a, str) and isinstance(b, str) and a == b
    return bool(a == b or (pd.isna(a) and pd.isna(b)))


def _cell(value: Any) -> str:
    return repr(float(value)) if isinstance(value, float | np.floating) else str(value)


def _is_text(column: pd.Series[Any]) -> bool:
    return all(isinstance(value, str) for value in column)


def _as_text(cells: Iterable[str]) -> np.ndarray[Any, Any]:
    return np.array(list(cells), dtype=object)


def _typed(cells: Sequence[str]) -> np.ndarray[Any, Any]:
    distinct = {cell.strip() for cell in cells}  # a comma may be followed by a blank
    if not distinct - {""}:
        return _as_text(cells)
    if any(LONG.fullmatch(cell) for cell in distinct):
        return _as_text(cells)
    if distinct <= {"True", "False"}:
        return np.array([cell.strip() == "True" for cell in cells])
    if all(INTEGER.fullmatch(cell) for cell in distinct):
        return np.array([int(cell) for cell in cells], np.int64)
    if all(NUMBER.fullmatch(cell) for cell in distinct):
        return np.array([float(cell.strip() or "nan") for cell in cells])
    return _as_text(cells)
