"""What can be found in a teacher that does not load: its card and each of its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from neurosage.data.cards.card import Card, card_faults, card_of_the_rest
from neurosage.data.findings.card_rules import card_findings
from neurosage.data.findings.finding import Finding, by_severity
from neurosage.data.findings.part_files import AGAIN, FAULTS, PartFiles, fault, images_alone
from neurosage.data.findings.teachers import Progress, find
from neurosage.data.images import FileImages, is_image
from neurosage.data.registry import load_teacher, resolve
from neurosage.data.sources import Source
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError, NeurosageError


def load_and_find(
    id_or_path: str | Path, progress: Progress | None = None
) -> tuple[Teacher | None, list[Finding]]:
    """Load a teacher if it loads, and say what is found in it either way.

    Parameters
    ----------
    id_or_path : str or Path
        As in `load_teacher`.
    progress : callable, optional
        Called with what is counted, how many are done, and of how many.

    Returns
    -------
    teacher : Teacher or None
        None where it does not load; then the card, the images and the responses were each
        looked at by themselves.
    findings : list of Finding
        Errors first; at least one error where there is no teacher.

    Raises
    ------
    InputError
        If no teacher, part or folder has that name.

    Examples
    --------
    >>> teacher, findings = load_and_find("simulated-macaque")
    >>> teacher.id, findings
    ('simulated-macaque', [])
    """
    folder = Path(id_or_path).expanduser() if id_or_path else None
    if folder is not None and folder.is_dir() and not (folder / "card.toml").is_file():
        return None, by_severity([_no_card(folder), *_loose_files(folder, progress)])
    source, part = resolve("teacher", id_or_path)
    try:
        card = source.card()
    except InputError as error:
        return None, by_severity([*_card(source, error), *_files(source, error, progress)])
    if card is not None:
        card.choose(part)  # a part that does not exist is no finding, but a wrong call
    try:
        teacher = load_teacher(id_or_path)
    except FAULTS as error:
        return None, by_severity(_salvage(source, card, part, error, progress))
    return teacher, find(teacher, progress)


def _no_card(folder: Path) -> Finding:
    return Finding(
        "no-card",
        "error",
        str(folder),
        "The folder holds no card.toml, so nothing says what its files are.",
        f"Run `neurosage teacher new {folder}`, which writes one to start from.",
    )


def _card(source: Source, error: InputError) -> Iterator[Finding]:
    place = source.id if source.folder is None else str(source.folder / "card.toml")
    cause = error.__cause__
    faults = card_faults(cause) if isinstance(cause, ValidationError) else [str(error)]
    for each in faults:
        step = f"Write in {place} what would be right, {AGAIN}"
        yield Finding("card", "error", place, f"{each.rstrip('.')}.", step)


def _files(source: Source, error: InputError, progress: Progress | None) -> Iterator[Finding]:
    """By what is sound in a faulty card, or at least the images."""
    rest, cause = None, error.__cause__
    if source.folder is not None and isinstance(cause, ValidationError):
        rest = card_of_the_rest(source.folder / "card.toml", cause)
    if rest is None or not rest.part:
        yield from _loose_files(source.folder, progress)
    else:
        yield from PartFiles(source, rest, rest.choose(None), progress).findings()


def _loose_files(folder: Path | None, progress: Progress | None) -> Iterator[Finding]:
    """Images in a folder of which nothing else is known."""
    if folder is None or not folder.is_dir():
        return
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    archives = [path for path in inside if path.suffix.lower() == ".zip"]
    holders = [path for path in inside if path.is_dir()]
    here = [folder] if any(path.is_file() and is_image(path.name) for path in inside) else []
    for path in [*archives, *(here or holders)]:
        try:
            images = FileImages(path)
        except FAULTS as error:
            yield fault("images", path, error)
        else:
            yield from images_alone(images, progress)


def _salvage(
    source: Source,
    card: Card | None,
    part: str | None,
    error: Exception,
    progress: Progress | None,
) -> list[Finding]:
    named = fault("load", source.id, error)
    if card is None or not card.part or (source.point is not None and not _by_card(source)):
        return [named]
    name = card.choose(part)
    files = PartFiles(source, card, name, progress)
    found = [*card_findings(card, name), *files.findings()]
    seen = {finding.message for finding in found}
    return found if named.message in seen else [named, *found]


def _by_card(source: Source) -> bool:
    try:
        return source.make() is None
    except NeurosageError:
        return False
