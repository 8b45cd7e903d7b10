"""Ids match by name, and nothing that tells stimuli apart is left out."""

from __future__ import annotations

import logging

import pytest

from neurosage.data.formats.matching import alike, unmatched
from neurosage.errors import InputError


@pytest.mark.parametrize(
    ("own", "known"),
    [
        (["face.2", "house.1"], ["face.1", "house.2"]),
        (["0.5", "1.5"], ["0.25", "1.25"]),
        (["s2/a", "s2/b"], ["s1/a", "s1/b"]),
        (["a.png", "b.dat"], ["a", "b"]),
        (["x/a", "y/a"], ["a", "b"]),
    ],
    ids=["numbers", "decimals", "folders", "no image", "repeat"],
)
def test_other_stimuli_are_not_alike(own, known):
    """Only suffixes of images, and folders that one side lacks, may be left out."""
    with pytest.raises(InputError, match="holds responses to 2 stimuli"):
        alike(own, known, "r.csv")


@pytest.mark.parametrize(
    ("own", "known", "said"),
    [
        (["b.PNG", "a.png"], ["a", "b"], "the suffix"),
        (["s1/b", "s1/a"], ["a", "b"], "the folder"),
        (["s1/b.png", "s1/a.png"], ["a", "b"], "folder and suffix"),
    ],
    ids=["suffix", "folder", "both"],
)
def test_what_was_left_out_is_logged(own, known, said, caplog):
    """The order is the file's, and the log says how the names were matched."""
    with caplog.at_level(logging.INFO, "neurosage"):
        assert list(alike(own, known, "r.csv")) == ["b", "a"]
    assert f"without {said} of their ids" in caplog.text


def test_unmatched_are_told_by_the_nearest_way():
    """One missing stimulus is one, though suffixes differ everywhere."""
    assert unmatched(["a.png", "c.png"], ["a", "b", "c"]) == (["b"], [])
