"""A candidate: built, counted, trained and asked as its task says; what is its own failure."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from neurosage.nas.datasets import Split
from neurosage.nas.seeds import derive_seed
from neurosage.nas.space import Space
from neurosage.nas.task import CandidateFailed, CandidateRefused, Progress, Task

if TYPE_CHECKING:
    from torch import nn

    from neurosage.nas.trainer import TrainResult


# What Python and torch raise where a network does not fit together.
OWN = (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError)
ACCELERATOR = re.compile(
    r"\b(CUDA|HIP|cuDNN|MIOpen|NCCL|XPU|driver|Triton) (error|failure|initialization)"
    r"|\b(CUBLAS|CUDNN|CUFFT|CUSOLVER|CUSPARSE|HIPBLAS|ROCBLAS|MIOPEN)_STATUS_|\bMPS backend",
    re.IGNORECASE,
)


@contextmanager
def blamed_on_candidate(what: str) -> Iterator[None]:
    """Turn an error within into the candidate's failure, unless the accelerator's.

    Only what the network does itself, being built or run, or what it answered, belongs
    within: errors of data, teachers and settings are no candidate's.

    Parameters
    ----------
    what : str
        What could not be done, such as ``"the network cannot be built"``.

    Raises
    ------
    CandidateFailed
        If it could not.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except OWN as error:
        if is_accelerators(error):
            raise
        raise CandidateFailed(f"{what}: {error}") from error


def is_accelerators(error: BaseException) -> bool:
    """Tell whether an error is one of the accelerator, its driver or its libraries.

    Examples
    --------
    >>> is_accelerators(RuntimeError("CUDA error: an illegal memory access was encountered"))
    True
    >>> is_accelerators(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    False
    """
    import torch

    kind = getattr(torch, "AcceleratorError", ())  # from torch 2.8 on, and not for all of them
    if isinstance(error, kind) or ACCELERATOR.search(str(error)):
        return True
    return error.__cause__ is not None and is_accelerators(error.__cause__)


@contextmanager
def running(model: nn.Module, what: str) -> Iterator[None]:
    """Turn an error of the network's forward pass into the candidate's failure.

    What else goes wrong meanwhile, where images are read or responses compared, passes.

    Parameters
    ----------
    model : torch.nn.Module
        The candidate, called by whatever runs within.
    what : str
        What fails then, such as ``"training failed"``.

    Raises
    ------
    CandidateFailed
        If its forward pass failed, unless the accelerator did.
    """
    inside = False

    def enter(*_: Any) -> None:
        nonlocal inside
        inside = True

    def leave(*_: Any) -> None:
        nonlocal inside
        inside = False

    # A hook after the pass is left out where the pass raised: then it is still inside.
    hooks = [
        model.register_forward_pre_hook(enter, prepend=True),
        model.register_forward_hook(leave),
    ]
    try:
        yield
    except OWN:
        if not inside:
            raise
        with blamed_on_candidate(what):
            raise
    finally:
        for hook in hooks:
            hook.remove()


def build(space: Space, task: Task, split: Split, device: str) -> nn.Module:
    """Build a candidate with its own initial weights; on ``meta`` it has none."""
    import torch

    seed = derive_seed(task.seed, task.k, "initialise")
    with (
        blamed_on_candidate("the network cannot be built"),
        torch.random.fork_rng(devices=[]),
        torch.device(device),
    ):
        torch.manual_seed(seed)
        return space.build(task.architecture, classes=len(split.classes), image=split.train.shape)


def count(space: Space, task: Task, split: Split) -> tuple[int, int]:
    """Count multiply-accumulates an image and parameters; too many are a failure."""
    from neurosage.nas.macs import count_macs

    model = build(space, task, split, "meta")
    with blamed_on_candidate("the network cannot run"):
        macs, parameters = count_macs(model, split.train.shape)
    if task.max_macs is not None and macs > task.max_macs:
        raise CandidateRefused(
            f"the network needs {macs:,} multiply-accumulates an image, more than "
            f"max_macs = {task.max_macs:,.12g}."
        )
    return macs, parameters


def train(
    model: nn.Module, split: Split, task: Task, progress: Callable[[Progress], None] | None
) -> TrainResult:
    """Train a candidate for its task's budget, from its own order of images."""
    from neurosage.nas import trainer

    started = time.perf_counter()

    def on_step(step: int, steps: int) -> None:
        if progress:
            progress(Progress(task.k, step, steps, time.perf_counter() - started))

    try:
        with running(model, "training failed"):
            return trainer.train(
                model,
                split.train,
                task.recipe,
                epochs=task.epochs,
                steps=task.steps,
                seed=derive_seed(task.seed, task.k, "order"),
                device=task.device,
                on_step=on_step,
            )
    except trainer.TrainingDiverged as error:
        raise CandidateFailed(f"training failed: {error}") from error


def validate(model: nn.Module, split: Split, task: Task) -> float:
    """Measure a candidate's accuracy on the images set aside, in [0, 1]."""
    from neurosage.nas import trainer

    with running(model, "validation failed"):
        return trainer.accuracy(model, split.valid, task.recipe, device=task.device)
