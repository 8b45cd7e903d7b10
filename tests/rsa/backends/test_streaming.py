"""Responses that are large, or lie on disk: read by blocks of stimuli, never all at once."""

from __future__ import annotations

import json
import tracemalloc

import dask.array as da
import numpy as np
import pytest
import xarray as xr

from neurosage.data.assembly import align, assembly, select
from neurosage.errors import InputError
from neurosage.rsa.backends.torch import (
    TorchBackend,
    accumulated,
    backend,
    factored,
    placing,
    streamed,
)
from neurosage.rsa.rdm import rdms
from neurosage.rsa.responses import patterns, rows
from neurosage.rsa.similarity import prepare, similarity, similarity_to

EXACT = TorchBackend(dtype="float64")
FACTORED = TorchBackend(dtype="float64", path="factored")
TOLERANCE = {"float64": 1e-11, "float32": 1e-5}


@pytest.fixture
def small_blocks(monkeypatch):
    """Hold no points, read few rows at once, and add products up often."""
    monkeypatch.setattr(backend, "HELD_BYTES", 0)
    monkeypatch.setattr(placing, "BLOCK", 600)
    monkeypatch.setattr(placing, "FEWEST_ROWS", 13)
    monkeypatch.setattr(accumulated, "ROWS", 50)
    monkeypatch.setattr(streamed, "SAMPLE", 16)


@pytest.fixture
def by_blocks(monkeypatch):
    """Take nothing for small: every recording is read by blocks of a few rows."""
    for module in (rows, patterns):
        monkeypatch.setattr(module, "SMALL_BYTES", 0)
    monkeypatch.setattr(rows, "READ_BYTES", 1500)


class Counted:
    """An array that counts the rows read."""

    dtype, ndim = np.dtype(np.float64), 2

    def __init__(self, values):
        self.values, self.shape, self.read = values, values.shape, 0

    def __getitem__(self, index):
        part = self.values[index]
        self.read += len(part)
        return part


def on_disk(a, chunk=9):
    """Return the assembly dask-backed, and what counts its rows."""
    counted = Counted(a.values)
    lazy = da.from_array(counted, chunks=(chunk, -1), meta=np.empty((0, 0)), name=False)
    return a.copy(data=lazy), counted


def two_sides(n=200, widths_a=(5, 40, 60), widths_b=(12, 30), seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 4))
    return [
        [common @ rng.normal(size=(4, p)) + rng.normal(size=(n, p)) + 2.0 for p in widths]
        for widths in (widths_a, widths_b)
    ]


def compare(engine, a, b, distance, comparison):
    side_a, side_b = (engine.prepare(side, distance, comparison) for side in (a, b))
    return engine.similarity(side_a, side_b, comparison).values


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("distance", ["correlation", "euclidean", "cosine"])
@pytest.mark.parametrize("comparison", factored.COMPARISONS)
def test_one_pass_equals_pairs(comparison, distance, dtype, request):
    """Sums about a provisional centre, corrected at the end, are those of the pairs."""
    a, b = two_sides()
    expected = compare(TorchBackend(dtype="float64", path="pairwise"), a, b, distance, comparison)
    request.getfixturevalue("small_blocks")
    found = compare(TorchBackend(dtype=dtype, path="factored"), a, b, distance, comparison)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("first", ["blank", "far off", "tiny", "one image"])
def test_first_stimuli_of_another_kind(first, small_blocks, monkeypatch):
    """A sample that says nothing of the rest costs another pass, not the result."""
    a, b = two_sides(n=400)
    starts = {"blank": 0.0, "far off": a[1][:60] + 1e7, "tiny": 1e-25 * a[1][:60], "one image": 7.5}
    a[1][:60] = starts[first]
    pairs = TorchBackend(dtype="float64", path="pairwise")
    expected = compare(pairs, a, b, "euclidean", "pearson")
    monkeypatch.setattr(streamed.np, "linspace", lambda *_: np.zeros(8))
    for dtype, tolerance in TOLERANCE.items():
        engine = TorchBackend(dtype=dtype, path="factored")
        found = compare(engine, a, b, "euclidean", "pearson")
        np.testing.assert_allclose(found, expected, atol=tolerance)
        swapped = compare(engine, b, a, "euclidean", "pearson")
        np.testing.assert_allclose(swapped, expected.T, atol=tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("comparison", factored.COMPARISONS)
def test_regions_that_do_not_vary(comparison, dtype, small_blocks):
    """Identical patterns are NaN on either side, and nothing else is."""
    a, b = two_sides(n=200)
    a[1][:] = np.linspace(0.1, 0.7, 40)
    engine = TorchBackend(dtype=dtype, path="factored")
    found = compare(engine, a, b, "euclidean", comparison)
    np.testing.assert_array_equal(np.isnan(found).all(1), [False, True, False])
    swapped = compare(engine, b, a, "euclidean", comparison)
    np.testing.assert_allclose(swapped, found.T, atol=1e-5)


def test_a_region_that_is_wide_for_its_stimuli(small_blocks):
    """Where products would take more than points, points are made; the result is the same."""
    a, b = two_sides(n=40, widths_a=(200, 3), widths_b=(6,))
    expected = compare(TorchBackend(dtype="float64", path="pairwise"), a, b, "cosine", "cosine")
    found = compare(FACTORED, a, b, "cosine", "cosine")
    np.testing.assert_allclose(found, expected, atol=1e-12)


def repeated(recording, seed, missing=False):
    """Return two presentations of each of 40 stimuli, some three, in random order."""
    first = recording(seed=seed)
    second = first.isel(presentation=[*range(40), *range(0, 40, 3)])
    both = xr.concat([first, second], "presentation")
    rng = np.random.default_rng(seed)
    values = both.values + rng.normal(size=both.shape)
    if missing:
        values[rng.random(both.shape) < 0.05] = np.nan
    order = rng.permutation(len(values))
    return assembly(
        values[order],
        stimulus_id=both["stimulus_id"].values[order],
        region=first["region"].values,
        label=("presentation", [int(i[3:]) % 5 for i in both["stimulus_id"].values[order]]),
    )


@pytest.mark.parametrize("distance", ["correlation", "cosine", "mahalanobis"])
@pytest.mark.parametrize("normalise", ["none", "centre", "zscore", "noise"])
def test_disk_equals_memory(recording, normalise, distance, by_blocks):
    """Averages, order, scale and whitening by blocks are those of the whole."""
    a, b = repeated(recording, 1), repeated(recording, 2)
    how = {"distance": distance, "normalise": (normalise, "none"), "backend": EXACT}
    with pytest.MonkeyPatch.context() as patch:
        for module in (rows, patterns):
            patch.setattr(module, "SMALL_BYTES", 1 << 26)
        expected = similarity(a, b, **how)
    np.testing.assert_allclose(similarity(a, b, **how), expected, atol=1e-12)
    found = similarity(on_disk(a)[0], on_disk(b, 17)[0], **how)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.attrs == expected.attrs


@pytest.mark.parametrize("comparison", ["spearman", "cka", "procrustes"])
def test_other_comparisons_of_what_lies_on_disk(recording, comparison, by_blocks):
    """Pairs, and comparisons without RDM, read blocks of rows too."""
    a, b = repeated(recording, 1), repeated(recording, 2)
    expected = similarity(a, b, comparison=comparison, backend=EXACT)
    found = similarity(on_disk(a)[0], on_disk(b)[0], comparison=comparison, backend=EXACT)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(rdms(on_disk(a)[0]), rdms(a), atol=1e-5)


@pytest.mark.parametrize("nan", ["drop-stimulus", "drop-neuroid"])
@pytest.mark.parametrize("by", ["stimulus_id", "label"])
def test_missing_responses_on_disk(recording, nan, by, by_blocks):
    """What is left out, and by which category it is averaged, is the same on disk."""
    a, b = repeated(recording, 1), repeated(recording, 2)
    for place in ((0, 3), (25, 3), (60, 14)):
        a.values[a["stimulus_id"].values == a["stimulus_id"].values[place[0]], place[1]] = np.nan
    how = {"nan": nan, "by": by, "backend": EXACT, "normalise": ("zscore", "none")}
    found, expected = (similarity(side, b, **how) for side in (on_disk(a)[0], a))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.attrs == expected.attrs
    assert len(json.loads(found.attrs["dropped"])["a"]) == 1


def test_what_cannot_be_used_is_named_on_disk(recording, by_blocks):
    """Missing and constant patterns are found by blocks, with their names."""
    layers = (("first", 12), ("dead", 4), ("holed", 3))
    a, b = recording(regions=layers), recording(seed=1)
    a.values[5, 12:16], a.values[7, 17], a.values[9, 18] = 2.0, np.nan, np.inf
    found = similarity_to(prepare(b), on_disk(a)[0], undefined="nan")
    reasons = json.loads(found.attrs["undefined"])
    assert "1 of 40 stimuli have a pattern that is constant" in reasons["dead"]
    assert "'img5'" in reasons["dead"]
    assert "missing (NaN) for 2 of 40 stimuli (first: ['img7', 'img9'])" in reasons["holed"]
    assert "2 of 3 neuroids (first: ['holed.1', 'holed.2'])" in reasons["holed"]
    assert not np.isnan(found.sel(region_a="first")).any()
    with pytest.raises(InputError, match="'holed': responses are missing"):
        prepare(on_disk(a)[0].isel(neuroid=[0, 1, 17]))


def test_each_chunk_is_read_twice(recording, by_blocks):
    """One pass looks for what is missing, one multiplies, whatever the number of regions."""
    layers = [(f"layer{k}", 6) for k in range(7)]
    a, counted = on_disk(recording(n=90, regions=layers))
    b = recording(n=90, seed=1)
    prepared = prepare(b, backend=FACTORED)
    found = similarity_to(prepared, a)
    assert found.attrs["path"] == "factored"
    assert counted.read == 2 * 90
    np.testing.assert_allclose(found, similarity_to(prepared, a.compute()), atol=1e-12)


def test_both_sides_on_disk(recording, by_blocks):
    """A teacher that is never held is read again for each candidate, its sums are not."""
    a, b = recording(n=90), recording(n=90, seed=1, regions=(("x", 9), ("y", 4)))
    lazy, counted = on_disk(b)
    prepared = prepare(lazy, backend=FACTORED)
    expected = similarity(a, b, backend=FACTORED)
    np.testing.assert_allclose(similarity_to(prepared, a), expected, atol=1e-12)
    counted.read = 0
    np.testing.assert_allclose(similarity_to(prepared, on_disk(a)[0]), expected, atol=1e-12)
    assert counted.read == 90


def test_memory_is_bounded(monkeypatch):
    """What is held of a recording on disk does not grow with it."""
    for module in (rows, patterns):
        monkeypatch.setattr(module, "SMALL_BYTES", 1 << 18)
    monkeypatch.setattr(rows, "READ_BYTES", 1 << 19)
    monkeypatch.setattr(backend, "HELD_BYTES", 1 << 18)
    rng = np.random.default_rng(0)
    some = rng.normal(size=(500, 200))

    def recorded(n):
        lazy = da.from_array(some, chunks=(250, -1))
        lazy = da.concatenate([lazy * k for k in range(1, n // 500 + 1)])
        ids = [f"img{k}" for k in range(n)]
        return assembly(lazy, stimulus_id=ids, region=np.repeat(["x", "y"], 100))

    peaks = []
    for n in (2000, 8000):
        a = recorded(n)
        b = select(a, region="x").isel(neuroid=range(5))
        tracemalloc.start()
        similarity(a, b, "euclidean", backend=FACTORED)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 3.2 and 12.8 MB of responses; names and lengths of stimuli grow, patterns do not.
    assert peaks[1] - peaks[0] < 6000 * 500
    assert peaks[1] < 8e6


def test_netcdf_opened_by_chunks(recording, tmp_path, by_blocks):
    """A file opened by chunks is compared as what was written."""
    a, b = recording(n=60, seed=1), recording(n=60, seed=2)
    a.to_netcdf(tmp_path / "a.nc")
    with xr.open_dataarray(tmp_path / "a.nc", chunks={"presentation": 7}) as lazy:
        found = similarity(lazy, b, backend=EXACT)
    np.testing.assert_allclose(found, similarity(a, b, backend=EXACT), atol=1e-12)


def test_building_reads_nothing(recording):
    """assembly, select and align leave what lies on disk there."""
    a, counted = on_disk(recording())
    built = assembly(a.data, stimulus_id=a["stimulus_id"].values, region=a["region"].values)
    part = align(select(built, region="IT"), list(a["stimulus_id"].values[::-1]))
    assert counted.read == 0
    np.testing.assert_array_equal(part.values, a.values[::-1, 12:])


def test_repetitions_on_disk(recording):
    """An array by stimulus and repetition is unfolded without being held."""
    values = np.random.default_rng(0).normal(size=(6, 3, 4))
    values[2, 1] = np.nan
    how = {"dims": ("stimulus", "repetition", "neuroid"), "region": "V4"}
    ids = list("abcdef")
    lazy = assembly(da.from_array(values, chunks=(2, -1, -1)), stimulus_id=ids, **how)
    assert lazy.chunks is not None
    assert lazy.compute().identical(assembly(values, stimulus_id=ids, **how))


def test_sampled_ranks_say_so(recording):
    """Sampled similarities carry standard errors and the number of pairs."""
    a, b = recording(n=90), recording(n=90, seed=1)
    engine = TorchBackend(exact_pairs=2000)
    found = similarity(a, b, comparison="spearman", backend=engine)
    assert found.attrs["path"] == "sampled"
    assert 2000 <= found.attrs["pairs"] < 90 * 89 / 2
    assert found["standard_error"].dims == ("region_a", "region_b")
    assert (found["standard_error"] > 0).all()
    assert "standard_error" not in similarity(a, b, comparison="spearman").coords


def test_rows_are_any_order_of_any_subset():
    """Rows taken, kept and averaged are those of the array."""
    rng = np.random.default_rng(0)
    values, ids = rng.normal(size=(50, 7)), rng.integers(0, 20, 50).astype(str)
    a = assembly(values, stimulus_id=ids, region="V4")
    read, names = rows.read_rows(a)
    places, kept = rng.permutation(len(names))[:9], np.array([5, 0, 2])
    found = read.take(places).keep(kept)
    expected = [values[ids == names[k]].mean(0)[kept] for k in places]
    np.testing.assert_allclose(found.whole(), expected)
    np.testing.assert_allclose(found.block(2, 5, slice(1, 3)), np.array(expected)[2:5, 1:])
    assert not found.is_plain
    plain, _ = rows.read_rows(a.isel(presentation=np.unique(ids, return_index=True)[1]))
    assert plain.whole() is plain.values
