"""Folders and zips of class folders → images and labels."""

from __future__ import annotations

import io
import logging
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil
from PIL import Image, ImageOps

from neurosage.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
LARGEST_FILE = 64 * 2**20
LARGEST_IMAGE = 40_000_000
CACHE_FORMAT = 1

log = logging.getLogger(__name__)


def folder_files(path: Path) -> list[Path]:
    """Return the images below a folder, sorted by path."""
    files = (file for file in path.rglob("*") if is_image(file.relative_to(path).as_posix()))
    return sorted(file for file in files if file.is_file())


def is_image(name: str) -> bool:
    """Tell whether a path within a source is that of an image, not of something hidden."""
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return name.lower().endswith(SUFFIXES) and not hidden


@contextmanager
def _opened(path: Path) -> Iterator[tuple[dict[str, int], Callable[[str], bytes]]]:
    """Sizes in bytes of a source's images by name, ``…/class/file``, and how to read one."""
    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file for file in folder_files(path)}
        yield (
            {name: file.stat().st_size for name, file in files.items()},
            lambda name: files[name].read_bytes(),
        )
        return
    with zipfile.ZipFile(path) as archive:
        entries = sorted((e.filename, e.file_size) for e in archive.infolist())
        yield {name: size for name, size in entries if is_image(name)}, archive.read


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
    """Read a folder or zip of class folders: images (n, height, width, 3), and their classes."""
    with _opened(path) as (sizes, read):
        names = list(sizes)
        _check_layout(path, names)
        if large := [name for name in names if sizes[name] > LARGEST_FILE]:
            raise InputError(
                f"{large[0]!r} in {str(path)!r} has {sizes[large[0]]} bytes; images of up to "
                f"{LARGEST_FILE} are read."
            )
        first = _decode(read(names[0]), names[0], path, size)
        _check_memory(path, len(names), first.nbytes)
        images = np.empty((len(names), *first.shape), np.uint8)
        for i, name in enumerate(names):
            image = _decode(read(name), name, path, size)
            if image.shape != first.shape:
                raise sizes_differ(names[0], first.shape, name, image.shape)
            images[i] = image
    return images, [PurePosixPath(name).parent.name for name in names]


def _decode(data: bytes, name: str, path: Path, size: int | None) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > LARGEST_IMAGE:
                raise InputError(
                    f"{name!r} in {str(path)!r} has {image.width}×{image.height} pixels; "
                    f"up to {LARGEST_IMAGE} are read."
                )
            return _resized(image.convert("RGB"), size)
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name!r} in {str(path)!r} is no readable image: {error}.") from error


def _resized(image: Image.Image, size: int | None) -> npt.NDArray[np.uint8]:
    if size is not None and image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(image)


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
    return np.stack([_resized(Image.fromarray(image), size) for image in images])


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
