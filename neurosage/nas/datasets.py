"""Images with classes: what candidates are trained and validated on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurosage.data.fetch import cache_folder
from neurosage.errors import InputError, unknown
from neurosage.nas.class_folders import resize
from neurosage.nas.image_files import LabelledImages, hash_sources, read_sources

DIGITS_FOR_P = 1437


@dataclass(frozen=True)
class DataSpec:
    """Which images, how many, how large.

    Parameters
    ----------
    name : str
        ``digits`` (those that no built-in teacher is shown), ``cifar-100``, or
        ``image-folders``.
    path : str or sequence of str
        Where the files are: torchvision's folder ``cifar-100-python``, of which the
        train set is read, or folders or zips of class folders, merged by class name.
    train : int, optional
        Images to train on, of each class its share; all if omitted.
    valid : int, optional
        Images set aside for P, likewise; a tenth if omitted, of digits a quarter.
    size : int, optional
        Height and width in pixels; as they are if omitted.
    seed : int
        Of the split.
    content_hash : str, optional
        What the images must be; filled in by :func:`pin_data`.

    Examples
    --------
    >>> DataSpec("digits", train=640).valid is None
    True
    """

    name: str
    path: str | Path | Sequence[str | Path] = ()
    train: int | None = None
    valid: int | None = None
    size: int | None = None
    seed: int = 0
    content_hash: str | None = None

    def __post_init__(self) -> None:
        """Refuse what names no data; one path may be given as a string."""
        object.__setattr__(self, "path", self.paths)
        if self.name not in _SOURCES:
            raise unknown("data set", self.name, _SOURCES)
        if self.name == "digits" and self.path:
            raise InputError(f"the data set digits takes no path, but was given {self.paths}.")
        if self.name != "digits" and not self.path:
            raise InputError(
                f"the data set {self.name} needs a path: folders or zips of class folders"
                f"{', or the folder cifar-100-python' if self.name == 'cifar-100' else ''}."
            )
        for field, least in (("train", 2), ("valid", 1), ("size", 4), ("seed", 0)):
            value = getattr(self, field)
            if value is not None and value < least:
                raise InputError(f"data: {field} = {value}, but must be at least {least}.")

    @property
    def paths(self) -> tuple[str, ...]:
        """The sources, also where one is given."""
        path = (self.path,) if isinstance(self.path, str | Path) else self.path
        return tuple(str(each) for each in path)


@dataclass(frozen=True, eq=False)
class ImageData:
    """Images with their classes.

    Parameters
    ----------
    images : numpy.ndarray of uint8, shape (n, 3, height, width)
        RGB.
    labels : numpy.ndarray of int64, shape (n,)
        Index into `classes`.
    classes : tuple of str
        The classes' names, sorted.
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of an image, in pixels."""
        _, channels, height, width = self.images.shape
        return channels, height, width

    def __repr__(self) -> str:
        _, height, width = self.shape
        return f"<ImageData: {len(self)} images {height}×{width}, {len(self.classes)} classes>"


@dataclass(frozen=True, eq=False)
class Split:
    """Images to train on and images for P, none in both.

    Parameters
    ----------
    train, valid : ImageData
        Of the same classes.
    content_hash : str
        Of all images that they were drawn from.
    """

    train: ImageData
    valid: ImageData
    content_hash: str

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes' names, sorted."""
        return self.train.classes


def load_data(spec: DataSpec) -> Split:
    """Read images and split them.

    A spec with a content hash is read once per process, and from the cache where
    another process decoded it before.

    Parameters
    ----------
    spec : DataSpec
        What to read.

    Returns
    -------
    Split
        The validation images depend on `seed` and `valid` alone; a smaller `train`
        is a part of a larger one. Both hold each class in its share.

    Raises
    ------
    InputError
        If paths or images are missing, are not what the hash says, or are fewer
        than wanted.

    Examples
    --------
    >>> load_data(DataSpec("digits", train=64, valid=100)).train
    <ImageData: 64 images 16×16, 10 classes>
    """
    return _load_split(spec if spec.content_hash else pin_data(spec))


def pin_data(spec: DataSpec) -> DataSpec:
    """Return the spec with the hash of the images that it names now.

    Raises
    ------
    InputError
        If paths are missing.
    """
    if spec.name == "digits":
        return dataclasses.replace(spec, content_hash=_digits(spec).content_hash)
    return dataclasses.replace(spec, content_hash=hash_sources(spec.paths))


@lru_cache(maxsize=2)
def _load_split(spec: DataSpec) -> Split:
    source = _SOURCES[spec.name](spec)
    if source.content_hash != spec.content_hash:
        raise InputError(
            f"the data set {spec.name} {list(spec.paths)} has changed: its hash is "
            f"{source.content_hash[:12]}…, but {str(spec.content_hash)[:12]}… was expected."
        )
    n = len(source.labels)
    share = 4 if spec.name == "digits" else 10
    valid = max(1, n // share) if spec.valid is None else spec.valid
    train = n - valid if spec.train is None else spec.train
    if train < 2 or valid + train > n:
        wanted = f"{train} to train on and {valid} for validation are wanted"
        if spec.train is None:
            wanted = f"{valid} for validation leave {max(0, train)} to train on"
        raise InputError(
            f"the data set {spec.name} has {n} images, but {wanted} (at least 2 and 1); "
            f"set {'data.valid' if spec.train is None else 'data.train and data.valid'} lower."
        )
    order = stratified_order(source.labels, spec.seed)
    return Split(
        _part(source, order[valid : valid + train]),
        _part(source, order[:valid]),
        source.content_hash,
    )


def stratified_order(labels: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.int64]:
    """Shuffle so that every stretch holds each class in its share.

    Parameters
    ----------
    labels : numpy.ndarray of int64, shape (n,)
        The class of each image.
    seed : int
        Of the shuffle.

    Returns
    -------
    numpy.ndarray of int64, shape (n,)
        A permutation of the images.

    Examples
    --------
    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> [int(np.bincount(labels[stratified_order(labels, s)[:3]])[1]) for s in range(4)]
    [1, 1, 1, 1]
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = shuffled[labels[shuffled] == label]
        place[own] = (np.arange(len(own)) + 0.5) / len(own)
    # Classes of one size tie at every place: broken at random, not by the class' number.
    return np.lexsort((generator.permutation(len(labels)), place))


def _part(source: LabelledImages, chosen: npt.NDArray[np.int64]) -> ImageData:
    images = np.ascontiguousarray(np.asarray(source.images[chosen]).transpose(0, 3, 1, 2))
    return ImageData(images, source.labels[chosen], source.classes)


def _files(spec: DataSpec) -> LabelledImages:
    wanted = spec.content_hash or ""
    return read_sources(spec.paths, size=spec.size, content_hash=wanted, cache=cache_folder())


def _cifar(spec: DataSpec) -> LabelledImages:
    source = _files(spec)
    if len(source.classes) != 100:
        raise InputError(
            f"{list(spec.paths)} hold {len(source.classes)} classes (first: "
            f"{list(source.classes[:3])}), but CIFAR-100 has 100; for other images say "
            'name = "image-folders".'
        )
    return source


def _digits(spec: DataSpec) -> LabelledImages:
    from neurosage.data.registry import load_stimuli

    stimuli = load_stimuli("digits")
    images = np.stack([stimuli.image(i) for i in range(DIGITS_FOR_P)])
    labels = stimuli.table["label"].to_numpy()[:DIGITS_FOR_P].astype(np.int64)
    classes = tuple(str(digit) for digit in range(10))
    return LabelledImages(resize(images, spec.size), labels, classes, stimuli.content_hash())


_SOURCES: dict[str, Callable[[DataSpec], LabelledImages]] = {
    "digits": _digits,
    "cifar-100": _cifar,
    "image-folders": _files,
}
