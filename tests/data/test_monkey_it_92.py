"""RDMs of monkey and human IT: as their cards describe them, and as they were published."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import neurosage as ns
from neurosage.data.cards.card import read_card
from neurosage.data.registry import fetch, load_stimuli, load_teacher
from neurosage.errors import InputError
from neurosage.plugins import entry_points, package_folder
from neurosage.testing import StimulusSetCase, TeacherCase

TEACHERS = entry_points("neurosage.teachers")
CARDS = {id_: read_card(package_folder(TEACHERS[id_])) for id_ in ("monkey-it-92", "human-it-92")}
STIMULI = read_card(package_folder(entry_points("neurosage.stimuli")["monkey-it-92"]))
PARTS = ["mean", "session1", "session2", "published"]


def test_the_cards_say_what_kind_of_teacher_this_is():
    """RDM-only, of one region and 92 stimuli; every file has a sha256 and its size."""
    assert list(CARDS["human-it-92"].part) == PARTS
    assert CARDS["human-it-92"].default == "mean"
    for card in (*CARDS.values(), STIMULI):
        for part in card.part.values():
            assert part.counts.stimulus == 92
            assert all(entry.algorithm == "sha256" and entry.size for entry in part.files)
    for card in CARDS.values():
        assert card.kind == "rdm"
        assert all(part.region_names == ("IT",) for part in card.part.values())


def test_the_cards_name_the_images_alike():
    """What the teachers' cards bring is what the stimuli's card reads."""
    for card in CARDS.values():
        for part in card.part.values():
            assert part.images == STIMULI.part["all"].images


def test_a_part_that_is_not_there():
    """A misspelt part is named, and nothing is fetched."""
    with pytest.raises(InputError, match="did you mean 'session1'"):
        load_teacher("human-it-92/sesion1")


@pytest.mark.realdata
class TestStimuli(StimulusSetCase):
    @pytest.fixture(autouse=True)
    def recordings(self, mirror):
        self.mirror = mirror

    def make_stimuli(self):
        return load_stimuli("monkey-it-92")


@pytest.mark.realdata
class TestMonkey(TeacherCase):
    @pytest.fixture(autouse=True)
    def recordings(self, mirror):
        self.mirror = mirror

    def make_teacher(self):
        return load_teacher("monkey-it-92")


@pytest.mark.realdata
class TestHuman(TeacherCase):
    @pytest.fixture(autouse=True)
    def recordings(self, mirror):
        self.mirror = mirror

    def make_teacher(self):
        return load_teacher("human-it-92")


@pytest.mark.realdata
def test_the_stimuli_are_those_published(mirror):
    """92 different images, 175×175, in the six categories of the source."""
    stimuli = load_stimuli("monkey-it-92")
    assert list(stimuli.stimulus_ids[[0, 91]]) == ["object-00", "object-91"]
    assert {stimuli.image(i).shape for i in range(92)} == {(175, 175, 3)}
    assert len({stimuli.image(i).tobytes() for i in range(92)}) == 92
    table = stimuli.table
    assert table["category"].value_counts().to_dict() == {
        "natural inanimate": 23,
        "artificial inanimate": 21,
        **{f"{who} {what}": 12 for who in ("human", "nonhuman") for what in ("face", "bodypart")},
    }
    assert table[["human", "face", "animal", "natural"]].sum().tolist() == [24, 24, 48, 71]


@pytest.mark.realdata
@pytest.mark.parametrize("part", PARTS)
def test_both_species_saw_the_same_stimuli(mirror, part):
    """One stimulus set, so that RDMs are aligned by id."""
    shown = load_stimuli("monkey-it-92").content_hash()
    assert load_teacher("monkey-it-92").stimuli.content_hash() == shown
    assert load_teacher(f"human-it-92/{part}").stimuli.content_hash() == shown


@pytest.mark.realdata
def test_monkey_and_human_agree_as_published(mirror):
    """Pearson .4912 between the two RDMs of figure 1."""
    monkey, human = load_teacher("monkey-it-92"), load_teacher("human-it-92/published")
    r = ns.similarity(monkey, human)
    assert r.shape == (1, 1)
    assert float(r.values[0, 0]) == pytest.approx(0.4912, abs=5e-5)


@pytest.mark.realdata
def test_the_published_human_rdm_is_the_mean(mirror):
    """Figure 1 is the mean over subjects and sessions, to single precision."""
    published = load_teacher("human-it-92/published").stored_rdms
    mean = load_teacher("human-it-92").stored_rdms
    np.testing.assert_allclose(mean.mean("subject").values, published.values, atol=1e-6)
    sessions = [load_teacher(f"human-it-92/session{k}").stored_rdms for k in (1, 2)]
    np.testing.assert_allclose(np.mean([s.values for s in sessions], axis=0), mean.values)


@pytest.mark.realdata
@pytest.mark.parametrize("part", PARTS[:3])
def test_each_subject_has_an_rdm(mirror, part):
    """Four subjects; distances of correlation, symmetric, zero on the diagonal."""
    rdms = load_teacher(f"human-it-92/{part}").stored_rdms
    assert rdms.dims == ("subject", "region", "stimulus_i", "stimulus_j")
    assert list(rdms["subject"].values) == ["BE", "KO", "SN", "TI"]
    assert rdms.attrs["distance"] == "correlation"
    assert ((rdms >= 0) & (rdms <= 2)).all()
    assert (np.diagonal(rdms.values, axis1=-2, axis2=-1) == 0).all()


@pytest.mark.realdata
def test_subjects_agree_less_than_species(mirror):
    """Pearson between subjects .22 to .45."""
    values = load_teacher("human-it-92").stored_rdms.values[:, 0]
    upper = values[:, *np.triu_indices(92, 1)]
    pairs = itertools.combinations(range(4), 2)
    each = [np.corrcoef(upper)[i, j] for i, j in pairs]
    assert [round(min(each), 2), round(max(each), 2)] == [0.22, 0.45]


@pytest.mark.realdata
def test_fetching_names_each_file_once(mirror):
    """The human teacher has four parts and two files."""
    files = fetch("human-it-92")
    assert sorted(path.name for path in files) == [
        "92_brainRDMs.mat",
        "Kriegeskorte_Neuron2008_supplementalData.mat",
    ]
    assert load_teacher("monkey-it-92").card.part["all"].counts.neuroid == 674
