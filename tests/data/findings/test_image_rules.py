"""Images that cannot be read, are equal, blank or uneven are found."""

from __future__ import annotations

import numpy as np
import pandas as pd
from PIL import Image

from neurosage.data.assembly import assembly
from neurosage.data.findings.image_rules import stimulus_findings
from neurosage.data.findings.teachers import find
from neurosage.data.images import FileImages
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher

from .recordings import (
    shown,
)


class Broken:
    """A source whose second image cannot be read."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        if i == 1:
            raise OSError("the disk is gone")
        return self.images[i]


def stimulus_rules(images, ids=None):
    names = ids or [f"s{k}" for k in range(len(images))]
    values = np.arange(len(names) * 12.0).reshape(len(names), 12) % 7
    teacher = Teacher("t", shown(names, images=images),
                      assembly(values, stimulus_id=names, region="V4"))  # fmt: skip
    wanted = ("image-unreadable", "image-twice", "image-blank", "image-sizes", "ids-alike")
    return {finding.rule: finding for finding in find(teacher) if finding.rule in wanted}


def test_images():
    """Unreadable, equal, blank and unequal images are found and named."""
    images = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 3), dtype=np.uint8)
    assert stimulus_rules(images) == {}
    found = stimulus_rules(Broken(images))["image-unreadable"]
    assert (found.severity, found.place) == ("error", "stimulus s1")
    assert "the disk is gone" in found.message
    twice = images.copy()
    twice[4], twice[5:7] = twice[2], 128
    found = stimulus_rules(twice)
    assert found["image-twice"].place == "2 groups: s2 = s4, s5 = s6"
    assert found["image-blank"].place == "2 stimuli: s5, s6"


class Uneven(Broken):
    """A source whose images differ in size."""

    def __getitem__(self, i):
        return self.images[i][: 6 - i % 2, : 6 - i % 2]


def test_sizes_and_ids():
    """Images of several sizes are a note; ids that differ in capitals a warning."""
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)
    found = stimulus_rules(Uneven(images), ["a", "b", "c", "C"])
    assert found["image-sizes"].severity == "note"
    assert "6×6 (2)" in found["image-sizes"].place
    assert found["ids-alike"].place == "2 stimuli: c, C"


def files(folder, values, names):
    """Findings in image files of the folder of which the first three are stimuli."""
    for name, one in zip(names, values, strict=True):
        Image.fromarray(one).save(folder / name)
    source = FileImages(folder, names[:3])
    table = pd.DataFrame({"stimulus_id": list("abc")})
    stimuli = StimulusSet("set", table, source, 8.0)
    few = stimuli.take(["c", "a"])
    return {f.rule: f for f in stimulus_findings(stimuli)}, {
        f.rule: f for f in stimulus_findings(few)
    }


def test_transparent_images_and_images_of_no_stimulus(tmp_path):
    """Both are notes that count and name; what select left out is a stimulus all the same."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (5, 6, 6, 4), dtype=np.uint8)
    values[0, ..., 3] = 255
    names = [f"{k}.png" for k in range(5)]
    whole, few = files(tmp_path, values, names)
    assert set(whole) == {"image-transparent", "image-of-no-stimulus"}
    assert {found.severity for found in whole.values()} == {"note"}
    assert whole["image-transparent"].place == "2 stimuli: b, c"
    assert "(128, 128, 128)" in whole["image-transparent"].message
    assert whole["image-of-no-stimulus"].place == "2 images: 3.png, 4.png"
    assert few["image-of-no-stimulus"].place == "2 images: 3.png, 4.png"
    assert few["image-transparent"].place == "stimulus c"


def test_twelve_bits_in_sixteen_are_dark(tmp_path):
    """White at 4095 of 65535 is nearly black: a warning."""
    values = np.random.default_rng(0).integers(0, 4096, (3, 6, 6)).astype(np.uint16)
    whole, _ = files(tmp_path, values, ["a.png", "b.png", "c.png"])
    assert whole["images-dark"].severity == "warning"
    assert "images-dark" not in files(tmp_path, values * 16, ["a.png", "b.png", "c.png"])[0]
