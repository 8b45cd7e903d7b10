"""Stored RDMs that cannot be right are found."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from neurosage.data.findings.teachers import find
from neurosage.data.teacher import Teacher

from .recordings import (
    only,
    rules,
    rules_by_severity,
    shown,
)


def rdm_teacher(make=lambda square: None, subjects=0, distance="correlation"):
    rng = np.random.default_rng(0)
    squares = []
    for _ in range(max(subjects, 1)):
        square = 1 - np.corrcoef(rng.normal(size=(30, 50)))
        square = (square + square.T) / 2
        np.fill_diagonal(square, 0)
        make(square)
        squares.append(square[None])
    ids = [f"s{k}" for k in range(30)]
    values = np.array(squares) if subjects else squares[0]
    dims = (*(["subject"] if subjects else []), "region", "stimulus_i", "stimulus_j")
    coords = {"region": ("region", ["IT"]), "stimulus_id_i": ("stimulus_i", ids),
              "stimulus_id_j": ("stimulus_j", ids)}  # fmt: skip
    if subjects:
        coords["subject"] = ("subject", [f"M{k}" for k in range(subjects)])
    rdms = xr.DataArray(values, dims=dims, coords=coords, attrs={"distance": distance})
    return Teacher("t", shown(ids), None, rdms, kind="rdm")


def test_sound_rdms():
    """One RDM has no ceiling, which is a note; those of several subjects give none."""
    assert rules_by_severity(find(rdm_teacher())) == {"no-repetitions": "note"}
    assert find(rdm_teacher(subjects=3)) == []


def set_pair(value, both=True):
    def make(square):
        square[2, 5] = value
        if both:
            square[5, 2] = value

    return make


@pytest.mark.parametrize(
    ("make", "rule", "severity"),
    [
        (set_pair(0.3, both=False), "rdm-asymmetric", "error"),
        (set_pair(np.nan), "rdm-missing", "error"),
        (set_pair(np.inf), "rdm-missing", "error"),
        (set_pair(0.0), "rdm-zero", "warning"),
        (set_pair(-0.1), "rdm-negative", "warning"),
        (set_pair(2.5), "rdm-range", "warning"),
        (lambda s: np.fill_diagonal(s, 0.5), "rdm-diagonal", "warning"),
        (lambda s: np.copyto(s, 1 - s), "rdm-diagonal", "error"),
        (lambda s: np.copyto(s, 1.0 - np.eye(len(s))), "rdm-constant", "error"),
    ],
)
def test_rdms(make, rule, severity):
    """What an RDM cannot be is found, and the pair named."""
    found = only(find(rdm_teacher(make)), rule)
    assert found.severity == severity
    assert "region IT" in found.place
    if make.__qualname__.startswith("set_pair") and rule != "rdm-range":
        assert "s2 – s5" in found.place


def test_unbiased_distances_may_be_negative():
    """Crossnobis is not doubted for it."""
    assert "rdm-negative" not in rules(find(rdm_teacher(set_pair(-0.1), distance="crossnobis")))
