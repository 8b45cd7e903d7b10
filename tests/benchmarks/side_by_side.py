"""What the benchmarks share: calls timed in turn, peak memory, and what the machine can do."""

from __future__ import annotations

import gc
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
import torch


class PeakMemory:
    """The largest resident size seen while a call runs, above the size before it, in MB."""

    def __enter__(self) -> PeakMemory:
        gc.collect()
        self._process, self._stop = psutil.Process(), threading.Event()
        self._before = self._peak = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.extra = (self._peak - self._before) / 1e6


@dataclass
class Timed:
    """What the calls of one way took; the first call is warm-up, but counts for memory."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: float = 0.0
    result: Any = None

    def run(self, call: Callable[[], Any], *, warm_up: bool = False) -> None:
        gc.collect()
        with PeakMemory() as peak:
            wall, cpu = time.perf_counter(), time.process_time()
            self.result = call()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.memory = max(self.memory, peak.extra)
        if not warm_up:
            self.wall.append(wall)
            self.cpu.append(cpu)

    @property
    def seconds(self) -> float:
        return statistics.median(self.wall)

    @property
    def cpu_seconds(self) -> float:
        return statistics.median(self.cpu)


@dataclass(frozen=True)
class Machine:
    """Rates measured in the same run: matrix products in GFLOP/s, copies in GB/s."""

    float32: float
    float64: float
    copy: float

    def seconds(self, gflop: float, gigabytes: float, precision: str = "float32") -> float:
        """Return the least time for so many operations of products and bytes moved."""
        return gflop / getattr(self, precision) + gigabytes / self.copy

    def __str__(self) -> str:
        return (
            f"products {self.float32:.0f} (float32) and {self.float64:.0f} (float64) GFLOP/s, "
            f"copies {self.copy:.0f} GB/s"
        )


def measure_machine(size: int = 3000) -> Machine:
    rates = []
    for dtype in (torch.float32, torch.float64):
        matrix = torch.randn(size, size, dtype=dtype)
        rates.append(2e-9 * size**3 / _best(lambda matrix=matrix: matrix @ matrix))
    block = np.ones(20_000_000)
    target = np.empty_like(block)
    copied = 2e-9 * block.nbytes / _best(lambda: np.copyto(target, block))
    return Machine(rates[0], rates[1], copied)


def _best(call: Callable[[], Any], calls: int = 5) -> float:
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


@dataclass(frozen=True)
class Goal:
    """One line of the table: what is asked, and what was found."""

    work: str
    ours: Timed
    theirs: Timed | None
    least: float | None  # times faster, or None where only reported
    apart: float | None = None  # largest difference between the two
    equal: float = 1e-5
    limit: float | None = None  # seconds the machine's rates allow
    scale: float = 1.0  # their seconds are of so much less work

    @property
    def ratio(self) -> float:
        return (
            float("nan")
            if self.theirs is None
            else self.scale * self.theirs.seconds / self.ours.seconds
        )

    @property
    def reached(self) -> bool:
        fast = self.least is None or self.ratio >= self.least
        return fast and (self.apart is None or self.apart <= self.equal)

    def row(self) -> str:
        theirs = self.theirs
        cells = [
            self.work,
            f"{self.ours.seconds:.3g} ({self.ours.cpu_seconds:.3g})",
            ""
            if theirs is None
            else f"{self.scale * theirs.seconds:.3g} ({self.scale * theirs.cpu_seconds:.3g})",
            "" if theirs is None else f"{self.ratio:.1f}",
            "" if self.least is None else f"{self.least:g}",
            f"{self.ours.memory:.0f}",
            "" if theirs is None else f"{theirs.memory:.0f}",
            "" if self.apart is None else f"{self.apart:.0e}",
            "" if self.limit is None else f"{self.ours.seconds / self.limit:.1f}",
            "yes" if self.reached else "NO",
        ]
        return "| " + " | ".join(cells) + " |"


HEAD = (
    "| work | ours, s (CPU) | rsatoolbox, s (CPU) | times faster | goal | ours, MB | theirs, MB "
    "| difference | times the machine's least | reached |\n|" + "---|" * 10
)


def report(goals: list[Goal], machine: Machine) -> int:
    """Print the table; return 1 if a goal is not reached."""
    print(f"\n{machine}\n\n{HEAD}")
    for goal in goals:
        print(goal.row())
    return 0 if all(goal.reached for goal in goals) else 1


def in_turn(
    ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int, repeat: int = 3
) -> tuple[Timed, Timed]:
    """Time both ways in turn, ours `repeat` times a round."""
    own, peer = Timed(), Timed()
    own.run(ours, warm_up=True)
    for _ in range(rounds):
        for _ in range(repeat):
            own.run(ours)
        peer.run(theirs)
    return own, peer
