"""Images with classes: what candidates are trained and validated on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSpec:
    """Which images, how many, how large.

    Parameters
    ----------
    name : str
        ``digits``, ``cifar-100``, or ``image-folders``.
    path : tuple of str
        Where the files are: torchvision's folder ``cifar-100-python``, or folders
        or zips of class folders, which are merged by class name.
    train : int, optional
        Images to train on, the same number of each class; all if omitted.
    valid : int, optional
        Images set aside for P; a tenth if omitted, of digits a quarter.
    size : int, optional
        Height and width in pixels; as they are if omitted.
    seed : int
        Of the split.
    content_hash : str, optional
        What the files must contain; `pin` fills it in.
    """

    name: str
    path: tuple[str, ...] = ()
    train: int | None = None
    valid: int | None = None
    size: int | None = None
    seed: int = 0
    content_hash: str | None = None
