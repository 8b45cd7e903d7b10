"""Noise-corrected similarity: its formulae, its interval, and when it is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.ceilings.noise_corrected import _resampled, noise_corrected
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.rdm_estimate import Estimator, Settings
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


def test_a_few_resamples_without_reliability_keep_the_tail():
    """Resamples with c of 0 or less count as the largest ratio, not as none."""
    r = np.full(100, 0.5)
    c = np.r_[0.0, -0.1, np.linspace(0.2, 0.8, 98)]
    found = _resampled(r, c, "r/c")
    assert not np.isnan(found).any()
    assert (found[:2] == found.max()).all()


def test_arguments_are_checked():
    """Unknown formulae and kinds are named."""
    model, brain = pair(n=10)
    with pytest.raises(InputError, match="unknown formula"):
        noise_corrected(model, brain, formula="r")
    with pytest.raises(InputError, match="unknown kind"):
        noise_corrected(model, brain, "subjects")
