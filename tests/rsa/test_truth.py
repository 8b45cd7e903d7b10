"""Estimates against the truth of simulated recordings: the fast version of the study."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from neurosage.teachers.simulated_macaque import true_rates

from neurosage.data.registry import load_stimuli
from neurosage.data.simulate import draw_stimuli, population_reliability, simulate
from neurosage.rsa.ceilings.attainable import attainable_similarity
from neurosage.rsa.ceilings.ceiling import noise_ceiling
from neurosage.rsa.ceilings.noise_corrected import noise_corrected
from neurosage.rsa.reliability.neuroids import reliability
from neurosage.rsa.similarity import similarity

RAGGED = "2 to 10"


@pytest.fixture(scope="module")
def population():
    """True rates of every third neuroid to all 1797 digits."""
    return true_rates(load_stimuli("digits"))[:, ::3]


@pytest.fixture(scope="module")
def shown():
    """True rates of the teacher's neuroids to 360 digits."""
    return true_rates()


def scaled(rates, scale):
    return rates.copy(data=rates.values * scale)


@pytest.fixture(scope="module")
def study():
    """The study in examples/, as a module."""
    path = Path(__file__).parents[2] / "examples" / "reliability_study.py"
    spec = importlib.util.spec_from_file_location("reliability_study", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def estimates(population, scale, repetitions, n, recordings, method="variance", **keys):
    """Errors and coverage of many recordings, shape (recording, neuroid)."""
    rates, errors, covered = scaled(population, scale), [], []
    for seed in range(recordings):
        rng = np.random.default_rng([seed, n])
        times = rng.integers(2, 11, n) if repetitions == RAGGED else np.full(n, repetitions)
        truth = population_reliability(rates, times)
        recorded = simulate(draw_stimuli(rates, n, seed), times, seed=seed)
        found = reliability(recorded, method, 10, seed, **keys)
        errors.append(found.values - truth)
        if keys:
            covered.append((found["low"].values <= truth) & (truth <= found["high"].values))
    return np.array(errors), np.array(covered)


@pytest.mark.parametrize("method", ["split-half", "variance"])
@pytest.mark.parametrize(
    ("scale", "repetitions"), [(1.0, 3), (0.25, RAGGED), (0.1, 8)], ids=["high", "ragged", "low"]
)
def test_bias_is_below_a_hundredth_with_600_stimuli(population, method, scale, repetitions):
    """At the median over neuroids, whatever the rates and the repetitions."""
    errors, _ = estimates(population, scale, repetitions, 600, 20, method)
    assert abs(np.median(errors.mean(axis=0))) < 0.01


@pytest.mark.parametrize("method", ["split-half", "variance"])
def test_few_stimuli_and_low_reliability_bias_downwards(population, method):
    """With 100 stimuli and a reliability near .3 the bias is what the documents say."""
    errors, _ = estimates(population, 0.1, 8, 100, 60, method)
    assert -0.05 < np.median(errors.mean(axis=0)) < -0.005


@pytest.mark.parametrize("method", ["split-half", "variance"])
@pytest.mark.parametrize("scale", [1.0, 0.1], ids=["high", "low"])
def test_intervals_cover_what_they_say(population, method, scale):
    """Nominal 95% intervals hold the truth of the population in 90 to 98 of 100 cases."""
    keys = {"interval": 0.95, "resamples": 300}
    _, covered = estimates(population[:, ::2], scale, 3, 600, 20, method, **keys)
    assert 0.90 < covered.mean() < 0.98


def ceiling_and_truth(rates, times, kind="trials", distance="correlation", seeds=2):
    """The estimated and the attainable similarity, means over regions and recordings."""
    how = {"distance": distance, "normalise": "zscore"}
    found = [
        noise_ceiling(simulate(rates, times, seed=seed), kind, splits=6, interval=None, **how)
        for seed in range(seeds)
    ]
    best = attainable_similarity(rates, times, recordings=3, **how)
    return float(np.mean([each.ceiling for each in found])), float(best.similarity.mean())


@pytest.mark.parametrize("distance", ["correlation", "euclidean", "crossnobis"])
def test_ceilings_over_trials_come_to_the_truth_at_high_rates(shown, distance):
    """Within .03 of what the true RDM itself reaches."""
    ceiling, best = ceiling_and_truth(shown[::2], 8, distance=distance)
    assert ceiling == pytest.approx(best, abs=0.03)


def test_plain_distances_at_low_rates_promise_too_much(shown):
    """Ragged repetitions at 2 spikes/s: .85 for .58 with euclidean, .48 for .62 with crossnobis.

    Both halves of the trials share the bias that noise adds to plain distances; that of
    crossnobis is low, as the formula for RDM noise is.
    """
    rates = scaled(shown[::2], 0.1)
    times = np.random.default_rng(0).integers(4, 13, len(rates))
    ceiling, best = ceiling_and_truth(rates, times, distance="euclidean")
    assert (ceiling, best) == pytest.approx((0.85, 0.58), abs=0.03)
    ceiling, best = ceiling_and_truth(rates, times, distance="crossnobis")
    assert (ceiling, best) == pytest.approx((0.48, 0.62), abs=0.05)


@pytest.mark.parametrize(("normalise", "too_high"), [("none", True), ("zscore", False)])
def test_cosine_distance_is_biased_as_its_normalisation_says(shown, normalise, too_high):
    """As euclidean distance on responses as recorded, as correlation distance on z-scores."""
    rates = scaled(shown[::2], 0.25)
    times = np.random.default_rng(0).integers(4, 13, len(rates))
    how = {"distance": "cosine", "normalise": normalise}
    found = noise_ceiling(simulate(rates, times, seed=0), splits=5, interval=None, **how)
    best = attainable_similarity(rates, times, recordings=2, **how)
    off = float(found.ceiling.mean() - best.similarity.mean())
    assert off > 0.05 if too_high else -0.05 < off < 0


def test_ceilings_over_sites_come_to_the_truth():
    """60 of 300 sites: within .04 of their similarity with the RDM of all of them."""
    rates = true_rates(neuroids=300)[::2, :300]
    how = {"normalise": "zscore"}
    chosen = np.random.default_rng(0).choice(300, 60, replace=False)
    recorded = simulate(rates[:, chosen], 8)
    ceiling = float(noise_ceiling(recorded, "sites", splits=20, interval=None, **how).ceiling[0])
    best = attainable_similarity(rates, 8, sites=60, recordings=5, **how)
    assert ceiling == pytest.approx(float(best.similarity[0]), abs=0.04)


def test_corrected_similarity_comes_to_the_truth(shown):
    """A noise-free network: corrected by the ceiling, its similarity is the true one."""
    rates = shown[::2]
    network = true_rates(neuroids=50)[::2, 50:100]
    both = {"normalise": ("zscore", "zscore")}
    found = noise_corrected(network, simulate(rates, 8), splits=6, resamples=50, **both)
    true = similarity(network, rates, **both)
    assert float(abs(found.similarity - true.values).max()) > 0.04
    np.testing.assert_allclose(found.corrected, true, atol=0.03)


def test_the_study_makes_its_rows_and_writes_its_tables(study, tmp_path):
    """A cell is a row; a table goes where the page names it, again and again."""
    size = {**study.QUICK, "resamples": 20}
    row = study.neuroids(23, 2, 50, size, seed=0)
    assert row["true"] == "0.54"
    assert set(row) > {"split-half: bias", "split-half: covered", "variance: SD"}
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- table: neuroids -->\nold\n<!-- end -->\nafter\n", "utf-8")
    for _ in range(2):
        study.write(page, {"neuroids": "| new |"})
    lines = [line for line in page.read_text("utf-8").splitlines() if line]
    assert lines == ["before", "<!-- table: neuroids -->", "| new |", "<!-- end -->", "after"]
