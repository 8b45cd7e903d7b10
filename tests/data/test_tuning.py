"""Tuning: energy sees orientation and nothing of uniform light; rates follow drives."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.tuning import category_drive, local_drive, oriented_energy, tuned_rates
from neurosage.errors import InputError


def grating(angle, wavelength=6.0, phase=0.0, size=24):
    y, x = np.mgrid[:size, :size]
    wave = np.cos(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength + phase)
    return np.repeat(np.round(127.5 + 100 * wave).astype(np.uint8)[None, ..., None], 3, axis=-1)


@pytest.mark.parametrize("k", range(4))
@pytest.mark.parametrize("phase", [0.0, 1.0, 2.5])
def test_energy_prefers_the_orientation_shown(k, phase):
    """Of four orientations at the grating's wavelength, its own answers most, at any phase."""
    energy = oriented_energy(grating(k * np.pi / 4, phase=phase), (6.0,), 4)[0, 4:8, 4:8]
    assert (energy.argmax(axis=-1) == k).all()


def test_energy_is_blind_to_uniform_light():
    """A uniform image has none; adding light to an image changes nothing."""
    image = grating(0.3)
    np.testing.assert_allclose(oriented_energy(image), oriented_energy(image + 20), atol=1e-9)
    assert oriented_energy(np.full((1, 8, 8, 3), 77, np.uint8)).max() < 1e-12


def test_a_narrow_field_sees_its_place_only():
    """Energy far outside a receptive field does not drive it."""
    energy = np.zeros((2, 20, 20, 1))
    energy[1, :2, :2] = 1.0
    near = local_drive(energy, 300, width=0.5, seed=0)[1]
    assert (near > 0.01).mean() < 0.1
    wide = local_drive(energy, 300, width=50.0, seed=0)[1]
    assert (wide > 0.001).all()


def test_category_drive_depends_on_the_category_alone():
    """Stimuli of a category drive alike; a label's name does not matter."""
    drive = category_drive([3, 1, 3, 2], 50, seed=0)
    np.testing.assert_array_equal(drive[0], drive[2])
    assert np.unique(drive[:, 0]).size == 3
    np.testing.assert_array_equal(drive, category_drive(["c", "a", "c", "b"], 50, seed=0))


def test_rates_have_the_mean_and_depth_asked_for():
    """The log rate has SD `depth`; a normal drive keeps the mean rate."""
    drive = np.random.default_rng(0).normal(size=(5000, 3)) * [1.0, 10.0, 0.1] + 7.0
    rates = tuned_rates(
        drive,
        stimulus_id=[f"s{k}" for k in range(5000)],
        region="V4",
        mean_rate=[5.0, 20.0, 40.0],
        depth=0.4,
        ceiling=1e9,
    )
    np.testing.assert_allclose(np.log(rates.values).std(axis=0), 0.4, rtol=1e-4)
    np.testing.assert_allclose(rates.values.mean(axis=0), [5, 20, 40], rtol=0.02)
    assert rates.attrs == {"unit": "spikes / s", "simulated": 1}


def test_no_rate_is_above_the_ceiling():
    """Rates stay physiological."""
    drive = np.random.default_rng(0).normal(size=(50, 1))
    ids = [f"s{k}" for k in range(50)]
    assert tuned_rates(drive, stimulus_id=ids, region="V4", ceiling=25.0).values.max() == 25.0


def test_a_reference_sets_the_scale():
    """With a reference, a stimulus' rate does not depend on what else is shown."""
    drive = np.random.default_rng(0).normal(size=(50, 3))
    ids = [f"s{k}" for k in range(50)]
    all_of_them = tuned_rates(drive, stimulus_id=ids, region="V4")
    few = tuned_rates(drive[:4], stimulus_id=ids[:4], region="V4", reference=drive)
    np.testing.assert_array_equal(few, all_of_them[:4])
    assert (tuned_rates(drive[:4], stimulus_id=ids[:4], region="V4") != few).any()


def test_what_cannot_be_a_rate_is_named():
    """A drive that does not vary, or a mean rate of 0, is refused."""
    with pytest.raises(InputError, match=r"the drive of V4 units \[.*1.*\] is the same"):
        tuned_rates([[0.0, 1.0], [1.0, 1.0]], stimulus_id=["a", "b"], region="V4")
    with pytest.raises(InputError, match="above 0 spikes/s, but the least is 0"):
        tuned_rates([[0.0], [1.0]], stimulus_id=["a", "b"], region="V4", mean_rate=0)
