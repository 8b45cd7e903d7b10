"""Units that cannot be right are doubted."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.findings.teachers import response_findings

from .recordings import (
    NEUROIDS,
    changed,
    only,
    recorded,
    rules,
)


def test_negative_rates():
    """Counts below 0 are doubted, unless the unit says what was done."""

    def make(values):
        values -= 1.5

    assert only(changed(make), "negative-rate").severity == "warning"
    said = changed(make, unit="spikes / 100 ms above baseline")
    assert "negative-rate" not in rules(said)


@pytest.mark.parametrize(
    ("unit", "rate", "rule"),
    [("spikes / 100 ms", 90.0, "too-fast"), ("Hz", 0.001, "too-slow"), ("Hz", 90.0, None)],
)
def test_magnitudes_fit_their_unit(unit, rate, rule):
    """90 spikes in 100 ms are too many, 90 spikes/s are not."""
    responses = recorded(unit=unit, rate=90.0)
    found = response_findings(responses * (rate / 90.0) if rate < 90 else responses)
    scaled = response_findings((responses * (rate / 90.0)).assign_attrs(unit=unit))
    assert (rules(found) | rules(scaled)) & {"too-fast", "too-slow"} == ({rule} - {None})


def test_fractional_counts():
    """Single trials that should be counts, but are not whole, are noted."""
    assert only(changed(lambda v: v.__imul__(0.37)), "fractional-count").severity == "note"


def test_raw_rates_need_normalising():
    """Neuroids of different mean rate, not normalised, are a warning with the reason."""
    responses = recorded(unit="Hz") * np.random.default_rng(1).lognormal(0, 1, NEUROIDS)
    responses = responses.assign_attrs(unit="Hz")
    found = only(response_findings(responses), "raw-rates")
    assert (found.severity, found.place) == ("warning", "2 regions: V4, IT")
    assert 'normalise = "zscore"' in found.remedy
    assert "raw-rates" not in rules(response_findings(responses, normalise="zscore"))
    assert "raw-rates" not in rules(response_findings(responses, kind="network"))
