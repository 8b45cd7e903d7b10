"""Tables beside responses: rows belong by id where file and table both have ids."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.data.build import build_teacher
from neurosage.data.cards.card import read_card
from neurosage.data.formats import brainio
from neurosage.errors import InputError

from .conftest import write_zip

TOP = 'schema = 1\nid = "lab"\nkind = "recorded"\n[part.all]\nimages = { file = "i.zip" }\n'
CSV = "stimulus_id,n1,n2,n3\na,0,1,2\nb,3,4,5\nc,6,7,8\n"
NEUROIDS = 'neuroid_table = { file = "n.csv" }'
SHOWN = 'presentation_table = { file = "p.csv" }\nneuroids = { region = "V4" }'


def load(folder, responses, *lines, **tables):
    """A teacher with images a, b and c."""
    write_zip(folder / "i.zip", ["a.png", "b.png", "c.png"])
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
    text = TOP + "\n".join([f"responses = {{ {responses} }}", *lines])
    (folder / "card.toml").write_text(text)
    return build_teacher(read_card(folder), folder).assembly


def write(folder, stimuli="abc", **names):
    """A file of responses in BrainIO's layout."""
    values = np.arange(3.0 * len(stimuli)).reshape(len(stimuli), 3)
    a = assembly(values, stimulus_id=list(stimuli), region=["V4", "V4", "IT"], **names)
    brainio.write(a, folder / "r.nc", identifier="x")
    return 'file = "r.nc", format = "brainio"'


@pytest.mark.parametrize("kind", ["csv", "brainio"])
def test_neuroids_are_matched_by_id(tmp_path, kind):
    """The table's order is its own affair."""
    file = 'file = "r.csv"' if kind == "csv" else write(tmp_path, neuroid_id=["n1", "n2", "n3"])
    table = "neuroid_id,region,depth\nn3,IT,3\nn1,V4,1\nn2,V4,2\n"
    a = load(tmp_path, file, NEUROIDS, r=CSV, n=table)
    assert list(a["neuroid_id"].values) == ["n1", "n2", "n3"]
    assert list(a["region"].values) == ["V4", "V4", "IT"]
    assert list(a["depth"].values) == [1, 2, 3]
    np.testing.assert_array_equal(a.values[0], [0, 1, 2])
    assert "region_as_stored" not in a.coords


def test_neuroids_of_other_names_are_refused(tmp_path):
    """With counts and the first names on either side."""
    table = "neuroid_id,region\nn3,IT\nn1,V4\nx,V4\n"
    message = r"1 of the file's 3 ids have no row \(first: \['n2'\]\), 1 of .* \(first: \['x'\]\)"
    with pytest.raises(InputError, match=message):
        load(tmp_path, 'file = "r.csv"', NEUROIDS, r=CSV, n=table)
    with pytest.raises(InputError, match=r"names neuroids twice: \['n1'\]"):
        load(tmp_path, 'file = "r.csv"', NEUROIDS, r=CSV, n=table.replace("x", "n1"))


def test_names_that_were_made_up_are_no_ids(tmp_path):
    """A file of V4.0, V4.1, IT.0 has no ids of its own: rows are in its order."""
    file = write(tmp_path)
    a = load(tmp_path, file, NEUROIDS, n="neuroid_id,region\nz,IT\ny,V4\nx,V4\n")
    assert list(a["neuroid_id"].values) == ["z", "y", "x"]
    assert list(a["region"].values) == ["IT", "V4", "V4"]
    assert list(a["region_as_stored"].values) == ["V4", "V4", "IT"]
    b = load(tmp_path, file, NEUROIDS, n="neuroid_id,region\nIT.0,IT\nV4.1,V4\nV4.0,V4\n")
    assert list(b["neuroid_id"].values) == ["V4.0", "V4.1", "IT.0"]


def test_the_card_does_not_contradict_its_table(tmp_path):
    """A region of all neuroids beside a table that says others is refused, by their names."""
    table = "neuroid_id,region\nn1,V4\nn2,V4\nn3,IT\n"
    with pytest.raises(InputError, match=r"says region = 'V1' .* has \['IT', 'V4'\]") as caught:
        load(tmp_path, 'file = "r.csv"', NEUROIDS, 'neuroids = { region = "V1" }', r=CSV, n=table)
    assert "unnamed" not in str(caught.value)


def test_presentations_are_matched_by_stimulus(tmp_path):
    """A table in another order than the file's ids is brought into the file's."""
    a = load(tmp_path, 'file = "r.csv"', SHOWN, r=CSV, p="stimulus_id,trial\nc,2\nb,1\na,0\n")
    assert list(a["stimulus_id"].values) == list("abc")
    assert list(a["trial"].values) == [0, 1, 2]
    np.testing.assert_array_equal(a.values[:, 0], [0, 3, 6])


def test_presentations_of_one_stimulus_are_told_by_repetition(tmp_path):
    """Or, where nothing tells them, refused."""
    file = write(tmp_path, "abcab")
    table = "stimulus_id,repetition,trial\nb,1,4\na,1,3\nc,0,2\nb,0,1\na,0,0\n"
    a = load(tmp_path, file, SHOWN, p=table)
    assert list(a["trial"].values) == [0, 1, 2, 3, 4]
    with pytest.raises(InputError, match="repetitions do not tell which is which"):
        load(tmp_path, file, SHOWN, p="stimulus_id\nb\na\nc\nb\na\n")
    with pytest.raises(InputError, match=r"1 have none \(first: \['z'\]"):
        load(tmp_path, file, SHOWN, p="stimulus_id\nb\na\nc\nb\nz\n".replace("b\na", "a\nb\na"))


@pytest.mark.parametrize("kind", ["csv", "brainio", "table"])
def test_select_of_neuroids_does_not_excuse_stimuli(tmp_path, kind):
    """Only where presentations were left out may a stimulus be without response."""
    short = CSV.replace("c,6,7,8\n", "")
    file = 'file = "r.csv"' if kind != "brainio" else write(tmp_path, "ab", neuroid_id=list("xyz"))
    extra, table = NEUROIDS, "region\nV4\nIT\nIT\n"
    if kind == "table":
        np.save(tmp_path / "r.npy", np.zeros((2, 3)))
        file = 'file = "r.npy"'
        extra += '\npresentation_table = { file = "p.csv" }'
    with pytest.raises(InputError, match="3 were shown: 1 have none"):
        load(
            tmp_path, file + ', select = { region = "V4" }', extra,
            r=short, n=table, p="stimulus_id\na\nb\n",
        )  # fmt: skip


def test_an_order_by_file_name_that_names_contradict(tmp_path):
    """order = "file name" beside a table that names the images in another order is refused."""
    np.save(tmp_path / "r.npy", np.zeros((3, 3)))
    lines = ('stimuli = { file = "s.csv" }', 'neuroids = { region = "V4" }')
    (tmp_path / "i.zip").write_bytes(b"")
    top = 'file = "r.npy"'
    for table in ("stimulus_id,filename\nx,c.png\ny,b.png\nz,a.png\n", "stimulus_id\nc\nb\na\n"):
        with pytest.raises(InputError, match=r"order = 'file name' gives 2 of 3 stimuli another"):
            _ordered(tmp_path, top, *lines, s=table)
    _ordered(tmp_path, top, *lines, s="stimulus_id,filename\nx,a.png\ny,b.png\nz,c.png\n")


def _ordered(folder, responses, *lines, s):
    write_zip(folder / "i.zip", ["a.png", "b.png", "c.png"])
    (folder / "s.csv").write_text(s)
    top = TOP.replace('"i.zip" }', '"i.zip", order = "file name" }')
    text = top + "\n".join([f"responses = {{ {responses} }}", *lines])
    (folder / "card.toml").write_text(text)
    return build_teacher(read_card(folder), folder)


def test_a_card_may_begin_with_a_byte_order_mark(tmp_path):
    """What some editors put first is passed over."""
    load(tmp_path, 'file = "r.csv"', 'neuroids = { region = "V4" }', r=CSV)
    card = tmp_path / "card.toml"
    card.write_bytes(b"\xef\xbb\xbf" + card.read_bytes())
    assert read_card(tmp_path).id == "lab"
