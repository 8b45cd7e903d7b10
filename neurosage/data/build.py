"""From a card and its files to a stimulus set or a teacher."""

from __future__ import annotations

import importlib
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.card import Card, FileEntry, Part
from neurosage.data.fetch import locate
from neurosage.data.images import FileImages
from neurosage.data.stimuli import StimulusSet
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
        Ids are the file names without suffix, ``part/name`` where a card has several
        parts, so that images of different sessions are never taken for each other.

    Raises
    ------
    InputError
        If the part does not exist or numbers do not match the card.
    FetchError
        If a file cannot be had, or is not the one described.
    """
    name = card.choose(part)
    chosen = _part(card, name, "images")
    assert chosen.images is not None  # held by _part
    images = FileImages(_path(card, folder, name, chosen.images))
    check_count(card, name, "stimulus", images.names)
    prefix = f"{name}/" if len(card.part) > 1 else ""
    table = pd.DataFrame({"stimulus_id": [prefix + stem for stem in _stems(images.names)]})
    table["file"] = list(images.names)
    return StimulusSet(card.full_id(name), table, images, chosen.degrees)


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
        With its card.

    Raises
    ------
    InputError
        If the part does not exist, or images, responses and card do not match.
    FetchError
        If a file cannot be had, or is not the one described.
    """
    name = card.choose(part)
    chosen = _part(card, name, "responses")
    stimuli = build_stimuli(card, folder, name)
    responses = _read(card, folder, name, chosen, stimuli)
    check_count(card, name, "neuroid", responses["neuroid_id"].values)
    if chosen.repetitions:
        responses = responses.assign_attrs(repetitions=chosen.repetitions)
    return Teacher(
        card.full_id(name),
        stimuli,
        responses,
        normalise=card.normalise,
        kind=card.kind,
        card=card,
    )


def _read(
    card: Card, folder: Path | None, name: str, part: Part, stimuli: StimulusSet
) -> xr.DataArray:
    entry = part.responses
    assert entry is not None  # held by _part
    if "region" not in part.neuroids:
        raise InputError(
            f"part {name!r} of the card {card.id!r} lacks neuroids = {{ region = … }}."
        )
    reader = importlib.import_module(f"neurosage.data.formats.{entry.format}")
    responses: xr.DataArray = reader.read(
        _path(card, folder, name, entry),
        entry.dims,
        stimulus_id=stimuli.stimulus_ids,
        region=str(part.neuroids["region"]),
        key=entry.key,
        unit=entry.unit,
    )
    shared = {key: value for key, value in part.neuroids.items() if key != "region"}
    number = responses.sizes["neuroid"]
    columns = {
        key: ("neuroid", np.array([value] * number, object)) for key, value in shared.items()
    }
    responses = responses.assign_coords(columns)
    return responses.rename(card.full_id(name))


def _part(card: Card, name: str, wanted: str) -> Part:
    if not name:
        raise InputError(f"the card {card.id!r} has no part, so there is nothing to load.")
    part = card.part[name]
    if getattr(part, wanted) is None:
        raise InputError(f"part {name!r} of the card {card.id!r} names no file of {wanted}.")
    if part.images is None:
        raise InputError(f"part {name!r} of the card {card.id!r} names no file of images.")
    return part


def _path(card: Card, folder: Path | None, name: str, entry: FileEntry) -> Path:
    return locate(entry, owner=card.full_id(name), card_folder=folder, base_url=card.base_url)


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
