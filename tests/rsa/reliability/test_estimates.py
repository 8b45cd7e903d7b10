"""Intervals of neuroids' reliability: bootstrap over stimuli."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.reliability.estimates import by_splits
from neurosage.rsa.reliability.neuroid_splits import corrected, mean_correlation
from neurosage.rsa.reliability.neuroids import reliability
from neurosage.rsa.reliability.splits import padded_halves
from neurosage.rsa.reliability.trials import trials_of


@pytest.mark.parametrize("method", ["variance", "split-half"])
def test_intervals_cover(method):
    """Poisson counts, 600 stimuli × 8: 95% intervals hold the population's truth at 90 to 98%."""
    rng = np.random.default_rng(4)
    n, neuroids, repetitions = 600, 300, 8
    spread = np.repeat([0.35, 1.0, 2.0], neuroids // 3)
    rates = np.clip(8 + spread * rng.normal(size=(n, neuroids)), 0, None)
    counts = rng.poisson(np.repeat(rates, repetitions, axis=0))
    ids = np.repeat([f"img{i}" for i in range(n)], repetitions)
    found = reliability(
        assembly(counts, stimulus_id=ids, region="V4"), method, 20, interval=0.95, resamples=400
    )
    true = spread**2 / (spread**2 + 8 / repetitions)
    inside = (found["low"] <= true) & (true <= found["high"])
    assert 0.9 <= float(inside.mean()) <= 0.98
    assert found.attrs["resampled"] == "stimulus_id"
    assert ((found["low"] < found) & (found < found["high"])).all()


@pytest.mark.parametrize("method", ["variance", "split-half"])
def test_intervals_leave_the_estimate(repeated, method):
    """Asking for an interval adds coordinates and nothing else; one seed, one interval."""
    a = repeated(n=30, neuroids=3)
    plain, found, again = (
        reliability(a, method, interval=each, resamples=50) for each in (None, 0.9, 0.9)
    )
    np.testing.assert_array_equal(plain, found)
    assert "low" not in plain.coords
    np.testing.assert_array_equal(found["low"], again["low"])
    wider = reliability(a, method, interval=0.99, resamples=50)
    assert (wider["low"] <= found["low"]).all()


def test_no_estimate_no_interval(repeated, recording):
    """Where there is no estimate there is no interval either."""
    found = reliability(recording(), interval=0.95, resamples=20)
    assert np.isnan(found["low"]).all()
    a = repeated(n=20, neuroids=3)
    a.values[:, 1] = 5.0
    for method in ("variance", "split-half"):
        found = reliability(a, method, interval=0.95, resamples=20)
        assert np.isnan(found["high"]).values.tolist() == [False, True, False]


@pytest.mark.parametrize("once", [0, 240])
def test_objects_are_drawn_whole(once):
    """Images of one object that answer alike make wider intervals when drawn together.

    Whatever images, shown once, stand before them.
    """
    rng = np.random.default_rng(0)
    objects = np.repeat(np.arange(30), 8)
    values = np.repeat(rng.normal(size=(30, 20))[objects], 4, axis=0)
    a = assembly(
        np.concatenate([rng.normal(size=(once, 20)), values + 2 * rng.normal(size=(960, 20))]),
        stimulus_id=[f"{i}" for i in [*range(240, 240 + once), *np.repeat(np.arange(240), 4)]],
        region="V4",
        object=[*range(30, 30 + once), *np.repeat(objects, 4)],
    )
    apart, together = (
        reliability(a, "variance", interval=0.95, resamples=200, by=by)
        for by in ("stimulus_id", "object")
    )
    width = float((together["high"] - together["low"]).median())
    assert width > 1.3 * float((apart["high"] - apart["low"]).median())


def test_groups_are_enough_and_all_labelled(repeated):
    """A label too few, or groups too few to speak for others, is no certainty: refused."""
    a = repeated(n=40, neuroids=2)
    number = np.array([int(name[3:]) for name in a.stimulus_id.values])
    for groups in (1, 2, 9):
        few = a.assign_coords(object=("presentation", number % groups))
        with pytest.raises(InputError, match=f"in {groups} group.* needs 10 or more"):
            reliability(few, interval=0.95, by="object")
    enough = a.assign_coords(object=("presentation", (number % 10).astype(object)))
    assert np.isfinite(reliability(enough, interval=0.95, by="object", resamples=20)["low"]).all()
    for missing in (None, np.nan):
        enough.object.values[number == 7] = missing
        with pytest.raises(InputError, match="1 of 40 stimuli have no 'object'"):
            reliability(enough, interval=0.95, by="object")
    with pytest.raises(InputError, match="20 or more, not 1"):
        reliability(a, interval=0.95, resamples=1)


def test_what_is_drawn_must_be_the_stimulus_own(repeated):
    """Coordinates that do not exist, or differ over repetitions, are refused by name."""
    a = repeated(n=10, neuroids=2)
    with pytest.raises(InputError, match="unknown coordinate on presentation 'objekt'"):
        reliability(a, interval=0.95, by="objekt")
    with pytest.raises(InputError, match="presentations of one stimulus differ"):
        reliability(a, interval=0.95, by="repetition")


def test_few_splits_in_resamples_stand_where_all_do(repeated):
    """Every stimulus drawn once is the estimate, though resamples take 20 splits of 60."""
    trials = next(trials_of(repeated(n=30, neuroids=4, low=6, high=6)))
    values, resampled = by_splits(trials, 60, 0, np.ones((2, 30)))
    np.testing.assert_allclose(resampled, np.stack([values, values]), rtol=1e-12)


def test_ragged_resamples_have_their_own_sizes(repeated):
    """A resample of the stimuli shown most is corrected for their repetitions."""
    trials = next(trials_of(repeated(n=30, neuroids=4, low=2, high=9, noise=4.0)))
    most = (trials.counts >= 6).astype(float)
    values, resampled = by_splits(trials, 10, 0, np.stack([most, np.ones(30)]))
    np.testing.assert_allclose(resampled[1], values, rtol=1e-12)
    few = padded_halves(trials.counts, 10, 0)
    own = mean_correlation(trials, few, most[None])
    np.testing.assert_allclose(resampled[0], corrected(own, trials, few, most[None])[0])
    assert (resampled[0] != corrected(own, trials, few)[0]).all()
