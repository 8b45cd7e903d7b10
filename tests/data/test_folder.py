"""A teacher saved is the teacher loaded; by half it is never there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurosage.data import folder as folder_module
from neurosage.data.assembly import assembly
from neurosage.data.cards.card import read_card
from neurosage.data.formats import brainio
from neurosage.data.registry import list_teachers, load_stimuli, load_teacher
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import RDM_DIMS, SUBJECT_DIMS, Teacher
from neurosage.errors import InputError
from neurosage.testing import TeacherCase

IDS = ["im2", "im10", "sub/im1.png", "é"]


def shown(degrees=8.0, **columns):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"stimulus_id": IDS, "label": ["007", "8", "9", "10"], **columns})
    table["size"] = [1.5, np.nan, 2.0, 3.0]
    table["face"] = [True, False, True, True]
    return StimulusSet("pets", table, rng.integers(0, 255, (4, 6, 5, 3), np.uint8), degrees)


def responses(time_bins=0):
    rng = np.random.default_rng(1)
    ids = [IDS[k] for k in (3, 0, 1, 2, 0, 1)]
    shape = (6, 3, time_bins)[: 3 if time_bins else 2]
    values = rng.normal(size=shape).astype(np.float32)
    values[0, 1] = np.nan
    edges = {
        "time_bin_start": 10 * np.arange(time_bins),
        "time_bin_end": 10 + 10 * np.arange(time_bins),
    }
    made = assembly(
        values,
        ("presentation", "neuroid", "time_bin")[: len(shape)],
        stimulus_id=ids,
        region=["V4", "IT", "IT"],
        subject=("neuroid", ["Tom", "Tom", "Jerry"]),
        depth=("neuroid", [0.1, 0.2, np.nan]),
        trial=("presentation", np.arange(6) * 7),
        **(edges if time_bins else {}),
    )
    return made.assign_attrs(unit="spikes / 100 ms", repetitions="1 to 2", gain=0.25)


def rdms(subjects=0):
    ids = np.array(IDS, object)
    square = np.random.default_rng(2).random((2, 4, 4))
    square = square + square.swapaxes(1, 2)
    coords = {
        "region": ("region", np.array(["V4", "IT"], object)),
        "stimulus_id_i": ("stimulus_i", ids),
        "stimulus_id_j": ("stimulus_j", ids),
        "voxels": ("region", [316, 100]),
    }
    if not subjects:
        return xr.DataArray(square, dims=RDM_DIMS, coords=coords, attrs={"distance": "correlation"})
    names = np.array([f"S{k}" for k in range(subjects)], object)
    every = np.stack([square * (k + 1) for k in range(subjects)])
    return xr.DataArray(every, dims=SUBJECT_DIMS, coords={**coords, "subject": ("subject", names)})


TEACHERS = {
    "repetitions": lambda: Teacher("lab-it", shown(), responses(), normalise="zscore"),
    "time bins": lambda: Teacher("lab/first", shown(None), responses(4), kind="simulated"),
    "RDMs": lambda: Teacher("lab-it", shown(), None, rdms(), kind="rdm"),
    "subjects": lambda: Teacher("lab-it", shown(), None, rdms(3), kind="rdm"),
    "both": lambda: Teacher("lab-it", shown(), responses(), rdms(3), kind="network"),
}


@pytest.mark.parametrize("make", TEACHERS.values(), ids=TEACHERS.keys())
def test_a_teacher_saved_is_the_teacher_loaded(tmp_path, make):
    """Content, attributes, labels, degrees and subjects' RDMs come back."""
    teacher = make()
    again = load_teacher(teacher.save(tmp_path / "saved"))
    assert again.content_hash() == teacher.content_hash()
    assert again.id == teacher.id.replace("/", "-")
    assert (again.kind, again.normalise) == (teacher.kind, teacher.normalise)
    assert again.stimuli.degrees == teacher.stimuli.degrees
    pd.testing.assert_frame_equal(again.stimuli.table, teacher.stimuli.table, check_dtype=False)
    for mine, theirs in (
        (teacher.assembly, again.assembly),
        (teacher.stored_rdms, again.stored_rdms),
    ):
        if mine is not None:
            assert theirs.attrs == mine.attrs
            assert theirs.dtype == mine.dtype
            assert set(theirs.coords) == set(mine.coords)
    counts = read_card(tmp_path / "saved").part["all"].counts
    assert counts.stimulus == 4
    assert counts.neuroid == (None if teacher.assembly is None else 3)


class TestSaved(TeacherCase):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path):
        whole = responses()
        whole.values[0, 1] = 1.0
        self.saved = Teacher("lab-it", shown(), whole).save(tmp_path / "lab-it")

    def make_teacher(self):
        return load_teacher(self.saved)


def test_a_loaded_teacher_is_saved_with_its_files_own_bytes(lab, tmp_path):
    """JPEG stays JPEG: files are passed on as they are, and the card's words with them."""
    teacher = load_teacher(lab)
    again = load_teacher(teacher.save(tmp_path / "copy"))
    assert again.content_hash() == teacher.content_hash()
    assert (again.card.species, again.card.licence) == ("Felis catus", "CC0-1.0")
    with (
        zipfile.ZipFile(lab / "images.zip") as old,
        zipfile.ZipFile(tmp_path / "copy" / "images.zip") as new,
    ):
        assert sorted(map(old.read, old.namelist())) == sorted(map(new.read, new.namelist()))


def test_saving_twice_gives_the_same_images(tmp_path):
    """Equal images make an equal zip file, so equal hashes."""
    first, second = (TEACHERS["RDMs"]().save(tmp_path / name) for name in "ab")
    assert (first / "images.zip").read_bytes() == (second / "images.zip").read_bytes()


def test_a_subset_is_saved_as_such(tmp_path):
    """Stimuli that were left out are not in the folder."""
    stimuli = shown().take(IDS[:2])
    few = responses().isel(presentation=[1, 2])
    saved = Teacher("few", stimuli, few).save(tmp_path / "few")
    with zipfile.ZipFile(saved / "images.zip") as archive:
        assert archive.namelist() == ["im2.png", "im10.png"]
    assert load_teacher(saved).content_hash() == Teacher("few", stimuli, few).content_hash()


def test_a_saved_folder_is_listed_and_found(tmp_path, monkeypatch):
    """Below NEUROSAGE_TEACHERS it is a teacher like any other, its regions and counts listed."""
    TEACHERS["repetitions"]().save(tmp_path / "lab-it")
    monkeypatch.setenv("NEUROSAGE_TEACHERS", str(tmp_path))
    row = list_teachers().set_index("id").loc["lab-it"]
    assert (row["regions"], row["neuroids"], row["stimuli"]) == ("V4, IT", 3, 4)
    assert row["available"]
    assert load_teacher("lab-it").regions == ("V4", "IT")
    assert list(load_stimuli(tmp_path / "lab-it").table["label"]) == ["007", "8", "9", "10"]


FAULTS = {
    "responses": (brainio, "write"),
    "table": (folder_module, "write_table"),
    "images": (folder_module, "pack_images"),
    "card": (folder_module, "card_text"),
    "renaming": (folder_module, "_put_in_place"),
}


@pytest.mark.parametrize("place", FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("there", [False, True], ids=["new", "overwritten"])
def test_what_fails_leaves_nothing(tmp_path, monkeypatch, place, there):
    """A write that fails leaves what was there before, and nothing beside it."""
    teacher, target = TEACHERS["repetitions"](), tmp_path / "lab-it"
    if there:
        replace(teacher, normalise="centre").save(target)

    def fail(*_args, **_keys):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*place, fail)
    with pytest.raises(OSError, match="No space left"):
        teacher.save(target, overwrite=there)
    assert [path.name for path in tmp_path.iterdir()] == (["lab-it"] if there else [])
    if there:
        assert load_teacher(target).normalise == "centre"


def test_a_folder_that_cannot_be_put_in_place_gives_the_old_one_back(tmp_path, monkeypatch):
    """If the last renaming fails, the former folder is back."""
    target = TEACHERS["RDMs"]().save(tmp_path / "lab-it")
    renamed, failed = type(target).rename, []

    def fail(self, to):
        if to == target and not failed:
            failed.append(self)
            raise OSError(5, "Input/output error")
        return renamed(self, to)

    monkeypatch.setattr(type(target), "rename", fail)
    with pytest.raises(OSError, match="Input/output"):
        TEACHERS["subjects"]().save(target, overwrite=True)
    assert load_teacher(target).stored_rdms.dims == RDM_DIMS


def test_a_process_that_is_killed_leaves_no_teacher(tmp_path, monkeypatch):
    """Killed before the renaming, nothing is listed and nothing loads."""
    script = textwrap.dedent("""
        import os, signal, sys
        import numpy as np, pandas as pd
        import neurosage as ns
        from neurosage.data import folder
        from neurosage.data.stimuli import StimulusSet
        folder._put_in_place = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        table, images = pd.DataFrame({"stimulus_id": ["a"]}), np.zeros((1, 2, 2, 3), "u1")
        answers = ns.assembly([[1.0]], stimulus_id=["a"], region="V4")
        ns.Teacher("t", StimulusSet("s", table, images), answers).save(sys.argv[1])
    """)
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "t"], check=False)
    assert done.returncode == -signal.SIGKILL
    left = os.listdir(tmp_path)
    assert len(left) == 1
    assert left[0].startswith(".t-")
    monkeypatch.setenv("NEUROSAGE_TEACHERS", str(tmp_path))
    assert "t" not in set(list_teachers()["id"])
    with pytest.raises(InputError, match=r"there is no folder|unknown teacher"):
        load_teacher(tmp_path / "t")


def test_a_folder_is_replaced_only_where_it_is_a_teachers(tmp_path):
    """Existing folders are refused; with overwrite, those that hold anything else."""
    teacher, target = TEACHERS["RDMs"](), tmp_path / "lab-it"
    teacher.save(target)
    with pytest.raises(InputError, match=r"exists already; .*overwrite=True"):
        teacher.save(target)
    (target / "notes.txt").write_text("mine")
    with pytest.raises(
        InputError, match=r"files that its card does not name \(first: \['notes.txt'"
    ):
        teacher.save(target, overwrite=True)
    (target / "notes.txt").unlink()
    assert TEACHERS["subjects"]().save(target, overwrite=True) == target
    assert load_teacher(target).stored_rdms.sizes["subject"] == 3
    (target / "card.toml").unlink()
    with pytest.raises(InputError, match=r"is not a teacher's folder \(it has no card.toml\)"):
        teacher.save(target, overwrite=True)
    with pytest.raises(InputError, match="is not a folder"):
        teacher.save(target / "rdms.nc", overwrite=True)


def test_a_teacher_saved_over_itself(tmp_path):
    """What is read from the folder while it is replaced is whole."""
    target = TEACHERS["repetitions"]().save(tmp_path / "lab-it")
    before = load_teacher(target)
    before.save(target, overwrite=True)
    assert load_teacher(target).content_hash() == TEACHERS["repetitions"]().content_hash()
    assert before.content_hash() == TEACHERS["repetitions"]().content_hash()


def test_images_that_a_teacher_reads_are_never_deleted(tmp_path):
    """Where the folder would hold them under other names, it is not replaced."""
    target = TEACHERS["RDMs"]().save(tmp_path / "lab-it")
    mine = load_teacher(target)
    table = mine.stimuli.table.assign(stimulus_id=list("abcd"))
    named = StimulusSet("pets", table, mine.stimuli.images)
    values = mine.stored_rdms.values
    again = Teacher("t", named, assembly(values[0], stimulus_id=list("abcd"), region="V4"))
    with pytest.raises(InputError, match=r"reads its images from .*images\.zip"):
        again.save(target, overwrite=True)
    assert again.save(tmp_path / "other").is_dir()
    assert mine.stimuli.image(0).shape == (6, 5, 3)


def test_only_what_was_saved_is_replaced(lab):
    """A folder made by hand, or with further parts, would lose its files: it is refused."""
    before = sorted(path.name for path in lab.iterdir())
    mine = load_teacher(lab)
    with pytest.raises(InputError, match=r"not written by Teacher.save .*saved = true"):
        mine.save(lab, overwrite=True)
    card = (lab / "card.toml").read_text()
    second = card[card.index("[part.first]") :].replace("first", "second")
    top = card.replace("[part.first]", 'default = "first"\nsaved = true\n[part.first]')
    (lab / "card.toml").write_text(top + second)
    with pytest.raises(InputError, match="holds the parts first, second"):
        load_teacher(lab).save(lab, overwrite=True)
    assert sorted(path.name for path in lab.iterdir()) == before
    assert mine.stimuli.image(0).shape == (4, 4, 3)


def test_question_marks_are_names_too(tmp_path):
    """A region, title or label called "?" is saved and loaded like any other."""
    made = TEACHERS["repetitions"]()
    odd = made.assembly.assign_coords(region=("neuroid", ["V4", "?", "?"]))
    again = load_teacher(replace(made, assembly=odd).save(tmp_path / "odd"))
    assert again.regions == ("V4", "?")
    text = (tmp_path / "odd" / "card.toml").read_text()
    (tmp_path / "odd" / "card.toml").write_text(f'title = "?"\n{text}')
    assert load_teacher(tmp_path / "odd").card.title == "?"


def test_a_card_that_would_not_load_is_not_put_in_place(tmp_path, monkeypatch):
    """What is written is read before it takes the place of what was there."""
    monkeypatch.setattr(folder_module, "card_text", lambda card: "schema = 2")
    with pytest.raises(InputError):
        TEACHERS["RDMs"]().save(tmp_path / "lab-it")
    assert not list(tmp_path.iterdir())


def test_what_may_be_lost_is_dropped(tmp_path):
    """Columns, coordinates and attributes that cannot be written go where `drop` allows it."""
    made = replace(
        TEACHERS["repetitions"](),
        stimuli=shown(odd=["x", None, "y", "z"]),
        assembly=responses().assign_attrs(thing=object()),
    )
    with pytest.raises(InputError, match="thing"):
        made.save(tmp_path / "lab-it", drop=["odd"])
    for drop in (["odd", "thing"], "all"):
        again = load_teacher(made.save(tmp_path / f"lab-{len(drop)}", drop=drop))
        assert "odd" not in again.stimuli.table.columns
        assert "thing" not in again.assembly.attrs
        assert again.content_hash() == TEACHERS["repetitions"]().content_hash()


@pytest.mark.parametrize("place", ["/proc/nope", "/dev/null/x", "{}/file/x", "{}/a\0b", "x" * 5000])
def test_places_that_cannot_be_are_one_sentence(tmp_path, place):
    """Whatever the disk says against a folder is an error that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        TEACHERS["RDMs"]().save(place.format(tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "my lab"}, "the teacher's id 'my lab' is no plain name"),
        ({"stimuli": shown(odd=[1, "a", 2, 3])}, r"odd \(not all text, all numbers"),
        (
            {"stimuli": shown(odd=["x", None, "y", "z"])},
            r"odd \(text, and missing values; write ''",
        ),
        ({"assembly": responses().assign_attrs(odd=object())}, "odd"),
        ({"assembly": responses().assign_attrs(repetitions=12)}, r"'averaged over 12'|it is words"),
        ({"stimuli": shown(float("inf"))}, "degrees"),
        (
            {"stimuli": shown(filename=["é.png", "im2.png", "im10.png", "x.txt"])},
            "names other images than theirs",
        ),
    ],
    ids=["id", "column", "missing text", "attribute", "repetitions", "degrees", "filename"],
)
def test_what_would_be_lost_is_refused(tmp_path, change, message):
    """Nothing is dropped in silence, and nothing is left behind."""
    teacher = replace(TEACHERS["repetitions"](), **change)
    with pytest.raises(InputError, match=message):
        teacher.save(tmp_path / "lab-it")
    assert not list(tmp_path.iterdir())
