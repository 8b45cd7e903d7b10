"""Noise-corrected similarity: its formulae, its interval, and when it is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.ceilings.noise_corrected import (
    _ends,
    _not_above_zero,
    _resampled,
    noise_corrected,
)
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.rdm_estimate import Estimator, Settings
from neurosage.rsa.reliability.regions import rdm_reliability
from neurosage.rsa.resampling import multiplicities, weighted_similarity
from neurosage.rsa.similarity import similarity


def pair(noise=1.5, n=60, counts=4, seed=0):
    """Make a model without noise, and a recording of it with noise."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, 5)) @ rng.normal(size=(5, 30))
    values = np.repeat(true, counts, 0)
    values = values + noise * rng.normal(size=values.shape)
    ids = [f"s{k}" for k in range(n)]
    model = assembly(true[::-1], stimulus_id=ids[::-1], region="layer1")
    return model, assembly(values, stimulus_id=np.repeat(ids, counts), region="V4")


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("r/sqrt(c)", lambda r, c: r / np.sqrt(c)),
        ("r/c", lambda r, c: r / c),
        ("r^2/c", lambda r, c: r**2 / c),
    ],
)
@pytest.mark.parametrize("distance", ["correlation", "crossnobis"])
def test_formulae(formula, expected, distance):
    """The value is the named formula of the similarity and the reliability it reports."""
    model, brain = pair()
    how = {"distance": distance, "splits": 5, "resamples": 60}
    found = noise_corrected(model, brain, formula=formula, **how)
    r, c = float(found.similarity[0, 0]), float(found.reliability[0])
    np.testing.assert_allclose(found.corrected, [[expected(r, c)]])
    np.testing.assert_allclose(r, similarity(model, brain, distance), atol=1e-5)
    assert found.low[0, 0] < found.corrected[0, 0] < found.high[0, 0]
    assert found.attrs["formula"] == formula


def test_a_perfect_model_comes_out_near_one():
    """The true RDM, corrected for noise, has similarity 1, give or take."""
    found = [
        noise_corrected(*pair(seed=seed), splits=10, resamples=50).corrected[0, 0]
        for seed in range(4)
    ]
    assert abs(np.mean(found) - 1) < 0.06


def test_ratio_and_ceiling_are_resampled_together():
    """Each resample divides its own similarity by its own reliability."""
    model, brain = pair()
    found = noise_corrected(model, brain, splits=10, resamples=300, seed=5)
    weights = multiplicities(60, 300, 5)
    c = Estimator(brain, Settings(splits=10, seed=5)).estimate("V4", weights).resampled
    first, second = rdms(model), rdms(brain)
    rows = [list(first.stimulus_id_i.values).index(name) for name in second.stimulus_id_i.values]
    r = weighted_similarity(first.values[0][np.ix_(rows, rows)], second.values[0], weights)
    expected = np.percentile(r / np.sqrt(c), [2.5, 97.5])
    np.testing.assert_allclose([found.low[0, 0], found.high[0, 0]], expected, atol=1e-9)


def test_noise_is_not_estimable():
    """Where the reliability's interval reaches 0, nothing is divided."""
    model, _ = pair(n=20)
    rng = np.random.default_rng(0)
    ids = [f"s{k}" for k in range(20)]
    noise = assembly(rng.normal(size=(80, 12)), stimulus_id=np.repeat(ids, 4), region="V4")
    found = noise_corrected(model, noise, splits=5, resamples=100)
    assert np.isnan([found.corrected[0, 0], found.low[0, 0], found.high[0, 0]]).all()
    assert "not above 0" in json.loads(found.attrs["not_estimable"])["V4"]


def test_averages_are_corrected_by_sites_only():
    """Without repetitions, trials are not estimable; sites are."""
    model, _ = pair()
    found = noise_corrected(model, model, resamples=20)
    assert np.isnan(found.corrected[0, 0])
    assert "layer1" in json.loads(found.attrs["not_estimable"])
    found = noise_corrected(model, model, "sites", resamples=20, splits=5)
    assert found.corrected[0, 0] > 1


def test_rdms_can_be_corrected_by_responses():
    """The first side may be RDMs; the second may not."""
    model, brain = pair()
    found = noise_corrected(rdms(model), brain, splits=3, resamples=20)
    again = noise_corrected(model, brain, splits=3, resamples=20)
    np.testing.assert_allclose(found.corrected, again.corrected, atol=1e-6)
    with pytest.raises(InputError, match=r"b is the side whose noise.*RDMs only.*RDMs as a"):
        noise_corrected(brain, rdms(model))


def test_swapped_sides_are_named():
    """A second side without the repetitions that the first has looks swapped."""
    model, brain = pair()
    with pytest.raises(InputError, match=r"b is the side whose noise.*\(network, recording\)"):
        noise_corrected(brain, model)
    found = noise_corrected(brain, model, "sites", splits=3, resamples=20)
    assert found.attrs["kind"] == "sites"


def test_stimuli_are_matched_by_name():
    """Other stimuli are refused, with counts."""
    model, brain = pair()
    with pytest.raises(InputError, match="not of the same stimuli"):
        noise_corrected(model.isel(presentation=slice(0, 50)), brain, resamples=20, splits=2)


@pytest.mark.parametrize("distance", ["correlation", "crossnobis"])
def test_similarity_and_reliability_are_of_the_same_stimuli(distance):
    """Noisy stimuli that the reliability cannot speak for do not count against a model."""
    counts = np.where(np.arange(120) < 60, 1 if distance == "correlation" else 2, 8)
    found = []
    for seed in range(4):
        model, brain = pair(noise=3.0, n=120, counts=counts, seed=seed)
        found.append(noise_corrected(model, brain, distance=distance, splits=10, resamples=100))
    assert np.mean([each.corrected for each in found]) == pytest.approx(1, abs=0.06)
    assert sum(bool(each.low < 1 < each.high) for each in found) >= 3
    last = found[-1]
    assert (int(last.stimuli_used[0]), int(last.stimuli_left_out[0])) == (60, 60)
    assert "60 of 120 stimuli" in last.attrs["warnings"]
    assert last.attrs["target"].endswith("or more repetitions only")
    assert last.attrs["n_stimuli"] == 120
    names = brain.stimulus_id.values
    used = [name for name in dict.fromkeys(names) if (names == name).sum() == 8]
    expected = similarity(
        *(each.isel(presentation=np.isin(each.stimulus_id, used)) for each in (model, brain)),
        distance,
    )
    np.testing.assert_allclose(last.similarity, expected, atol=1e-5)


def test_regions_have_their_own_stimuli():
    """A region that answered fewer stimuli often enough is compared on these alone."""
    model, brain = pair(counts=4)
    other = brain.assign_coords(region=("neuroid", np.full(30, "IT", object)))
    other = other.assign_coords(neuroid_id=("neuroid", [f"IT.{k}" for k in range(30)]))
    values = np.concatenate([brain.values, other.values], axis=1)
    values[np.flatnonzero(np.arange(240) % 4 != 0)[:60], 30:] = np.nan
    both = assembly(values, stimulus_id=brain.stimulus_id.values, region=["V4"] * 30 + ["IT"] * 30)
    found = noise_corrected(model, both, comparison="spearman", splits=3, resamples=20)
    assert found.stimuli_used.values.tolist() == [60, 40]
    few = both.isel(presentation=np.arange(80, 240), neuroid=np.arange(30, 60))
    rows = np.isin(model.stimulus_id.values, few.stimulus_id.values)
    alone = noise_corrected(
        model.isel(presentation=rows), few, comparison="spearman", splits=3, resamples=20
    )
    for name in ("similarity", "reliability", "corrected"):
        np.testing.assert_allclose(found[name].values.ravel()[1], alone[name].values.ravel()[0])


def test_neuroids_dropped_from_the_reliability_are_dropped_from_the_similarity():
    """Both are of the same neuroids."""
    model, brain = pair()
    brain.values[1::4, 3] = brain.values[2::4, 3] = brain.values[3::4, 3] = np.nan
    found = noise_corrected(model, brain, nan="drop-neuroid", splits=3, resamples=20)
    left = brain.isel(neuroid=np.delete(np.arange(30), 3))
    again = noise_corrected(model, left, splits=3, resamples=20)
    np.testing.assert_allclose(found.corrected, again.corrected)
    assert json.loads(found.attrs["dropped"]) == {"neuroids": ["V4.3"]}


def test_a_few_resamples_without_reliability_keep_the_tail():
    """Resamples with c of 0 or less count as infinite, with the sign of r, not as none."""
    r = np.r_[0.5, -0.5, np.full(98, 0.5)]
    c = np.r_[0.0, -1e6, np.linspace(0.2, 0.8, 98)]
    found = _resampled(r, c, "r/c")
    assert found[:2].tolist() == [np.inf, -np.inf]
    low, high = _ends(found, 0.9)
    assert low < 0.7 < 2.2 < high < 2.5
    assert np.isnan(_ends(np.r_[found, np.full(5, np.inf)], 0.9)[1])
    assert np.isfinite(_ends(np.r_[found, np.full(5, np.inf)], 0.9)[0])


def test_an_interval_that_cannot_be_had_is_said_so():
    """A reason has no nan in it."""
    assert _not_above_zero(0.5, np.nan, None) == ""
    assert "more than one in ten resamples" in _not_above_zero(0.5, np.nan, 0.95)
    assert "reaches -1e+06" in _not_above_zero(0.5, -1e6, 0.95)


def test_no_interval():
    """Without it the values are the same, and nothing is resampled."""
    model, brain = pair()
    found = noise_corrected(model, brain, splits=5, interval=None)
    again = noise_corrected(model, brain, splits=5, resamples=50)
    for name in ("corrected", "similarity", "reliability"):
        np.testing.assert_allclose(found[name], again[name])
    for name in ("low", "high", "reliability_low", "reliability_high"):
        assert np.isnan(found[name]).all()
    assert not {"interval", "resamples"} & set(found.attrs)
    assert found.attrs["not_estimable"] == "{}"


def test_provenance_is_that_of_the_reliability():
    """What `rdm_reliability` says of b is said here too."""
    model, brain = pair()
    found = noise_corrected(model, brain, splits=5, resamples=50)
    own = rdm_reliability(brain, splits=5, resamples=50)
    for name in ("target", "n_stimuli", "dropped", "backend", "interval_over", "splits", "seed"):
        assert found.attrs[name] == own.attrs[name], name
    for name in ("stimuli_used", "stimuli_left_out", "splits_taken"):
        assert found[name].values.tolist() == own[name].values.tolist()
    assert (found.attrs["formula"], found.attrs["reliability_formula"]) == (
        "r/sqrt(c)",
        own.attrs["formula"],
    )


def test_groups_of_stimuli_are_drawn_together():
    """As in `rdm_reliability`."""
    model, brain = pair()
    groups = np.repeat([f"object{k}" for k in range(15)], 16)
    brain = brain.assign_coords(object=("presentation", groups))
    found = noise_corrected(model, brain, splits=3, resamples=100, by="object")
    plain = noise_corrected(model, brain, splits=3, resamples=100)
    assert found.attrs["interval_over"] == "groups of stimuli (object)"
    np.testing.assert_allclose(found.corrected, plain.corrected)
    assert not np.allclose(found.low, plain.low)
    with pytest.raises(InputError, match=r"unknown coordinate.*did you mean 'object'"):
        noise_corrected(model, brain, by="objcet")


def test_arguments_are_checked():
    """Unknown formulae and kinds are named."""
    model, brain = pair(n=10)
    with pytest.raises(InputError, match="unknown formula"):
        noise_corrected(model, brain, formula="r")
    with pytest.raises(InputError, match="is of kind 'trials' or 'sites'"):
        noise_corrected(model, brain, "subjects")
    with pytest.raises(InputError, match="a pair such as"):
        noise_corrected(model, brain, normalise="zscore")
    with pytest.raises(InputError, match="splits must be a whole number"):
        noise_corrected(model, brain, splits=2.5)
    with pytest.raises(InputError, match="resamples must be a whole number"):
        noise_corrected(model, brain, resamples=0)
