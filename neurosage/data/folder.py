"""A teacher as a folder: its card, responses, stimuli and images, whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import ValidationError

from neurosage.data.cards.card import NAME, Card, card_faults, read_card
from neurosage.data.cards.entries import Format
from neurosage.data.cards.text import card_text
from neurosage.data.formats.brainio_stimuli import lost_columns
from neurosage.data.hashes import hash_file
from neurosage.data.image_packing import image_suffixes, pack_images
from neurosage.data.images import original_file
from neurosage.data.stimuli import StimulusSet
from neurosage.data.stimulus_files import FILES, image_names, match_images, read_stimulus_table
from neurosage.data.tables import write_table
from neurosage.errors import InputError

if TYPE_CHECKING:
    from neurosage.data.teacher import Teacher

ABOUT = ("title", "species", "licence", "cite", "source")
IMAGES = "images.zip"


def save_teacher(
    teacher: Teacher,
    folder: str | Path,
    *,
    overwrite: bool = False,
    drop: Collection[str] = (),
) -> Path:
    """Write a teacher as a folder that every command takes.

    Responses go into ``responses.nc`` (BrainIO's layout), stored RDMs into ``rdms.nc``,
    the table of stimuli into ``stimuli.csv``, images into ``images.zip`` (their own files
    where they come from files, else PNG), and ``card.toml`` names them all with hashes.

    Parameters
    ----------
    teacher : Teacher
        Its id, with ``-`` for ``/``, becomes the card's.
    folder : str or Path
        Written beside and renamed: it is there whole, or not at all.
    overwrite : bool
        Replace a folder that was saved before, as a whole.
    drop : collection of str
        Coordinates, attributes and columns of the stimuli that may be left out where they
        cannot be written; ``"all"`` for any.

    Returns
    -------
    Path
        The folder; loading it gives a teacher of equal content.

    Raises
    ------
    InputError
        If the folder exists (and with `overwrite`, if it was not written by this, holds
        other files, or the images of `teacher` would be lost with it) or cannot be made, the
        id is no plain name, or something cannot be written without loss.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np, pandas as pd
    >>> import neurosage as ns
    >>> stimuli = StimulusSet("pets", pd.DataFrame({"stimulus_id": ["cat", "dog"]}),
    ...     np.zeros((2, 8, 8, 3), np.uint8))
    >>> a = ns.assembly([[1.0, 2.0], [3.0, 4.0]], stimulus_id=["cat", "dog"], region="IT")
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = save_teacher(ns.Teacher("lab-it", stimuli, a), f"{place}/lab-it")
    ...     ns.load_teacher(folder)
    <Teacher lab-it (recorded): 2 stimuli, IT 2 neuroids, 1 repetition, normalise none>
    """
    target = Path(os.path.expanduser(folder))  # leaves what it cannot expand
    id_ = teacher.id.replace("/", "-")
    if not re.fullmatch(NAME, id_):
        raise InputError(
            f"the teacher's id {teacher.id!r} is no plain name: letters, digits, '.', '_' and "
            "'-'; give it another by dataclasses.replace(teacher, id=…)."
        )
    _check_words(teacher)
    _check_target(target, overwrite)
    names = image_names(teacher.stimuli.table, image_suffixes(teacher.stimuli))
    if os.path.lexists(target):
        _check_own_images(teacher.stimuli, names, target)
    with _beside(target) as partial:
        card = _card(teacher, id_, _write_files(teacher, names, partial, drop))
        # Last: a folder without a card is no teacher's.
        (partial / "card.toml").write_text(card_text(card), encoding="utf-8")
        read_card(partial)  # what would not load never takes the place of what does
        _put_in_place(partial, target)
    return target


def _check_words(teacher: Teacher) -> None:
    attrs = {} if teacher.assembly is None else teacher.assembly.attrs
    if not isinstance(words := attrs.get("repetitions", ""), str):
        raise InputError(
            f'attrs["repetitions"] of {teacher.id!r} is {words!r}; it is words, such as '
            f'"averaged over {words}".'
        )


def _card(teacher: Teacher, id_: str, part: dict[str, Any]) -> Card:
    about = {} if teacher.card is None else {key: getattr(teacher.card, key) for key in ABOUT}
    document = {
        "schema": 1,
        "id": id_,
        "kind": teacher.kind,
        **about,
        "normalise": teacher.normalise,
        "saved": True,
        "part": {"all": part},
    }
    try:
        return Card.model_validate(document)
    except ValidationError as error:
        raise InputError(
            f"teacher {teacher.id!r} has no card: {'; '.join(card_faults(error))}."
        ) from error


def _check_target(target: Path, overwrite: bool) -> None:
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise InputError(
            f"{target} exists already; choose another folder, or give overwrite=True to replace it."
        )
    if not target.is_dir() or target.is_symlink():
        raise InputError(f"{target} is not a folder, and is not replaced; choose another.")
    held = {path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()}
    if not held:
        return
    if "card.toml" not in held:
        raise InputError(
            f"{target} is not a teacher's folder (it has no card.toml), and is not replaced; "
            "choose another."
        )
    card = read_card(target)
    if not card.saved or len(card.part) > 1:
        holds = f"it holds the parts {', '.join(card.part)}" if len(card.part) > 1 else (
            "its card does not say saved = true"
        )  # fmt: skip
        raise InputError(
            f"{target} was not written by Teacher.save ({holds}), and replacing it would delete "
            "its files; choose another folder."
        )
    if others := sorted(held - _named(card, target) - {"card.toml"}):
        raise InputError(
            f"{target} holds files that its card does not name (first: {others[:3]}), which "
            "replacing it would delete; move them, or choose another folder."
        )


def _check_own_images(stimuli: StimulusSet, names: list[str], target: Path) -> None:
    """A teacher that reads its images from the folder goes on reading them there."""
    inside = target.resolve()
    for k, name in enumerate(names):
        place = original_file(stimuli.images, k)
        if place is None or not place[0].path.resolve().is_relative_to(inside):
            continue
        files, number = place
        if files.path.resolve() != inside / IMAGES or files.names[number] != name:
            raise InputError(
                f"this teacher reads its images from {files.path}, which replacing {target} would "
                f"delete (first: {files.names[number]}); choose another folder."
            )


def _named(card: Card, folder: Path) -> set[str]:
    entries = [entry for part in card.part.values() for entry in part.files]
    files = {str(PurePosixPath(entry.file)) for entry in entries}
    inside = [
        path for name in files if (folder / name).is_dir() for path in (folder / name).rglob("*")
    ]
    return files | {path.relative_to(folder).as_posix() for path in inside}


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    # Hidden, so that NEUROSAGE_TEACHERS does not list what a killed process leaves.
    try:
        partial = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"{str(target)!r} cannot be made: {why}; choose another folder."
        ) from error
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(partial: Path, target: Path) -> None:
    if not os.path.lexists(target):
        partial.rename(target)
        return
    old = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    target.rename(old)
    try:
        partial.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write_files(
    teacher: Teacher, names: list[str], folder: Path, drop: Collection[str]
) -> dict[str, Any]:
    from neurosage.data.formats import brainio, netcdf

    part: dict[str, Any] = _write_stimuli(teacher.stimuli, names, folder, drop)
    counts: dict[str, int] = {"stimulus": len(teacher.stimuli)}
    if teacher.assembly is not None:
        path = folder / "responses.nc"
        brainio.write(teacher.assembly, path, identifier=teacher.id, drop=drop)
        part["responses"] = _entry(path, "brainio")
        part["repetitions"] = teacher.assembly.attrs.get("repetitions")
        counts["neuroid"] = teacher.assembly.sizes["neuroid"]
    if teacher.stored_rdms is not None:
        netcdf.write_rdms(teacher.stored_rdms, folder / "rdms.nc")
        part["rdms"] = _entry(folder / "rdms.nc", "netcdf")
    degrees = teacher.stimuli.degrees
    part["degrees"] = None if degrees is None else float(degrees)
    return {**part, "counts": counts, "regions": teacher.regions}


def _write_stimuli(
    stimuli: StimulusSet, names: list[str], folder: Path, drop: Collection[str]
) -> dict[str, Any]:
    path, images = folder / "stimuli.csv", folder / IMAGES
    table = _carried(stimuli, drop)
    text = write_table(table, path)
    pack_images(stimuli, names, images)
    if _matched(read_stimulus_table(path, text=text), images) != names:
        raise InputError(
            f"a column of the stimuli {stimuli.id!r} names other images than theirs; rename or "
            f"drop the column {' or '.join(f for f in FILES if f in table)}."
        )
    return {"stimuli": {**_entry(path), "text": text}, "images": _entry(images)}


def _carried(stimuli: StimulusSet, drop: Collection[str]) -> pd.DataFrame:
    allowed = {drop} if isinstance(drop, str) else set(drop)
    lost = lost_columns(stimuli.table)
    left = {} if "all" in allowed else {c: why for c, why in lost.items() if c not in allowed}
    if left:
        listed = ", ".join(f"{column} ({why})" for column, why in left.items())
        raise InputError(
            f"the table of the stimuli {stimuli.id!r} cannot be written with: {listed}. Convert "
            'these columns, or name them in drop=…, or "all".'
        )
    return stimuli.table[[c for c in stimuli.table.columns if str(c) not in lost]]


def _matched(table: pd.DataFrame, images: Path) -> list[str]:
    try:
        return list(match_images(table, images).names)
    except InputError:
        return []


def _entry(path: Path, format_name: Format = "arrays") -> dict[str, Any]:
    return {
        "file": path.name,
        "hash": f"sha256:{hash_file(path)}",
        "size": path.stat().st_size,
        "format": format_name,
    }
