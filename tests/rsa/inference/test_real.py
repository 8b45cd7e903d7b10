"""Real recordings: what networks and brains have in common, with error bars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import neurosage as ns

EXAMPLE = Path(__file__).parents[3] / "examples" / "cifar_resnet.py"
STAGES = ["layer1", "layer2", "layer3"]

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def weights(request) -> Path:
    (found,) = request.getfixturevalue("mirror").rglob("resnet56-4bfd9763.th")
    return found


def recorded(part: str, weights: Path | None):
    teacher = ns.load_teacher(f"macaque-v4/{part}")
    network = ns.load_model(f"{EXAMPLE}:resnet56", weights, seed=0)
    small = replace(network.preprocessing, size=(32, 32))
    return teacher, ns.record(network, teacher.stimuli, STAGES, preprocessing=small)


@pytest.fixture(scope="module")
def pe(weights):
    """Session 201025 of monkey PE, and ResNet-56 trained and untrained on its images."""
    teacher, trained = recorded("201025", weights)
    return teacher, trained, recorded("201025", None)[1]


def test_layers_of_a_trained_network(pe) -> None:
    """ResNet-56 resembles V4 as was found by others' code, within the interval."""
    teacher, trained, _ = pe
    found = ns.bootstrap_similarity(trained, teacher, resamples=500)
    expected = np.array([[0.24], [0.25], [0.23]])
    assert np.abs(found.similarity.values - expected).max() < 0.015  # units are sampled
    assert ((found.low.values < expected) & (expected < found.high.values)).all()
    assert (found.standard_error.values > 0.008).all()
    assert (found.standard_error.values < 0.014).all()


def test_trained_beats_untrained(pe) -> None:
    """The best trained layer beats the best untrained, by as much as was found by others' code."""
    teacher, trained, untrained = pe
    found = ns.compare_models({"trained": trained, "untrained": untrained}, teacher)
    assert abs(found.low.item() - 0.084) < 0.01
    assert abs(found.high.item() - 0.128) < 0.01
    assert found.p_holm.item() < 0.01


def test_averages_have_no_ceiling_of_trials(pe) -> None:
    """Where only averages were published, trials are not estimable and sites are."""
    teacher = pe[0]
    trials = ns.noise_ceiling(teacher, "trials")
    assert np.isnan(trials.ceiling.item())
    assert "averaged over 12" in trials.attrs["reason"]
    assert abs(ns.noise_ceiling(teacher, "sites", interval=None).ceiling.item() - 0.76) < 0.01


def test_repetitions_have_both_ceilings(weights: Path) -> None:
    """Where single repetitions were published, a score has both ceilings and intervals."""
    teacher = ns.load_teacher("macaque-v4/210325")
    network = ns.load_model(f"{EXAMPLE}:resnet56", weights, seed=0)
    small = replace(network.preprocessing, size=(32, 32))
    score = ns.score(network, teacher, STAGES, preprocessing=small, resamples=200)
    best = score.best.iloc[0]
    assert best.layer == "layer3"
    assert abs(best.similarity - 0.25) < 0.015
    assert score.data.low.max() < best.similarity < score.data.high.max()
    assert 0.8 < score.data.ceiling_trials.item() < 0.9
    assert 0.65 < score.data.ceiling_sites.item() < 0.75
