"""Ranks under resamples, against sorting every resampled RDM."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr

from neurosage.rsa.inference import weighted_ranks
from neurosage.rsa.inference.squares import Held
from neurosage.rsa.inference.weighted_ranks import RankedOnce, Room, by_ranks
from neurosage.rsa.resampling import multiplicities


def square(n, seed, levels=None):
    """Make an RDM, with ties if of few levels."""
    points = np.random.default_rng(seed).normal(size=(n, 3))
    made = np.square(points[:, None] - points[None]).sum(-1)
    return made if levels is None else np.floor(made * levels / made.max())


def drawn_pairs(x, y, weights):
    """Return the distances of a resample, each pair as often as it was drawn."""
    drawn = np.repeat(np.arange(len(x)), weights.astype(int))
    rows, columns = (drawn[k] for k in np.triu_indices(len(drawn), 1))
    other = rows != columns
    return x[rows[other], columns[other]], y[rows[other], columns[other]]


@settings(max_examples=30, deadline=None)
@given(n=st.integers(6, 14), seed=st.integers(0, 99), levels=st.sampled_from([None, 2, 5]))
def test_weighted_mid_ranks_are_those_of_the_resample(n, seed, levels):
    """Ties, of distances or of pairs drawn often, share their mean rank: as scipy has it."""
    a, b, weights = square(n, seed, levels), square(n, seed + 1), multiplicities(n, 20, seed)
    weights = weights[(weights > 0).sum(1) >= 4][:4]
    found = by_ranks(Held(a[None]), Held(b[None]), weights, "spearman")[:, 0, 0]
    alike = by_ranks(Held(a[None]), Held(b[None]), weights, "rho-a")[:, 0, 0]
    for row, one, other in zip(weights, found, alike, strict=True):
        x, y = drawn_pairs(a, b, row)
        if np.ptp(x) == 0:
            assert np.isnan(one)
            assert np.isnan(other)
            continue
        m, ranks = len(x), [rankdata(each) - (len(x) + 1) / 2 for each in (x, y)]
        assert one == pytest.approx(spearmanr(x, y)[0], abs=1e-6)
        assert other == pytest.approx(12 * (ranks[0] @ ranks[1]) / (m**3 - m), abs=1e-6)


def test_ranks_are_centred_in_units_of_their_number():
    """Pairs that were not drawn move no rank."""
    room = Room(3, 1, 100.0)
    room.draw(np.array([2.0, 1.0, 3.0]))  # pairs 2, 6, 3 times
    ranks = RankedOnce(np.array([5.0, 1.0, 5.0])).centred(room)
    np.testing.assert_allclose(ranks * 11, [9 - 6, 3.5 - 6, 9 - 6], atol=1e-6)


def test_many_pairs_are_ranked_in_float64(monkeypatch):
    """Where float32 holds no ranks: the same."""
    a, b, weights = square(40, 0), square(40, 1), multiplicities(40, 20, 0)
    narrow = by_ranks(Held(a[None]), Held(b[None]), weights, "spearman")
    monkeypatch.setattr(weighted_ranks, "EXACT", 1)
    wide = by_ranks(Held(a[None]), Held(b[None]), weights, "spearman")
    assert not np.array_equal(narrow, wide)
    np.testing.assert_allclose(narrow, wide, atol=1e-6)


def test_blocks_of_pairs_are_summed_to_the_last(monkeypatch):
    """However pairs fall into blocks."""
    a, b, weights = square(30, 0), square(30, 1), multiplicities(30, 20, 0)
    whole = by_ranks(Held(a[None]), Held(b[None]), weights, "spearman")
    monkeypatch.setattr(weighted_ranks, "BLOCK", 100)
    np.testing.assert_allclose(
        by_ranks(Held(a[None]), Held(b[None]), weights, "spearman"), whole, atol=1e-6
    )


def test_rdms_that_vary_by_rounding_do_not_vary():
    """Ranks of rounding are no ranks."""
    a = 1.0 + 1e-15 * square(10, 0)
    found = by_ranks(Held(a[None]), Held(square(10, 1)[None]), np.ones((1, 10)), "spearman")
    assert np.isnan(found).all()
