"""Stepping RDMs' halves up: sizes of halves, what has no reliability, and why."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.reliability.horst import step_up
from neurosage.rsa.reliability.rdm_estimate import Settings, from_pairs
from neurosage.rsa.reliability.rdm_halves import Pair
from neurosage.rsa.reliability.regions import rdm_reliability


def recorded(n=40, p=40, counts=6, seed=0):
    """Make repeated noisy responses of sites that share a few dimensions."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, 5)) @ rng.normal(size=(5, p))
    values = np.repeat(true, counts, axis=0) + 2 * rng.normal(size=(n * counts, p))
    return assembly(values, stimulus_id=np.repeat([f"s{k}" for k in range(n)], counts), region="V4")


def value(found, name="reliability"):
    """Return the one region's value."""
    return float(found[name][0])


def test_odd_numbers_of_sites_keep_their_sizes():
    """Halves of 3 and 4 of 7 sites are unequal whichever comes first: Horst, not the average."""
    made = recorded(n=40, p=7)
    found = rdm_reliability(made, "sites", splits=1000, interval=None)
    assert int(found.splits_taken[0]) == 35
    expected = step_up(np.array([value(found, "halves")]), 3, 4, 7)[0]
    np.testing.assert_allclose(value(found), expected, rtol=1e-12)


def test_halves_that_agree_less_than_chance_have_no_reliability():
    """Three repetitions, the stimulus' own pattern taken out: NaN with the reason, never 9."""
    rng = np.random.default_rng(0)
    for repetitions in (2, 3):
        values = rng.normal(size=(8, repetitions, 2))
        values -= values.mean(1, keepdims=True)
        pairs = (square_pair(values, k) for k in range(repetitions))
        found = from_pairs(pairs, np.ones((20, 8)), "pearson", repetitions)
        assert np.isnan(found.point)
        assert found.reason == "repetitions agree less than chance allows"


def square_pair(values, k):
    """Make a pair of opposite RDMs, of one repetition and of the others."""
    square = np.square(values[:, None, k, 0] - values[None, :, k, 0])
    others = values.shape[1] - 1
    sizes = (1.0, 1.0) if others == 1 else (0.75, 0.75)
    return Pair(square, square.max() - square, np.arange(len(square)), sizes)


def test_missing_single_responses_are_named_as_the_cause():
    """Too few stimuli for want of single responses: said so; dropping such neuroids mends it."""
    made = recorded(n=30, p=12, counts=2)
    _, first = np.unique(made.stimulus_id.values.astype(str), return_index=True)
    made.values[first, 8:] = np.nan
    for how in ({"kind": "trials"}, {"kind": "sites", "distance": "crossnobis"}):
        found = rdm_reliability(made, interval=None, splits=3, **how)
        assert np.isnan(value(found))
        reason = json.loads(found.attrs["not_estimable"])["V4"]
        assert "30 were shown so often, but responses of 4 of 12 neuroids are missing" in reason
        assert "in 30 of 60 presentations" in reason
        assert "nan='drop-neuroid'" in reason
        found = rdm_reliability(made, interval=None, splits=3, nan="drop-neuroid", **how)
        assert value(found, "stimuli_used") == 30
        expected = {"neuroids": [f"V4.{k}" for k in range(8, 12)]}
        assert json.loads(found.attrs["dropped"]) == expected


@pytest.mark.parametrize("wrong", [{"splits": 2.5}, {"splits": -4}, {"seed": -1}, {"seed": 0.5}])
def test_splits_and_seed_are_whole_numbers(wrong):
    """What cannot be counted is named."""
    (name,) = wrong
    with pytest.raises(InputError, match=f"{name} must be a whole number"):
        Settings(**wrong).checked()
