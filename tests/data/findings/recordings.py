"""Recordings that are sound until something is done to them, and what is found in them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neurosage.data.assembly import assembly
from neurosage.data.findings.teachers import response_findings
from neurosage.data.stimuli import StimulusSet

STIMULI, NEUROIDS, REPETITIONS = 120, 24, 4


def recorded(repetitions=REPETITIONS, unit="spikes / 100 ms", rate=3.0, seed=0, **more):
    """Poisson counts of tuned neuroids of two regions."""
    rng = np.random.default_rng(seed)
    rates = rate * rng.gamma(3.0, 1 / 3, (STIMULI, NEUROIDS))
    values = rng.poisson(np.repeat(rates, repetitions, axis=0)).astype(float)
    ids = np.repeat([f"s{k:03}" for k in range(STIMULI)], repetitions)
    made = assembly(
        values,
        stimulus_id=ids,
        region=["V4"] * 12 + ["IT"] * 12,
        subject=("neuroid", ["M1"] * NEUROIDS),
        **more,
    )
    return made.assign_attrs(unit=unit) if unit else made


def shown(ids, seed=0, **more):
    """A stimulus set of random images of those ids."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (len(ids), 6, 6, 3), dtype=np.uint8)
    table = pd.DataFrame({"stimulus_id": list(ids)})
    return StimulusSet("set", table, more.pop("images", images), **{"degrees": 8.0, **more})


def rules(findings, *severities):
    wanted = severities or ("error", "warning", "note")
    return {finding.rule for finding in findings if finding.severity in wanted}


def only(findings, rule):
    (found,) = [finding for finding in findings if finding.rule == rule]
    assert all((found.place, found.message[-1] in ".?", found.remedy[-1] in ".?"))
    return found


def changed(make, **kinds):
    """Findings in a recording whose values were changed in place."""
    responses = recorded(**kinds)
    values = responses.values.copy()
    make(values)
    return response_findings(responses.copy(data=values), normalise="zscore")


def rules_by_severity(findings):
    return {finding.rule: finding.severity for finding in findings}
