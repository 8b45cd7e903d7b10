"""Is this a sound teacher, and how reliable is it? Findings and tables, and a page of pictures."""

from __future__ import annotations

import html
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from neurosage.data.findings.finding import SEVERITIES, Finding, count
from neurosage.data.findings.folders import load_and_find
from neurosage.data.findings.teachers import find
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.report.measures import Measures
from neurosage.report.measuring import measure

Progress = Callable[[str, int, int], None]
PAGE = "check.html"


@dataclass(frozen=True, eq=False, repr=False)
class Check:
    """What was found in a teacher, and how reliable it is.

    Parameters
    ----------
    id : str
        What was checked, as it was asked for.
    teacher : Teacher or None
        None where it does not load.
    findings : tuple of Finding
        Errors first, then warnings, then notes.
    measures : Measures
        Reliabilities and ceilings, and why those that are missing are.
    page : Path or None
        The page written.

    Examples
    --------
    >>> import neurosage as ns
    >>> checked = check(ns.load_teacher("simulated-macaque").id)
    >>> checked.ok, checked.findings, list(checked.regions.region)
    (True, (), ['V4', 'pIT', 'aIT'])
    """

    id: str
    teacher: Teacher | None
    findings: tuple[Finding, ...]
    measures: Measures = field(default_factory=Measures)
    page: Path | None = None

    @property
    def ok(self) -> bool:
        """Whether no error was found."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def regions(self) -> pd.DataFrame:
        """A row a region: neuroids, and reliabilities and ceilings that are estimable."""
        return self.measures.table

    @property
    def counts(self) -> dict[str, int]:
        """How many errors, warnings and notes there are."""
        found = [finding.severity for finding in self.findings]
        return {severity: found.count(severity) for severity in SEVERITIES}

    @property
    def verdict(self) -> str:
        """The counts, as a sentence."""
        counts = self.counts
        if not any(counts.values()):
            return "no fault found"
        named = [count(number, f"{severity}s") for severity, number in counts.items() if number]
        return ", ".join(named) + ("" if counts["error"] else ", no error")

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a table: rule, severity, place, message, remedy."""
        columns = ["rule", "severity", "place", "message", "remedy"]
        return pd.DataFrame([finding.to_dict() for finding in self.findings], columns=columns)

    def __repr__(self) -> str:
        return f"<Check of {self.id}: {self.verdict}>"

    def _repr_html_(self) -> str:
        tables = [self.to_frame().to_html(index=False), self.regions.to_html(index=False)]
        return f"<p>{html.escape(repr(self)[1:-1])}</p>{''.join(tables)}"


def check(
    teacher: str | Path | Teacher,
    out: str | Path | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Check:
    """Check a teacher: every finding with its remedy, reliabilities, ceilings, pictures.

    Parameters
    ----------
    teacher : str, Path or Teacher
        A registered id, ``id/part``, a folder with a ``card.toml``, or a teacher in memory.
    out : str or Path, optional
        A folder for a page with pictures, ``check.html``; made if need be. None is written
        of a teacher that does not load but its findings.
    seed : int
        Of splits and resamples.
    progress : callable, optional
        Called with what is counted, how many are done, and of how many.

    Returns
    -------
    Check
        ``ok`` is False where an error was found; nothing is raised for what is wrong in
        a teacher.

    Raises
    ------
    InputError
        If no teacher, part or folder has that name, or `out` is no folder.

    Examples
    --------
    >>> check("simulated-macaque")
    <Check of simulated-macaque: no fault found>
    """
    if out is not None:
        _make_folder(Path(out))
    loaded: Teacher | None
    if isinstance(teacher, Teacher):
        loaded, findings, name = teacher, find(teacher, progress), teacher.id
    else:
        loaded, findings = load_and_find(teacher, progress)
        name = str(teacher)
    measures = Measures()
    if loaded is not None:
        measures = measure(loaded, seed=seed, pictures=out is not None, progress=progress)
    page = None
    if out is not None:
        from neurosage.report.check_page import write_check_page

        checked = Check(name, loaded, tuple(findings), measures)
        page = write_check_page(Path(out) / PAGE, checked)
    return Check(name, loaded, tuple(findings), measures, page)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        page = out / PAGE
        if page.is_dir() or not os.access(out, os.W_OK):
            raise InputError(f"{page} cannot be written to; choose another folder.")
    except InputError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{str(out)!r} cannot be made a folder for the page: {why}.") from error
