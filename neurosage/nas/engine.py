"""Where candidates run: in this process, or in worker processes on this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from neurosage.errors import RunError, unknown

if TYPE_CHECKING:
    from neurosage.nas.config import EngineSection
    from neurosage.nas.evaluation import Evaluation
    from neurosage.nas.task import Progress, Task

    OnProgress: TypeAlias = Callable[[Progress], None]
    Evaluate: TypeAlias = Callable[[Task, OnProgress | None], Evaluation]

ENGINES = ("debug", "local")
GUARD = (
    "a script that starts worker processes must do so under `if __name__ == '__main__':`; "
    "or take the engine 'debug', which runs in this process."
)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What became of an attempt.

    Parameters
    ----------
    k, attempt : int
        Whose it is.
    state : {"started", "finished", "failed", "lost"}
        ``lost``: the worker died, the candidate may be tried again.
    evaluation : Evaluation, optional
        Of a finished one.
    reason : str, optional
        Of a failed or lost one.
    worker : str, optional
        Where it started.
    fault : bool
        Whether a failure was none that candidates are known to have, so that it may
        lie in the installation, and befall all.
    refused : bool
        Whether a failure was the search's own limit, such as ``max_macs``.
    """

    k: int
    attempt: int
    state: Literal["started", "finished", "failed", "lost"]
    evaluation: Evaluation | None = None
    reason: str | None = None
    worker: str | None = None
    fault: bool = False
    refused: bool = False


class Engine(Protocol):
    """Runs tasks. Knows no tracker: what happened comes back through `wait`.

    The search submits no more tasks than there are slots, calls `wait` again and
    again, and `close` at the end, also after an error.
    """

    @property
    def slots(self) -> int:
        """How many tasks run at once."""

    def submit(self, task: Task) -> None:
        """Take a task; returns at once."""

    def wait(self, timeout: float, progress: OnProgress | None = None) -> list[Outcome]:
        """Return what has happened, waiting up to `timeout` seconds for something.

        `progress` is called, in the caller's thread, with how far tasks have come.
        Of each attempt ``started`` comes before its end; it is missing where an
        attempt was lost before it began.
        """

    def close(self) -> None:
        """Stop; tasks still running are given up."""


def run_task(evaluate: Evaluate | None, task: Task, progress: OnProgress | None = None) -> Outcome:
    """Evaluate a candidate; whatever it raises becomes its outcome.

    Parameters
    ----------
    evaluate : callable or None
        Takes a task and `progress`; None stands for the evaluator.
    task : Task
        The attempt.
    progress : callable, optional
        Called with how far training has come.

    Returns
    -------
    Outcome
        ``finished`` or ``failed``.
    """
    from neurosage.nas import evaluator
    from neurosage.nas import task as tasks

    try:
        evaluation = (evaluate or evaluator.evaluate)(task, progress)
    except tasks.CandidateFailed as error:
        refused = isinstance(error, tasks.CandidateRefused)
        return Outcome(task.k, task.attempt, "failed", reason=error.reason, refused=refused)
    except Exception as error:
        logger.debug("candidate %d:\n%s", task.k, traceback.format_exc())
        reason = f"{type(error).__name__}: {error}"
        return Outcome(task.k, task.attempt, "failed", reason=reason, fault=True)
    return Outcome(task.k, task.attempt, "finished", evaluation=evaluation)


class DebugEngine:
    """Runs each task in this process, when it is waited for.

    Parameters
    ----------
    evaluate : callable, optional
        What to run instead of the evaluator.
    """

    slots = 1

    def __init__(self, evaluate: Evaluate | None = None) -> None:
        self._evaluate = evaluate
        self._waiting: deque[Task] = deque()
        self._begun: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        """Take a task; it runs in `wait`."""
        self._waiting.append(task)

    def wait(self, timeout: float, progress: OnProgress | None = None) -> list[Outcome]:  # noqa: ARG002  # never waits
        """Announce the next task, and on the next call run it."""
        if self._begun:
            return [run_task(self._evaluate, self._begun.popleft(), progress)]
        if not self._waiting:
            return []
        task = self._waiting.popleft()
        self._begun.append(task)
        return [Outcome(task.k, task.attempt, "started", worker=f"process {os.getpid()}")]

    def close(self) -> None:
        """Forget what was not run."""
        self._waiting.clear()
        self._begun.clear()


def check_main_guard() -> None:
    """Refuse to search in a process that is only being started, as a worker.

    Such a process runs the script that started it once more, unless guarded.

    Raises
    ------
    RunError
        If it is.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RunError(GUARD)


def make_engine(
    name: str, *, workers: int | None = None, threads: int = 1, most: int | None = None
) -> Engine:
    """Make an engine by name.

    Parameters
    ----------
    name : {"debug", "local"}
        This process, or worker processes on this machine.
    workers : int, optional
        Worker processes; as many as fit the cores if omitted.
    threads : int
        Threads of each worker's computation.
    most : int, optional
        How many tasks there are: more workers than these are not started.

    Returns
    -------
    Engine
        Started; close it.

    Raises
    ------
    InputError
        If there is no such engine, or there are too many workers.
    RunError
        If the workers do not start.

    Examples
    --------
    >>> make_engine("debug").slots
    1
    """
    check_engine(name)
    if name == "debug":
        return DebugEngine()
    from neurosage.nas.local import LocalEngine

    return LocalEngine(workers, threads, most=most)


def check_engine(engine: Engine | str | None, settings: EngineSection | None = None) -> None:
    """Refuse an engine that cannot be opened, before anything is done.

    Parameters
    ----------
    engine : Engine or str, optional
        One that is open, a name, or none.
    settings : EngineSection, optional
        Where they say it, the name and the workers.

    Raises
    ------
    InputError
        If there is none of that name, or there are more workers than cores can use.

    Examples
    --------
    >>> check_engine("local"), check_engine(None)
    (None, None)
    """
    if isinstance(engine, str) and engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if settings and settings.workers and (engine or settings.name) == "local":
        from neurosage.nas.local import check_workers

        check_workers(settings.workers)


@contextmanager
def opened(
    engine: Engine | str | None, settings: EngineSection, most: int | None = None
) -> Iterator[Engine]:
    """Open an engine for a while; one that is given is left open.

    Parameters
    ----------
    engine : Engine or str, optional
        One that is open, or a name; that of the settings if omitted, or else this process.
    settings : EngineSection
        Name, workers and threads.
    most : int, optional
        As in `make_engine`.

    Yields
    ------
    Engine
        Ready for tasks.
    """
    if engine is not None and not isinstance(engine, str):
        yield engine
        return
    name = engine or settings.name or "debug"
    made = make_engine(name, workers=settings.workers, threads=settings.threads, most=most)
    try:
        yield made
    finally:
        made.close()
