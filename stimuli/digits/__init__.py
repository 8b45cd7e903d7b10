"""Handwritten digits: scikit-learn's 1797, enlarged to 16×16 RGB, with labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from neurosage.data.images import ArrayImages
from neurosage.data.stimuli import StimulusSet


def load(part: str | None = None) -> StimulusSet:  # noqa: ARG001  # there is only one
    """Return the digits in scikit-learn's order.

    Parameters
    ----------
    part : str, optional
        There is only one, ``"all"``.

    Returns
    -------
    StimulusSet
        Ids ``digit-0000`` to ``digit-1796``; column ``label``, 0 to 9.
    """
    from sklearn.datasets import load_digits

    grey, labels = load_digits(return_X_y=True)
    table = pd.DataFrame({"stimulus_id": [f"digit-{k:04d}" for k in range(len(labels))]})
    table["label"] = np.asarray(labels, dtype=np.int64)
    return StimulusSet("digits", table, ArrayImages(render(grey.reshape(-1, 8, 8))))


def render(grey: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Enlarge grey images twice, linearly, and make them RGB.

    Parameters
    ----------
    grey : ndarray, shape (image, height, width)
        0 to 16, whole numbers.

    Returns
    -------
    ndarray of uint8, shape (image, 2 height, 2 width, 3)
        0 to 255. Every sum is exact in floating point, so the pixels are the same on
        every machine.
    """
    enlarged = _double(_double(grey, axis=1), axis=2)
    # 255/16 of a sixteenth: scaled by whole numbers before the one division.
    pixels = np.floor(enlarged * 255 / 16 + 0.5).astype(np.uint8)
    return np.repeat(pixels[..., None], 3, axis=-1)


def _double(values: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    last = values.shape[axis] - 1
    before = np.take(values, np.maximum(np.arange(last + 1) - 1, 0), axis)
    after = np.take(values, np.minimum(np.arange(last + 1) + 1, last), axis)
    pairs = np.stack([0.75 * values + 0.25 * before, 0.75 * values + 0.25 * after], axis + 1)
    shape = list(values.shape)
    shape[axis] *= 2
    return pairs.reshape(shape)
