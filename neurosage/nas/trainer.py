"""The training loop: SGD on images that lie on the device as tensors."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from neurosage.errors import InputError, NeurosageError
from neurosage.nas.batches import Batches, preprocessing_of
from neurosage.nas.datasets import ImageData
from neurosage.nas.recipes import Recipe

OnStep = Callable[[int, int], None]


class TrainingDiverged(NeurosageError, ArithmeticError):  # noqa: N818  # a fate, not a fault
    """The loss became NaN or infinite."""


@dataclass(frozen=True, eq=False)
class TrainResult:
    """What a training did.

    Parameters
    ----------
    examples : int
        Images seen, repeats counted.
    steps : int
        Steps of the optimiser.
    losses : numpy.ndarray of float32, shape (steps,)
        Cross-entropy of each batch, nats, before its step.
    seconds : float
        Wall time.
    """

    examples: int
    steps: int
    losses: npt.NDArray[np.float32]
    seconds: float


def memory_format(device: str | torch.device) -> torch.memory_format:
    """Return the faster layout of images and weights on a device.

    On CPUs channels-last trains networks of the convnet space in about two thirds of
    the time (``tests/benchmarks/bench_channels_last.py``); elsewhere it is left as it is.

    Examples
    --------
    >>> memory_format("cpu")
    torch.channels_last
    """
    cpu = torch.device(device).type == "cpu"
    return torch.channels_last if cpu else torch.contiguous_format


def train(
    model: nn.Module,
    data: ImageData,
    recipe: Recipe,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str | torch.device = "cpu",
    on_step: OnStep | None = None,
) -> TrainResult:
    """Train a network for a stated budget.

    Parameters
    ----------
    model : torch.nn.Module
        Takes (n, 3, height, width), gives logits (n, classes). Changed in place,
        moved to `device`, left in training mode.
    data : ImageData
        The training images; all of them are put on the device.
    recipe : Recipe
        How to train.
    epochs, steps : int
        The budget, one of them; 0 leaves the weights as they are. An epoch sees
        each image once; of its last batch a single image is left out.
    seed : int
        Of the order of the images, the crops and the flips.
    device : str or torch.device
        Where to train.
    on_step : callable, optional
        Called with (steps done, steps in all): before the first step and after each.

    Returns
    -------
    TrainResult
        Examples, steps, losses, seconds.

    Raises
    ------
    InputError
        If not exactly one of `epochs` and `steps` is given, or there are no images.
    TrainingDiverged
        If the loss becomes NaN or infinite; names the step.

    Examples
    --------
    >>> data = ImageData(np.zeros((8, 3, 4, 4), np.uint8), np.zeros(8, np.int64), ("a", "b"))
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    >>> result = train(net, data, Recipe("small", batch=4, pad=1), epochs=2)
    >>> result.examples, result.steps, result.losses.shape
    (16, 4, (4,))
    """
    started = time.perf_counter()
    batches = Batches(data, recipe, seed=seed, device=device)
    total = _steps(epochs, steps, batches.per_epoch)
    layout = memory_format(device)
    model.to(device=device, memory_format=layout).train()  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(
        model.parameters(),
        lr=recipe.lr,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )
    drops = recipe.lr_drop_epochs * batches.per_epoch
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, max(1, drops), recipe.lr_drop)
    losses = np.empty(total, np.float32)
    examples = 0
    if on_step:
        on_step(0, total)
    for step in range(total):
        images, labels = batches.next()
        loss = functional.cross_entropy(model(images.contiguous(memory_format=layout)), labels)
        losses[step] = loss.item()
        if not np.isfinite(losses[step]):
            raise TrainingDiverged(
                f"the loss became {losses[step]} at step {step + 1} of {total}; "
                "a lower learning rate or a clipped gradient may help."
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if recipe.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimiser.step()
        schedule.step()
        examples += len(labels)
        if on_step:
            on_step(step + 1, total)
    return TrainResult(examples, total, losses, time.perf_counter() - started)


def _steps(epochs: int | None, steps: int | None, per_epoch: int) -> int:
    if (epochs is None) == (steps is None):
        raise InputError(f"give epochs or steps, one of them: got {epochs=}, {steps=}.")
    total = steps if steps is not None else (epochs or 0) * per_epoch
    if total < 0:
        raise InputError(f"a budget is at least 0 steps, not {total}.")
    return total


def accuracy(
    model: nn.Module,
    data: ImageData,
    recipe: Recipe,
    *,
    device: str | torch.device = "cpu",
    batch_size: int = 64,
) -> float:
    """Measure top-1 accuracy, in evaluation mode.

    Parameters
    ----------
    model : torch.nn.Module
        Gives logits (n, classes); its training mode is restored.
    data : ImageData
        The validation images, neither cropped nor flipped.
    recipe : Recipe
        Says how pixels are scaled.
    device : str or torch.device
        Where to run.
    batch_size : int
        Images in a batch.

    Returns
    -------
    float
        In [0, 1]; NaN logits count as wrong.

    Examples
    --------
    >>> data = ImageData(np.zeros((4, 3, 4, 4), np.uint8), np.zeros(4, np.int64), ("a", "b"))
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    >>> accuracy(net, data, Recipe("small")) in (0.0, 1.0)
    True
    """
    transform = preprocessing_of(recipe, data.shape[1:]).transform
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels).to(device)
    layout, training = memory_format(device), model.training
    model.to(device=device, memory_format=layout).eval()  # type: ignore[call-overload]
    right = 0
    try:
        with torch.inference_mode():
            for start in range(0, len(data), batch_size):
                batch = transform(images[start : start + batch_size].to(device))
                logits = model(batch.contiguous(memory_format=layout))
                hits = logits.argmax(1) == labels[start : start + batch_size]
                right += int((hits & logits.isfinite().all(1)).sum())
    finally:
        model.train(training)
    return right / len(data)
