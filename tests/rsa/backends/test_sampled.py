"""Similarities over a random sample of pairs, and the errors they state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from neurosage.errors import InputError
from neurosage.rsa.backends.torch import comparisons, pairwise, sampled, tiles
from neurosage.rsa.backends.torch.distances import Points, make_points

SOME = ("pearson", "spearman", "kendall", "cka_unbiased", "cosine_cov")


@dataclass(eq=False)
class Region:
    points: Points


def regions(n, widths, seed=0, dtype=torch.float64):
    """Patterns whose stimuli differ in how far they are from the others."""
    rng = np.random.default_rng(seed)
    common = np.random.default_rng(99).normal(size=(n, 5))
    made = []
    for p in widths:
        noise = 2 * rng.normal(size=(n, p)) * np.exp(0.5 * rng.normal(size=(n, 1)))
        f = common @ rng.normal(size=(5, p)) + noise
        made.append(Region(make_points(f, "correlation", dtype, torch.device("cpu"))))
    return made


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("comparison", comparisons.COMPARISONS)
def test_all_pairs_are_exact(comparison, dtype):
    """A sample of all pairs gives the exact similarity, and no error."""
    a, b = regions(41, (8, 12), 1, dtype), regions(41, (9,), 2, dtype)
    found, error = sampled.similarity(a, b, comparison, 41 * 40 // 2, 0)
    expected = pairwise.similarity(a, b, comparison)
    np.testing.assert_allclose(found, expected, atol=1e-10 if dtype == torch.float64 else 5e-5)
    assert (error == 0).all()


@pytest.mark.parametrize("comparison", SOME)
def test_standard_error_is_that_of_sampling(comparison):
    """Over samples, estimates spread about the exact value as their standard errors say."""
    a, b = regions(200, (20, 30), 1), regions(200, (25, 40), 2)
    exact = pairwise.similarity(a, b, comparison)
    drawn = [sampled.similarity(a, b, comparison, 10_000, seed) for seed in range(40)]
    off = np.array([values - exact for values, _ in drawn])
    errors = np.array([each for _, each in drawn])
    stated, true = np.sqrt((errors**2).mean()), np.sqrt((off**2).mean())
    assert stated == pytest.approx(true, rel=0.25)
    # Student's t of 19 degrees of freedom: 95%.
    assert (np.abs(off) < 2.093 * errors).mean() > 0.85
    assert abs(off.mean()) < 0.5 * true


def test_error_shrinks_with_pairs():
    """Four times as many pairs halve the error, or better: fewer are left out."""
    a, b = regions(400, (20,), 1), regions(400, (25,), 2)
    found = [
        np.mean([sampled.similarity(a, b, "pearson", pairs, seed)[1] for seed in range(8)])
        for pairs in (8000, 32_000)
    ]
    assert 0.3 < found[1] / found[0] < 0.6


def test_circle_pairs_are_distinct_and_even():
    """No pair comes twice, and every stimulus is in equally many."""
    n, lags = 31, 11
    points = torch.eye(n, dtype=torch.float64)
    codes = 2.0 ** torch.arange(n, dtype=torch.float64)
    made = tiles.Centring(codes, codes)
    order = torch.from_numpy(np.random.default_rng(0).permutation(n))
    found = sampled._circle_pairs(points[:, :0], made, sampled.Circle(order, lags))
    assert found.unique().numel() == n * lags == sampled.sampled_pairs(n, n * lags)
    bits = [[int(code) >> k & 1 for k in range(n)] for code in found.flatten().tolist()]
    assert set(np.sum(bits, axis=0)) == {2 * lags}


def test_seed_decides():
    """The same seed takes the same pairs, another one others."""
    a, b = regions(100, (20,), 1), regions(100, (25,), 2)
    one, same, other = (sampled.similarity(a, b, "spearman", 1000, k)[0] for k in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "kendall", "cka_unbiased"])
def test_rdm_that_does_not_vary(comparison):
    """Where an RDM does not vary, value and error are NaN."""
    flat = Region(make_points(np.eye(30), "euclidean", torch.float64, torch.device("cpu")))
    found = sampled.similarity([flat], regions(30, (9,)), comparison, 300, 0)
    assert np.isnan(found).all()


@pytest.mark.parametrize("n", [3, 4, 5, 6])
@pytest.mark.parametrize("comparison", ["pearson", "kendall"])
def test_fewest_stimuli(comparison, n):
    """A few stimuli have few lags: an error that cannot be estimated is NaN."""
    found, error = sampled.similarity(regions(n, (9,), 1), regions(n, (8,), 2), comparison, 1, 0)
    assert np.isfinite(found).all()
    assert np.isnan(error).all() == (n == 4)


def test_sample_that_does_not_fit(monkeypatch):
    """A sample that would not fit into memory is refused first, with a way out."""
    import psutil

    class Little:
        available = 1000

    monkeypatch.setattr(psutil, "virtual_memory", Little)
    with pytest.raises(InputError, match="sampled_pairs"):
        sampled.similarity(regions(30, (9,)), regions(30, (9,)), "spearman", 300, 0)
