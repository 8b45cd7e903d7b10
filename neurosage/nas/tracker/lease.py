"""Who may write to a search: one living process at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from neurosage.errors import RunError
from neurosage.nas.tracker.database import explained
from neurosage.nas.tracker.process import Process
from neurosage.nas.tracker.schema import searches

SECONDS = 60.0

logger = logging.getLogger(__name__)


def may_take(holder: Process | None, expires: float, now: float) -> bool:
    """Tell whether a lease may be taken over.

    Parameters
    ----------
    holder : Process or None
        Who holds it, if anyone.
    expires, now : float
        Unix seconds.

    Returns
    -------
    bool
        True if it is free, its process has ended, or it has run out and nothing is known
        of its process. One that is known to be alive keeps it, however long it was
        suspended; the token fences what one of another machine writes later.

    Examples
    --------
    >>> may_take(None, 0.0, 1.0), may_take(Process.here(), 0.0, 1.0)
    (True, False)
    """
    if holder is None or (fate := holder.fate()) == "gone":
        return True
    return fate == "unknown" and expires < now


class Lease:
    """The lease of one search in its database.

    Parameters
    ----------
    database : sqlalchemy.Engine
        As :func:`~neurosage.nas.tracker.database.connect` opens it.
    search : int
        The search's id in it.
    """

    def __init__(self, database: sa.Engine, search: int) -> None:
        self._database = database.execution_options(write=True)
        self._search = searches.c.id == search
        self.token: str | None = None

    def holder(self) -> Process | None:
        """Return who holds the lease and may be alive."""
        with self._writing() as connection:
            row = self._read(connection)
        holder = _holder(row)
        return None if may_take(holder, row.lease_expires or 0.0, time.time()) else holder

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Begin a transaction that writes, having made sure that the lease is ours.

        Raises
        ------
        RunError
            If it is not held, another process took it, or the database refuses.
        """
        if self.token is None:
            raise RunError("a search is written only by the process that holds its lease.")
        with self._writing() as connection:
            row = self._read(connection)
            if row.lease_token != self.token:
                raise RunError(f"search {row.name!r} was taken over by another process.")
            yield connection

    @contextmanager
    def held(self, seconds: float = SECONDS) -> Iterator[None]:
        """Hold the lease; a thread renews it, however long a computation takes.

        Parameters
        ----------
        seconds : float
            The lease runs out this long after its last renewal.

        Raises
        ------
        RunError
            If another process, which may be alive, holds it.
        """
        self._take(seconds)
        done = threading.Event()
        heart = threading.Thread(target=self._renew, args=(seconds, done), daemon=True)
        heart.start()
        try:
            yield
        finally:
            done.set()
            heart.join()
            self._release()

    def _take(self, seconds: float) -> None:
        me, token = Process.here(), uuid4().hex
        with self._writing() as connection:
            row = self._read(connection)
            holder = _holder(row)
            if holder and not may_take(holder, row.lease_expires, time.time()):
                raise refusal(row.name, holder)
            self._write(
                connection,
                lease_token=token,
                lease_host=me.host,
                lease_pid=me.pid,
                lease_process=me.identity,
                lease_expires=time.time() + seconds,
            )
        self.token = token

    def _renew(self, seconds: float, done: threading.Event) -> None:
        while not done.wait(seconds / 4):
            try:
                with self.transaction() as connection:
                    self._write(connection, lease_expires=time.time() + seconds)
            except RunError as error:
                logger.warning("the lease of the search could not be renewed: %s", error)

    def _release(self) -> None:
        token, self.token = self.token, None
        free = {column.name: None for column in searches.c if column.name.startswith("lease_")}
        mine = self._search & (searches.c.lease_token == token)
        try:
            with self._writing() as connection:
                connection.execute(sa.update(searches).where(mine).values(**free))
        except RunError as error:  # it is free anyway once this process has ended
            logger.warning("the lease of the search could not be given back: %s", error)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with explained("the search cannot be written"), self._database.begin() as connection:
            yield connection

    def _read(self, connection: sa.Connection) -> sa.Row[Any]:
        return connection.execute(sa.select(searches).where(self._search)).one()

    def _write(self, connection: sa.Connection, **values: Any) -> None:
        connection.execute(sa.update(searches).where(self._search).values(**values))


def _holder(row: sa.Row[Any]) -> Process | None:
    if row.lease_token is None:
        return None
    return Process(row.lease_host, row.lease_pid, row.lease_process)


def refusal(name: str, holder: Process) -> RunError:
    """Build the error for a search that another process is running."""
    return RunError(
        f"search {name!r} is being run by process {holder.pid} on {holder.host}: wait for it, "
        "or stop it first; then go on with --resume."
    )
