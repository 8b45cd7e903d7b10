"""What is said of an estimate that should not be believed as it stands, or is lacking."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.rsa.ceilings.ceiling import noise_ceiling
from neurosage.rsa.ceilings.noise_corrected import noise_corrected
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.neuroids import reliability
from neurosage.rsa.reliability.regions import rdm_reliability
from neurosage.rsa.reliability.selecting import select_reliable

QUICK = {"splits": 3, "interval": None}


def warnings(found):
    """Return them as one text."""
    return " ".join(json.loads(found.attrs["warnings"]))


@pytest.mark.parametrize(
    ("distance", "normalise", "said"),
    [
        ("euclidean", None, "far too high"),
        ("cosine", None, "far too high"),
        ("cosine", "zscore", "are too low"),
        ("correlation", None, "are too low"),
        ("crossnobis", None, "are too low"),
    ],
)
def test_low_rates_are_warned_of_in_the_direction_they_take(repeated, distance, normalise, said):
    """Too high where noise adds to distances, for which crossnobis is offered; else too low."""
    a = repeated(n=40, low=5, high=6, noise=8.0)
    found = warnings(rdm_reliability(a, distance=distance, normalise=normalise, **QUICK))
    assert said in found
    assert ("use distance='crossnobis'" in found) == (said == "far too high")
    assert ("a noise-corrected similarity is too high" in found) == (said == "are too low")
    assert not warnings(rdm_reliability(a, "sites", distance=distance, **QUICK))


def test_a_few_neuroids_without_signal_do_not_speak_for_all():
    """Their estimates have no lower bound; the median is what is warned of."""
    rng = np.random.default_rng(0)
    true = np.repeat(rng.normal(size=(40, 4)) @ rng.normal(size=(4, 30)), 6, 0)
    made = true + 0.5 * rng.normal(size=true.shape)
    # Neuroids whose means hardly vary over stimuli, though their repetitions do.
    made[:, :2] = np.tile([1.0, -1.0, 1.0, -1.0, 1.0, -1.0], 40)[:, None]
    made[:6, :2] += 0.1
    ids = np.repeat([f"img{k}" for k in range(40)], 6)
    a = assembly(made, stimulus_id=ids, region="V4")
    assert float(reliability(a, "variance").mean()) < 0
    assert not warnings(rdm_reliability(a, distance="euclidean", **QUICK))


def test_stimuli_left_out_are_warned_of(repeated, caplog):
    """The target says of which stimuli it speaks, and a warning how many it leaves out."""
    a = repeated(n=60, low=1, high=6, noise=0.5)
    often = int((a["stimulus_id"].to_series().value_counts() >= 4).sum())
    for call in (rdm_reliability, noise_ceiling):
        found = call(a, distance="crossnobis", **QUICK)
        said = f"{60 - often} of 60 stimuli have fewer than 4 independent repetitions"
        assert said in warnings(found)
        assert said in caplog.text
        assert "of the stimuli with 4 or more repetitions only" in found.attrs["target"]
        assert found.attrs["n_stimuli"] == 60
        caplog.clear()
    found = rdm_reliability(a, "sites", **QUICK)
    assert "only" not in found.attrs["target"]
    assert not warnings(found)
    even = rdm_reliability(repeated(n=40, low=4, high=4, noise=0.5), **QUICK)
    assert not warnings(even)
    assert "only" not in even.attrs["target"]


def test_ragged_repetitions_are_warned_of_earlier(repeated):
    """With euclidean distance, where balanced repetitions of such reliability do no harm."""
    ragged, even = repeated(low=4, high=12, noise=5.0), repeated(low=7, high=8, noise=5.0)
    for a in (ragged, even):
        assert 0.5 < float(reliability(a, "variance").mean()) < 0.7
    assert "ragged (4 to 12)" in warnings(rdm_reliability(ragged, distance="euclidean", **QUICK))
    assert not warnings(rdm_reliability(even, distance="euclidean", **QUICK))
    assert "ragged" not in warnings(rdm_reliability(ragged, **QUICK))


def test_crossnobis_wants_eight_repetitions(repeated):
    """With fewer it is warned of at reliabilities that are no harm with more, or otherwise."""
    few, more = repeated(low=6, high=6, noise=3.0), repeated(low=8, high=8, noise=4.0)
    for a in (few, more):
        assert 0.62 < float(reliability(a, "variance").mean()) < 0.69
    found = warnings(rdm_reliability(few, distance="crossnobis", **QUICK))
    assert "below 0.7, with fewer than 8 repetitions" in found
    assert not warnings(rdm_reliability(more, distance="crossnobis", **QUICK))
    assert not warnings(rdm_reliability(few, **QUICK))


def test_averages_say_why_there_is_nothing(recording, caplog):
    """Once in the log and in words in the attributes, with the next step."""
    a = recording(n=20).assign_attrs(repetitions="averaged over 14")
    for call in (
        reliability,
        rdm_reliability,
        noise_ceiling,
        lambda one: noise_corrected(one, one, splits=3, resamples=20),
    ):
        caplog.clear()
        found = call(a)
        assert "averaged over 14 repetitions" in found.attrs["reason"]
        assert "kind='sites'" in found.attrs["reason"]
        assert [record.message for record in caplog.records] == [found.attrs["reason"]]


def test_an_estimate_has_no_reason_against_it(repeated, caplog):
    """Nothing is logged where all is well."""
    a = repeated(n=40, low=6, high=6, noise=1.0)
    for call in (reliability, lambda one: noise_ceiling(one, **QUICK)):
        assert call(a).attrs["reason"] == ""
    assert not caplog.records


def test_selection_on_the_same_trials_is_carried_on(repeated):
    """Into RDM reliability, ceilings and what is corrected by them; not from other trials."""
    a = repeated(n=40, neuroids=20, low=6, high=6, noise=2.0)
    kept, _ = select_reliable(a, 0.5, trials="same")
    for found in (
        rdm_reliability(kept, **QUICK),
        noise_ceiling(kept, **QUICK),
        noise_ceiling(kept, "subjects", interval=None),
        noise_corrected(a, kept, splits=3, resamples=20),
    ):
        assert found.attrs["inflated"] == kept.attrs["inflated"]
        assert kept.attrs["inflated"] in warnings(found)
    other, _ = select_reliable(a, 0.5)
    assert "inflated" not in rdm_reliability(other, **QUICK).attrs


@pytest.mark.parametrize("kind", ["trials", "sites"])
def test_precision_is_that_of_the_whole_or_of_each_half(kind):
    """Diagonal precision is z-scoring by noise; a correlated noise needs the covariance."""
    rng = np.random.default_rng(1)
    true = np.repeat(rng.normal(size=(40, 4)) @ rng.normal(size=(4, 20)), 6, 0)
    ids = np.repeat([f"img{k}" for k in range(40)], 6)
    a = assembly(true + rng.normal(size=true.shape), stimulus_id=ids, region="V4")
    noisy = a.copy(data=a.values + 6.0 * rng.normal(size=(len(a), 1)))
    how = {"distance": "crossnobis", **QUICK}
    plain, weighed = (
        float(rdm_reliability(noisy, kind, precision=each, **how).reliability[0])
        for each in ("none", "shrinkage")
    )
    # Sites share this noise, so halves of them agree on it unless it is weighed out.
    assert weighed > plain if kind == "trials" else weighed < plain
    found = noise_ceiling(noisy, kind, precision="shrinkage", **how)
    np.testing.assert_allclose(found.ceiling[0] ** 2, weighed)
    assert found.attrs["precision"] == "shrinkage"
    diagonal = rdm_reliability(a, kind, precision="diagonal", **how).reliability[0]
    scaled = rdm_reliability(a, kind, normalise="noise", **how).reliability[0]
    np.testing.assert_allclose(diagonal, scaled, atol=1e-6)


def test_precision_reaches_the_similarity_that_is_corrected(repeated):
    """The similarity is that of RDMs of this precision."""
    from neurosage.rsa.similarity import similarity

    a = repeated(n=30, neuroids=12, low=5, high=5)
    how = {"distance": "crossnobis", "precision": "shrinkage"}
    found = noise_corrected(a, a, splits=3, resamples=20, **how)
    made = rdms(a, **how)
    np.testing.assert_allclose(found.similarity, similarity(made, made), atol=1e-9)
    assert found.attrs["precision"] == "shrinkage"
