"""How a running search stands, and when it will be done."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neurosage.nas.task import Progress
    from neurosage.nas.tracker.record import Candidate


@dataclass(frozen=True)
class Status:
    """How a search stands; what `progress` callbacks get.

    Parameters
    ----------
    name : str
        The search.
    total : int
        Candidates that it is to have.
    finished, failed : int
        Candidates that ended, those of earlier sessions too.
    running : mapping of int to float
        Running candidates, and the part of their training that is done, in [0, 1].
    best : Candidate or None
        The best finished one.
    seconds : float
        Since this session began.
    eta : float
        Seconds until the end, estimated; NaN before the first steps.
    news : str
        What has just happened, one line; empty if only time has passed.
    """

    name: str
    total: int
    finished: int = 0
    failed: int = 0
    running: dict[int, float] = field(default_factory=dict)
    best: Candidate | None = None
    seconds: float = 0.0
    eta: float = float("nan")
    news: str = ""


class Clock:
    """Times candidates, to tell when a search will end.

    Parameters
    ----------
    slots : int
        Candidates that run at once.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._began = time.monotonic()
        self._running: dict[int, tuple[float, Progress | None]] = {}
        self._lasted: list[float] = []

    def start(self, k: int) -> None:
        """Note that a candidate begins to run."""
        self._running[k] = (time.monotonic(), None)

    def step(self, progress: Progress) -> None:
        """Note how far a candidate has come."""
        if progress.k in self._running:
            self._running[progress.k] = (self._running[progress.k][0], progress)

    def end(self, k: int, finished: bool) -> None:
        """Note that a candidate has ended; one that failed says nothing about others."""
        began, _ = self._running.pop(k, (math.nan, None))
        if finished and math.isfinite(began):
            self._lasted.append(time.monotonic() - began)

    def read(self, status: Status) -> Status:
        """Fill in the running candidates, the time and the ETA.

        The candidates of this session that finished say how long one takes; before
        there is any, the steps of the running ones do.
        """
        now = time.monotonic()
        left = {k: self._left(began, p, now) for k, (began, p) in self._running.items()}
        waiting = max(0, status.total - status.finished - status.failed - len(left))
        eta = (waiting * self._mean(now) + sum(left.values())) / self._slots
        # The last candidates do not share their time among the slots.
        eta = max([eta, *left.values()]) if math.isfinite(eta) else eta
        done = {
            k: p.step / p.steps if p and p.steps else 0.0 for k, (_, p) in self._running.items()
        }
        return replace(status, running=done, seconds=now - self._began, eta=eta)

    def _mean(self, now: float) -> float:
        if self._lasted:
            return sum(self._lasted) / len(self._lasted)
        guesses = [now - began + p.eta for began, p in self._running.values() if p and p.step]
        return sum(guesses) / len(guesses) if guesses else math.nan

    def _left(self, began: float, progress: Progress | None, now: float) -> float:
        if progress and progress.step:
            return progress.eta
        return max(0.0, self._mean(now) - (now - began)) if self._lasted else math.nan


def spell(seconds: float) -> str:
    """Write a duration for people.

    Examples
    --------
    >>> [spell(s) for s in (4.2, 75, 4000, 200000, float("nan"))]
    ['4 s', '1 min 15 s', '1 h 6 min', '2 d 7 h', '?']
    """
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((i for i, (value, _) in enumerate(parts) if value), len(parts) - 1)
    return " ".join(f"{value} {unit}" for value, unit in parts[first : first + 2])
