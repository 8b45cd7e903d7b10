"""The tracker: the database that is the only truth about a search."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from neurosage.errors import RunError
from neurosage.nas.space import Architecture, Observation, to_json
from neurosage.nas.tracker import lease
from neurosage.nas.tracker.schema import (
    FAILED,
    FINISHED,
    FORMAT,
    INTERRUPTED,
    LATE,
    LOST,
    PROPOSED,
    RUNNING,
    SUBMITTED,
    attempts,
    candidates,
    evaluations,
    metadata,
    searches,
)

OPEN = (SUBMITTED, RUNNING)
LEASE_SECONDS = 60.0
LOST_LIMIT = 3


@dataclass(frozen=True)
class Candidate:
    """One candidate as the tracker knows it.

    `state` is ``proposed``, ``running``, ``finished`` or ``failed``; `reason` says
    why it failed; `attempts` counts those that had started.
    """

    k: int
    architecture: Architecture
    key: str
    state: str
    reason: str | None
    attempts: int


class Tracker:
    """One search in its database.

    Anyone may read. Only the process inside :meth:`hold` may write, and each of its
    writes makes sure that it still holds the lease.

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
    >>> path = Path(tempfile.mkdtemp()) / "search.db"
    >>> tracker = create(path, "toy", {"seed": 0})
    >>> with tracker.hold():
    ...     k = tracker.propose({"width": 8}, key="a")
    ...     attempt = tracker.submit(k)
    ...     tracker.fail(k, attempt, "diverged")
    True
    >>> tracker.candidates()[0].state, tracker.candidates()[0].reason
    ('failed', 'diverged')
    """

    def __init__(self, where: Path | str, name: str | None = None) -> None:
        if isinstance(where, Path) and not where.is_file():
            raise RunError(f"there is no search at {where}: start one with neurosage search.")
        self._engine = connect(where)
        with self._reading() as connection:
            row = _find(connection, where, name)
        if row.format > FORMAT:
            raise RunError(f"{where} was written by a later version of neurosage: upgrade to it.")
        self.name: str = row.name
        self._id: int = row.id
        self._token: str | None = None

    # ---- reading -------------------------------------------------------------------

    @property
    def config(self) -> dict[str, Any]:
        """The search's settings, as a JSON document."""
        document: dict[str, Any] = json.loads(self._search().config)
        return document

    @property
    def holder(self) -> lease.Holder | None:
        """The process that runs the search, if it holds the lease and may be alive."""
        row = self._search()
        holder = _holder(row)
        return None if lease.may_take(holder, row.lease_expires or 0.0, time.time()) else holder

    def candidates(self) -> list[Candidate]:
        """All candidates in the order of their proposal."""
        started = sa.func.count(attempts.c.started).label("attempts")
        match = (attempts.c.search == candidates.c.search) & (attempts.c.k == candidates.c.k)
        query = (
            sa.select(candidates, started)
            .outerjoin(attempts, match)
            .where(candidates.c.search == self._id)
            .group_by(candidates.c.search, candidates.c.k)
            .order_by(candidates.c.k)
        )
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [
            Candidate(r.k, json.loads(r.architecture), r.key, r.state, r.reason, r.attempts)
            for r in rows
        ]

    def observations(self) -> list[Observation]:
        """Finished and failed candidates in the order of their proposal, for explorers."""
        scores = {row.k: row.score for row in self.scores()}
        return [
            Observation(c.architecture, c.key, scores.get(c.k))
            for c in self.candidates()
            if c.state in (FINISHED, FAILED)
        ]

    def scores(self) -> list[sa.Row[Any]]:
        """Rows ``(k, attempt, P, TG, score)`` of the finished candidates, by k."""
        e = evaluations.c
        query = sa.select(e.k, e.attempt, e.P, e.TG, e.score).where(e.search == self._id)
        with self._reading() as connection:
            return list(connection.execute(query.order_by(e.k)).all())

    def documents(self) -> dict[int, str]:
        """Evaluations as JSON, by candidate."""
        e = evaluations.c
        query = sa.select(e.k, e.document).where(e.search == self._id).order_by(e.k)
        with self._reading() as connection:
            return {row.k: row.document for row in connection.execute(query)}

    def document(self, k: int) -> str:
        """The evaluation of one finished candidate, as JSON.

        Raises
        ------
        RunError
            If candidate `k` has none.
        """
        e = evaluations.c
        query = sa.select(e.document).where((e.search == self._id) & (e.k == k))
        with self._reading() as connection:
            document = connection.execute(query).scalar()
        if document is None:
            raise RunError(f"candidate {k} of search {self.name!r} has no finished evaluation.")
        return str(document)

    def attempts(self) -> list[dict[str, Any]]:
        """Every attempt: k, attempt, state, worker, reason, and its times."""
        a = attempts.c
        query = sa.select(attempts).where(a.search == self._id).order_by(a.k, a.attempt)
        with self._reading() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    # ---- the lease -----------------------------------------------------------------

    @contextmanager
    def hold(self, seconds: float = LEASE_SECONDS) -> Iterator[Tracker]:
        """Hold the lease: be the one process that writes.

        What an earlier holder left unfinished goes back to ``proposed``. A thread
        renews the lease, so that an evaluation in this process may last long.

        Parameters
        ----------
        seconds : float
            The lease runs out this long after its last renewal.

        Raises
        ------
        RunError
            If another process, which may be alive, holds it.
        """
        holder = lease.Holder.here()
        self._take(holder, seconds)
        self._token = holder.token
        done = threading.Event()
        heart = threading.Thread(target=self._renew, args=(seconds, done), daemon=True)
        heart.start()
        try:
            yield self
        finally:
            done.set()
            heart.join()
            self._release()

    def _take(self, holder: lease.Holder, seconds: float) -> None:
        with self._engine.execution_options(write=True).begin() as connection:
            row = connection.execute(sa.select(searches).where(searches.c.id == self._id)).one()
            current = _holder(row)
            if current and not lease.may_take(current, row.lease_expires, time.time()):
                raise lease.refuse(self.name, current)
            connection.execute(
                sa.update(searches)
                .where(searches.c.id == self._id)
                .values(
                    lease_token=holder.token,
                    lease_host=holder.host,
                    lease_pid=holder.pid,
                    lease_pid_started=holder.pid_started,
                    lease_expires=time.time() + seconds,
                )
            )
            self._interrupt(connection)

    def _interrupt(self, connection: sa.Connection) -> None:
        a, c = attempts.c, candidates.c
        connection.execute(
            sa.update(attempts)
            .where((a.search == self._id) & a.state.in_(OPEN))
            .values(state=INTERRUPTED, reason="the search stopped", ended=time.time())
        )
        connection.execute(
            sa.update(candidates)
            .where((c.search == self._id) & (c.state == RUNNING))
            .values(state=PROPOSED)
        )

    def _renew(self, seconds: float, done: threading.Event) -> None:
        mine = (searches.c.id == self._id) & (searches.c.lease_token == self._token)
        while not done.wait(seconds / 4):
            try:
                with self._engine.execution_options(write=True).begin() as connection:
                    renewal = sa.update(searches).where(mine)
                    connection.execute(renewal.values(lease_expires=time.time() + seconds))
            except sa.exc.OperationalError:
                continue  # a full or busy disk: try again; the next write would tell

    def _release(self) -> None:
        token, self._token = self._token, None
        with self._engine.execution_options(write=True).begin() as connection:
            mine = (searches.c.id == self._id) & (searches.c.lease_token == token)
            if connection.execute(sa.select(searches.c.id).where(mine)).first():
                self._interrupt(connection)
                free = {c.name: None for c in searches.c if c.name.startswith("lease_")}
                connection.execute(sa.update(searches).where(mine).values(**free))

    # ---- writing, inside hold() ----------------------------------------------------

    def propose(self, architecture: Architecture, key: str) -> int:
        """Write the next candidate; return its number k, counted from 0.

        Raises
        ------
        RunError
            If the graph key already stands in this search, or the lease is lost.
        """
        c = candidates.c
        with self._writing() as connection:
            twin = sa.select(c.k).where((c.search == self._id) & (c.key == key))
            if (k := connection.execute(twin).scalar()) is not None:
                raise RunError(f"candidate {k} of search {self.name!r} already has key {key}.")
            last = sa.select(sa.func.max(c.k)).where(c.search == self._id)
            k = connection.execute(last).scalar()
            k = 0 if k is None else k + 1
            row = {"search": self._id, "k": k, "architecture": to_json(architecture), "key": key}
            new = sa.insert(candidates).values(**row, state=PROPOSED, proposed=time.time())
            connection.execute(new)
        return k

    def submit(self, k: int) -> int:
        """Open the next attempt at a proposed candidate; return its number, from 1.

        Raises
        ------
        RunError
            If the candidate is not waiting for one.
        """
        a = attempts.c
        with self._writing() as connection:
            state = self._state(connection, k)
            if state != PROPOSED:
                raise RunError(f"candidate {k} of search {self.name!r} is {state}, not waiting.")
            last = sa.select(sa.func.max(a.attempt)).where((a.search == self._id) & (a.k == k))
            attempt = (connection.execute(last).scalar() or 0) + 1
            row = {"search": self._id, "k": k, "attempt": attempt, "token": self._token}
            new = sa.insert(attempts).values(**row, state=SUBMITTED, submitted=time.time())
            connection.execute(new)
            self._set(connection, k, state=RUNNING)
        return attempt

    def start(self, k: int, attempt: int, worker: str) -> None:
        """Note that an attempt has begun, and where: from now on it counts."""
        with self._writing() as connection:
            if self._is_open(connection, k, attempt):
                now = time.time()
                self._note(connection, k, attempt, state=RUNNING, worker=worker, started=now)

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
            False if it came late: the attempt had been given up, so its result is
            noted as late and not counted.
        """
        with self._writing() as connection:
            if not self._end(connection, k, attempt, FINISHED):
                return False
            finite = {n: v if math.isfinite(v) else None for n, v in numbers.items()}
            row = {"search": self._id, "k": k, "attempt": attempt, "document": document}
            connection.execute(sa.insert(evaluations).values(**row, **finite))
            self._set(connection, k, state=FINISHED, ended=time.time())
        return True

    def fail(self, k: int, attempt: int, reason: str) -> bool:
        """Record that a candidate cannot be evaluated, and why; False if it came late."""
        with self._writing() as connection:
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
        with self._writing() as connection:
            if not self._end(connection, k, attempt, LOST, reason):
                return False
            count = connection.execute(sa.select(sa.func.count()).where(lost)).scalar_one()
            if count < limit:
                self._set(connection, k, state=PROPOSED)
                return True
            why = f"its worker died {count} times: {reason}"
            self._set(connection, k, state=FAILED, reason=why, ended=time.time())
        return False

    # ---- inside a transaction --------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        if self._token is None:
            raise RunError(f"search {self.name!r} is written only inside Tracker.hold().")
        with self._engine.execution_options(write=True).begin() as connection:
            row = connection.execute(sa.select(searches).where(searches.c.id == self._id)).one()
            if row.lease_token != self._token:
                raise RunError(f"search {self.name!r} was taken over by another process.")
            yield connection

    def _search(self) -> sa.Row[Any]:
        with self._reading() as connection:
            return connection.execute(sa.select(searches).where(searches.c.id == self._id)).one()

    def _state(self, connection: sa.Connection, k: int) -> str | None:
        c = candidates.c
        query = sa.select(c.state).where((c.search == self._id) & (c.k == k))
        return connection.execute(query).scalar()

    def _set(self, connection: sa.Connection, k: int, **values: Any) -> None:
        one = (candidates.c.search == self._id) & (candidates.c.k == k)
        connection.execute(sa.update(candidates).where(one).values(**values))

    def _is_open(self, connection: sa.Connection, k: int, attempt: int) -> bool:
        a = attempts.c
        one = (a.search == self._id) & (a.k == k) & (a.attempt == attempt)
        return connection.execute(sa.select(a.state).where(one)).scalar() in OPEN

    def _note(self, connection: sa.Connection, k: int, attempt: int, **values: Any) -> None:
        a = attempts.c
        one = (a.search == self._id) & (a.k == k) & (a.attempt == attempt)
        connection.execute(sa.update(attempts).where(one).values(**values))

    def _end(
        self, connection: sa.Connection, k: int, attempt: int, state: str, reason: str | None = None
    ) -> bool:
        if self._is_open(connection, k, attempt):
            self._note(connection, k, attempt, state=state, reason=reason, ended=time.time())
            return True
        a = attempts.c
        given_up = (a.search == self._id) & (a.k == k) & (a.attempt == attempt)
        given_up &= a.state.in_((LOST, INTERRUPTED))
        connection.execute(sa.update(attempts).where(given_up).values(state=LATE))
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
        If the database has a search of this name.
    """
    if isinstance(where, Path):
        where.parent.mkdir(parents=True, exist_ok=True)
    engine = connect(where)
    with engine.execution_options(write=True).begin() as connection:
        metadata.create_all(connection)
        if connection.execute(sa.select(searches.c.id).where(searches.c.name == name)).first():
            raise RunError(
                f"{where} already holds the search {name!r}: go on with it by --resume, "
                "or give the new one another name (--set search.name=NAME)."
            )
        row = {"name": name, "format": FORMAT, "config": json.dumps(dict(config), sort_keys=True)}
        new = sa.insert(searches).values(**row, versions=_versions(), created=time.time())
        connection.execute(new)
    engine.dispose()
    return Tracker(where, name)


def connect(where: Path | str) -> sa.Engine:
    """Open a database; in SQLite, writing transactions take their lock at the start."""
    url = f"sqlite:///{where}" if isinstance(where, Path) else where
    if not url.startswith("sqlite"):
        return sa.create_engine(url)
    engine = sa.create_engine(url, connect_args={"timeout": 30.0})

    @sa.event.listens_for(engine, "connect")
    def _no_driver_transactions(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # else the driver begins late, without the lock

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _find(connection: sa.Connection, where: Path | str, name: str | None) -> sa.Row[Any]:
    try:
        rows = connection.execute(sa.select(searches)).all()
    except sa.exc.DatabaseError as error:
        raise RunError(f"{where} is not the database of a search ({error.orig}).") from error
    found = [row for row in rows if name in (None, row.name)]
    if len(found) != 1:
        names = [row.name for row in rows]
        raise RunError(f"{where} holds the searches {names}: name one of them, not {name!r}.")
    return found[0]


def _holder(row: sa.Row[Any]) -> lease.Holder | None:
    if row.lease_token is None:
        return None
    return lease.Holder(row.lease_token, row.lease_host, row.lease_pid, row.lease_pid_started)


def _versions() -> str:
    from importlib.metadata import version

    names = ("neurosage", "torch", "numpy", "hyperopt", "xarray")
    return json.dumps({name: version(name) for name in names})
