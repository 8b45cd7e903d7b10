"""A candidate: built, counted and trained as its task says; what fails is its own failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from neurosage.nas.datasets import Split
from neurosage.nas.seeds import derive_seed
from neurosage.nas.space import Space
from neurosage.nas.task import CandidateFailed, Progress, Task

if TYPE_CHECKING:
    from torch import nn

    from neurosage.nas.trainer import TrainResult


@contextmanager
def blamed_on_candidate(what: str) -> Iterator[None]:
    """Turn an error of the candidate's own making into its failure."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError) as error:
        raise CandidateFailed(f"{what}: {error}") from error


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
        raise CandidateFailed(
            f"the network needs {macs / 1e6:.1f} million multiply-accumulates an image, more "
            f"than max_macs = {task.max_macs / 1e6:.1f} million."
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

    with blamed_on_candidate("training failed"):
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
