"""A rule about neuroids that are no neuroids: a column that counts trials, blocks or time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neurosage.data.findings.finding import Finding
from neurosage.data.findings.neuroid_rules import Examined

FIRST = 64  # presentations that most neuroids do not rise through
VALUES, STEPS = 3, 10  # a neuroid that fired once or twice, at the end, rises too


def bookkeeping_findings(examined: Examined) -> Iterator[Finding]:
    """Yield a warning where whole numbers only rise, or only fall, over presentations.

    Parameters
    ----------
    examined : Examined
        The responses.

    Yields
    ------
    Finding
        None for responses in time bins.
    """
    responses = examined.responses
    if "time_bin" in responses.dims or len(responses) <= STEPS:
        return
    table = examined.facts.neuroids
    likely = table["whole"].to_numpy(bool) & (table["distinct"].to_numpy() >= VALUES)
    likely &= _monotone(responses[:FIRST].values)
    places = np.flatnonzero(likely)
    if not len(places):
        return
    values = responses[:, places].values
    events = [len(own) - np.unique(own, return_counts=True)[1].max() for own in values.T]
    chosen = np.zeros(len(table), bool)
    chosen[places] = _monotone(values) & (np.array(events) >= STEPS)
    if chosen.any():
        yield Finding(
            "bookkeeping-neuroid",
            "warning",
            examined.named(chosen),
            "Whole numbers that only rise, or only fall, over presentations count something, such "
            "as trials or blocks; they are compared as if a neuroid had answered so.",
            "If these are columns of a table that are no neuroids, take them out of the file, or "
            "keep the others by select = { neuroid_id = […] } in the card.",
        )


def _monotone(values: Any) -> Any:
    """Which columns never fall, or never rise, missing values left out."""
    numbers = np.asarray(values, np.float64)
    missing = np.isnan(numbers)
    rises = (numbers == np.fmax.accumulate(numbers, axis=0)) | missing
    falls = (numbers == np.fmin.accumulate(numbers, axis=0)) | missing
    return rises.all(0) | falls.all(0)
