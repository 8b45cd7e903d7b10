"""CSV files, row by row: one set of rules and messages for tables and for responses."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from neurosage.errors import InputError

IDS = ("stimulus_id", "image_id")  # older files say image_id
PARTED = re.compile(r"\d[;\t]\s*[-+]?\d")  # numbers in one cell


def read_rows(path: Path) -> Iterator[list[str]]:
    r"""Yield the rows of a CSV file, the empty ones left out.

    Parameters
    ----------
    path : Path
        Text in UTF-8, with or without a byte order mark, cells parted by commas.

    Yields
    ------
    list of str
        Cells as they are.

    Raises
    ------
    InputError
        If it cannot be read, is not UTF-8, or its cells are parted by something else.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "t.csv")
    ...     _ = path.write_text("a,b\n1,2\n")
    ...     list(read_rows(path))
    [['a', 'b'], ['1', '2']]
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            first = True
            for row in csv.reader(stream, strict=True):
                if row:
                    if first:
                        _check_parted(path, row)
                    first = False
                    yield row
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 ({error.reason}); save it so.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV table: {error}.") from error


def _check_parted(path: Path, row: Sequence[str]) -> None:
    within = [cell for cell in row if PARTED.search(cell)]
    if not within and not (len(row) == 1 and re.search(r"[;\t]", row[0])):
        return
    mark = ";" if ";" in (within or row)[0] else "\t"
    raise InputError(
        f"the cells of {path} are parted by {mark!r}; save it with commas between cells, and "
        "points in numbers (1.5)."
    )


def check_header(path: Path, first: Sequence[str]) -> list[str]:
    """Return the names of a table's columns.

    Parameters
    ----------
    path : Path
        For messages.
    first : sequence of str
        The first row.

    Returns
    -------
    list of str
        Without blanks around.

    Raises
    ------
    InputError
        If names repeat, or one is missing.
    """
    header = [name.strip() for name in first]
    if repeated := sorted({name for name in header if header.count(name) > 1 and name}):
        raise InputError(f"{path} has columns that repeat: {repeated[:5]}; give each its own name.")
    if "" in header:
        raise InputError(
            f"column {header.index('') + 1} of {path} has no name (an index?); name or drop it."
        )
    return header


def of_width(
    path: Path, rows: Iterable[list[str]], width: int, *, start: int = 2
) -> Iterator[tuple[int, list[str]]]:
    """Yield each row and its number, as a spreadsheet counts: the first is 1.

    Parameters
    ----------
    path : Path
        For messages.
    rows : iterable of list of str
        Below the header, or all.
    width : int
        Cells that each must have.
    start : int
        Number of the first of them.

    Yields
    ------
    number : int
        Of the row.
    row : list of str
        Its cells.

    Raises
    ------
    InputError
        If a row is longer or shorter.
    """
    for number, row in enumerate(rows, start):
        if len(row) != width:
            raise InputError(
                f"row {number} of {path} has {len(row)} cells, but the first has {width}; is the "
                "file cut off, or has a cell a comma without quotes?"
            )
        yield number, row


def stimulus_column(names: Sequence[str]) -> str | None:
    """Return which column names the stimuli: ``stimulus_id``, else ``image_id``, or None."""
    return next((name for name in IDS if name in names), None)


def no_stimuli(what: object, names: Sequence[str]) -> InputError:
    """Return the error for a table that names no stimuli.

    Parameters
    ----------
    what : object
        The table.
    names : sequence of str
        Its columns.

    Returns
    -------
    InputError
        With the column that was meant, where one looks like it.

    Examples
    --------
    >>> no_stimuli("r.csv", ["Stimulus ID", "n1"])
    InputError("r.csv has no column 'stimulus_id', only ['Stimulus ID', 'n1']; rename \
'Stimulus ID', capitals count.")
    """
    return InputError(
        f"{what} has no column 'stimulus_id', only {list(names)[:20]}{misnamed(names)}."
    )


def misnamed(names: Sequence[str]) -> str:
    """Return how to rename the column that was meant for ``stimulus_id``, or ``""``.

    Examples
    --------
    >>> misnamed(["Stimulus ID", "n1"])
    "; rename 'Stimulus ID', capitals count"
    """
    plain = {re.sub(r"[\W_]", "", name).lower(): name for name in names}
    meant = next((plain[key] for key in ("stimulusid", "imageid") if key in plain), None)
    return f"; rename {meant!r}, capitals count" if meant else ""
