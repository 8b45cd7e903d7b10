"""Where an evaluation comes from: what it says of itself, and what tells two tasks apart."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from neurosage.nas.datasets import Split
from neurosage.nas.space import to_json
from neurosage.nas.task import Task
from neurosage.plugins import version

if TYPE_CHECKING:
    from neurosage.nas.listening import Listener


def versions() -> str:
    """Return the versions of what computes.

    Examples
    --------
    >>> versions().split()[0]
    'neurosage'
    """
    packages = ", ".join(f"{name} {version(name)}" for name in ("neurosage", "torch", "numpy"))
    return f"{packages}, Python {platform.python_version()}"


def fingerprint(task: Task) -> str:
    """Return the hash of everything that decides a task's evaluation.

    Parameters
    ----------
    task : Task
        Pinned, so that data and teachers stand in it by their content.

    Returns
    -------
    str
        SHA-256 in hexadecimal. Where the data lie and the attempt have no part in it.
    """
    document = asdict(task)
    document.pop("attempt")
    document["data"].pop("path")
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def provenance(task: Task, split: Split, teachers: Sequence[Listener]) -> dict[str, Any]:
    """Return what an evaluation says about its making, as strings and numbers.

    Parameters
    ----------
    task : Task
        What was evaluated.
    split : Split
        On which images.
    teachers : sequence of Listener
        Who was listened to.
    """
    specs = [asdict(teacher.spec) for teacher in teachers]
    for spec, teacher in zip(specs, teachers, strict=True):
        spec["normalise"] = teacher.prepared.settings["normalise"]
    return {
        "architecture": to_json(task.architecture),
        "k": task.k,
        "attempt": task.attempt,
        "space": json.dumps({"name": task.space, "options": dict(task.space_options)}),
        "data": json.dumps(asdict(task.data) | {"content_hash": split.content_hash}),
        "recipe": json.dumps(asdict(task.recipe)),
        "budget": f"{task.steps} steps" if task.epochs is None else f"{task.epochs} epochs",
        "teachers": json.dumps(specs),
        "preprocessing": json.dumps(teachers[0].inputs.preprocessing.to_dict()),
        "units": task.units,
        "distance": task.distance,
        "comparison": task.comparison,
        "normalise": "none",
        "backend": teachers[0].prepared.backend.version,
        "formula": f"{task.performance_weight} P + {task.alpha} TG, TG = mean_i max_j r_ij",
        "seed": task.seed,
        "threads": task.threads,
        "device": task.device,
        "versions": versions(),
    }
