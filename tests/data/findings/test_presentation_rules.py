"""Each rule about presentations finds what it is for, and names it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurosage.data.assembly import assembly
from neurosage.data.findings.facts import gather
from neurosage.data.findings.teachers import response_findings

from .recordings import (
    REPETITIONS,
    STIMULI,
    changed,
    only,
    recorded,
    rules,
    rules_by_severity,
)


def test_missing_responses():
    """What is missing altogether is an error; in part, the cheaper policy is named."""

    def rows(*numbers):
        return np.concatenate([np.arange(REPETITIONS * n, REPETITIONS * (n + 1)) for n in numbers])

    def silent(values):
        values[rows(3)] = np.nan

    def never(values):
        values[:, 20] = np.nan

    def one_neuroid(values):
        values[np.ix_(rows(*range(60)), [20])] = np.nan

    def one_stimulus(values):
        values[np.ix_(rows(3), range(12))] = np.nan

    assert only(changed(silent), "stimulus-without-responses").place == "stimulus s003"
    assert only(changed(never), "neuroid-without-responses").place == "neuroid IT.8"
    found = only(changed(one_neuroid), "missing-responses")
    assert (found.severity, "drop-neuroid" in found.remedy) == ("warning", True)
    assert "drop-stimulus" in only(changed(one_stimulus), "missing-responses").remedy


def test_sessions_without_common_stimuli():
    """Where no neuroid answered all and no stimulus was answered by all, nothing helps."""

    def make(values):
        values[: len(values) // 2, :12] = np.nan
        values[len(values) // 2 :, 12:] = np.nan

    assert only(changed(make), "missing-responses").severity == "error"


def test_missing_trials():
    """Single trials that are missing are a note."""

    def make(values):
        values[::4, 3] = np.nan

    found = changed(make)
    assert only(found, "missing-trials").severity == "note"
    assert rules(found, "error", "warning") == set()


def ragged(counts):
    responses = recorded(repetitions=max(counts))
    kept = responses["repetition"].values < np.resize(counts, STIMULI).repeat(max(counts))
    return rules_by_severity(response_findings(responses[kept], normalise="zscore"))


def test_repetitions():
    """Ragged is normal, very ragged is not; stimuli shown once are counted."""
    assert ragged([5, 6]) == {"ragged-repetitions": "note"}
    assert ragged([2, 8])["ragged-repetitions"] == "warning"
    assert ragged([1] + [4] * 19) == {"shown-once": "note"}
    assert ragged([1, 4])["shown-once"] == "warning"
    assert ragged([2]) == {"two-repetitions": "note"}
    assert ragged([1]) == {"no-repetitions": "note"}


def test_a_neuroid_that_never_was_lacks_no_repetition():
    """Its own finding says it; repetitions of the others are not called ragged for it."""

    def never(values):
        values[:, 0] = np.nan

    def nobody(values):
        values[:] = np.nan

    assert rules(changed(never)) == {"neuroid-without-responses"}
    assert "ragged-repetitions" not in rules(changed(nobody))


def test_repetitions_numbered_twice():
    """Two presentations with one number are found."""
    responses = recorded()
    number = responses["repetition"].values.copy()
    number[1] = 0
    found = response_findings(responses.assign_coords(repetition=("presentation", number)))
    assert only(found, "repetition-twice").place == "stimulus s000"


def timed(edges):
    rng = np.random.default_rng(0)
    values = rng.poisson(5.0, (60, 12, len(edges))).astype(float)
    start, end = zip(*edges, strict=True)
    made = assembly(
        values,
        ("presentation", "neuroid", "time_bin"),
        stimulus_id=[f"s{k}" for k in range(60)],
        region="V4",
        time_bin_start=start,
        time_bin_end=end,
    )
    return rules(response_findings(made, normalise="zscore"), "error", "warning")


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ([(0, 50), (50, 100)], set()),
        ([(-50, 0), (0, 50)], set()),
        ([(0, 60), (50, 100)], {"time-bins-overlap"}),
        ([(50, 100), (0, 50)], {"time-bins-order"}),
        ([(0, 50), (100, 100)], {"time-bin"}),
        ([(0, 0.05), (0.05, 0.1)], {"time-in-seconds"}),
    ],
    ids=str,
)
def test_time_bins(edges, expected):
    """Bins that overlap, are out of order, empty, or in seconds are found."""
    assert timed(edges) == expected


@pytest.mark.parametrize(("number", "severity"), [(2, "error"), (15, "warning"), (60, "note")])
def test_few_stimuli(number, severity):
    """The fewer, the worse."""
    found = response_findings(recorded(repetitions=1)[:number])
    assert only(found, "few-stimuli").severity == severity


def test_subjects():
    """A missing subject and pooled subjects are notes."""
    responses = recorded()
    found = response_findings(responses.drop_vars("subject"), normalise="zscore")
    assert rules_by_severity(found) == {"subject": "note"}
    two = responses.assign_coords(subject=("neuroid", ["M1", "M2"] * 12))
    assert only(response_findings(two), "subjects-pooled").place == "2 regions: V4 (2), IT (2)"


def test_facts_do_not_depend_on_the_size_of_blocks(monkeypatch):
    """The same is gathered whether one neuroid is read at a time or all."""
    responses = recorded()
    responses[7, 3] = np.nan
    whole = gather(responses)
    monkeypatch.setattr("neurosage.data.findings.facts.BLOCK_BYTES", 1)
    single = gather(responses)
    pd.testing.assert_frame_equal(whole.neuroids, single.neuroids)
    np.testing.assert_array_equal(whole.fewest, single.fewest)
    np.testing.assert_array_equal(whole.active, single.active)
    np.testing.assert_allclose(whole.sketch, single.sketch)
    assert whole.log_chance == pytest.approx(single.log_chance)
