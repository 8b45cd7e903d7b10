"""The evaluator: one architecture, trained briefly, scored by P + α·TG."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from neurosage.nas.candidate import blamed_on_candidate, build, count, train, validate
from neurosage.nas.catalogue import make_space
from neurosage.nas.datasets import load_data, pin_data
from neurosage.nas.evaluation import Evaluation
from neurosage.nas.provenance import provenance
from neurosage.nas.seeds import derive_seed
from neurosage.nas.space import check_architecture
from neurosage.nas.task import CandidateFailed, Progress, Task, TeacherSpec, pin_teacher

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "CandidateFailed",
    "Evaluation",
    "Progress",
    "Task",
    "TeacherSpec",
    "evaluate",
    "pin",
    "record_again",
]


def pin(task: Task) -> Task:
    """Check all that a search needs, read it once, and fill in content hashes.

    Called once, in the search process, before anything costly; the tasks of the
    candidates are then ``dataclasses.replace(pinned, k=…, architecture=…)``. What
    is pinned, a worker reads once and keeps; what it finds changed, it refuses.

    Parameters
    ----------
    task : Task
        Any task of the search; its architecture is not looked at.

    Returns
    -------
    Task
        The same, with the content hashes of data and teachers.

    Raises
    ------
    InputError
        If a space, an option, a device, a path, a teacher, a region, a distance, a
        comparison or a normalisation is none that there is, or there are fewer
        images than wanted.
    """
    from neurosage.models.device import check_device
    from neurosage.nas.batches import preprocessing_of
    from neurosage.nas.listening import listeners

    make_space(task.space, task.space_options)
    check_device(task.device)
    data = task.data if task.data.content_hash else pin_data(task.data)
    teachers = tuple(spec if spec.content_hash else pin_teacher(spec) for spec in task.teachers)
    pinned = replace(task, data=data, teachers=teachers)
    listeners(pinned, preprocessing_of(task.recipe, load_data(data).train.shape[1:]))
    return pinned


def evaluate(task: Task, progress: Callable[[Progress], None] | None = None) -> Evaluation:
    """Train one candidate for its budget and score it: P, similarities, TG, P + α·TG.

    The same task gives the same numbers to the last bit on CPUs of one kind, with the
    same versions and number of threads; on GPUs only nearly so. What data and teachers
    need is prepared once in a process and kept.

    Parameters
    ----------
    task : Task
        What to evaluate; pinned by :func:`pin`, or else read anew.
    progress : callable, optional
        Called before the first step of training and after each.

    Returns
    -------
    Evaluation
        Similarity of every layer to every region, P, TG, score, costs, provenance.
        P is NaN where nothing is trained and P has no weight.

    Raises
    ------
    CandidateFailed
        If the reason lies in the candidate: it cannot be built or run, has more
        than ``max_macs``, its loss or its responses become NaN or infinite, or no
        layer has an RDM.
    InputError
        If the reason lies in the task: data, teachers, distances, an architecture
        that is none of the space's.
    Exception
        Whatever else goes wrong, such as an error of the accelerator or of a backend:
        no fault of the candidate's.

    References
    ----------
    ``TG = mean_i max_j r(M^{T_i}, M^{C_j})`` over regions i of all teachers and
    layers j; ``score = performance_weight · P + α · TG``.
    """
    import torch

    watch = _Watch()
    try:
        with _threads(task.threads):
            return _evaluate(task, watch, progress)
    except torch.OutOfMemoryError as error:
        raise CandidateFailed(f"the device's memory is too small for it: {error}") from error


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _evaluate(task: Task, watch: _Watch, progress: Callable[[Progress], None] | None) -> Evaluation:
    from neurosage.nas.batches import preprocessing_of
    from neurosage.nas.listening import listen, listeners
    from neurosage.scoring.result import teacher_guidance

    space = make_space(task.space, task.space_options)
    check_architecture(space, task.architecture)
    split = load_data(task.data)
    teachers = listeners(task, preprocessing_of(task.recipe, split.train.shape[1:]))
    watch.lap("prepare")
    macs, parameters = count(space, task, split)
    model = build(space, task, split, "cpu")
    watch.lap("build")
    trained = train(model, split, task, progress)
    watch.lap("train")
    measured = bool(trained.steps or task.performance_weight)
    P = validate(model, split, task) if measured else math.nan
    watch.lap("validate")
    seed = derive_seed(task.seed, task.k, "units")
    layers = space.layers(task.architecture)
    heard = listen(model, layers, teachers, units=task.units, seed=seed, device=task.device)
    with blamed_on_candidate("its responses to the teachers' stimuli cannot be compared"):
        TG = teacher_guidance(heard.similarity.drop_vars("teacher"))
    watch.laps |= {"record": heard.seconds_record, "similarity": heard.seconds_similarity}
    score = task.alpha * TG + (task.performance_weight * P if task.performance_weight else 0.0)
    return Evaluation.from_parts(
        heard.similarity.values,
        regions=list(heard.similarity["region"].values),
        teachers=list(heard.similarity["teacher"].values),
        layers=list(heard.similarity["layer"].values),
        numbers={
            "P": P,
            "TG": TG,
            "score": score,
            "parameters": parameters,
            "macs": macs,
            "examples": trained.examples,
            "steps": trained.steps,
            "seconds": watch.total(),
            **{f"seconds_{name}": seconds for name, seconds in watch.laps.items()},
        },
        losses=trained.losses,
        attrs=provenance(task, split, teachers) | {"undefined": json.dumps(heard.undefined)},
    )


def record_again(task: Task) -> list[xr.DataArray]:
    """Train a candidate as `evaluate` does and return what its layers answer.

    Parameters
    ----------
    task : Task
        That of a finished evaluation.

    Returns
    -------
    list of xarray.DataArray
        An assembly per teacher, over its stimuli, region = layer: the very responses
        that the candidate was scored by.

    Raises
    ------
    CandidateFailed, InputError
        As `evaluate`.
    """
    from neurosage.nas.batches import preprocessing_of
    from neurosage.nas.listening import listeners, record

    space = make_space(task.space, task.space_options)
    split = load_data(task.data)
    teachers = listeners(task, preprocessing_of(task.recipe, split.train.shape[1:]))
    with _threads(task.threads):
        model = build(space, task, split, "cpu")
        train(model, split, task, None)
        seed = derive_seed(task.seed, task.k, "units")
        layers = space.layers(task.architecture)
        return [
            record(model, layers, teacher.inputs, units=task.units, seed=seed, device=task.device)
            for teacher in teachers
        ]


class _Watch:
    """Seconds by part of the work."""

    def __init__(self) -> None:
        self.started = self.last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self.last = now - self.last, now

    def total(self) -> float:
        return time.perf_counter() - self.started
