"""Images that cannot be read, are equal, blank or uneven are found."""

from __future__ import annotations

import numpy as np

from neurosage.data.assembly import assembly
from neurosage.data.findings.teachers import find
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
