"""The default backend against rsatoolbox, in both precisions and on all paths."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurosage.errors import InputError
from neurosage.rsa.backends import base
from neurosage.rsa.backends.rsatoolbox import RsatoolboxBackend
from neurosage.rsa.backends.torch import TorchBackend, distances, factored, placing
from neurosage.testing import BackendCase

TOLERANCE = {"float64": 1e-6, "float32": 1e-4}
SIZES = {"factored": (150, 8, 5), "pairwise": (30, 90, 40), "one neuroid": (60, 3, 1)}


class TestFloat32(BackendCase):
    """The contract in single precision."""

    def make_backend(self):
        return TorchBackend()


class TestFloat64(BackendCase):
    """The contract in double precision."""

    tolerance = 1e-9

    def make_backend(self):
        return TorchBackend(dtype="float64")


def sides(size, offset=0.0):
    n, *widths = SIZES[size]
    rng = np.random.default_rng(3)
    common = rng.normal(size=(n, 4))
    return [[common @ rng.normal(size=(4, p)) + rng.normal(size=(n, p)) + offset] for p in widths]


def compare(engine, a, b, distance, comparison):
    side_a, side_b = (engine.prepare(side, distance, comparison) for side in (a, b))
    return engine.similarity(side_a, side_b, comparison)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("comparison", ["pearson", "spearman", "cosine"])
@pytest.mark.parametrize("distance", ["correlation", "euclidean"])
@pytest.mark.parametrize("size", SIZES)
def test_equals_rsatoolbox(size, distance, comparison, dtype):
    """Similarities equal rsatoolbox's to 1e-6 in float64 and 1e-4 in float32."""
    if size == "one neuroid" and distance == "correlation":
        size = "factored"
    a, b = sides(size, offset=2.0)
    found, expected = (
        compare(engine, a, b, distance, comparison).values
        for engine in (TorchBackend(dtype=dtype), RsatoolboxBackend())
    )
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("distance", ["correlation", "euclidean", "cosine"])
@pytest.mark.parametrize("comparison", factored.COMPARISONS)
def test_factored_equals_pairwise(distance, comparison):
    """The path never changes the similarity."""
    a, b = sides("factored")
    found = {
        path: compare(TorchBackend(dtype="float64", path=path), a, b, distance, comparison)
        for path in ("factored", "pairwise")
    }
    assert all(one.path == path for path, one in found.items())
    engine = TorchBackend(dtype="float64")
    rdms = [np.stack([engine.rdm(f, distance) for f in side]) for side in (a, b)]
    expected = engine.compare(*rdms, comparison)
    for one in found.values():
        np.testing.assert_allclose(one.values, expected, atol=1e-12)


@pytest.mark.parametrize("size", ["factored", "pairwise"])
def test_path_is_the_cheaper(size):
    """Many stimuli and few neuroids are factored, the other way round is not."""
    assert compare(TorchBackend(), *sides(size), "euclidean", "pearson").path == size


def test_path_of_unequal_regions():
    """A side whose regions go both ways says so, and each has its own values."""
    engine, rng = TorchBackend(dtype="float64"), np.random.default_rng(0)
    a = [rng.normal(size=(40, p)) for p in (300, 3, 280)]
    b = [rng.normal(size=(40, 3))]
    found = compare(engine, a, b, "euclidean", "cosine")
    assert found.path == "factored and pairwise"
    alone = [compare(engine, [f], b, "euclidean", "cosine").values[0] for f in a]
    np.testing.assert_allclose(found.values, alone, atol=1e-12)


def test_ranks_beyond_exact_pairs_are_sampled():
    """Beyond exact_pairs ranks are sampled, with standard errors and their number; sums never."""
    a, b = sides("factored")
    engine = TorchBackend(exact_pairs=5000, seed=1)
    found = compare(engine, a, b, "euclidean", "spearman")
    exact = compare(TorchBackend(), a, b, "euclidean", "spearman")
    assert (found.path, exact.path) == ("sampled", "pairwise")
    assert 5000 <= found.pairs < 150 * 149 / 2
    assert exact.standard_error is None
    assert exact.pairs is None
    assert 0 < found.standard_error[0, 0] < 0.05
    assert abs(found.values - exact.values)[0, 0] < 5 * found.standard_error[0, 0]
    assert compare(engine, a, b, "euclidean", "pearson").path == "factored"
    again = compare(TorchBackend(exact_pairs=5000, seed=1), a, b, "euclidean", "spearman")
    np.testing.assert_array_equal(again.values, found.values)


def test_impossible_paths_are_refused():
    """A path that a comparison does not have, or that is none, is refused with the choices."""
    with pytest.raises(InputError, match=r"'spearman' has no factored path; .*cka_unbiased"):
        TorchBackend(path="factored").prepare([], "euclidean", "spearman")
    with pytest.raises(InputError, match="'svcca' needs no RDM"):
        TorchBackend(path="pairwise").prepare([], "none", "svcca")
    with pytest.raises(InputError, match="did you mean 'sampled'"):
        TorchBackend(path="sample")
    with pytest.raises(InputError, match="sampled_pairs is a number of pairs, at least 1, not 0"):
        TorchBackend(sampled_pairs=0)


def test_cka_unbiased_is_a_function_of_the_rdm_alone():
    """The factored formula equals the published estimator of HSIC; three stimuli have none."""
    (x,), (y,) = sides("factored")
    n = len(x)

    def hsic(f, g):
        k, m = (each @ each.T for each in (f, g))
        np.fill_diagonal(k, 0.0)
        np.fill_diagonal(m, 0.0)
        whole = k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2.0 * (k @ m).sum() / (n - 2)
        return np.sum(k * m) + whole

    expected = hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y))
    engine = TorchBackend(dtype="float64", path="factored")
    found = compare(engine, [x + 3.0], [y], "euclidean", "cka_unbiased").values
    np.testing.assert_allclose(found, expected, atol=1e-12)
    few = compare(engine, [x[:3, :2]], [y[:3, :2]], "euclidean", "cka_unbiased").values
    assert np.isnan(few).all()


@pytest.mark.parametrize("distance", ["correlation", "euclidean"])
def test_large_common_offset(distance):
    """float32 patterns with offset 1e4 lose nothing to the offset but their own rounding."""
    rng = np.random.default_rng(0)
    patterns = (rng.normal(size=(50, 30)) + 1e4).astype(np.float32)
    found = TorchBackend().rdm(patterns, distance)
    expected = RsatoolboxBackend().rdm(patterns.astype(np.float64), distance)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e12])
def test_scale_of_responses_cancels(scale):
    """Responses in any unit give the same similarity: nothing overflows in float32."""
    a, b = sides("factored")
    found, expected = (
        compare(TorchBackend(), [a[0] * unit], b, "euclidean", "pearson").values
        for unit in (scale, 1.0)
    )
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("comparison", ["pearson", "spearman", "cosine"])
@pytest.mark.parametrize(
    "flat",
    [np.tile([0.1, 0.7, 0.3], (12, 1)), np.eye(12)],
    ids=["identical patterns", "equal distances"],
)
@pytest.mark.parametrize("distance", ["correlation", "euclidean"])
def test_rdm_that_does_not_vary(flat, comparison, dtype, distance):
    """Where an RDM does not vary, its similarity is NaN, never a number made of rounding."""
    other = np.random.default_rng(0).normal(size=(12, 5))
    engine = TorchBackend(dtype=dtype)
    found = compare(engine, [flat], [other], distance, comparison).values[0, 0]
    if comparison == "cosine" and flat.shape[1] == 12:
        assert 0 < found < 1
    else:
        assert np.isnan(found)


def test_one_pass_over_one_region_in_chunks(monkeypatch):
    """Small chunks, blocks and tiles change nothing."""
    (a,), _ = sides("factored")
    whole = TorchBackend(dtype="float64").rdm(a, "correlation")
    monkeypatch.setattr(placing, "CHUNK", {"cpu": 10})
    monkeypatch.setattr(placing, "BLOCK", 80)
    monkeypatch.setattr(placing, "FEWEST_ROWS", 7)
    monkeypatch.setattr(distances, "TILE", 400)
    monkeypatch.setattr(factored, "BLOCK", 3)
    parts = TorchBackend(dtype="float64").rdm(a, "correlation")
    np.testing.assert_allclose(parts, whole, atol=1e-14)
    x = torch.randn(20, 8, dtype=torch.float64)
    assert factored.own_gram(x) == pytest.approx(float(((x.T @ x) ** 2).sum()))


@pytest.mark.parametrize("view", ["reversed", "transposed", "read-only", "integers"])
def test_any_array_is_read(view):
    """Negative strides, column order, read-only and integer arrays give the same RDM."""
    patterns = np.random.default_rng(0).integers(0, 50, size=(10, 6))
    given = {
        "reversed": patterns[::-1].astype(float)[::-1],
        "transposed": np.asfortranarray(patterns.astype(np.float32)),
        "read-only": np.broadcast_to(patterns.astype(float), patterns.shape),
        "integers": patterns,
    }[view]
    found = TorchBackend(dtype="float64").rdm(given, "euclidean")
    expected = TorchBackend(dtype="float64").rdm(patterns.astype(float), "euclidean")
    np.testing.assert_allclose(found, expected)


def test_unknown_dtype_and_device():
    """A dtype or device that is not there is refused before any work."""
    with pytest.raises(InputError, match="did you mean 'float32'"):
        TorchBackend(dtype="float3")
    with pytest.raises(InputError, match="'nowhere' cannot compute here"):
        TorchBackend(device="nowhere")


def test_sides_of_different_distances_are_refused():
    """Sides prepared for different distances are not compared."""
    engine = TorchBackend()
    a, b = sides("factored")
    with pytest.raises(InputError, match="cannot be compared"):
        engine.similarity(
            engine.prepare(a, "euclidean", "pearson"),
            engine.prepare(b, "cosine", "pearson"),
            "pearson",
        )


def test_pairs_that_do_not_fit(monkeypatch):
    """Pairs that would not fit into memory are refused first, with a way out."""
    import psutil

    class Little:
        available = 1000

    monkeypatch.setattr(psutil, "virtual_memory", Little)
    a, _ = sides("factored")
    with pytest.raises(InputError, match="comparison='pearson', which needs no pairs"):
        compare(TorchBackend(), a, a, "euclidean", "spearman")


def test_backend_says_what_it_was_asked():
    """The representation holds every argument that is not the default."""
    assert repr(TorchBackend()) == "TorchBackend(device='cpu', dtype='float32')"
    asked = TorchBackend(path="sampled", sampled_pairs=900)
    assert repr(asked).endswith("dtype='float32', path='sampled', sampled_pairs=900)")


def test_get_backend():
    """Names are looked up among the plugins; an instance is taken as it is."""
    assert base.get_backend("rsatoolbox").name == "rsatoolbox"
    engine = TorchBackend(dtype="float64")
    assert base.get_backend(engine) is engine
    with pytest.raises(InputError, match=r"unknown backend 'torhc'; did you mean 'torch'"):
        base.get_backend("torhc")
