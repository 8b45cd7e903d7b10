"""A teacher holds stimuli and responses with the same ids, whatever the order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.testing import TeacherCase


def stimuli(*ids):
    return StimulusSet(
        "set", pd.DataFrame({"stimulus_id": list(ids)}), np.zeros((len(ids), 2, 2, 3), np.uint8)
    )


def responses(*ids, scale=1.0):
    values = scale * np.arange(2.0 * len(ids)).reshape(len(ids), 2)
    return assembly(values, stimulus_id=ids, region=["V4", "IT"])


def rdms(*ids):
    return xr.DataArray(
        np.zeros((1, len(ids), len(ids))),
        dims=("region", "stimulus_i", "stimulus_j"),
        coords={
            "region": ("region", ["IT"]),
            "stimulus_id_i": ("stimulus_i", list(ids)),
            "stimulus_id_j": ("stimulus_j", list(ids)),
        },
    )


class TestRepeated(TeacherCase):
    def make_teacher(self):
        return Teacher("t", stimuli("a", "b", "c"), responses("c", "a", "b", "a"))


class TestStored(TeacherCase):
    def make_teacher(self):
        return Teacher("t", stimuli("a", "b", "c"), None, rdms("a", "b", "c"), kind="rdm")


def test_what_does_not_match_is_counted():
    """Stimuli and responses that differ are refused with counts and first ids."""
    message = (
        r"3 stimuli, responses to 2; 2 stimuli have no response \(first: \['a', 'c'\]\), "
        r"1 responses have no stimulus \(first: \['x'\]\)"
    )
    with pytest.raises(InputError, match=message):
        Teacher("t", stimuli("a", "b", "c"), responses("b", "x", "b"))


def test_stored_rdms_are_matched_too():
    """RDMs over other stimuli, or of another shape, are refused."""
    with pytest.raises(InputError, match=r"2 stimuli, responses to 3"):
        Teacher("t", stimuli("a", "b"), None, rdms("a", "b", "c"))
    with pytest.raises(InputError, match="stored RDMs have dims"):
        Teacher("t", stimuli("a"), None, rdms("a").transpose("stimulus_i", "stimulus_j", "region"))
    with pytest.raises(InputError, match=r"lack the coordinates \['region'\]"):
        Teacher("t", stimuli("a"), None, rdms("a").drop_vars("region"))


def test_subjects_of_stored_rdms_are_named():
    """RDMs of several subjects have a coordinate that says whose they are."""
    every = rdms("a", "b").expand_dims(subject=2)
    with pytest.raises(InputError, match=r"lack the coordinates \['subject'\]"):
        Teacher("t", stimuli("a", "b"), None, every)
    named = every.assign_coords(subject=("subject", ["S1", "S2"]))
    assert repr(Teacher("t", stimuli("a", "b"), None, named)).endswith("RDMs of IT, 2 subjects>")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"normalise": "zscored"}, "unknown normalisation 'zscored'; did you mean 'zscore'"),
        ({"kind": "stimuli"}, "unknown kind of teacher 'stimuli'"),
        ({"assembly": None}, "neither an assembly nor stored RDMs"),
        ({"assembly": np.zeros((2, 2))}, "an assembly is an xarray.DataArray"),
    ],
    ids=["normalise", "kind", "nothing", "no assembly"],
)
def test_wrong_arguments_are_named(keys, message):
    """Each wrong argument is one clear error."""
    given = {"id": "t", "stimuli": stimuli("a", "b"), "assembly": responses("a", "b"), **keys}
    with pytest.raises(InputError, match=message):
        Teacher(**given)


def test_content_hash_follows_content():
    """Responses and normalisation count, the id does not."""
    shown = stimuli("a", "b")
    base = Teacher("t", shown, responses("a", "b")).content_hash()
    assert Teacher("u", stimuli("a", "b"), responses("a", "b")).content_hash() == base
    others = [
        Teacher("t", shown, responses("a", "b", scale=2.0)),
        Teacher("t", shown, responses("b", "a")),
        Teacher("t", shown, responses("a", "b"), normalise="zscore"),
    ]
    assert len({base, *(t.content_hash() for t in others)}) == 4


def test_repr_says_what_it_is():
    """A simulated teacher cannot be mistaken for a recorded one."""
    t = Teacher("t", stimuli("a", "b"), responses("a", "b", "a"), kind="simulated")
    assert repr(t) == (
        "<Teacher t (SIMULATED): 2 stimuli, V4 1, IT 1 neuroids, 1 to 2 repetitions, "
        "normalise none>"
    )
    assert repr(Teacher("t", stimuli("a"), None, rdms("a"))).endswith("1 stimuli, RDMs of IT>")
