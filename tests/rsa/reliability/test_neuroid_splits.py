"""Many splits and resamples at once, against one at a time."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neurosage.rsa.reliability import neuroid_splits
from neurosage.rsa.reliability.neuroid_splits import corrected, mean_correlation
from neurosage.rsa.reliability.neuroids import reliability, step_up
from neurosage.rsa.reliability.splits import padded_halves
from neurosage.rsa.reliability.trials import trials_of


@pytest.mark.parametrize(("low", "high"), [(2, 2), (4, 4), (5, 5), (2, 9)])
def test_split_half_is_its_definition(repeated, low, high):
    """Pearson of the halves' means, averaged over splits, stepped up once."""
    a = repeated(n=30, neuroids=4, low=low, high=high)
    trials = next(trials_of(a))
    masks = padded_halves(trials.counts, 7, seed=3)
    rows = [own[own >= 0] for own in trials.rows]
    c, inverse = [], []
    for mask in masks:
        parts = [
            (own[m[: len(own)]], own[~m[: len(own)]]) for own, m in zip(rows, mask, strict=True)
        ]
        x, y = (np.array([a.values[pair[k]].mean(0) for pair in parts]) for k in (0, 1))
        c.append([np.corrcoef(x[:, j], y[:, j])[0, 1] for j in range(4)])
        inverse.append([np.mean([1 / len(pair[k]) for pair in parts]) for k in (0, 1)])
    sizes = 1 / np.mean(inverse, axis=0)
    expected = step_up(np.mean(c, axis=0), *sizes, 1 / np.mean([1 / len(own) for own in rows]))
    np.testing.assert_allclose(reliability(a, splits=7, seed=3), expected, rtol=1e-12)


@pytest.mark.parametrize("high", [4, 7])
def test_weights_are_stimuli_drawn_again(repeated, high):
    """A weight of 2 is the stimulus twice, 0 is without it."""
    a = repeated(n=25, neuroids=3, low=4, high=high)
    trials = next(trials_of(a))
    masks = padded_halves(trials.counts, 5, seed=0)
    drawn = np.random.default_rng(0).integers(0, 25, 25)
    weights = np.bincount(drawn, minlength=25).astype(float)[None]
    twice = dataclasses.replace(trials, rows=trials.rows[drawn], counts=trials.counts[drawn])
    expected = mean_correlation(twice, masks[:, drawn])
    found = mean_correlation(trials, masks, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    stepped = corrected(expected, twice, masks[:, drawn])
    np.testing.assert_allclose(corrected(found, trials, masks, weights), stepped, rtol=1e-12)


@pytest.mark.parametrize("interval", [None, 0.95])
def test_blocks_change_nothing(repeated, monkeypatch, interval):
    """However small the blocks that memory is bounded by, the numbers are the same."""
    a = repeated(n=70, neuroids=5)
    whole = reliability(a, splits=8, interval=interval, resamples=20)
    monkeypatch.setattr(neuroid_splits, "BLOCK", 50)
    monkeypatch.setattr(neuroid_splits, "SUMS", 250)
    cut = reliability(a, splits=8, interval=interval, resamples=20)
    for one, other in zip(
        [whole, *whole.coords.values()], [cut, *cut.coords.values()], strict=True
    ):
        if one.dtype.kind == "f":
            np.testing.assert_allclose(one.values, other.values, rtol=1e-10)
