"""Similarities under resamples, against resampled RDMs made by hand and by rsatoolbox."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.errors import InputError
from neurosage.rsa.backends.base import get_backend
from neurosage.rsa.inference.forms import WHITENED, by_forms
from neurosage.rsa.inference.resampled import WITHOUT_REPLACEMENT, similarities
from neurosage.rsa.inference.sides import Sides
from neurosage.rsa.inference.squares import Held
from neurosage.rsa.resampling import multiplicities, weighted_similarity


def squares(count, n, seed, offset=0.0):
    """Make euclidean RDMs that have something in common."""
    rng = np.random.default_rng(seed)
    common = np.random.default_rng(99).normal(size=(n, 3))
    points = [common @ rng.normal(size=(3, 4)) + rng.normal(size=(n, 4)) for _ in range(count)]
    made = np.stack([np.square(p[:, None] - p[None]).sum(-1) + offset for p in points])
    made[:, np.arange(n), np.arange(n)] = 0.0
    return made


def both(n, seed=0, offset=0.0):
    """Make two sides, of three and two regions."""
    a, b = Held(squares(3, n, seed, offset)), Held(squares(2, n, seed + 50, offset))
    return Sides(("x", "y", "z"), ("u", "v"), np.arange(n), a, b, {}, {}, ("x", "y", "z"))


def whitened(x, y, name):
    """Compare doubly centred or U-centred RDMs, written out."""
    n = len(x)
    if name == "cka_unbiased":
        made = []
        for d in (x, y):
            sums = d.sum(0)
            u = d - sums / (n - 2) - sums[:, None] / (n - 2) + d.sum() / ((n - 1) * (n - 2))
            np.fill_diagonal(u, 0.0)
            made.append(u)
    else:
        h = np.eye(n) - 1 / n
        made = [h @ d @ h for d in (x, y)]
        if name == "corr_cov":
            made = [k - np.trace(k) / (n - 1) * h for k in made]
    k, m = made
    return (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(8, 300),
    seed=st.integers(0, 99),
    name=st.sampled_from(["pearson", "cosine"]),
    offset=st.sampled_from([0.0, 1e4]),
)
def test_float32_products_are_float64_forms(n, seed, name, offset):
    """Whatever the offset, and over tiles, within 1e-5 of forms in float64."""
    sides, weights = both(n, seed, offset), multiplicities(n, 20, seed)
    found = similarities(sides, weights, name)
    for k, j in np.ndindex(3, 2):
        x, y = sides.squares_a[k], sides.squares_b[j]
        expected = weighted_similarity(x, y, weights, name)
        np.testing.assert_allclose(found[:, k, j], expected, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(10, 200),
    seed=st.integers(0, 99),
    name=st.sampled_from(WHITENED),
    offset=st.sampled_from([0.0, 1e4]),
)
def test_whitened_comparisons_are_those_of_the_stimuli_left(n, seed, name, offset):
    """Half-samples by forms are the comparison of RDMs of these stimuli."""
    sides = both(n, seed, offset)
    rng = np.random.default_rng(seed)
    weights = (rng.permuted(np.tile(np.arange(n), (3, 1)), axis=1) < n // 2).astype(float)
    found = similarities(sides, weights, name)
    for row, (k, j) in zip(range(3), ((0, 0), (1, 1), (2, 0)), strict=True):
        kept = np.flatnonzero(weights[row])
        x, y = (each[np.ix_(kept, kept)] for each in (sides.squares_a[k], sides.squares_b[j]))
        np.testing.assert_allclose(found[row, k, j], whitened(x, y, name), atol=1e-5)


def test_an_outlier_that_is_not_drawn_costs_no_digits():
    """Resamples without it, whose sums nearly cancel in float32, are taken in float64."""
    n = 60
    a, b = squares(1, n, 0), squares(1, n, 1)
    for made in (a, b):
        made[0, 7] += 1e5
        made[0, :, 7] += 1e5
        made[0, 7, 7] = 0.0
    weights = multiplicities(n, 40, 0)
    assert 5 < (weights[:, 7] == 0).sum() < 30
    found = by_forms(Held(a), Held(b), weights, "pearson")[:, 0, 0]
    without = weights[:, 7] == 0
    kept = np.arange(n) != 7
    clean = [each[0][np.ix_(kept, kept)] for each in (a, b)]
    expected = weighted_similarity(*clean, weights[without][:, kept])
    np.testing.assert_allclose(found[without], expected, atol=1e-5)


def test_resamples_are_rsatoolbox_s_own():
    """The same draws, evaluated by rsatoolbox, for all comparisons that it can resample."""
    from rsatoolbox.inference.bootstrap import bootstrap_sample_pattern
    from rsatoolbox.rdm import RDMs, compare
    from scipy.spatial.distance import squareform

    sides = both(12)
    every = [*sides.squares_a, *sides.squares_b]
    given = RDMs(np.array([squareform(square) for square in every]))
    np.random.seed(3)
    for _ in range(3):
        drawn, chosen = bootstrap_sample_pattern(given)
        weights = np.bincount(np.asarray(chosen, int), minlength=12)[None].astype(float)
        for ours, theirs in (("pearson", "corr"), ("cosine", "cosine"), ("spearman", "spearman"),
                             ("rho-a", "rho-a")):  # fmt: skip
            expected = compare(
                drawn.subset("index", [0, 1, 2]), drawn.subset("index", [3, 4]), theirs
            )
            found = similarities(sides, weights, ours)[0]
            np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("comparison", WITHOUT_REPLACEMENT)
def test_a_stimulus_is_in_or_out_where_it_cannot_be_twice(comparison):
    """Halves are those of the backend's comparison; drawn twice is refused, with the step."""
    sides = both(14)
    weights = (np.arange(14) % 2 == np.arange(2)[:, None]).astype(float)
    found = similarities(sides, weights, comparison)
    if comparison in get_backend("torch").comparisons:
        rows, columns = np.triu_indices(7, 1)
        pairs = [
            np.stack([square[1::2, 1::2][rows, columns] for square in side])
            for side in (sides.squares_a, sides.squares_b)
        ]
        expected = get_backend("torch").compare(*pairs, comparison)
        np.testing.assert_allclose(found[1], expected, atol=1e-5)
    with pytest.raises(InputError, match="half-samples"):
        similarities(sides, 2 * weights, comparison)


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "corr_cov", "cka_unbiased", "rho-a"])
def test_what_does_not_vary_has_no_similarity(comparison):
    """All distances equal, on the whole or in a resample, or too few of them: NaN."""
    flat = np.ones((1, 9, 9)) - np.eye(9)
    varied = squares(1, 9, 0)
    partly = varied.copy()
    partly[0, :5, :5] = 1.0 - np.eye(5)
    weights = np.array([np.ones(9), np.arange(9) < 5, np.arange(9) < 2], float)
    sides = Sides(("flat", "partly"), ("varied",), np.arange(9),
                  Held(np.concatenate([flat, partly])), Held(varied), {}, {}, ())  # fmt: skip
    found = similarities(sides, weights, comparison)[..., 0]
    assert np.isnan(found[:, 0]).all()
    assert np.isfinite(found[0, 1])
    assert np.isnan(found[1:, 1]).all()


def test_a_constant_rdm_has_a_cosine_similarity():
    """Cosine and CKA do not take the mean out: a constant RDM is an RDM."""
    flat, varied = np.full((1, 9, 9), 3.0), squares(1, 9, 0)
    flat[0, np.arange(9), np.arange(9)] = 0.0
    found = by_forms(Held(flat), Held(varied), np.ones((1, 9)), "cosine")
    expected = varied.sum() / np.sqrt(72 * np.square(varied).sum())
    np.testing.assert_allclose(found, expected, atol=1e-6)
    alike = by_forms(Held(flat), Held(varied), np.ones((1, 9)), "cosine_cov")
    np.testing.assert_allclose(alike[0, 0, 0], whitened(flat[0], varied[0], "cosine_cov"))


def test_unknown_comparisons_are_named():
    """With the choices."""
    with pytest.raises(InputError, match=r"unknown comparison under resampling.*did you mean"):
        similarities(both(9), np.ones((1, 9)), "pearsn")
