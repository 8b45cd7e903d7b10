"""Who may write to a search: one living process at a time."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from uuid import uuid4

import psutil

from neurosage.errors import RunError


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
            # Clock steps move create_time a little; a reused pid is minutes or days away.
            return abs(psutil.Process(self.pid).create_time() - self.pid_started) > 5.0
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
        True if it is free, its process has ended, or it ran out on another host.

    Examples
    --------
    >>> may_take(None, 0.0, 1.0), may_take(Holder.here(), 9.0, 1.0)
    (True, False)
    """
    if holder is None or holder.is_gone():
        return True
    # A living process here renews: if it stands still (a debugger, a suspended laptop)
    # its lease runs out as on any host, and the token then fences what it writes.
    return expires < now


def refuse(name: str, holder: Holder) -> RunError:
    """Build the error for a search that another process is running."""
    return RunError(
        f"search {name!r} is being run by process {holder.pid} on {holder.host}: "
        "wait for it, or stop it first; then go on with --resume."
    )
