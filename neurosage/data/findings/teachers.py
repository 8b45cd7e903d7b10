"""Is this a sound teacher? All rules, applied to one that is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import xarray as xr

from neurosage.data.findings.bookkeeping_rules import bookkeeping_findings
from neurosage.data.findings.card_rules import (
    card_findings,
    degrees_findings,
    order_findings,
    said_findings,
)
from neurosage.data.findings.facts import gather
from neurosage.data.findings.finding import SEVERITIES, Finding, Severity, by_severity
from neurosage.data.findings.image_rules import stimulus_findings
from neurosage.data.findings.neuroid_rules import Examined, neuroid_findings
from neurosage.data.findings.presentation_rules import presentation_findings
from neurosage.data.findings.published import for_users, is_published
from neurosage.data.findings.rdm_rules import rdm_findings
from neurosage.data.findings.unit_rules import unit_findings
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher

__all__ = ["SEVERITIES", "Finding", "Severity", "find", "response_findings"]

Progress = Callable[[str, int, int], None]


def find(teacher: Teacher, progress: Progress | None = None) -> list[Finding]:
    """Look for what is wrong in a teacher, or should be known about it.

    Every image is decoded once and every response looked at once, in bounded memory.

    Parameters
    ----------
    teacher : Teacher
        Loaded, or made in memory.
    progress : callable, optional
        Called with what is counted, how many are done, and of how many.

    Returns
    -------
    list of Finding
        Errors first, then warnings, then notes; empty where there is nothing to say.

    Examples
    --------
    >>> from neurosage.data.registry import load_teacher
    >>> find(load_teacher("simulated-macaque"))
    []
    """
    found = list(_of_card(teacher))
    found += stimulus_findings(teacher.stimuli, progress)
    if teacher.assembly is not None:
        found += response_findings(
            teacher.assembly,
            normalise=teacher.normalise,
            kind=teacher.kind,
            stimuli=teacher.stimuli,
            progress=progress,
        )
    elif teacher.kind not in ("network", "simulated"):
        found += degrees_findings(teacher.stimuli)
    if teacher.stored_rdms is not None:
        found += rdm_findings(teacher.stored_rdms)
    if is_published(teacher.card):
        found = list(for_users(found))
    return by_severity(found)


def response_findings(
    responses: xr.DataArray,
    *,
    normalise: str = "none",
    kind: str = "recorded",
    stimuli: StimulusSet | None = None,
    progress: Progress | None = None,
) -> list[Finding]:
    """Look for what is wrong in responses alone.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly, dims ``presentation × neuroid [× time_bin]``.
    normalise : {"none", "centre", "zscore", "noise"}
        What will be done to its neuroids before distances.
    kind : {"recorded", "rdm", "network", "simulated"}
        What it comes from; a network has neither unit nor subject.
    stimuli : StimulusSet, optional
        What was shown, for its size in degrees.
    progress : callable, optional
        Called with what is counted, how many are done, and of how many.

    Returns
    -------
    list of Finding
        Errors first, then warnings, then notes.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, 0.0], [3.0, 0.0]], stimulus_id=["a", "b"], region="V4")
    >>> sorted({f.rule for f in response_findings(a) if f.severity == "error"})
    ['few-sites', 'few-stimuli']
    """
    examined = Examined(responses, gather(responses, progress), normalise, kind)
    return by_severity(
        [
            *neuroid_findings(examined),
            *bookkeeping_findings(examined),
            *unit_findings(examined),
            *presentation_findings(examined),
            *said_findings(examined, stimuli),
        ]
    )


def _of_card(teacher: Teacher) -> Iterator[Finding]:
    card = teacher.card
    if card is None:
        return
    # A loader without parts has none; else the id ends with the part where there are several.
    part = teacher.id.partition("/")[2] if len(card.part) > 1 else next(iter(card.part), "")
    part = part if part in card.part else ""
    yield from card_findings(card, part)
    if part:
        yield from order_findings(card, part, teacher.stimuli)
