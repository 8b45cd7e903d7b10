"""What is done to images before a network sees them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from neurosage.errors import InputError, unknown

INTERPOLATIONS = ("bicubic", "bilinear", "nearest")
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CHUNK = 64


class Images(Protocol):
    """What is preprocessed: a stimulus set, or anything that counts and shows images."""

    def __len__(self) -> int:
        """The number of images."""

    def image(self, i: int) -> npt.NDArray[np.uint8]:
        """Image i, shape (height, width, 3)."""


@dataclass(frozen=True)
class Preprocessing:
    """Resize images, scale them to [0, 1], and standardise them.

    The whole image is resized, nothing is cropped: what the animal saw, the
    network sees. Downscaling is antialiased.

    Parameters
    ----------
    size : (int, int), optional
        Height and width in pixels that the network gets; None leaves images as
        they are, and they must then all have one size.
    interpolation : {"bicubic", "bilinear", "nearest"}
        How to resize.
    mean, std : (float, float, float)
        Per channel (red, green, blue), subtracted and divided after scaling.
    per_image : bool
        Afterwards bring every image to mean 0 and standard deviation 1 over all
        its pixels and channels.

    Examples
    --------
    >>> p = Preprocessing(size=(8, 8))
    >>> p.transform(torch.zeros(5, 3, 16, 16, dtype=torch.uint8)).shape
    torch.Size([5, 3, 8, 8])
    """

    size: tuple[int, int] | None = None
    interpolation: str = "bicubic"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    per_image: bool = False

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise unknown("interpolation", self.interpolation, INTERPOLATIONS)
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise InputError(f"size is (height, width) in pixels, at least 1, not {self.size}.")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise InputError(
                f"mean and std hold one number for each of 3 channels, std above 0, "
                f"but are {self.mean} and {self.std}."
            )

    def transform(self, images: torch.Tensor) -> torch.Tensor:
        """Preprocess images of one size.

        Parameters
        ----------
        images : torch.Tensor, shape (n, 3, H, W)
            uint8, or floats that range over [0, 255].

        Returns
        -------
        torch.Tensor, shape (n, 3, height, width)
            float32, on the device of `images`.

        Raises
        ------
        InputError
            If `images` are not of that shape.
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise InputError(f"images have shape (n, 3, H, W), but these {tuple(images.shape)}.")
        scaled = self._resize(images.float()) / 255.0
        mean, std = (scaled.new_tensor(v).view(1, 3, 1, 1) for v in (self.mean, self.std))
        scaled = (scaled - mean) / std
        return standardise(scaled) if self.per_image else scaled

    def _resize(self, images: torch.Tensor) -> torch.Tensor:
        if self.size is None or tuple(images.shape[2:]) == tuple(self.size):
            return images
        if self.interpolation == "nearest":
            return functional.interpolate(images, size=self.size, mode="nearest")
        resized = functional.interpolate(
            images, size=self.size, mode=self.interpolation, antialias=True
        )
        return resized.clamp_(0.0, 255.0)

    def batches(self, stimuli: Images, batch_size: int = CHUNK) -> Iterator[torch.Tensor]:
        """Preprocess stimuli batch by batch; memory is that of one batch.

        Parameters
        ----------
        stimuli : StimulusSet
            Anything with ``len()`` and ``image(i)``, uint8 (H, W, 3).
        batch_size : int
            Images in a batch.

        Yields
        ------
        torch.Tensor, shape (at most batch_size, 3, height, width)
            float32, in the order of the stimuli.

        Raises
        ------
        InputError
            If `size` is None and the images differ in size.
        """
        if batch_size < 1:
            raise InputError(f"batch_size is at least 1, not {batch_size}.")
        for start in range(0, len(stimuli), batch_size):
            stop = min(start + batch_size, len(stimuli))
            images = [stimuli.image(i) for i in range(start, stop)]
            if self.size is None:
                _check_sizes([stimuli.image(0), *images], start - 1)
            yield self._together(images)

    def _together(self, images: list[npt.NDArray[np.uint8]]) -> torch.Tensor:
        if len({image.shape for image in images}) == 1:
            return self.transform(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2))
        return torch.cat([self._together([image]) for image in images])

    def apply(self, stimuli: Images) -> torch.Tensor:
        """Preprocess all stimuli into one tensor.

        Parameters
        ----------
        stimuli : StimulusSet
            Anything with ``len()`` and ``image(i)``, uint8 (H, W, 3).

        Returns
        -------
        torch.Tensor, shape (n, 3, height, width)
            float32; n·height·width·12 bytes.

        Raises
        ------
        InputError
            If there are no stimuli, or their sizes differ and `size` is None.
        """
        if not len(stimuli):
            raise InputError("there are no stimuli to preprocess.")
        prepared: torch.Tensor | None = None
        filled = 0
        for batch in self.batches(stimuli):
            if prepared is None:
                prepared = batch.new_empty((len(stimuli), *batch.shape[1:]))
            prepared[filled : filled + len(batch)] = batch
            filled += len(batch)
        assert prepared is not None
        return prepared

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as plain values, for provenance."""
        return asdict(self)

    def key(self) -> str:
        """Return a hash of the settings: equal keys, equal preprocessing.

        Examples
        --------
        >>> Preprocessing().key() == Preprocessing(size=None).key()
        True
        """
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    @classmethod
    def from_torchvision(cls, weights: Any) -> Preprocessing:
        """Take size, interpolation, mean and std from torchvision weights.

        Parameters
        ----------
        weights : torchvision.models.WeightsEnum
            Such as ``ResNet50_Weights.IMAGENET1K_V2``.

        Returns
        -------
        Preprocessing
            With the crop's size, to which the whole image is resized.

        Raises
        ------
        InputError
            If the weights do not describe an image transform.
        """
        transform = weights.transforms()
        try:
            (side,) = set(transform.crop_size)
            return cls(
                size=(side, side),
                interpolation=str(transform.interpolation.value),
                mean=tuple(transform.mean),
                std=tuple(transform.std),
            )
        except (AttributeError, ValueError) as error:
            raise InputError(
                f"{weights} do not describe how images are preprocessed; give preprocessing=…."
            ) from error


def _check_sizes(images: list[npt.NDArray[np.uint8]], first: int) -> None:
    for i, image in enumerate(images, first):
        if image.shape != images[0].shape:
            raise InputError(
                f"stimuli differ in size: the first has (H, W) {images[0].shape[:2]}, number {i} "
                f"has {image.shape[:2]}; give the preprocessing a size."
            )


def standardise(images: torch.Tensor) -> torch.Tensor:
    """Bring every image to mean 0 and standard deviation 1.

    Parameters
    ----------
    images : torch.Tensor, shape (n, channels, height, width)
        Floats.

    Returns
    -------
    torch.Tensor
        Same shape; statistics over all pixels and channels of an image. The
        divisor is at least 1/√(number of values), so a uniform image gives 0.

    Examples
    --------
    >>> standardise(torch.tensor([[[[0.0, 2.0]]]])).flatten().tolist()
    [-1.0, 1.0]
    """
    flat = images.flatten(1)
    shape = (-1, *([1] * (images.ndim - 1)))
    mean = flat.mean(1).view(shape)
    floor = flat.shape[1] ** -0.5
    return (images - mean) / flat.std(1, correction=0).clamp_min(floor).view(shape)
