"""Similarities against rsatoolbox wherever Hypothesis looks: sizes, units, offsets, ties, edges."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rsatoolbox.data.dataset import Dataset
from rsatoolbox.rdm.calc import calc_rdm
from rsatoolbox.rdm.compare import compare
from rsatoolbox.rdm.rdms import RDMs

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.backends.torch import TorchBackend
from neurosage.rsa.similarity import similarity
from neurosage.testing.definitions import CENTRED, COMPARISONS, DISTANCES

TOLERANCE = {"float64": 1e-6, "float32": 1e-4}
RANKS = ("spearman", "rho-a", "kendall", "tau-a")
RSATOOLBOX = {"pearson": "corr", "cka": "cosine_cov"}
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True)
def one_thread():
    """Matrices this small gain nothing from threads, which wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def reference_rdm(f, distance):
    """By rsatoolbox in float64, from data that are centred first: offsets cost it its digits.

    Distances equal but for rounding are made equal, so that ties are ties.
    """
    if distance == "correlation":
        rdm = calc_rdm(Dataset(f - f.mean(1, keepdims=True)), method=distance)
    elif distance == "euclidean":
        rdm = calc_rdm(Dataset(f - f.mean(0)), method=distance)
    else:
        f = f / np.linalg.norm(f, axis=1, keepdims=True)
        return 0.5 * f.shape[1] * DISTANCES["euclidean"](f)
    values = rdm.dissimilarities[0]
    largest = np.abs(values).max()
    return np.round(values / largest, 11) * largest


def reference(x, y, comparison):
    """By rsatoolbox, but for what it has not."""
    if comparison == "cka_unbiased":
        return COMPARISONS[comparison](x, y)
    method = RSATOOLBOX.get(comparison, comparison)
    return compare(RDMs(x[None]), RDMs(y[None]), method=method)[0, 0]


def is_firm(rdm, comparison, dtype):
    """Tell whether a similarity of this RDM does not hang on the last digits of its distances."""
    values = rdm / np.abs(rdm).max()
    if comparison in RANKS:
        gaps = np.diff(np.sort(values))
        return not np.any((gaps > 1e-12) & (gaps < (1e-5 if dtype == "float32" else 1e-9)))
    if comparison == "cka_unbiased":
        # What is left of the distances once all that single stimuli add is taken out.
        n = round(0.5 + (0.25 + 2 * len(values)) ** 0.5)
        rows, columns = np.triu_indices(n, 1)
        single = np.zeros((len(values), n))
        single[np.arange(len(values)), rows] = single[np.arange(len(values)), columns] = 1
        values = values - single @ np.linalg.lstsq(single, values)[0]
        return bool(np.linalg.norm(values) > 0.05 * np.linalg.norm(rdm / np.abs(rdm).max()))
    return comparison not in CENTRED or values.std() > 0.05 * values.mean()


def labelled(f):
    return assembly(f, stimulus_id=[f"img{i}" for i in range(len(f))], region="V4")


@st.composite
def calls(draw, comparison):
    """A backend, a distance and two related pattern matrices in some unit, off by some offset."""
    factors = comparison not in RANKS
    path = draw(st.sampled_from(["auto", "pairwise", *(["factored"] if factors else [])]))
    dtype = draw(st.sampled_from(list(TOLERANCE)))
    distance = draw(st.sampled_from(list(DISTANCES)))
    n = draw(st.integers(4 if comparison == "cka_unbiased" else 3, 14))
    fewest = {"correlation": 3, "cosine": 2, "euclidean": 1}[distance]
    p, q = (draw(st.integers(fewest, 20)) for _ in range(2))
    rng = np.random.default_rng(draw(SEEDS))
    common = rng.normal(size=(n, 2))
    offset, scale = draw(st.sampled_from([(0, 1), (1e4, 1), (0, 1e-6), (1e4, 1e-6)]))
    sides = [common @ rng.normal(size=(2, w)) + rng.normal(size=(n, w)) for w in (p, q)]
    for side in sides:
        side[draw(st.integers(1, n - 1))] = side[0] if draw(st.booleans()) else side[1]
    return TorchBackend(dtype=dtype, path=path), distance, [scale * (f + offset) for f in sides]


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_similarities_equal_the_oracle(comparison):
    """1e-6 in float64, 1e-4 in float32: n from 3, p from 1, duplicates, offsets of 1e4, units."""

    @given(calls(comparison))
    @settings(max_examples=60, deadline=None)
    def holds(call):
        backend, distance, sides = call
        x, y = (reference_rdm(f, distance) for f in sides)
        assume(is_firm(x, comparison, backend.dtype) and is_firm(y, comparison, backend.dtype))
        one, other = (backend.prepare([f], distance, comparison) for f in sides)
        found = float(backend.similarity(one, other, comparison).values[0, 0])
        assert found == pytest.approx(reference(x, y, comparison), abs=TOLERANCE[backend.dtype])

    holds()


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_many_ties_equal_the_oracle(comparison):
    """Counts and one-hot codes, whose distances tie by the hundred, are ranked as what they are."""

    @given(SEEDS, st.integers(5, 14), st.integers(2, 6), st.sampled_from(list(TOLERANCE)))
    @settings(max_examples=30, deadline=None)
    def holds(seed, n, p, dtype):
        rng = np.random.default_rng(seed)
        sides = [rng.integers(0, 4, size=(n, p)).astype(float) for _ in range(2)]
        assume(all(f.std(0).any() for f in sides))
        x, y = (reference_rdm(f, "euclidean") for f in sides)
        assume(is_firm(x, comparison, dtype) and is_firm(y, comparison, dtype))
        backend = TorchBackend(dtype=dtype)
        one, other = (backend.prepare([f], "euclidean", comparison) for f in sides)
        found = float(backend.similarity(one, other, comparison).values[0, 0])
        assert found == pytest.approx(reference(x, y, comparison), abs=TOLERANCE[dtype])

    holds()


@given(SEEDS, st.integers(3, 6), st.integers(2, 5), st.sampled_from(sorted(COMPARISONS)))
@settings(max_examples=40, deadline=None)
def test_category_averages_equal_the_oracle(seed, categories, p, comparison):
    """Ragged categories in any order: patterns are averaged first."""
    rng = np.random.default_rng(seed)
    labels = np.r_[np.arange(categories), rng.integers(0, categories, 12)]
    sides = [rng.normal(size=(len(labels), p)) for _ in range(2)]
    names = list(dict.fromkeys(labels))
    means = [np.array([f[labels == name].mean(0) for name in names]) for f in sides]
    x, y = (reference_rdm(f, "euclidean") for f in means)
    assume(categories > 3 or comparison != "cka_unbiased")
    assume(is_firm(x, comparison, "float64") and is_firm(y, comparison, "float64"))
    a, b = (labelled(f).assign_coords(kind=("presentation", labels)) for f in sides)
    backend = TorchBackend(dtype="float64")
    found = similarity(a, b, "euclidean", comparison, by="kind", backend=backend)
    assert float(found[0, 0]) == pytest.approx(reference(x, y, comparison), abs=1e-6)


@pytest.mark.parametrize("backend", ["float32", "float64", "rsatoolbox"])
@pytest.mark.parametrize("comparison", COMPARISONS)
def test_undefined_is_nan_with_its_reason(comparison, backend):
    """Equal distances: NaN and why, or an error that says so; never a number made of rounding."""
    engine = backend if backend == "rsatoolbox" else TorchBackend(dtype=backend)
    if backend == "rsatoolbox" and comparison == "cka_unbiased":
        pytest.skip("rsatoolbox has no unbiased CKA")
    rng = np.random.default_rng(0)
    other, flat = labelled(rng.normal(size=(12, 5))), labelled(0.1 * np.eye(12))
    for distance in ("correlation", "euclidean"):
        found = similarity(flat, other, distance, comparison, backend=engine, undefined="nan")
        assert np.isnan(found[0, 0]) == (comparison in CENTRED)
        if comparison in CENTRED:
            assert "do not vary" in json.loads(found.attrs["undefined"])["V4"]
            with pytest.raises(InputError, match=r"region 'V4': its distances .* do not vary"):
                similarity(flat, other, distance, comparison, backend=engine)
    same = labelled(np.tile([0.1, 0.7, 0.3], (12, 1)))
    found = similarity(same, other, "euclidean", comparison, backend=engine, undefined="nan")
    assert np.isnan(found[0, 0])
    assert "do not vary" in json.loads(found.attrs["undefined"])["V4"]


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_three_stimuli(comparison):
    """Three stimuli are enough, but for unbiased CKA; fewer are refused."""
    rng = np.random.default_rng(0)
    sides = [rng.normal(size=(3, 4)) for _ in range(2)]
    a, b = map(labelled, sides)
    if comparison == "cka_unbiased":
        with pytest.raises(InputError, match="at least 4 stimuli"):
            similarity(a, b, "euclidean", comparison)
        return
    for dtype, atol in TOLERANCE.items():
        found = similarity(a, b, "euclidean", comparison, backend=TorchBackend(dtype=dtype))
        x, y = (reference_rdm(f, "euclidean") for f in sides)
        assert float(found[0, 0]) == pytest.approx(reference(x, y, comparison), abs=atol)
    with pytest.raises(InputError, match="at least 3 stimuli"):
        similarity(a[:2], b[:2], "euclidean", comparison)


@given(st.integers(3, 12), SEEDS, st.sampled_from(["correlation", "cosine"]))
@settings(max_examples=15, deadline=None)
def test_constant_patterns_are_named(n, seed, distance):
    """A constant (zero) pattern, or one neuroid, has no correlation: the stimulus is named."""
    rng = np.random.default_rng(seed)
    patterns, other = rng.normal(size=(n, 5)), labelled(rng.normal(size=(n, 4)))
    row = int(rng.integers(n))
    patterns[row] = 0.7 if distance == "correlation" else 0.0
    with pytest.raises(InputError, match=rf"region 'V4': 1 of {n} stimuli .*'img{row}'"):
        similarity(labelled(patterns), other, distance)
    with pytest.raises(InputError, match=rf"{n} of {n} stimuli have a pattern that is constant"):
        similarity(other, labelled(patterns[:, :1]), "correlation")
