"""Stimulus sets: ids are unique texts, images follow them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurosage.data.registry import load_stimuli
from neurosage.data.stimuli import StimulusSet
from neurosage.errors import InputError
from neurosage.testing import StimulusSetCase

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)


def make(ids=("img10", "img2", "img1"), pixels=PIXELS, **columns):
    return StimulusSet("set", pd.DataFrame({"stimulus_id": list(ids), **columns}), pixels)


class TestDigits(StimulusSetCase):
    def make_stimuli(self):
        return load_stimuli("digits")


class TestArrays(StimulusSetCase):
    def make_stimuli(self):
        return make(label=[0, 1, 0])


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b", "a"], r"unique, but 1 repeat \(first: \['a'\]\)"),
        ([1, 2, 3], r"must be text .* 3 are not \(first: \[1, 2, 3\]\)"),
        (["a", None, "c"], "must be text"),
        (["a", "", "c"], "must be text that is not empty"),
    ],
    ids=["repeated", "numbers", "missing", "empty"],
)
def test_ids_are_unique_text(ids, message):
    """Ids that could be confused are refused, counted and shown."""
    with pytest.raises(InputError, match=message):
        make(ids)


def test_numbers_of_rows_and_images_agree():
    """A table and images of unequal length are refused with both counts."""
    with pytest.raises(InputError, match=r"2 rows in the table, but 3 images \(first ids"):
        make(["a", "b"])


def test_a_table_without_ids_is_refused():
    """The column stimulus_id is required."""
    with pytest.raises(InputError, match=r"no column 'stimulus_id', only \['image'\]"):
        StimulusSet("set", pd.DataFrame({"image": ["a", "b", "c"]}), PIXELS)


def test_order_is_kept_as_declared():
    """Ids are never sorted."""
    assert list(make().stimulus_ids) == ["img10", "img2", "img1"]
    assert list(make().take(["img2", "img10"]).stimulus_ids) == ["img2", "img10"]


def test_taking_from_what_was_taken():
    """Subsets nest, labels with them."""
    some = make(label=[7, 8, 9]).take(["img1", "img10"]).take(["img10"])
    assert list(some.table["label"]) == [7]
    np.testing.assert_array_equal(some.image(0), PIXELS[0])


def test_unknown_ids_are_counted():
    """Taking what is not there says how many, which, and what ids look like."""
    with pytest.raises(InputError, match=r"1 of 2 stimuli are not in 'set' .*'cat'.*img10"):
        make().take(["img2", "cat"])


def test_content_hash_follows_ids_order_and_pixels():
    """Equal content, equal hash; labels and the set's id do not count."""
    hashes = [
        make().content_hash(),
        make(["img10", "img2", "img3"]).content_hash(),
        make(["img2", "img10", "img1"], PIXELS[[1, 0, 2]]).content_hash(),
        make(pixels=PIXELS ^ np.uint8(1)).content_hash(),
    ]
    assert len(set(hashes)) == 4
    assert make(label=[1, 2, 3]).content_hash() == hashes[0]
    assert make().take(["img10", "img2", "img1"]).content_hash() == hashes[0]


def test_a_source_that_breaks_the_contract_is_named():
    """An image of another kind is an error with its id, and repr still works."""

    class Grey:
        def __len__(self):
            return 1

        def __getitem__(self, i):
            return np.zeros((4, 4), np.uint8)

    stimuli = StimulusSet("set", pd.DataFrame({"stimulus_id": ["a"]}), Grey())
    with pytest.raises(InputError, match=r"image 'a' of 'set' has shape \(4, 4\)"):
        stimuli.image(0)
    assert "1 stimuli" in repr(stimuli)


def test_digits_are_labelled_and_as_published():
    """1797 digits, 16×16 RGB, ids in order; enlarging keeps a digit's mean grey."""
    digits = load_stimuli("digits")
    assert len(digits) == 1797
    assert list(digits.stimulus_ids[[0, -1]]) == ["digit-0000", "digit-1796"]
    assert list(digits.table["label"][:10]) == list(range(10))
    from sklearn.datasets import load_digits

    grey = load_digits().images[5]
    assert digits.image(5).shape == (16, 16, 3)
    assert digits.image(5).mean() == pytest.approx(grey.mean() * 255 / 16, rel=0.02)


def test_pixels_of_digits_are_the_same_everywhere():
    """The content of digits is fixed by this hash, on every machine."""
    expected = "817b4d82bb1ecf51dc86878f84a357a392cda602274bcf6b97f1d7b9f76d34ed"
    assert load_stimuli("digits").content_hash() == expected
