"""Ranks by radix sort and by buckets, and ties that rounding hid."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import rankdata, spearmanr

from neurosage.rsa.backends.torch import ranks, ties
from neurosage.rsa.backends.torch.comparisons import scaled_ranks

RNG = np.random.default_rng(0)
VALUES = {
    "normal": RNG.normal(size=50_000),
    "positive": RNG.random(50_000),
    "tied": RNG.integers(0, 9, 50_000).astype(float),
    "two": np.array([2.0, -1.0]),
    "constant": np.full(50_000, 0.25),
    "huge and tiny": np.concatenate([RNG.normal(size=25_000) * 1e200, RNG.normal(size=25_000)]),
    "zeros of both signs": np.array([0.0, -0.0, 1.0, -1.0] * 10_000),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", VALUES)
def test_equal_scipy(name, dtype):
    """Ranks are exactly scipy's, ties sharing their mean, in both precisions."""
    if dtype == np.float32 and name == "huge and tiny":
        pytest.skip("beyond float32")
    values = VALUES[name].astype(dtype)
    np.testing.assert_array_equal(ranks.ranks(torch.tensor(values)), rankdata(values))


def test_noise_ties_neighbours():
    """Values that differ by no more than their noise are tied, others are not."""
    values = torch.tensor([1.0, 1.0 + 1e-12, 2.0, 1.0 - 1e-12]).double()
    found = ranks.ranks(values, torch.full((4,), 2e-12, dtype=torch.float64))
    assert found.tolist() == [2.0, 2.0, 4.0, 2.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["normal", "positive", "tied", "constant"])
def test_buckets_keep_order(name, dtype):
    """A larger value never falls into a lower bucket, equal ones never into different ones."""
    values = torch.tensor(VALUES[name], dtype=dtype)
    index, counts = ranks.bucket_index(values)
    order = torch.argsort(values)
    steps = index[order].diff()
    assert bool((steps >= 0).all())
    assert bool((steps[values[order].diff() == 0] == 0).all())
    assert torch.equal(counts, torch.bincount(index, minlength=len(counts)))


@pytest.fixture
def buckets_from_start(monkeypatch):
    """Let buckets be used for as few values as a test has."""
    monkeypatch.setattr(ranks, "SORTED_BELOW", 1000)


def skewed(shape, m=200_000):
    rng = np.random.default_rng(1)
    return {
        "normal": lambda: rng.normal(size=m),
        "lognormal": lambda: np.exp(3 * rng.normal(size=m)),
        "two clumps": lambda: rng.normal(size=m) * 1e-4 + rng.integers(0, 2, m),
        "one outlier": lambda: np.append(rng.normal(size=m - 1), 1e9),
        "few kinds": lambda: rng.integers(0, 50, m) / 7.0,
    }[shape]()


@pytest.mark.parametrize("shape", ["normal", "lognormal", "two clumps", "one outlier", "few kinds"])
def test_spearman_by_buckets(shape, buckets_from_start, monkeypatch):
    """Whatever the distribution, Spearman's correlation keeps within the bound that is stated."""
    monkeypatch.setitem(ranks.LOSS, torch.float64, 6e-6)
    a = skewed(shape)
    b = rankdata(a) / len(a) + np.random.default_rng(2).normal(size=len(a))
    units = [scaled_ranks(torch.tensor(each), "spearman") for each in (a, b)]
    found, expected = float(units[0] @ units[1]), spearmanr(a, b).statistic
    assert found == pytest.approx(expected, abs=1e-7)


def test_buckets_are_left_where_they_lose(buckets_from_start):
    """Where buckets would lose more than is allowed, ranks are the exact ones."""
    values = torch.tensor(skewed("one outlier"))
    _, counts = ranks.bucket_index(values)
    assert ranks.lost_share(counts) > ranks.LOSS[torch.float64]
    exact = rankdata(values) - (len(values) + 1) / 2
    np.testing.assert_array_equal(ranks.centred_ranks(values), exact)


def test_lost_share_is_the_lost_length():
    """The stated share is the length of what sharing ranks within buckets removes."""
    values = torch.rand(5000, generator=torch.Generator().manual_seed(0)).double()
    index = (values * 100).int()
    exact = rankdata(values) - 2500.5
    shared = (rankdata(index) - 2500.5) - exact
    found = ranks.lost_share(torch.bincount(index))
    assert found == pytest.approx(np.linalg.norm(shared) / np.linalg.norm(exact), rel=1e-6)


def test_rounded_copies_become_equal():
    """Few kinds of values that differ in their last digits become one value each."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 20, 20_000)
    values = torch.tensor((1 + kinds / 7) * (1 + 2e-7 * rng.normal(size=20_000))).float()
    assert values.unique().numel() > 60
    merged = ties.merge_rounded(values.clone())
    np.testing.assert_array_equal(rankdata(merged), rankdata(kinds))
    assert float((merged - values).abs().max()) < 1e-4


def test_dense_values_stay():
    """Values that fill their range, however narrow, keep their order."""
    values = torch.rand(100_000, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ties.merge_rounded(values.clone()), values)
    narrow = torch.cat([values * 0.01, torch.ones(1)])
    assert torch.equal(ranks.ranks(ties.merge_rounded(narrow.clone())), ranks.ranks(narrow))
