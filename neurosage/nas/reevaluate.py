"""The candidates of a run, evaluated again with another budget: none, or to maturity."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from neurosage.errors import RunError
from neurosage.nas.engine import Engine, make_engine
from neurosage.nas.evaluation import Evaluation
from neurosage.nas.plan import Plan
from neurosage.nas.run import Run
from neurosage.nas.task import Task
from neurosage.nas.tracker.schema import FINISHED

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
    steps are those of the search. What is done is kept in the run's folder, a line
    of JSON each; called again, only what is missing is done.

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
        If both or neither of `epochs` and `steps` are given.
    RunError
        If data or teachers are no longer those of the search.
    """
    plan = Plan.of(run.config)
    plan.check_content(run.content)
    base = replace(plan.task, epochs=epochs, steps=steps)
    file = run.folder / (f"steps-{steps}.jsonl" if epochs is None else f"epochs-{epochs}.jsonl")
    known = _read(file)
    finished = [c for c in run.candidates() if c.state == FINISHED]
    missing = [
        replace(base, k=c.k, architecture=c.architecture) for c in finished if c.k not in known
    ]
    if missing:
        with _opened(engine, run) as opened:
            for k, text in _work(opened, missing, progress, len(finished)):
                _append(file, k, text)
                known[k] = text
    return {c.k: Evaluation.from_json(text) for c in finished if (text := known[c.k]) is not None}


@contextmanager
def _opened(engine: Engine | str | None, run: Run) -> Iterator[Engine]:
    if engine is not None and not isinstance(engine, str):
        yield engine
        return
    settings = run.config.engine
    name = engine or settings.name or "debug"
    opened = make_engine(name, workers=settings.workers, threads=settings.threads)
    try:
        yield opened
    finally:
        opened.close()


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
            if outcome.state == "lost" and task.attempt + 1 < ATTEMPTS:
                waiting.append(replace(task, attempt=task.attempt + 1))
                continue
            done += 1
            yield outcome.k, outcome.evaluation.to_json() if outcome.evaluation else None
        if progress:
            progress(done, total)


def _read(file: Path) -> dict[int, str | None]:
    if not file.is_file():
        return {}
    known: dict[int, str | None] = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:  # a line cut short when the process was killed
            continue
        known[row["k"]] = row["evaluation"]
    return known


def _append(file: Path, k: int, text: str | None) -> None:
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"k": k, "evaluation": text}) + "\n")
