"""Stimuli in BrainIO's way: a table and a flat zip file, matched by name, never unpacked."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from neurosage.data import images
from neurosage.data.formats.brainio import read_stimuli, write_stimuli
from neurosage.data.stimuli import FileImages, StimulusSet
from neurosage.errors import InputError


def picture(seed: int, kind: str = "png") -> bytes:
    """A random image file."""
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def packed(path, files):
    """A zip file of those members."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def written(path, text):
    """A table of that text."""
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def pets():
    """Four stimuli in memory, labels of each type, ids that no file name holds."""
    table = pd.DataFrame(
        {
            "stimulus_id": ["cat", "../dog", "first/猫", "007"],
            "legs": [4, 3, 4, 2],
            "size": [0.1, 1 / 3, np.nan, 1e-300],
            "tame": [True, False, True, True],
            "object": ["a,b", 'q"', "né", "x\ny"],
        }
    )
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    return StimulusSet("lab.pets", table, pixels)


def test_what_is_written_is_read(pets, tmp_path):
    """Ids, order, labels of each type and pixels come back; the zip file is flat."""
    csv, archive = write_stimuli(pets, tmp_path / "deep", "lab.pets")
    assert (csv.name, archive.name) == ("stimulus_lab_pets.csv", "stimulus_lab_pets.zip")
    back = read_stimuli(csv, archive, identifier="lab.pets", degrees=8.0)
    assert (back.id, back.degrees) == ("lab.pets", 8.0)
    assert back.content_hash() == pets.content_hash()
    pd.testing.assert_frame_equal(back.table.drop(columns="filename"), pets.table)
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
        assert list(back.table["filename"]) == names
        assert names[0] == "cat.png"
        assert not any("/" in name for name in names)
    again = write_stimuli(back, tmp_path / "again", "lab.pets", drop=["degrees"])
    assert again[1].read_bytes() == archive.read_bytes()
    assert again[0].read_bytes() == csv.read_bytes()


def test_files_are_kept_as_they_are(tmp_path):
    """Images from files are not encoded anew, subsets and their order included."""
    files = {"b.jpg": picture(0, "jpeg"), "a.png": picture(1), "c.bmp": picture(2, "bmp")}
    source = FileImages(packed(tmp_path / "i.zip", files), list(files))
    table = pd.DataFrame({"stimulus_id": ["x", "y", "z"], "filename": list(files)})
    part = StimulusSet("s", table, source).take(["z", "x"])
    _, archive = write_stimuli(part, tmp_path, "s")
    with zipfile.ZipFile(archive) as opened:
        assert {n: opened.read(n) for n in opened.namelist()} == {
            name: files[name] for name in ("c.bmp", "b.jpg")
        }


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("stimulus_id,filename\n1,b.png\n2,a.png\n", ["b.png", "a.png"]),
        ("image_id,image_file_name\n1,b.png\n2,a.png\n", ["b.png", "a.png"]),
        ("image_id,n\nb,1\na,2\n", ["b.png", "a.png"]),
        ("stimulus_id,stimulus_path_within_store\n1,b\n2,a\n", ["b.png", "a.png"]),
        ("stimulus_id,filename\nb,before.png\na,then.png\n", ["b.png", "a.png"]),
    ],
    ids=["filename", "older", "ids", "path within store", "names of before"],
)
def test_images_are_found_by_name(tmp_path, table, names):
    """By filename, by the path within the store, or after the ids; new and old columns."""
    archive = packed(tmp_path / "s.zip", {"a.png": picture(1), "b.png": picture(2), "c.png": b""})
    stimuli = read_stimuli(written(tmp_path / "stimulus_x.csv", table), archive)
    assert stimuli.id == "x"
    assert stimuli.images.names == tuple(names)
    np.testing.assert_array_equal(stimuli.image(1), images.decode(picture(1), "a"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "no column 'stimulus_id'"),
        ("stimulus_id\na\na\n", "must be unique"),
        ("stimulus_id\na\nd\n", "1 of 2 stimuli have no image"),
        ("stimulus_id,n\na\n", "row 2 of .* has 1 cells, but the first has 2"),
    ],
    ids=["empty", "no ids", "twice", "missing", "cut"],
)
def test_a_wrong_table_is_named(tmp_path, table, message):
    """One error, whichever of table and images is at fault."""
    archive = packed(tmp_path / "s.zip", {"a.png": picture(1)})
    with pytest.raises(InputError, match=message):
        read_stimuli(written(tmp_path / "stimulus_x.csv", table), archive)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"../a.png": b"x"}, "leads out of it"),
        ({"/etc/a.png": b"x"}, "leads out of it"),
        ({"a.png": b"x", "..\\b.png": b"x"}, "leads out of it"),
        ({"a.png": bytes(2000)}, "more than the 1000 allowed"),
    ],
    ids=["up", "root", "backslash", "bomb"],
)
def test_a_hostile_zip_is_refused(tmp_path, monkeypatch, files, message):
    """Members that lead out, or unpack to too much, are refused before anything is read."""
    monkeypatch.setattr(images, "MAX_BYTES", 1000)
    archive = tmp_path / "s.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    with pytest.raises(InputError, match=message):
        read_stimuli(written(tmp_path / "stimulus_x.csv", "stimulus_id\na\n"), archive)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.zip", "stimulus_x.csv"]


def test_a_zip_that_lies_about_sizes_is_refused(tmp_path):
    """What a member says of its size bounds what is unpacked; a lie is a damaged file."""
    archive = tmp_path / "s.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.png", bytes(50_000_000))
    content = archive.read_bytes()
    archive.write_bytes(content.replace((50_000_000).to_bytes(4, "little"), b"\x10\0\0\0"))
    stimuli = read_stimuli(written(tmp_path / "stimulus_x.csv", "stimulus_id\na\n"), archive)
    with pytest.raises(InputError, match=r"a\.png in .* cannot be read"):
        stimuli.image(0)


def test_what_the_table_cannot_carry_is_listed(pets, tmp_path):
    """Columns that would come back as others, and degrees; nothing is written."""
    table = pets.table.assign(code=["1", "2", "3", "4"], odd=["a", None, 1, "b"])
    stimuli = StimulusSet("s", table, pets.images, degrees=8.0)
    with pytest.raises(InputError, match=r"cannot carry: code \(text .*odd \(.*degrees \("):
        write_stimuli(stimuli, tmp_path, "s")
    assert not list(tmp_path.iterdir())
    for drop in (["code", "odd", "degrees"], "all"):
        back = read_stimuli(*write_stimuli(stimuli, tmp_path, "s", drop=drop))
        pd.testing.assert_frame_equal(back.table.drop(columns="filename"), pets.table)


def test_a_failure_leaves_nothing_behind(tmp_path):
    """An image that cannot be read: neither table nor zip file is there, whole or in part."""
    source = FileImages(packed(tmp_path / "i.zip", {"a.png": picture(0), "b.png": picture(1)}))
    stimuli = StimulusSet("s", pd.DataFrame({"stimulus_id": ["a", "b"]}), source)
    (tmp_path / "i.zip").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        write_stimuli(stimuli, tmp_path / "out", "s")
    assert not list((tmp_path / "out").iterdir())
