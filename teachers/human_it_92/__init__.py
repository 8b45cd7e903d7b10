"""Human inferior temporal cortex, 92 objects: RDMs of 4 subjects × 2 sessions. See README.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from neurosage.teachers.monkey_it_92 import HUMAN, label, published, read_matlab

from neurosage.data.cards.card import read_card
from neurosage.data.registry import load_stimuli
from neurosage.data.teacher import Teacher

FOLDER = Path(__file__).parent
SESSIONS = {"mean": [0, 1], "session1": [0], "session2": [1]}


def load(part: str | None = None) -> Teacher:
    """Return the teacher; it holds RDMs and no responses.

    Parameters
    ----------
    part : str, optional
        ``"mean"`` (the default): an RDM a subject, the mean of both sessions;
        ``"session1"``, ``"session2"``: an RDM a subject; ``"published"``: the one of
        figure 1, the mean over subjects and sessions.

    Returns
    -------
    Teacher
        Stored RDMs of region ``IT``, correlation distance, 92 × 92, with a leading dim
        ``subject`` but for ``"published"``.

    Raises
    ------
    FetchError
        If a file cannot be had, or is not the one the card describes.
    """
    card, stimuli = read_card(FOLDER), load_stimuli("monkey-it-92")
    name = card.choose(part)
    structs = read_matlab(card, FOLDER, name)
    if name == "published":
        rdms = published(structs[HUMAN], stimuli)
    else:
        rdms = label(_sessions(structs, SESSIONS[name]), stimuli, _subjects(structs))
    return Teacher(card.full_id(name), stimuli, None, rdms, card.normalise, card.kind, card)


def _sessions(structs: Any, chosen: list[int]) -> Any:
    # float32 in the file; averaged in float64.
    each = [[np.asarray(one["RDM"], np.float64) for one in row[chosen]] for row in structs]
    return np.mean(each, axis=1)[:, None]


def _subjects(structs: Any) -> list[str]:
    # Named "hIT | BE | Session: 1".
    return [str(row[0]["name"]).split("|")[1].strip() for row in structs]
