"""From a card and its files to a stimulus set or a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurosage.data.cards.card import Card
from neurosage.data.parts import Place, answered, described, pictured, shown
from neurosage.data.responses import read_stored_rdms
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
    place = Place.of(card, folder, part)
    table, _ = shown(place)
    stimuli = StimulusSet(place.id, table, pictured(place, table), place.part.degrees)
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
    place = Place.of(card, folder, part)
    name, chosen = place.name, place.part
    if chosen.responses is None and chosen.rdms is None:
        raise InputError(
            f"part {name!r} of the card {card.id!r} names no file of responses: give responses = "
            "{ file = … }, or rdms where only those were published."
        )
    table, prefix = shown(place)
    stimuli = StimulusSet(place.id, table, pictured(place, table), chosen.degrees)
    known = described(place, list(table["stimulus_id"]), prefix)
    responses, rdms = None, None
    if chosen.responses is not None:
        responses = answered(place, table, known)
        if chosen.responses.select:  # all have answered but those that were left out
            ids = set(responses["stimulus_id"].values)
            stimuli = stimuli.take([name for name in stimuli.stimulus_ids if name in ids])
        check_count(card, name, "neuroid", responses["neuroid_id"].values)
    if chosen.rdms is not None:
        rdms = read_stored_rdms(chosen.rdms, place.path(chosen.rdms), known).rename(place.id)
    check_count(card, name, "stimulus", stimuli.stimulus_ids)
    return Teacher(
        place.id, stimuli, responses, rdms, normalise=card.normalise, kind=card.kind, card=card
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
