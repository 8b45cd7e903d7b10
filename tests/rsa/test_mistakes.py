"""What a user's mistake is answered with: one sentence that leads on."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from torch import nn

import neurosage as ns
from neurosage.data.assembly import assembly
from neurosage.data.images import ArrayImages
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.rsa.similarity import prepare, similarity, similarity_to

IDS = [f"img{k}" for k in range(12)]
RNG = np.random.default_rng(0)


@pytest.fixture
def once() -> xr.DataArray:
    """Return what a network answers: every stimulus once, some values below 0."""
    return assembly(RNG.normal(size=(12, 9)), stimulus_id=IDS, region="layer1")


@pytest.fixture
def twice() -> xr.DataArray:
    """Return rates with two repetitions of every stimulus."""
    values = RNG.gamma(2.0, 5.0, (24, 9))
    return assembly(values, stimulus_id=IDS * 2, region="V4", mood=list("a" * 12 + "b" * 12))


@pytest.fixture
def teacher(twice: xr.DataArray) -> Teacher:
    table = pd.DataFrame({"stimulus_id": IDS, "label": list("aabbccddeeff")})
    images = ArrayImages(np.zeros((12, 4, 4, 3), np.uint8))
    return Teacher("lab", StimulusSet("shown", table, images), twice, normalise="zscore")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("pixels", r"no teacher.*neurosage\.record\('pixels', stimuli\)"),
        ("macaque-v4", r"load it first: neurosage\.load_teacher\('macaque-v4'\)"),
        (None, r"not None"),
        (nn.Linear(2, 2), r"Linear is a network.*neurosage\.record\(model, stimuli\)"),
        (SimpleNamespace(module=nn.Linear(2, 2)), r"is a network.*record\(model, stimuli\)"),
        ([1.0, 2.0], r"assembly\(values"),
    ],
)
@pytest.mark.parametrize("distance", ["correlation", "crossnobis"])
def test_what_is_no_recording(once, twice, given, said, distance) -> None:
    """On either side, whatever the distance."""
    for a, b in ((given, twice), (twice, given)):
        with pytest.raises(InputError, match=said):
            similarity(a, b, distance)
    with pytest.raises(InputError, match=said):
        ns.rdms(given, distance)
    with pytest.raises(InputError, match=said):
        prepare(given, distance=distance)
    with pytest.raises(InputError, match=said):
        similarity_to(prepare(twice, distance=distance), given)
    with pytest.raises(InputError, match=said):
        ns.noise_ceiling(given)


def test_a_score_is_no_recording(once) -> None:
    """It holds similarities: the network is to be recorded."""
    both = {"region": ["V4"], "layer": ["conv"]}
    score = ns.Score(xr.Dataset({"similarity": (tuple(both), [[0.5]])}, both))
    with pytest.raises(InputError, match=r"Score holds similarities.*record\(model, stimuli\)"):
        similarity(score, once)


def test_by_is_one_name(teacher, once) -> None:
    """A list of one name is none."""
    said = r"by is one name, such as 'label', not \['label'\]"
    for call in (
        lambda by: similarity(teacher, teacher, by=by),
        lambda by: ns.rdms(teacher, by=by),
        lambda by: ns.rdms(teacher, "crossnobis", by=by, normalise="none"),
        lambda by: prepare(teacher, by=by),
        lambda by: ns.reliability(teacher, by=by),
        lambda by: ns.rdm_reliability(teacher, by=by),
        lambda by: ns.noise_ceiling(teacher, by=by),
        lambda by: ns.bootstrap_similarity(teacher, teacher, by=by),
    ):
        with pytest.raises(InputError, match=said):
            call(["label"])


def test_choices_of_by_are_those_of_both_sides(teacher, once) -> None:
    """What varies within a stimulus is none, nor what one side lacks; both orders say the same."""
    labelled = once.assign_coords(label=("presentation", list("aabbccddeeff")))
    assert similarity(teacher, labelled, by="label").shape == (1, 1)
    for by in ("lable", "repetition", "repetitions", "mood"):
        for a, b in ((teacher, labelled), (labelled, teacher)):
            with pytest.raises(InputError) as caught:
                similarity(a, b, by=by)
            assert "Choices: stimulus_id, label." in str(caught.value)
    with pytest.raises(InputError) as caught:
        ns.rdms(teacher, by="repetition")
    assert "Choices: stimulus_id, label." in str(caught.value)
    with pytest.raises(InputError) as caught:
        ns.rdms(labelled, by="repetitions")
    assert "Choices: stimulus_id, label." in str(caught.value)


def test_a_side_without_the_categories_is_named(teacher, once) -> None:
    """And how it gets them."""
    with pytest.raises(InputError, match=r"the first side has no 'label'.*assign_coords"):
        similarity(once, teacher, by="label")
    with pytest.raises(InputError, match=r"the second side has no 'label'.*assign_coords"):
        similarity(teacher, once, by="label")


def test_reliability_draws_by_a_column_of_the_stimuli() -> None:
    """As noise ceilings do; the same as by a coordinate of the same labels."""
    ids = [f"s{k}" for k in range(40)]
    label = [f"object{k // 2}" for k in range(40)]
    signal = RNG.normal(size=(40, 5))
    values = np.concatenate([signal, signal]) + RNG.normal(size=(80, 5))
    plain = assembly(values, stimulus_id=ids * 2, region="V4")
    table = pd.DataFrame({"stimulus_id": ids[::-1], "label": label[::-1]})
    images = ArrayImages(np.zeros((40, 4, 4, 3), np.uint8))
    held = Teacher("lab", StimulusSet("shown", table, images), plain)
    how = {"method": "variance", "interval": 0.9, "resamples": 50}
    wanted = ns.reliability(
        plain.assign_coords(label=("presentation", label * 2)), by="label", **how
    )
    found = ns.reliability(held, by="label", **how)
    np.testing.assert_array_equal(found.low, wanted.low)
    assert (found.low != ns.reliability(held, **how).low).any()


def test_normalise_shows_the_pair(teacher, once) -> None:
    """With the value that was asked for."""
    with pytest.raises(InputError, match=r"normalise=\('zscore', 'zscore'\)"):
        similarity(teacher, once, normalise="zscore")
    with pytest.raises(InputError, match=r"not 3"):
        similarity(teacher, once, normalise=3)


def test_rates_as_recorded_in_the_form_of_the_call(teacher) -> None:
    """One string, or in similarity a pair."""
    said = r"normalise='none' \(in similarity: normalise=\('none', 'none'\)\)"
    with pytest.raises(InputError, match=said):
        similarity(teacher, teacher, "poisson")
    with pytest.raises(InputError, match=said):
        ns.rdms(teacher, "poisson_cv")


def test_layers_below_0_have_no_rates(once) -> None:
    """Networks have no baseline, but a ReLU."""
    with pytest.raises(InputError, match=r"after its ReLU") as caught:
        ns.rdms(once, "poisson")
    assert ".." not in str(caught.value)


def test_missing_responses_do_not_go_in_circles(twice) -> None:
    """For mahalanobis the policies need the diagonal where single repetitions lack."""
    lacking = twice.copy(deep=True)
    lacking.values[0, 0] = lacking.values[3, 2] = np.nan
    with pytest.raises(InputError, match=r"nan='drop-neuroid'.*with precision='diagonal'"):
        ns.rdms(lacking, "mahalanobis", nan="pairwise")
    for nan in ("drop-neuroid", "drop-stimulus"):
        assert ns.rdms(lacking, "mahalanobis", nan=nan, precision="diagonal").notnull().all()
    with pytest.raises(InputError) as caught:
        ns.rdms(lacking, "crossnobis", nan="pairwise")
    assert "precision" not in str(caught.value)


@pytest.mark.parametrize("nan", ["raise", "drop-stimulus", "drop-neuroid", "pairwise"])
@pytest.mark.parametrize("distance", ["correlation", "crossnobis"])
def test_infinite_is_not_missing(twice, nan, distance) -> None:
    """No policy leaves it out."""
    broken = twice.copy(deep=True)
    broken.values[0, 0] = np.inf
    if (nan, distance) == ("pairwise", "crossnobis"):
        pytest.skip("no such policy")
    with pytest.raises(InputError, match=r"infinite.*set them to NaN.*select") as caught:
        ns.rdms(broken, distance, nan=nan)
    assert "leaves" not in str(caught.value)


@pytest.mark.parametrize("distance", ["crossnobis", "mahalanobis", "poisson_cv"])
def test_swapped_sides_are_named(once, twice, distance) -> None:
    """The network goes first: the second side's noise is what repetitions are for."""
    network = abs(once)
    said = rf"{distance} needs repetitions of b.*first.*similarity\(network, recording"
    with pytest.raises(InputError, match=said):
        similarity(twice, network, distance)
    assert similarity(network, twice, distance).shape == (1, 1)
    with pytest.raises(InputError) as caught:
        similarity(network, network, distance)
    assert "network first" not in str(caught.value)


def test_distance_where_there_is_none(once) -> None:
    """One way out is enough."""
    with pytest.raises(InputError, match=r"leave distance out, or give distance='none'\.$"):
        similarity(once, once, "crossnobis", "svcca")


def test_distances_are_listed_once(once) -> None:
    """The backend is named behind them."""
    with pytest.raises(InputError) as caught:
        similarity(once, once, "correlatio")
    assert str(caught.value).count("crossnobis") == 1
    assert "backend 'torch'" in str(caught.value)


@pytest.mark.parametrize("distance", ["mahalanobis", "poisson", "poisson_cv"])
def test_reliability_of_rdms_has_four_distances(twice, distance) -> None:
    """A distance that exists is not called unknown."""
    said = rf"correlation, euclidean, cosine, crossnobis only, not of {distance!r}"
    for call in (ns.rdm_reliability, ns.noise_ceiling):
        with pytest.raises(InputError, match=said):
            call(twice, distance=distance)
    with pytest.raises(InputError, match=said):
        ns.noise_corrected(twice, twice, distance=distance)


def test_comparisons_of_reliability(twice) -> None:
    """A comparison that exists is not called unknown."""
    with pytest.raises(InputError, match="pearson, spearman, cosine only, not by 'kendall'"):
        ns.noise_ceiling(twice, comparison="kendall")
    with pytest.raises(InputError, match="pearson, spearman, cosine only, not by 'cka'"):
        ns.noise_ceiling(twice, "subjects", comparison="cka")
    with pytest.raises(InputError, match="unknown comparison 'pearsn'; did you mean"):
        ns.noise_ceiling(twice, comparison="pearsn")


def test_subjects_are_a_kind_of_ceiling_only(twice) -> None:
    """Nothing is divided by its bounds."""
    for call in (
        lambda: ns.noise_corrected(twice, twice, "subjects"),
        lambda: ns.rdm_reliability(twice, "subjects"),
    ):
        with pytest.raises(InputError, match=r"'trials' or 'sites'.*noise_ceiling"):
            call()


def test_a_ceiling_over_one_subject_says_why(twice, caplog) -> None:
    """As the other kinds do: in the attribute and in the log."""
    with caplog.at_level(logging.WARNING):
        found = ns.noise_ceiling(twice, "subjects", interval=None)
    said = found.attrs["reason"]
    assert said.startswith("Noise ceiling (subjects) cannot be estimated for V4: RDMs of 1 subject")
    assert said in caplog.messages
    assert json.loads(found.attrs["not_estimable"])["V4"].startswith("RDMs of 1 subject")
    two = twice.assign_coords(subject=("neuroid", list("aaaabbbbb")))
    assert ns.noise_ceiling(two, "subjects", interval=None).attrs["reason"] == ""


def test_too_few_stimuli(once) -> None:
    """Each comparison says what it needs."""
    with pytest.raises(InputError, match=r"^1 stimulus makes 0 distances; comparing RDMs needs"):
        similarity(once[:1], once[:1], "euclidean")
    with pytest.raises(InputError, match=r"^2 stimuli make 1 distance; comparing RDMs needs"):
        similarity(once[:2], once[:2], "euclidean")
    for comparison in ("svcca", "procrustes"):
        with pytest.raises(InputError, match=rf"^{comparison} needs at least 3 stimuli.*not 2\.$"):
            similarity(once[:2], once[:2], comparison=comparison)
    with pytest.raises(InputError, match=r"^cka_unbiased needs at least 4 stimuli.*not 3\.$"):
        similarity(once[:3], once[:3], comparison="cka_unbiased")
    made = ns.rdms(once[:3], "euclidean")
    with pytest.raises(InputError, match=r"^cka_unbiased needs at least 4 stimuli"):
        similarity(made, made, comparison="cka_unbiased")


def test_ids_of_two_types(once) -> None:
    """Numbers do not match text, and the message says that this is why."""
    values = RNG.normal(size=(12, 9))
    whole = assembly(values, stimulus_id=np.arange(12), region="V4")
    broken = assembly(values, stimulus_id=np.arange(12.0), region="V4")
    said = r"ids of one side are text and of the other numbers"
    with pytest.raises(InputError, match=said):
        similarity(whole, broken)
    with pytest.raises(InputError, match=said):
        similarity(ns.rdms(whole), ns.rdms(broken))
    with pytest.raises(InputError) as caught:
        similarity(once, whole)
    assert "numbers" not in str(caught.value)
