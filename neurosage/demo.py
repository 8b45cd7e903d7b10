"""The whole way, offline: a small brain-guided search, and what the paper claims about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd

from neurosage.errors import InputError
from neurosage.nas.run import Run, check_place, has_begun

if TYPE_CHECKING:
    from neurosage.nas.config import SearchConfig
    from neurosage.nas.engine import Engine
    from neurosage.nas.loop import OnStatus

MATURE_STEPS = 200
OUTCOME = "final accuracy"

OnCount: TypeAlias = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Demo:
    """What the demonstration left.

    Parameters
    ----------
    run : Run
        The search.
    signals : pandas.DataFrame
        A row per candidate, index its number: P, TG, P+TG, TG untrained, and
        the final accuracy.
    predictivity : pandas.DataFrame or None
        From :func:`neurosage.nas.study.predictivity`; None where fewer than four
        candidates are complete.
    page : pathlib.Path
        The self-contained HTML page.
    seconds : float
        All of it took.
    """

    run: Run
    signals: pd.DataFrame
    predictivity: pd.DataFrame | None
    page: Path
    seconds: float


def run_demo(
    out: str | Path = "neurosage-demo",
    *,
    settings: tuple[str, ...] = (),
    engine: str = "debug",
    mature_steps: int = MATURE_STEPS,
    on_status: OnStatus | None = None,
    on_count: OnCount | None = None,
) -> Demo:
    """Search, train every candidate on, and write the page; goes on where it stopped.

    Parameters
    ----------
    out : str or Path
        Folder of the run and of ``demo.html``.
    settings : tuple of str
        Changes to ``demo.toml``, such as ``"search.candidates=8"``.
    engine : {"debug", "local"}
        This process, or worker processes.
    mature_steps : int
        Steps of training that give the final accuracy.
    on_status : callable, optional
        As `progress` of :func:`neurosage.search`.
    on_count : callable, optional
        Called with what is being done, how many are done, and of how many.

    Returns
    -------
    Demo
        The run, the table and the page.

    Raises
    ------
    InputError
        If a setting is wrong, or there are to be fewer than four candidates.
    RunError
        If another process runs it.
    """
    from neurosage.nas.engine import opened
    from neurosage.nas.study import LEAST, predictivity
    from neurosage.report.demo_page import write_demo_page

    started = time.perf_counter()
    config = _config(settings)
    if config.search.candidates < LEAST:
        raise InputError(
            f"search.candidates = {config.search.candidates}, but the demonstration correlates "
            f"over candidates: give at least {LEAST}."
        )
    check_place(Path(out) / config.search.name)
    with opened(engine, config.engine) as slots:
        run = _search(Path(out), config, slots, on_status)
        signals = _signals(run, mature_steps, slots, on_count)
    early = {str(name): signals[name] for name in signals.columns[:-1]}
    enough = len(signals.dropna()) >= LEAST
    table = predictivity(early, signals[OUTCOME]) if enough else None
    page = write_demo_page(Path(out) / "demo.html", run, signals[OUTCOME], table, mature_steps)
    return Demo(run, signals, table, page, time.perf_counter() - started)


def _config(settings: tuple[str, ...]) -> SearchConfig:
    from neurosage.nas.config import load_config

    with resources.as_file(resources.files("neurosage") / "demo.toml") as path:
        return load_config(path, settings)


def _search(out: Path, config: SearchConfig, engine: Engine, on_status: OnStatus | None) -> Run:
    from neurosage.nas.search import resume, search

    folder = out / config.search.name
    if has_begun(folder):
        return resume(folder, config=config, engine=engine, progress=on_status)
    return search(config, out=out, engine=engine, progress=on_status)


def _signals(run: Run, mature_steps: int, engine: Engine, on_count: OnCount | None) -> pd.DataFrame:
    from neurosage.nas.reevaluate import reevaluate

    def count(what: str) -> Callable[[int, int], None]:
        return lambda done, total: on_count(what, done, total) if on_count else None

    untrained = reevaluate(run, steps=0, engine=engine, progress=count("compared untrained"))
    trained = count(f"trained {mature_steps} steps")
    mature = reevaluate(run, steps=mature_steps, engine=engine, progress=trained)
    frame = run.to_frame().set_index("k").sort_index()
    before = pd.Series({k: e.TG for k, e in untrained.items()}, dtype=float)
    final = pd.Series({k: e.P for k, e in mature.items()}, dtype=float)
    return frame[["P", "TG", "P+TG"]].assign(**{"TG before training": before, OUTCOME: final})
