"""Columns that count are no neuroids."""

from __future__ import annotations

import numpy as np
import pytest

from .recordings import changed, only, recorded, rules


@pytest.mark.parametrize(
    "column",
    [
        np.arange(480),
        np.arange(480) // 60,
        -np.arange(480),
        np.where(np.arange(480) % 9, np.arange(480), np.nan),
    ],
    ids=["trial", "block", "countdown", "with gaps"],
)
def test_whole_numbers_that_only_rise(column):
    """A counter among the neuroids is a warning that names it."""

    def make(values):
        values[:, 5] = column

    found = only(changed(make), "bookkeeping-neuroid")
    assert (found.severity, found.place) == ("warning", "neuroid V4.5")


@pytest.mark.parametrize(
    "column",
    [np.arange(480) >= 478, np.zeros(480), np.arange(480) >= 240],
    ids=["late", "dead", "half"],
)
def test_neuroids_that_fire_late_count_nothing(column):
    """A neuroid with a spike or two, or two values, is none."""

    def make(values):
        values[:, 5] = column

    assert "bookkeeping-neuroid" not in rules(changed(make))


def test_few_presentations_say_nothing():
    """Ten in order may be chance."""
    from neurosage.data.findings.teachers import response_findings

    few = recorded(repetitions=1)[:8].copy()
    few.values[:, 0] = np.arange(8)
    assert "bookkeeping-neuroid" not in rules(response_findings(few))
