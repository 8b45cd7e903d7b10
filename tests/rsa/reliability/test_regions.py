"""RDM reliability of trials and of sites: truth, edge cases, real recordings."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurosage.data.assembly import assembly, select
from neurosage.errors import InputError
from neurosage.rsa.distances.presentations import Repeated
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.horst import step_up
from neurosage.rsa.reliability.rdm_halves import DISTANCES, square_rdm
from neurosage.rsa.reliability.regions import rdm_reliability
from neurosage.rsa.reliability.splits import halves
from neurosage.rsa.reliability.subsets import taken


def recorded(n=60, p=40, counts=6, noise=1.0, seed=0, dims=5):
    """Make repeated noisy responses of sites that share a few dimensions."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, dims)) @ rng.normal(size=(dims, p))
    counts = np.broadcast_to(counts, (n,))
    values = np.repeat(true, counts, axis=0)
    values = values + noise * np.sqrt(dims) * rng.normal(size=values.shape)
    names = np.repeat([f"s{k}" for k in range(n)], counts)
    order = rng.permutation(len(names))
    made = assembly(values[order], stimulus_id=names[order], region="V4")
    clean = assembly(true, stimulus_id=[f"s{k}" for k in range(n)], region="V4")
    return made, clean


def value(found, name="reliability"):
    """Return the one region's value."""
    return float(found[name][0])


@pytest.mark.parametrize("distance", DISTANCES[:3])
def test_square_rdms_are_those_of_the_backends(distance):
    """Halves have the very distances of `rdms`."""
    _, clean = recorded(n=20)
    expected = rdms(clean, distance).values[0]
    np.testing.assert_allclose(square_rdm(clean.values, distance), expected, rtol=1e-5, atol=1e-5)


def test_trials_predict_another_recording_of_the_same_sites():
    """The RDMs of two recordings agree about as the reliability of either says.

    About: an RDM's noise is not additive, and falls faster than stepping up takes it to.
    """
    upper = np.triu_indices(150, 1)
    found, truth = [], []
    for seed in range(4):
        full, _ = recorded(n=150, counts=12, noise=2.0, seed=seed)
        place = np.concatenate([np.flatnonzero(full.stimulus_id == f"s{k}") for k in range(150)])
        halves = [np.concatenate([place[k::12] for k in part]) for part in (range(6), range(6, 12))]
        one, other = (full.isel(presentation=np.sort(rows)) for rows in halves)
        ids = rdms(one).stimulus_id_i.values
        second = rdms(other)
        rows = [list(second.stimulus_id_i.values).index(name) for name in ids]
        x, y = rdms(one).values[0], second.values[0][np.ix_(rows, rows)]
        truth.append(np.corrcoef(x[upper], y[upper])[0, 1])
        found.append(value(rdm_reliability(one, "trials", splits=20, interval=None)))
    assert abs(np.mean(found) - np.mean(truth)) < 0.06


def test_sites_predict_other_sites():
    """For squared euclidean distance, other populations of sites agree as predicted."""
    upper = np.triu_indices(150, 1)
    found, truth = [], []
    for seed in range(4):
        _, clean = recorded(n=150, p=80, dims=30, seed=seed)
        pair = clean.isel(neuroid=slice(0, 40)), clean.isel(neuroid=slice(40, 80))
        squares = [rdms(each, "euclidean").values[0][upper] for each in pair]
        truth.append(np.corrcoef(*squares)[0, 1])
        found += [
            value(rdm_reliability(e, "sites", distance="euclidean", interval=None, splits=10))
            for e in pair
        ]
    assert abs(np.mean(found) - np.mean(truth)) < 0.03


def test_two_repetitions_are_split_as_by_hand():
    """With R of 2 in every stimulus, a half is one repetition, stepped up by 2c/(1+c)."""
    made, _ = recorded(n=4, counts=2)
    found = rdm_reliability(made, "trials", splits=1000, interval=None)
    assert int(found.splits_taken[0]) == 8
    first = [np.flatnonzero(made.stimulus_id == f"s{k}") for k in range(4)]
    agreed = []
    for mask in range(8):
        rows = [each[(mask >> k) & 1] for k, each in enumerate(first)]
        rest = [each[1 - ((mask >> k) & 1)] for k, each in enumerate(first)]
        halves = [square_rdm(made.values[each], "correlation") for each in (rows, rest)]
        upper = np.triu_indices(4, 1)
        agreed.append(np.corrcoef(halves[0][upper], halves[1][upper])[0, 1])
    expected = step_up(np.array([np.mean(agreed)]), 1, 1, 2)[0]
    np.testing.assert_allclose(value(found), expected, atol=1e-10)
    np.testing.assert_allclose(value(found, "halves"), np.mean(agreed), atol=1e-10)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("kind", ["trials", "sites"])
@pytest.mark.parametrize("comparison", ["pearson", "spearman", "cosine"])
def test_every_combination_is_estimated(distance, kind, comparison):
    """Odd and ragged repetitions have an estimate inside its interval."""
    made, _ = recorded(n=30, counts=np.tile([4, 5, 7], 10))
    how = {"distance": distance, "comparison": comparison, "splits": 5, "resamples": 50}
    found = rdm_reliability(made, kind, **how)
    assert 0 < value(found) < 1
    assert value(found, "low") < value(found) < value(found, "high") <= 1
    assert (found.attrs["kind"], found.attrs["not_estimable"]) == (kind, "{}")


def test_intervals_cover_what_more_stimuli_would_give():
    """The bootstrap over stimuli has the spread of new draws of the stimuli, and covers."""
    wide, _ = recorded(n=600, p=30, counts=4, noise=1.5)
    truth = value(rdm_reliability(wide, splits=20, interval=None))
    rng = np.random.default_rng(0)
    names = np.array([f"s{k}" for k in range(600)])
    points, widths, covered = [], [], []
    for k in range(60):
        chosen = rng.permutation(names)[:60]
        part = wide.isel(presentation=np.isin(wide.stimulus_id.values.astype(str), chosen))
        found = rdm_reliability(part, "trials", splits=5, resamples=100, seed=k)
        low, point, high = (value(found, name) for name in ("low", "reliability", "high"))
        points.append(point)
        widths.append(high - low)
        covered.append(low <= truth <= high)
    assert 0.8 < np.mean(widths) / (2 * 1.96 * np.std(points, ddof=1)) < 1.2
    assert 0.85 < np.mean(covered) < 1
    assert np.mean(points) == pytest.approx(truth, abs=0.02)


def test_the_same_seed_gives_the_same_numbers():
    """Splits and resamples are drawn from the seed."""
    made, _ = recorded()
    once, again = (rdm_reliability(made, splits=5, resamples=50, seed=3) for _ in range(2))
    assert once.identical(again)


def test_averages_have_sites_and_no_trials():
    """Where only averages exist, trials are not estimable, with the reason; sites are."""
    _, clean = recorded()
    clean = clean.assign_attrs(repetitions="averaged over 12")
    trials = rdm_reliability(clean, "trials")
    reason = json.loads(trials.attrs["not_estimable"])["V4"]
    assert "averaged over 12 repetitions" in reason
    assert np.isnan(value(trials))
    assert value(rdm_reliability(clean, "sites", interval=None)) > 0.5


def test_stimuli_shown_once_are_left_out_and_counted():
    """R of 1 gives no halves; the other stimuli do."""
    made, _ = recorded(n=30, counts=np.r_[np.ones(5, int), np.full(25, 4)])
    found = rdm_reliability(made, "trials", splits=5, resamples=20)
    assert (value(found, "stimuli_used"), value(found, "stimuli_left_out")) == (25, 5)
    found = rdm_reliability(made, "trials", distance="crossnobis", splits=5, resamples=20)
    assert value(found, "stimuli_used") == 25


def test_lost_trials_of_single_neuroids():
    """A NaN here and there leaves estimates close to those of the whole."""
    made, _ = recorded(n=40)
    lost = made.copy(deep=True)
    rng = np.random.default_rng(0)
    lost.values[rng.random(lost.shape) < 0.02] = np.nan
    for distance in ("correlation", "crossnobis"):
        whole, found = (
            value(rdm_reliability(each, distance=distance, splits=20, interval=None))
            for each in (made, lost)
        )
        assert abs(whole - found) < 0.05


def test_sessions_are_split_within():
    """Neuroids of two sessions, side by side with NaN between, are halved in each session."""
    one, _ = recorded(n=30, p=20, counts=4, seed=0)
    other, _ = recorded(n=30, p=20, counts=4, seed=1)
    values = np.full((240, 40), np.nan)
    values[:120, :20], values[120:, 20:] = one.values, other.values
    names = np.r_[one.stimulus_id.values, other.stimulus_id.values]
    both = assembly(values, stimulus_id=names, region="V4")
    held = Repeated(both).region("V4")
    for mask in halves(held.strata, 10, 0):
        assert (taken(held, mask).counts == 2).all()
    found = rdm_reliability(both, "trials", splits=20, interval=None)
    assert value(found, "stimuli_used") == 30
    rows = [np.argsort(each.stimulus_id.values, kind="stable") for each in (one, other)]
    together = assembly(
        np.concatenate([one.values[rows[0]], other.values[rows[1]]], axis=1),
        stimulus_id=one.stimulus_id.values[rows[0]],
        region="V4",
    )
    expected = rdm_reliability(together, "trials", splits=20, interval=None)
    assert value(found) == pytest.approx(value(expected), abs=0.02)


def test_missing_cells_follow_the_policy():
    """A neuroid without any response to a stimulus is refused, or dropped."""
    made, _ = recorded(n=20)
    made.values[made.stimulus_id.values == "s3", 2] = np.nan
    with pytest.raises(InputError, match="missing"):
        rdm_reliability(made, splits=2)
    found = rdm_reliability(made, splits=2, interval=None, nan="drop-stimulus")
    assert value(found, "stimuli_used") == 19
    assert json.loads(found.attrs["dropped"]) == {"stimuli": ["s3"]}
    found = rdm_reliability(made, "sites", splits=2, interval=None, nan="drop-neuroid")
    assert json.loads(found.attrs["dropped"]) == {"neuroids": ["V4.2"]}


def test_normalisation_is_that_of_the_whole_set():
    """Statistics are frozen: z-scoring first or in the estimate is the same."""
    made, _ = recorded(n=30)
    from neurosage.data.average import average_repetitions

    averaged = average_repetitions(made).values
    scaled = made.copy(data=(made.values - averaged.mean(0)) / averaged.std(0))
    expected = value(rdm_reliability(scaled, splits=5, interval=None))
    found = value(rdm_reliability(made, normalise="zscore", splits=5, interval=None))
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_noise_alone_is_reported_as_it_is():
    """A reliability of about 0 or below is kept, and warned of where not above 0."""
    rng = np.random.default_rng(4)
    made = assembly(
        rng.normal(size=(80, 12)),
        stimulus_id=np.repeat([f"s{k}" for k in range(20)], 4),
        region="V4",
    )
    found = [rdm_reliability(made, seed=seed, splits=5, interval=None) for seed in range(8)]
    values = [value(each) for each in found]
    assert max(values) < 0.4
    for each, point in zip(found, values, strict=True):
        assert ("not above 0" in each.attrs["warnings"]) == (point <= 0)


def test_unreliable_neuroids_call_for_crossnobis(caplog):
    """Euclidean distances of low-reliability neuroids are warned of, in attrs and the log."""
    made, _ = recorded(noise=5.0, counts=3)
    found = rdm_reliability(made, splits=3, interval=None, distance="euclidean")
    assert "crossnobis" in found.attrs["warnings"]
    assert "crossnobis" in caplog.text
    found = rdm_reliability(made, "sites", splits=3, interval=None)
    assert "crossnobis" not in found.attrs["warnings"]


def test_few_sites_are_not_estimable():
    """Halves of correlation distance need three sites each."""
    made, _ = recorded(p=5)
    found = rdm_reliability(made, "sites", interval=None)
    assert "5 sites" in found.attrs["not_estimable"]
    found = rdm_reliability(made, "sites", distance="euclidean", interval=None)
    assert value(found) > 0


def test_silent_halves_are_not_estimable():
    """Where many patterns are constant in a half, that is the reason given."""
    rng = np.random.default_rng(0)
    sparse = (rng.random((120, 4)) < 0.05).astype(float)
    sparse[::6] = np.eye(4)[np.arange(20) % 4]  # no mean pattern is constant
    names = np.repeat([f"s{k}" for k in range(20)], 6)
    made = assembly(sparse, stimulus_id=names, region="V4")
    found = rdm_reliability(made, distance="cosine", splits=5, interval=None)
    assert "constant pattern in a half" in found.attrs["not_estimable"]


def test_regions_are_estimated_apart():
    """Each region has the numbers it has alone."""
    one, _ = recorded(seed=0)
    values = np.concatenate([one.values, one.values[:, :20] ** 3], axis=1)
    both = assembly(values, stimulus_id=one.stimulus_id.values, region=["V4"] * 40 + ["IT"] * 20)
    found = rdm_reliability(both, splits=4, resamples=20)
    alone = rdm_reliability(select(both, region="IT"), splits=4, resamples=20)
    for name in ("reliability", "low", "high"):
        np.testing.assert_allclose(found[name][1], alone[name][0])


def test_rdms_alone_have_no_halves():
    """RDMs without responses are not estimable, whatever the kind."""
    _, clean = recorded(n=10)
    found = rdm_reliability(rdms(clean), "sites")
    assert "only RDMs" in found.attrs["not_estimable"]
    assert np.isnan(value(found))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"kind": "subject"}, "unknown kind"),
        ({"distance": "manhattan"}, "unknown distance"),
        ({"comparison": "kendall"}, "only, not by 'kendall'"),
        ({"splits": 0}, "splits"),
        ({"splits": 2.5}, "splits"),
        ({"seed": 1.5}, "seed"),
        ({"resamples": 0}, "resamples"),
        ({"interval": 95}, "interval"),
        ({"normalise": "unit"}, "unknown normalisation"),
        ({"nan": "ignore"}, "unknown policy"),
    ],
)
def test_arguments_are_checked(how, message):
    """Wrong arguments are named."""
    made, _ = recorded(n=10)
    with pytest.raises(InputError, match=message):
        rdm_reliability(made, **how)


def test_memory_is_checked_first(monkeypatch):
    """What cannot fit is refused before anything is computed."""
    import psutil

    made, _ = recorded(n=30)
    monkeypatch.setattr(psutil, "virtual_memory", type("Free", (), {"available": 1000}))
    with pytest.raises(InputError, match="RDMs of halves of 30 stimuli"):
        rdm_reliability(made)
