"""The Mantel test, against permutations done by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.distance import squareform
from scipy.stats import rankdata

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.inference import mantel
from neurosage.rsa.inference.mantel import mantel_test, permuted
from neurosage.rsa.inference.unit_squares import COMPARISONS, unit_square
from neurosage.rsa.rdm import rdms


def made(n, p, seed, region="V4"):
    """Make an assembly of noise."""
    values = np.random.default_rng(seed).normal(size=(n, p))
    return assembly(values, stimulus_id=[f"s{k}" for k in range(n)], region=region)


def square(n, seed):
    """Make an RDM."""
    return rdms(made(n, 5, seed), "euclidean").values[0]


def by_hand(x, y, comparison):
    """Compare two RDMs by the definition of each comparison."""
    a, b = (squareform(each, checks=False) for each in (x, y))
    n, m = len(x), len(a)
    if comparison in ("spearman", "rho-a"):
        a, b = rankdata(a), rankdata(b)
    if comparison == "rho-a":
        return 12 * (a - a.mean()) @ (b - b.mean()) / (m**3 - m)
    if comparison in ("pearson", "spearman"):
        return np.corrcoef(a, b)[0, 1]
    if comparison == "cosine":
        return a @ b / np.sqrt((a @ a) * (b @ b))
    if comparison == "cka_unbiased":
        k, l = (-0.5 * each for each in (x, y))  # any Gram matrix with these distances

        def hsic(k, l):
            one = np.ones(n)
            last = 2 / (n - 2) * one @ k @ l @ one
            middle = (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
            return np.trace(k @ l) + middle - last

        return hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))
    # Whitened: the covariance of distances where all patterns are noise.
    pairs = np.zeros((m, n))
    rows, columns = np.triu_indices(n, 1)
    pairs[np.arange(m), rows], pairs[np.arange(m), columns] = 1, -1
    inverse = np.linalg.inv(np.square(pairs @ pairs.T))
    if comparison == "corr_cov":
        one = np.ones(m)
        a, b = (v - (one @ inverse @ v) / (one @ inverse @ one) for v in (a, b))
    return (a @ inverse @ b) / np.sqrt((a @ inverse @ a) * (b @ inverse @ b))


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_similarity_is_a_dot_product(comparison):
    """Of two unit squares, for every comparison offered; ranks may be tied."""
    x, y = square(9, 0), square(9, 1).round(0)
    found = (unit_square(x, comparison) * unit_square(y, comparison)).sum()
    np.testing.assert_allclose(found, by_hand(x, y, comparison), atol=1e-10)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_what_does_not_vary_has_no_unit_square(comparison):
    """A constant RDM is NaN, but for those comparisons that take no mean out."""
    constant = 7.3 * (1 - np.eye(6))
    defined = comparison in ("cosine", "cosine_cov", "cka")
    assert np.isnan(unit_square(constant, comparison)).all() == (not defined)
    assert np.isnan(unit_square(np.zeros((6, 6)), comparison)).all()


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("n", [7, 310])
def test_permuted_is_the_similarity_of_the_reordered_rdm(comparison, n, monkeypatch):
    """Rows and columns together, every tile and block of orders, to rounding."""
    monkeypatch.setattr(mantel, "MOVED", 2 * n * 9)
    x, y = square(n, 0), np.stack([square(n, 1), square(n, 2)])
    orders = np.stack([np.random.default_rng(k).permutation(n) for k in range(5)])
    units = np.stack([unit_square(each, comparison) for each in y])
    tie, found = permuted(unit_square(x, comparison)[None], units, orders)
    for k, order in enumerate(orders):
        for j, each in enumerate(y):
            moved = unit_square(each[np.ix_(order, order)], comparison)
            expected = (unit_square(x, comparison) * moved).sum()
            np.testing.assert_allclose(found[k, 0, j], expected, atol=tie)


def test_p_is_the_share_of_all_orders():
    """With 5 stimuli, p of random orders is near the exact share over all 120."""
    a, b = made(5, 4, 0), made(5, 4, 3)
    x, y = rdms(a).values[0], rdms(b).values[0]
    observed = by_hand(x, y, "pearson")
    every = [by_hand(x, y[np.ix_(o, o)], "pearson") for o in map(list, permutations(range(5)))]
    exact = np.mean(np.array(every) >= observed - 1e-12)
    found = mantel_test(a, b, permutations=4000, seed=1)
    assert found.similarity.item() == pytest.approx(observed)
    assert found.p.item() == pytest.approx(exact, abs=0.03)


def test_p_is_uniform_without_relation():
    """Under no relation p is below .05 in about 5 % of recordings, and the smallest p is kept."""
    many = made(30, 200 * 4, 5, np.repeat([f"l{k}" for k in range(200)], 4))
    found = mantel_test(many, made(30, 4, 9), permutations=199)
    share = float((found.p <= 0.05).mean())
    assert 0.01 <= share <= 0.10
    assert found.p.min() >= 1 / 200
    # Their best is no finding, though its own p is small.
    best = int(found.similarity.values.argmax())
    assert found.p[best, 0] < 0.05 < found.p_best[best, 0]


def test_layers_in_blocks_are_the_same(monkeypatch):
    """How many layers are permuted together changes nothing."""
    a = made(20, 12, 0, np.repeat(["l1", "l2", "l3"], 4))
    b = made(20, 8, 1, np.repeat(["V4", "IT"], 4))
    whole = mantel_test(a, b, permutations=99)
    monkeypatch.setattr(mantel, "LAYERS_BYTES", 1)
    parts = mantel_test(a, b, permutations=99)
    for name in ("similarity", "p", "p_best"):
        np.testing.assert_allclose(whole[name], parts[name])


def test_a_relation_is_found_whatever_the_order_of_stimuli():
    """Sides are aligned by stimulus; equal geometries have the smallest p."""
    a = made(30, 6, 0)
    found = mantel_test(a[::-1], a, comparison="spearman", permutations=99)
    assert found.p.item() == pytest.approx(0.01)
    assert found.similarity.item() == pytest.approx(1)


def test_undefined_regions_keep_their_place():
    """A layer without RDM is NaN with its reason, or refused."""
    one = made(10, 5, 0, ["l1", "l2", "l2", "l2", "l2"])
    with pytest.raises(InputError, match="l1"):
        mantel_test(one, made(10, 3, 1), permutations=20)
    found = mantel_test(one, made(10, 3, 1), permutations=20, undefined="nan")
    assert list(found.region_a.values) == ["l1", "l2"]
    assert np.isnan(found.p[0, 0])
    assert not np.isnan(found.p[1, 0])
    assert "l1" in found.attrs["undefined"]


def test_wrong_calls_are_refused():
    """What is no dot product, or too few orders, is refused first."""
    a = made(10, 3, 0)
    with pytest.raises(InputError, match="kendall"):
        mantel_test(a, a, comparison="kendall")
    with pytest.raises(InputError, match="permutations"):
        mantel_test(a, a, permutations=3)
