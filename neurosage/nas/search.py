"""Searches: begin one, or go on with one after anything."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from neurosage.errors import InputError, RunError
from neurosage.nas.config import SearchConfig, check_same, load_config, parse_config
from neurosage.nas.engine import Engine, check_engine, check_main_guard, opened
from neurosage.nas.loop import Loop, OnStatus
from neurosage.nas.plan import Plan
from neurosage.nas.run import DATABASE, Run, check_place, has_begun
from neurosage.nas.tracker.store import Tracker, create


def search(
    config: str | Path | SearchConfig,
    *,
    out: str | Path = "runs",
    settings: Sequence[str] = (),
    engine: Engine | str | None = None,
    progress: OnStatus | None = None,
) -> Run:
    """Search for architectures.

    Parameters
    ----------
    config : str, Path or SearchConfig
        The TOML file of the search, or its settings.
    out : str or Path
        The run's folder is made in here, under the search's name.
    settings : sequence of str
        Changes to the file, as ``"search.candidates=20"``.
    engine : Engine or str, optional
        Where candidates run: ``"debug"``, this process, unless the settings say
        otherwise; ``"local"``, worker processes, which a script must start under
        ``if __name__ == "__main__":``. An engine that is given is not closed.
    progress : callable, optional
        Called with a `Status` whenever something happens, and every half second.

    Returns
    -------
    Run
        With all candidates finished or failed.

    Raises
    ------
    InputError
        If a setting or the engine is none that there is, or the folder cannot be made;
        nothing was done.
    RunError
        If the folder already holds a search, candidates keep failing for a reason
        not their own, or the lease is lost.
    KeyboardInterrupt
        On Ctrl-C, after the running candidates have finished; a second one stops at
        once. `resume` goes on.

    Examples
    --------
    Two untrained networks, listening to a simulated teacher:

    >>> import tempfile
    >>> from neurosage.nas.config import parse_config
    >>> config = parse_config({
    ...     "search": {"name": "tiny", "candidates": 2, "performance_weight": 0},
    ...     "space": {"name": "convnet-5", "options": {"filters": [2, 4]}},
    ...     "explorer": {"name": "random"},
    ...     "data": {"name": "digits", "train": 100, "valid": 50},
    ...     "training": {"recipe": "digits", "steps": 0},
    ...     "teacher": [{"id": "simulated-macaque", "regions": "V4"}],
    ... })
    >>> run = search(config, out=tempfile.mkdtemp())
    >>> run.to_frame()["state"].to_list()
    ['finished', 'finished']
    """
    check_main_guard()
    if isinstance(config, str | Path):
        config = load_config(config, settings)
    if not isinstance(config, SearchConfig):
        raise InputError(
            "a search is the path of its TOML file, or a SearchConfig, which "
            f"neurosage.nas.config.parse_config makes of a dict; not {type(config).__name__}."
        )
    check_engine(engine, config.engine)
    database = Path(out) / config.search.name / DATABASE
    check_place(database.parent)
    begun = has_begun(database.parent)
    if begun and Tracker(database).candidates():
        raise RunError(
            f"{database.parent} already holds a search: go on with it by --resume, or give the "
            "new one another name (--set search.name=NAME)."
        )
    plan = Plan.of(config)
    # One that was stopped before its first candidate is begun anew.
    tracker = Tracker(database) if begun else create(database, config.search.name, plan.document())
    return _run(tracker, plan, database.parent, engine, progress)


def resume(
    run: str | Path | Run,
    candidates: int | None = None,
    *,
    config: SearchConfig | None = None,
    engine: Engine | str | None = None,
    progress: OnStatus | None = None,
) -> Run:
    """Go on with a search that was stopped, was killed, or is to have more candidates.

    Parameters
    ----------
    run : str, Path or Run
        The run's folder.
    candidates : int, optional
        How many it is to have in all; as many as it was to have, unless said.
    config : SearchConfig, optional
        Settings to go on with; only the number of candidates, the engine's name and
        workers and the place of the data may differ from those it began with.
    engine, progress
        As in `search`.

    Returns
    -------
    Run
        With all candidates finished or failed.

    Raises
    ------
    InputError
        If the settings differ, or it holds more candidates already.
    RunError
        If there is no search, another process is running it, or the data or the
        teachers are no longer those that it began with.

    Examples
    --------
    >>> resume("runs/never-begun")
    Traceback (most recent call last):
    ...
    neurosage.errors.RunError: there is no search at runs/never-begun/search.db: start one \
with neurosage search.
    """
    check_main_guard()
    check_engine(engine)
    folder = run.folder if isinstance(run, Run) else Path(run)
    tracker = Tracker(folder / DATABASE)
    tracker.refuse_second()
    stored = parse_config(tracker.config["settings"])
    if config is not None:
        check_same(stored, config)
    chosen = config or stored
    if candidates is not None:
        total = chosen.search.model_copy(update={"candidates": candidates})
        chosen = parse_config(chosen.model_copy(update={"search": total}).document())
    _check_total(chosen.search.candidates, len(tracker.candidates()), folder)
    check_engine(engine, chosen.engine)
    plan = Plan.of(chosen)
    plan.check_content(tracker.config["content"])
    return _run(tracker, plan, folder, engine, progress)


def _check_total(wanted: int, there: int, folder: Path) -> None:
    if wanted < there:
        raise InputError(
            f"{folder} holds {there} candidates already, and nothing is thrown away, so it cannot "
            f"have {wanted} in all; give {there} or more, or begin another search."
        )


def _run(
    tracker: Tracker,
    plan: Plan,
    folder: Path,
    engine: Engine | str | None,
    progress: OnStatus | None,
) -> Run:
    with tracker.hold():
        tracker.configure(plan.document())
        if Loop.is_done(tracker, plan):
            return Run(folder)
        left = Loop.left(tracker, plan)
        with opened(engine, plan.config.engine, most=left) as ready:
            loop = Loop(tracker, plan, ready, progress)
            with _interrupts(loop):
                loop.run()
        if loop.stopping and not Loop.is_done(tracker, plan):
            raise KeyboardInterrupt
    return Run(folder)


@contextmanager
def _interrupts(loop: Loop) -> Iterator[None]:
    """Let the first Ctrl-C finish what runs, and the second stop at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> Any:
        if loop.stopping:
            raise KeyboardInterrupt
        loop.stopping = True

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
