"""Findings about published teachers: their cards are not for who uses them to edit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from neurosage.data.cards.card import Card
from neurosage.data.findings.finding import Finding

UNSAID = "Nothing in the card, which is published; "
REMEDIES = {
    "degrees": f"{UNSAID}where you know it, say it in memory: "
    "dataclasses.replace(teacher.stimuli, degrees=…).",
    "unit": f"{UNSAID}where you know it, say it in memory: "
    'teacher.assembly.assign_attrs(unit="…").',
    "subject": f"{UNSAID}take its intervals as those over stimuli and sites alone.",
    "no-repetitions": "Nothing: read its ceilings over sites or subjects where there are any.",
    "time-bins": "Average over a window before use: average_time(teacher.assembly, 70, 170).",
    "few-sites": f"{UNSAID}compare the regions that have more.",
}
SILENT = ("card-silent", "no-hash")  # for the author of a card


def is_published(card: Card | None) -> bool:
    """Tell whether a card stands for public files, and is not its user's to edit.

    Examples
    --------
    >>> is_published(Card(schema=1, id="lab-it", kind="recorded"))
    False
    """
    return card is not None and card.base_url is not None


def for_users(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings that matter to who uses a published teacher, with their next steps.

    Parameters
    ----------
    findings : iterable of Finding
        As for its author.

    Yields
    ------
    Finding
        Without what only the author can say; no remedy asks to edit the card.

    Examples
    --------
    >>> note = Finding("degrees", "note", "stimuli", "Not said.", "Add degrees = … to the card.")
    >>> next(for_users([note])).remedy.startswith("Nothing in the card")
    True
    """
    for finding in findings:
        if finding.rule in SILENT:
            continue
        step = REMEDIES.get(finding.rule)
        if step is None and "card" in finding.remedy.lower():
            step = "Nothing you could do in the card, which is published; know it when you report."
        yield finding if step is None else replace(finding, remedy=step)
