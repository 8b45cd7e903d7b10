"""Macaque inferior temporal cortex, 92 objects: one RDM, as published. See README.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurosage.data.cards.card import Card, read_card
from neurosage.data.fetch import locate
from neurosage.data.registry import load_stimuli
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher

FOLDER = Path(__file__).parent
MONKEY, HUMAN = 0, 1  # in the file's figure 1


def load(part: str | None = None) -> Teacher:
    """Return the teacher; it holds an RDM and no responses.

    Parameters
    ----------
    part : str, optional
        There is only one, ``"all"``.

    Returns
    -------
    Teacher
        Stored RDM of region ``IT``, correlation distance, 92 × 92.

    Raises
    ------
    FetchError
        If the file cannot be had, or is not the one the card describes.
    """
    card, stimuli = read_card(FOLDER), load_stimuli("monkey-it-92")
    figure = read_matlab(card, FOLDER, card.choose(part))
    rdms = published(figure[MONKEY], stimuli).assign_coords(neuroids=("region", [674]))
    return Teacher(card.id, stimuli, None, rdms, card.normalise, card.kind, card)


def read_matlab(card: Card, folder: Path, part: str) -> Any:
    """Return the structs that a part's ``rdms`` names.

    Parameters
    ----------
    card : Card
        Of this teacher, or of human-it-92.
    folder : Path
        Where that card lies.
    part : str
        One of its parts.

    Returns
    -------
    ndarray of structs
        As `scipy.io.loadmat` gives them, dims of length 1 removed.
    """
    from scipy.io import loadmat

    entry = card.part[part].rdms
    assert entry is not None  # every part of both cards names it
    path = locate(entry, owner=card.full_id(part), card_folder=folder, base_url=card.base_url)
    return loadmat(path, squeeze_me=True, variable_names=[name := str(entry.key)])[name]


def published(one: Any, stimuli: StimulusSet) -> xr.DataArray:
    """Return an RDM of figure 1 with its labels.

    Parameters
    ----------
    one : struct
        Its ``RDM`` holds the 4186 pairs in the order of MATLAB's ``pdist``.
    stimuli : StimulusSet
        The 92 objects.

    Returns
    -------
    xarray.DataArray
        Dims ``region × stimulus_i × stimulus_j``.
    """
    from scipy.spatial.distance import squareform

    return label(squareform(np.asarray(one["RDM"], np.float64))[None], stimuli)


def label(values: Any, stimuli: StimulusSet, subjects: list[str] | None = None) -> xr.DataArray:
    """Return RDMs of ``IT`` with dims and coordinates.

    Parameters
    ----------
    values : ndarray of float64, shape ([subject,] 1, n, n)
        1 - Pearson correlation of response patterns, in [0, 2].
    stimuli : StimulusSet
        Of n stimuli, in the order of the RDMs.
    subjects : list of str, optional
        Their names, where there is an RDM each.

    Returns
    -------
    xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``.
    """
    ids = stimuli.stimulus_ids
    coordinates: dict[str, Any] = {
        "region": ("region", np.array(["IT"], object)),
        "stimulus_id_i": ("stimulus_i", ids),
        "stimulus_id_j": ("stimulus_j", ids),
    }
    dims = ["region", "stimulus_i", "stimulus_j"]
    if subjects is not None:
        dims.insert(0, "subject")
        coordinates["subject"] = ("subject", np.array(subjects, object))
    return xr.DataArray(values, coordinates, dims, "rdm", {"distance": "correlation"})
