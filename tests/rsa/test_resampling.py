"""Multiplicities and similarities under them, against resampling done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.errors import InputError
from neurosage.rsa.reliability import mean_similarity
from neurosage.rsa.reliability.mean_similarity import MeanSimilarity
from neurosage.rsa.resampling import multiplicities, percentile_interval, weighted_similarity


def square(n, seed):
    """Make an RDM."""
    points = np.random.default_rng(seed).normal(size=(n, 4))
    return np.square(points[:, None] - points[None]).sum(-1)


def by_hand(x, y, weights, comparison):
    """Draw the stimuli out, leave pairs of a stimulus with itself out, and compare."""
    drawn = np.repeat(np.arange(len(x)), weights.astype(int))
    rows, columns = np.triu_indices(len(drawn), 1)
    first, second = drawn[rows], drawn[columns]
    other = first != second
    a, b = x[first[other], second[other]], y[first[other], second[other]]
    if comparison == "pearson":
        return np.corrcoef(a, b)[0, 1]
    return a @ b / np.sqrt((a @ a) * (b @ b))


@settings(max_examples=25, deadline=None)
@given(n=st.integers(5, 12), seed=st.integers(0, 99), name=st.sampled_from(["pearson", "cosine"]))
def test_quadratic_forms_are_the_resampled_rdm(n, seed, name):
    """Each resample is the comparison over its pairs of different stimuli."""
    x, y, weights = square(n, seed), square(n, seed + 1), multiplicities(n, 20, seed)
    weights = weights[(weights > 0).sum(1) >= 4][:4]
    expected = [by_hand(x, y, each, name) for each in weights]
    np.testing.assert_allclose(weighted_similarity(x, y, weights, name), expected, atol=1e-10)


def test_resamples_are_rsatoolbox_s():
    """Self-pairs are excluded as in rsatoolbox's bootstrap."""
    from rsatoolbox.inference.bootstrap import bootstrap_sample_pattern
    from rsatoolbox.rdm import RDMs, compare
    from scipy.spatial.distance import squareform

    x, y = square(9, 0), square(9, 1)
    both = RDMs(np.array([squareform(x), squareform(y)]))
    np.random.seed(3)
    drawn, chosen = bootstrap_sample_pattern(both)
    expected = compare(drawn.subset("index", 0), drawn.subset("index", 1), "corr")[0, 0]
    weights = np.bincount(np.asarray(chosen, int), minlength=9)[None]
    np.testing.assert_allclose(weighted_similarity(x, y, weights), expected, atol=1e-12)


def test_offsets_lose_no_digits():
    """A common offset of a million changes a Pearson similarity by rounding only."""
    x, y, weights = square(30, 0), square(30, 1), multiplicities(30, 20, 0)
    far = weighted_similarity(x + 1e6, y, weights)
    np.testing.assert_allclose(far, weighted_similarity(x, y, weights), atol=1e-8)


def test_what_does_not_vary_has_no_similarity():
    """Constant RDMs, and resamples of one stimulus, are NaN, never 0 or 1."""
    x, constant = square(4, 0), 7.3 * np.ones((4, 4))
    assert np.isnan(weighted_similarity(x, constant, np.ones((1, 4)))).all()
    assert np.isnan(weighted_similarity(x, x, np.array([[4.0, 0, 0, 0]]))).all()


def test_groups_are_drawn_whole():
    """Stimuli of one object are drawn together; the same seed draws the same."""
    groups = np.repeat(list("abcdefghij"), [2, 3, *[1] * 8])
    drawn = multiplicities(groups, 50, 1)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert (drawn[:, [0, 2, *range(5, 13)]].sum(1) == 10).all()
    np.testing.assert_array_equal(drawn, multiplicities(groups, 50, 1))
    assert (multiplicities(6, 50, 1).sum(1) == 6).all()


@pytest.mark.parametrize("name", ["pearson", "cosine"])
@pytest.mark.parametrize("exact", [0, 1000], ids=["collected", "every pair"])
def test_averages_over_pairs_are_those_of_each_pair(name, exact, monkeypatch):
    """Products collected over pairs give the intervals of every pair's own products."""
    monkeypatch.setattr(mean_similarity, "EXACT", exact)
    n, rng = 150, np.random.default_rng(0)
    weights = multiplicities(n, 200, 0)
    mean, expected = MeanSimilarity(weights, name), []
    true = rng.normal(size=(n, 6))
    for k in range(10):
        used = np.arange(n) if k else np.arange(2, n)
        noisy = [true + rng.normal(size=true.shape) for _ in range(2)]
        x, y = (np.square(each[:, None] - each[None]).sum(-1) for each in noisy)
        x, y = x[np.ix_(used, used)], y[np.ix_(used, used)]
        mean.add(x, y, used)
        every = np.vstack([np.ones((1, len(used))), weights[:, used]])
        expected.append(weighted_similarity(x, y, every, name))
    found, expected = mean.result()[0], np.mean(expected, axis=0)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-12)
    spread = expected[1:].std()
    assert abs(found[1:] - expected[1:]).max() < (1e-10 if exact else 0.2 * spread)
    assert abs(found[1:].std() / spread - 1) < 0.02


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_few_pairs_are_exact(pairs):
    """With few splits, and heavy tails, intervals are those of every pair's own products."""
    n, rng = 120, np.random.default_rng(0)
    weights = multiplicities(n, 100, 0)
    mean, expected = MeanSimilarity(weights, "pearson", pairs), []
    every = np.vstack([np.ones((1, n)), weights])
    true = rng.lognormal(sigma=2.0, size=(n, 4))
    for _ in range(pairs):
        x, y = (square_of(true * rng.lognormal(size=true.shape)) for _ in range(2))
        mean.add(x, y, np.arange(n))
        expected.append(weighted_similarity(x, y, every))
    np.testing.assert_allclose(mean.result()[0], np.mean(expected, axis=0), atol=1e-10)


def square_of(points):
    """Make the squared distances of points."""
    return np.square(points[:, None] - points[None]).sum(-1)


def test_an_interval_holds_its_estimate():
    """Where all resamples lie on one side, the interval reaches to the estimate."""
    assert percentile_interval(np.arange(20.0), 0.9, -3.0)[0] == -3.0
    assert percentile_interval(np.arange(20.0), 0.9, 30.0)[1] == 30.0
    assert percentile_interval(np.arange(20.0), 0.9, 9.0) == percentile_interval(
        np.arange(20.0), 0.9
    )


def test_arguments_are_checked():
    """Nothing to draw, no resamples, unknown comparisons and shares are refused."""
    for given_, samples, seed, message in (
        (0, 20, 0, "no stimuli"),
        (5, 19, 0, "resamples must be a whole number of 20 or more, not 19"),
        (5, 20.0, 0, "resamples must be a whole number"),
        (5, 20, -1, "seed must be a whole number of 0 or more, not -1"),
        (["a", "b"] * 5, 20, 0, "in 2 groups, but an interval over groups needs 10"),
        ([*"abcdefghij", None], 20, 0, "1 of 11 stimuli have no group label"),
    ):
        with pytest.raises(InputError, match=message):
            multiplicities(given_, samples, seed)
    with pytest.raises(InputError, match="unknown comparison"):
        weighted_similarity(square(4, 0), square(4, 1), np.ones((1, 4)), "kendall")
    with pytest.raises(InputError, match=r"such as 0\.95"):
        percentile_interval(np.arange(5.0), 95)


def test_intervals_need_most_resamples():
    """Where one in ten resamples or more has no estimate, there is no interval."""
    found = np.r_[np.arange(80.0), np.full(20, np.nan)]
    assert np.isnan(percentile_interval(found, 0.9)).all()
