"""What a tracker knows about one search, for anyone to read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from neurosage.errors import RunError
from neurosage.nas.space import Architecture
from neurosage.nas.tracker.database import explained, find_search
from neurosage.nas.tracker.schema import (
    attempts,
    candidates,
    evaluations,
    searches,
)


@dataclass(frozen=True)
class Candidate:
    """One candidate as the tracker knows it.

    Parameters
    ----------
    k : int
        Its number, from 0, in the order of proposal.
    architecture : mapping
        Its choices.
    key : str
        Its graph key, unlike that of any other candidate.
    state : {"proposed", "running", "finished", "failed"}
        Where it stands.
    reason : str or None
        Why it failed.
    attempts : int
        How many attempts had started.
    P, TG, score : float or None
        Known once it finished, unless not measured.
    """

    k: int
    architecture: Architecture
    key: str
    state: str
    reason: str | None
    attempts: int
    P: float | None
    TG: float | None
    score: float | None


class SearchRecord:
    """One search in its database, read only.

    Parameters
    ----------
    where : path or str
        A SQLite file, or the URL of a database.
    name : str, optional
        Which of its searches; needed only where there are several.

    Raises
    ------
    RunError
        If there is no such search, or it was written by a later version.
    """

    def __init__(self, where: Path | str, name: str | None = None) -> None:
        self._database, self._id, self.name = find_search(where, name)

    @property
    def config(self) -> dict[str, Any]:
        """The search's settings, as a JSON document."""
        query = sa.select(searches.c.config).where(searches.c.id == self._id)
        with self._reading() as connection:
            document: dict[str, Any] = json.loads(connection.execute(query).scalar_one())
        return document

    def candidates(self) -> list[Candidate]:
        """Return all candidates in the order of their proposal."""
        return self._candidates(sa.true())

    def candidate(self, k: int) -> Candidate:
        """Return one candidate.

        Raises
        ------
        RunError
            If there is no candidate `k`.
        """
        found = self._candidates(candidates.c.k == k)
        if not found:
            raise RunError(f"search {self.name!r} has no candidate {k}.")
        return found[0]

    def _candidates(self, which: sa.ColumnElement[bool]) -> list[Candidate]:
        c, a, e = candidates.c, attempts.c, evaluations.c
        started = sa.select(sa.func.count(a.started)).where((a.search == c.search) & (a.k == c.k))
        count = started.scalar_subquery().label("attempts")
        query = (
            sa.select(c.k, c.architecture, c.key, c.state, c.reason, count, e.P, e.TG, e.score)
            .outerjoin(evaluations, (e.search == c.search) & (e.k == c.k))
            .where((c.search == self._id) & which)
            .order_by(c.k)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [Candidate(row[0], json.loads(row[1]), *row[2:]) for row in rows]

    def documents(self) -> dict[int, str]:
        """Return the finished evaluations as JSON, by candidate."""
        query = sa.select(evaluations.c.k, evaluations.c.document)
        query = query.where(evaluations.c.search == self._id).order_by(evaluations.c.k)
        with self._reading() as connection:
            return {row.k: row.document for row in connection.execute(query)}

    def document(self, k: int) -> str:
        """Return the evaluation of one finished candidate, as JSON.

        Raises
        ------
        RunError
            If candidate `k` has none.
        """
        one = (evaluations.c.search == self._id) & (evaluations.c.k == k)
        with self._reading() as connection:
            document = connection.execute(sa.select(evaluations.c.document).where(one)).scalar()
        if document is None:
            raise RunError(f"candidate {k} of search {self.name!r} has no finished evaluation.")
        return str(document)

    def attempts(self) -> list[dict[str, Any]]:
        """Return every attempt: k, attempt, state, worker, reason, and its times."""
        query = sa.select(attempts).where(attempts.c.search == self._id)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(attempts.c.k, attempts.c.attempt))
            return [dict(row._mapping) for row in rows]

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with explained(f"search {self.name!r} cannot be read"):  # noqa: SIM117  # its connect too
            with self._database.connect() as connection:
                yield connection
