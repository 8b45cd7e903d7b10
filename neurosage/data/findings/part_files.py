"""The files of a part that does not load, each looked at by the steps that would load it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.cards.card import Card, FileEntry, Part
from neurosage.data.findings.finding import Finding, count, listed
from neurosage.data.findings.image_rules import stimulus_findings
from neurosage.data.findings.rdm_rules import rdm_findings
from neurosage.data.findings.teachers import Progress, response_findings
from neurosage.data.formats.matching import unmatched
from neurosage.data.images import FileImages
from neurosage.data.parts import Place, answered, described, pictured, shown
from neurosage.data.responses import read_responses, read_stored_rdms
from neurosage.data.sources import Source
from neurosage.data.stimuli import StimulusSet
from neurosage.errors import InputError, NeurosageError

FAULTS = (NeurosageError, OSError)
GONE = "the file is not there"  # which has been said of the file
AGAIN = "then check again: more may come to light."
STEPS = {  # where the error has said no more than what is wrong
    "images": "Put images that open in a viewer into the file that the card names",
    "stimuli": "Correct the table of stimuli, or what the card says of it",
    "responses": "Correct what the card says of responses (key, dims, coordinates), or the file",
    "rdms": "Correct what the card says of rdms, or the file",
    "file": "Put the file beside the card, or correct its name and hash there",
}
ADVICE = re.compile(  # a last clause that says what to do
    r"[;:.] ((?:give|say|leave|write|name|save|make|use|choose|remove|mend|correct|move|run|pass|"
    r"fill|put|add|set|keep|pack|download|fetch|bring|rename|start|install)\b[^;]*)$",
    re.IGNORECASE,
)


def fault(rule: str, place: object, error: Exception) -> Finding:
    """Return an error as a finding.

    Parameters
    ----------
    rule : str
        Its name.
    place : object
        What it is about.
    error : Exception
        Its words are the message and, behind ``Next:`` or in the last clause, the remedy.

    Returns
    -------
    Finding
        Of severity ``"error"``.
    """
    message, _, remedy = str(error).partition(" Next: ")
    if not remedy and (advice := ADVICE.search(message.rstrip("."))):
        remedy = f"{advice[1]}; {AGAIN}"
    remedy = remedy or f"{STEPS.get(rule, 'Correct what is named here')}; {AGAIN}"
    return Finding(rule, "error", str(place), message, remedy[:1].upper() + remedy[1:])


def images_alone(images: FileImages, progress: Progress | None) -> Iterator[Finding]:
    """Yield what is found in images of which nothing else is known.

    Parameters
    ----------
    images : FileImages
        Of a folder or a zip file.
    progress : callable, optional
        As in `load_and_find`.

    Yields
    ------
    Finding
        Each by the file's name.
    """
    if len(images):
        table = pd.DataFrame({"stimulus_id": list(images.names)})
        yield from stimulus_findings(StimulusSet(images.path.name, table, images), progress)


@dataclass(frozen=True)
class _Found(Place):
    """A part whose files were looked for: where each is, or why it is not there."""

    paths: Mapping[str, Path] = field(default_factory=dict)

    def path(self, entry: FileEntry) -> Path:
        """Return where a file is, though it may not be the one described."""
        if entry.file not in self.paths:
            raise InputError(GONE)
        return self.paths[entry.file]


class PartFiles:
    """The files of a part, each looked at whatever is wrong with the others.

    Parameters
    ----------
    source : Source
        Where the teacher was found.
    card : Card
        Its card.
    name : str
        Of the part.
    progress : callable, optional
        As in `load_and_find`.
    """

    def __init__(self, source: Source, card: Card, name: str, progress: Progress | None) -> None:
        self.folder, self.progress = source.folder, progress
        self.paths: dict[str, Path] = {}
        self.place = _Found(card, source.folder, name, self.paths)
        self.part: Part = card.part[name]
        self.table: pd.DataFrame | None = None
        self.prefix = ""

    def findings(self) -> Iterator[Finding]:
        """Yield what is found in each, by the steps that load a teacher."""
        for entry in self.part.files:
            try:
                self.paths[entry.file] = Place.path(self.place, entry)
            except FAULTS as error:
                yield fault("file", entry.file, error)
                self._take_anyway(entry)
        yield from self._stimuli()
        yield from self._images()
        yield from self._responses()
        yield from self._rdms()

    def _take_anyway(self, entry: FileEntry) -> None:
        """A file that is not the one described may tell what went wrong."""
        if self.folder is None:
            return
        root, path = self.folder.resolve(), self.folder / entry.file
        if path.exists() and path.resolve().is_relative_to(root):
            self.paths[entry.file] = path

    def _there(self, entry: FileEntry | None) -> bool:
        return entry is not None and entry.file in self.paths

    def _stimuli(self) -> Iterator[Finding]:
        try:
            self.table, self.prefix = shown(self.place)
        except FAULTS as error:
            if str(error) != GONE:  # that has been said
                place = self.part.stimuli or self.part.images
                yield fault("stimuli" if self.part.stimuli else "images", _name(place), error)

    def _images(self) -> Iterator[Finding]:
        if self.part.images is None or not self._there(self.part.images):
            return
        try:
            yield from images_alone(FileImages(self.place.path(self.part.images)), self.progress)
            if self.table is not None:
                pictured(self.place, self.table)
        except FAULTS as error:
            if self.part.stimuli is not None or self.table is not None:  # else it has been said
                yield fault("images", _name(self.part.images), error)

    def _responses(self) -> Iterator[Finding]:
        entry = self.part.responses
        if entry is None or not self._there(entry):
            return
        try:
            if self.table is None:
                raise InputError(GONE)
            known = described(self.place, list(self.table["stimulus_id"]), self.prefix)
            responses = answered(self.place, self.table, known)
        except FAULTS as error:
            if str(error) != GONE:
                yield fault("responses", _name(entry), error)
            yield from self._anyway(entry)
        else:
            yield from self._look(responses)

    def _anyway(self, entry: FileEntry) -> Iterator[Finding]:
        """Responses that belong to no stimuli that are known: with ids of their own, or none."""
        path = self.place.path(entry)
        labels = set() if self.table is None else set(self.table.columns) - {"stimulus_id"}
        chosen = {key: value for key, value in entry.select.items() if key not in labels}
        entry = entry.model_copy(update={"select": chosen})
        for ids in (None, _places(path, entry)):
            try:
                known = described(self.place, ids, "")
                responses = read_responses(entry, path, known)
            except FAULTS:
                continue
            if ids is None and self.table is not None:
                own = [str(name) for name in pd.unique(pd.Series(responses["stimulus_id"].values))]
                shown_ids = [str(i).removeprefix(self.prefix) for i in self.table["stimulus_id"]]
                yield from _unmatched(shown_ids, own, path, some=bool(entry.select))
            yield from self._look(responses)
            return

    def _look(self, responses: xr.DataArray) -> Iterator[Finding]:
        card = self.place.card
        yield from response_findings(
            responses, normalise=card.normalise, kind=card.kind, progress=self.progress
        )

    def _rdms(self) -> Iterator[Finding]:
        entry = self.part.rdms
        if entry is None or not self._there(entry) or self.table is None:
            return
        try:
            known = described(self.place, list(self.table["stimulus_id"]), self.prefix)
            yield from rdm_findings(read_stored_rdms(entry, self.place.path(entry), known))
        except FAULTS as error:
            if str(error) != GONE:
                yield fault("rdms", _name(entry), error)


def _name(entry: FileEntry | None) -> str:
    return "" if entry is None else entry.name


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


def _unmatched(
    shown_ids: list[str], own: list[str], path: Path, *, some: bool
) -> Iterator[Finding]:
    """Ids without a partner; where something was selected, stimuli may have no response."""
    silent, extra = unmatched(own, shown_ids)
    for names, words in (
        ([] if some else silent, f"have no response in {path.name}"),
        (extra, "have responses, but are none of the stimuli"),
    ):
        if names:
            yield Finding(
                "ids-unmatched",
                "error",
                listed("stimuli", names),
                f"{count(len(names), 'stimuli')} {words}; ids are matched by name, never by place.",
                "Write ids in one way everywhere; leave out of the table what was not recorded.",
            )
