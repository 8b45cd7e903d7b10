"""``card.toml``: what a folder says about a teacher or a stimulus set, read and checked."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from neurosage.errors import InputError, unknown

Kind = Literal["recorded", "rdm", "network", "simulated", "stimuli"]
Normalise = Literal["none", "centre", "zscore", "noise"]
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
NAMED = f"^{NAME}$"
HASH = r"^(sha256:[0-9a-f]{64}|sha1:[0-9a-f]{40})$"
ADDRESS = r"^https?://.*/$"
RULES = {  # pydantic would quote the pattern
    NAMED: "a name is letters, digits, '.', '_' and '-', and begins with a letter or digit",
    HASH: "a hash is 'sha256:' with 64 digits of 0-9 and a-f, or 'sha1:' with 40",
    ADDRESS: "an address begins with http:// or https:// and ends with '/'",
}
Dim = Literal["neuroid", "stimulus", "repetition", "presentation", "time_bin"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FileEntry(_Strict):
    """One file that a card describes.

    Parameters
    ----------
    file : str
        Path relative to the card's folder, and to ``base_url``.
    hash : str
        ``"sha256:…"``, or ``"sha1:…"`` where the source published only that.
    size : int, optional
        Bytes; with it a mirror hashes only files of that size.
    format : str
        The module of `neurosage.data.formats` that reads it.
    dims : tuple of str, optional
        Names of the array's dims.
    key : str, optional
        The array in an ``npz`` file.
    unit : str, optional
        Of the values, such as ``"spikes / 100 ms"``.
    order : {"file name"}
        How images are ordered: the k-th by sorted name is the k-th stimulus.
    """

    file: str
    hash: Annotated[str, Field(pattern=HASH)]
    size: Annotated[int, Field(ge=0)] | None = None
    format: Literal["arrays"] = "arrays"
    dims: tuple[Dim, ...] | None = None
    key: str | None = None
    unit: str | None = None
    order: Literal["file name"] = "file name"

    @field_validator("file")
    @classmethod
    def _inside(cls, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\\" in value or ":" in value or not value:
            raise ValueError("a file is named by a path within the card's folder")
        return value

    @property
    def algorithm(self) -> str:
        """Name of the hash, ``"sha256"`` or ``"sha1"``."""
        return self.hash.split(":")[0]

    @property
    def digest(self) -> str:
        """Hexadecimal digits of the hash."""
        return self.hash.split(":")[1]

    @property
    def name(self) -> str:
        """Last part of the path."""
        return PurePosixPath(self.file).name


class Counts(_Strict):
    """How many there are; checked against the files on loading.

    Parameters
    ----------
    neuroid, stimulus : int, optional
        Numbers of neuroids and of stimuli.
    """

    neuroid: Annotated[int, Field(gt=0)] | None = None
    stimulus: Annotated[int, Field(gt=0)] | None = None


class Part(_Strict):
    """One session or subset; a teacher that is all one has a single part.

    Parameters
    ----------
    responses, images : FileEntry, optional
        The files; a simulated teacher has none.
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
    counts: Counts = Counts()
    neuroids: dict[str, str | int | float] = {}
    regions: tuple[str, ...] = ()
    repetitions: str | None = None
    degrees: Annotated[float, Field(gt=0)] | None = None

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """The files that loading needs."""
        return tuple(entry for entry in (self.responses, self.images) if entry is not None)

    @property
    def region_names(self) -> tuple[str, ...]:
        """Regions, from either key."""
        return self.regions or (
            (str(self.neuroids["region"]),) if "region" in self.neuroids else ()
        )


class Card(_Strict):
    """A teacher or stimulus set, as its ``card.toml`` describes it.

    Parameters
    ----------
    schema_version : int
        ``schema`` in the file; 1.
    id : str
        Letters, digits, ``.``, ``_`` and ``-``.
    kind : {"recorded", "rdm", "network", "simulated", "stimuli"}
        What it is.
    title, species, licence, cite, source : str
        For listings and reports.
    normalise : {"none", "centre", "zscore", "noise"}
        For the teacher's side of a similarity.
    base_url : str, optional
        Ends with ``/``; ``file`` is added to it.
    teacher : str, optional
        For stimuli: they are those of this teacher.
    default : str, optional
        The part that the bare id stands for; needed where there are several.
    part : dict of str to Part
        The parts by name.
    """

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    id: Annotated[str, Field(pattern=NAMED)]
    kind: Kind
    title: str = ""
    species: str = ""
    licence: str = ""
    cite: str = ""
    source: str = ""
    normalise: Normalise = "none"
    base_url: Annotated[str, Field(pattern=ADDRESS)] | None = None
    teacher: Annotated[str, Field(pattern=NAMED)] | None = None
    default: str | None = None
    part: dict[Annotated[str, Field(pattern=NAMED)], Part] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Card:
        if self.default is not None and self.default not in self.part:
            raise ValueError(f"default = {self.default!r} is none of the parts {list(self.part)}")
        if len(self.part) > 1 and self.default is None:
            raise ValueError(f"default must name one of the parts {list(self.part)}")
        if self.teacher is not None and (self.kind != "stimuli" or self.part):
            raise ValueError("teacher = … is for kind = 'stimuli' without parts of its own")
        return self

    def choose(self, part: str | None) -> str:
        """Return the name of a part, the default one for None.

        Raises
        ------
        InputError
            If it has a path in it, or does not exist.
        """
        if part is None:
            return self.default or next(iter(self.part), "")
        if not re.fullmatch(NAME, part):
            raise InputError(
                f"the part {part!r} of {self.id!r} has a path in it; parts are plain names: "
                f"{', '.join(self.part) or 'this one has none'}."
            )
        if part not in self.part:
            raise unknown(f"part of {self.id}", part, self.part, f"Write {self.id}/PART.")
        return part

    def full_id(self, part: str) -> str:
        """Return ``id/part``, or the id alone where there is but one part."""
        return f"{self.id}/{part}" if len(self.part) > 1 else self.id


def read_card(path: Path) -> Card:
    """Read and check a card.

    Parameters
    ----------
    path : Path
        A ``card.toml``, or the folder that holds it.

    Returns
    -------
    Card
        Frozen.

    Raises
    ------
    InputError
        If there is none, it is not TOML, a key is misspelt or a value is wrong;
        each is named with what would be right.
    """
    path = path / "card.toml" if path.is_dir() else path
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no card at {path}; a teacher's folder holds one.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a TOML file: {error}.") from error
    try:
        return Card.model_validate(document)
    except ValidationError as error:
        faults = "; ".join(_explain(e).rstrip(".") for e in error.errors())
        raise InputError(f"{path}: {faults}.") from error


def _explain(error: Any) -> str:
    where = [str(step) for step in error["loc"] if step != "[key]"]
    if error["type"] == "extra_forbidden":
        table = ".".join(where[:-1])
        wrong = str(unknown("key", where[-1], _keys(where[:-1])))
        return f"in [{table}], {wrong}" if table else wrong
    message = RULES.get(error.get("ctx", {}).get("pattern")) or error["msg"]
    message = message.removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"the key {'.'.join(where)!r} is missing"
    given = f", not {error['input']!r}" if not isinstance(error["input"], dict) else ""
    return f"{'.'.join(where)}: {message}{given}" if where else message


def _keys(where: list[str]) -> list[str]:
    inner: type[BaseModel] = Counts if where[-1:] == ["counts"] else FileEntry
    models: dict[int, type[BaseModel]] = {0: Card, 2: Part}
    fields = models.get(len(where), inner).model_fields
    return [field.alias or name for name, field in fields.items()]
