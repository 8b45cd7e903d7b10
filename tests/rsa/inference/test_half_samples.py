"""Half-samples: whole halves, whole groups, and the spread of the estimate's error."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.errors import InputError
from neurosage.rsa.inference.half_samples import about_estimate, half_samples


def test_halves_hold_half_of_the_stimuli_or_of_the_groups():
    """Never a part of a group, and each as often as the others."""
    halves, factor = half_samples(20, 400, seed=1)
    assert set(np.unique(halves)) == {0.0, 1.0}
    assert factor == 1.0
    np.testing.assert_array_equal(halves.sum(1), 10)
    np.testing.assert_allclose(halves.mean(0), 0.5, atol=0.1)
    groups = np.repeat(list("abcdefghijkl"), 3)
    halves, _ = half_samples(groups, 50, seed=1)
    parts = halves.reshape(50, 12, 3)
    assert (parts == parts[..., :1]).all()
    np.testing.assert_array_equal(parts[..., 0].sum(1), 6)


@pytest.mark.parametrize("n", [60, 61])
def test_the_spread_over_halves_is_the_standard_error_of_a_mean(n):
    """Of an odd number too, where the halves are the smaller ones."""
    values = np.random.default_rng(0).normal(size=n)
    halves, factor = half_samples(n, 4000, seed=0)
    means = about_estimate(halves @ values / halves.sum(1), values.mean(), factor)
    assert means.mean() == pytest.approx(values.mean())
    assert means.std() == pytest.approx(values.std(ddof=1) / np.sqrt(n), rel=0.04)


def test_halves_without_estimate_are_left_out_of_the_mean():
    """They stay NaN and move no others."""
    moved = about_estimate(np.array([0.2, np.nan, 0.4]), np.array(0.5), 2.0)
    np.testing.assert_allclose(moved, [0.3, np.nan, 0.7])


def test_too_few_stimuli_have_no_halves():
    """Refused, with how many it takes."""
    with pytest.raises(InputError, match=r"7 stimuli.*needs 8"):
        half_samples(7, 100, seed=0)
    with pytest.raises(InputError, match="in 4 groups"):
        half_samples(np.repeat(list("abcd"), 5), 100, seed=0)
