"""From a card and its files: pairs by sorted file name, and checks before use."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from neurosage.data.build import build_stimuli, build_teacher
from neurosage.data.cards.card import read_card
from neurosage.data.formats.netcdf import write_rdms
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


PARTS = 'schema = 1\nid = "lab-it"\nkind = "recorded"\n[part.all]\n'
NEUROIDS = "neuroid_id,region,depth\nn1,V4,0.5\nn2,IT,1\n"
STIMULI = "image_id,image_file_name,label,size\n7,c.png,cat,1\n8,a.png,dog,2\n9,b.png,cat,3\n"


def build(folder, *lines, **tables):
    """A teacher of the lines of a card, with tables as named."""
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
    (folder / "card.toml").write_text(PARTS + "\n".join(lines) + "\n")
    return build_teacher(read_card(folder), folder)


@pytest.fixture
def bare(tmp_path):
    """Three images in a zip file and in a folder, two neuroids, no card."""
    lay_out(tmp_path / "lab")
    (tmp_path / "lab" / "pictures").mkdir()
    for k, name in enumerate(["b.png", "a.png", "c.png"]):
        (tmp_path / "lab" / "pictures" / name).write_bytes(png(k))
    return tmp_path / "lab"


RESPONSES = 'responses = { file = "responses.npy", dims = ["neuroid", "stimulus"] }'
ZIP, IT = 'images = { file = "images.zip" }', 'neuroids = { region = "IT" }'


@pytest.mark.parametrize("folder", ["pictures/", "pictures", "./"])
def test_images_may_lie_in_a_folder(bare, folder):
    """A folder of images, or those beside the card, are as good as a zip file."""
    teacher = build(bare, RESPONSES, f'images = {{ file = "{folder}" }}', IT)
    assert list(teacher.stimuli.stimulus_ids) == list("abc")
    np.testing.assert_array_equal(teacher.stimuli.image(1), decode(png(0), "b"))


def test_a_table_of_stimuli_gives_ids_and_labels(bare):
    """Rows are the stimuli, in order; images are found by name; labels reach the table."""
    teacher = build(bare, RESPONSES, ZIP, IT, 'stimuli = { file = "stimuli.csv" }', stimuli=STIMULI)
    assert list(teacher.stimuli.stimulus_ids) == ["7", "8", "9"]
    assert teacher.stimuli.table["label"].tolist() == ["cat", "dog", "cat"]
    assert teacher.stimuli.table["size"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(teacher.stimuli.image(0), decode(png(2), "c"))
    np.testing.assert_array_equal(teacher.assembly.values[:, 0], [1, 2, 3])
    assert list(teacher.assembly["stimulus_id"].values) == ["7", "8", "9"]


def test_rows_by_file_name_where_the_card_says_so(bare):
    """order = "file name": the k-th image by name is the k-th row, whatever its columns."""
    images = 'images = { file = "images.zip", order = "file name" }'
    lines = (RESPONSES, images, IT, 'stimuli = { file = "stimuli.csv" }')
    teacher = build(bare, *lines, stimuli="stimulus_id,label\nx,1\ny,2\nz,3\n")
    np.testing.assert_array_equal(teacher.stimuli.image(0), decode(png(1), "a"))
    with pytest.raises(InputError, match=r"holds 3 images .* has 1 rows; with order"):
        build(bare, *lines, stimuli="stimulus_id\nx\n")


def test_a_table_of_neuroids_names_them(bare):
    """Region, id and whatever else is known, a row a neuroid."""
    lines = (RESPONSES, ZIP, 'neuroid_table = { file = "neuroids.csv" }')
    teacher = build(bare, *lines, 'neuroids = { subject = "Tom" }', neuroids=NEUROIDS)
    assert teacher.regions == ("V4", "IT")
    assert list(teacher.assembly["neuroid_id"].values) == ["n1", "n2"]
    assert list(teacher.assembly["depth"].values) == [0.5, 1.0]
    assert list(teacher.assembly["subject"].values) == ["Tom", "Tom"]
    unnamed = build(bare, *lines, neuroids="region\nV4\nV4\n")
    assert list(unnamed.assembly["neuroid_id"].values) == ["V4.0", "V4.1"]
    with pytest.raises(InputError, match="neuroid_table of 'lab-it' has 1 rows, but there are 2"):
        build(bare, *lines, neuroids="region\nV4\n")


def test_a_table_of_presentations_says_what_was_shown(bare):
    """A row a presentation: stimulus, repetition, and whatever else."""
    np.save(bare / "responses.npy", np.arange(8.0).reshape(4, 2))
    table = "stimulus_id,repetition,day\nb,0,mon\na,0,mon\nb,1,tue\nc,0,tue\n"
    lines = ('responses = { file = "responses.npy" }', ZIP, IT)
    lines += ('presentation_table = { file = "shown.csv" }',)
    found = build(bare, *lines, shown=table).assembly
    assert list(found["stimulus_id"].values) == ["b", "a", "b", "c"]
    assert list(found["repetition"].values) == [0, 0, 1, 0]
    assert list(found["day"].values) == ["mon", "mon", "tue", "tue"]
    np.testing.assert_array_equal(found.values[2], [4.0, 5.0])
    with pytest.raises(InputError, match="presentation_table of 'lab-it' has no column 'stimulus_"):
        build(bare, *lines, shown="day\nmon\nmon\nmon\nmon\n")


@pytest.mark.parametrize(
    ("select", "neuroids", "ids"),
    [
        ('{ region = "IT" }', ["n2"], ["7", "8", "9"]),
        ('{ label = "cat" }', ["n1", "n2"], ["7", "9"]),
        ('{ label = ["dog"], depth = 0.5 }', ["n1"], ["8"]),
        ('{ stimulus_id = ["9", "8"] }', ["n1", "n2"], ["8", "9"]),
    ],
    ids=["neuroids", "labels", "both", "ids"],
)
def test_what_is_selected_is_the_teacher(bare, select, neuroids, ids):
    """Coordinates of neuroids, labels of stimuli: what is left out is not the teacher's."""
    lines = (ZIP, 'neuroid_table = { file = "neuroids.csv" }', 'stimuli = { file = "stimuli.csv" }')
    chosen = RESPONSES.replace(" }", f", select = {select} }}")
    teacher = build(bare, chosen, *lines, neuroids=NEUROIDS, stimuli=STIMULI)
    assert list(teacher.assembly["neuroid_id"].values) == neuroids
    assert list(teacher.stimuli.stimulus_ids) == ids
    assert set(teacher.assembly["stimulus_id"].values) == set(ids)
    assert len(build_stimuli(teacher.card, bare)) == 3


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('select = { label = "rat" }', r"select keeps label = \['rat'\], which no stimulus"),
        ("window = [70, 170]", r"window = \[70.0, 170.0\], but its responses have no time bins"),
        ('group = "x"', "format = 'arrays', which takes .*, and not group; remove that"),
        ('format = "netcdf"', "format = 'netcdf', which holds no responses; those that do: arrays"),
        ('select = { area = "IT" }', "unknown coordinate 'area'"),
    ],
    ids=["label", "window", "key", "format", "coordinate"],
)
def test_a_key_that_cannot_be_followed_is_named(bare, keys, message):
    """What the format does not take, or the data do not hold, is one sentence."""
    responses = RESPONSES.replace(" }", f", {keys} }}")
    if "netcdf" in keys:
        responses = f'responses = {{ file = "responses.npy", {keys} }}'
    stimuli = 'stimuli = { file = "stimuli.csv" }'
    with pytest.raises(InputError, match=message):
        build(bare, responses, ZIP, IT, stimuli, stimuli=STIMULI)


def test_without_a_region_the_card_says_what_is_missing(bare):
    """Neither table nor key: the remedy is in the message."""
    with pytest.raises(InputError, match=r"does not say the region .* neuroids = \{ region"):
        build(bare, RESPONSES, ZIP)


@pytest.mark.parametrize("keys", ['hash = "sha256:{}"'.format("0" * 64), ""], ids=["hash", "none"])
def test_a_file_that_is_not_there_is_named(bare, keys):
    """With a hash or without, the file and the place are said."""
    entry = f'responses = {{ file = "none.npy"{", " * bool(keys)}{keys} }}'
    with pytest.raises(FetchError, match=r"none\.npy of 'lab-it'"):
        build(bare, entry, ZIP, IT)


def test_rdms_alone_are_a_teacher(bare):
    """Where only RDMs were published the card names them, and no responses."""
    square = np.ones((2, 1, 3, 3)) - np.eye(3)
    ids = ["7", "8", "9"]
    made = xr.DataArray(
        square,
        dims=("subject", "region", "stimulus_i", "stimulus_j"),
        coords={
            "subject": ("subject", ["S1", "S2"]),
            "region": ("region", ["IT"]),
            "stimulus_id_i": ("stimulus_i", ids),
            "stimulus_id_j": ("stimulus_j", ids),
        },
    )
    write_rdms(made, bare / "rdms.nc")
    rdms = 'rdms = { file = "rdms.nc", format = "netcdf" }'
    teacher = build(bare, rdms, ZIP, 'stimuli = { file = "stimuli.csv" }', stimuli=STIMULI)
    assert teacher.assembly is None
    assert teacher.stored_rdms.equals(made)
    assert teacher.regions == ("IT",)
    with pytest.raises(InputError, match="format = 'arrays', which holds no RDMs; those that do"):
        build(bare, 'rdms = { file = "responses.npy" }', ZIP)


def test_ids_of_parts_with_tables_are_the_tables(tmp_path):
    """Ids from file names carry the part's name, whatever names the file of responses has."""
    lab = lay_out(tmp_path / "lab")
    (lab / "responses.csv").write_text("stimulus_id,n1\nc,3\na,1\nb,2\n")
    part = '\nresponses = { file = "responses.csv" }\nimages = { file = "images.zip" }\n' + IT
    top = PARTS.replace("[part.all]", 'default = "one"')
    (lab / "card.toml").write_text(f"{top}[part.one]{part}\n[part.two]{part}\n")
    teacher = build_teacher(read_card(lab), lab, "two")
    assert list(teacher.assembly["stimulus_id"].values) == ["two/c", "two/a", "two/b"]
    assert list(teacher.stimuli.stimulus_ids) == ["two/a", "two/b", "two/c"]


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
        (
            "stimulus = 3",
            "stimulus = 4",
            r"has 3 of stimulus \(first: \['a', 'b', 'c'.*card says 4",
        ),
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


# ---- which image is which ----------------------------------------------------------------


def test_images_in_the_order_of_the_numbers_in_their_names(tmp_path):
    """order = "number": im_2 comes before im_10, with or without a table of stimuli."""
    names = [f"im_{k + 1}.png" for k in range(10)]
    write_zip(tmp_path / "images.zip", names)
    np.save(tmp_path / "responses.npy", np.arange(20.0).reshape(2, 10))
    by_name = build(tmp_path, RESPONSES, ZIP, IT)
    assert list(by_name.stimuli.stimulus_ids[:3]) == ["im_1", "im_10", "im_2"]
    images = 'images = { file = "images.zip", order = "number" }'
    counted = build(tmp_path, RESPONSES, images, IT)
    assert list(counted.stimuli.stimulus_ids) == [f"im_{k + 1}" for k in range(10)]
    assert counted.assembly.sel(presentation=9)["stimulus_id"].item() == "im_10"
    np.testing.assert_array_equal(counted.stimuli.image(9), by_name.stimuli.image(1))
    rows = "stimulus_id\n" + "".join(f"s{k}\n" for k in range(10))
    lines = (RESPONSES, images, IT, 'stimuli = { file = "stimuli.csv" }')
    tabled = build(tmp_path, *lines, stimuli=rows)
    np.testing.assert_array_equal(tabled.stimuli.image(9), by_name.stimuli.image(1))


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_mean_images_in_order_where_the_card_says_so(bare, first):
    """index: the number of the first image; other numbers, or no index, are refused."""
    from scipy.io import savemat

    shown = np.array([2, 0, 1, 2, 1, 0])
    savemat(bare / "s.mat", {"rate": np.arange(12.0).reshape(2, 6), "image": shown + first})
    said = 'file = "s.mat", format = "matlab", key = "rate", dims = ["neuroid", "presentation"]'
    coordinates = 'coordinates = { stimulus_id = "image" }'
    entry = f"responses = {{ {said}, {coordinates}, index = {first} }}"
    found = build(bare, entry, ZIP, IT).assembly
    assert list(found["stimulus_id"].values) == [list("abc")[k] for k in shown]
    np.testing.assert_array_equal(found.values[:, 0], np.arange(6.0))
    with pytest.raises(InputError, match="index = 1"):
        build(bare, f"responses = {{ {said}, {coordinates} }}", ZIP, IT)
    with pytest.raises(InputError, match="were not shown"):
        build(bare, entry.replace(f"index = {first}", f"index = {1 - first}"), ZIP, IT)
    with pytest.raises(InputError, match=r"name the stimulus of each presentation, coordinates = "):
        build(bare, f"responses = {{ {said} }}", ZIP, IT)


def test_numbers_of_images_in_a_table_of_presentations_and_selected(bare):
    """The table may number them too; what is selected is named by the stimuli's ids."""
    np.save(bare / "responses.npy", np.arange(8.0).reshape(4, 2))
    keep = 'select = { stimulus_id = ["a", "c"] }, index = 1'
    lines = (f'responses = {{ file = "responses.npy", {keep} }}', ZIP, IT)
    lines += ('presentation_table = { file = "shown.csv" }',)
    found = build(bare, *lines, shown="stimulus_id\n2\n1\n3\n1\n").assembly
    assert list(found["stimulus_id"].values) == ["a", "c", "a"]
