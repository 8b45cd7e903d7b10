"""RDMs given instead of responses: their own distance is taken, and nothing is ignored."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.rsa.ceilings.ceiling import noise_ceiling
from neurosage.rsa.prepared import prepare
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.regions import rdm_reliability
from neurosage.rsa.similarity import similarity, similarity_to


@pytest.fixture
def responses(recording):
    """Responses with categories."""
    return recording(n=12).assign_coords(
        category=("presentation", np.repeat(list("abcd"), 3)),
    )


def of_rdms(responses, **how):
    """A teacher that holds RDMs only."""
    made = rdms(responses, **how)
    ids = list(made["stimulus_id_i"].values)
    n = len(ids)
    shown = StimulusSet("s", pd.DataFrame({"stimulus_id": ids}), np.zeros((n, 2, 2, 3), np.uint8))
    return Teacher("published", shown, None, made, kind="rdm")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"normalise": "zscore"}, r"normalise='zscore' acts on responses.*normalise: none"),
        ({"normalise": "zscoer"}, "unknown normalisation 'zscoer'"),
        ({"by": "category"}, r"by='category' acts on responses.*by: stimulus_id.*leave by out"),
        ({"by": "categry"}, "by='categry' acts on responses"),
        ({"precision": "diagonal"}, "precision='diagonal' acts on responses"),
        ({"precision": "full"}, "unknown precision 'full'"),
        ({"precision": {"V4": np.eye(12)}}, "precision='given' acts on responses"),
    ],
)
def test_what_only_responses_could_give_is_refused(responses, asked, message):
    """Neither RDMs nor a teacher of RDMs takes it quietly."""
    for source in (rdms(responses), of_rdms(responses)):
        with pytest.raises(InputError, match=message):
            rdms(source, **asked)
        if "by" not in asked:
            for estimate in (rdm_reliability, lambda s, **k: noise_ceiling(s, "subjects", **k)):
                with pytest.raises(InputError):
                    estimate(source, **{"distance": "crossnobis", **asked})
        if "precision" not in asked:
            with pytest.raises(InputError, match=message):
                prepare(source, **asked)


def test_both_sides_are_looked_at(responses):
    """Normalisation is checked of either side, categories of RDMs on both."""
    made = rdms(responses)
    with pytest.raises(InputError, match="normalise='zscore' acts"):
        similarity(made, responses, normalise=("zscore", None))
    with pytest.raises(InputError, match="normalise='centre' acts"):
        similarity(responses, made, normalise=(None, "centre"))
    with pytest.raises(InputError, match="by='category' acts"):
        similarity(made, made, by="category")


def test_attributes_are_those_of_the_rdms(responses):
    """What they were made with may be asked for again, and is what the attributes say."""
    made = rdms(responses, by="category", normalise="zscore")
    for how in ({}, {"by": "category", "normalise": (None, "zscore")}):
        found = similarity(made, made, **how)
        assert (found.attrs["by"], found.attrs["normalise_b"]) == ("category", "zscore")
    published = made.assign_attrs(by="category")
    del published.attrs["by"]
    assert similarity(responses, published, by="category").shape == (2, 2)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_the_distance_of_rdms_is_taken(responses, distance):
    """Nothing need be asked for; what is asked for and differs is refused with the step."""
    made = rdms(responses, distance)
    expected = similarity(responses, responses, distance)
    for a, b in ((responses, made), (made, responses), (made, made)):
        found = similarity(a, b)
        assert found.attrs["distance"] == distance
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert similarity_to(prepare(made), responses).attrs["distance"] == distance
    assert rdms(made).attrs["distance"] == distance
    assert noise_ceiling(made, "subjects").attrs["distance"] == distance
    assert rdm_reliability(made).attrs["distance"] == distance
    with pytest.raises(InputError, match=f"Leave distance out, or give distance='{distance}'"):
        similarity(responses, made, "correlation")
    with pytest.raises(InputError, match="RDMs of one distance"):
        similarity(made, rdms(responses))


def test_crossnobis_rdms_meet_responses_without_repetitions(repeated):
    """The other side, which has no noise, is then euclidean."""
    brain = repeated(n=12, neuroids=8)
    network = brain.groupby("stimulus_id").mean().rename(stimulus_id="presentation")
    network = _as_assembly(network)
    found = similarity(network, rdms(brain, "crossnobis", precision="shrinkage"))
    assert (found.attrs["distance"], found.attrs["distance_a"]) == ("crossnobis", "euclidean")


def _as_assembly(network):
    from neurosage.data.assembly import assembly

    return assembly(network.values, stimulus_id=network["presentation"].values, region="layer1")


@pytest.mark.parametrize(
    ("distance", "plain"),
    [("crossnobis", "euclidean"), ("mahalanobis", "euclidean"), ("poisson_cv", "poisson")],
)
def test_rdms_without_noise_meet_those_that_took_it_out(repeated, distance, plain):
    """The plain distance stands first, that of repetitions second; not the other way round."""
    brain = abs(repeated(n=8, neuroids=6, low=3))
    first, second = rdms(brain, plain), rdms(brain, distance)
    found = similarity(first, second)
    assert (found.attrs["distance"], found.attrs["distance_a"]) == (distance, plain)
    with pytest.raises(
        InputError, match=f"{distance!r} distance, the other of {plain!r}.*{plain} with {distance}"
    ):
        similarity(second, first)


def test_given_precisions_are_never_those_of_rdms(repeated):
    """Whether matrices are the same is not known of RDMs that were made with some."""
    brain = repeated(n=8, neuroids=6)
    made = rdms(brain, "mahalanobis", precision={"V4": np.eye(6)})
    assert rdms(made).attrs["precision"] == "given"
    assert rdms(made, precision="none") is made
    with pytest.raises(InputError, match=r"acts on responses.*\(precision: given\)"):
        rdms(made, precision={"V4": np.eye(6)})


@pytest.mark.parametrize("distance", ["mahalanobis", "crossnobis", "poisson", "poisson_cv"])
def test_distances_made_here_are_every_backend_s(repeated, distance):
    """The reference compares them, too."""
    brain = abs(repeated(n=8, neuroids=6, low=3))
    found = [similarity(brain, brain[::-1], distance, backend=each) for each in BACKENDS]
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


BACKENDS = ("torch", "rsatoolbox")


def test_crossnobis_is_among_the_choices(responses):
    """Wherever an unknown distance is named."""
    for call in (
        lambda: rdms(responses, "pearson"),
        lambda: similarity(responses, responses, "pearson"),
        lambda: prepare(responses, distance="pearson"),
        lambda: rdm_reliability(responses, distance="pearson"),
    ):
        with pytest.raises(InputError, match=r"unknown distance 'pearson'.*crossnobis"):
            call()


def test_crossnobis_of_averages_says_what_it_needs(responses):
    """Leaving out stimuli would leave none, so that is not the advice."""
    with pytest.raises(InputError, match=r"single repetitions.*distance='correlation'") as error:
        rdms(responses.assign_attrs(repetitions="averaged over 14"), "crossnobis")
    assert "averaged over 14 repetitions" in str(error.value)
    assert "drop-stimulus" not in str(error.value)


def test_regions_of_one_name_are_refused(responses):
    """Of two RDMs with one name, the second would overwrite the first."""
    made = rdms(responses)
    twice = made.isel(region=[0, 0])
    with pytest.raises(InputError, match=r"regions must be unique.*is the name of 2"):
        similarity(twice, responses)
    with pytest.raises(InputError, match="regions must be unique"):
        similarity(responses, made.isel(region=[0, 0]).assign_coords(region=[1, "1"]))
