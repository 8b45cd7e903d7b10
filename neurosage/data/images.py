"""Where a stimulus set's pixels come from: arrays, folders, zip files."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from neurosage.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm")
MAX_BYTES = 256 * 2**20  # of one image in a zip file, unpacked
MAX_PIXELS = 100_000_000  # of one image, decoded


@runtime_checkable
class ImageSource(Protocol):
    """Images by number, read when asked for.

    Called from worker processes too, so a source must pickle.
    """

    def __len__(self) -> int:
        """Return the number of images."""

    def __getitem__(self, i: int, /) -> npt.NDArray[np.uint8]:
        """Return the i-th image, uint8, shape (height, width, 3)."""


class ArrayImages:
    """Images held in memory.

    Parameters
    ----------
    values : ndarray of uint8, shape (image, height, width, 3)
        RGB, 0 to 255.

    Raises
    ------
    InputError
        If dtype or shape are others.

    Examples
    --------
    >>> len(ArrayImages(np.zeros((5, 8, 8, 3), np.uint8)))
    5
    """

    def __init__(self, values: npt.NDArray[np.uint8]) -> None:
        if values.dtype != np.uint8 or values.ndim != 4 or values.shape[3] != 3:
            raise InputError(
                f"images have shape {values.shape} and dtype {values.dtype}; an array of images "
                "is uint8, image × height × width × 3 (RGB, 0 to 255)."
            )
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, i: int) -> npt.NDArray[np.uint8]:
        image: npt.NDArray[np.uint8] = self.values[i]
        return image


@dataclass(frozen=True)
class SubsetImages:
    """Some images of another source, in an order of their own.

    Parameters
    ----------
    source : ImageSource
        Where they are.
    rows : tuple of int
        Their numbers there.
    """

    source: ImageSource
    rows: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> npt.NDArray[np.uint8]:
        return self.source[self.rows[i]]


class FileImages:
    """Image files in a folder or a zip file, decoded one by one when asked for.

    Nothing is ever unpacked to disk.

    Parameters
    ----------
    path : Path
        A folder or a zip file.
    names : sequence of str, optional
        The files, relative to `path`, with ``/``; all image files sorted by name
        if omitted.

    Raises
    ------
    InputError
        If a name leads out of `path`, or is not there.
    """

    def __init__(self, path: Path, names: Sequence[str] | None = None) -> None:
        self.path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        present = list_images(self.path)
        self.names = tuple(present if names is None else names)
        if missing := sorted(set(self.names) - set(present)):
            raise InputError(
                f"{len(missing)} of {len(self.names)} images are not in {self.path} "
                f"(first: {missing[:3]}); it holds {len(present)} (first: {present[:3]})."
            )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> npt.NDArray[np.uint8]:
        name = self.names[i]
        if self.path.is_dir():
            return decode((self.path / name).read_bytes(), f"{self.path}/{name}")
        if self._zip is None:
            self._zip = _open_zip(self.path)
        try:
            data = self._zip.read(name)
        except (zipfile.BadZipFile, OSError) as error:
            raise InputError(f"{name} in {self.path} cannot be unpacked: {error}") from error
        return decode(data, f"{self.path}/{name}")

    def __getstate__(self) -> dict[str, Any]:
        # An open file does not pickle; each process opens its own.
        return {**self.__dict__, "_zip": None}


def list_images(path: Path) -> list[str]:
    """Return the image files of a folder or zip file, sorted by name.

    Parameters
    ----------
    path : Path
        A folder, searched with its subfolders, or a zip file.

    Returns
    -------
    list of str
        Relative to `path`, with ``/``; hidden files and ``__MACOSX`` are left out.

    Raises
    ------
    InputError
        If `path` is neither, or a member of the zip file leads out of it, is too
        large, or is encrypted.
    """
    if path.is_dir():
        names = [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()]
    elif path.is_file():
        with _open_zip(path) as archive:
            names = [_safe(member, path) for member in archive.infolist() if not member.is_dir()]
    else:
        raise InputError(f"there are no images at {path}: neither a folder nor a zip file.")
    return sorted(name for name in names if _is_image(name))


def _is_image(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(SUFFIXES)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path} cannot be read as a zip file of images: {error}") from error


def _safe(member: zipfile.ZipInfo, path: Path) -> str:
    name = member.filename
    leads_out = name.startswith("/") or ".." in PurePosixPath(name).parts
    if leads_out or "\\" in name or ":" in name:
        raise InputError(f"{path} is refused: its member {name!r} leads out of it.")
    if member.file_size > MAX_BYTES:
        raise InputError(
            f"{path} is refused: its member {name!r} unpacks to {member.file_size} bytes, "
            f"more than the {MAX_BYTES} allowed for an image."
        )
    if member.flag_bits & 1:
        raise InputError(f"{path} is refused: its member {name!r} is encrypted.")
    return name


def decode(data: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Decode an image file.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What it is called in messages.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB; transparent parts are laid over black by pillow's own conversion.

    Raises
    ------
    InputError
        If it is no image, is damaged, or has more than `MAX_PIXELS`.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(
                    f"{name} is {image.width}×{image.height} pixels, more than {MAX_PIXELS} in all."
                )
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as error:
        raise InputError(f"{name} cannot be decoded as an image: {error}") from error
