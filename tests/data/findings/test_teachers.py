"""Sound data is left in peace; findings are sorted and name what they are about."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurosage.data.assembly import assembly
from neurosage.data.findings.finding import Finding, by_severity, listed
from neurosage.data.findings.teachers import find, response_findings
from neurosage.data.registry import load_teacher
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError

from .recordings import (
    only,
    recorded,
    rules,
    shown,
)


def test_sound_recordings_are_left_in_peace():
    """Single trials with everything said: no finding at all."""
    responses = recorded()
    teacher = Teacher("t", shown(pd.unique(responses.stimulus_id.values)), responses,
                      normalise="zscore")  # fmt: skip
    assert find(teacher) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "kinds",
    [
        {"repetitions": 1},
        {"repetitions": 10, "rate": 0.4},
        {"unit": None},
        {"unit": "spikes/s", "rate": 20.0},
        {"repetitions": 3, "rate": 0.1},
    ],
    ids=str,
)
def test_sound_recordings_of_all_sorts(kinds, seed):
    """Averages, low rates, other units: notes at most."""
    found = response_findings(recorded(**kinds, seed=seed), normalise="zscore")
    assert rules(found, "error", "warning") == set()


@pytest.mark.parametrize("seed", range(3))
def test_sound_voxels_and_networks(seed):
    """Signed responses, few neuroids that correlate, rectified units: notes at most."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(200, 3))
    values = common @ rng.normal(size=(3, 40)) + 0.3 * rng.normal(size=(200, 40))
    ids = [f"s{k}" for k in range(200)]
    voxels = assembly(values, stimulus_id=ids, region="IT")
    assert rules(response_findings(voxels), "error", "warning") == set()
    relu = assembly(np.maximum(values, 0), stimulus_id=ids, region="layer1")
    assert response_findings(relu, kind="network") == []


def test_simulated_teacher_is_sound():
    """The package's own teacher passes every rule."""
    assert find(load_teacher("simulated-macaque")) == []


@pytest.mark.realdata
@pytest.mark.parametrize("part", ["190923", "201025", "210322", "210325"])
def test_real_recordings_are_sound(mirror, part):
    """Published sessions give notes at most."""
    found = find(load_teacher(f"macaque-v4/{part}"))
    assert rules(found, "error", "warning") == set()
    assert "degrees" in rules(found, "note")


@pytest.mark.realdata
def test_real_images_shown_under_two_ids(mirror):
    """Session 210621 shows two of its images twice, under ids of their own."""
    found = only(find(load_teacher("macaque-v4/210621")), "image-twice")
    assert found.severity == "warning"
    assert "210621/image0101 = 210621/image0536" in found.place


def test_findings_are_sorted_and_sane():
    """Errors first; an unknown severity is refused; places name the first few."""
    found = [Finding("r", severity, "p", "m", "s") for severity in ("note", "error", "warning")]
    assert [f.severity for f in by_severity(found)] == ["error", "warning", "note"]
    assert listed("neuroids", list("abcdef")) == "6 neuroids: a, b, c, d, …"
    with pytest.raises(InputError, match="severity 'fatal'"):
        Finding("r", "fatal", "p", "m", "s")
