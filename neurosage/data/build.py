"""From a card and its files to a stimulus set or a teacher."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import xarray as xr

from neurosage.data.cards.card import Card, FileEntry, Part
from neurosage.data.fetch import locate
from neurosage.data.images import FileImages
from neurosage.data.responses import Described, read_responses, read_stored_rdms
from neurosage.data.stimuli import StimulusSet
from neurosage.data.stimulus_files import match_images, read_stimulus_table
from neurosage.data.tables import read_table
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError


def build_stimuli(card: Card, folder: Path | None, part: str | None = None) -> StimulusSet:
    """Make the stimulus set that a card describes.

    Parameters
    ----------
    card : Card
        Of a teacher or of stimuli.
    folder : Path, optional
        Where the card lies.
    part : str, optional
        The default one if omitted.

    Returns
    -------
    StimulusSet
        Where the card names a table of stimuli, its ids and labels, each image matched by
        name. Otherwise ids are the file names without suffix, ``part/name`` where a card
        has several parts, so that images of different sessions are never taken for each
        other.

    Raises
    ------
    InputError
        If the part does not exist or numbers do not match the card.
    FetchError
        If a file cannot be had, or is not the one described.
    """
    place = _place(card, folder, part)
    stimuli, _ = _shown(place)
    if place.part.responses is None or not place.part.responses.select:  # which may leave out some
        check_count(card, place.name, "stimulus", stimuli.stimulus_ids)
    return stimuli


def build_teacher(card: Card, folder: Path | None, part: str | None = None) -> Teacher:
    """Make the teacher that a card describes.

    Parameters
    ----------
    card : Card
        Its description.
    folder : Path, optional
        Where the card lies.
    part : str, optional
        The default one if omitted.

    Returns
    -------
    Teacher
        With its card. Where ``select`` leaves out stimuli, they are not the teacher's.

    Raises
    ------
    InputError
        If the part does not exist, or images, responses and card do not match.
    FetchError
        If a file cannot be had, or is not the one described.
    """
    place = _place(card, folder, part)
    name, chosen = place.name, place.part
    if chosen.responses is None and chosen.rdms is None:
        raise InputError(
            f"part {name!r} of the card {card.id!r} names no file of responses: give responses = "
            "{ file = … }, or rdms where only those were published."
        )
    stimuli, prefix = _shown(place)
    described = _described(place, stimuli, prefix)
    responses, rdms = None, None
    if chosen.responses is not None:
        responses = _responses(place, chosen.responses, stimuli, described)
        stimuli = _answered(stimuli, responses) if chosen.responses.select else stimuli
        check_count(card, name, "neuroid", responses["neuroid_id"].values)
    if chosen.rdms is not None:
        rdms = read_stored_rdms(chosen.rdms, place.path(chosen.rdms), described).rename(place.id)
    check_count(card, name, "stimulus", stimuli.stimulus_ids)
    return Teacher(
        place.id, stimuli, responses, rdms, normalise=card.normalise, kind=card.kind, card=card
    )


@dataclass(frozen=True)
class _Place:
    """A part of a card, and where its files are."""

    card: Card
    folder: Path | None
    name: str
    part: Part

    @property
    def id(self) -> str:
        return self.card.full_id(self.name)

    def path(self, entry: FileEntry) -> Path:
        base = self.card.base_url
        return locate(entry, owner=self.id, card_folder=self.folder, base_url=base)


def _place(card: Card, folder: Path | None, wanted: str | None) -> _Place:
    name = card.choose(wanted)
    if not name:
        raise InputError(f"the card {card.id!r} has no part, so there is nothing to load.")
    return _Place(card, folder, name, card.part[name])


def _shown(place: _Place) -> tuple[StimulusSet, str]:
    """The stimuli, and what the card's parts put before their ids."""
    card, part, prefix = place.card, place.part, ""
    if part.images is None:
        raise InputError(
            f"part {place.name!r} of the card {card.id!r} names no file of images: give images = "
            "{ file = … }, a zip file or a folder."
        )
    path = place.path(part.images)
    if part.stimuli is None:
        images = FileImages(path)
        prefix = f"{place.name}/" if len(card.part) > 1 else ""
        table = pd.DataFrame({"stimulus_id": [prefix + stem for stem in _stems(images.names)]})
        table["file"] = list(images.names)
    else:
        source = place.path(part.stimuli)
        table = read_stimulus_table(source, text=part.stimuli.text)
        images = _in_order(path, table, source, part.images)
    return StimulusSet(place.id, table, images, part.degrees), prefix


def _in_order(path: Path, table: pd.DataFrame, source: Path, entry: FileEntry) -> FileImages:
    if entry.order != "file name":
        return match_images(table, path)
    images = FileImages(path)
    if len(images) != len(table):
        raise InputError(
            f"{path} holds {len(images)} images (first: {list(images.names[:3])}), but {source} "
            f"has {len(table)} rows; with order = 'file name' the k-th image is the k-th row."
        )
    return images


def _responses(
    place: _Place, entry: FileEntry, stimuli: StimulusSet, described: Described
) -> xr.DataArray:
    labels = [str(name) for name in stimuli.table.columns if name != "stimulus_id"]
    wanted = {key: value for key, value in entry.select.items() if key in labels}
    if wanted:  # labels of the stimuli: the format need not know them
        kept = [i.removeprefix(described.prefix) for i in _having(stimuli, wanted)]
        rest = {key: value for key, value in entry.select.items() if key not in wanted}
        entry = entry.model_copy(update={"select": {**rest, "stimulus_id": kept}})
    responses = read_responses(entry, place.path(entry), described)
    if place.part.repetitions:
        responses = responses.assign_attrs(repetitions=place.part.repetitions)
    return responses.rename(place.id)


def _having(stimuli: StimulusSet, wanted: dict[str, Any]) -> list[str]:
    table = stimuli.table
    for key, value in wanted.items():
        values = value if isinstance(value, list) else [value]
        if strange := [one for one in values if one not in set(table[key])]:
            raise InputError(
                f"select keeps {key} = {strange}, which no stimulus of {stimuli.id!r} has; there "
                f"are {sorted(map(str, set(table[key])))[:20]}."
            )
        table = table[table[key].isin(values)]
    if not len(table):
        raise InputError(f"select leaves no stimulus of {stimuli.id!r}: {wanted}.")
    return [str(name) for name in table["stimulus_id"]]


def _answered(stimuli: StimulusSet, responses: xr.DataArray) -> StimulusSet:
    ids = set(responses["stimulus_id"].values)
    return stimuli.take([name for name in stimuli.stimulus_ids if name in ids])


def _described(place: _Place, stimuli: StimulusSet, prefix: str) -> Described:
    tables = {
        key: read_table(place.path(entry), text=entry.text)
        for key, entry in place.part.entries.items()
        if key in ("neuroid_table", "presentation_table")
    }
    return Described(
        owner=place.id,
        stimulus_id=[i.removeprefix(prefix) for i in stimuli.stimulus_ids],
        prefix=prefix,
        neuroids=place.part.neuroids,
        **tables,
    )


def check_count(card: Card, name: str, key: str, ids: Any) -> None:
    """Refuse what is not as many as the card says.

    Parameters
    ----------
    card : Card
        It has that part.
    name : str
        Of the part.
    key : {"neuroid", "stimulus"}
        What is counted.
    ids : sequence of str
        What there is.

    Raises
    ------
    InputError
        With both numbers and the first ids.
    """
    expected = getattr(card.part[name].counts, key)
    if expected is not None and len(ids) != expected:
        raise InputError(
            f"{card.full_id(name)!r} has {len(ids)} of {key} (first: {list(ids[:3])}), but its "
            f"card says {expected}; correct counts.{key} or the file."
        )


def _stems(names: tuple[str, ...]) -> list[str]:
    bare = [PurePosixPath(name).stem for name in names]
    return bare if len(set(bare)) == len(bare) else list(names)
