"""Who may write to a search: one living process at a time."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psutil
import sqlalchemy as sa

from neurosage.errors import RunError
from neurosage.nas.tracker.schema import searches

SECONDS = 60.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Holder:
    """A process that holds, or wants to hold, the lease of a search.

    Parameters
    ----------
    token : str
        Unlike that of any other holder, also of the same process.
    host : str
        The machine's name.
    pid : int
        The process there.
    pid_started : float
        When that process began, Unix seconds: process ids are used again.
    """

    token: str
    host: str
    pid: int
    pid_started: float

    @classmethod
    def here(cls) -> Holder:
        """Name the present process, with a new token."""
        started = psutil.Process().create_time()
        return cls(uuid4().hex, socket.gethostname(), os.getpid(), started)

    def is_gone(self) -> bool:
        """Tell whether the process is known to have ended; of another host, never."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            # The clock's corrections move create_time a little; a reused pid is far away.
            reused = bool(abs(process.create_time() - self.pid_started) > 5.0)
            return reused or bool(process.status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True


def may_take(holder: Holder | None, expires: float, now: float) -> bool:
    """Tell whether a lease may be taken over.

    Parameters
    ----------
    holder : Holder or None
        Who holds it, if anyone.
    expires, now : float
        Unix seconds.

    Returns
    -------
    bool
        True if it is free, its process has ended, or it has run out: a process that
        stands still does not renew it, and the token fences what it writes later.

    Examples
    --------
    >>> may_take(None, 0.0, 1.0), may_take(Holder.here(), 9.0, 1.0)
    (True, False)
    """
    return holder is None or holder.is_gone() or expires < now


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

    def holder(self) -> Holder | None:
        """Return who holds the lease and may be alive."""
        with self._database.connect() as connection:
            row = self._read(connection)
        holder = _holder(row)
        return None if may_take(holder, row.lease_expires or 0.0, time.time()) else holder

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Begin a transaction that writes, having made sure that the lease is ours.

        Raises
        ------
        RunError
            If it is not held, or another process took it.
        """
        if self.token is None:
            raise RunError("a search is written only by the process that holds its lease.")
        with self._database.begin() as connection:
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
        me = Holder.here()
        with self._database.begin() as connection:
            row = self._read(connection)
            holder = _holder(row)
            if holder and not may_take(holder, row.lease_expires, time.time()):
                raise refusal(row.name, holder)
            self._write(
                connection,
                lease_token=me.token,
                lease_host=me.host,
                lease_pid=me.pid,
                lease_pid_started=me.pid_started,
                lease_expires=time.time() + seconds,
            )
        self.token = me.token

    def _renew(self, seconds: float, done: threading.Event) -> None:
        while not done.wait(seconds / 4):
            try:
                with self.transaction() as connection:
                    self._write(connection, lease_expires=time.time() + seconds)
            except (RunError, sa.exc.OperationalError) as error:
                logger.warning("the lease of the search could not be renewed: %s", error)

    def _release(self) -> None:
        token, self.token = self.token, None
        free = {column.name: None for column in searches.c if column.name.startswith("lease_")}
        with self._database.begin() as connection:
            mine = self._search & (searches.c.lease_token == token)
            connection.execute(sa.update(searches).where(mine).values(**free))

    def _read(self, connection: sa.Connection) -> sa.Row[Any]:
        return connection.execute(sa.select(searches).where(self._search)).one()

    def _write(self, connection: sa.Connection, **values: Any) -> None:
        connection.execute(sa.update(searches).where(self._search).values(**values))


def _holder(row: sa.Row[Any]) -> Holder | None:
    if row.lease_token is None:
        return None
    return Holder(row.lease_token, row.lease_host, row.lease_pid, row.lease_pid_started)


def refusal(name: str, holder: Holder) -> RunError:
    """Build the error for a search that another process is running."""
    return RunError(
        f"search {name!r} is being run by process {holder.pid} on {holder.host}: wait for it, "
        "or stop it first; then go on with --resume."
    )
