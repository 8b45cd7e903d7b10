"""Cross-fitted choice of layers: no flattery, and intervals that know what splitting adds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.inference.bootstrap import bootstrap_similarity
from neurosage.rsa.inference.cross_fitted import cross_fitted_similarity
from neurosage.rsa.inference.draws import Together, drawn_by
from neurosage.rsa.inference.halving import (
    about_cross_fit,
    both_halves,
    chosen_elsewhere,
    halves_of_drawn,
)
from neurosage.rsa.inference.resampled import similarities
from neurosage.rsa.inference.sides import read_sides
from neurosage.rsa.rdm import rdms
from neurosage.rsa.similarity import similarity


def layers(values, names, ids=None):
    """Make an assembly of equally wide layers."""
    ids = [f"s{k}" for k in range(len(values))] if ids is None else ids
    return assembly(values, stimulus_id=ids, region=np.repeat(names, values.shape[1] // len(names)))


def test_noise_layers_are_not_flattered():
    """The best of more noise layers is better; cross-fitted it stays about 0."""
    best, fitted = [], []
    for count in (2, 20):
        tries = np.zeros((5, 2))
        for k, row in enumerate(tries):
            rng = np.random.default_rng(k)
            noise = layers(rng.normal(size=(40, 4 * count)), [f"l{j}" for j in range(count)])
            brain = layers(rng.normal(size=(40, 6)), ["V4"])
            row[0] = similarities(read_sides(noise, brain), np.ones((1, 40)), "pearson").max()
            row[1] = cross_fitted_similarity(noise, brain, interval=None, seed=k).similarity.item()
        best.append(tries[:, 0].mean())
        fitted.append(tries[:, 1].mean())
    assert best[0] < 0.04
    assert best[1] > 0.05
    assert np.abs(fitted).max() < 0.03


def test_each_half_reports_what_the_other_chose():
    """Both ways: choosing in one half never looks at the half that is reported."""
    found = np.random.default_rng(0).normal(size=(3, 2, 5, 2))
    values, chosen = chosen_elsewhere(found)
    for s in range(3):
        for region in range(2):
            first, second = found[s, 0, :, region], found[s, 1, :, region]
            assert values[s, 0, region] == second[first.argmax()]
            assert values[s, 1, region] == first[second.argmax()]
            assert chosen[s, 0, :, region].tolist() == (first == first.max()).tolist()


def test_layers_without_similarity_are_never_chosen():
    """NaN in either half loses to any number, and all NaN is NaN, chosen by none."""
    found = np.array([[[[np.nan], [-0.9]], [[0.3], [-0.5]]]])
    values, chosen = chosen_elsewhere(found)
    np.testing.assert_array_equal(values.ravel(), [-0.5, -0.9])
    values, chosen = chosen_elsewhere(np.full((1, 2, 3, 1), np.nan))
    assert np.isnan(values).all()
    assert not chosen.any()


def test_one_layer_is_the_mean_over_halves():
    """With nothing to choose, it is the mean similarity in random halves."""
    rng = np.random.default_rng(1)
    brain = layers(rng.normal(size=(30, 6)), ["V4"])
    one = brain.copy(data=brain.values + rng.normal(size=brain.shape)).assign_coords(
        region=("neuroid", ["l1"] * 6)
    )
    found = cross_fitted_similarity(one, brain, splits=5, interval=None, seed=4)
    halves = Together(np.arange(30)).halves(5, np.random.default_rng([4, 1]))
    each = [similarity(one[h], brain[h]).item() for half in halves for h in (half, ~half)]
    assert found.similarity.item() == pytest.approx(np.mean(each), abs=1e-6)
    assert found.chosen.item() == 1


def test_halves_share_no_stimulus_and_keep_groups_whole():
    """Every stimulus is in one half, with its whole group; spare ones go to either."""
    member = np.repeat(np.arange(7), [1, 2, 3, 1, 2, 3, 4])
    first = Together(member, "object").halves(200, np.random.default_rng(0))
    halves = both_halves(first)
    assert (halves.sum(1) == 1).all()
    for group in range(7):
        assert (first[:, member == group].sum(1) % (member == group).sum() == 0).all()
    groups = [len(set(member[row])) for row in first]
    assert set(groups) == {3, 4}
    assert 0.3 < np.mean(np.array(groups) == 3) < 0.7


def test_groups_come_from_the_recording():
    """Labels are the stimuli's in the order compared, repetitions apart."""
    ids = np.tile([f"s{k}" for k in range(20)], 2)
    a = assembly(np.zeros((40, 1)), stimulus_id=ids, region="V4")
    a = a.assign_coords(object=("presentation", np.tile(np.repeat(np.arange(10), 2), 2)))
    drawn = drawn_by(a, "object", [f"s{k}" for k in range(20)])
    assert drawn.units == 10
    weights = drawn.resamples(20, 0)
    assert (weights[:, ::2] == weights[:, 1::2]).all()


def test_layer_shares_and_intervals():
    """Shares of a region sum to 1, the better layer wins most, the interval holds the estimate."""
    rng = np.random.default_rng(2)
    brain = layers(rng.normal(size=(60, 6)), ["V4"])
    values = np.hstack([brain.values + s * rng.normal(size=(60, 6)) for s in (3.0, 0.7)])
    found = cross_fitted_similarity(layers(values, ["far", "near"]), brain, resamples=200)
    assert found.chosen.sel(layer="near").item() > 0.9
    assert found.chosen.sum().item() == pytest.approx(1)
    assert found.low.item() < found.similarity.item() < found.high.item()
    assert found.equals(
        cross_fitted_similarity(layers(values, ["far", "near"]), brain, resamples=200)
    )


def test_interval_is_as_wide_as_new_stimuli_would_make_it():
    """Its standard deviation is within a third of that over new draws of stimuli."""
    weights = np.random.default_rng(3).normal(size=(2, 6, 6))

    def draw(seed):
        rng = np.random.default_rng(seed)
        hidden = rng.normal(size=(60, 6))
        brain = hidden + 0.5 * rng.normal(size=hidden.shape)
        own = [hidden @ w + 2.0 * rng.normal(size=hidden.shape) for w in weights]
        return layers(np.hstack(own), ["l1", "l2"]), layers(brain, ["V4"])

    points, widths = [], []
    for seed in range(50):
        few = {} if seed < 6 else {"interval": None}
        found = cross_fitted_similarity(*draw(seed), resamples=200, seed=seed, **few)
        points.append(found.similarity.item())
        if seed < 6:
            widths.append((found.high - found.low).item() / (2 * 1.96))
    assert np.mean(widths) == pytest.approx(np.std(points, ddof=1), rel=0.33)


def test_what_splitting_adds_is_taken_out():
    """Spread of resamples is that of the stimuli and a share of the splits', about the estimate."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4000, 1)) + 2.0 * rng.normal(size=(4000, 2))
    about = about_cross_fit(draws, 7.0, 20)
    assert about.mean() == pytest.approx(7.0)
    assert about.var() == pytest.approx(1 + 4 / 20, rel=0.1)


@pytest.mark.parametrize("comparison", ["spearman", "cka", "corr_cov"])
def test_every_comparison_that_can_be_resampled(comparison):
    """Ranks by weights, whitened ones and CKA by half-samples, with an interval about it."""
    rng = np.random.default_rng(6)
    brain = layers(rng.normal(size=(40, 6)), ["V4"])
    values = np.hstack([brain.values + s * rng.normal(size=(40, 6)) for s in (2.0, 0.7)])
    model = layers(values, ["far", "near"])
    found = cross_fitted_similarity(model, brain, comparison=comparison, resamples=50)
    assert found.low.item() < found.similarity.item() < found.high.item()


def test_too_few_stimuli_are_refused():
    """Halves of fewer than three stimuli have no RDM to compare."""
    a = layers(np.random.default_rng(0).normal(size=(5, 4)), ["V4"])
    with pytest.raises(InputError, match="halves"):
        cross_fitted_similarity(a, a)


def rdms_of(squares, names):
    """Put squares into the form of given RDMs."""
    ids = [f"s{k}" for k in range(len(squares[0]))]
    return xr.DataArray(
        np.stack(squares),
        dims=("region", "stimulus_i", "stimulus_j"),
        coords={
            "region": names,
            "stimulus_id_i": ("stimulus_i", ids),
            "stimulus_id_j": ("stimulus_j", ids),
        },
    )


def one_apart(n):
    """Make an RDM in which all stimuli but one are equally far from each other."""
    square = np.ones((n, n)) - np.eye(n)
    square[0, 1:] = square[1:, 0] = np.linspace(2, 3, n - 1)
    return square


def test_a_layer_without_rdm_in_one_half_is_not_chosen_in_that_split():
    """Beside one that varies everywhere it loses, and that is said; the result is no NaN."""
    rng = np.random.default_rng(7)
    brain = layers(rng.normal(size=(30, 6)), ["V4"])
    good = rdms(brain).values[0]
    model = rdms_of([one_apart(30), good], ["half", "good"])
    found = cross_fitted_similarity(model, brain, resamples=40)
    assert found.similarity.item() == pytest.approx(1)
    assert found.low.item() == pytest.approx(1)
    assert found.chosen.sel(layer="half").item() == 0
    assert "'half' (20 of 20)" in found.attrs["warnings"]


def test_nothing_to_choose_from_says_so():
    """Where no layer varies in both halves of any split, NaN comes with its reason."""
    brain = layers(np.random.default_rng(8).normal(size=(30, 6)), ["V4"])
    found = cross_fitted_similarity(rdms_of([one_apart(30)], ["half"]), brain, resamples=40)
    assert np.isnan(found.similarity.item())
    assert "both halves" in json.loads(found.attrs["not_estimable"])["V4"]


def test_a_flat_region_of_the_teacher_is_named():
    """Refused, or NaN with its reason, as by the other functions; its neighbour has a value."""
    model = layers(np.random.default_rng(9).normal(size=(30, 6)), ["l1"])
    flat = np.ones((30, 30)) - np.eye(30)
    teacher = rdms_of([rdms(model).values[0], flat], ["ok", "flat"])
    for function in (cross_fitted_similarity, bootstrap_similarity):
        with pytest.raises(InputError, match="do not vary"):
            function(model, teacher, resamples=40)
    found = cross_fitted_similarity(model, teacher, resamples=40, undefined="nan")
    assert found.similarity.sel(region="ok").item() == pytest.approx(1)
    assert np.isnan(found.low.sel(region="flat").item())
    assert list(json.loads(found.attrs["not_estimable"])) == ["flat"]
    assert "l1" in found.attrs["undefined"]


def test_tied_layers_share_a_half():
    """Equal layers are chosen equally often."""
    rng = np.random.default_rng(10)
    brain = layers(rng.normal(size=(30, 6)), ["V4"])
    one = brain.values + rng.normal(size=brain.shape)
    found = cross_fitted_similarity(
        layers(np.hstack([one] * 3), ["l0", "l1", "l2"]), brain, interval=None
    )
    np.testing.assert_allclose(found.chosen, 1 / 3)


@pytest.mark.parametrize(("n", "comparison"), [(14, "kendall"), (16, "cka_unbiased"), (12, "cka")])
def test_only_what_is_drawn_is_split(n, comparison):
    """Halves of a half-sample hold the fewest stimuli that the comparison needs."""
    rng = np.random.default_rng(11)
    brain = layers(rng.normal(size=(n, 6)), ["V4"])
    model = layers(brain.values + rng.normal(size=brain.shape), ["l1"])
    found = cross_fitted_similarity(model, brain, comparison=comparison, resamples=40)
    assert found.low.item() < found.high.item()
    assert json.loads(found.attrs["not_estimable"]) == {}


@pytest.mark.parametrize(("n", "comparison"), [(6, "pearson"), (7, "cka"), (11, "kendall")])
def test_an_interval_that_cannot_be_had_says_why(n, comparison):
    """Of resamples split in two with too few stimuli; the similarity stands."""
    rng = np.random.default_rng(12)
    brain = layers(rng.normal(size=(n, 6)), ["V4"])
    model = layers(brain.values + rng.normal(size=brain.shape), ["l1"])
    found = cross_fitted_similarity(model, brain, comparison=comparison, resamples=40)
    assert not np.isnan(found.similarity.item())
    assert np.isnan(found.low.item())
    reason = json.loads(found.attrs["not_estimable"])["V4"]
    assert ("needs 10 or more" if n < 10 else "in a half of them") in reason
    without = cross_fitted_similarity(model, brain, comparison=comparison, interval=None)
    assert json.loads(without.attrs["not_estimable"]) == {}


def test_drawn_units_are_split_evenly_with_their_group():
    """Each half has half of the groups drawn; copies of one are in one half."""
    member = np.repeat(np.arange(20), 2)
    weights = Together(member, "object").resamples(50, 0)
    first = halves_of_drawn(weights, member, np.random.default_rng(0))
    assert first.shape == (50, 2, 40)
    assert (first[..., ::2] == first[..., 1::2]).all()
    drawn = weights[:, None] > 0
    sizes = (first & drawn).sum(-1) / 2, (~first & drawn).sum(-1) / 2
    assert (np.abs(sizes[0] - sizes[1]) <= 1).all()
