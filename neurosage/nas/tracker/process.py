"""Processes, told from those that had or will have the same id."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import psutil

Fate: TypeAlias = Literal["alive", "gone", "unknown"]

BOOT = Path("/proc/sys/kernel/random/boot_id")
NAMESPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class Process:
    """A process of some machine.

    Parameters
    ----------
    host : str
        The machine's name.
    pid : int
        Its id there; ids are used again.
    identity : str
        What tells it from others of its id: where ids are counted (the boot of the
        machine, the container) and the moment of its start there. No clock that can be
        set has a part in it.
    """

    host: str
    pid: int
    identity: str

    @classmethod
    def here(cls) -> Process:
        """Name the present process.

        Examples
        --------
        >>> Process.here().fate()
        'alive'
        """
        return cls(socket.gethostname(), os.getpid(), f"{_place()} {_start(os.getpid())}")

    def fate(self) -> Fate:
        """Tell what is known of it, from here.

        Returns
        -------
        {"alive", "gone", "unknown"}
            ``unknown``: it is none of this machine's, since it was last started, or of
            another container's, whose processes cannot be seen from here.
        """
        place, _, start = self.identity.rpartition(" ")
        if (self.host, place) != (socket.gethostname(), _place()):
            return "unknown"
        try:
            ended = psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
            return "gone" if ended or _start(self.pid) != start else "alive"
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            return "gone"


def _place() -> str:
    try:
        return f"{BOOT.read_text(encoding='ascii').strip()} {os.readlink(NAMESPACE)}"
    except OSError:
        return "here"


def _start(pid: int) -> str:
    if not BOOT.exists():
        return f"{psutil.Process(pid).create_time():.2f}"
    # Clock ticks since boot. psutil adds to them the time of boot, which moves with the clock.
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    return text.rpartition(")")[2].split()[19]
