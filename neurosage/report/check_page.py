"""The page of a check: findings, tables and pictures of a teacher in one HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from neurosage.data.teacher import Teacher
from neurosage.report.measures import NORMALISED
from neurosage.report.page import figure_html, paragraph, section, table_html, write_page
from neurosage.report.rdm_plots import plot_rdms
from neurosage.report.recording_plots import (
    plot_curves,
    plot_rdm_reliability,
    plot_reliabilities,
)
from neurosage.report.thumbnails import strip_html

if TYPE_CHECKING:
    from neurosage.report.check import Check

LABELS = ("category", "category_name", "label", "object", "object_name", "class")
SEVERITY = {"error": "Error", "warning": "Warning", "note": "Note"}


def write_check_page(path: Path, checked: Check) -> Path:
    """Write the page of a check.

    Parameters
    ----------
    path : Path
        Of the HTML file.
    checked : Check
        What was found and measured.

    Returns
    -------
    Path
        The file.
    """
    lead = checked.id if checked.teacher is None else repr(checked.teacher)[1:-1]
    sections = [
        *_simulated(checked.teacher),
        _findings(checked),
        *_images(checked.teacher),
        *_table(checked),
        *_neuroids(checked),
        *_rdms(checked),
        *_reliability(checked),
        *_curves(checked),
        *_missing(checked),
    ]
    title = f"Check of {checked.id}: {checked.verdict}"
    return write_page(path, title, lead, sections)


def category_of(teacher: Teacher) -> str | None:
    """Return the column of a teacher's stimuli that sorts its RDMs best by name.

    Parameters
    ----------
    teacher : Teacher
        With labels, or without.

    Returns
    -------
    str or None
        A usual name for categories first, else the column of text with the fewest
        values; None where no column puts stimuli together.
    """
    table = teacher.stimuli.table
    number = table.nunique()
    grouping = [c for c in table.columns if 1 < number[c] <= max(len(table) // 2, 1)]
    named = [c for c in LABELS if c in grouping]
    words = [c for c in grouping if table[c].map(lambda v: isinstance(v, str)).all()]
    chosen = named or sorted(words, key=lambda c: number[c])
    return str(chosen[0]) if chosen else None


def _simulated(teacher: Teacher | None) -> Iterator[str]:
    if teacher is not None and teacher.kind == "simulated":
        words = "Made by a formula, measured in no animal: this is about the method, not brains."
        yield section("This teacher is simulated", paragraph(words), warn=True)


def _findings(checked: Check) -> str:
    if not checked.findings:
        return section("Findings", paragraph("No fault was found."))
    table = checked.to_frame()
    shown = pd.DataFrame(
        {
            "": table["severity"].map(SEVERITY),
            "where": table["place"],
            "what": table["message"],
            "next step": table["remedy"],
        }
    )
    return section("Findings", table_html(shown, wrap=True), warn=not checked.ok)


def _images(teacher: Teacher | None) -> Iterator[str]:
    if teacher is not None and len(teacher.stimuli):
        words = (
            "Some of the stimuli in their order, each with its number and its id: look whether "
            "they are the images that these ids, or the rows of the responses, stand for."
        )
        yield section("Images", strip_html(teacher.stimuli), paragraph(words, note=True))


def _table(checked: Check) -> Iterator[str]:
    shown = checked.measures.shown()
    if len(shown):
        notes = [paragraph(f"{line}.", note=True) for line in checked.measures.footnotes]
        warnings = [paragraph(line) for line in checked.measures.warnings]
        yield section("Reliability by region", table_html(shown), *warnings, *notes)


def _neuroids(checked: Check) -> Iterator[str]:
    found = checked.measures.neuroids
    if found is None or not found.notnull().any():
        return
    text = _medians(checked)
    caption = (
        "How many neuroids have which reliability; the line is the median. At or below 0: no "
        "response to stimuli that repeats."
    )
    figure = plot_reliabilities(found)
    yield section("Reliability of neuroids", figure_html(figure, text, caption))


def _medians(checked: Check) -> str:
    rows = checked.regions.itertuples()
    return "Histograms: " + ", ".join(f"{r.region} median {r.reliability:.2f}" for r in rows) + "."


def _rdms(checked: Check) -> Iterator[str]:
    found = checked.measures.rdms
    if found is None or checked.teacher is None:
        return
    column = category_of(checked.teacher)
    labels: Any = None
    if column is not None:
        table = checked.teacher.stimuli.table.set_index("stimulus_id")[column]
        labels = [table[name] for name in found["stimulus_id_i"].values]
    order = "Stimuli stand from first to last, as the teacher has them"
    if column is not None:
        order = f"Stimuli are sorted by their {column}, with lines between"
    made = f"{found.attrs.get('distance', 'stored')} distance"
    if (how := found.attrs.get("normalise")) in NORMALISED:
        made += f" of {NORMALISED[how]}"
    caption = (
        f"How different the responses to each pair of stimuli are: {made}. {order}. Colours are "
        "ranks within a picture: dark pairs are the most alike."
    )
    if column is not None:
        caption += (
            f" A dark square along the diagonal is a {column} that the region holds together."
        )
    stored = checked.teacher.stored_rdms
    if stored is not None and "subject" in stored.dims:
        found = stored
        caption += _subjects(checked)
    alt = f"RDMs of {', '.join(checked.measures.regions)}."
    yield section("RDMs", figure_html(plot_rdms(found, labels), alt, caption))


def _subjects(checked: Check) -> str:
    """The ceilings over subjects, in words."""
    shown = checked.measures.shown()
    words = " Small: each subject's."
    if "ceiling, subjects" not in shown:
        return words
    rows = zip(shown["region"], shown["ceiling, subjects"], strict=True)
    said = "; ".join(f"{region}: {cell}" for region, cell in rows)
    return (
        f"{words} How alike they are: a subject's RDM with the mean of the others (lower) and of "
        f"all (upper), [95% interval over stimuli]. {said}."
    )


def _reliability(checked: Check) -> Iterator[str]:
    kinds = checked.measures.rdm
    if kinds:
        caption = (
            "trials: how well the trials fix the RDM of these very sites. sites: how well these "
            "sites stand for the region. Two questions, not to be mixed."
        )
        alt = "RDM reliability, as in the table above."
        yield section("Reliability of RDMs", figure_html(plot_rdm_reliability(kinds), alt, caption))


def _curves(checked: Check) -> Iterator[str]:
    curves = checked.measures.curves
    if curves:
        caption = (
            "Filled: measured, the agreement of two separate sets of that size. Open: all that was "
            "recorded. Lines: the formula of Spearman and Brown, dashed beyond what was recorded: "
            "what more would bring. Filled marks below the line mean that the formula promises "
            "too much there: an RDM's noise is not simply additive."
        )
        alt = "Reliability rises with the number of sites and of repetitions."
        yield section(
            "With more sites or repetitions", figure_html(plot_curves(curves), alt, caption)
        )


def _missing(checked: Check) -> Iterator[str]:
    reasons = checked.measures.reasons
    if reasons:
        table = pd.DataFrame({"what": list(reasons), "why not": list(reasons.values())})
        yield section("Not estimable", table_html(table, wrap=True))
