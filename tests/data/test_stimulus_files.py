"""Each stimulus finds its image by name, whatever the order of the files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.data.images import is_image
from neurosage.data.stimulus_files import (
    file_stem,
    image_names,
    match_images,
    read_stimulus_table,
)
from neurosage.errors import InputError

from .conftest import png, write_zip


def names_of(table, path):
    return list(match_images(pd.DataFrame(table), path).names)


@pytest.mark.parametrize(
    "table",
    [
        {"stimulus_id": ["1", "2"], "filename": ["b.png", "a.png"]},
        {"stimulus_id": ["1", "2"], "image_file_name": ["b.png", "a.png"]},
        {"stimulus_id": ["1", "2"], "stimulus_path_within_store": ["b", "a"]},
        {"stimulus_id": ["b", "a"]},
        {"stimulus_id": ["b.png", "a.png"]},
        {"stimulus_id": ["b", "a"], "filename": ["original_1.tif", "original_2.tif"]},
    ],
    ids=["filename", "older", "store", "ids", "ids with suffix", "names of the lab's disk"],
)
def test_rows_find_their_images(tmp_path, table):
    """By the column that names files, or by the id; the others are left alone."""
    path = write_zip(tmp_path / "i.zip", ["c.png", "a.png", "b.png"])
    assert names_of(table, path) == ["b.png", "a.png"]


def test_folders_within_are_searched(tmp_path):
    """A bare name finds a file in a folder, a whole path the very file."""
    path = write_zip(tmp_path / "i.zip", ["x/a.png", "y/b.png", "y/a.png"])
    assert names_of({"stimulus_id": ["b"]}, path) == ["y/b.png"]
    assert names_of({"stimulus_id": ["y/a", "x/a.png"]}, path) == ["y/a.png", "x/a.png"]
    with pytest.raises(InputError, match=r"'a' fits 2 images .*'x/a.png', 'y/a.png'"):
        names_of({"stimulus_id": ["a"]}, path)


def test_missing_images_are_counted(tmp_path):
    """Both sides and the first names are said."""
    path = write_zip(tmp_path / "i.zip", ["a.png"])
    with pytest.raises(InputError, match=r"2 of 3 stimuli have no image .*'b', 'c'.* holds 1"):
        names_of({"stimulus_id": ["a", "b", "c"]}, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label\n1\n", "has no column 'stimulus_id', only"),
        ("stimulus_id\n", "names no stimulus"),
    ],
)
def test_a_table_of_stimuli_names_them(tmp_path, text, message):
    """No ids, or no rows, is an error."""
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_stimulus_table(tmp_path / "s.csv")


@settings(max_examples=60, deadline=None)
@given(ids=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6, unique=True))
def test_any_id_has_a_file_of_its_own(tmp_path_factory, ids):
    """Files named after any ids are found again, each by its own."""
    table = pd.DataFrame({"stimulus_id": ids})
    names = image_names(table, [".png"] * len(ids))
    assert len(set(names)) == len(names)
    assert all(is_image(name) and "/" not in name for name in names)
    path = write_zip(tmp_path_factory.mktemp("ids") / "i.zip", names)
    assert list(match_images(table, path).names) == names


def test_an_id_that_is_the_name_of_another_file(tmp_path):
    """The file of the stimulus a is not taken for the stimulus a.png."""
    table = pd.DataFrame({"stimulus_id": ["a.png", "a"]})
    names = image_names(table, [".png", ".png"])
    path = write_zip(tmp_path / "i.zip", names)
    images = match_images(table, path)
    assert list(images.names) == names
    assert images.content(0) == png(0)
    np.testing.assert_equal(file_stem("a"), "a")


def test_a_column_of_names_is_used_where_it_can_be():
    """Names that a file could not have, or that repeat, give way to the ids."""
    fine = pd.DataFrame({"stimulus_id": ["1", "2"], "filename": ["x/a.png", "b.jpg"]})
    assert image_names(fine, [".png"] * 2) == ["x/a.png", "b.jpg"]
    for odd in (["a.png", "a.png"], ["../a.png", "b.png"], ["a", "b"], ["C:\\a.png", "b.png"]):
        assert image_names(fine.assign(filename=odd), [".png"] * 2) == ["1.png", "2.png"]
