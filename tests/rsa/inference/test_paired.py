"""Models compared on the same resamples."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.inference.bootstrap import bootstrap_similarity
from neurosage.rsa.inference.cross_fitted import cross_fitted_similarity
from neurosage.rsa.inference.differences import two_sided
from neurosage.rsa.inference.holm import holm, resamples_needed
from neurosage.rsa.inference.paired import MEAN, compare_models
from neurosage.rsa.rdm import rdms
from neurosage.rsa.resampling import multiplicities, weighted_similarity
from neurosage.rsa.similarity import similarity


def world(seed, noises, n=60, count=4, regions=("V4",)):
    """Draw a teacher, and models of `count` layers that hear it through so much noise."""
    rng = np.random.default_rng(seed)
    ids = [f"s{k}" for k in range(n)]
    hidden = rng.normal(size=(n, 6))
    brain = np.hstack([hidden + 0.5 * rng.normal(size=hidden.shape) for _ in regions])
    teacher = assembly(brain, stimulus_id=ids, region=np.repeat(regions, 6))
    models = {}
    for name, noise in noises.items():
        own = [hidden + noise * rng.normal(size=hidden.shape) for _ in range(count)]
        names = np.repeat([f"l{k}" for k in range(count)], 6)
        models[name] = assembly(np.hstack(own), stimulus_id=ids, region=names)
    return models, teacher


def test_differences_are_of_the_best_layers():
    """Of each region, and of their mean; the layers are named."""
    models, teacher = world(0, {"near": 0.7, "far": 2.0}, regions=("V4", "IT"))
    found = compare_models(models, teacher, resamples=100)
    best = {name: similarity(each, teacher).max("region_a") for name, each in models.items()}
    expected = (best["near"] - best["far"]).values
    np.testing.assert_allclose(found.difference[0, :2], expected, atol=1e-6)
    assert found.difference[0, 2].item() == pytest.approx(expected.mean(), abs=1e-6)
    assert list(found.region.values) == ["V4", "IT", MEAN]
    for name, each in models.items():
        table = similarity(each, teacher)
        winners = table.region_a.values[table.values.argmax(0)]
        assert list(found.best_layer.sel(model=name).values) == [*winners, ""]
    assert (found.model_a.item(), found.model_b.item()) == ("near", "far")


def test_layers_are_chosen_again_inside_each_resample():
    """By hand: the same multiplicities for all models, the best layer of each resample."""
    models, teacher = world(1, {"x": 1.0, "y": 1.2})
    found = compare_models(models, teacher, resamples=50, seed=7, interval=0.8)
    weights = multiplicities(60, 50, 7)
    target = rdms(teacher).values[0]
    best = [
        np.max([weighted_similarity(x, target, weights) for x in rdms(each).values], axis=0)
        for each in models.values()
    ]
    by_hand = best[0] - best[1]
    np.testing.assert_allclose(
        [found.low.item(), found.high.item()], np.percentile(by_hand, [10, 90]), atol=1e-4
    )
    assert found.p.item() == pytest.approx(two_sided(by_hand), abs=0.05)


def test_swapped_models_swap_the_sign():
    """The difference and its interval change sign, p does not."""
    models, teacher = world(2, {"x": 1.0, "y": 1.5})
    one = compare_models(models, teacher, resamples=100)
    other = compare_models(dict(reversed(models.items())), teacher, resamples=100)
    np.testing.assert_allclose(one.difference, -other.difference)
    np.testing.assert_allclose(one.low, -other.high)
    np.testing.assert_allclose(one.p, other.p)


def test_a_better_model_is_found():
    """With much less noise, p is small; corrected for three pairs it is three times that."""
    models, teacher = world(3, {"near": 0.5, "middle": 2.0, "far": 4.0}, n=100)
    found = compare_models(models, teacher, resamples=199)
    row = found.isel(pair=0)
    assert row.p.item() == pytest.approx(2 / 200)
    assert row.low.item() > 0
    assert (found.p_holm >= found.p).all()
    np.testing.assert_allclose(found.p_holm, holm(found.p))


def test_equal_models_differ_seldom():
    """Equally good models of many layers are told apart in about 5 % of recordings, or fewer."""
    worlds = (world(100 + k, {"x": 1.5, "y": 1.5}, n=40, count=6) for k in range(25))
    seen = [compare_models(*each, resamples=99, seed=k).p.item() for k, each in enumerate(worlds)]
    assert np.mean(np.array(seen) <= 0.05) <= 0.16


def test_cross_fitted_models_need_no_equal_number_of_layers():
    """The best of many layers beats one as good, which is said; cross-fitted it does not."""
    found = {"best": [], "cross-fitted": []}
    for k in range(10):
        models, teacher = world(200 + k, {"many": 1.5, "one": 1.5}, n=40, count=15)
        models["one"] = models["one"].isel(neuroid=slice(0, 6))
        for choose, seen in found.items():
            made = compare_models(models, teacher, choose=choose, resamples=40, seed=k)
            seen.append((made.difference.item(), made.p.item()))
            assert ("15 layers" in made.attrs["warnings"]) == (choose == "best")
    best, fitted = (np.array(found[choose]) for choose in ("best", "cross-fitted"))
    assert best[:, 0].mean() > 0.05 > abs(fitted[:, 0].mean())
    assert np.median(best[:, 1]) < 0.2 < np.median(fitted[:, 1])


def test_cross_fitted_differences_are_of_cross_fitted_similarities():
    """On the same splits for both models; over regions, their mean."""
    models, teacher = world(5, {"x": 0.7, "y": 1.5}, regions=("V4", "IT"))
    found = compare_models(models, teacher, choose="cross-fitted", resamples=60)
    each = [cross_fitted_similarity(m, teacher, interval=None).similarity for m in models.values()]
    expected = (each[0] - each[1]).values
    np.testing.assert_allclose(found.difference[0], [*expected, expected.mean()], atol=1e-6)
    assert (found.low < found.difference).all()
    assert (found.difference < found.high).all()


@pytest.mark.parametrize("choose", ["best", "cross-fitted"])
def test_comparisons_without_bootstrap_take_halves(choose):
    """Where a stimulus cannot be drawn twice, half-samples give the interval."""
    models, teacher = world(6, {"x": 0.5, "y": 3.0})
    found = compare_models(models, teacher, comparison="cka", choose=choose, resamples=60)
    assert "half-samples" in found.attrs["method"]
    assert 0 < found.low.item() < found.difference.item() < found.high.item()


def test_groups_are_drawn_together():
    """Groups of stimuli that repeat each other widen the interval."""
    models, teacher = world(7, {"x": 1.0, "y": 1.5}, n=20)
    twice = {"stimulus_id": ("presentation", [f"s{k}" for k in range(60)])}
    label = {"object": ("presentation", np.repeat(np.arange(20), 3))}
    wide = [
        each.isel(presentation=np.repeat(np.arange(20), 3)).assign_coords(**twice, **label)
        for each in (*models.values(), teacher)
    ]
    both = dict(zip(models, wide, strict=False))
    by = [
        compare_models(both, wide[-1], "euclidean", by=by, resamples=100)
        for by in ("stimulus_id", "object")
    ]
    widths = [(each.high - each.low).item() for each in by]
    assert widths[1] > 1.3 * widths[0]
    assert by[1].attrs["interval_over"] == "groups of stimuli (object)"


def test_holm_is_step_down():
    """Against the definition; NaN is no comparison."""
    np.testing.assert_allclose(holm([0.01, np.nan, 0.02, 0.5]), [0.03, np.nan, 0.04, 0.5])
    np.testing.assert_allclose(holm([0.04, 0.03]), [0.06, 0.06])
    assert holm([[0.6, 0.9]]).tolist() == [[1.0, 1.0]]


def test_p_is_never_zero_and_needs_resamples():
    """Beyond all resamples it is 2/(1 + B); without nine in ten of them, NaN."""
    assert two_sided(np.ones(99)) == 0.02
    assert two_sided(np.zeros(99)) == 1.0
    assert np.isnan(two_sided(np.r_[np.ones(8), np.nan, np.nan]))


def test_wrong_calls_are_refused():
    """One model, or models left with different stimuli."""
    models, teacher = world(4, {"x": 1.0, "y": 1.0})
    with pytest.raises(InputError, match="cross-fitted"):
        compare_models(models, teacher, choose="crossfitted")
    with pytest.raises(InputError, match="two or more"):
        compare_models({"x": models["x"]}, teacher)
    hole = models["x"].copy(data=models["x"].values.copy())
    hole[3, 0] = np.nan
    with pytest.raises(InputError, match="59"):
        compare_models({**models, "x": hole}, teacher, nan="drop-stimulus")


def test_names_that_read_alike_are_refused():
    """1 and "1" would be one model; a region named as the mean over regions would be it."""
    models, teacher = world(8, {"x": 1.0, "y": 1.0}, regions=("V4", MEAN))
    with pytest.raises(InputError, match="'1'"):
        compare_models({1: models["x"], "1": models["y"]}, teacher)
    with pytest.raises(InputError, match=MEAN):
        compare_models(models, teacher)


def test_holm_that_cannot_find_anything_says_so():
    """Where the smallest corrected p is above the level, with how many resamples are needed."""
    assert resamples_needed(1, 0.05) == 39
    assert resamples_needed(45, 0.05) == 1799
    models, teacher = world(9, {"x": 0.5, "y": 2.0, "z": 4.0})
    found = compare_models(models, teacher, resamples=99)
    assert found.p_holm.min() == pytest.approx(3 * 2 / 100)
    assert "119" in json.loads(found.attrs["warnings"])[0]
    assert json.loads(compare_models(models, teacher, resamples=119).attrs["warnings"]) == []


@pytest.mark.parametrize("choose", ["best", "cross-fitted"])
def test_a_flat_region_is_named_and_not_counted(choose):
    """Its differences and their mean are NaN with reasons; Holm counts those that were made."""
    models, teacher = world(10, {"x": 0.7, "y": 2.0}, n=30)
    made = rdms(teacher)
    both = xr.concat([made, made * 0 + 1.0 - np.eye(30)], "region", coords="minimal")
    both = both.assign_coords(region=["V4", "flat"])
    with pytest.raises(InputError, match="do not vary"):
        compare_models(models, both, choose=choose, resamples=40)
    found = compare_models(models, both, choose=choose, resamples=40, undefined="nan")
    assert not found.low.sel(region="V4").isnull().any()
    assert found.low.sel(region=["flat", MEAN]).isnull().all()
    reasons = json.loads(found.attrs["not_estimable"])
    assert set(reasons) == {"x - y, flat", f"x - y, {MEAN}"}
    assert found.attrs["correction"] == "Holm over 1 comparison"


def test_few_stimuli_leave_no_interval_but_a_reason():
    """Seven stimuli say too little of others."""
    models, teacher = world(11, {"x": 0.5, "y": 2.0}, n=7)
    found = compare_models(models, teacher, choose="cross-fitted", resamples=60)
    assert found.difference.notnull().all()
    assert found.low.isnull().all()
    assert "needs 10 or more" in json.loads(found.attrs["not_estimable"])["x - y, V4"]


def test_method_is_what_is_drawn():
    """Groups of stimuli where those are halved, as bootstrap_similarity says."""
    models, teacher = world(12, {"x": 1.0, "y": 1.5}, n=30)
    label = {"object": ("presentation", np.repeat(np.arange(10), 3))}
    both = {name: each.assign_coords(**label) for name, each in models.items()}
    how = {"comparison": "cka", "by": "object", "resamples": 20}
    found = compare_models(both, teacher.assign_coords(**label), **how)
    expected = bootstrap_similarity(both["x"], teacher.assign_coords(**label), **how)
    assert found.attrs["method"] == f"paired {expected.attrs['method']}"
    assert "groups of stimuli (object)" in found.attrs["method"]
