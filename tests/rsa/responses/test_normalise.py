"""Neuroids on one scale."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.data.average import average_repetitions
from neurosage.errors import InputError
from neurosage.rsa.responses.normalise import METHODS, normalise_neuroids


@pytest.mark.parametrize("method", METHODS)
def test_formulas(repeated, method):
    """Each method is its formula: statistics over stimuli, noise over repetitions."""
    a = repeated(n=20, neuroids=4)
    mean = average_repetitions(a).values
    ids = a["stimulus_id"].values
    residuals = np.concatenate([a.values[ids == i] - a.values[ids == i].mean(0) for i in set(ids)])
    noise = np.sqrt((residuals**2).sum(0) / (len(ids) - len(set(ids))))
    expected = {
        "none": mean,
        "centre": mean - mean.mean(0),
        "zscore": (mean - mean.mean(0)) / mean.std(0),
        "noise": (mean - mean.mean(0)) / noise,
    }[method]
    found = normalise_neuroids(a, method)
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    assert found.attrs["normalise"] == method


def test_constant_neuroid_is_named():
    """A neuroid that cannot be scaled is named."""
    a = assembly([[1.0, 2.0], [1.0, 3.0]], stimulus_id=["a", "b"], region="V4")
    with pytest.raises(InputError, match=r"constant over stimuli \(first: \['V4.0'\]\)"):
        normalise_neuroids(a, "zscore")


def test_noise_needs_repetitions(recording):
    """Without repetitions there is no noise to divide by."""
    with pytest.raises(InputError, match="no stimulus is repeated"):
        normalise_neuroids(recording(), "noise")


def test_neuroid_without_noise_is_named():
    """A neuroid that never varies over repetitions cannot be divided by its noise."""
    a = assembly(
        [[1.0, 2.0], [1.0, 3.0], [4.0, 0.0], [4.0, 5.0]], stimulus_id=list("aabb"), region="V4"
    )
    with pytest.raises(InputError, match=r"constant over repetitions \(first: \['V4.0'\]\)"):
        normalise_neuroids(a, "noise")


def test_unknown_method(recording):
    """A misspelt method is answered with the close one."""
    with pytest.raises(InputError, match="did you mean 'zscore'"):
        normalise_neuroids(recording(), "z-score")
