"""Halves of repetitions."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.rsa.splits import halves, how_many


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
