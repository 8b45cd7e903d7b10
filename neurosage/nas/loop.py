"""The loop of a search: propose, submit, record."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from neurosage.errors import RunError
from neurosage.nas.engine import Engine, Outcome
from neurosage.nas.faults import Faults
from neurosage.nas.plan import Plan
from neurosage.nas.progress import Clock, Status
from neurosage.nas.run import best_of
from neurosage.nas.seeds import derive_seed
from neurosage.nas.space import Architecture, Observation, check_architecture
from neurosage.nas.task import Progress
from neurosage.nas.tracker.schema import FAILED, FINISHED
from neurosage.nas.tracker.store import Tracker

OnStatus: TypeAlias = Callable[[Status], None]

LABELS = ("P", "TG", "P+TG")
PROPOSALS = 20
UNSTARTED = 10
POLL_SECONDS = 0.5

logger = logging.getLogger(__name__)


class Loop:
    """Runs the candidates of a search that have not ended, and records them.

    Parameters
    ----------
    tracker : Tracker
        Held by this process.
    plan : Plan
        What to do.
    engine : Engine
        Where to do it.
    progress : callable, optional
        Called with a `Status` whenever something happens, and every half second.

    Attributes
    ----------
    stopping : bool
        Set it to begin no more candidates; `run` returns when the running ones ended.
    """

    def __init__(
        self, tracker: Tracker, plan: Plan, engine: Engine, progress: OnStatus | None = None
    ) -> None:
        self.stopping = False
        self._tracker, self._plan, self._engine = tracker, plan, engine
        self._progress = progress
        every = tracker.candidates()
        self._keys = {c.key: c.k for c in every}
        self._ended = {
            c.k: Observation(c.architecture, c.key, c.score)
            for c in every
            if c.state in (FINISHED, FAILED)
        }
        # In the order of proposal: a resumed search does what an unbroken one would.
        self._open = {c.k: c.architecture for c in every if c.k not in self._ended}
        self._waiting = deque(self._open)
        self._running: dict[int, int] = {}
        self._started: set[int] = set()
        self._unstarted: Counter[int] = Counter()
        self._faults = Faults(tracker)
        self._exhausted = False
        self._announced = False
        self._told = 0.0
        self._clock = Clock(engine.slots)
        states = Counter(c.state for c in every)
        total = plan.config.search.candidates
        best = best_of(every)
        self._status = Status(tracker.name, total, states[FINISHED], states[FAILED], best=best)

    @staticmethod
    def is_done(tracker: Tracker, plan: Plan) -> bool:
        """Tell whether all candidates of a search have ended."""
        return Loop.left(tracker, plan) == 0

    @staticmethod
    def left(tracker: Tracker, plan: Plan) -> int:
        """Count the candidates of a search that have not ended, proposed or not."""
        states = [candidate.state for candidate in tracker.candidates()]
        ended = states.count(FINISHED) + states.count(FAILED)
        return max(len(states), plan.config.search.candidates) - ended

    def run(self) -> None:
        """Run until all candidates ended, or until `stopping` and the running ones did.

        Raises
        ------
        RunError
            If candidates keep failing for a reason not their own, or the lease is lost.
        """
        while True:
            self._fill()
            if not self._running:
                if not self.stopping:
                    self._give_up(self._faults.end())
                return
            for outcome in self._engine.wait(POLL_SECONDS, self._step):
                self._record(outcome)
            self._tell()

    # ---- propose and submit ------------------------------------------------------------

    def _fill(self) -> None:
        while not self.stopping and len(self._running) < self._engine.slots:
            k = self._waiting.popleft() if self._waiting else self._propose()
            if k is None:
                return
            attempt = self._tracker.submit(k)
            self._running[k] = attempt
            self._started.discard(k)
            task = replace(self._plan.task, k=k, attempt=attempt, architecture=self._open[k])
            self._engine.submit(task)

    def _propose(self) -> int | None:
        if self._exhausted or len(self._keys) >= self._plan.config.search.candidates:
            return None
        found = self._new_architecture(len(self._keys))
        if found is None:
            self._exhausted = True
            self._tell(f"no new network found in {self._plan.space.name}: the search ends early")
            return None
        architecture, key = found
        k = self._tracker.propose(architecture, key)
        self._keys[key] = k
        self._open[k] = architecture
        return k

    def _new_architecture(self, k: int) -> tuple[Architecture, str] | None:
        plan = self._plan
        seed = derive_seed(plan.config.search.seed, k, "propose")
        history = [self._ended[each] for each in sorted(self._ended)]
        pending = [self._open[each] for each in sorted(self._open)]
        for draw in range(PROPOSALS):
            # Explorers ask themselves again with the next seeds: keep well away from those.
            again = (seed + 1000 * draw) % 2**32
            architecture = plan.explorer.propose(plan.space, history, pending, again)
            check_architecture(plan.space, architecture)
            key = plan.space.graph(architecture).key()
            if key not in self._keys:
                return architecture, key
        return None

    # ---- record --------------------------------------------------------------------------

    def _record(self, outcome: Outcome) -> None:
        k, attempt = outcome.k, outcome.attempt
        if self._running.get(k) != attempt:
            logger.info("attempt %d at candidate %d is no longer awaited", attempt, k)
            return
        if outcome.state == "started":
            self._tracker.start(k, attempt, outcome.worker or "")
            self._started.add(k)
            self._clock.start(k)
            return
        del self._running[k]
        self._clock.end(k, outcome.state == "finished")
        match outcome.state:
            case "finished":
                self._finish(outcome)
            case "failed":
                self._fail(outcome)
            case "lost":
                self._lose(outcome)

    def _finish(self, outcome: Outcome) -> None:
        evaluation = outcome.evaluation
        if evaluation is None:
            raise RunError(f"the engine returned no evaluation of candidate {outcome.k}.")
        numbers = {name: evaluation.numbers[name] for name in ("P", "TG", "score")}
        self._tracker.finish(outcome.k, outcome.attempt, evaluation.to_json(), numbers)
        said = "  ".join(
            f"{label} {numbers[name]:.3f}" for label, name in zip(LABELS, numbers, strict=True)
        )
        self._end(outcome.k, f"candidate {outcome.k}: {said}")
        again, failed = self._faults.excuse()
        self._waiting.extend(again)
        self._give_up(failed)

    def _fail(self, outcome: Outcome) -> None:
        k, reason = outcome.k, outcome.reason or "it failed without a reason"
        if outcome.fault:
            self._faults.suspend(k, outcome.attempt, reason)
            self._tell(f"candidate {k} waits: {reason}, which is hardly its own fault")
            return
        self._tracker.fail(k, outcome.attempt, reason)
        self._end(k, f"candidate {k} failed: {reason}")
        self._faults.note(outcome, reason)

    def _give_up(self, failed: dict[int, str]) -> None:
        for k, reason in failed.items():
            self._end(k, f"candidate {k} failed: {reason}")

    def _lose(self, outcome: Outcome) -> None:
        k, reason = outcome.k, outcome.reason or "its worker is gone"
        if k not in self._started:
            self._unstarted[k] += 1
            if self._unstarted[k] >= UNSTARTED:
                raise RunError(f"workers die before candidate {k} can start: {reason}.")
        if self._tracker.lose(k, outcome.attempt, reason):
            self._waiting.appendleft(k)
            self._tell(f"candidate {k}: {reason}; it is tried again")
        else:
            self._end(k, f"candidate {k} failed: {reason}, again and again")

    def _end(self, k: int, news: str) -> None:
        candidate = self._tracker.candidate(k)
        self._ended[k] = Observation(candidate.architecture, candidate.key, candidate.score)
        del self._open[k]
        finished = candidate.state == FINISHED
        held = [c for c in (self._status.best, candidate) if c is not None]
        self._status = replace(
            self._status,
            finished=self._status.finished + finished,
            failed=self._status.failed + (not finished),
            best=best_of(held),
        )
        self._tell(news)

    # ---- tell ----------------------------------------------------------------------------

    def _step(self, progress: Progress) -> None:
        self._clock.step(progress)
        self._tell()

    def _tell(self, news: str = "") -> None:
        if self.stopping and not self._announced and self._running:
            self._announced = True
            n = len(self._running)
            self._tell(
                f"stopping: {n} running candidate{' finishes' if n == 1 else 's finish'} first; "
                "Ctrl-C again stops at once, and --resume then runs them anew"
            )
        if not news and time.monotonic() - self._told < POLL_SECONDS:
            return
        self._told = time.monotonic()
        if self._progress:
            self._progress(self._clock.read(replace(self._status, news=news)))
