"""From a card and its files: pairs by sorted file name, and checks before use."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.build import build_stimuli, build_teacher
from neurosage.data.card import read_card
from neurosage.data.images import decode
from neurosage.errors import FetchError, InputError
from neurosage.testing import TeacherCase

from .conftest import entry, lay_out, png, write_zip


class TestLab(TeacherCase):
    @pytest.fixture(autouse=True)
    def folder(self, lab):
        self.lab = lab

    def make_teacher(self):
        return build_teacher(read_card(self.lab), self.lab)


def change(folder, old, new):
    card = folder / "card.toml"
    text = card.read_text()
    assert old in text
    card.write_text(text.replace(old, new))
    return read_card(folder)


def replace_file(folder, name):
    """Write the changed file's line into the card."""
    lines = (folder / "card.toml").read_text().splitlines()
    key = "responses" if name.endswith("npy") else "images"
    dims = {"dims": '["neuroid", "stimulus"]'} if key == "responses" else {}
    kept = [line for line in lines if not line.startswith(key)]
    (folder / "card.toml").write_text(
        "\n".join([*kept, f"{key} = {entry(folder / name, **dims)}"]) + "\n"
    )
    return read_card(folder)


def test_responses_belong_to_images_by_sorted_name(lab):
    """Column k answers to the k-th image by name, not by place in the zip."""
    teacher = build_teacher(read_card(lab), lab)
    assert list(teacher.stimuli.stimulus_ids) == ["a", "b", "c"]
    np.testing.assert_array_equal(teacher.stimuli.image(0), decode(png(1), "a"))  # second in zip
    np.testing.assert_array_equal(teacher.assembly.values[:, 0], [1, 2, 3])
    assert list(teacher.assembly["subject"].values) == ["Tom", "Tom"]
    assert (teacher.id, teacher.normalise, teacher.regions) == ("lab-it", "zscore", ("IT",))


def test_fewer_images_than_responses(lab):
    """Images and responses of unequal number: both counts and the first ids."""
    write_zip(lab / "images.zip", ["a.png", "b.png"])
    replace_file(lab, "images.zip")
    card = change(lab, "stimulus = 3", "stimulus = 2")
    with pytest.raises(InputError, match=r"has 3 along stimulus, but there are 2 .*'a', 'b'"):
        build_teacher(card, lab)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stimulus = 3", "stimulus = 4", r"has 3 of stimulus \(first: \['a.png'.*card says 4"),
        ("neuroid = 2", "neuroid = 5", r"has 2 of neuroid \(first: \['IT.0'.*card says 5"),
    ],
)
def test_counts_of_the_card_are_held(lab, old, new, message):
    """The card's counts are checked against the files."""
    with pytest.raises(InputError, match=message):
        build_teacher(change(lab, old, new), lab)


def test_a_changed_file_is_refused(lab):
    """Responses that are not those of the card are never loaded."""
    np.save(lab / "responses.npy", np.zeros((2, 3)))
    with pytest.raises(
        FetchError, match=r"responses\.npy is not the file that the card of 'lab-it'"
    ):
        build_teacher(read_card(lab), lab)


def test_a_part_without_files_says_so(lab):
    """Nothing to load is an error, not an empty teacher."""
    (lab / "card.toml").write_text('schema = 1\nid = "x"\nkind = "recorded"\n[part.p]\n')
    with pytest.raises(InputError, match="part 'p' of the card 'x' names no file of responses"):
        build_teacher(read_card(lab), lab)
    (lab / "card.toml").write_text('schema = 1\nid = "x"\nkind = "recorded"\n')
    with pytest.raises(InputError, match="the card 'x' has no part"):
        build_teacher(read_card(lab), lab)


def test_images_of_several_parts_never_share_ids(tmp_path):
    """Where a card has parts, the part is in the stimulus ids."""
    lab = lay_out(tmp_path / "lab", extra='default = "first"')
    text = (lab / "card.toml").read_text()
    start = text.index("[part.first]")
    (lab / "card.toml").write_text(text + text[start:].replace("part.first", "part.second"))
    card = read_card(lab)
    assert build_teacher(card, lab).id == "lab-it/first"
    second = build_stimuli(card, lab, "second")
    assert (second.id, second.stimulus_ids[0]) == ("lab-it/second", "second/a")


def test_names_that_differ_only_in_folder_or_suffix_stay_apart(lab):
    """Where bare names repeat, ids are the whole paths."""
    write_zip(lab / "images.zip", ["x/a.png", "y/a.png", "y/a.jpg"])
    card = replace_file(lab, "images.zip")
    ids = list(build_stimuli(card, lab).stimulus_ids)
    assert ids == ["x/a.png", "y/a.jpg", "y/a.png"]
