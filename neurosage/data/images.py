"""Where pixels come from: arrays, folders, zip files."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from neurosage.data.pixels import decode
from neurosage.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm")
MAX_BYTES = 256 * 2**20  # of one image file, unpacked


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
    links : bool
        Whether files of a folder may be links that lead out of it.

    Raises
    ------
    InputError
        If a name leads out of `path`, by itself or by a link, or is not there.
    """

    def __init__(
        self, path: Path, names: Sequence[str] | None = None, *, links: bool = False
    ) -> None:
        self.path = Path(path)
        self._zip: zipfile.ZipFile | None = None
        present = list_images(self.path)
        self.names = tuple(present if names is None else names)
        if missing := sorted(set(self.names) - set(present)):
            raise InputError(
                f"{len(missing)} of {len(self.names)} images are not in {self.path} "
                f"(first: {missing[:3]}); it holds {len(present)} (first: {present[:3]})."
            )
        if not links and self.path.is_dir():
            self._check_links()

    def _check_links(self) -> None:
        root = self.path.resolve()
        if out := [n for n in self.names if not (self.path / n).resolve().is_relative_to(root)]:
            raise InputError(
                f"{len(out)} images of {self.path} are links that lead out of it (first: "
                f"{out[:3]}), and are refused; copy the files into it."
            )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, i: int) -> npt.NDArray[np.uint8]:
        return decode(self.content(i), f"{self.path}/{self.names[i]}")

    def content(self, i: int) -> bytes:
        """Return the i-th file as it is, not decoded.

        Raises
        ------
        InputError
            If it cannot be read or is too large.
        """
        name = self.names[i]
        try:
            return self._read(name)
        except Exception as error:  # each way of packing has errors of its own
            if isinstance(error, InputError):
                raise
            raise InputError(f"{name} in {self.path} cannot be read: {error}") from error

    def _read(self, name: str) -> bytes:
        if not self.path.is_dir():
            self._zip = self._zip or _open_zip(self.path)
            return self._zip.read(name)
        file = self.path / name
        _check_bytes(self.path, name, file.stat().st_size)
        return file.read_bytes()

    def __getstate__(self) -> dict[str, Any]:
        # An open file does not pickle; each process opens its own.
        return {**self.__dict__, "_zip": None}


def original_file(images: ImageSource, i: int) -> tuple[FileImages, int] | None:
    """Return where an image's file is, through all subsets.

    Parameters
    ----------
    images : ImageSource
        Of any kind.
    i : int
        Which image.

    Returns
    -------
    tuple of FileImages and int, or None
        The source of files and the number there; None where the image is of no file.

    Examples
    --------
    >>> original_file(ArrayImages(np.zeros((5, 8, 8, 3), np.uint8)), 0) is None
    True
    """
    while isinstance(images, SubsetImages):
        i, images = images.rows[i], images.source
    return (images, i) if isinstance(images, FileImages) else None


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
    return sorted(name for name in names if is_image(name))


def is_image(name: str) -> bool:
    """Tell whether a path within a source is that of an image, not of something hidden.

    Examples
    --------
    >>> is_image("cat/1.PNG"), is_image("__MACOSX/cat/1.png")
    (True, False)
    """
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(SUFFIXES)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # a damaged directory is a struct.error, a ValueError, …
        raise InputError(f"{path} cannot be read as a zip file of images: {error}") from error


def _safe(member: zipfile.ZipInfo, path: Path) -> str:
    name = member.filename
    leads_out = name.startswith("/") or ".." in PurePosixPath(name).parts
    if leads_out or "\\" in name or ":" in name:
        raise InputError(f"{path} is refused: its member {name!r} leads out of it.")
    _check_bytes(path, name, member.file_size)
    if member.flag_bits & 1:
        raise InputError(f"{path} is refused: its member {name!r} is encrypted.")
    return name


def _check_bytes(path: Path, name: str, size: int) -> None:
    if size > MAX_BYTES:
        raise InputError(
            f"{path} is refused: {name!r} has {size} bytes unpacked, more than the {MAX_BYTES} "
            "allowed for an image."
        )
