"""The default backend against rsatoolbox, in both precisions and on both paths."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurosage.errors import InputError
from neurosage.rsa.backends import base
from neurosage.rsa.backends.rsatoolbox import RsatoolboxBackend
from neurosage.rsa.backends.torch import TorchBackend, distances, factored
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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("comparison", ["pearson", "spearman", "cosine"])
@pytest.mark.parametrize("distance", ["correlation", "euclidean"])
@pytest.mark.parametrize("size", SIZES)
def test_equals_rsatoolbox(size, distance, comparison, dtype):
    """Similarities equal rsatoolbox's to 1e-6 in float64 and 1e-4 in float32."""
    if size == "one neuroid" and distance == "correlation":
        size = "factored"
    (a,), (b,) = sides(size, offset=2.0)
    found = [
        backend.similarity(
            backend.prepare([a], distance, comparison),
            backend.prepare([b], distance, comparison),
            comparison,
        )
        for backend in (TorchBackend(dtype=dtype), RsatoolboxBackend())
    ]
    np.testing.assert_allclose(found[0], found[1], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("distance", ["correlation", "euclidean", "cosine"])
@pytest.mark.parametrize("comparison", ["pearson", "cosine"])
def test_factored_equals_pairwise(distance, comparison):
    """The path never changes the similarity."""
    backend = TorchBackend(dtype="float64")
    a, b = sides("factored")
    side_a, side_b = (backend.prepare(side, distance, comparison) for side in (a, b))
    assert backend.path(side_a, side_b) == "factored"
    rdms = [np.stack([backend.rdm(f, distance) for f in side]) for side in (a, b)]
    expected = backend.compare(*rdms, comparison)
    found = backend.similarity(side_a, side_b, comparison)
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("size", ["factored", "pairwise"])
def test_path_is_the_cheaper(size):
    """Many stimuli and few neuroids are factored, the other way round is not."""
    backend = TorchBackend()
    side_a, side_b = (backend.prepare(side, "euclidean", "pearson") for side in sides(size))
    assert backend.path(side_a, side_b) == size


def test_path_of_unequal_regions():
    """A side whose regions go both ways says so."""
    backend, rng = TorchBackend(), np.random.default_rng(0)
    side = backend.prepare([rng.normal(size=(40, p)) for p in (3, 300)], "euclidean", "cosine")
    few = backend.prepare([rng.normal(size=(40, 3))], "euclidean", "cosine")
    assert backend.path(side, few) == "factored and pairwise"


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
    backend = TorchBackend()
    (a,), (b,) = sides("factored")
    one, other = (backend.prepare([f], "euclidean", "pearson") for f in (a * scale, b))
    reference = backend.prepare([a], "euclidean", "pearson")
    found, expected = (backend.similarity(s, other, "pearson") for s in (one, reference))
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
    backend = TorchBackend(dtype=dtype)
    other = np.random.default_rng(0).normal(size=(12, 5))
    side_a = backend.prepare([flat], distance, comparison)
    side_b = backend.prepare([other], distance, comparison)
    found = backend.similarity(side_a, side_b, comparison)[0, 0]
    if comparison == "cosine" and flat.shape[1] == 12:
        assert 0 < found < 1
    else:
        assert np.isnan(found)


def test_one_pass_over_one_region_in_chunks(monkeypatch):
    """Small chunks and tiles change nothing."""
    (a,), _ = sides("factored")
    whole = TorchBackend(dtype="float64").rdm(a, "correlation")
    monkeypatch.setattr(distances, "CHUNK", {"cpu": 10})
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
    backend = TorchBackend()
    (a, b) = sides("factored")
    with pytest.raises(InputError, match="cannot be compared"):
        backend.similarity(
            backend.prepare(a, "euclidean", "pearson"),
            backend.prepare(b, "cosine", "pearson"),
            "pearson",
        )


def test_pairs_that_do_not_fit(monkeypatch):
    """Pairs that would not fit into memory are refused first, with a way out."""
    import psutil

    class Little:
        available = 1000

    monkeypatch.setattr(psutil, "virtual_memory", Little)
    backend = TorchBackend()
    side = backend.prepare(sides("factored")[0], "euclidean", "spearman")
    with pytest.raises(InputError, match="comparison='pearson', which needs no pairs"):
        backend.similarity(side, side, "spearman")


def test_get_backend():
    """Names are looked up among the plugins; an instance is taken as it is."""
    assert base.get_backend("rsatoolbox").name == "rsatoolbox"
    backend = TorchBackend(dtype="float64")
    assert base.get_backend(backend) is backend
    with pytest.raises(InputError, match=r"unknown backend 'torhc'; did you mean 'torch'"):
        base.get_backend("torhc")
