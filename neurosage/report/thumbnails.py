"""A strip of small images with their ids, to see that each id names its image."""

from __future__ import annotations

import base64
import html
import io

import numpy as np
from PIL import Image

from neurosage.data.stimuli import StimulusSet
from neurosage.errors import NeurosageError

SHOWN = 8
HEIGHT = 92  # pixels
BOX = 'style="display:flex; flex-wrap:wrap; gap:.8rem; align-items:flex-end"'
ONE = 'style="max-width:130px; overflow-wrap:anywhere; font-size:.8rem"'


def strip_html(stimuli: StimulusSet, count: int = SHOWN) -> str:
    """Return some stimuli as small pictures, each above its number and id.

    Parameters
    ----------
    stimuli : StimulusSet
        With images; one that cannot be read is said.
    count : int
        How many: the first four, and others evenly to the last.

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"stimulus_id": ["cat"]})
    >>> made = StimulusSet("s", table, np.zeros((1, 4, 4, 3), np.uint8))
    >>> "1: cat" in strip_html(made)
    True
    """
    number = len(stimuli)
    first = list(range(min(count // 2, number)))
    later = np.linspace(len(first), number - 1, count - len(first)).round().astype(int)
    places = sorted({*first, *(int(k) for k in later if k < number)})
    return f"<div {BOX}>{''.join(_one(stimuli, k) for k in places)}</div>"


def _one(stimuli: StimulusSet, k: int) -> str:
    name = html.escape(f"{k + 1}: {stimuli.stimulus_ids[k]}")
    try:
        data = base64.b64encode(_png(stimuli.image(k))).decode()
    except (NeurosageError, OSError):
        return f"<div {ONE}>(cannot be read)<br>{name}</div>"
    return f'<div {ONE}><img alt="{name}" src="data:image/png;base64,{data}">{name}</div>'


def _png(pixels: np.ndarray) -> bytes:
    picture = Image.fromarray(pixels)
    picture.thumbnail((2 * HEIGHT, HEIGHT))
    packed = io.BytesIO()
    picture.save(packed, "png")
    return packed.getvalue()
