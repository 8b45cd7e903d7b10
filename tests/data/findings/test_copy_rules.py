"""Equal responses are copies only where noise would have told them apart."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.data.findings.teachers import response_findings

from .recordings import (
    changed,
    only,
    recorded,
    rules,
    rules_by_severity,
)

COPIES = {"copied-trial", "copied-response", "equal-repetitions"}


def test_copied_trials_and_responses():
    """A trial copied, or one stimulus' response given to another, is an error."""

    def trial(values):
        values[5] = values[4]

    def response(values):
        values[9] = values[100]

    assert only(changed(trial), "copied-trial").place == "stimulus s001"
    assert only(changed(response), "copied-response").severity == "error"


def test_equal_responses_by_chance():
    """A handful of neuroids with small counts give equal responses without being copies."""
    found = response_findings(recorded(rate=1.5)[:, 8:14])
    assert not {"copied-trial", "copied-response"} & rules(found)


def test_padding_by_copies_is_found_however_much():
    """Nine in ten repetitions copied from the first are still an error."""

    def padded(values):
        for k in range(3, 480):
            if k % 4 and k > 40:
                values[k] = values[k - k % 4]

    assert only(changed(padded), "copied-trial").severity == "error"


def found(values, repetitions=4, kind="recorded"):
    """Copies found in responses of noise-free repetitions."""
    ids = [f"s{k}" for k in range(len(values) // repetitions) for _ in range(repetitions)]
    made = assembly(values, stimulus_id=ids, region="V4")
    return {k: v for k, v in rules_by_severity(response_findings(made, kind=kind)).items()
            if k in COPIES}  # fmt: skip


@pytest.mark.parametrize("kind", ["network", "simulated"])
def test_what_is_computed_may_be_free_of_noise(kind):
    """A network answers alike each time: a note."""
    values = np.random.default_rng(0).normal(size=(100, 60))
    assert found(np.repeat(values, 4, axis=0), kind=kind) == {"equal-repetitions": "note"}


def test_recorded_repetitions_without_any_noise():
    """All equal is a warning: averages repeated, or neuroids that never miss."""
    values = (np.random.default_rng(0).random((100, 60)) < 0.4).astype(float)
    assert found(np.repeat(values, 4, axis=0)) == {"equal-repetitions": "warning"}


@pytest.mark.parametrize("neuroids", [40, 200])
def test_reliable_binary_neuroids_are_equal_by_chance(neuroids):
    """One flip in a hundred or thousand leaves many repetitions equal."""
    rng = np.random.default_rng(0)
    values = np.repeat(rng.random((100, neuroids)) < 0.3, 4, axis=0)
    flips = rng.random(values.shape) < 0.4 / neuroids
    assert found((values ^ flips).astype(float)) == {}
