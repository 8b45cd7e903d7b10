"""What lies in a folder that is to become a teacher: images, tables, responses."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from neurosage.data.cards.array_guesses import ArrayFound, guess_dims
from neurosage.data.cards.arrays_found import arrays_in
from neurosage.data.cards.unused_files import why_no_table, why_unused
from neurosage.data.csv_rows import IDS
from neurosage.data.images import is_image, list_images
from neurosage.data.stimulus_files import FILES
from neurosage.data.tables import NUMBER, read_table
from neurosage.errors import InputError

log = logging.getLogger(__name__)
CALLED = {  # what a CSV file is called, by what it holds
    "responses": r"respons|rate|count|activit|data",
    "neuroid_table": r"neuroid|neuron|unit|site|channel|electrode|cell",
    "presentation_table": r"presentation|trial",
    "stimuli": r"stimul|image",
}
BOOKKEEPING = re.compile(  # what a column is called that is no neuroid
    r"(trials?|blocks?|times?(tamp)?|sessions?|runs?|reps?|repeats?|repetitions?|presentations?|"
    r"order|index|frames?|onset|offset|date|day|row|subjects?|animal|monkey|label|category)"
    r"[ _.-]?(id|ids|nr|no|num|number|index|idx|count)?",
    re.IGNORECASE,
)
COUNTED = 4  # different values that rise all along
MOST_NAMED = 12


@dataclass(frozen=True)
class Contents:
    """What may be a teacher's files.

    Parameters
    ----------
    folder : Path
        Where they lie.
    images : dict of str to list of str
        Zip file, folder (``"images/"``, ``"./"``) → its images, the most first.
    tables : dict of str to str
        Key of the card (``stimuli``, ``neuroid_table``, ``presentation_table``) → CSV file.
    columns : dict of str to list of str
        Those of each table.
    lengths : dict of str to int
        How many there are, as far as known: ``stimulus``, ``neuroid``, ``presentation``.
    responses : list of ArrayFound
        Responses and RDMs, those that fit the lengths first.
    refused : list of str
        Files that hold pickles, which are never read.
    unread : dict of str to str
        File → why it is passed over, and what it lacks.
    """

    folder: Path
    images: dict[str, list[str]] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)
    columns: dict[str, list[str]] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    responses: list[ArrayFound] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def region(self) -> bool:
        """Whether the table of neuroids says their region."""
        return "region" in self.columns.get("neuroid_table", ())


def look_into(folder: Path) -> Contents:
    """Find out what a folder holds; nothing is unpacked, and no pickle is read.

    Parameters
    ----------
    folder : Path
        The folder.

    Returns
    -------
    Contents
        What may be a teacher's.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a.png").write_bytes(b"")
    ...     look_into(Path(folder)).images
    {'./': ['a.png']}
    """
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    found = Contents(folder, images=_images(files))
    for images in list(found.images.values())[:1]:
        found.lengths["stimulus"] = len(images)
    arrays = []
    for path in files:
        if path.suffix.lower() == ".csv" and path.is_file():
            arrays += list(_table(path, found))
        elif path.suffix.lower() in (".pkl", ".pickle", ".p"):
            found.refused.append(path.name)
    for path in filter(Path.is_file, files):
        arrays += (held := arrays_in(path, found.lengths))
        if not held and (why := why_unused(path)):
            found.unread[path.name] = why
    found.responses.extend(sorted(arrays, key=lambda one: "?" in str(one.keys)))
    return found


def _images(files: list[Path]) -> dict[str, list[str]]:
    found = {}
    for path in files:
        if path.is_dir() or path.suffix.lower() == ".zip":
            try:
                found[path.name + ("/" if path.is_dir() else "")] = list_images(path)
            except InputError as error:
                log.info("%s is passed over: %s", path, error)
    found["./"] = [path.name for path in files if path.is_file() and is_image(path.name)]
    held = {name: images for name, images in found.items() if images}
    return dict(sorted(held.items(), key=lambda item: -len(item[1])))


def _table(path: Path, found: Contents) -> Iterator[ArrayFound]:
    """Place a CSV file among the tables, or give the responses that it holds."""
    try:
        table = read_table(path)
    except InputError as error:
        yield from _without_header(path, found, str(error))
        return
    if all(NUMBER.fullmatch(name) for name in table.columns):
        yield from _without_header(path, found, "its first line is numbers, not names")
        return
    kind = _kind(path, table)
    if kind == "responses":
        yield _responses(path, table)
    elif kind and kind not in found.tables:
        found.tables[kind] = path.name
        dim = {"stimuli": "stimulus", "neuroid_table": "neuroid"}.get(kind, "presentation")
        found.lengths[dim] = len(table)
        found.columns[kind] = list(table.columns)
    else:
        found.unread[path.name] = why_no_table(table)


def _kind(path: Path, table: pd.DataFrame) -> str:
    columns, numbers = set(table.columns), table.select_dtypes("number").shape[1]
    identified = bool(columns & set(IDS))
    only_numbers = identified and 0 < numbers >= len(columns) - 2
    called = [kind for kind, words in CALLED.items() if re.search(words, path.stem.lower())]
    if columns & set(FILES):
        return "stimuli"
    if "neuroid_id" in columns or (not identified and "region" in columns):
        return "neuroid_table"
    if only_numbers and "stimuli" not in called and "presentation_table" not in called:
        return "responses"
    if identified:
        return "presentation_table" if "repetition" in columns else "stimuli"
    return "neuroid_table" if "neuroid_table" in called else ""


def _responses(path: Path, table: pd.DataFrame) -> ArrayFound:
    beside = {*IDS, "repetition"}
    neuroids = [str(name) for name in table.columns if name not in beside]
    named = ", ".join(neuroids[:MOST_NAMED]) + (", …" if len(neuroids) > MOST_NAMED else "")
    notes = [f"A table with a row a presentation; its columns are {len(neuroids)} neuroids: "
             f"{named}."]  # fmt: skip
    if odd := [name for name in neuroids if _is_bookkeeping(name, table[name])]:
        notes.append(
            f"NO NEUROIDS? {', '.join(odd)}: called so, or counting up, like bookkeeping. Take "
            "such columns out of the file, or they are compared as if they had been recorded."
        )
    return ArrayFound(path, "arrays", (len(table), len(neuroids)), notes=tuple(notes))


def _is_bookkeeping(name: str, column: pd.Series[Any]) -> bool:
    counting = column.dtype.kind == "i" and column.nunique() > COUNTED
    rising = column.is_monotonic_increasing or column.is_monotonic_decreasing
    return BOOKKEEPING.fullmatch(name.strip()) is not None or (counting and bool(rising))


def _without_header(path: Path, found: Contents, reason: str) -> Iterator[ArrayFound]:
    try:
        values = pd.read_csv(path, header=None).to_numpy(dtype=float)
    except Exception as error:  # pandas raises what its parser trips over
        log.info("%s is passed over: %s, %s", path, reason, error)
        found.unread[path.name] = reason.rstrip(".")
        return
    dims = guess_dims(values.shape, found.lengths)
    yield ArrayFound(path, "arrays", values.shape, {"dims": dims})
