"""Kendall's rank correlations against scipy and by counting every pair."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from neurosage.rsa.backends.torch import kendall


def both(a, b, comparison="kendall"):
    sides = (kendall.order_distances(torch.tensor(np.asarray(x, float))) for x in (a, b))
    return kendall.tau(*sides, comparison)


def counted(a, b):
    pairs = itertools.combinations(range(len(a)), 2)
    return sum(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]) for i, j in pairs)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(2, 80), st.sampled_from([2, 5, 1000]))
def test_equals_scipy(data, m, kinds):
    """tau-b is scipy's, whatever is tied."""
    numbers = st.lists(st.integers(0, kinds), min_size=m, max_size=m)
    a, b = data.draw(numbers), data.draw(numbers)
    expected = kendalltau(a, b).statistic
    assert both(a, b) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(2, 40), st.sampled_from([1, 3, 1000]))
def test_tau_a_counts_pairs(data, m, kinds):
    """tau-a is concordant less discordant over all pairs; NaN only where all are tied."""
    numbers = st.lists(st.integers(0, kinds), min_size=m, max_size=m)
    a, b = data.draw(numbers), data.draw(numbers)
    expected = counted(a, b) / (m * (m - 1) / 2)
    if len(set(a)) == 1 or len(set(b)) == 1:
        expected = np.nan
    assert both(a, b, "tau-a") == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("m", [1, 2, 31, 32, 33, 1000, 4097])
def test_inversions_are_counted_exactly(m):
    """Inversions equal a count of all pairs, ties inverting nothing, at any length."""
    values = np.random.default_rng(m).integers(0, max(2, m // 2), m)
    expected = sum(int((values[:k] > values[k]).sum()) for k in range(m))
    assert kendall.inversions(values) == expected


def test_counts_beyond_float():
    """Counts stay exact where their number exceeds what floats resolve."""
    m = 300_000
    assert kendall.inversions(np.arange(m)[::-1]) == m * (m - 1) // 2
    assert both(np.arange(m), -np.arange(m), "tau-a") == -1.0


def test_given_values_are_not_changed():
    """Counting leaves the order as it was: a teacher's is used again."""
    rng = np.random.default_rng(0)
    a, b = (kendall.order_distances(torch.tensor(rng.integers(0, 9, 500) / 7)) for _ in range(2))
    first = kendall.tau(a, b)
    assert kendall.tau(a, b) == first
    assert kendall.tau(b, a) == pytest.approx(first, abs=1e-15)
