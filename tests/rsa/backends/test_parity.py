"""Every comparison, distance, precision and path against rsatoolbox (SciPy where it has none)."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from rsatoolbox.data.dataset import Dataset
from rsatoolbox.rdm.calc import calc_rdm
from rsatoolbox.rdm.compare import compare
from rsatoolbox.rdm.rdms import RDMs

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.backends.torch import TorchBackend
from neurosage.rsa.rdm import rdms
from neurosage.rsa.similarity import prepare, similarity, similarity_to
from neurosage.testing.definitions import COMPARISONS, DISTANCES, REPRESENTATIONS

TOLERANCE = {"float64": 1e-6, "float32": 1e-4}
FACTORED = ("pearson", "cosine", "corr_cov", "cosine_cov", "cka", "cka_unbiased")
RSATOOLBOX = {
    "pearson": "corr",
    "spearman": "spearman",
    "cosine": "cosine",
    "kendall": "kendall",
    "tau-a": "tau-a",
    "rho-a": "rho-a",
    "corr_cov": "corr_cov",
    "cosine_cov": "cosine_cov",
    "cka": "cosine_cov",
}
SIZES = {"many stimuli": (70, (5, 9), (4, 7)), "many neuroids": (24, (40, 90), (60, 30))}


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices this small gain nothing from threads, which wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def made(n, widths_a, widths_b, seed=3, offset=0.0):
    """Two sides of regions that share some structure over stimuli."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 4))
    return [
        [common @ rng.normal(size=(4, p)) + rng.normal(size=(n, p)) + offset for p in widths]
        for widths in (widths_a, widths_b)
    ]


def recording(regions, **coords):
    """An assembly of regions named by their number."""
    n = len(regions[0])
    labels = np.repeat(np.arange(len(regions)).astype(str), [f.shape[1] for f in regions])
    ids = [f"img{i}" for i in range(n)]
    a = assembly(np.hstack(regions), stimulus_id=ids, region=labels)
    return a.assign_coords({name: ("presentation", value) for name, value in coords.items()})


def reference_rdm(f, distance):
    """The RDM by rsatoolbox; it has no cosine distance."""
    if distance == "cosine":
        return DISTANCES[distance](f)
    return calc_rdm(Dataset(f), method=distance).dissimilarities[0]


def reference(side_a, side_b, distance, comparison):
    """Similarities by rsatoolbox; it has no unbiased CKA."""
    a, b = (np.array([reference_rdm(f, distance) for f in side]) for side in (side_a, side_b))
    if comparison in RSATOOLBOX:
        return compare(RDMs(a), RDMs(b), method=RSATOOLBOX[comparison])
    return np.array([[COMPARISONS[comparison](x, y) for y in b] for x in a])


def paths(comparison):
    return ("auto", "factored", "pairwise") if comparison in FACTORED else ("auto", "pairwise")


CASES = [
    pytest.param(comparison, path, id=f"{comparison} {path}")
    for comparison in COMPARISONS
    for path in paths(comparison)
]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize(("comparison", "path"), CASES)
def test_every_path_equals_the_oracle(comparison, path, distance, dtype):
    """1e-6 in float64 and 1e-4 in float32, many stimuli or many neuroids; the path is as asked."""
    backend = TorchBackend(dtype=dtype, path=path)
    for size in SIZES.values():
        sides = made(*size)
        side_a, side_b = (backend.prepare(side, distance, comparison) for side in sides)
        found = backend.similarity(side_a, side_b, comparison)
        expected = reference(*sides, distance, comparison)
        np.testing.assert_allclose(found.values, expected, atol=TOLERANCE[dtype])
        assert path == "auto" or found.path == path


@pytest.mark.parametrize("path", ["factored", "pairwise"])
@pytest.mark.parametrize("comparison", FACTORED)
def test_single_precision_holds_for_many_pairs(comparison, path):
    """float32 stays within 1e-6 of float64 over a million pairs: sums do not pile up rounding."""
    sides = made(1500, (8,), (6,), offset=1e4)
    found = []
    for backend in (TorchBackend(path=path), TorchBackend(dtype="float64", path="factored")):
        one, other = (backend.prepare(side, "euclidean", comparison) for side in sides)
        found.append(backend.similarity(one, other, comparison).values)
    np.testing.assert_allclose(*found, atol=1e-6)


@pytest.mark.parametrize("comparison", RSATOOLBOX)
def test_rdms_equal_the_oracle(comparison):
    """RDMs that are given are compared as rsatoolbox compares them, ties and all."""
    rng = np.random.default_rng(0)
    for values in (rng.random((5, 190)), rng.integers(0, 6, (5, 190)).astype(float)):
        found = TorchBackend(dtype="float64").compare(values[:2], values[2:], comparison)
        expected = compare(RDMs(values[:2]), RDMs(values[2:]), method=RSATOOLBOX[comparison])
        np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("distance", ["correlation", "euclidean"])
def test_category_averages_equal_the_oracle(distance, comparison):
    """Patterns are averaged by category first, then compared."""
    sides = made(60, (9,), (12, 5))
    labels = np.random.default_rng(0).permutation(np.repeat(list("abcdefghijkl"), 5))
    means = [
        [np.array([f[labels == c].mean(0) for c in dict.fromkeys(labels)]) for f in side]
        for side in sides
    ]
    a, b = (recording(side, kind=labels) for side in sides)
    expected = reference(*means, distance, comparison)
    for dtype, atol in TOLERANCE.items():
        found = similarity(
            a, b, distance, comparison, by="kind", backend=TorchBackend("cpu", dtype)
        )
        np.testing.assert_allclose(found, expected, atol=atol)


def holed(sides, seed=0):
    """Responses of which one in 200 is missing, on each side others."""
    rng = np.random.default_rng(seed)
    return [[np.where(rng.random(f.shape) < 0.005, np.nan, f) for f in side] for side in sides]


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "kendall", "cka_unbiased"])
@pytest.mark.parametrize("nan", ["drop-stimulus", "drop-neuroid"])
def test_missing_responses_equal_the_oracle(nan, comparison):
    """What is left after leaving out stimuli (of both sides) or neuroids is compared."""
    sides = holed(made(40, (12,), (9, 15)))
    whole = [np.hstack(side) for side in sides]
    if nan == "drop-stimulus":
        kept = ~np.isnan(np.hstack(whole)).any(1)
        left = [[f[kept] for f in side] for side in sides]
    else:
        left = [[f[:, ~np.isnan(f).any(0)] for f in side] for side in sides]
    found = similarity(
        recording(sides[0]), recording(sides[1]), "correlation", comparison,
        nan=nan, backend=TorchBackend(dtype="float64"),
    )  # fmt: skip
    np.testing.assert_allclose(found, reference(*left, "correlation", comparison), atol=1e-6)
    assert 0 < found.attrs["n_stimuli"] <= 40
    assert json.loads(found.attrs["dropped"])


def pairwise_rdm(f, distance):
    """Each distance over the neuroids that both stimuli have, one pair at a time."""
    rows, columns = np.triu_indices(len(f), 1)
    pairs = [(f[i], f[j], ~np.isnan(f[i] + f[j])) for i, j in zip(rows, columns, strict=True)]
    return np.array([DISTANCES[distance](np.array([x[k], y[k]]))[0] for x, y, k in pairs])


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "cosine", "corr_cov"])
@pytest.mark.parametrize("distance", DISTANCES)
def test_pairwise_missing_responses_equal_the_definition(distance, comparison):
    """With nan="pairwise" every distance is over the neuroids that both stimuli have."""
    sides = holed(made(25, (30,), (20,)))
    x, y = (pairwise_rdm(side[0], distance) for side in sides)
    found = similarity(
        recording(sides[0]), recording(sides[1]), distance, comparison,
        nan="pairwise", backend=TorchBackend(dtype="float64"),
    )  # fmt: skip
    np.testing.assert_allclose(found, [[COMPARISONS[comparison](x, y)]], atol=1e-6)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_prepared_sides_serve_many(comparison):
    """A teacher prepared once gives what a fresh one gives, region by region."""
    sides = made(30, (6, 50, 8), (12, 40))
    a, b = map(recording, sides)
    backend = TorchBackend(dtype="float64")
    prepared = prepare(b, distance="correlation", comparison=comparison, backend=backend)
    expected = reference(*sides, "correlation", comparison)
    for _ in range(2):
        np.testing.assert_allclose(similarity_to(prepared, a), expected, atol=1e-6)


@pytest.mark.parametrize("comparison", [*COMPARISONS, *REPRESENTATIONS])
def test_assemblies_on_disk_equal_those_in_memory(comparison):
    """Dask-backed assemblies, in any chunks and with repetitions, give what arrays give."""
    rng = np.random.default_rng(1)
    a, b = map(recording, made(60, (6, 9), (5, 7)))
    order = rng.permutation(120) % 60
    a, b = a[order], (b + rng.normal(size=b.shape))[rng.permutation(120) % 60]
    distance = "euclidean" if comparison in COMPARISONS else None
    expected = similarity(a, b, distance, comparison, normalise=("none", "zscore"))
    lazy = a.chunk(presentation=17, neuroid=4), b.chunk(presentation=50)
    found = similarity(*lazy, distance, comparison, normalise=("none", "zscore"))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_rdms_and_responses_mix(comparison):
    """RDMs on either side give what the responses give."""
    a, b = map(recording, made(25, (6, 30), (12,)))
    backend = TorchBackend(dtype="float64")
    expected = similarity(a, b, "euclidean", comparison, backend=backend)
    for left, right in ((True, False), (False, True), (True, True)):
        given = [
            rdms(side, "euclidean", backend=backend) if held else side
            for side, held in ((a, left), (b, right))
        ]
        found = similarity(*given, "euclidean", comparison, backend=backend)
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("comparison", ["spearman", "rho-a", "kendall", "tau-a"])
def test_ranks_have_no_factored_path(comparison):
    """A path that a comparison does not have is refused before any work."""
    (a,), (b,) = made(12, (5,), (4,))
    with pytest.raises(InputError, match=r"factored"):
        similarity(
            recording([a]),
            recording([b]),
            comparison=comparison,
            backend=TorchBackend(path="factored"),
        )


def test_path_is_one_of_four():
    """An unknown path is refused with the choices."""
    with pytest.raises(InputError, match=r"did you mean 'factored'"):
        TorchBackend(path="factord")


def test_cka_is_that_of_its_authors():
    """cka and cka_unbiased of euclidean RDMs are the HSIC ratios of Kornblith and of Song."""
    (x,), (y,) = made(30, (6,), (9,))
    a, b = recording([x]), recording([y])
    n = len(x)
    k, m = x @ x.T, y @ y.T
    centred = np.eye(n) - 1 / n

    def biased(one, other):
        return np.trace(one @ centred @ other @ centred)

    def unbiased(one, other):
        one, other = (each - np.diag(np.diag(each)) for each in (one, other))
        product = one @ other
        last = one.sum() * other.sum() / ((n - 1) * (n - 2))
        return (np.trace(product) + last - 2 * product.sum() / (n - 2)) / (n * (n - 3))

    for name, hsic in (("cka", biased), ("cka_unbiased", unbiased)):
        expected = hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))
        found = similarity(a, b, comparison=name, backend=TorchBackend(dtype="float64"))
        assert found.attrs["distance"] == "euclidean"
        assert float(found[0, 0]) == pytest.approx(expected, abs=1e-12)
