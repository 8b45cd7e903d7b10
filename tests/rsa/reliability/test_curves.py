"""Reliability over repetitions and sites: what is measured lies on what is predicted."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.curves import reliability_curve
from neurosage.rsa.reliability.neuroids import reliability
from neurosage.rsa.reliability.regions import rdm_reliability


def recorded(n=150, p=48, counts=8, noise=2.0, dims=40, seed=0):
    """Make repeated responses."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, dims)) @ rng.normal(size=(dims, p)) / np.sqrt(dims)
    counts = np.broadcast_to(counts, (n,))
    values = np.repeat(true, counts, 0)
    values = values + np.sqrt(noise) * rng.normal(size=values.shape)
    return assembly(values, stimulus_id=np.repeat([f"s{k}" for k in range(n)], counts), region="V4")


def test_neuroids_over_repetitions():
    """The median neuroid is as reliable as its noise says, at each number of repetitions."""
    found = reliability_curve(recorded(n=600, noise=2.0), of="neuroids", splits=10)
    assert list(found["size"].values) == [1, 2, 3, 4, 8, 16, 32]
    sizes = found["size"].values
    true = sizes / (sizes + 2.0)
    np.testing.assert_allclose(found.measured[0, :4], true[:4], atol=0.03)
    np.testing.assert_allclose(found.predicted[0, :5], true[:5], atol=0.03)
    np.testing.assert_allclose(found.extrapolated[0, 4:], true[4:], atol=0.03)
    assert np.isnan(found.measured[0, 4:]).all()
    assert np.isnan(found.extrapolated[0, :4]).all()
    assert float(found.recorded[0]) == 8


def test_rdms_over_sites():
    """Euclidean RDMs of k sites agree as predicted from all sites."""
    found = reliability_curve(recorded(noise=0.1), "sites", distance="euclidean", splits=30)
    measured = found.measured[0].dropna("size")
    predicted = found.predicted[0].sel(size=measured["size"])
    assert len(measured) >= 8
    np.testing.assert_allclose(measured[2:], predicted[2:], atol=0.04)
    assert found.extrapolated.sel(size=192).item() > found.extrapolated.sel(size=48).item()


@pytest.mark.parametrize("distance", ["correlation", "crossnobis"])
def test_rdms_over_repetitions(distance):
    """Agreement grows with repetitions; crossnobis needs two in a set."""
    found = reliability_curve(recorded(n=60), distance=distance, sizes=[1, 2, 4, 8], splits=5)
    measured = found.measured[0].values
    assert np.isnan(measured[0]) == (distance == "crossnobis")
    assert measured[1] < measured[2]
    assert np.isnan(measured[3])
    assert measured[2] > 0.2


def test_ragged_repetitions_are_measured_on_stimuli_with_enough():
    """A size is measured where at least half of the stimuli have twice as many repetitions."""
    counts = np.r_[np.full(60, 8), np.full(40, 3), np.ones(20, int)]
    found = reliability_curve(
        recorded(n=120, counts=counts), of="neuroids", sizes=[1, 2, 4, 5], splits=5
    )
    assert np.isfinite(found.measured[0, :3]).all()
    assert np.isnan(found.measured[0, 3])


def test_lost_trials_of_neuroids():
    """Missing single responses are left out neuroid by neuroid."""
    made = recorded(n=300)
    rng = np.random.default_rng(0)
    made.values[rng.random(made.shape) < 0.05] = np.nan
    for of in ("neuroids", "rdm"):
        found = reliability_curve(made, of=of, sizes=[2, 8], splits=5)
        assert np.isfinite(found.measured[0, 0])
    np.testing.assert_allclose(
        reliability_curve(made, of="neuroids", sizes=[2], splits=5).measured, 0.5, atol=0.06
    )


def test_without_repetitions_there_is_no_curve_over_them():
    """Averages have a curve over sites, and a reason instead of one over repetitions."""
    made = recorded(n=40, counts=1, noise=0.1)
    for of in ("neuroids", "rdm"):
        found = reliability_curve(made, of=of)
        assert "repetitions" in json.loads(found.attrs["not_estimable"])["V4"]
        assert np.isnan(found.predicted).all()
    assert np.isfinite(reliability_curve(made, "sites", splits=3).measured).any()


def test_what_is_predicted_at_all_is_what_was_estimated():
    """ρ is that of the same splits and seed, above 0 or not; below, nothing is extrapolated."""
    made = recorded(n=40, counts=4, noise=4.0)
    own = reliability(made, splits=3, seed=2)
    found = reliability_curve(made, of="neuroids", sizes=[4, 8], splits=3, seed=2)
    assert found.predicted[0, 0] == pytest.approx(float(own.median()), abs=1e-12)
    for of in ("neuroids", "rdm"):
        for seed in range(20):
            noise = made.copy(data=np.random.default_rng(seed).normal(size=made.shape))
            whole = reliability(noise, splits=2).median()
            if of == "rdm":
                whole = rdm_reliability(noise, splits=2, interval=None).reliability[0]
            if whole < 0:
                break
        found = reliability_curve(noise, of=of, sizes=[1, 4, 8], splits=2)
        assert found.predicted[0, 1] == pytest.approx(float(whole), abs=0.003)
        assert float(whole) < found.predicted[0, 0] < 0
        assert np.isnan(found.extrapolated[0, 2])
        assert "nothing is extrapolated" in found.attrs["warnings"]


def test_provenance_says_how_it_was_made():
    """Kind, stimuli, what was dropped, backend, and what not to believe."""
    made = recorded(n=20)
    made.values[made.stimulus_id.values == "s3", 2] = np.nan
    found = reliability_curve(made, sizes=[1, 2], splits=2, nan="drop-neuroid")
    assert (found.attrs["kind"], found.attrs["n_stimuli"]) == ("trials", 20)
    assert json.loads(found.attrs["dropped"]) == {"neuroids": ["V4.2"]}
    assert found.attrs["backend"].startswith("numpy")
    assert "overpredicts" in found.attrs["caution"]
    assert reliability_curve(made, "sites", sizes=[6], splits=2,
                             nan="drop-stimulus").attrs["n_stimuli"] == 19  # fmt: skip


def test_arguments_are_checked():
    """What makes no curve is named."""
    made = recorded(n=20)
    with pytest.raises(InputError, match="number of sites"):
        reliability_curve(made, "sites", "neuroids")
    with pytest.raises(InputError, match="sizes"):
        reliability_curve(made, sizes=[0, 2])
    with pytest.raises(InputError, match=r"sizes must be a whole number of 1 or more, not 1\.7"):
        reliability_curve(made, sizes=[1.7, 2.2])
    with pytest.raises(InputError, match="splits must be a whole number"):
        reliability_curve(made, of="neuroids", splits=2.5)
    with pytest.raises(InputError, match="unknown"):
        reliability_curve(made, "trials")
    with pytest.raises(InputError, match="only RDMs"):
        reliability_curve(rdms(made))
