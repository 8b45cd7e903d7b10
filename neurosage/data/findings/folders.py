"""What can be found in a teacher that does not load: its card and each of its files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from neurosage.data.cards.card import Card, FileEntry, Part, card_faults
from neurosage.data.fetch import locate
from neurosage.data.findings.card_rules import card_findings
from neurosage.data.findings.finding import Finding, by_severity, count, listed
from neurosage.data.findings.image_rules import stimulus_findings
from neurosage.data.findings.rdm_rules import rdm_findings
from neurosage.data.findings.teachers import Progress, find, response_findings
from neurosage.data.images import FileImages, is_image
from neurosage.data.registry import load_teacher, resolve
from neurosage.data.responses import Described, read_responses, read_stored_rdms
from neurosage.data.sources import Source
from neurosage.data.stimuli import StimulusSet
from neurosage.data.stimulus_files import match_images, read_stimulus_table
from neurosage.data.tables import read_table
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError, NeurosageError

FAULTS = (NeurosageError, OSError)
AGAIN = "Mend this, then check again: more may come to light."


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
        return None, by_severity([*_card(source, error), *_loose_files(source.folder, progress)])
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
    for fault in faults:
        yield Finding("card", "error", place, f"{fault.rstrip('.')}.", f"Correct it. {AGAIN}")


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
            yield _fault("images", path, error)
        else:
            yield from _images_alone(images, progress)


def _fault(rule: str, place: object, error: Exception) -> Finding:
    message, _, remedy = str(error).partition(" Next: ")
    step = remedy[:1].upper() + remedy[1:] if remedy else AGAIN
    return Finding(rule, "error", str(place), message, step)


def _images_alone(images: FileImages, progress: Progress | None) -> Iterator[Finding]:
    if len(images):
        table = pd.DataFrame({"stimulus_id": list(images.names)})
        yield from stimulus_findings(StimulusSet(images.path.name, table, images), progress)


def _salvage(
    source: Source,
    card: Card | None,
    part: str | None,
    error: Exception,
    progress: Progress | None,
) -> list[Finding]:
    named = _fault("load", source.id, error)
    if card is None or not card.part or (source.point is not None and not _by_card(source)):
        return [named]
    name = card.choose(part)
    files = _Files(source, card, name, progress)
    found = [*card_findings(card, name), *files.findings()]
    seen = {finding.message for finding in found}
    return found if named.message in seen else [named, *found]


def _by_card(source: Source) -> bool:
    try:
        return source.make() is None
    except NeurosageError:
        return False


class _Files:
    """The files of a part, each looked at whatever is wrong with the others."""

    def __init__(self, source: Source, card: Card, name: str, progress: Progress | None) -> None:
        self.source, self.card, self.name, self.progress = source, card, name, progress
        self.part: Part = card.part[name]
        self.paths: dict[str, Path] = {}
        self.table: pd.DataFrame | None = None

    def findings(self) -> Iterator[Finding]:
        """Yield what is found in each."""
        owner, base = self.card.full_id(self.name), self.card.base_url
        for key, entry in self.part.entries.items():
            try:
                self.paths[key] = locate(
                    entry, owner=owner, card_folder=self.source.folder, base_url=base
                )
            except FAULTS as error:
                yield _fault("file", entry.file, error)
                self._take_anyway(key, entry)
        yield from self._stimuli()
        yield from self._responses()
        yield from self._rdms()

    def _take_anyway(self, key: str, entry: FileEntry) -> None:
        """A file that is not the one described may tell what went wrong."""
        if self.source.folder is None:
            return
        root, path = self.source.folder.resolve(), self.source.folder / entry.file
        if path.exists() and path.resolve().is_relative_to(root):
            self.paths[key] = path

    def _stimuli(self) -> Iterator[Finding]:
        if "stimuli" in self.paths:
            try:
                self.table = read_stimulus_table(self.paths["stimuli"])
            except FAULTS as error:
                yield _fault("stimuli", self.paths["stimuli"].name, error)
        if "images" not in self.paths:
            return
        try:
            images = FileImages(self.paths["images"])
            yield from _images_alone(images, self.progress)
            if self.table is None and self.part.stimuli is None:
                self.table = pd.DataFrame({"stimulus_id": [Path(n).stem for n in images.names]})
            elif self.table is not None:
                match_images(self.table, self.paths["images"])
        except FAULTS as error:
            yield _fault("images", self.paths["images"].name, error)

    def _responses(self) -> Iterator[Finding]:
        entry = self.part.responses
        if entry is None or "responses" not in self.paths:
            return
        path, responses = self.paths["responses"], None
        ids = None if self.table is None else list(self.table["stimulus_id"])
        first: Exception | None = None
        for tried in ([ids] if ids else []) + [None, _places(path, entry)]:
            try:
                responses = read_responses(entry, path, self._described(tried))
                break
            except FAULTS as error:
                first = first or error
        if first is not None:
            yield _fault("responses", path.name, first)
        if responses is None:
            return
        if ids is not None and first is not None and tried is None:
            yield from _unmatched(ids, list(pd.unique(responses["stimulus_id"].values)), path)
        yield from response_findings(
            responses, normalise=self.card.normalise, kind=self.card.kind, progress=self.progress
        )

    def _rdms(self) -> Iterator[Finding]:
        entry = self.part.rdms
        if entry is None or "rdms" not in self.paths or self.table is None:
            return
        try:
            ids = list(self.table["stimulus_id"])
            yield from rdm_findings(
                read_stored_rdms(entry, self.paths["rdms"], self._described(ids))
            )
        except FAULTS as error:
            yield _fault("rdms", self.paths["rdms"].name, error)

    def _described(self, ids: Any) -> Described:
        tables: dict[str, Any] = {
            key: read_table(self.paths[key])
            for key in ("neuroid_table", "presentation_table")
            if key in self.paths
        }
        return Described(self.card.id, ids, neuroids=self.part.neuroids, **tables)


def _places(path: Path, entry: FileEntry) -> list[str] | None:
    """Names for stimuli that have none but their place in an array."""
    try:
        shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
    except Exception:  # not an .npy file, or a damaged one: said by who reads it
        return None
    dims = entry.dims or ("stimulus", "neuroid")
    sizes = dict(zip(dims, shape, strict=False))
    number = sizes.get("stimulus") or sizes.get("presentation") or 0
    return [f"response {k}" for k in range(number)]


def _unmatched(shown: list[str], answered: list[str], path: Path) -> Iterator[Finding]:
    silent, extra = pd.Index(shown).difference(answered, sort=False), pd.Index(answered)
    extra = extra.difference(shown, sort=False)
    for names, words in (
        (silent, f"have no response in {path.name}"),
        (extra, "have responses, but are none of the stimuli"),
    ):
        if len(names):
            yield Finding(
                "ids-unmatched",
                "error",
                listed("stimuli", list(names)),
                f"{count(len(names), 'stimuli')} {words}; ids are matched exactly, never by place.",
                "Write ids in one way everywhere; leave out of the table what was not recorded.",
            )
