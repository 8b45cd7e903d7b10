"""Image files of classes: folders, zips, torchvision's CIFAR; read once, cached by content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from neurosage.data.hashes import hash_file
from neurosage.data.images import list_images
from neurosage.errors import InputError
from neurosage.nas.cifar import FOLDER, cifar_folder, read_cifar
from neurosage.nas.class_folders import read_source, resize, sizes_differ

CACHE_FORMAT = 2

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
    if stem is not None and (known := _from_cache(stem, content_hash)):
        return known
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
    for name in ("train", "meta") if cifar_folder(path) else list_images(path):
        total.update(name.encode(errors="surrogateescape") + b"\0")
        total.update(bytes.fromhex(hash_file(path / name)))
    return total.hexdigest()


def _read_all(paths: Sequence[Path], size: int | None) -> tuple[npt.NDArray[np.uint8], list[str]]:
    blocks: list[npt.NDArray[np.uint8]] = []
    names: list[str] = []
    for path in paths:
        if cifar_folder(path):
            images, labels = read_cifar(path)
            images = resize(images, size)
        else:
            images, labels = read_source(path, size)
        if blocks and blocks[0].shape[1:] != images.shape[1:]:
            raise sizes_differ(str(paths[0]), blocks[0].shape[1:], str(path), images.shape[1:])
        blocks.append(images)
        names += labels
    return (blocks[0] if len(blocks) == 1 else np.concatenate(blocks)), names


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
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _from_cache(stem: Path, content_hash: str) -> LabelledImages | None:
    try:
        images = np.load(stem.with_suffix(".npy"), mmap_mode="r", allow_pickle=False)
        document = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
        labels = np.array(document["labels"], np.int64)
        return LabelledImages(images, labels, tuple(document["classes"]), content_hash)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            log.warning("decoded images cannot be read from the cache: %s", error)
        return None
