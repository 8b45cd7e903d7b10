"""Groups of stimuli that are drawn together: wider intervals, and what cannot be a group."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.ceilings.ceiling import noise_ceiling
from neurosage.rsa.reliability.drawing import drawn_weights
from neurosage.rsa.reliability.regions import rdm_reliability


@pytest.mark.parametrize("call", [rdm_reliability, noise_ceiling])
@pytest.mark.parametrize("kind", ["trials", "sites"])
def test_groups_of_stimuli_are_drawn_together(call, kind):
    """Images of one object that are alike say less than their number: wider intervals."""
    rng = np.random.default_rng(0)
    true = np.repeat(rng.normal(size=(20, 5)) @ rng.normal(size=(5, 30)), 5, 0)
    true = np.repeat(true + 0.1 * rng.normal(size=true.shape), 4, 0)
    names = np.repeat([f"s{k}" for k in range(100)], 4)
    made = assembly(
        true + 3 * rng.normal(size=true.shape),
        stimulus_id=names,
        region="V4",
        object=("presentation", np.repeat([f"object{k}" for k in range(20)], 20)),
    )
    how = {"splits": 5, "resamples": 300}
    plain, grouped = call(made, kind, **how), call(made, kind, by="object", **how)
    widths = [float(each.high[0] - each.low[0]) for each in (plain, grouped)]
    assert widths[1] > 1.3 * widths[0]
    assert plain.reliability.equals(grouped.reliability)
    assert plain.attrs["interval_over"] == "stimuli"
    assert grouped.attrs["interval_over"] == "groups of stimuli (object)"
    with pytest.raises(InputError, match=r"unknown coordinate.*did you mean 'object'"):
        call(made, kind, by="objct", interval=None)
    with pytest.raises(InputError, match="presentations of one stimulus differ"):
        call(made, kind, by="repetition", **how)


def test_groups_are_not_drawn_for_subjects(recording):
    """Ceilings over subjects draw stimuli."""
    made = recording(n=10)
    with pytest.raises(InputError, match="'trials' and 'sites'"):
        noise_ceiling(made, "subjects", by="object")


def test_groups_are_those_of_the_stimuli_that_are_left(recording):
    """Stimuli left out of the RDM, labelled or not, are not drawn; the rest stay in order."""
    a = recording(n=40)
    labels = np.array([f"object{k // 2}" for k in range(40)], object)
    labels[5] = None
    a = a.assign_coords(object=("presentation", labels))
    left = np.delete(a["stimulus_id"].values, 5)
    weights = drawn_weights(a, "object", left, 30, seed=0)
    assert weights.shape == (30, 39)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 1])
    np.testing.assert_array_equal(weights[:, 5], weights[:, 6])
    with pytest.raises(InputError, match="1 of 40 stimuli have no 'object'"):
        drawn_weights(a, "object", a["stimulus_id"].values, 30, seed=0)
