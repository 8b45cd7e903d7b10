"""A part of a card, step by step: its stimuli, their images, what is known, the responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
import xarray as xr

from neurosage.data.cards.card import Card, FileEntry, Part
from neurosage.data.fetch import locate
from neurosage.data.image_order import by_number
from neurosage.data.images import FileImages
from neurosage.data.responses import Described, read_responses
from neurosage.data.stimulus_files import match_images, ordered_images, read_stimulus_table
from neurosage.data.tables import read_table
from neurosage.errors import InputError


@dataclass(frozen=True)
class Place:
    """A part of a card, and where its files are.

    Parameters
    ----------
    card : Card
        It has that part.
    folder : Path, optional
        Where the card lies.
    name : str
        Of the part.
    """

    card: Card
    folder: Path | None
    name: str

    @classmethod
    def of(cls, card: Card, folder: Path | None, part: str | None) -> Place:
        """Return a part's place, the default part's for None.

        Raises
        ------
        InputError
            If there is no such part, or none at all.
        """
        if not (name := card.choose(part)):
            raise InputError(f"the card {card.id!r} has no part, so there is nothing to load.")
        return cls(card, folder, name)

    @property
    def id(self) -> str:
        """The card's id, with the part where there are several."""
        return self.card.full_id(self.name)

    @property
    def part(self) -> Part:
        """What the card says of it."""
        return self.card.part[self.name]

    def path(self, entry: FileEntry) -> Path:
        """Return where a file lies, fetched and verified."""
        base = self.card.base_url
        return locate(entry, owner=self.id, card_folder=self.folder, base_url=base)


def shown(place: Place) -> tuple[pd.DataFrame, str]:
    """Return the stimuli as a table, and what stands before their ids because of the part.

    Parameters
    ----------
    place : Place
        Its part names images.

    Returns
    -------
    table : pandas.DataFrame
        ``stimulus_id`` and labels, in order.
    prefix : str
        Empty, or ``"PART/"``.

    Raises
    ------
    InputError
        If the part names no images, or the table cannot be read.
    """
    card, part = place.card, place.part
    if part.images is None:
        raise InputError(
            f"part {place.name!r} of the card {card.id!r} names no file of images: give images = "
            "{ file = … }, a zip file or a folder."
        )
    if part.stimuli is not None:
        return read_stimulus_table(place.path(part.stimuli), text=part.stimuli.text), ""
    names = _sorted(place.path(part.images), part.images).names
    prefix = f"{place.name}/" if len(card.part) > 1 else ""
    table = pd.DataFrame({"stimulus_id": [prefix + stem for stem in _stems(names)]})
    return table.assign(file=list(names)), prefix


def pictured(place: Place, table: pd.DataFrame) -> FileImages:
    """Return the images in the order of the stimuli.

    Parameters
    ----------
    place : Place
        Its part names images.
    table : pandas.DataFrame
        From `shown`.

    Returns
    -------
    FileImages
        An image a stimulus.

    Raises
    ------
    InputError
        If an image is missing, or numbers or names contradict the order that the card says.
    """
    part = place.part
    assert part.images is not None  # held by shown
    path = place.path(part.images)
    if part.stimuli is None:
        return _sorted(path, part.images)
    if part.images.order in ("file name", "number"):
        return ordered_images(table, path, part.images.order)
    return match_images(table, path)


def _sorted(path: Path, entry: FileEntry) -> FileImages:
    images = FileImages(path)
    return FileImages(path, by_number(images.names)) if entry.order == "number" else images


def answered(place: Place, table: pd.DataFrame, known: Described) -> xr.DataArray:
    """Return the responses, where `select` names labels of stimuli to those alone.

    Parameters
    ----------
    place : Place
        Its part names responses.
    table : pandas.DataFrame
        From `shown`.
    known : Described
        From `described`.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.

    Raises
    ------
    InputError
        If they cannot be read, or stimuli and responses do not match.
    """
    entry = place.part.responses
    assert entry is not None  # who calls has looked
    labels = [str(name) for name in table.columns if name != "stimulus_id"]
    wanted = {key: value for key, value in entry.select.items() if key in labels}
    if wanted:  # labels of the stimuli: the format need not know them
        kept = [i.removeprefix(known.prefix) for i in _having(table, wanted, place.id)]
        rest = {key: value for key, value in entry.select.items() if key not in wanted}
        entry = entry.model_copy(update={"select": {**rest, "stimulus_id": kept}})
    responses = read_responses(entry, place.path(entry), known)
    if place.part.repetitions:
        responses = responses.assign_attrs(repetitions=place.part.repetitions)
    return responses.rename(place.id)


def _having(table: pd.DataFrame, wanted: dict[str, Any], owner: str) -> list[str]:
    for key, value in wanted.items():
        values = value if isinstance(value, list) else [value]
        if strange := [one for one in values if one not in set(table[key])]:
            raise InputError(
                f"select keeps {key} = {strange}, which no stimulus of {owner!r} has; there "
                f"are {sorted(map(str, set(table[key])))[:20]}."
            )
        table = table[table[key].isin(values)]
    if not len(table):
        raise InputError(f"select leaves no stimulus of {owner!r}: {wanted}.")
    return [str(name) for name in table["stimulus_id"]]


def described(place: Place, stimulus_ids: Sequence[str] | None, prefix: str) -> Described:
    """Return what the card knows of the responses beside their file.

    Parameters
    ----------
    place : Place
        Of the part.
    stimulus_ids : sequence of str or None
        In order; None where they are not known.
    prefix : str
        From `shown`.

    Returns
    -------
    Described
        With the tables of neuroids and presentations.

    Raises
    ------
    InputError
        If a table cannot be read.
    """
    tables = {
        key: read_table(place.path(entry), text=entry.text)
        for key, entry in place.part.entries.items()
        if key in ("neuroid_table", "presentation_table")
    }
    ids = None if stimulus_ids is None else [i.removeprefix(prefix) for i in stimulus_ids]
    return Described(place.id, ids, prefix, neuroids=place.part.neuroids, **tables)


def _stems(names: tuple[str, ...]) -> list[str]:
    bare = [PurePosixPath(name).stem for name in names]
    return bare if len(set(bare)) == len(bare) else list(names)
