"""Tasks: everything that decides an evaluation, sent to wherever it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from neurosage.errors import InputError, NeurosageError, unknown
from neurosage.nas.datasets import DataSpec
from neurosage.nas.recipes import Recipe
from neurosage.nas.space import Architecture
from neurosage.rsa.responses.missing import check_policy


class CandidateFailed(NeurosageError, RuntimeError):  # noqa: N818  # a fate, not a fault
    """A candidate could not be evaluated, for a reason that lies in itself."""

    @property
    def reason(self) -> str:
        """What went wrong, one sentence."""
        return str(self.args[0])


class CandidateRefused(CandidateFailed):
    """A candidate breaks a limit that the search has set, such as ``max_macs``."""


@dataclass(frozen=True)
class TeacherSpec:
    """A teacher to listen to.

    Parameters
    ----------
    id : str
        Registered id, with its part, or a folder with a card.
    regions : tuple of str, optional
        Those to listen to; all if omitted.
    normalise : str, optional
        Normalisation of its neuroids; its card's if omitted.
    nan : {"raise", "drop-stimulus", "drop-neuroid"}
        What to do about its missing responses.
    content_hash : str, optional
        What the teacher must hold; filled in by :func:`pin_teacher`.
    """

    id: str
    regions: tuple[str, ...] | None = None
    normalise: str | None = None
    nan: str = "raise"
    content_hash: str | None = None

    def __post_init__(self) -> None:
        """Take any sequence of regions, and refuse none at all; know the policy."""
        check_policy(self.nan)
        if self.regions is not None:
            object.__setattr__(self, "regions", tuple(self.regions))
            if not self.regions:
                raise InputError(f"teacher {self.id!r}: name regions, or leave them out for all.")


def pin_teacher(spec: TeacherSpec) -> TeacherSpec:
    """Return the spec with the hash of what the teacher holds now.

    Raises
    ------
    InputError
        If there is no such teacher, or not all of its regions.
    """
    from neurosage.data.registry import load_teacher

    teacher = load_teacher(spec.id)
    for region in spec.regions or ():
        if region not in teacher.regions:
            raise unknown(f"region of {spec.id}", region, teacher.regions)
    return replace(spec, content_hash=teacher.content_hash())


@dataclass(frozen=True)
class Task:
    """Everything that decides an evaluation; picklable, sent to workers.

    Parameters
    ----------
    k : int
        Number of the candidate in its search, from 0.
    attempt : int
        From 1; a retry repeats the seeds.
    architecture : mapping
        Assigns the choices of the space.
    space : str
        Registered id of the space, such as ``convnet-10``.
    space_options : mapping
        Keyword arguments of the space, such as ``{"filters": (8, 16)}``.
    data : DataSpec
        The images that train and validate it.
    recipe : Recipe
        How it is trained.
    epochs : int, optional
        Budget in epochs; exactly one of `epochs` and `steps`.
    steps : int, optional
        Budget in steps; 0 leaves the network untrained.
    teachers : tuple of TeacherSpec
        Those to listen to; TG is the mean over all their regions.
    units : int
        Units recorded per layer, at most.
    distance, comparison, backend : str
        How similarity is measured.
    alpha : float
        Weight of TG in the score.
    performance_weight : float
        Weight of P in the score.
    seed : int
        Seed of the search; the candidate's own are derived from it and `k`.
    threads : int
        Threads of the computation; rounding depends on them.
    device : str
        Such as ``cpu`` or ``cuda``.
    max_macs : float, optional
        Networks with more multiply-accumulates per image fail before training.
    """

    k: int
    architecture: Architecture
    space: str
    data: DataSpec
    recipe: Recipe
    teachers: tuple[TeacherSpec, ...]
    attempt: int = 1
    space_options: Mapping[str, Any] = field(default_factory=dict)
    epochs: int | None = None
    steps: int | None = None
    units: int = 1000
    distance: str = "correlation"
    comparison: str = "pearson"
    backend: str = "torch"
    alpha: float = 1.0
    performance_weight: float = 1.0
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    max_macs: float | None = None

    def __post_init__(self) -> None:
        """Refuse what could never be evaluated."""
        if (self.epochs is None) == (self.steps is None):
            raise InputError(
                f"give the budget as epochs or as steps, one of them: epochs = {self.epochs}, "
                f"steps = {self.steps}."
            )
        rules = {
            "epochs": (self.epochs is None or self.epochs >= 0, "at least 0"),
            "steps": (self.steps is None or self.steps >= 0, "at least 0"),
            "units": (self.units >= 2, "at least 2"),
            "threads": (self.threads >= 1, "at least 1"),
            "performance_weight": (self.performance_weight >= 0, "at least 0"),
            "seed": (self.seed >= 0, "at least 0"),
        }
        for name, (kept, rule) in rules.items():
            if not kept:
                raise InputError(f"{name} = {getattr(self, name)!r}, but must be {rule}.")
        if not self.teachers:
            raise InputError("a search listens to at least one teacher: name one.")


@dataclass(frozen=True)
class Progress:
    """How far the training of a candidate has come.

    Parameters
    ----------
    k : int
        Number of the candidate.
    step, steps : int
        Steps done, and in all.
    seconds : float
        Since the first step began.
    """

    k: int
    step: int
    steps: int
    seconds: float

    @property
    def eta(self) -> float:
        """Seconds that training will still take at the pace so far; NaN before a step."""
        if not self.step:
            return float("nan")
        return self.seconds / self.step * (self.steps - self.step)
