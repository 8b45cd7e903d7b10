"""The candidates of a run, evaluated again with another budget: none, or to maturity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from neurosage.errors import RunError
from neurosage.nas.engine import Engine, check_engine, opened
from neurosage.nas.evaluation import Evaluation
from neurosage.nas.kept import Kept
from neurosage.nas.plan import Plan
from neurosage.nas.run import DATABASE, Run
from neurosage.nas.task import Task
from neurosage.nas.tracker.schema import FINISHED
from neurosage.nas.tracker.store import Tracker

OnCount: TypeAlias = Callable[[int, int], None]
POLL_SECONDS = 0.5
ATTEMPTS = 3


def reevaluate(
    run: Run,
    *,
    epochs: int | None = None,
    steps: int | None = None,
    engine: Engine | str | None = None,
    progress: OnCount | None = None,
) -> dict[int, Evaluation]:
    """Evaluate every finished candidate of a run anew, with another training budget.

    Each starts from its own initial weights and order of images, so that its first
    steps are those of the search. What is done is kept in the run's folder, with what
    it was made from; called again, only what is missing or was made otherwise is done.

    Parameters
    ----------
    run : Run
        A search that has ended.
    epochs, steps : int, optional
        The budget, one of the two; ``steps=0`` leaves networks untrained.
    engine : Engine or str, optional
        Where to run: ``"debug"``, ``"local"``, or one that is open; that of the
        search's settings if omitted, or else this process.
    progress : callable, optional
        Called with how many are done, and of how many.

    Returns
    -------
    dict of int to Evaluation
        By candidate, in the order of proposal; one that fails under the new budget
        is left out.

    Raises
    ------
    InputError
        If both or neither of `epochs` and `steps` are given, or there is no such engine.
    RunError
        If data or teachers are no longer those of the search, another process works on
        it, or a candidate fails for a reason not its own.
    """
    check_engine(engine)
    plan = Plan.of(run.config)
    plan.check_content(run.content)
    base = replace(plan.task, epochs=epochs, steps=steps)
    name = f"steps-{steps}" if epochs is None else f"epochs-{epochs}"
    kept = Kept(run.folder / f"{name}.jsonl", plan.document()["content"])
    finished = [candidate for candidate in run.candidates() if candidate.state == FINISHED]
    tasks = {c.k: replace(base, k=c.k, architecture=c.architecture) for c in finished}
    stamps = {c.k: kept.stamp(tasks[c.k], c.key) for c in finished}
    known = kept.read(stamps)
    if len(known) < len(tasks):
        tracker = Tracker(run.folder / DATABASE)
        with tracker.hold():  # one process at a time; another may have done some by now
            known = kept.read(stamps)
            missing = [task for k, task in tasks.items() if k not in known]
            with opened(engine, run.config.engine) as ready:
                for k, text in _work(ready, missing, progress, len(tasks)):
                    tracker.confirm()
                    kept.append(stamps[k], text)
                    known[k] = text
    return {k: Evaluation.from_json(text) for k in tasks if (text := known[k]) is not None}


def _work(
    engine: Engine, tasks: list[Task], progress: OnCount | None, total: int
) -> Iterator[tuple[int, str | None]]:
    waiting = list(reversed(tasks))
    running: dict[int, Task] = {}
    done = total - len(tasks)
    while waiting or running:
        while waiting and len(running) < engine.slots:
            task = waiting.pop()
            running[task.k] = task
            engine.submit(task)
        for outcome in engine.wait(POLL_SECONDS):
            if outcome.state == "started" or outcome.k not in running:
                continue
            task = running.pop(outcome.k)
            if outcome.fault:
                raise RunError(f"candidate {outcome.k} could not be evaluated: {outcome.reason}")
            if outcome.state == "lost" and task.attempt < ATTEMPTS:
                waiting.append(replace(task, attempt=task.attempt + 1))
                continue
            done += 1
            yield outcome.k, outcome.evaluation.to_json() if outcome.evaluation else None
        if progress:
            progress(done, total)
