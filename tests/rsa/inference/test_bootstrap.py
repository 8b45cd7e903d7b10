"""Intervals of similarities: what they cover, what is drawn, and what they say of themselves."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from neurosage.data.assembly import assembly
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.rsa.inference.bootstrap import bootstrap_similarity, resample
from neurosage.rsa.inference.draws import Together
from neurosage.rsa.inference.resampled import similarities
from neurosage.rsa.inference.sides import Sides, read_sides
from neurosage.rsa.inference.squares import Held
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.regions import rdm_reliability
from neurosage.rsa.resampling import multiplicities
from neurosage.rsa.similarity import similarity


def patterns(seed, n=60, groups=None):
    """Show new stimuli to the same model and the same brain, which share three features."""
    fixed = np.random.default_rng(7)
    weights = [fixed.normal(size=(6, 25)) for _ in range(2)]
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 9))
    if groups is not None:
        features = rng.normal(size=(groups, 9))[np.arange(n) % groups] + 0.3 * features
    return features[:, :6] @ weights[0], features[:, 3:] @ weights[1]


def world(seed, n=60, groups=None):
    """Make assemblies of what the model and the brain answer."""
    a, b = patterns(seed, n, groups)
    ids = [f"s{k}" for k in range(n)]
    return assembly(a, stimulus_id=ids, region="layer1"), assembly(b, stimulus_id=ids, region="V4")


def sides_of(seed, n=60):
    """Make euclidean RDMs of them, without the way through assemblies."""
    made = []
    for each in patterns(seed, n):
        products = each @ each.T
        own = products.diagonal()
        made.append(Held((own[:, None] + own - 2 * products)[None]))
    return Sides(("layer1",), ("V4",), np.arange(n), *made, {}, {}, ("layer1",))


def estimated(seed, comparison, n=60):
    """Return the similarity over some stimuli, and what resampling them says of it."""
    sides = sides_of(seed, n)
    return resample(sides, Together(np.arange(n)), comparison, 150, seed)


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "cka_unbiased", "corr_cov"])
def test_the_standard_error_is_the_spread_over_new_stimuli(comparison):
    """Within a quarter, whether stimuli are drawn again or halved."""
    once = np.ones((1, 60))
    found = [similarities(sides_of(k), once, comparison).item() for k in range(200)]
    errors = [estimated(k, comparison).standard_error().item() for k in range(15)]
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.25)


@pytest.mark.parametrize("comparison", ["pearson", "corr_cov"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(comparison):
    """Of 100 intervals of 90%, most hold the similarity over very many stimuli."""
    truth = similarities(sides_of(1000, 1500), np.ones((1, 1500)), comparison).item()
    held = 0
    for seed in range(100):
        low, high = estimated(seed, comparison).ends(0.9)
        held += bool(low.item() <= truth <= high.item())
    assert 80 <= held <= 98


def test_the_table_is_that_of_similarity(recording):
    """The estimate itself, percentiles of the resamples about it, and how it was made."""
    a, b = recording(n=50, seed=1), recording(n=50, seed=2)
    found = bootstrap_similarity(a, b, resamples=200, seed=3, interval=0.8)
    expected = similarity(a, b)
    np.testing.assert_allclose(found.similarity, expected.values, atol=1e-6)
    values = similarities(read_sides(a, b), multiplicities(50, 200, 3), "pearson")
    np.testing.assert_allclose(found.low, np.percentile(values, 10, axis=0))
    np.testing.assert_allclose(found.high, np.percentile(values, 90, axis=0))
    np.testing.assert_allclose(found.standard_error, values.std(0, ddof=1))
    assert list(found.region_a.values) == ["V4", "IT"]
    about = {"method": "bootstrap over stimuli", "interval_over": "stimuli", "interval": 0.8,
             "resamples": 200, "seed": 3, "distance": "correlation", "undefined": "{}"}  # fmt: skip
    assert about.items() <= found.attrs.items()
    assert found.identical(bootstrap_similarity(a, b, resamples=200, seed=3, interval=0.8))


@pytest.mark.parametrize("comparison", ["corr_cov", "cka", "kendall"])
def test_halves_say_that_they_are_halves(recording, comparison):
    """What cannot be drawn twice is halved; the interval is about the estimate all the same."""
    a, b = recording(n=24, seed=1), recording(n=24, seed=2)
    found = bootstrap_similarity(a, b, None, comparison, resamples=40)
    assert found.attrs["method"].startswith("half-samples of stimuli without replacement")
    assert ("computed anew" in found.attrs["method"]) is (comparison == "kendall")
    np.testing.assert_allclose(
        found.similarity, similarity(a, b, None, comparison).values, atol=1e-5
    )
    assert bool(((found.low < found.similarity) & (found.similarity < found.high)).all())


def teacher(b, **columns):
    """Make a teacher whose stimuli have columns, in an order of their own."""
    ids = list(b["stimulus_id"].values)
    table = pd.DataFrame({"stimulus_id": ids, **columns})[::-1]
    return Teacher("lab", StimulusSet("lab", table, np.zeros((len(ids), 4, 4, 3), np.uint8)), b)


def test_groups_are_drawn_by_a_coordinate_or_a_column(recording):
    """Images of one object that are alike: wider intervals, the same from either place."""
    a, b = world(0, n=120, groups=20)
    objects = [f"object{k % 20}" for k in range(120)]
    labelled = b.assign_coords(object=("presentation", objects))
    how = {"distance": "euclidean", "resamples": 200}
    single = bootstrap_similarity(a, b, **how)
    one = bootstrap_similarity(a, labelled, by="object", **how)
    assert one.standard_error.item() > 1.5 * single.standard_error.item()
    assert one.attrs["interval_over"] == "groups of stimuli (object)"
    held = teacher(b, object=objects)
    for other in (
        bootstrap_similarity(a, held, by="object", **how),
        bootstrap_similarity(held, rdms(a, "euclidean"), by="object", **how),
        bootstrap_similarity(a[::-1], held, by="object", **how),
    ):
        np.testing.assert_allclose(other.low, one.low, atol=1e-6)
    halves = bootstrap_similarity(a, held, None, "cka", by="object", resamples=40)
    assert "groups of stimuli (object)" in halves.attrs["method"]
    with pytest.raises(InputError, match=r"unknown coordinate.*column.*did you mean 'object'"):
        bootstrap_similarity(a, held, by="objct")


def test_stimuli_without_label_are_not_drawn_by_it(recording):
    """They are counted, before anything is drawn."""
    a, b = world(0)
    kinds = [None, *[f"kind{k % 12}" for k in range(59)]]
    with pytest.raises(InputError, match="1 of 60 stimuli have no 'kind'"):
        bootstrap_similarity(a, teacher(b, kind=kinds), by="kind")


def test_rdm_reliability_draws_by_columns_too(repeated):
    """Of the teacher's stimuli, as by a coordinate."""
    b = repeated(n=40, neuroids=10, low=4)
    names = list(dict.fromkeys(b["stimulus_id"].values))
    objects = {name: f"object{int(name[3:]) // 2}" for name in names}
    made = StimulusSet(
        "lab",
        pd.DataFrame({"stimulus_id": names, "object": [objects[name] for name in names]}),
        np.zeros((40, 4, 4, 3), np.uint8),
    )
    labels = [objects[name] for name in b["stimulus_id"].values]
    how = {"by": "object", "splits": 3, "resamples": 100}
    one = rdm_reliability(Teacher("lab", made, b), "trials", **how)
    other = rdm_reliability(b.assign_coords(object=("presentation", labels)), "trials", **how)
    assert one.low.equals(other.low)
    assert one.high.equals(other.high)


def test_regions_without_similarity_keep_their_place(recording):
    """NaN with the reason, or an error."""
    b = recording(seed=2)
    a = recording(regions=(("V4", 12), ("one", 1)))
    found = bootstrap_similarity(a, b, resamples=20, undefined="nan")
    assert np.isnan(found.low.values[1]).all()
    assert np.isfinite(found.low.values[0]).all()
    assert "constant" in json.loads(found.attrs["undefined"])["one"]
    with pytest.raises(InputError, match="'one'"):
        bootstrap_similarity(a, b, resamples=20)


def test_ends_are_not_beyond_what_similarities_can_be():
    """Halves put about a high estimate stay within 1; resamples without value, NaN."""
    a, b = world(0)
    exact = bootstrap_similarity(a, a, None, "cka_unbiased", resamples=30)
    assert exact.high.item() <= 1.0
    with pytest.raises(InputError, match="resamples must be a whole number of 20"):
        bootstrap_similarity(a, b, resamples=3)
    with pytest.raises(InputError, match="interval must be between"):
        bootstrap_similarity(a, b, interval=95)


def test_subjects_are_drawn_on_request(recording):
    """Then it is the interval over subjects and stimuli."""
    a, b = recording(seed=1), recording(seed=2, regions=(("IT", 12),))
    b = b.assign_coords(subject=("neuroid", np.repeat(list("xyz"), 4)))
    found = bootstrap_similarity(a, b, subjects=True, resamples=40)
    assert "variance_subjects" in found
    assert found.attrs["resamples"] == 40
