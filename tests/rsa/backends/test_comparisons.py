"""Comparisons of RDMs that are given, against rsatoolbox and the definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from rsatoolbox.rdm import RDMs
from rsatoolbox.rdm import compare as peer
from scipy.spatial.distance import pdist, squareform

from neurosage.rsa.backends.torch import comparisons

PEER = {"pearson": "corr", "cka": "cosine_cov"}
ALL = comparisons.COMPARISONS


def rdms(n, count, seed=0, digits=9):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 3))
    made = [
        pdist(common @ rng.normal(size=(3, p)) + rng.normal(size=(n, p)), "sqeuclidean") / p
        for p in range(3, 3 + count)
    ]
    return np.array(made).round(digits)


def u_centred(rdm):
    d = squareform(rdm)
    n = len(d)
    u = d - d.sum(0) / (n - 2) - d.sum(1)[:, None] / (n - 2) + d.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(u, 0.0)
    return u


def test_all_ten_are_offered():
    """The names are those that the documents promise."""
    assert set(ALL) == {
        *("pearson", "spearman", "cosine", "kendall", "tau-a", "rho-a"),
        *("corr_cov", "cosine_cov", "cka", "cka_unbiased"),
    }


@pytest.mark.parametrize("digits", [9, 1], ids=["distinct", "tied"])
@pytest.mark.parametrize("n", [3, 4, 25, 120])
@pytest.mark.parametrize("comparison", [name for name in ALL if name != "cka_unbiased"])
def test_equals_rsatoolbox(comparison, n, digits):
    """Each comparison equals rsatoolbox's, ties or not."""
    a, b = rdms(n, 2, 1, digits), rdms(n, 3, 2, digits)
    method = PEER.get(comparison, comparison)
    expected = peer(RDMs(a), RDMs(b), method=method)
    found = comparisons.compare(a, b, comparison)
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_unbiased_cka_is_by_u_centring():
    """cka_unbiased is the cosine of U-centred RDMs."""
    a, b = rdms(20, 2, 1), rdms(20, 2, 2)
    ua, ub = ([u_centred(rdm) for rdm in side] for side in (a, b))
    expected = [[(x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()) for y in ub] for x in ua]
    found = comparisons.compare(a, b, "cka_unbiased")
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_unbiased_cka_of_unrelated_patterns_averages_zero():
    """Over unrelated patterns unbiased CKA is 0 on average, where biased CKA is far above."""
    found = {name: [] for name in ("cka", "cka_unbiased")}
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, b = (pdist(rng.normal(size=(10, 8)), "sqeuclidean")[None] for _ in range(2))
        for name, values in found.items():
            values.append(comparisons.compare(a, b, name)[0, 0])
    assert abs(np.mean(found["cka_unbiased"])) < 0.04
    assert np.mean(found["cka"]) > 0.4


def test_three_stimuli_have_no_unbiased_cka():
    """U-centring leaves nothing of three stimuli: NaN, not a quotient of rounding errors."""
    assert np.isnan(comparisons.compare(rdms(3, 1), rdms(3, 1, 1), "cka_unbiased")).all()


@pytest.mark.parametrize("value", [0.0, 0.3], ids=["zero", "equal"])
@pytest.mark.parametrize("comparison", ALL)
def test_rdm_that_does_not_vary(comparison, value):
    """An RDM of equal distances has no similarity, unless the comparison keeps the mean."""
    n = 12
    flat, other = np.full((1, n * (n - 1) // 2), value), rdms(n, 1)
    for found in (
        comparisons.compare(flat, other, comparison)[0, 0],
        comparisons.compare(other, flat, comparison)[0, 0],
    ):
        if value and comparison in ("cosine", "cosine_cov", "cka"):
            assert 0 < found <= 1
        else:
            assert np.isnan(found)


@pytest.mark.parametrize("scale", [1e-12, 1e9])
@pytest.mark.parametrize("comparison", ALL)
def test_scale_cancels(comparison, scale):
    """The unit of the distances changes no similarity."""
    a, b = rdms(15, 1, 1), rdms(15, 1, 2)
    expected = comparisons.compare(a, b, comparison)
    found = comparisons.compare(a * scale, b, comparison)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("comparison", ["spearman", "kendall", "tau-a", "rho-a"])
def test_negative_distances_are_ranked_too(comparison):
    """Crossnobis distances below zero have their ranks, and -0 is 0."""
    a, b = rdms(15, 1, 1), rdms(15, 1, 2)
    shifted = a - np.median(a)
    expected = comparisons.compare(a, b, comparison)
    np.testing.assert_allclose(comparisons.compare(shifted, b, comparison), expected, atol=1e-14)
    zeros = np.array([[0.0, -0.0, 1.0]])
    assert comparisons.compare(zeros, [[1.0, 1.0, 2.0]], "kendall") == 1.0


def test_dots_sum_in_double():
    """Dots of float32 vectors are summed in float64, over any number of chunks."""
    rng = np.random.default_rng(0)
    one, two = (rng.random(100_001).astype(np.float32) for _ in range(2))
    found = comparisons.dots(torch.tensor(one), [torch.tensor(two), torch.tensor(one)])
    expected = [one.astype(float) @ two, one.astype(float) @ one.astype(float)]
    np.testing.assert_allclose(found, expected, rtol=1e-13)
