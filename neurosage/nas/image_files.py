"""Image files of classes: folders, zips, torchvision's CIFAR; read once, cached by content."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import psutil
from PIL import Image, ImageOps

from neurosage.data.hashes import hash_file
from neurosage.errors import InputError
from neurosage.nas.cifar import FOLDER, cifar_folder, read_cifar

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
LARGEST_FILE = 64 * 2**20
LARGEST_IMAGE = 40_000_000
CACHE_FORMAT = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """Images and their classes, in memory or mapped from the cache.

    Parameters
    ----------
    images : numpy.ndarray of uint8, shape (n, height, width, 3)
        RGB.
    labels : numpy.ndarray of int64, shape (n,)
        Index into `classes`.
    classes : tuple of str
        Sorted.
    content_hash : str
        Of the files that they were read from.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    content_hash: str


def hash_sources(paths: Sequence[str | Path]) -> str:
    """Hash what the sources contain, in the order given.

    Parameters
    ----------
    paths : sequence of path
        As for :func:`read_sources`.

    Returns
    -------
    str
        sha256 in hex: of a zip's bytes; of a folder's names and bytes.

    Raises
    ------
    InputError
        If a path does not exist, or two sources hold the same.
    """
    sums = [_hash_source(_existing(path)) for path in paths]
    for i, digest in enumerate(sums):
        if digest in sums[:i]:
            twice = f"{paths[sums.index(digest)]} and {paths[i]}"
            raise InputError(f"{twice} hold the same images: name each source once.")
    return hashlib.sha256("\n".join(sums).encode()).hexdigest()


def read_sources(
    paths: Sequence[str | Path], *, size: int | None, content_hash: str, cache: Path | None
) -> LabelledImages:
    """Read images of classes from folders, zips, or torchvision's files.

    Parameters
    ----------
    paths : sequence of path
        Folders or zips that hold one folder per class, merged by its name; or
        torchvision's folder ``cifar-100-python``, of which the train set is read.
    size : int, optional
        Height and width in pixels: scaled (bicubic) and cropped at the centre.
        As they are if omitted; they must then be of one size.
    content_hash : str
        From :func:`hash_sources`: the key in the cache.
    cache : Path, optional
        A folder to keep what was decoded in; later reads map it from there.

    Returns
    -------
    LabelledImages
        In order of sources, then of names.

    Raises
    ------
    InputError
        If there are no images, they are unreadable, of several sizes, or not those
        of the hash, or class folders stand in several places.
    """
    digest = hashlib.sha256(f"{CACHE_FORMAT} {content_hash} {size}".encode()).hexdigest()
    stem = None if cache is None else cache / "images" / digest[:32]
    if stem is not None and stem.with_suffix(".npy").exists():
        return _from_cache(stem, content_hash)
    if hash_sources(paths) != content_hash:
        raise InputError(
            f"the data in {[str(path) for path in paths]} has changed since the search began "
            "with it: restore it, or begin a new search."
        )
    images, names = _read_all([_existing(path) for path in paths], size)
    classes = tuple(sorted(set(names)))
    index = {name: i for i, name in enumerate(classes)}
    labels = np.array([index[name] for name in names], np.int64)
    if stem is not None:
        _to_cache(stem, images, labels, classes)
    return LabelledImages(images, labels, classes, content_hash)


def _existing(path: str | Path) -> Path:
    path = Path(path).expanduser()
    if not path.exists():
        raise InputError(
            f"data path {str(path)!r} does not exist (looked from {Path.cwd()}): give folders or "
            f"zips of class folders, or torchvision's folder {FOLDER}."
        )
    if path.is_file() and not zipfile.is_zipfile(path):
        raise InputError(f"{str(path)!r} is no zip file; give a folder or a zip of class folders.")
    return cifar_folder(path) or path


def _hash_source(path: Path) -> str:
    if path.is_file():
        return hash_file(path)
    total = hashlib.sha256()
    wanted = ("train", "meta")
    files = [path / name for name in wanted] if cifar_folder(path) else _folder_files(path)
    for file in files:
        total.update(file.relative_to(path).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _folder_files(path: Path) -> list[Path]:
    files = (file for file in path.rglob("*") if _is_image(file.relative_to(path).as_posix()))
    return sorted(file for file in files if file.is_file())


def _is_image(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return name.lower().endswith(SUFFIXES) and not hidden


def _read_all(paths: Sequence[Path], size: int | None) -> tuple[npt.NDArray[np.uint8], list[str]]:
    blocks: list[npt.NDArray[np.uint8]] = []
    names: list[str] = []
    for path in paths:
        if cifar_folder(path):
            images, labels = read_cifar(path)
            images = resize(images, size)
        else:
            images, labels = _read_source(path, size)
        if blocks and blocks[0].shape[1:] != images.shape[1:]:
            raise _sizes_differ(str(paths[0]), blocks[0].shape[1:], str(path), images.shape[1:])
        blocks.append(images)
        names += labels
    return (blocks[0] if len(blocks) == 1 else np.concatenate(blocks)), names


@contextmanager
def _opened(path: Path) -> Iterator[tuple[dict[str, int], Callable[[str], bytes]]]:
    """Sizes in bytes of a source's images by name, ``…/class/file``, and how to read one."""
    if path.is_dir():
        files = {file.relative_to(path).as_posix(): file for file in _folder_files(path)}
        yield (
            {name: file.stat().st_size for name, file in files.items()},
            lambda name: files[name].read_bytes(),
        )
        return
    with zipfile.ZipFile(path) as archive:
        entries = sorted((e.filename, e.file_size) for e in archive.infolist())
        yield {name: size for name, size in entries if _is_image(name)}, archive.read


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


def _read_source(path: Path, size: int | None) -> tuple[npt.NDArray[np.uint8], list[str]]:
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
                raise _sizes_differ(names[0], first.shape, name, image.shape)
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


def _sizes_differ(a: str, shape_a: Any, b: str, shape_b: Any) -> InputError:
    return InputError(
        f"images differ in size: {a!r} has {shape_a[0]}×{shape_a[1]} pixels, {b!r} "
        f"{shape_b[0]}×{shape_b[1]}; set the data's size (pixels) to make them one."
    )


def _to_cache(
    stem: Path,
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.int64],
    classes: tuple[str, ...],
) -> None:
    document = json.dumps({"labels": labels.tolist(), "classes": classes})
    part = stem.with_name(f".{uuid4().hex}")
    try:
        stem.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(document, encoding="utf-8")
        os.replace(part, stem.with_suffix(".json"))
        with part.open("wb") as file:
            np.save(file, images)
        os.replace(part, stem.with_suffix(".npy"))
    except OSError as error:
        log.warning("decoded images are not kept in the cache: %s", error)
    finally:
        part.unlink(missing_ok=True)


def _from_cache(stem: Path, content_hash: str) -> LabelledImages:
    document = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
    images = np.load(stem.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
    labels = np.array(document["labels"], np.int64)
    return LabelledImages(images, labels, tuple(document["classes"]), content_hash)
