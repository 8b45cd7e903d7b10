"""A search's folder: what it holds, for reading."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurosage.errors import InputError
from neurosage.nas.config import SearchConfig, parse_config
from neurosage.nas.evaluation import Evaluation
from neurosage.nas.tracker.database import holds_search
from neurosage.nas.tracker.export import to_frame
from neurosage.nas.tracker.record import Candidate, SearchRecord

if TYPE_CHECKING:
    import pandas as pd

DATABASE = "search.db"


def has_begun(folder: str | Path) -> bool:
    """Tell whether a folder holds a search; one killed while it was created had not begun.

    Parameters
    ----------
    folder : str or Path
        Such as ``runs/brain-guided``.

    Raises
    ------
    RunError
        If its database is none.

    Examples
    --------
    >>> has_begun("runs/never-begun")
    False
    """
    return holds_search(Path(folder) / DATABASE)


def check_place(folder: str | Path) -> None:
    """Refuse a place where no run's folder can be made or written, before any work.

    Parameters
    ----------
    folder : str or Path
        The run's folder, there or not; it is not made.

    Raises
    ------
    InputError
        If a file stands in its way, or the folder around it may not be written.

    Examples
    --------
    >>> check_place("runs/never-begun")
    """
    folder = Path(folder).absolute()
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not there.is_dir():
        raise InputError(f"{there} is no folder: choose another place for {folder}.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{there} may not be written: choose another place for {folder}.")


class Run:
    """A search that was run, or is running.

    Parameters
    ----------
    folder : str or Path
        Where it lies, such as ``runs/brain-guided``.

    Raises
    ------
    RunError
        If there is no search.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._record = SearchRecord(self.folder / DATABASE)
        self.name = self._record.name

    @property
    def config(self) -> SearchConfig:
        """Its settings."""
        return parse_config(self._record.config["settings"])

    @property
    def content(self) -> dict[str, Any]:
        """Hashes of the data and the teachers that it began with."""
        return dict(self._record.config["content"])

    @property
    def best(self) -> Evaluation | None:
        """The evaluation with the highest score; None before any has finished."""
        winner = best_of(self.candidates())
        return None if winner is None else self.evaluation(winner.k)

    def candidates(self) -> list[Candidate]:
        """Return the candidates in the order of their proposal."""
        return self._record.candidates()

    def evaluation(self, k: int) -> Evaluation:
        """Return the evaluation of candidate k.

        Raises
        ------
        RunError
            If it has not finished.
        """
        return Evaluation.from_json(self._record.document(k))

    def evaluations(self) -> dict[int, Evaluation]:
        """Return all finished evaluations, by candidate."""
        return {k: Evaluation.from_json(text) for k, text in self._record.documents().items()}

    def to_frame(self) -> pd.DataFrame:
        """Return a table of the candidates, the best first.

        Its columns are those of :func:`neurosage.nas.tracker.export.to_frame`.
        """
        return to_frame(self._record)

    def __repr__(self) -> str:
        states = [candidate.state for candidate in self.candidates()]
        counted = [f"{states.count(s)} {s}" for s in ("finished", "failed") if s in states]
        best = best_of(self.candidates())
        top = f"; best score {best.score:.3f}" if best else ""
        return f"<Run {self.name!r} in {self.folder}: {', '.join(counted) or 'nothing yet'}{top}>"

    def _repr_html_(self) -> str:
        columns = ["rank", "k", "P", "TG", "P+TG", "parameters", "macs", "examples"]
        frame = self.to_frame()[columns].head(10)
        title = repr(self).replace("<", "&lt;").replace(">", "&gt;")
        return f"<p>{title}</p>{frame.to_html(index=False, float_format='{:.3f}'.format)}"


def best_of(candidates: list[Candidate]) -> Candidate | None:
    """Return the candidate with the highest score, the earlier of equals."""
    scored = [candidate for candidate in candidates if candidate.score is not None]
    return max(scored, key=lambda candidate: candidate.score or 0.0, default=None)
