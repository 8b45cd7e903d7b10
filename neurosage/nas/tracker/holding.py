"""Holding a search: its record, and the right to change it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from neurosage.errors import RunError
from neurosage.nas.tracker import lease
from neurosage.nas.tracker.record import SearchRecord
from neurosage.nas.tracker.schema import (
    INTERRUPTED,
    PROPOSED,
    RUNNING,
    SUBMITTED,
    attempts,
    candidates,
    searches,
)

OPEN = (SUBMITTED, RUNNING)


class HeldRecord(SearchRecord):
    """One search in its database, which one process at a time may hold.

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
        super().__init__(where, name)
        self._lease = lease.Lease(self._database, self._id)

    def refuse_second(self) -> None:
        """Refuse, before costly work, what :meth:`hold` would refuse after it.

        Raises
        ------
        RunError
            If another process, which may be alive, holds the lease.
        """
        if (holder := self._lease.holder()) is not None:
            raise lease.refusal(self.name, holder)

    @contextmanager
    def hold(self, seconds: float = lease.SECONDS) -> Iterator[Self]:
        """Be the one process that writes; what was left running is proposed again.

        Parameters
        ----------
        seconds : float
            The lease runs out this long after its last renewal, which a thread does.

        Raises
        ------
        RunError
            If another process, which may be alive, holds the lease.
        """
        with self._lease.held(seconds):
            self._interrupt()
            try:
                yield self
            finally:
                with suppress(RunError):  # taken over: what runs now is the other's
                    self._interrupt()

    def confirm(self) -> None:
        """Make sure that this process is still the one that works on the search.

        Raises
        ------
        RunError
            If it does not hold the lease any more.
        """
        with self._lease.transaction():
            pass

    def configure(self, config: Mapping[str, Any]) -> None:
        """Replace the search's settings."""
        one = searches.c.id == self._id
        document = json.dumps(dict(config), sort_keys=True)
        with self._lease.transaction() as connection:
            connection.execute(sa.update(searches).where(one).values(config=document))

    def _interrupt(self) -> None:
        left = (attempts.c.search == self._id) & attempts.c.state.in_(OPEN)
        running = (candidates.c.search == self._id) & (candidates.c.state == RUNNING)
        stopped = {"state": INTERRUPTED, "reason": "the search stopped", "ended": time.time()}
        with self._lease.transaction() as connection:
            connection.execute(sa.update(attempts).where(left).values(**stopped))
            connection.execute(sa.update(candidates).where(running).values(state=PROPOSED))
