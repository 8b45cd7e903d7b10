"""What is found in a teacher: how bad, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np

from neurosage.errors import unknown

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
NAMED = 4  # so many of those concerned are named, the others counted


@dataclass(frozen=True)
class Finding:
    """One thing about a teacher that its owner should know.

    Parameters
    ----------
    rule : str
        What was looked for, such as ``"dead-neuroid"``.
    severity : {"error", "warning", "note"}
        ``error``: it cannot be used, or numbers would be wrong; ``warning``: numbers may
        be wrong, or mean something else; ``note``: worth knowing.
    place : str
        The file, or the neuroids or stimuli: the first few, and how many.
    message : str
        What is the case, and why it matters.
    remedy : str
        The next step.

    Raises
    ------
    InputError
        If the severity is none of the three.

    Examples
    --------
    >>> Finding("dead-neuroid", "error", "neuroid V4.0", "It is 0 throughout.", "Leave it out.")
    Finding(rule='dead-neuroid', severity='error', place='neuroid V4.0', \
message='It is 0 throughout.', remedy='Leave it out.')
    """

    rule: str
    severity: Severity
    place: str
    message: str
    remedy: str

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise unknown("severity", self.severity, SEVERITIES)

    def to_dict(self) -> dict[str, str]:
        """Return its five texts by name."""
        return asdict(self)


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with errors first, then warnings, then notes; else in their order.

    Parameters
    ----------
    findings : iterable of Finding
        In any order; one that occurs twice is kept once.

    Returns
    -------
    list of Finding
        Sorted.

    Examples
    --------
    >>> note = Finding("unit", "note", "card", "No unit.", "Give it.")
    >>> error = Finding("unit", "error", "card", "A wrong unit.", "Mend it.")
    >>> [finding.severity for finding in by_severity([note, error, note])]
    ['error', 'note']
    """
    return sorted(dict.fromkeys(findings), key=lambda found: SEVERITIES.index(found.severity))


def listed(what: str, names: Sequence[Any] | np.ndarray[Any, Any]) -> str:
    """Name those concerned: the first few, and how many there are.

    Parameters
    ----------
    what : str
        What they are, in the plural: ``"neuroids"``, ``"stimuli"``.
    names : sequence
        All of them.

    Returns
    -------
    str
        For the place of a finding.

    Examples
    --------
    >>> listed("neuroids", ["V4.0"])
    'neuroid V4.0'
    >>> listed("stimuli", ["a", "b", "c", "d", "e"])
    '5 stimuli: a, b, c, d, …'
    """
    first = ", ".join(str(name) for name in names[:NAMED])
    if len(names) == 1:
        singular = {"stimuli": "stimulus"}.get(what, what.removesuffix("s"))
        return f"{singular} {first}"
    return f"{len(names)} {what}: {first}{', …' if len(names) > NAMED else ''}"


def count(number: int, what: str) -> str:
    """Say how many in good English.

    Examples
    --------
    >>> count(1, "stimuli"), count(2, "neuroids")
    ('1 stimulus', '2 neuroids')
    """
    singular = {"stimuli": "stimulus"}.get(what, what.removesuffix("s"))
    return f"{number:,} {singular if number == 1 else what}"
