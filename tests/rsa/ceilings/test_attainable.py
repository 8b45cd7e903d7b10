"""The true attainable similarity: what a noise ceiling estimates."""

from __future__ import annotations

import numpy as np
import pytest
from neurosage.teachers.simulated_macaque import true_rates

from neurosage.data.assembly import assembly, select
from neurosage.data.simulate import simulate
from neurosage.errors import InputError
from neurosage.rsa.ceilings.attainable import attainable_similarity
from neurosage.rsa.rdm import rdms
from neurosage.rsa.similarity import similarity


def make_rates(stimuli=40, neuroids=12, seed=0):
    values = np.random.default_rng(seed).gamma(2.0, 10.0, (stimuli, neuroids))
    return assembly(
        values,
        stimulus_id=[f"s{k}" for k in range(stimuli)],
        region=np.repeat(["V4", "IT"], [neuroids // 3, neuroids - neuroids // 3]),
    )


@pytest.mark.parametrize("distance", ["correlation", "euclidean"])
def test_it_is_the_mean_similarity_of_recordings_with_the_truth(distance):
    """Recordings of one's own, compared with the rates, come to the same mean."""
    rates = make_rates()
    truth = rdms(rates, distance, normalise="zscore")
    own = [
        np.diag(similarity(simulate(rates, 3, seed=seed), truth, distance,
                           normalise=("zscore", None)))
        for seed in range(40)
    ]  # fmt: skip
    found = attainable_similarity(rates, 3, distance=distance, normalise="zscore", recordings=40)
    np.testing.assert_allclose(found.similarity, np.mean(own, axis=0), atol=0.02)
    np.testing.assert_allclose(found.sd, np.std(own, axis=0), rtol=0.5)
    assert list(found.region.values) == ["V4", "IT"]


def test_it_grows_with_repetitions_and_with_sites():
    """More of either is nearer to the truth; all sites and endless repetitions reach it."""
    rates = make_rates(neuroids=30)
    by_trials = [attainable_similarity(rates, r, recordings=5).similarity for r in (1, 10, 500)]
    assert (by_trials[0] < by_trials[1]).all()
    assert (by_trials[1] < by_trials[2]).all()
    assert (by_trials[2] > 0.97).all()
    by_sites = [attainable_similarity(rates, 500, sites=p, recordings=5).similarity for p in (3, 9)]
    assert (by_sites[0] < by_sites[1]).all()
    assert (by_sites[1] < by_trials[2]).all()


def test_plain_distances_are_what_the_conventions_report():
    """At low rates a recording's plain RDM is far from that of the rates."""
    rates = true_rates()
    low = select(rates.copy(data=rates.values * 0.1), region="V4")
    found = attainable_similarity(low, 4, recordings=3, normalise="zscore")
    assert 0.3 < float(found.similarity[0]) < 0.45


def test_ragged_repetitions_and_provenance():
    """Repetitions may differ; attributes say how it was made; a seed gives one result."""
    rates = make_rates()
    ragged = np.arange(40) % 5 + 2
    a, b = (attainable_similarity(rates, ragged, recordings=2, seed=4) for _ in range(2))
    assert a.identical(b)
    assert a.attrs["repetitions"] == 4
    assert (a.attrs["sites"], a.attrs["recordings"], a.attrs["n_stimuli"]) == ("all", 2, 40)
    assert np.isnan(attainable_similarity(rates, 2, recordings=1).sd).all()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"recordings": 0}, "recordings must be a whole number of 1 or more, not 0"),
        ({"recordings": 2.5}, "recordings must be a whole number of 1 or more, not 2.5"),
        ({"seed": -1}, "seed must be a whole number of 0 or more, not -1"),
        ({"sites": 0}, "sites must be a whole number of 1 or more, not 0"),
        ({"sites": 5}, "sites must be 1 to 4, the neuroids of 'V4', but is 5"),
        ({"repetitions": 0}, "whole number of 1 or more"),
        ({"distance": "corelation"}, "did you mean 'correlation'"),
    ],
)
def test_wrong_arguments_are_named(keys, message):
    """What does not fit is said at once."""
    with pytest.raises(InputError, match=message):
        attainable_similarity(make_rates(), **keys)
