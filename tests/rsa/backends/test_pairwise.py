"""Similarities over all pairs, from points, against rsatoolbox and the definitions."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import kendalltau, rankdata, spearmanr

from neurosage.errors import InputError
from neurosage.rsa.backends.torch import comparisons, kendall, pairwise, ranks, tiles
from neurosage.rsa.backends.torch.distances import Points, make_points

TOLERANCE = {torch.float64: 1e-9, torch.float32: 5e-5}
METRIC = {"correlation": "correlation", "cosine": "cosine", "euclidean": "sqeuclidean"}
BY_RANKS = (*comparisons.RANKS, *kendall.COMPARISONS)


@dataclass(eq=False)
class Region:
    points: Points


def regions(patterns, distance="correlation", dtype=torch.float64):
    return [Region(make_points(f, distance, dtype, torch.device("cpu"))) for f in patterns]


def patterns(n, widths, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 4))
    return [common @ rng.normal(size=(4, p)) + rng.normal(size=(n, p)) for p in widths]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("distance", METRIC)
@pytest.mark.parametrize("comparison", comparisons.COMPARISONS)
def test_equals_comparison_of_rdms(comparison, distance, dtype, monkeypatch):
    """Over points, by tiles that do not divide n, it is the comparison of their RDMs."""
    monkeypatch.setattr(tiles, "SIDE", 16)
    sides = patterns(53, (5, 40)), patterns(53, (9, 30, 12), 1)
    rdms = [np.array([pdist(f, METRIC[distance]) for f in side]) for side in sides]
    expected = comparisons.compare(*rdms, comparison)
    found = pairwise.similarity(*(regions(side, distance, dtype) for side in sides), comparison)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "kendall"])
def test_groups_change_nothing(comparison, monkeypatch):
    """Regions held a few at a time give the same similarities."""
    sides = regions(patterns(20, (5, 6, 7))), regions(patterns(20, (8, 9, 4), 1))
    whole = pairwise.similarity(*sides, comparison)
    monkeypatch.setattr(pairwise, "GROUP", 2)
    monkeypatch.setattr(pairwise, "HELD_BYTES", 20 * 19 // 2 * 8 * 2)
    np.testing.assert_allclose(pairwise.similarity(*sides, comparison), whole, atol=1e-15)


@pytest.mark.parametrize("n", [3, 4, 5])
@pytest.mark.parametrize("comparison", comparisons.COMPARISONS)
def test_fewest_stimuli(comparison, n):
    """From three stimuli on (four for cka_unbiased) it is the comparison of the RDMs."""
    a, b = patterns(n, (6,)), patterns(n, (7,), 1)
    rdms = [np.array([pdist(f, "sqeuclidean") for f in side]) for side in (a, b)]
    expected = comparisons.compare(*rdms, comparison)
    found = pairwise.similarity(regions(a, "euclidean"), regions(b, "euclidean"), comparison)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("comparison", comparisons.COMPARISONS)
@pytest.mark.parametrize(
    "flat", [np.tile([0.1, 0.7, 0.3], (12, 1)), np.eye(12)], ids=["one pattern", "equidistant"]
)
def test_rdm_that_does_not_vary(flat, comparison, dtype):
    """Where an RDM does not vary there is NaN, never a number made of rounding."""
    side_a = regions([flat], "euclidean", dtype)
    side_b = regions(patterns(12, (5,)), "euclidean", dtype)
    found = pairwise.similarity(side_a, side_b, comparison)[0, 0]
    if flat.shape[1] == 12 and comparison in ("cosine", "cosine_cov", "cka"):
        assert 0 < found < 1
    else:
        assert np.isnan(found)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("n", [30, 400])
@pytest.mark.parametrize("kind", ["categories", "binary", "copies"])
def test_equal_distances_are_tied(kind, n, dtype):
    """What is equal but for the rounding of products is tied, as in an exact computation."""
    rng = np.random.default_rng(n)
    noisy = rng.normal(size=(n, 30))
    f = {
        "categories": 3 * np.eye(8)[rng.integers(0, 8, n)] @ rng.normal(size=(8, 200)) + 5,
        "binary": rng.integers(0, 2, (n, 6)).astype(float),
        "copies": noisy[rng.integers(0, n, n)],
    }[kind]
    sides = [regions([each], "euclidean", dtype) for each in (f, noisy)]
    rdm_f, rdm_noisy = pdist(f, "sqeuclidean").round(9), pdist(noisy, "sqeuclidean")
    for comparison, reference in (("spearman", spearmanr), ("kendall", kendalltau)):
        expected = reference(rdm_f, rdm_noisy).statistic
        found = pairwise.similarity(*sides, comparison)[0, 0]
        assert found == pytest.approx(expected, abs=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_outlying_stimulus(dtype):
    """One pattern far from all others ties none of their distances."""
    a, b = patterns(60, (8, 9))
    a[0] *= 300
    sides = [regions([each], "euclidean", dtype) for each in (a, b)]
    expected = spearmanr(pdist(a, "sqeuclidean"), pdist(b, "sqeuclidean")).statistic
    found = pairwise.similarity(*sides, "spearman")[0, 0]
    assert found == pytest.approx(expected, abs=TOLERANCE[dtype] * 5)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_spearman_by_buckets(dtype, monkeypatch):
    """Ranks by buckets give the Spearman correlation of sorted ones."""
    monkeypatch.setattr(ranks, "SORTED_BELOW", 1000)
    monkeypatch.setitem(ranks.LOSS, dtype, 1e-4)
    a, b = patterns(400, (20, 30))
    sides = [regions([each], "correlation", dtype) for each in (a, b)]
    expected = spearmanr(pdist(a, "correlation"), pdist(b, "correlation")).statistic
    found = pairwise.similarity(*sides, "spearman")[0, 0]
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("comparison", BY_RANKS)
def test_teacher_is_ranked_once(comparison, monkeypatch):
    """Ranks of the second side are kept as long as its regions live, and no longer."""
    ranked = []
    real = pairwise.ranked
    monkeypatch.setattr(pairwise, "ranked", lambda *args: ranked.append(1) or real(*args))
    teacher = regions(patterns(15, (5, 6)))
    first = pairwise.similarity(regions(patterns(15, (7,), 1)), teacher, comparison)
    again = pairwise.similarity(regions(patterns(15, (7,), 1)), teacher, comparison)
    assert len(ranked) == 2 + 1 + 1
    np.testing.assert_array_equal(first, again)
    gc.collect()
    kept = len(pairwise._held)
    del teacher
    gc.collect()
    assert len(pairwise._held) == kept - 2


def test_pairs_that_do_not_fit(monkeypatch):
    """Ranks that would not fit into memory are refused first, with a way out."""
    import psutil

    class Little:
        available = 1000

    monkeypatch.setattr(psutil, "virtual_memory", Little)
    side = regions(patterns(20, (5,)))
    with pytest.raises(InputError, match="comparison='pearson', which needs no pairs"):
        pairwise.similarity(side, side, "spearman")


def test_pair_distances_are_all_distances(monkeypatch):
    """In whatever order, each distance is there once."""
    monkeypatch.setattr(tiles, "SIDE", 5)
    (f,) = patterns(23, (6,))
    (region,) = regions([f], "euclidean")
    found = tiles.pair_distances(region.points) * region.points.factor
    expected = pdist(f, "sqeuclidean") / 6
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-10)
    np.testing.assert_array_equal(np.sort(rankdata(found)), np.arange(1, 254))
