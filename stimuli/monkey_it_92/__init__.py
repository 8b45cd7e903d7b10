"""The 92 objects of Kriegeskorte et al. (2008); pixels and labels lie in one MATLAB file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from neurosage.data.cards.card import read_card
from neurosage.data.fetch import locate
from neurosage.data.images import ArrayImages
from neurosage.data.stimuli import StimulusSet

FOLDER = Path(__file__).parent
FLAGS = ("human", "face", "animal", "natural")


def load(part: str | None = None) -> StimulusSet:  # noqa: ARG001  # there is only one
    """Return the 92 objects in the order of the published RDMs.

    Parameters
    ----------
    part : str, optional
        There is only one, ``"all"``.

    Returns
    -------
    StimulusSet
        Ids ``object-00`` to ``object-91``; columns ``category`` (6 of them, such as
        ``"human face"``), ``human``, ``face``, ``animal``, ``natural`` (true or false).

    Raises
    ------
    FetchError
        If the file cannot be had, or is not the one the card describes.
    """
    from scipy.io import loadmat

    card = read_card(FOLDER)
    entry = card.part["all"].images
    assert entry is not None  # the card above names it
    path = locate(entry, owner=card.id, card_folder=FOLDER, base_url=card.base_url)
    objects = loadmat(path, squeeze_me=True, variable_names=[name := str(entry.key)])[name]
    columns = {"stimulus_id": [f"object-{k:02d}" for k in range(len(objects))]}
    table = pd.DataFrame(columns | {"category": [str(one["category"]) for one in objects]})
    for flag in FLAGS:
        table[flag] = [bool(one[flag]) for one in objects]
    images = np.stack([one["image"] for one in objects])
    return StimulusSet(card.id, table, ArrayImages(images))
