"""svcca and Procrustes against plain NumPy, and what they do not see."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.backends.torch import representations
from neurosage.rsa.backends.torch.representations import crowded, represent
from neurosage.rsa.backends.torch.representations import similarity as compared
from neurosage.rsa.rdm import rdms
from neurosage.rsa.similarity import prepare, similarity, similarity_to
from neurosage.testing.definitions import REPRESENTATIONS

SIZES = {"many stimuli": (90, 12, 7), "few stimuli": (20, 60, 35), "one neuroid": (15, 1, 4)}


def related(size, seed=0, regions=1):
    n, p, q = SIZES[size] if isinstance(size, str) else size
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 3))
    return tuple(
        [common @ rng.normal(size=(3, w)) + rng.normal(size=(n, w)) for _ in range(regions)]
        for w in (p, q)
    )


@pytest.mark.parametrize("comparison", REPRESENTATIONS)
@pytest.mark.parametrize("size", SIZES)
def test_equals_numpy(size, comparison):
    """Both equal their definition by full SVDs, for more or fewer stimuli than neuroids."""
    side_a, side_b = related(size, regions=2)
    expected = [[REPRESENTATIONS[comparison](x, y) for y in side_b] for x in side_a]
    np.testing.assert_allclose(compared(side_a, side_b, comparison), expected, atol=1e-12)


@pytest.mark.parametrize("comparison", REPRESENTATIONS)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(3, 25),
    p=st.integers(1, 30),
    q=st.integers(1, 30),
    offset=st.sampled_from([0.0, 1e4]),
    scale=st.sampled_from([1e-6, 1.0, 1e6]),
)
@settings(max_examples=40, deadline=None)
def test_equals_numpy_anywhere(comparison, seed, n, p, q, offset, scale):
    """Any sizes, offsets and units; the oracle gets the same numbers without the offset."""
    (x,), (y,) = related((n, p, q), seed)
    (found,) = compared([scale * (x + offset)], [y], comparison)[0]
    assert found == pytest.approx(REPRESENTATIONS[comparison](x, y), abs=1e-6)
    assert 0.0 <= found <= 1.0


@pytest.mark.parametrize("comparison", REPRESENTATIONS)
@pytest.mark.parametrize("size", ["many stimuli", "few stimuli"])
def test_rotation_scale_and_shift_are_not_seen(size, comparison):
    """Turned, scaled and shifted patterns are the same representation."""
    (x,), (y,) = related(size)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(x.shape[1],) * 2))[0]
    moved = 7.0 * x @ turn - 3.0
    assert compared([x], [moved], comparison) == pytest.approx(1.0, abs=1e-10)
    expected = compared([x], [y], comparison)
    np.testing.assert_allclose(compared([moved], [y], comparison), expected, atol=1e-10)
    np.testing.assert_allclose(compared([y], [x], comparison), expected.T, atol=1e-12)


def test_linear_maps_of_what_is_kept_are_not_seen_by_svcca():
    """An invertible linear map within the axes kept changes svcca by nothing, procrustes by much.

    Of unit variance on every axis, all axes are kept before and after the map.
    """
    (x,), (y,) = related((60, 5, 4))
    x = np.linalg.qr(x - x.mean(0))[0]
    stretch = np.diag([3.0, 1.0, 1.0, 2.0, 1.0]) + 0.1 * np.random.default_rng(0).normal(
        size=(5, 5)
    )
    for comparison, same in (("svcca", True), ("procrustes", False)):
        before, after = (compared([side], [y], comparison)[0, 0] for side in (x, x @ stretch))
        assert (abs(before - after) < 1e-10) == same


def test_small_axes_are_left_out_by_svcca():
    """Axes that hold the last percent of the variance do not count."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    noisy = np.hstack([x, 1e-3 * rng.normal(size=(200, 6))])
    assert represent(noisy, "svcca").dims == 3
    assert compared([x], [noisy], "svcca") == pytest.approx(1.0, abs=1e-4)


def test_axes_of_equal_variance_are_kept_together():
    """Where the threshold falls among axes of equal variance, no one of them is chosen."""
    x = np.linalg.qr(np.random.default_rng(0).normal(size=(400, 200)))[0]
    x = np.linalg.qr(x - x.mean(0))[0]
    assert represent(x, "svcca").dims == 200


@pytest.mark.parametrize("comparison", REPRESENTATIONS)
@pytest.mark.parametrize("shape", [(12, 3), (3, 12)])
def test_patterns_that_do_not_vary(shape, comparison):
    """Where all patterns are the same, the similarity is NaN, and only there."""
    same = np.tile(np.linspace(0.1, 1e4, shape[1]), (shape[0], 1))
    other = np.random.default_rng(0).normal(size=shape)
    found = compared([same, other], [other, same], comparison)
    np.testing.assert_array_equal(np.isnan(found), [[True, True], [False, True]])


class Lazy:
    """Patterns on disk: read by slices of rows, never as a whole."""

    def __init__(self, values):
        self.values = values
        self.shape, self.dtype = values.shape, values.dtype
        self.longest = 0

    def __getitem__(self, rows):
        self.longest = max(self.longest, rows.stop - rows.start)
        return self.values[rows]

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("all rows were read at once")


@pytest.mark.parametrize("comparison", REPRESENTATIONS)
def test_streams_over_rows(monkeypatch, comparison):
    """Blocks of rows and groups of regions change nothing, and bound what is read at once."""
    side_a, side_b = related("many stimuli", regions=3)
    expected = compared(side_a, side_b, comparison)
    monkeypatch.setattr(representations, "BLOCK", 120)
    monkeypatch.setattr(representations, "HELD", 150)
    lazy_a, lazy_b = ([Lazy(f.astype(np.float32)) for f in side] for side in (side_a, side_b))
    found = compared(lazy_a, lazy_b, comparison)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert max(each.longest for each in lazy_a) == 10
    assert max(each.longest for each in lazy_b) <= 17


def test_user_arrays_are_left_alone():
    """Read-only, reversed and integer patterns are read, and never written to."""
    (x,), (y,) = related("many stimuli")
    x.flags.writeable = False
    kept = y.copy()
    for comparison in REPRESENTATIONS:
        expected = compared([x], [y], comparison)
        np.testing.assert_allclose(compared([x[::-1]], [y[::-1]], comparison), expected, atol=1e-12)
        compared([np.arange(180).reshape(90, 2)], [y], comparison)
    np.testing.assert_array_equal(y, kept)


def test_prepared_once_used_often():
    """A representation in place of patterns gives the same."""
    (x,), (y,) = related("few stimuli")
    for comparison in REPRESENTATIONS:
        made = represent(y, comparison, torch.device("cpu"))
        assert compared([x], [made], comparison) == compared([x], [y], comparison)


def test_too_few_stimuli_force_correlations_to_1():
    """k + k' dimensions among n - 1 share k + k' - (n - 1): that is said, and true."""
    rng = np.random.default_rng(0)
    centred = np.eye(12) - 1 / 12
    x, y = (np.linalg.qr(centred @ rng.normal(size=(12, 8)))[0] for _ in range(2))
    sides = [represent(each, "svcca") for each in (x, y)]
    assert [side.dims for side in sides] == [8, 8]
    said = crowded(sides[:1], sides[1:])
    assert "12 stimuli" in said
    assert "at least 5 are 1" in said
    values = np.linalg.svd(sides[0].scores(0, 12).T @ sides[1].scores(0, 12), compute_uv=False)
    np.testing.assert_allclose(values[:5], 1.0)
    assert values[5] < 0.999
    assert crowded(sides[:1], [represent(y[:, :3], "svcca")]) == ""
    assert crowded(sides[:1], [represent(np.ones((12, 9)), "svcca")]) == ""


def recording(regions):
    """An assembly of regions named by their number."""
    n = len(regions[0])
    labels = np.repeat(np.arange(len(regions)).astype(str), [f.shape[1] for f in regions])
    ids = [f"img{i}" for i in range(n)]
    return assembly(np.hstack(regions), stimulus_id=ids, region=labels)


@pytest.mark.parametrize("comparison", REPRESENTATIONS)
def test_representations_through_the_front(comparison):
    """svcca and procrustes compare assemblies, aligned and normalised, and name no distance."""
    sides = [
        [*x, *y] for x, y in zip(related((80, 6, 5)), related((80, 9, 200), seed=1), strict=True)
    ]
    a, b = map(recording, sides)
    compare_two = REPRESENTATIONS[comparison]
    expected = [[compare_two(x, y) for y in sides[1]] for x in sides[0]]
    found = similarity(a[::-1], b, comparison=comparison)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.attrs["distance"] == found.attrs["distance_a"] == "none"
    prepared = prepare(b, comparison=comparison)
    np.testing.assert_allclose(similarity_to(prepared, a), expected, atol=1e-6)
    scaled = [[(f - f.mean(0)) / f.std(0) for f in side] for side in sides]
    expected = [[compare_two(x, y) for y in scaled[1]] for x in scaled[0]]
    found = similarity(a, b, comparison=comparison, normalise=("zscore", "zscore"))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_representations_need_responses_and_no_distance():
    """A distance, or RDMs, are refused with the next step; a flat region is NaN with its reason."""
    (x,), (y,) = related((20, 6, 5))
    a, b = recording([x]), recording([y])
    with pytest.raises(
        InputError, match=r"distance='euclidean' has no meaning; leave distance out"
    ):
        similarity(a, b, "euclidean", "svcca")
    for pair in ((a, rdms(b)), (rdms(a), b), (rdms(a), rdms(b))):
        with pytest.raises(InputError, match=r"'svcca' compares responses"):
            similarity(*pair, comparison="svcca")
    with pytest.raises(InputError, match=r"unknown distance 'none'"):
        similarity(a, b, "none")
    with pytest.raises(InputError, match=r"unknown comparison 'svcca'"):
        similarity(a, b, comparison="svcca", backend="rsatoolbox")
    flat = recording([x, np.ones((20, 3))])
    found = similarity(flat, b, comparison="procrustes", undefined="nan")
    np.testing.assert_array_equal(np.isnan(found[:, 0]), [False, True])
    assert "patterns" in json.loads(found.attrs["undefined"])["1"]


def test_too_few_stimuli_for_svcca_are_said():
    """Where canonical correlations are forced to 1, attribute `warning` says so."""
    (x,), (y,) = related((20, 40, 30))
    a, b = recording([x]), recording([y])
    assert "20 stimuli" in similarity(a, b, comparison="svcca").attrs["warning"]
    assert "warning" not in similarity(a, b, comparison="procrustes").attrs
