"""The first card says what can be told, and asks for the rest; then it loads."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.data.cards.array_guesses import guess_dims
from neurosage.data.cards.card import read_card
from neurosage.data.cards.new_card import draft_card, write_card
from neurosage.data.formats import brainio
from neurosage.data.formats.netcdf import write_rdms
from neurosage.data.registry import load_teacher
from neurosage.errors import InputError

from ..conftest import png, write_zip

IMAGES = [f"im{k:02d}.png" for k in range(8)]
IDS = [name.removesuffix(".png") for name in IMAGES]
RATES = np.random.default_rng(0).random((5, 8, 3))


@pytest.fixture
def place(tmp_path):
    """A folder with eight images in a zip file."""
    (tmp_path / "lab IT!").mkdir()
    write_zip(tmp_path / "lab IT!" / "images.zip", IMAGES)
    return tmp_path / "lab IT!"


def ragged():
    """Neuroids × stimuli × repetitions, of which some stimuli had fewer."""
    values = RATES.copy()
    values[:, 2:, 2] = np.nan
    return values


def test_an_array_and_images(place):
    """Dims are told by the number of images; with a region nothing is left, and it loads."""
    np.save(place / "responses.npy", RATES[..., 0])
    draft = write_card(place, region="IT")
    assert draft.missing == ()
    teacher = load_teacher(place)
    assert teacher.id == "lab-IT-"
    assert teacher.assembly.shape == (8, 5)
    part = read_card(place).part["all"]
    assert (part.counts.neuroid, part.counts.stimulus) == (5, 8)
    assert part.responses.size == (place / "responses.npy").stat().st_size


def test_what_is_left_is_said_twice(place):
    """The draft names the keys to fill in; loading names the same, in one sentence."""
    np.save(place / "responses.npy", RATES[..., 0])
    draft = write_card(place, "lab")
    assert draft.missing == ("part.all.neuroids.region",)
    with pytest.raises(InputError) as caught:
        load_teacher(place)
    assert "is not finished: fill in part.all.neuroids.region" in str(caught.value)
    text = (place / "card.toml").read_text()
    (place / "card.toml").write_text(text.replace('"?" }', '"V4" }'))
    assert load_teacher(place).regions == ("V4",)


def test_nothing_there_asks_for_all(tmp_path):
    """An empty folder, or none, gets a card of questions."""
    draft = write_card(tmp_path / "new" / "lab", "lab")
    assert draft.missing == (
        "part.all.images.file",
        "part.all.responses.file",
        "part.all.neuroids.region",
    )
    with pytest.raises(InputError, match="is not finished"):
        load_teacher(tmp_path / "new" / "lab")


def test_a_file_of_matlab(place):
    """Structs are looked into; names of images and areas are recognised."""
    from scipy.io import savemat

    names, areas = np.array(IDS, object), np.array(["V4"] * 3 + ["IT"] * 2, object)
    held = {"rate": ragged(), "names": names, "area": areas}
    savemat(place / "s.mat", {"data": held, "fs": 1.0})
    assert write_card(place).missing == ()
    teacher = load_teacher(place)
    assert teacher.regions == ("V4", "IT")
    assert teacher.assembly.shape == (18, 5)


def test_tables_beside_the_array(place):
    """CSV files are told apart by their columns and names."""
    np.save(place / "responses.npy", RATES[..., 0].T)
    (place / "sites.csv").write_text(
        "neuroid_id,region\n" + "".join(f"n{k},V4\n" for k in range(5))
    )
    rows = "".join(f"{k},{name},face\n" for k, name in enumerate(IMAGES))
    (place / "shown.csv").write_text("stimulus_id,filename,label\n" + rows)
    assert write_card(place).missing == ()
    part = read_card(place).part["all"]
    assert (part.stimuli.file, part.neuroid_table.file) == ("shown.csv", "sites.csv")
    teacher = load_teacher(place)
    assert list(teacher.stimuli.stimulus_ids[:2]) == ["0", "1"]
    assert teacher.regions == ("V4",)


def test_trials_with_a_table(place):
    """A table of presentations as long as the array is one."""
    np.save(place / "rates.npy", np.random.default_rng(0).random((16, 5)))
    rows = "".join(f"{name},{k}\n" for k in range(2) for name in IDS)
    (place / "trials.csv").write_text("stimulus_id,repetition\n" + rows)
    assert write_card(place, region="IT").missing == ()
    assert load_teacher(place).assembly.sizes["presentation"] == 16


def test_responses_in_csv(place):
    """A table of numbers with stimulus ids is responses, not labels."""
    rows = "".join(f"{name},{k},{k * 2}\n" for k, name in enumerate(IDS))
    (place / "responses.csv").write_text("stimulus_id,n1,n2\n" + rows)
    assert write_card(place, region="IT").missing == ()
    assert list(load_teacher(place).assembly["neuroid_id"].values) == ["n1", "n2"]


def test_netcdf(place):
    """BrainIO's layout says its regions; RDMs make a teacher of kind rdm."""
    made = assembly(RATES[..., 0].T, stimulus_id=IDS, region=["V4"] * 5)
    brainio.write(made, place / "assy.nc", identifier="lab")
    assert write_card(place).missing == ()
    assert load_teacher(place).regions == ("V4",)


def test_rdms(place):
    """A file of RDMs makes a teacher of kind rdm, without asking for a region."""
    from neurosage.rsa.rdm import rdms

    made = rdms(assembly(RATES[..., 0].T, stimulus_id=IDS, region=["V4"] * 5))
    write_rdms(made, place / "rdms.nc")
    assert write_card(place).missing == ()
    teacher = load_teacher(place)
    assert (teacher.kind, teacher.regions, teacher.assembly) == ("rdm", ("V4",), None)


def test_images_in_a_folder(tmp_path):
    """A folder of images will do, without a hash."""
    (tmp_path / "pictures").mkdir()
    for k, name in enumerate(IMAGES):
        (tmp_path / "pictures" / name).write_bytes(png(k))
    np.savez(tmp_path / "r.npz", rates=RATES[..., 0])
    assert write_card(tmp_path, "lab", region="IT").missing == ()
    assert read_card(tmp_path).part["all"].images.file == "pictures/"
    assert len(load_teacher(tmp_path).stimuli) == 8


@pytest.mark.parametrize(
    ("shape", "lengths", "dims"),
    [
        ((5, 8), {"stimulus": 8}, ("neuroid", "stimulus")),
        ((8, 5), {"stimulus": 8}, ("stimulus", "neuroid")),
        ((8, 8), {"stimulus": 8}, ("?", "?")),
        ((8, 8), {"stimulus": 8, "neuroid": 8}, ("?", "?")),
        ((4, 5), {"stimulus": 8}, ("?", "?")),
        ((4, 5), {"stimulus": 8, "neuroid": 5}, ("?", "neuroid")),
        ((16, 5), {"stimulus": 8, "presentation": 16}, ("presentation", "neuroid")),
        ((5, 8, 3), {"stimulus": 8}, ("?", "stimulus", "?")),
        ((5, 8, 3), {"stimulus": 8, "neuroid": 5}, ("neuroid", "stimulus", "?")),
        ((8, 5), {"stimulus": 8, "presentation": 8}, ("presentation", "neuroid")),
        ((4, 5), {}, ("?", "?")),
    ],
)
def test_dims_are_told_only_where_lengths_tell_them(shape, lengths, dims):
    """A square array, or none of the lengths, is a question, never a guess."""
    assert guess_dims(shape, lengths) == dims


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_repetitions_are_told_by_what_was_not_shown(place, suffix):
    """NaN for every neuroid is a repetition that was not shown; the card says by what."""
    dims = ("neuroid", "stimulus", "repetition")
    assert guess_dims((5, 8, 3), {"stimulus": 8}, ragged()) == dims
    assert guess_dims((5, 8, 3), {"stimulus": 8, "neuroid": 5}, ragged()) == dims
    path = place / f"raw{suffix}"
    np.save(path, ragged()) if suffix == ".npy" else np.savez(path, rates=ragged())
    draft = write_card(place, region="IT")
    assert draft.missing == ()
    assert "repetition (NaN where a stimulus was shown less often)" in draft.text
    assert load_teacher(place).assembly.sizes["presentation"] == 8 * 2 + 2


def test_time_bins_are_never_taken_for_repetitions(place):
    """A dim of which nothing tells what it is stays a question, neuroids known or not."""
    np.save(place / "psth.npy", RATES)
    (place / "neurons.csv").write_text(
        "neuroid_id,region\n" + "".join(f"n{k},V4\n" for k in range(5))
    )
    draft = write_card(place)
    assert draft.missing == ("part.all.responses.dims",)
    assert 'dims = ["neuroid", "stimulus", "?"]' in draft.text
    assert "neuroid (as many as neurons.csv), stimulus (as many as images)" in draft.text
    silent = RATES.copy()
    silent[:, 3] = np.nan  # a stimulus that nobody answered says nothing of the third dim
    silent[2, :] = np.nan  # nor does a neuroid that was never recorded
    assert guess_dims((5, 8, 3), {"stimulus": 8, "neuroid": 5}, silent)[2] == "?"


@pytest.mark.parametrize("whole", [True, False], ids=["integers", "fractions"])
def test_a_csv_without_header(place, whole):
    """Numbers alone, a first line of numbers among them, are an array."""
    values = np.random.default_rng(0).integers(10, 99, (8, 5)) + (0 if whole else 0.25)
    np.savetxt(place / "responses.csv", values, delimiter=",", fmt="%d" if whole else "%g")
    assert write_card(place, region="IT").missing == ()
    np.testing.assert_array_equal(load_teacher(place).assembly.values, values)


def test_a_csv_with_older_names(place):
    """A column image_id names the stimuli, in any order."""
    rows = "".join(f"{name},{k},{k * 2}\n" for k, name in reversed(list(enumerate(IDS))))
    (place / "responses.csv").write_text("image_id,n1,n2\n" + rows)
    assert write_card(place, region="IT").missing == ()
    teacher = load_teacher(place)
    assert list(teacher.assembly["neuroid_id"].values) == ["n1", "n2"]
    by_id = dict(zip(teacher.assembly.stimulus_id.values, teacher.assembly.values, strict=True))
    assert by_id["im03"].tolist() == [3, 6]


@pytest.mark.parametrize(
    ("name", "values", "flagged"),
    [
        ("trial", [3, 1, 2, 5, 4, 8, 7, 6], True),
        ("Block_nr", [1] * 8, True),
        ("session", [2] * 8, True),
        ("rep", [0, 1] * 4, True),
        ("x", range(100, 108), True),
        ("n3", [5, 2, 2, 8, 1, 0, 9, 3], False),
        ("timid", [5, 2, 2, 8, 1, 0, 9, 3], False),
    ],
)
def test_columns_that_look_like_bookkeeping(place, name, values, flagged):
    """All columns are listed; what is called like bookkeeping, or counts up, is flagged."""
    rows = "".join(
        f"{i},{k * 7 % 8},{v}\n" for k, (i, v) in enumerate(zip(IDS, values, strict=True))
    )
    (place / "responses.csv").write_text(f"stimulus_id,n1,{name}\n{rows}")
    text = draft_card(place, region="IT").text
    assert f"its columns are 2 neuroids: n1, {name}." in text
    assert (f"NO NEUROIDS? {name}:" in text) == flagged


def test_a_csv_that_cannot_be_read_is_mentioned(place):
    """Why it is passed over stands in the card."""
    (place / "responses.csv").write_text("stimulus_id;a\nim00;1,5\n")
    assert "# responses.csv is passed over: " in draft_card(place, "lab").text


def test_places_that_cannot_be_are_one_sentence(tmp_path):
    """Whatever the disk says against a folder is an error that names it."""
    (tmp_path / "file").write_text("")
    for place in (
        "/proc/nope",
        "/dev/null/x",
        tmp_path / "file" / "x",
        f"{tmp_path}/a\0b",
        "x" * 5000,
    ):
        with pytest.raises(InputError, match="cannot be written in"):
            write_card(place, "lab")
        with pytest.raises(InputError, match="there is no folder"):
            draft_card(place, "lab")


def test_what_was_not_chosen_is_mentioned(place):
    """Pickles are named as never read; other candidates and images are said."""
    (place / "data.pkl").write_bytes(b"\x80\x04.")
    np.save(place / "a.npy", RATES[..., 0])
    np.save(place / "b.npy", np.zeros((7, 7)))
    np.save(place / "objects.npy", np.array([None]), allow_pickle=True)
    write_zip(place / "other.zip", ["x.png"])
    text = draft_card(place, "lab").text
    assert "data.pkl: pickles are never read" in text
    assert "Others that it could be: b.npy (7 × 7)." in text
    assert 'Images are also in "other.zip".' in text
    assert "# objects.npy is passed over: it cannot be read: " in text


def matlab(folder, **held):
    from scipy.io import savemat

    savemat(folder / "session.mat", held)


def counted(tmp_path, number=12):
    """A folder whose images are im_1 to im_12."""
    write_zip(tmp_path / "images.zip", [f"im_{k + 1}.png" for k in range(number)])
    return tmp_path


def test_an_order_of_images_that_names_leave_open_is_asked_for(tmp_path):
    """Both orders are offered with names, and how many would change place; each loads."""
    np.save(counted(tmp_path) / "r.npy", np.random.default_rng(0).random((5, 12)))
    draft = write_card(tmp_path, "lab", region="IT")
    assert draft.missing == ("part.all.images.order",)
    assert 'order = "file name": letter by letter, im_10.png before im_2.png.' in draft.text
    assert 'order = "number": by the numbers in names, im_2.png before im_10.png.' in draft.text
    assert "11 of 12 images would change place" in draft.text
    for order, second in (("file name", "im_10"), ("number", "im_2")):
        (tmp_path / "card.toml").write_text(draft.text.replace('order = "?"', f'order = "{order}"'))
        assert load_teacher(tmp_path).stimuli.stimulus_ids[1] == second


def test_no_order_is_asked_for_where_responses_name_their_stimuli(tmp_path):
    """By ids of their own, or a table, the order of images does not matter."""
    rows = "".join(f"im_{k + 1},{k},{k * 3 % 7}\n" for k in range(12))
    (counted(tmp_path) / "responses.csv").write_text("stimulus_id,n1,n2\n" + rows)
    assert draft_card(tmp_path, "lab", region="IT").missing == ()


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_of_images_beside_an_array_name_its_presentations(place, first):
    """Trial × neuron with the number of the image: the commonest layout loads at once."""
    shown = np.concatenate([np.random.default_rng(k).permutation(8) for k in range(3)])
    rates = np.random.default_rng(0).random((5, 24))
    matlab(place, S={"rate": rates, "imageIdx": (shown + first).astype(float)})
    draft = write_card(place, "lab", region="IT")
    assert draft.missing == ()
    assert f'coordinates = {{ stimulus_id = "S.imageIdx" }}, index = {first} }}' in draft.text
    assert f"S.imageIdx holds the numbers {first} to {first + 7}, as many as images" in draft.text
    found = load_teacher(place).assembly
    assert list(found["stimulus_id"].values) == [IDS[k] for k in shown]
    np.testing.assert_array_equal(found.values, rates.T)


def test_regions_are_taken_of_one_place(place):
    """A table of neuroids that says regions stands for those of the file, and it is said."""
    areas = np.array(["V4"] * 3 + ["IT"] * 2, object)
    matlab(place, rate=RATES[..., 0], area=areas)
    rows = "neuroid_id,region\n" + "".join(f"n{k},{areas[k]}\n" for k in range(5))
    (place / "sites.csv").write_text(rows)
    draft = write_card(place, "lab")
    assert draft.missing == ()
    assert "coordinates" not in draft.text
    assert "# area in it says regions, too; those of sites.csv are taken." in draft.text
    assert load_teacher(place).regions == ("V4", "IT")


def test_an_array_of_structs_is_stacked(place):
    """neurons(i).resp is neuroid × stimulus × repetition; neurons.area the regions."""
    held = np.zeros(5, [("area", object), ("resp", object)])
    for k in range(5):
        held[k] = ("V4" if k < 3 else "IT", RATES[k])
    matlab(place, neurons=held)
    draft = write_card(place, "lab")
    assert draft.missing == ("part.all.responses.dims",)
    assert 'key = "neurons.resp", dims = ["neuroid", "stimulus", "?"]' in draft.text
    card = place / "card.toml"
    card.write_text(draft.text.replace('"?"]', '"repetition"]'))
    assert load_teacher(place).regions == ("V4", "IT")


def test_cells_of_spike_times_ask_for_their_unit(place):
    """Times are counted in a window; s or ms is a question."""
    rng = np.random.default_rng(0)
    cells = np.empty((5, 8), object)
    for at in np.ndindex(5, 8):
        cells[at] = rng.random((1, rng.integers(1, 9))) * 0.3
    matlab(place, spikes=cells)
    draft = write_card(place, "lab", region="IT")
    assert draft.missing == ("part.all.responses.unit",)
    card = place / "card.toml"
    card.write_text(draft.text.replace('unit = "?"', 'unit = "s"'))
    assert load_teacher(place).assembly.shape == (8, 5)


def test_odd_names_are_printed_in_comments_without_harm(tmp_path):
    """A line break in a name breaks no line of the card."""
    (tmp_path / "a\nb = 1.npy").write_bytes(b"")
    write_zip(tmp_path / "i.zip", ["im\x07\nx = 2.png", "im2.png"])
    assert "part.all.responses.file" in write_card(tmp_path, "lab").missing


def test_files_that_are_not_used_are_listed_with_what_they_lack(place):
    """Shapes, columns, and the next step; nothing lies there unmentioned."""
    ragged_cells = np.empty(5, object)
    for k in range(5):
        ragged_cells[k] = np.ones((8, k + 2))
    matlab(place, resp=ragged_cells, n=3.0)
    (place / "trials.csv").write_text("image,rep,n0\nim00.png,0,3\nim01.png,0,4\n")
    (place / "notes.xlsx").write_bytes(b"PK")
    np.save(place / "baseline.npy", np.zeros(5))
    text = draft_card(place, "lab").text
    assert "# session.mat is passed over: it holds resp (" in text
    assert "cells or structs, of 8 × 2, 8 × 3, 8 × 4, …), n (1 × 1)" in text
    assert (
        "# trials.csv is passed over: 2 rows with the columns image, rep, n0: no column is" in text
    )
    assert "call the column that names the image stimulus_id" in text
    assert (
        "# notes.xlsx is passed over: no format reads it as it is; save its table as .csv." in text
    )
    assert "# baseline.npy is passed over: it holds an array (5); responses are numbers" in text


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n"]
)
@pytest.mark.parametrize("suffix", [".npy", ".npz", ".csv", ".mat", ".nc", ".nwb", ".zip"])
def test_damaged_files_are_passed_over(tmp_path, suffix, content):
    """Whatever a file holds, a card is begun."""
    (tmp_path / f"x{suffix}").write_bytes(content)
    assert "part.all.images.file" in write_card(tmp_path, "lab").missing


def test_a_card_is_never_replaced(place):
    """One that is there stays as it is; a file is no folder; an id is a plain name."""
    (place / "card.toml").write_text("mine")
    with pytest.raises(InputError, match="is there already, and is not replaced"):
        write_card(place)
    assert (place / "card.toml").read_text() == "mine"
    with pytest.raises(InputError, match="is not a folder"):
        write_card(place / "images.zip")
    with pytest.raises(InputError, match=r"the id '../x' is no plain name"):
        write_card(place.parent / "new", "../x")
    assert not (place.parent / "new").exists()
    with pytest.raises(InputError, match="there is no folder"):
        draft_card(place / "none")
