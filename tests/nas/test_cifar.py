"""Torchvision's pickles: images and classes, or one clear error; nothing in them is run."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.errors import InputError
from neurosage.nas.cifar import cifar_folder, read_cifar

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)
TRAIN: dict[str, Any] = {"data": PIXELS, "fine_labels": [0, 2, 1, 2]}
META: dict[str, Any] = {"fine_label_names": ["ant", "bee", "cat"]}


def written(folder: Path, train: bytes, meta: bytes) -> Path:
    (folder / "train").write_bytes(train)
    (folder / "meta").write_bytes(meta)
    return folder


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_whatever_protocol_is_read(tmp_path: Path, protocol: int) -> None:
    """The restricted reader admits every protocol's way of writing arrays."""
    folder = written(tmp_path, *(pickle.dumps(part, protocol) for part in (TRAIN, META)))
    assert cifar_folder(tmp_path) == folder
    images, names = read_cifar(folder)
    np.testing.assert_array_equal(images.transpose(0, 3, 1, 2).reshape(4, -1), PIXELS)
    assert names == ["ant", "cat", "bee", "cat"]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"data": PIXELS}, "fine_labels"),
        ({**TRAIN, "data": PIXELS / 255}, "no array of uint8"),
        ({**TRAIN, "data": [[300]]}, "no array of uint8"),
        ({**TRAIN, "data": PIXELS[:, :3000]}, "image × 3072"),
        ({**TRAIN, "fine_labels": [0, 2, 1, -1]}, "label -1 is none of 3 classes"),
        ({**TRAIN, "fine_labels": [0, 2, 1, 3]}, "label 3 is none of 3 classes"),
        ({**TRAIN, "fine_labels": [0, 2, 1, 0.5]}, "does not hold"),
        ({**TRAIN, "fine_labels": None}, "does not hold"),
        ({**TRAIN, "fine_labels": [0]}, "4 images, but 1 labels"),
        ([1, 2], "does not hold"),
        (3, "does not hold"),
    ],
)
def test_what_holds_something_else_is_refused(tmp_path: Path, train: Any, message: str) -> None:
    """Missing keys, other types and shapes, labels of no class: never pixels that are wrong."""
    with pytest.raises(InputError, match=message):
        read_cifar(written(tmp_path, pickle.dumps(train), pickle.dumps(META)))


@pytest.mark.parametrize(
    "content",
    [b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x80\x05\x95\xff\xff\xff\xff\xff\xff\xff\xff.",
     b"}]}s.", b"(lp0\nr\xff\xff\xff\xff.", b"I\n.", b"\x80\xff."],
    ids=["huge bytes", "huge frame", "unhashable", "memo", "no number", "protocol"],
)  # fmt: skip
def test_damaged_pickles_are_one_clear_error(tmp_path: Path, content: bytes) -> None:
    """MemoryError, OverflowError, TypeError: the file is named instead."""
    with pytest.raises(InputError, match="torchvision's CIFAR-100"):
        read_cifar(written(tmp_path, content, pickle.dumps(META)))


SMALL = {"data": PIXELS[:1], "fine_labels": [0]}


@settings(max_examples=200, deadline=None)
@given(protocol=st.sampled_from([2, 3, 5]), of_train=st.booleans(), data=st.data())
def test_any_damage_is_read_or_refused(protocol: int, of_train: bool, data: st.DataObject) -> None:
    """Whatever bytes are changed or cut: images and names, or InputError."""
    parts = [bytearray(pickle.dumps(part, protocol)) for part in (SMALL, META)]
    hurt = parts[0] if of_train else parts[1]
    # The pixels in the middle may be anything: the ends are what is parsed.
    ends = [*range(min(200, len(hurt))), *range(max(0, len(hurt) - 200), len(hurt))]
    changes = st.tuples(st.sampled_from(ends), st.integers(0, 255))
    for place, value in data.draw(st.lists(changes, min_size=1, max_size=4)):
        hurt[place] = value
    del hurt[data.draw(st.just(len(hurt)) | st.integers(0, len(hurt))) :]
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), bytes(parts[0]), bytes(parts[1]))
        try:
            images, names = read_cifar(Path(folder))
        except InputError:
            return
    assert images.shape[1:] == (32, 32, 3)
    assert len(images) == len(names)
