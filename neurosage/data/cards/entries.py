"""What a card says about one file, and about one part: their keys and rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

HASH = r"^(sha256:[0-9a-f]{64}|sha1:[0-9a-f]{40})$"
FILE_KEYS = ("responses", "images", "stimuli", "neuroid_table", "presentation_table", "rdms")
Dim = Literal["neuroid", "stimulus", "repetition", "presentation", "time_bin"]
Format = Literal["arrays", "brainio", "matlab", "nwb", "rsatoolbox", "thingsvision", "netcdf"]
Order = Literal["file name", "number", "table"]
Scalar = str | int | float | bool


class Strict(BaseModel):
    """A table of the card: frozen, and without keys that nobody asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FileEntry(Strict):
    """One file that a card describes.

    Parameters
    ----------
    file : str
        Path relative to the card's folder, and to ``base_url``; images may be in a
        folder (``"images/"``), or beside the card (``"./"``); thingsvision's features are
        a folder.
    hash : str, optional
        ``"sha256:…"``, or ``"sha1:…"`` where the source published only that. Needed
        where the card has a ``base_url``: what is downloaded must be verified.
    size : int, optional
        Bytes; with it a mirror hashes only files of that size.
    format : str
        The module of `neurosage.data.formats` that reads it.
    dims : tuple of str, optional
        Names of the array's dims, in the order that the file has them.
    key : str, optional
        The array in a file of several: a name in ``npz``, a path in MATLAB's structs.
    group : str, optional
        The netCDF group.
    coordinates : dict of str to str
        Our name of a coordinate to the file's: ``{ region = "subregion" }``.
    select : dict of str to scalar or list
        Coordinate to the values kept, before anything is loaded where the format can.
    window : tuple of float, optional
        ``(start, end)`` in ms after stimulus onset: responses resolved in time are
        averaged within it, spikes are counted in it.
    unit : str, optional
        Of the values, such as ``"spikes / 100 ms"``.
    text : tuple of str
        Columns of a table that are text though they look like numbers.
    order : {"file name", "number", "table"}, optional
        How images are ordered: the k-th by sorted name is the k-th stimulus, letter by
        letter or with numbers in names as numbers, or each is named by the table
        ``stimuli``; the table where there is one, if omitted, else ``"file name"``.
    index : {0, 1}, optional
        Responses whose ids are numbers mean the images in their order, the first of
        which is this one.
    """

    file: str
    hash: Annotated[str, Field(pattern=HASH)] | None = None
    size: Annotated[int, Field(ge=0)] | None = None
    format: Format = "arrays"
    dims: tuple[Dim, ...] | None = None
    key: str | None = None
    group: str | None = None
    coordinates: dict[str, str] = {}
    select: dict[str, Any] = {}
    window: tuple[float, float] | None = None
    unit: str | None = None
    text: tuple[str, ...] = ()
    order: Order | None = None
    index: Literal[0, 1] | None = None

    @field_validator("file")
    @classmethod
    def _inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        odd = not value.strip() or not value.isprintable() or "\\" in value or ":" in value
        if odd or path.is_absolute() or ".." in path.parts:
            raise ValueError("a file is named by a path within the card's folder")
        return value

    @field_validator("select")
    @classmethod
    def _plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        return check_plain(value, "select keeps", lists=True)

    @field_validator("window")
    @classmethod
    def _ordered(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not -math.inf < value[0] < value[1] < math.inf:
            raise ValueError("a window is [start, end] in ms, start before end")
        return value

    @model_validator(mode="after")
    def _file_or_folder(self) -> FileEntry:
        if self.is_folder and (self.hash is not None or self.size is not None):
            raise ValueError(
                f"{self.file!r} is a folder, which has neither hash nor size; leave them out, or "
                "pack the folder as a zip file"
            )
        return self

    @property
    def is_folder(self) -> bool:
        """Whether it names a folder, of images or features: it ends with ``/``."""
        return self.file.endswith("/")

    @property
    def algorithm(self) -> str:
        """Name of the hash, ``"sha256"`` or ``"sha1"``; empty without one."""
        return (self.hash or "").partition(":")[0]

    @property
    def digest(self) -> str:
        """Hexadecimal digits of the hash; empty without one."""
        return (self.hash or "").partition(":")[2]

    @property
    def name(self) -> str:
        """Last part of the path."""
        return PurePosixPath(self.file).name


def check_plain(table: Mapping[str, Any], what: str, *, lists: bool) -> dict[str, Any]:
    """Return a table of text, numbers, true or false, and, where said, lists of them.

    Parameters
    ----------
    table : mapping
        As TOML gives it.
    what : str
        How the message begins, such as ``"select keeps"``.
    lists : bool
        Whether a value may be a list that is not empty.

    Returns
    -------
    dict
        The same values.

    Raises
    ------
    ValueError
        If a value is anything else: a date, a table, NaN, an empty list.

    Examples
    --------
    >>> check_plain({"region": ["pIT", "aIT"]}, "select keeps", lists=True)
    {'region': ['pIT', 'aIT']}
    """
    for key, value in table.items():
        each = value if lists and isinstance(value, list) else [value]
        if not each or not all(_is_plain(one) for one in each):
            allowed = "text, numbers, true or false" + (", or a list of them" if lists else "")
            raise ValueError(f"{what} {allowed}, but {key!r} is {shown(value)}")
    return dict(table)


def _is_plain(value: Any) -> bool:
    return isinstance(value, Scalar) and not (isinstance(value, float) and math.isnan(value))


def shown(value: Any) -> str:
    """Return a value as messages quote it, cut where it is long.

    Examples
    --------
    >>> shown("lab-it")
    "'lab-it'"
    """
    try:
        text = repr(value)
    except ValueError:  # Python prints no integer of more than 4300 digits
        return "a number of thousands of digits"
    return text if len(text) <= 200 else f"{text[:200]}…"


class Counts(Strict):
    """How many there are; checked against the files on loading.

    Parameters
    ----------
    neuroid, stimulus : int, optional
        Numbers of neuroids and of stimuli.
    """

    neuroid: Annotated[int, Field(gt=0)] | None = None
    stimulus: Annotated[int, Field(gt=0)] | None = None


class Part(Strict):
    """One session or subset; a teacher that is all one has a single part.

    Parameters
    ----------
    responses, images : FileEntry, optional
        The files; a simulated teacher has none. Images are a zip file or a folder.
    stimuli : FileEntry, optional
        A CSV, one row a stimulus: ``stimulus_id`` (older: ``image_id``), ``filename``
        (or ``image_file_name``), and labels.
    neuroid_table : FileEntry, optional
        A CSV, one row a neuroid in the order of the responses: ``region``,
        ``neuroid_id``, and whatever else is known of it.
    presentation_table : FileEntry, optional
        A CSV, one row a presentation in the order of the responses: ``stimulus_id``,
        ``repetition``, and whatever else.
    rdms : FileEntry, optional
        RDMs, where no responses were published.
    counts : Counts
        Neuroids and stimuli.
    neuroids : dict
        Coordinates that hold for every neuroid, such as ``region``, ``subject``.
    regions : tuple of str
        For the listing, where ``neuroids`` does not say it.
    repetitions : str, optional
        In words: ``"averaged over 12"``, ``"6 to 10"``.
    degrees : float, optional
        Width of the images in degrees of visual angle.
    """

    responses: FileEntry | None = None
    images: FileEntry | None = None
    stimuli: FileEntry | None = None
    neuroid_table: FileEntry | None = None
    presentation_table: FileEntry | None = None
    rdms: FileEntry | None = None
    counts: Counts = Counts()
    neuroids: dict[str, Any] = {}
    regions: tuple[str, ...] = ()
    repetitions: str | None = None
    degrees: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @field_validator("neuroids")
    @classmethod
    def _plain(cls, value: dict[str, Any]) -> dict[str, Any]:
        return check_plain(value, "what holds for every neuroid is", lists=False)

    @model_validator(mode="after")
    def _consistent(self) -> Part:
        if self.images is not None and self.images.order == "table" and self.stimuli is None:
            raise ValueError("images have order = 'table', so stimuli = { file = … } must name one")
        for name, entry in self.entries.items():
            features = name == "responses" and entry.format == "thingsvision"
            if entry.is_folder and name != "images" and not features:
                raise ValueError(f"{name} is one file, but {entry.file!r} names a folder")
        return self

    @property
    def entries(self) -> dict[str, FileEntry]:
        """What is named, by its key in the card."""
        named = {key: getattr(self, key) for key in FILE_KEYS}
        return {key: entry for key, entry in named.items() if entry is not None}

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """The files that loading needs."""
        return tuple(self.entries.values())

    @property
    def region_names(self) -> tuple[str, ...]:
        """Regions, from either key."""
        return self.regions or (
            (str(self.neuroids["region"]),) if "region" in self.neuroids else ()
        )
