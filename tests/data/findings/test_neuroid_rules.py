"""Each rule about neuroids finds what it is for, and names it."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.findings.teachers import response_findings

from .recordings import (
    REPETITIONS,
    STIMULI,
    changed,
    only,
    recorded,
    rules,
)


def test_dead_and_constant_neuroids():
    """They are told apart and named; where z-scoring is asked for they are errors."""

    def make(values):
        values[:, 3] = 0
        values[:, 15] = 7

    found = changed(make)
    dead, flat = only(found, "dead-neuroid"), only(found, "constant-neuroid")
    assert (dead.place, flat.place) == ("neuroid V4.3", "neuroid IT.3")
    assert {dead.severity, flat.severity} == {"error"}
    responses = recorded()
    responses[:, 3] = 0
    assert only(response_findings(responses), "dead-neuroid").severity == "warning"


def test_sparse_neuroids():
    """A neuroid with a handful of spikes is told apart from a dead one."""

    def make(values):
        values[:, 5] = 0
        values[[7, 99], 5] = 1

    found = changed(make)
    assert only(found, "sparse-neuroid").place == "neuroid V4.5"
    assert "dead-neuroid" not in rules(found)


def test_infinite_responses():
    """They are errors."""

    def make(values):
        values[0, 2] = np.inf

    found = only(changed(make), "infinite")
    assert (found.severity, found.place) == ("error", "neuroid V4.2")


def test_neuroids_recorded_twice():
    """A scaled and shifted copy is found; one of a region is a warning, many are an error."""
    responses = recorded(repetitions=1, unit=None, rate=300.0)
    values = responses.values.copy()
    values[:, 4] = 2 * values[:, 1] + 5
    found = only(response_findings(responses.copy(data=values)), "neuroid-twice")
    assert (found.severity, found.place) == ("warning", "pair V4.1 = V4.4")
    values[:, 6:9] = values[:, 9:12]
    many = only(response_findings(responses.copy(data=values)), "neuroid-twice")
    assert many.severity == "error"
    assert many.place.startswith("4 pairs")


@pytest.mark.parametrize("rate", [0.2, 3.0])
def test_copies_of_slow_neuroids(rate):
    """A copy is found among small counts too, where few values are different."""

    def make(values):
        values[:, 4] = values[:, 1]

    assert only(changed(make, rate=rate), "neuroid-twice").place == "pair V4.1 = V4.4"
    assert "neuroid-twice" not in rules(changed(lambda values: None, rate=rate))


def test_neuroids_with_a_shared_spike_are_no_copies():
    """Two neuroids that fired once, at the same stimulus, correlate at 1 by chance."""

    def make(values):
        values[:, [5, 6]] = 0
        values[7, [5, 6]] = 3

    assert "neuroid-twice" not in rules(changed(make))


def test_saturated_neuroids():
    """Values that pile up at the top are found, in graded signals only."""

    def make(values):
        values[:, 2] = np.minimum(values[:, 2], np.quantile(values[:, 2], 0.9))

    found = only(changed(make, rate=100.0), "saturated-neuroid")
    assert (found.severity, found.place) == ("warning", "neuroid V4.2")


def test_drift_over_repetitions():
    """A gain that falls with the repetition is found; in few neuroids it is a note."""

    def make(values, columns=slice(2, 4)):
        values[:, columns] += 6.0 * np.tile(np.arange(REPETITIONS), STIMULI)[:, None]

    assert only(changed(make), "drift").severity == "note"
    assert only(changed(lambda v: make(v, slice(0, 8))), "drift").severity == "warning"


@pytest.mark.parametrize(("number", "severity"), [(1, "error"), (2, "error"), (6, "warning")])
def test_few_sites(number, severity):
    """A region of one or two neuroids has no correlation distance; of a few, a poor one."""
    found = only(response_findings(recorded().isel(neuroid=slice(12 - number, 24))), "few-sites")
    assert (found.severity, found.place) == (severity, "region V4")


def test_flat_patterns():
    """A stimulus to which a region gave one response throughout has no distance, if raw."""
    responses = recorded(repetitions=1)
    responses[5, :12] = 2.0
    found = only(response_findings(responses), "flat-pattern")
    assert found.place == "region V4, stimulus s005"
    assert "flat-pattern" not in rules(response_findings(responses, normalise="zscore"))


def test_names_of_regions():
    """Regions without a name are errors; names that differ in capitals are doubted."""
    responses = recorded()
    regions = np.array(["V4"] * 12 + ["v4 "] * 11 + [""], object)
    found = response_findings(responses.assign_coords(region=("neuroid", regions)))
    assert only(found, "no-region").severity == "error"
    assert only(found, "regions-alike").severity == "warning"
