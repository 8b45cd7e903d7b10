"""The local engine: worker processes on this machine, by Dask."""

from __future__ import annotations

import logging
import os
import queue
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

import dask
import distributed

from neurosage.errors import InputError, RunError
from neurosage.nas.engine import GUARD, Outcome, run_task
from neurosage.nas.task import Progress, Task

if TYPE_CHECKING:
    from neurosage.nas.engine import Evaluate, OnProgress

TOPIC = "neurosage"
PROGRESS_SECONDS = 1.0
WORKERS_A_CORE = 4


class LocalEngine:
    """Runs tasks in worker processes, one at a time each.

    A worker that dies is replaced; its task comes back as ``lost``, and nobody but
    the search tries it again. Workers ignore SIGINT, so that Ctrl-C, which the
    terminal sends to them too, lets running candidates finish.

    Parameters
    ----------
    workers : int, optional
        Worker processes; as many as fit the cores if omitted.
    threads : int
        Threads of each worker's computation.
    evaluate : callable, optional
        What to run instead of the evaluator.
    most : int, optional
        How many tasks there are: more workers than these are not started.

    Raises
    ------
    InputError
        If there were to be no workers, or more than this machine's cores can use.
    RunError
        If the workers do not start.
    """

    def __init__(
        self,
        workers: int | None = None,
        threads: int = 1,
        evaluate: Evaluate | None = None,
        most: int | None = None,
    ) -> None:
        check_workers(workers)
        wanted = workers or max(1, _cores() // threads)
        self.slots = wanted if most is None else max(1, min(wanted, most))
        self._evaluate = evaluate
        self._happened: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._running: dict[str, tuple[Any, Task]] = {}
        make_cluster: Any = distributed.LocalCluster
        try:
            with dask.config.set(_settings(threads)), _interrupts_blocked():
                self._cluster: Any = make_cluster(
                    n_workers=self.slots,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",  # None would try for a fixed port
                    scheduler_kwargs={"dashboard": False},
                    memory_limit=0,  # Dask's limit would kill workers near total / workers
                    silence_logs=logging.CRITICAL,
                )
        except (RuntimeError, OSError) as error:
            raise RunError(f"the workers do not start ({error}); {GUARD}") from None
        connect: Any = distributed.Client
        self._client: Any = connect(self._cluster)
        self._client.subscribe_topic(TOPIC, self._hear)

    def submit(self, task: Task) -> None:
        """Send a task to a worker."""
        name = f"candidate-{task.k}-{task.attempt}-{time.monotonic_ns()}"
        future = self._client.submit(_work, self._evaluate, task, key=name, pure=False, retries=0)
        self._running[name] = (future, task)
        future.add_done_callback(self._happened.put)

    def wait(self, timeout: float, progress: OnProgress | None = None) -> list[Outcome]:
        """Return what has happened, waiting up to `timeout` seconds for something."""
        outcomes: list[Outcome] = []
        end = time.monotonic() + timeout
        while not outcomes or not self._happened.empty():
            try:
                event = self._happened.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                break
            if isinstance(event, Progress):
                if progress:
                    progress(event)
            else:
                outcomes += [event] if isinstance(event, Outcome) else self._end(event)
        return outcomes

    def close(self) -> None:
        """Stop the workers, whatever they are doing."""
        self._running.clear()
        self._client.close(timeout=5)
        self._cluster.close(timeout=10)

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        said = event[1]  # Dask adds keys of its own
        if "started" in said:
            self._happened.put(Outcome(state="started", **said["started"]))
        elif "progress" in said:
            self._happened.put(Progress(**said["progress"]))

    def _end(self, future: Any) -> list[Outcome]:
        if future.key not in self._running:
            return []
        _, task = self._running.pop(future.key)
        outcome: Outcome
        if future.status == "finished":
            outcome = future.result()
        elif future.status == "cancelled":
            outcome = Outcome(task.k, task.attempt, "lost", reason="it was cancelled")
        else:
            outcome = _explain(task, future.exception())
        future.release()
        return [outcome]


def check_workers(workers: int | None) -> None:
    """Refuse more workers than this machine's cores can use; None, the default, passes.

    Raises
    ------
    InputError
        If there were to be none, or more than four a core.
    """
    most = WORKERS_A_CORE * _cores()
    if workers is not None and not 1 <= workers <= most:
        raise InputError(
            f"engine.workers = {workers}, but must be from 1 to {most}, {WORKERS_A_CORE} for each "
            f"of this machine's {_cores()} cores; leave it out for as many as fit."
        )


def _settings(threads: int) -> dict[str, Any]:
    # Libraries read these when they load, hence before a worker process begins.
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        "distributed.nanny.pre-spawn-environ": dict.fromkeys(names, str(threads)),
        "distributed.scheduler.allowed-failures": 0,  # the search retries, as a new attempt
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
    }


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    # Threads and processes inherit the signal mask of what starts them: the cluster's
    # thread from here, its workers from that, also those that replace dead ones.
    # Started later, multiprocessing's resource tracker would undo the mask there.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(evaluate: Evaluate | None, task: Task) -> Outcome:
    # What the search process has said already, of a teacher say, is not said per worker.
    logging.getLogger("neurosage").setLevel(logging.ERROR)
    worker = distributed.get_worker()
    where = {"k": task.k, "attempt": task.attempt, "worker": f"process {os.getpid()}"}
    worker.log_event(TOPIC, {"started": where})
    last = 0.0

    def tell(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            worker.log_event(TOPIC, {"progress": vars(progress)})

    return run_task(evaluate, task, tell)


def _explain(task: Task, error: BaseException | None) -> Outcome:
    if isinstance(error, distributed.KilledWorker):
        return Outcome(task.k, task.attempt, "lost", reason="its worker process ended")
    # What came back could not be sent or read: as much the installation's fault as any.
    reason = f"{type(error).__name__}: {error}"
    return Outcome(task.k, task.attempt, "failed", reason=reason, fault=True)
