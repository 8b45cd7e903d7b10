"""The V4 sessions: as their card describes them, and as their source measured them."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.average import average_repetitions
from neurosage.data.cards.card import read_card
from neurosage.data.listing import list_teachers
from neurosage.data.registry import load_stimuli, load_teacher
from neurosage.plugins import entry_points, package_folder
from neurosage.testing import TeacherCase

HERE = ("190923", "201025", "210322", "210325", "210621")
CARD = read_card(package_folder(entry_points("neurosage.teachers")["macaque-v4"]))


def test_the_card_has_all_sessions():
    """Twelve sessions, each with responses and images of its own."""
    assert len(CARD.part) == 12
    digests = [entry.digest for part in CARD.part.values() for entry in part.files]
    assert len(set(digests)) == 24
    assert (CARD.normalise, CARD.default) == ("zscore", "201025")


@pytest.mark.realdata
class TestSingleTrials(TeacherCase):
    @pytest.fixture(autouse=True)
    def recordings(self, mirror):
        self.mirror = mirror

    def make_teacher(self):
        return load_teacher("macaque-v4/210325")


@pytest.mark.realdata
@pytest.mark.parametrize("session", HERE)
def test_sessions_load_with_the_counts_of_their_card(mirror, session):
    """Counts, region, monkey and unit are those of the source."""
    teacher, part = load_teacher(f"macaque-v4/{session}"), CARD.part[session]
    assert teacher.id == f"macaque-v4/{session}"
    assert (teacher.regions, teacher.normalise) == (("V4",), "zscore")
    assert len(teacher.stimuli) == part.counts.stimulus
    assert teacher.assembly.sizes["neuroid"] == part.counts.neuroid
    assert set(teacher.assembly["subject"].values) == {part.neuroids["subject"]}
    assert teacher.assembly.attrs["unit"] == "spikes / 100 ms"
    assert teacher.stimuli.image(0).shape == (112, 112, 3)
    assert list(teacher.stimuli.stimulus_ids) == sorted(teacher.stimuli.stimulus_ids)


@pytest.mark.realdata
def test_the_bare_id_is_the_default_session(mirror):
    """macaque-v4 alone means 201025."""
    assert load_teacher("macaque-v4").id == "macaque-v4/201025"


@pytest.mark.realdata
def test_single_trials_average_to_the_published_means(mirror):
    """The mean of 210325's repetitions, 6 to 10 an image, is the source's own average."""
    single = load_teacher("macaque-v4/210325").assembly
    means = average_repetitions(single)
    assert sorted(set(means["repetitions"].values)) == [6, 7, 8, 9, 10]
    assert np.isfinite(single.values).all()
    published = np.load(next(mirror.rglob("responses_210325.npy")))
    np.testing.assert_allclose(means.values, published.T, atol=1e-12)


@pytest.mark.realdata
def test_stimuli_are_those_of_the_teacher(mirror):
    """The registered stimuli are the teacher's, ids, images and all."""
    for session in ("190923", "210325"):  # the first has a subfolder in its zip file
        shown = load_stimuli(f"macaque-v4/{session}")
        assert shown.content_hash() == load_teacher(f"macaque-v4/{session}").stimuli.content_hash()


@pytest.mark.realdata
def test_the_listing_knows_what_is_here(mirror):
    """Sessions of the mirror are available, others are not."""
    rows = list_teachers().set_index("id")["available"]
    assert {s: bool(rows[f"macaque-v4/{s}"]) for s in CARD.part} == {
        s: s in HERE for s in CARD.part
    }
