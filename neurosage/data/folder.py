"""A teacher as a folder: its card, responses, stimuli and images, whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pandas as pd

from neurosage.data.cards.card import NAME, Card, read_card
from neurosage.data.cards.entries import Counts, FileEntry, Format, Part
from neurosage.data.cards.text import card_text
from neurosage.data.formats.brainio_stimuli import image_content
from neurosage.data.hashes import hash_file
from neurosage.data.images import FileImages, ImageSource, SubsetImages
from neurosage.data.stimuli import StimulusSet
from neurosage.data.stimulus_files import FILES, image_names, match_images, read_stimulus_table
from neurosage.data.tables import write_table
from neurosage.errors import InputError

if TYPE_CHECKING:
    from neurosage.data.teacher import Teacher

ABOUT = ("title", "species", "licence", "cite", "source")
EPOCH = (1980, 1, 1, 0, 0, 0)  # equal images make an equal zip file, whenever it is written


def save_teacher(teacher: Teacher, folder: str | Path, *, overwrite: bool = False) -> Path:
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
        Replace a teacher's folder of that name, as a whole.

    Returns
    -------
    Path
        The folder; loading it gives a teacher of equal content.

    Raises
    ------
    InputError
        If the folder exists (and with `overwrite`, if it is not a teacher's, or holds other
        files), the id is no plain name, or something cannot be written without loss.

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
    target = Path(folder).expanduser()
    id_ = teacher.id.replace("/", "-")
    if not re.fullmatch(NAME, id_):
        raise InputError(
            f"the teacher's id {teacher.id!r} is no plain name: letters, digits, '.', '_' and "
            "'-'; give it another by dataclasses.replace(teacher, id=…)."
        )
    _check_target(target, overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _beside(target) as partial:
        about = {} if teacher.card is None else {k: getattr(teacher.card, k) for k in ABOUT}
        document = {
            "schema": 1,
            "id": id_,
            "kind": teacher.kind,
            **about,
            "normalise": teacher.normalise,
            "part": {"all": _write_files(teacher, partial)},
        }
        card = Card.model_validate(document)
        # Last: a folder without a card is no teacher's.
        (partial / "card.toml").write_text(card_text(card), encoding="utf-8")
        _put_in_place(partial, target)
    return target


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
    if others := sorted(held - _named(target) - {"card.toml"}):
        raise InputError(
            f"{target} holds files that its card does not name (first: {others[:3]}), which "
            "replacing it would delete; move them, or choose another folder."
        )


def _named(folder: Path) -> set[str]:
    entries = [entry for part in read_card(folder).part.values() for entry in part.files]
    files = {str(PurePosixPath(entry.file)) for entry in entries}
    inside = [
        path for name in files if (folder / name).is_dir() for path in (folder / name).rglob("*")
    ]
    return files | {path.relative_to(folder).as_posix() for path in inside}


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    # Hidden, so that NEUROSAGE_TEACHERS does not list what a killed process leaves.
    partial = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    partial.mkdir()
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


def _write_files(teacher: Teacher, folder: Path) -> Part:
    from neurosage.data.formats import brainio, netcdf

    entries: dict[str, Any] = dict(_write_stimuli(teacher.stimuli, folder))
    neuroids, repetitions = None, None
    if teacher.assembly is not None:
        brainio.write(teacher.assembly, folder / "responses.nc", identifier=teacher.id)
        entries["responses"] = _entry(folder / "responses.nc", "brainio")
        neuroids = teacher.assembly.sizes["neuroid"]
        repetitions = teacher.assembly.attrs.get("repetitions")
    if teacher.stored_rdms is not None:
        netcdf.write_rdms(teacher.stored_rdms, folder / "rdms.nc")
        entries["rdms"] = _entry(folder / "rdms.nc", "netcdf")
    degrees = teacher.stimuli.degrees
    return Part(
        **entries,
        counts=Counts(neuroid=neuroids, stimulus=len(teacher.stimuli)),
        regions=teacher.regions,
        repetitions=repetitions,
        degrees=None if degrees is None else float(degrees),
    )


def _write_stimuli(stimuli: StimulusSet, folder: Path) -> dict[str, FileEntry]:
    path, images = folder / "stimuli.csv", folder / "images.zip"
    text = write_table(stimuli.table, path)
    names = _write_images(stimuli, images)
    if _matched(read_stimulus_table(path, text=text), images) != names:
        raise InputError(
            f"a column of the stimuli {stimuli.id!r} names other images than theirs; rename or "
            f"drop the column {' or '.join(f for f in FILES if f in stimuli.table)}."
        )
    table = _entry(path).model_copy(update={"text": text})
    return {"stimuli": table, "images": _entry(images)}


def _matched(table: pd.DataFrame, images: Path) -> list[str]:
    try:
        return list(match_images(table, images).names)
    except InputError:
        return []


def _write_images(stimuli: StimulusSet, path: Path) -> list[str]:
    suffixes = [_suffix(stimuli.images, k) for k in range(len(stimuli))]
    names = image_names(stimuli.table, suffixes)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for k, name in enumerate(names):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), image_content(stimuli, k))
    return names


def _suffix(images: ImageSource, k: int) -> str:
    while isinstance(images, SubsetImages):
        k, images = images.rows[k], images.source
    return PurePosixPath(images.names[k]).suffix if isinstance(images, FileImages) else ".png"


def _entry(path: Path, format_name: Format = "arrays") -> FileEntry:
    return FileEntry(
        file=path.name,
        hash=f"sha256:{hash_file(path)}",
        size=path.stat().st_size,
        format=format_name,
    )
