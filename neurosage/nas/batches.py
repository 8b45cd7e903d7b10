"""Batches: images that lie on the device, cropped, flipped and scaled as the recipe says."""

from __future__ import annotations

import torch
from torch.nn import functional

from neurosage.errors import InputError
from neurosage.models.preprocess import Preprocessing
from neurosage.nas.datasets import ImageData
from neurosage.nas.recipes import Recipe


def preprocessing_of(recipe: Recipe, size: tuple[int, int]) -> Preprocessing:
    """Return what brings a teacher's stimuli into the form that the recipe trains on.

    Parameters
    ----------
    recipe : Recipe
        Says how pixels are scaled.
    size : tuple of int
        Height and width of the training images, pixels.

    Returns
    -------
    Preprocessing
        Bicubic to `size`, then as in training.

    Examples
    --------
    >>> from neurosage.nas.recipes import get_recipe
    >>> preprocessing_of(get_recipe("digits"), (16, 16)).per_image
    True
    """
    if recipe.per_image:
        return Preprocessing(size=size, per_image=True)
    return Preprocessing(size=size, mean=(0.5,) * 3, std=(0.5,) * 3)


class Batches:
    """Endless batches in seeded order, cropped and flipped on the device.

    Randomness is drawn on the CPU, so that every device sees the same images.

    Parameters
    ----------
    data : ImageData
        Put on the device as uint8, padded once.
    recipe : Recipe
        Batch size, padding, flips, scaling.
    seed : int
        Of order, crops and flips.
    device : str or torch.device
        Where the batches are made.
    """

    def __init__(
        self, data: ImageData, recipe: Recipe, *, seed: int, device: str | torch.device
    ) -> None:
        if len(data) < 2:
            raise InputError(f"training needs at least 2 images, but there are {len(data)}.")
        self.recipe, self.size = recipe, data.shape[1:]
        self.transform = preprocessing_of(recipe, self.size).transform
        self.labels = torch.from_numpy(data.labels).to(device)
        images = torch.from_numpy(data.images).to(device)
        # A view of every crop of every image: one gather crops a whole batch.
        padded = functional.pad(images, (recipe.pad,) * 4) if recipe.pad else images
        self.crops = padded.unfold(2, self.size[0], 1).unfold(3, self.size[1], 1)
        self.generator = torch.Generator().manual_seed(seed)
        self.sizes = _batch_sizes(len(data), recipe.batch)
        self.waiting: list[torch.Tensor] = []

    @property
    def per_epoch(self) -> int:
        """Batches in one pass over the images."""
        return len(self.sizes)

    def next(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return images, float32 (batch, 3, height, width), and labels (batch,)."""
        if not self.waiting:
            order = torch.randperm(len(self.labels), generator=self.generator)
            self.waiting = list(torch.split(order[: sum(self.sizes)], self.sizes))[::-1]
        chosen = self.waiting.pop()
        shifts = 2 * self.recipe.pad + 1
        dy, dx = torch.randint(shifts, (2, len(chosen)), generator=self.generator)
        device = self.labels.device
        chosen = chosen.to(device)
        images = self.crops[chosen, :, dy.to(device), dx.to(device)]
        if self.recipe.flip:
            flip = torch.rand(len(chosen), generator=self.generator).to(device) < 0.5
            images = torch.where(flip[:, None, None, None], images.flip(3), images)
        return self.transform(images), self.labels[chosen]


def _batch_sizes(n: int, batch: int) -> list[int]:
    """Sizes of an epoch's batches; a single image left over has no batch statistics."""
    full, rest = divmod(n, batch)
    return [batch] * full + ([rest] if rest > 1 else [])
