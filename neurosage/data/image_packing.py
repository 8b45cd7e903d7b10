"""Images of stimuli packed into a zip file: their own files where there are any, else PNG."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from neurosage.data.images import original_file
from neurosage.data.stimuli import StimulusSet

EPOCH = (1980, 1, 1, 0, 0, 0)  # equal images make an equal zip file, whenever it is written


def image_suffixes(stimuli: StimulusSet) -> list[str]:
    """Return the suffix of each image's file, ``.png`` where it has none of its own.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> table = pd.DataFrame({"stimulus_id": ["cat", "dog"]})
    >>> image_suffixes(StimulusSet("pets", table, np.zeros((2, 8, 8, 3), np.uint8)))
    ['.png', '.png']
    """
    places = [original_file(stimuli.images, k) for k in range(len(stimuli))]
    return [PurePosixPath(p[0].names[p[1]]).suffix if p else ".png" for p in places]


def pack_images(stimuli: StimulusSet, names: Sequence[str], path: Path) -> None:
    """Write the images of stimuli into a zip file.

    Parameters
    ----------
    stimuli : StimulusSet
        Whose images.
    names : sequence of str
        What each is called in the zip file.
    path : Path
        The zip file; equal images make equal bytes.

    Raises
    ------
    InputError
        If an image cannot be read.
    """
    with zipfile.ZipFile(path, "w") as archive:  # images are compressed already
        for k, name in enumerate(names):
            member = zipfile.ZipInfo(name, EPOCH)
            member.external_attr = 0o644 << 16
            archive.writestr(member, image_content(stimuli, k))


def image_content(stimuli: StimulusSet, i: int) -> bytes:
    """Return an image as a file: its own where it comes from one, else PNG.

    Parameters
    ----------
    stimuli : StimulusSet
        It has that image.
    i : int
        Its row.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    if place := original_file(stimuli.images, i):
        files, number = place
        return files.content(number)
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(stimuli.image(i)).save(stream, "png")
    return stream.getvalue()
