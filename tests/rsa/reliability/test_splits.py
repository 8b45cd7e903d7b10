"""Halves of repetitions."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.rsa.reliability.splits import halves, how_many, padded_halves


@pytest.mark.parametrize("counts", [[2, 2, 2], [3, 2], [4], [3, 3], [5]])
def test_few_are_enumerated(counts):
    """Where there are few ways, each comes exactly once, swapped halves counted as one."""
    counts = np.array(counts)
    found = [tuple(mask) for mask in halves(counts, 1000, seed=0)]
    swapped = [tuple(not each for each in mask) for mask in found]
    assert len(found) == how_many(counts) == len(set(found))
    assert not set(found) & set(swapped)


def test_drawn_splits_are_halves_and_distinct():
    """Each stimulus is halved, the spare one falls to either side, no split comes twice."""
    counts = np.array([2, 3, 7, 10] * 5)
    ends = np.cumsum(counts)[:-1]
    masks = list(halves(counts, 40, seed=0))
    sizes = np.array([[part.sum() for part in np.split(mask, ends)] for mask in masks])
    assert (np.abs(2 * sizes - counts) <= 1).all()
    assert len({mask.tobytes() for mask in masks}) == 40
    assert 0.3 < (2 * sizes > counts)[:, counts % 2 == 1].mean() < 0.7


@pytest.mark.parametrize("counts", [[2, 3, 2], [4, 9, 6, 2] * 3])
def test_padded_splits_are_the_same(counts):
    """The padded array holds the very splits; padding is in no half."""
    counts = np.array(counts)
    padded = padded_halves(counts, 20, seed=2)
    present = np.arange(counts.max()) < counts[:, None]
    assert not padded[:, ~present].any()
    flat = [mask.tolist() for mask in halves(counts, 20, seed=2)]
    assert [mask[present].tolist() for mask in padded] == flat


def test_drawn_splits_are_fair():
    """Each repetition falls into the first half half of the time, pairs as by chance."""
    masks = padded_halves(np.full(30, 6), 400, seed=5)
    assert np.abs(masks.mean((0, 1)) - 0.5).max() < 0.02
    together = np.einsum("sir,siq->rq", masks.astype(float), masks) / masks[..., 0].size
    assert np.abs(together[np.triu_indices(6, 1)] - 0.2).max() < 0.02
