"""The tracker: the one writer of the database that is the only truth about a search."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from neurosage.errors import RunError
from neurosage.nas.space import Architecture, to_json
from neurosage.nas.tracker.database import insert_search
from neurosage.nas.tracker.holding import OPEN, HeldRecord
from neurosage.nas.tracker.schema import (
    FAILED,
    FAULTY,
    FINISHED,
    INTERRUPTED,
    LATE,
    LOST,
    PROPOSED,
    RUNNING,
    SUBMITTED,
    attempts,
    candidates,
    evaluations,
)

LOST_LIMIT = 3


class Tracker(HeldRecord):
    """One search in its database, read and, inside :meth:`hold`, written.

    A candidate goes ``proposed → running → finished | failed``, and back to
    ``proposed`` when its attempt was lost or interrupted. Each writing call is one
    transaction, which makes sure first that the lease is still held.

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

    Examples
    --------
    >>> import tempfile
    >>> tracker = create(Path(tempfile.mkdtemp()) / "search.db", "toy", {"seed": 0})
    >>> with tracker.hold():
    ...     k = tracker.propose({"width": 8}, key="a")
    ...     attempt = tracker.submit(k)
    ...     tracker.fail(k, attempt, "its loss became NaN")
    True
    >>> tracker.candidates()[0].state
    'failed'
    """

    def propose(self, architecture: Architecture, key: str) -> int:
        """Write the next candidate; return its number k, from 0.

        Raises
        ------
        RunError
            If its graph key already stands in this search.
        """
        c = candidates.c
        with self._lease.transaction() as connection:
            twin = sa.select(c.k).where((c.search == self._id) & (c.key == key))
            if (k := connection.execute(twin).scalar()) is not None:
                raise RunError(f"candidate {k} of search {self.name!r} already has the key {key}.")
            query = sa.select(sa.func.max(c.k)).where(c.search == self._id)
            last = connection.execute(query).scalar()
            k = 0 if last is None else int(last) + 1
            row = {"search": self._id, "k": k, "architecture": to_json(architecture), "key": key}
            new = sa.insert(candidates).values(**row, state=PROPOSED, proposed=time.time())
            connection.execute(new)
        return k

    def submit(self, k: int) -> int:
        """Open the next attempt at a proposed candidate; return its number, from 1.

        Raises
        ------
        RunError
            If the candidate does not wait for one.
        """
        a, c = attempts.c, candidates.c
        with self._lease.transaction() as connection:
            one = (c.search == self._id) & (c.k == k)
            state = connection.execute(sa.select(c.state).where(one)).scalar()
            if state != PROPOSED:
                raise RunError(f"candidate {k} of search {self.name!r} is {state}, not waiting.")
            query = sa.select(sa.func.max(a.attempt)).where((a.search == self._id) & (a.k == k))
            attempt = int(connection.execute(query).scalar() or 0) + 1
            row = {"search": self._id, "k": k, "attempt": attempt, "state": SUBMITTED}
            new = sa.insert(attempts).values(**row, token=self._lease.token, submitted=time.time())
            connection.execute(new)
            self._set(connection, k, state=RUNNING)
        return attempt

    def start(self, k: int, attempt: int, worker: str) -> None:
        """Note that an attempt has begun, and where: from now on it counts."""
        a = attempts.c
        with self._lease.transaction() as connection:
            one = self._attempt(k, attempt) & (a.state == SUBMITTED)
            now = {"state": RUNNING, "worker": worker, "started": time.time()}
            connection.execute(sa.update(attempts).where(one).values(**now))

    def finish(self, k: int, attempt: int, document: str, numbers: Mapping[str, float]) -> bool:
        """Record an evaluation.

        Parameters
        ----------
        k, attempt : int
            Whose it is.
        document : str
            The evaluation as JSON.
        numbers : mapping
            ``P``, ``TG`` and ``score``; what is not finite is stored as missing.

        Returns
        -------
        bool
            False if it came late: the attempt had been given up, so the result is
            noted as late and not counted.
        """
        with self._lease.transaction() as connection:
            if not self._end(connection, k, attempt, FINISHED):
                return False
            finite = {name: v if math.isfinite(v) else None for name, v in numbers.items()}
            row = {"search": self._id, "k": k, "attempt": attempt, "document": document}
            connection.execute(sa.insert(evaluations).values(**row, **finite))
            self._set(connection, k, state=FINISHED, ended=time.time())
        return True

    def fail(self, k: int, attempt: int, reason: str) -> bool:
        """Record that a candidate cannot be evaluated, and why; False if it came late."""
        with self._lease.transaction() as connection:
            if not self._end(connection, k, attempt, FAILED, reason):
                return False
            self._set(connection, k, state=FAILED, reason=reason, ended=time.time())
        return True

    def lose(self, k: int, attempt: int, reason: str, limit: int = LOST_LIMIT) -> bool:
        """Record that an attempt's worker died; the candidate waits for the next one.

        Parameters
        ----------
        k, attempt : int
            Which attempt.
        reason : str
            What is known about the death.
        limit : int
            After so many lost attempts that had started, the candidate has failed.

        Returns
        -------
        bool
            True if the candidate is to be tried again.
        """
        a = attempts.c
        lost = (a.search == self._id) & (a.k == k) & (a.state == LOST) & a.started.is_not(None)
        with self._lease.transaction() as connection:
            if not self._end(connection, k, attempt, LOST, reason):
                return False
            count = connection.execute(sa.select(sa.func.count()).where(lost)).scalar_one()
            if count < limit:
                self._set(connection, k, state=PROPOSED)
                return True
            why = f"its worker died {count} times ({reason})"
            self._set(connection, k, state=FAILED, reason=why, ended=time.time())
        return False

    def suspend(self, k: int, attempt: int, reason: str) -> int:
        """Record that an attempt ended by a fault; the candidate waits for the next one.

        Parameters
        ----------
        k, attempt : int
            Which attempt; it may have been recorded as failed already.
        reason : str
            The fault.

        Returns
        -------
        int
            How many attempts at the candidate have ended so.
        """
        a = attempts.c
        ended = {"state": FAULTY, "reason": reason, "ended": time.time()}
        stands = self._attempt(k, attempt) & a.state.in_((*OPEN, FAILED))
        every = (a.search == self._id) & (a.k == k) & (a.state == FAULTY)
        with self._lease.transaction() as connection:
            if connection.execute(sa.update(attempts).where(stands).values(**ended)).rowcount:
                self._set(connection, k, state=PROPOSED, reason=None, ended=None)
            return connection.execute(
                sa.select(sa.func.count()).select_from(attempts).where(every)
            ).scalar_one()

    def give_up(self, k: int, reason: str) -> None:
        """Record that a candidate which waits for its next attempt has failed."""
        with self._lease.transaction() as connection:
            self._set(connection, k, state=FAILED, reason=reason, ended=time.time())

    def _attempt(self, k: int, attempt: int) -> sa.ColumnElement[bool]:
        a = attempts.c
        return (a.search == self._id) & (a.k == k) & (a.attempt == attempt)

    def _set(self, connection: sa.Connection, k: int, **values: Any) -> None:
        one = (candidates.c.search == self._id) & (candidates.c.k == k)
        connection.execute(sa.update(candidates).where(one).values(**values))

    def _end(
        self, connection: sa.Connection, k: int, attempt: int, state: str, reason: str | None = None
    ) -> bool:
        one, a = self._attempt(k, attempt), attempts.c
        end = sa.update(attempts).where(one & a.state.in_(OPEN))
        values = {"state": state, "reason": reason, "ended": time.time()}
        if connection.execute(end.values(**values)).rowcount == 1:
            return True
        late = sa.update(attempts).where(one & a.state.in_((LOST, INTERRUPTED)))
        connection.execute(late.values(state=LATE))
        return False


def create(where: Path | str, name: str, config: Mapping[str, Any]) -> Tracker:
    """Write a new search into a database; all of it or, when killed, nothing.

    Parameters
    ----------
    where : path or str
        A SQLite file, made with its folder if missing, or the URL of a database.
    name : str
        The search's name.
    config : mapping
        Its settings, as JSON can hold them.

    Returns
    -------
    Tracker
        Not yet held.

    Raises
    ------
    RunError
        If the database has a search of this name, or is none.
    """
    insert_search(where, name, config)
    return Tracker(where, name)
