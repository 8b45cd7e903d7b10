"""Live progress on standard error: bars in a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import Progress, TaskID

    from neurosage.nas.progress import Status

LINE_SECONDS = 60.0
LINES = 4


class Screen(Protocol):
    """Shows how work goes."""

    def status(self, status: Status) -> None:
        """Show how a search stands."""

    def count(self, what: str, done: int, total: int) -> None:
        """Show how many of something are done."""


@cache
def errors() -> Console:
    """Return the one console on standard error: bars and log lines must share it."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


@contextmanager
def screen() -> Iterator[Screen]:
    """Give what shows progress: bars in a terminal, plain lines elsewhere."""
    from rich.progress import BarColumn, Progress, TextColumn

    console = errors()
    if not console.is_terminal:
        yield Lines(console)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[state]}", markup=False),
    )
    with Progress(*columns, console=console) as bars:
        yield Bars(bars)


class Bars:
    """A bar for each piece of work, news above them."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._ids: dict[str, TaskID] = {}
        self._ids[""] = bars.add_task("starting", total=None, state="")

    def status(self, status: Status) -> None:
        """Show how a search stands."""
        if status.news:
            self._bars.console.print(status.news, markup=False)
        done = status.finished + status.failed + sum(status.running.values())
        self._show(status.name, done, status.total, _state(status))

    def count(self, what: str, done: int, total: int) -> None:
        """Show how many of something are done."""
        self._show(what, done, total, f"{done} of {total}")

    def _show(self, what: str, done: float, total: int, state: str) -> None:
        if what not in self._ids:
            starting = self._ids.pop("", None)
            if starting is not None:
                self._bars.remove_task(starting)
            self._ids[what] = self._bars.add_task(what, total=total, state="")
        self._bars.update(self._ids[what], total=total, completed=done, state=state)


class Lines:
    """A line for each piece of news, and now and then one without."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = time.monotonic()
        self._told_eta = False
        self._counted: dict[str, int] = {}

    def status(self, status: Status) -> None:
        """Show how a search stands."""
        knows = not math.isnan(status.eta)  # NaN until the first steps
        if status.news:
            self._say(f"{status.news}  [{_state(status)}]")
        elif (knows and not self._told_eta) or time.monotonic() - self._said > LINE_SECONDS:
            self._say(_state(status))
        self._told_eta = self._told_eta or knows

    def count(self, what: str, done: int, total: int) -> None:
        """Show how many of something are done."""
        if total == 1:  # a step that may be long is named when it begins
            if done == 0:
                self._say(f"{what} …")
            return
        before = self._counted.get(what, 0)
        if done > before and (done == total or done >= before + total // LINES):
            self._counted[what] = done
            self._say(f"{what}: {done} of {total}")

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        self._console.print(text, markup=False, soft_wrap=True)


def _state(status: Status) -> str:
    from neurosage.nas.progress import spell

    parts = [f"{status.finished} of {status.total} finished"]
    if status.failed:
        parts.append(f"{status.failed} failed")
    if status.best is not None:
        parts.append(f"best P+TG {status.best.score:.3f}")
    return ", ".join([*parts, f"{spell(status.eta)} left"])
