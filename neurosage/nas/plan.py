"""A search's settings, made into what it needs, before anything costly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neurosage.errors import InputError, RunError
from neurosage.nas.catalogue import make_explorer, make_space
from neurosage.nas.config import SearchConfig
from neurosage.nas.datasets import DataSpec
from neurosage.nas.evaluator import Task, TeacherSpec, pin
from neurosage.nas.recipes import get_recipe
from neurosage.nas.space import Explorer, Space


@dataclass(frozen=True)
class Plan:
    """A search's settings, checked against what there is.

    Parameters
    ----------
    config : SearchConfig
        The settings.
    space : Space
        What can be built.
    explorer : Explorer
        Who proposes.
    task : Task
        What every candidate's task has in common.
    """

    config: SearchConfig
    space: Space
    explorer: Explorer
    task: Task

    @classmethod
    def of(cls, config: SearchConfig) -> Plan:
        """Check everything that can be checked before costly work.

        Raises
        ------
        InputError
            If a space, explorer, data set, teacher or option is none that there is,
            a teacher counts twice, or the score counts nothing.
        """
        _check_weights(config)
        space = make_space(config.space.name, config.space.options)
        explorer = make_explorer(config.explorer.name, config.explorer.options)
        task = pin(_task(config))
        _check_twice(task.teachers)
        return cls(config, space, explorer, task)

    def document(self) -> dict[str, Any]:
        """Return settings and content hashes as JSON can hold them."""
        teachers = [teacher.content_hash for teacher in self.task.teachers]
        content = {"data": self.task.data.content_hash, "teachers": teachers}
        return {"settings": self.config.document(), "content": content}

    def check_content(self, stored: dict[str, Any]) -> None:
        """Refuse data or teachers that are not those that the search began with."""
        now = self.document()["content"]
        changed = [what for what in stored if stored[what] != now[what]]
        if changed:
            raise RunError(
                f"the {' and the '.join(changed)} of search {self.config.search.name!r} are not "
                "those that it began with: restore them, or begin a new search."
            )


def _check_weights(config: SearchConfig) -> None:
    if config.search.alpha == 0 and config.search.performance_weight == 0:
        raise InputError(
            "search.alpha = 0 and search.performance_weight = 0 make every score 0: give one of "
            "them another value, or leave it out for 1."
        )


def _check_twice(teachers: tuple[TeacherSpec, ...]) -> None:
    for i, one in enumerate(teachers):
        for other in teachers[:i]:
            # By what they hold, as a folder and an id may name one teacher.
            same = (one.content_hash or one.id) == (other.content_hash or other.id)
            shared = set(one.regions or ()) & set(other.regions or ())
            if same and (shared or one.regions is None or other.regions is None):
                names = " and ".join(dict.fromkeys([repr(other.id), repr(one.id)]))
                said = f" in {', '.join(sorted(shared))}" if shared else ""
                raise InputError(
                    f"teacher {names} would count twice{said}: list each region of a teacher "
                    "once, and drop the others."
                )


def _task(config: SearchConfig) -> Task:
    training, engine = config.training, config.engine
    return Task(
        k=0,
        architecture={},
        space=config.space.name,
        space_options=config.space.options,
        data=DataSpec(**config.data.model_dump()),
        recipe=get_recipe(training.recipe, **training.options),
        epochs=training.epochs,
        steps=training.steps,
        teachers=tuple(TeacherSpec(**teacher.model_dump()) for teacher in config.teacher),
        units=config.record.units,
        **config.rsa.model_dump(),
        alpha=config.search.alpha,
        performance_weight=config.search.performance_weight,
        max_macs=config.search.max_macs,
        seed=config.search.seed,
        threads=engine.threads,
        device=engine.device,
    )
