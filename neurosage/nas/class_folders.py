"""Folders and zips of class folders → images and labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
from PIL import Image, ImageOps

from neurosage.data.images import SUFFIXES, FileImages
from neurosage.errors import InputError


def _check_layout(path: Path, names: Sequence[str]) -> None:
    if not names:
        inside = sorted(p.name for p in path.glob("*.zip")) if path.is_dir() else []
        hint = f" It holds zips: name those meant, of {inside}." if inside else ""
        raise InputError(f"{str(path)!r} holds no images (looked for {', '.join(SUFFIXES)}).{hint}")
    flat = [name for name in names if len(PurePosixPath(name).parts) == 1]
    if flat:
        raise InputError(
            f"{str(path)!r} holds images outside of any class folder, such as {flat[0]!r}; "
            "put each into a folder that is named after its class."
        )
    tops = sorted({str(PurePosixPath(name).parent.parent) for name in names})
    if len(tops) > 1:
        raise InputError(
            f"{str(path)!r} holds class folders in several places: {tops[:4]}; a train and a "
            "test set would be merged. Name the one that is meant."
        )


def read_source(path: Path, size: int | None) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """Read a folder or zip of class folders.

    Parameters
    ----------
    path : Path
        One folder per class, ``…/class/file``.
    size : int, optional
        Height and width wanted, pixels; as they are if omitted.

    Returns
    -------
    images : numpy.ndarray of uint8, shape (n, height, width, 3)
        RGB, in the order of their names.
    names : list of str, length n
        The class of each.

    Raises
    ------
    InputError
        If there are no images, one cannot be read, they differ in size, or they do
        not lie in class folders of one place.
    """
    source = FileImages(path, links=True)
    _check_layout(path, source.names)
    first = _resized(source[0], size)
    _check_memory(path, len(source), first.nbytes)
    images = np.empty((len(source), *first.shape), np.uint8)
    for i, name in enumerate(source.names):
        image = _resized(source[i], size)
        if image.shape != first.shape:
            raise sizes_differ(source.names[0], first.shape, name, image.shape)
        images[i] = image
    return images, [PurePosixPath(name).parent.name for name in source.names]


def _resized(values: npt.NDArray[np.uint8], size: int | None) -> npt.NDArray[np.uint8]:
    if size is None or values.shape[:2] == (size, size):
        return values
    scaled = ImageOps.fit(Image.fromarray(values), (size, size), Image.Resampling.BICUBIC)
    return np.asarray(scaled)


def resize(images: npt.NDArray[np.uint8], size: int | None) -> npt.NDArray[np.uint8]:
    """Scale images (bicubic) and crop them at the centre.

    Parameters
    ----------
    images : numpy.ndarray of uint8, shape (n, height, width, 3)
        RGB.
    size : int, optional
        Height and width wanted, pixels; as they are if omitted.

    Returns
    -------
    numpy.ndarray of uint8, shape (n, size, size, 3)
        The same array where nothing had to change.

    Examples
    --------
    >>> resize(np.zeros((2, 8, 6, 3), np.uint8), 4).shape
    (2, 4, 4, 3)
    """
    if size is None or images.shape[1:3] == (size, size):
        return images
    return np.stack([_resized(image, size) for image in images])


def _check_memory(path: Path, count: int, nbytes: int) -> None:
    available = psutil.virtual_memory().available
    if count * nbytes > 0.8 * available:
        raise InputError(
            f"{str(path)!r}: {count} images would take {count * nbytes / 1e9:.1f} GB of the "
            f"{available / 1e9:.1f} GB of memory that are free; set a smaller size."
        )


def sizes_differ(a: str, shape_a: Any, b: str, shape_b: Any) -> InputError:
    """Build the error for images of two sizes."""
    return InputError(
        f"images differ in size: {a!r} has {shape_a[0]}×{shape_a[1]} pixels, {b!r} "
        f"{shape_b[0]}×{shape_b[1]}; set the data's size (pixels) to make them one."
    )
