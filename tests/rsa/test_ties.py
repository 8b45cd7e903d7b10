"""Distances that differ by rounding alone are tied wherever they are ranked."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import squareform
from scipy.stats import kendalltau, spearmanr

from neurosage.data.assembly import assembly
from neurosage.rsa.inference.bootstrap import bootstrap_similarity
from neurosage.rsa.inference.cross_fitted import cross_fitted_similarity
from neurosage.rsa.inference.mantel import mantel_test
from neurosage.rsa.inference.sides import read_sides
from neurosage.rsa.inference.unit_squares import OVER_PAIRS, OVER_PRODUCTS
from neurosage.rsa.rdm import rdms
from neurosage.rsa.similarity import similarity
from neurosage.rsa.ties import RANKED, merged, rounding_of

IDS = [f"s{k}" for k in range(30)]
DISTANCES = ("euclidean", "correlation", "cosine")


def recorded(values):
    """Make an assembly of 30 stimuli."""
    return assembly(values, stimulus_id=IDS, region="V4")


def of_kinds(name):
    """Patterns whose RDM has few distinct distances."""
    rng = np.random.default_rng(3)
    return {
        "categories": lambda: np.repeat(np.eye(5), 6, 0) * 3.3 + 0.1,
        "features": lambda: np.c_[rng.integers(0, 2, (30, 4)), np.full((30, 2), [3.0, 0.7])] * 0.7,
        "line": lambda: np.repeat(rng.normal(size=(6, 2)), 5, 0),
    }[name]()


def other():
    """Return a recording without ties."""
    return recorded(np.random.default_rng(0).normal(size=(30, 8)))


def truth(values):
    """Return euclidean distances rounded to 9 digits, and those of the other side."""
    rows, columns = np.triu_indices(30, 1)
    made = [np.square(x[rows] - x[columns]).mean(1) for x in (values, other().values)]
    return made[0].round(9), made[1]


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("name", ["categories", "features", "line"])
@pytest.mark.parametrize("comparison", [*RANKED, "pearson", "cka_unbiased"])
def test_intervals_and_tests_are_of_the_similarity_itself(name, distance, comparison):
    """The point of bootstrap and Mantel test is `similarity`, ties or not."""
    a, b = recorded(of_kinds(name)), other()
    expected = similarity(a, b, distance, comparison).item()
    found = bootstrap_similarity(a, b, distance, comparison, resamples=20)
    assert found.similarity.item() == pytest.approx(expected, abs=5e-5)
    if comparison in (*OVER_PAIRS, *OVER_PRODUCTS):
        tested = mantel_test(a, b, distance, comparison, permutations=20)
        assert tested.similarity.item() == pytest.approx(expected, abs=5e-5)


def test_ranks_of_categories_are_scipy_s():
    """However responses are normalised; rounding is no order."""
    values = of_kinds("categories")
    x, y = truth(values)
    rho, tau = spearmanr(x, y)[0], kendalltau(x, y)[0]
    a, b = recorded(values), other()
    for how in ({}, {"normalise": ("zscore", None)}):
        for comparison, expected in (("spearman", rho), ("kendall", tau)):
            found = bootstrap_similarity(a, b, "euclidean", comparison, resamples=20, **how)
            assert found.similarity.item() == pytest.approx(expected, abs=1e-6)
    halves = cross_fitted_similarity(a, b, "euclidean", "spearman", interval=None, splits=20)
    exact = cross_fitted_similarity(
        rdms(a, "euclidean").round(6), rdms(b, "euclidean"), None, "spearman", interval=None,
        splits=20,
    )  # fmt: skip
    assert halves.similarity.item() == pytest.approx(exact.similarity.item(), abs=1e-5)


def test_rdms_that_were_made_in_float32_are_tied_by_its_rounding():
    """On either side, in similarities and in what is resampled."""
    a, b = recorded(of_kinds("categories")), other()
    v, w = rdms(a, "euclidean"), rdms(b, "euclidean")
    assert len(np.unique(v.values[0][np.triu_indices(30, 1)])) > 2  # split by rounding
    expected = spearmanr(*truth(a.values))[0]
    for one, another in ((v, w), (v, b), (a, w)):
        assert similarity(one, another, None, "spearman").item() == pytest.approx(
            expected, abs=1e-6
        )
        found = mantel_test(one, another, None, "spearman", permutations=20)
        assert found.similarity.item() == pytest.approx(expected, abs=1e-6)


def test_published_rdms_keep_every_digit_that_they_have():
    """What differs by 1e-12 differs, in float64; in float32, by some units in the last place."""
    rng = np.random.default_rng(1)
    order = rng.permutation(435)
    coords = {"region": ["V4"], "stimulus_id_i": ("stimulus_i", IDS),
              "stimulus_id_j": ("stimulus_j", IDS)}  # fmt: skip
    dims = ("region", "stimulus_i", "stimulus_j")
    v, w = (
        xr.DataArray(squareform(pairs)[None], dims=dims, coords=coords)
        for pairs in (1.0 + 1e-12 * order, rng.normal(size=435) ** 2)
    )
    expected = spearmanr(order, squareform(w.values[0]))[0]
    assert similarity(v, w, None, "spearman").item() == pytest.approx(expected)
    found = bootstrap_similarity(v, w, None, "spearman", resamples=20)
    assert found.similarity.item() == pytest.approx(expected, abs=1e-6)
    assert rounding_of(v) < 1e-13 < 1e-7 < rounding_of(v.astype(np.float32))


def test_only_what_stands_apart_is_merged():
    """Pairs of neighbours become one; a chain longer than rounding explains stays."""
    apart = np.array([5.0, 1.0, 5.0 + 1e-12, 3.0, 0.0, 1e-13, -5.0])
    found = merged(apart, 1e-11)
    assert found[0] == found[2]
    assert found[4] == found[5] == 0.0
    np.testing.assert_allclose(found, apart, atol=1e-11)
    chain = np.linspace(1.0, 2.0, 1000)
    np.testing.assert_array_equal(merged(chain, 1e-2), chain)
    assert merged(np.array([]), 1e-11).size == 0


def test_other_comparisons_see_the_distances_as_they_are():
    """Nothing is merged that is not ranked."""
    a, b = recorded(of_kinds("categories")), other()
    plain = read_sides(a, b, "euclidean", "pearson").squares_a[0]
    tied = read_sides(a, b, "euclidean", "spearman").squares_a[0]
    assert len(np.unique(tied)) == 2 < len(np.unique(plain))
    np.testing.assert_allclose(tied, plain, rtol=1e-12, atol=1e-12)
