"""``card.toml``: what a folder says about a teacher or a stimulus set, read and checked."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from neurosage.data.cards.entries import HASH, Counts, FileEntry, Part, Strict, shown
from neurosage.data.cards.questions import unfinished
from neurosage.errors import InputError, unknown

__all__ = [
    "NAME", "Card", "Counts", "FileEntry", "Kind", "Normalise", "Part", "card_faults",
    "card_of_the_rest", "read_card",
]  # fmt: skip

Kind = Literal["recorded", "rdm", "network", "simulated", "stimuli"]
Normalise = Literal["none", "centre", "zscore", "noise"]
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
NAMED = f"^{NAME}$"
ADDRESS = r"^https?://.*/$"
MOST = 20  # faults named at once
STRUCTURE = ("schema", "id", "kind", "base_url", "teacher", "default", "part")
RULES = {  # pydantic would quote the pattern
    NAMED: "a name is letters, digits, '.', '_' and '-', and begins with a letter or digit",
    HASH: "a hash is 'sha256:' with 64 digits of 0-9 and a-f, or 'sha1:' with 40",
    ADDRESS: "an address begins with http:// or https:// and ends with '/'",
}


class Card(Strict):
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
    saved : bool
        Whether `Teacher.save` wrote the folder, and so may replace it.
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
    saved: bool = False
    part: dict[Annotated[str, Field(pattern=NAMED)], Part] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Card:
        if self.default is not None and self.default not in self.part:
            raise ValueError(f"default = {self.default!r} is none of the parts {list(self.part)}")
        if len(self.part) > 1 and self.default is None:
            raise ValueError(f"default must name one of the parts {list(self.part)}")
        if self.teacher is not None and (self.kind != "stimuli" or self.part):
            raise ValueError("teacher = … is for kind = 'stimuli' without parts of its own")
        if self.base_url is not None:
            self._check_hashes()
        return self

    def _check_hashes(self) -> None:
        for name, part in self.part.items():
            for key, entry in part.entries.items():
                where = f"part.{name}.{key}"
                if entry.is_folder:
                    raise ValueError(f"{where}: a folder cannot be downloaded; name a zip file")
                if entry.hash is None:
                    raise ValueError(
                        f"{where} has no hash, which it needs beside base_url: what is downloaded "
                        f"must be verified (sha256sum {entry.name} prints it)"
                    )

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
        return _checked(path, _document(path))
    except RecursionError:
        raise InputError(
            f"{path} is not a card: its tables or lists are nested too deep."
        ) from None


def _document(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise InputError(
            f"there is no card at {path}; a teacher's folder holds one "
            f"(`neurosage teacher new {path.parent}` writes it)."
        ) from None
    except OSError as error:
        raise InputError(f"the card {path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # TOML's, UTF-8's, a number of thousands of digits
        raise InputError(f"{path} is not a TOML file: {error}.") from error


def _checked(path: Path, document: dict[str, Any]) -> Card:
    if left := unfinished(document):
        raise InputError(
            f'{path} is not finished: fill in {", ".join(map(_printed, left))} (each is "?" there).'
        )
    try:
        return Card.model_validate(document)
    except ValidationError as error:
        faults = card_faults(error)
        more = f"; and {len(faults) - MOST} more" if len(faults) > MOST else ""
        raise InputError(f"{path}: {'; '.join(faults[:MOST])}{more}.") from error


def card_of_the_rest(path: Path, error: ValidationError) -> Card | None:
    """Return a faulty card without its faulty words, so that its files can be looked at.

    Parameters
    ----------
    path : Path
        The ``card.toml``.
    error : pydantic.ValidationError
        What is wrong in it.

    Returns
    -------
    Card or None
        None where a fault is of anything that says which files there are, or looks like it:
        what was then told of files might not be so.
    """
    wrong = [each["loc"] for each in error.errors()]
    if not all(len(loc) == 1 and _is_word(str(loc[0])) for loc in wrong):
        return None
    dropped = {str(loc[0]) for loc in wrong}
    try:
        return Card.model_validate({k: v for k, v in _document(path).items() if k not in dropped})
    except (ValidationError, InputError):
        return None


def _is_word(key: str) -> bool:
    return not difflib.get_close_matches(key, STRUCTURE, n=1, cutoff=0.6)


def card_faults(error: ValidationError) -> list[str]:
    """Return what is wrong in a card, a sentence without its full stop for each fault.

    Parameters
    ----------
    error : pydantic.ValidationError
        The cause of the error that `read_card` raises.

    Returns
    -------
    list of str
        With the key and what would be right.
    """
    return list(dict.fromkeys(_explain(each).rstrip(".") for each in error.errors()))


def _explain(error: Any) -> str:
    where = [_printed(step) for step in error["loc"] if step != "[key]"]
    if error["type"] == "extra_forbidden":
        table = ".".join(where[:-1])
        wrong = str(unknown("key", where[-1], _keys(where[:-1])))
        return f"in [{table}], {wrong}" if table else wrong
    message = RULES.get(error.get("ctx", {}).get("pattern")) or error["msg"]
    message = message.removeprefix("Value error, ")
    if error["type"] == "missing":
        return f"the key {'.'.join(where)!r} is missing"
    given = f", not {shown(error['input'])}" if not isinstance(error["input"], dict) else ""
    return f"{'.'.join(where)}: {message}{given}" if where else message


def _printed(step: object) -> str:
    text = str(step)
    return text if text.isprintable() else repr(text)


def _keys(where: list[str]) -> list[str]:
    inner: type[BaseModel] = Counts if where[-1:] == ["counts"] else FileEntry
    models: dict[int, type[BaseModel]] = {0: Card, 2: Part}
    fields = models.get(len(where), inner).model_fields
    return [field.alias or name for name, field in fields.items()]
