"""Simulated recordings: the truth that they claim is the truth that is measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from neurosage.teachers.simulated_macaque import true_rates

from neurosage.data.assembly import assembly
from neurosage.data.average import average_repetitions
from neurosage.data.registry import load_stimuli, load_teacher
from neurosage.data.simulate import (
    draw_stimuli,
    population_reliability,
    simulate,
    true_reliability,
)
from neurosage.data.stimuli import StimulusSet
from neurosage.errors import InputError
from neurosage.testing import TeacherCase


class TestSimulatedMacaque(TeacherCase):
    def make_teacher(self):
        return load_teacher("simulated-macaque")


def make_rates(stimuli=60, neuroids=4, seed=0):
    values = np.random.default_rng(seed).gamma(2.0, 10.0, (stimuli, neuroids))
    return assembly(values, stimulus_id=[f"s{k}" for k in range(stimuli)], region="V4")


@pytest.mark.parametrize("repetitions", [3, np.arange(2, 12).repeat(6)], ids=["balanced", "ragged"])
def test_true_reliability_is_the_correlation_of_two_recordings(repetitions):
    """Over many recordings, means of independent ones correlate as the truth says.

    Pooled over recordings, covariance over variance of the means estimates it.
    """
    rates = make_rates()
    means = np.stack(
        [average_repetitions(simulate(rates, repetitions, seed=seed)).values for seed in range(200)]
    )
    centred = means - means.mean(axis=1, keepdims=True)
    variance = (centred**2).sum(axis=1).mean(axis=0) / 59
    signal = (centred[:100] * centred[100:]).sum(axis=1).mean(axis=0) / 59
    truth = true_reliability(rates, repetitions)
    np.testing.assert_allclose(signal / variance, truth, atol=0.03)


def test_counts_are_poisson_around_the_rates():
    """Mean and variance of the counts are rate × window."""
    rates = make_rates(stimuli=3, neuroids=2)
    counts = simulate(rates, 4000, window_ms=250).values.reshape(3, 4000, 2)
    expected = rates.values * 0.25
    np.testing.assert_allclose(counts.mean(axis=1), expected, rtol=0.06)
    np.testing.assert_allclose(counts.var(axis=1), expected, rtol=0.15)


def test_a_seed_gives_one_recording():
    """Equal seeds, equal spikes; other seeds, others; the truth does not depend on it."""
    rates = make_rates()
    a, b, c = (simulate(rates, 2, seed=seed) for seed in (1, 1, 2))
    assert a.identical(b)
    assert not np.array_equal(a.values, c.values)
    np.testing.assert_array_equal(a["true_reliability"], c["true_reliability"])


def test_a_simulation_is_marked():
    """Attributes say that it is simulated, in which unit, from which seed."""
    attrs = simulate(make_rates(), 2, window_ms=50, seed=3).attrs
    assert attrs == {"simulated": 1, "unit": "spikes / 50 ms", "window_ms": 50, "seed": 3}


def test_coordinates_of_neuroids_are_kept():
    """What is known of a neuroid is known of its recording."""
    rates = make_rates().assign_coords(depth=("neuroid", [1, 2, 3, 4]))
    recorded = simulate(rates, 2)
    assert list(recorded["depth"].values) == [1, 2, 3, 4]
    assert list(recorded["neuroid_id"].values) == list(rates["neuroid_id"].values)


def test_a_rate_that_does_not_vary_has_no_reliability():
    """No signal is 0, and so is a silent neuroid; neither is NaN."""
    rates = make_rates(neuroids=2)
    rates.values[:] = [5.0, 0.0]
    np.testing.assert_array_equal(true_reliability(rates, 4), [0, 0])


@pytest.mark.parametrize(
    ("change", "keys", "message"),
    [
        (-1.0, {}, r"not negative; see neuroids \['V4.0'"),
        (np.nan, {}, "must be finite"),
        (1.0, {"repetitions": 0}, "whole number of 1 or more"),
        (1.0, {"repetitions": 1.5}, "whole number of 1 or more"),
        (1.0, {"repetitions": [2, 2]}, "one for each of the 60 stimuli"),
        (1.0, {"window_ms": 0}, "window_ms must be above 0, but is 0"),
    ],
)
def test_wrong_arguments_are_named(change, keys, message):
    """Rates, repetitions and window are checked before anything is drawn."""
    rates = make_rates()
    rates.values[0, 0] = change
    with pytest.raises(InputError, match=message):
        simulate(rates, **keys)


def test_rates_have_one_presentation_a_stimulus():
    """A recording is not a set of rates."""
    with pytest.raises(InputError, match="stimuli repeat"):
        simulate(simulate(make_rates(), 2))


def test_simulated_macaque_is_drawn_from_its_true_rates():
    """Means approach the true rates; measured reliability is the true one."""
    teacher, rates = load_teacher("simulated-macaque"), true_rates()
    trials = teacher.assembly.values.reshape(360, 8, 200)
    z = (trials.mean(axis=1) - rates.values / 10) / np.sqrt(rates.values / 80)
    assert abs(z.mean()) < 0.02
    assert z.std() == pytest.approx(1, abs=0.02)
    noise = (trials.var(axis=1, ddof=1) / 8).mean(axis=0)
    measured = 1 - noise / trials.mean(axis=1).var(axis=0, ddof=1)
    error = measured - teacher.assembly["true_reliability"].values
    assert abs(error.mean()) < 0.005
    assert error.std() < 0.03


def test_simulated_macaque_shows_what_training_does_not():
    """Its stimuli are the last 360 digits; the first 1437 stay free."""
    shown = load_teacher("simulated-macaque").stimuli.stimulus_ids
    assert list(shown) == list(load_stimuli("digits").stimulus_ids[1437:])


def test_reliability_of_a_population_is_that_of_many_draws():
    """Of very many stimuli drawn, ragged, the true reliability is the population's."""
    rates = make_rates()
    drawn = draw_stimuli(rates, 20000, seed=3)
    repetitions = np.random.default_rng(0).integers(2, 11, 20000)
    truth = population_reliability(rates, repetitions)
    np.testing.assert_allclose(true_reliability(drawn, repetitions), truth, atol=0.01)
    # Not the mean number of repetitions but the harmonic one counts.
    assert (abs(population_reliability(rates, 6) - truth) > 0.015).all()


def test_draws_are_independent_stimuli_with_their_rates():
    """A stimulus may be drawn twice, has an id of its own each time, and keeps its rates."""
    rates = make_rates(stimuli=10)
    drawn = draw_stimuli(rates, 100, seed=1)
    names = [name.split("#")[0] for name in drawn["stimulus_id"].values]
    assert len(set(drawn["stimulus_id"].values)) == 100
    assert set(names) == set(rates["stimulus_id"].values)
    rows = [list(rates["stimulus_id"].values).index(name) for name in names]
    np.testing.assert_array_equal(drawn.values, rates.values[rows])
    assert simulate(drawn, 2).shape == (200, 4)
    with pytest.raises(InputError, match="at least 1 stimulus must be drawn, not 0"):
        draw_stimuli(rates, 0)


def test_simulated_macaque_stays_what_it_was():
    """Its content is the one that numbers were published of."""
    known = "6a61ecde49f81fe84f268aa71acd3e47f930a66205d608d517afbf6f16c097e2"
    assert load_teacher("simulated-macaque").content_hash() == known


def test_a_neuroid_answers_to_a_digit_alike_whatever_else_is_shown():
    """Rates of other digits, fewer or more, are those of the same neuroids."""
    digits = load_stimuli("digits")
    own = true_rates()
    some = true_rates(digits.take(digits.stimulus_ids[[1500, 3, 1796]]))
    np.testing.assert_allclose(some.values[[0, 2]], own.values[[63, 359]], atol=2e-6)
    assert list(some["stimulus_id"].values) == ["digit-1500", "digit-0003", "digit-1796"]
    assert list(some["neuroid_id"].values) == list(own["neuroid_id"].values)


def test_more_neuroids_of_the_same_populations():
    """Other numbers give other neuroids, tuned alike."""
    many = true_rates(neuroids=100)
    assert many.shape == (360, 300)
    spread, own = (np.log(r.values).std(axis=0) for r in (many, true_rates()))
    assert np.median(spread) == pytest.approx(np.median(own), rel=0.05)


@pytest.mark.parametrize(
    ("label", "size", "message"),
    [(0, 8, "digits of 16×16 pixels, not of 8×8"), (11, 16, "no labels from 0 to 9")],
)
def test_only_digits_have_rates(label, size, message):
    """Images of another size, or without a digit's label, are refused."""
    table = pd.DataFrame({"stimulus_id": ["a"], "label": [label]})
    other = StimulusSet("other", table, np.zeros((1, size, size, 3), np.uint8))
    with pytest.raises(InputError, match=message):
        true_rates(other)
