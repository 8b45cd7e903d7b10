"""The page of a check: findings, tables and pictures of a teacher in one HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from neurosage.data.teacher import Teacher
from neurosage.report.measures import NORMALISED
from neurosage.report.page import figure_html, paragraph, section, table_html, write_page
from neurosage.report.recording_plots import (
    plot_curves,
    plot_rdm_reliability,
    plot_rdms,
    plot_reliabilities,
)

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
        return section("Findings", paragraph("None: it is sound in all that is looked for."))
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
    order = "in the order of the stimuli; no column of theirs names categories"
    if column is not None:
        order = f"sorted by {column}, lines between categories"
    made = f"{found.attrs.get('distance', 'stored')} distance"
    if (how := found.attrs.get("normalise")) in NORMALISED:
        made += f" of {NORMALISED[how]}"
    caption = (
        f"{made.capitalize()}; stimuli {order}. Colours are ranks within a region: dark is alike."
    )
    if column is not None:
        caption += " A dark square along the diagonal is a category that the region holds together."
    alt = f"RDMs of {', '.join(checked.measures.regions)}."
    yield section("RDMs", figure_html(plot_rdms(found, labels), alt, caption))


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
