"""Failures that are hardly the candidates' own: told from theirs, and not held against them."""

from __future__ import annotations

from neurosage.errors import RunError
from neurosage.nas.engine import Outcome
from neurosage.nas.tracker.store import Tracker

FAULTS = 5
ALIKE = 10
THRICE = 3


class Faults:
    """What failed of late, and what that says about the installation.

    A fault (a full disk, a broken driver, a teacher that cannot be read) leaves its
    candidate waiting. Only a finished evaluation shows that the installation works: then
    those that wait are tried again, and at its third fault a candidate has failed. Faults
    of several candidates with none finished between stop the search, and so do failures
    in a row that all give one reason; none of these candidates is used up.

    Parameters
    ----------
    tracker : Tracker
        Held by this process.
    """

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker
        self._waiting: dict[int, tuple[int, str]] = {}
        self._alike: list[tuple[int, int]] = []
        self._reason = ""

    def suspend(self, k: int, attempt: int, reason: str) -> None:
        """Leave a candidate waiting after a fault.

        Raises
        ------
        RunError
            If too many wait.
        """
        self._waiting[k] = (self._tracker.suspend(k, attempt, reason), reason)
        if len(self._waiting) >= FAULTS:
            raise _stop(f"{FAULTS} candidates in a row", reason)

    def note(self, outcome: Outcome, reason: str) -> None:
        """Note a failure that a candidate has recorded as its own.

        Raises
        ------
        RunError
            If so many in a row gave this reason that it is hardly theirs.
        """
        if outcome.refused:  # by the search's own limit, as intended
            return
        if reason != self._reason:
            self._alike, self._reason = [], reason
        self._alike.append((outcome.k, outcome.attempt))
        if len(self._alike) < ALIKE:
            return
        counts = [self._tracker.suspend(k, attempt, reason) for k, attempt in self._alike]
        last = [k for (k, _), n in zip(self._alike, counts, strict=True) if n >= THRICE]
        for k in last:
            self._tracker.give_up(k, reason)
        raise _stop(f"{ALIKE} candidates in a row", reason)

    def excuse(self) -> tuple[list[int], dict[int, str]]:
        """Note that a candidate has finished.

        Returns
        -------
        again : list of int
            Those to be tried again.
        failed : dict of int to str
            Those that have failed, with their reasons.
        """
        self._alike = []
        failed = {
            k: f"it failed {count} times, others did not ({reason})"
            for k, (count, reason) in self._waiting.items()
            if count >= THRICE
        }
        again = [k for k in self._waiting if k not in failed]
        for k, reason in failed.items():
            self._tracker.give_up(k, reason)
        self._waiting = {}
        return again, failed

    def end(self) -> dict[int, str]:
        """Return what has failed, nothing else being left to do.

        Raises
        ------
        RunError
            If candidates still wait, which have not had their three attempts.
        """
        waiting = [(k, reason) for k, (count, reason) in self._waiting.items() if count < THRICE]
        if waiting:
            names = ", ".join(str(k) for k, _ in waiting)
            raise _stop(f"candidate{'s' if len(waiting) > 1 else ''} {names}", waiting[-1][1])
        return self.excuse()[1]


def _stop(who: str, reason: str) -> RunError:
    return RunError(
        f"{who} failed for a reason that is hardly their own: {reason.rstrip('.')}. Mend it and go "
        "on with --resume, which tries them again."
    )
