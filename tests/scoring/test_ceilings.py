"""Laws of the ceilings that go with a score."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.data.average import average_repetitions
from neurosage.data.teacher import Teacher
from neurosage.rsa.ceilings.ceiling import noise_ceiling
from neurosage.scoring.ceilings import several_subjects, teacher_ceilings
from neurosage.scoring.settings import Settings


def of_subjects(teacher: Teacher, subjects: int) -> Teacher:
    """RDMs of some shared distances and noise of each subject's own."""
    rng = np.random.default_rng(0)
    n = len(teacher.stimuli)
    shared = rng.random((n, n))
    squares = np.stack([shared + rng.random((n, n)) for _ in range(subjects)])
    squares = (squares + squares.swapaxes(1, 2)) * (1 - np.eye(n))
    ids = teacher.stimuli.stimulus_ids
    made = xr.DataArray(
        squares[:, None],
        dims=("subject", "region", "stimulus_i", "stimulus_j"),
        coords={
            "subject": [f"s{k}" for k in range(subjects)],
            "region": ["IT"],
            "stimulus_id_i": ("stimulus_i", ids),
            "stimulus_id_j": ("stimulus_j", ids),
        },
        attrs={"distance": "correlation"},
    )
    return Teacher("published", teacher.stimuli, None, made, kind="rdm")


def test_ceilings_are_those_of_noise_ceiling(teacher: Teacher) -> None:
    """Both kinds, values and ends, in the order of the teacher's regions."""
    found = teacher_ceilings(teacher, "correlation", Settings(resamples=30, seed=3))
    assert list(found.region.values) == ["V4", "IT"]
    for kind in ("trials", "sites"):
        expected = noise_ceiling(teacher, kind, resamples=30, seed=3)
        for end, name in (("", "ceiling"), ("_low", "low"), ("_high", "high")):
            np.testing.assert_array_equal(found[f"ceiling_{kind}{end}"], expected[name])
    assert found.attrs["not_estimable"] == {}
    assert "ceiling_subjects_lower" not in found


def test_without_repetitions_only_sites_is_estimable(
    teacher: Teacher, caplog: pytest.LogCaptureFixture
) -> None:
    """NaN and its reason by region, which is not logged as well: the score says it."""
    assert teacher.assembly is not None
    averaged = Teacher("averaged", teacher.stimuli, average_repetitions(teacher.assembly))
    with caplog.at_level(logging.WARNING):
        found = teacher_ceilings(averaged, "correlation", Settings(interval=None))
    assert found.ceiling_trials.isnull().all()
    assert found.ceiling_sites.notnull().all()
    reasons = found.attrs["not_estimable"]
    assert set(reasons) == {"ceiling_trials"}
    assert "0 of 40 stimuli have 2 or more" in reasons["ceiling_trials"]["V4"]
    assert not caplog.records


def test_several_subjects_have_both_bounds(teacher: Teacher) -> None:
    """RDMs of four subjects: lower and upper; trials and sites say that only RDMs are held."""
    several = of_subjects(teacher, 4)
    found = teacher_ceilings(several, "correlation", Settings(resamples=30))
    expected = noise_ceiling(several, "subjects", resamples=30)
    for bound in ("lower", "upper"):
        for end in ("", "_low", "_high"):
            name = f"{bound}{end}"
            np.testing.assert_array_equal(found[f"ceiling_subjects_{name}"], expected[name])
    assert set(found.attrs["not_estimable"]) == {"ceiling_trials", "ceiling_sites"}
    assert not several_subjects(of_subjects(teacher, 1))


def test_neuroids_of_two_subjects_are_two_subjects(teacher: Teacher) -> None:
    """A coordinate on neuroid says whose they are; with one name there is one."""
    assert teacher.assembly is not None
    values = teacher.assembly
    named = values.assign_coords(subject=("neuroid", ["a", "b"] * 11))
    assert several_subjects(Teacher("two", teacher.stimuli, named))
    alone = values.assign_coords(subject=("neuroid", ["a"] * 22))
    assert not several_subjects(Teacher("one", teacher.stimuli, alone))
    found = teacher_ceilings(
        Teacher("two", teacher.stimuli, named), "euclidean", Settings(interval=None)
    )
    assert bool((found.ceiling_subjects_upper > found.ceiling_subjects_lower).all())


def test_over_subjects_groups_are_not_drawn(teacher: Teacher) -> None:
    """The bounds stand without interval, and a warning says so."""
    assert teacher.assembly is not None
    labelled = teacher.assembly.assign_coords(
        subject=("neuroid", ["a", "b"] * 11),
        object=("presentation", np.tile(teacher.stimuli.table["object"], 4)),
    )
    two = Teacher("two", teacher.stimuli, labelled)
    found = teacher_ceilings(two, "euclidean", Settings(by="object", resamples=30))
    assert found.ceiling_subjects_lower.notnull().all()
    assert found.ceiling_subjects_lower_low.isnull().all()
    assert found.ceiling_sites_low.sel(region="V4").notnull()
    assert any("no interval over groups of stimuli (object)" in w for w in found.attrs["warnings"])


@pytest.mark.parametrize(
    ("distance", "settings", "reason"),
    [
        ("euclidean", {"comparison": "cka"}, "comparison pearson, spearman, cosine, not cka"),
        ("poisson", {}, "not poisson"),
        ("correlation", {"nan": "pairwise"}, "drop-neuroid"),
        ("crossnobis", {"precision": {"V4": np.eye(12)}}, "precision that is given"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_has_no_ceiling_says_so(
    teacher: Teacher, distance: str, settings: dict[str, Any], reason: str
) -> None:
    """A reason for every kind and region, no error: the score stands without."""
    found = teacher_ceilings(teacher, distance, Settings(**settings))
    assert found.ceiling_sites.isnull().all()
    assert set(found.attrs["not_estimable"]) == {"ceiling_trials", "ceiling_sites"}
    for by_region in found.attrs["not_estimable"].values():
        assert set(by_region) == {"V4", "IT"}
        assert all(reason in why for why in by_region.values())


def test_an_error_of_one_kind_leaves_the_other(teacher: Teacher) -> None:
    """Responses missing for one trial of each neuroid: named as the reason, nothing is raised."""
    rng = np.random.default_rng(0)
    flat = assembly(
        np.c_[rng.normal(size=(40, 7)), np.zeros((40, 1))],
        stimulus_id=teacher.stimuli.stimulus_ids,
        region=["V4"] * 8,
    )
    found = teacher_ceilings(
        Teacher("flat", teacher.stimuli, flat, normalise="zscore"), "correlation", Settings()
    )
    assert "constant" in found.attrs["not_estimable"]["ceiling_sites"]["V4"]
