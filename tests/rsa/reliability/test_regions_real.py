"""RDM reliability of real recordings."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.rsa.reliability.regions import rdm_reliability


def value(found, name="reliability"):
    """Return the one region's value."""
    return float(found[name][0])


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("session", "halves", "ceiling"), [("201025", 0.40, 0.76), ("190923", 0.25, 0.64)]
)
def test_sites_of_real_sessions(mirror, monkeypatch, session, halves, ceiling):
    """Averaged sessions have the published halves and ceilings over sites, none over trials."""
    import neurosage as ns

    monkeypatch.setenv("NEUROSAGE_MIRROR", str(mirror))
    teacher = ns.load_teacher(f"macaque-v4/{session}")
    found = rdm_reliability(teacher, "sites", splits=20, interval=None)
    assert abs(value(found, "halves") - halves) < 0.015
    assert abs(np.sqrt(value(found)) - ceiling) < 0.015
    assert found.attrs["normalise"] == "zscore"
    assert "averaged over" in rdm_reliability(teacher, "trials").attrs["not_estimable"]


@pytest.mark.realdata
def test_trials_of_the_real_session_with_repetitions(mirror, monkeypatch):
    """Session 210325 has both kinds, and crossnobis."""
    import neurosage as ns

    monkeypatch.setenv("NEUROSAGE_MIRROR", str(mirror))
    teacher = ns.load_teacher("macaque-v4/210325")
    how = {"splits": 10, "interval": None}
    assert abs(value(rdm_reliability(teacher, "trials", **how)) - 0.715) < 0.02
    assert abs(value(rdm_reliability(teacher, "sites", **how)) - 0.497) < 0.03
    found = rdm_reliability(teacher, "trials", distance="crossnobis", **how)
    assert abs(value(found) - 0.732) < 0.03
