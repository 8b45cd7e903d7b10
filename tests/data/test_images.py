"""Images are read lazily, safely, and equal in every process."""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image

from neurosage.data import images, pixels
from neurosage.data.images import (
    ArrayImages,
    FileImages,
    ImageSource,
    SubsetImages,
    original_file,
)
from neurosage.data.pixels import decode
from neurosage.errors import InputError

from .conftest import png, write_zip


@pytest.fixture(params=["zip", "folder"])
def files(request, tmp_path):
    """The same three images both ways."""
    names = ["sub/b.png", "sub/a.png", "c.png"]
    archive = write_zip(tmp_path / "images.zip", names)
    if request.param == "zip":
        return archive
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path / "images")
    return tmp_path / "images"


def test_files_come_sorted_by_name(files):
    """Order is that of names, not of the archive."""
    source = FileImages(files)
    assert source.names == ("c.png", "sub/a.png", "sub/b.png")
    np.testing.assert_array_equal(source[0], decode(png(2), "c"))
    np.testing.assert_array_equal(source[2], decode(png(0), "b"))
    assert isinstance(source, ImageSource)


def test_an_opened_source_pickles(files):
    """A source that has read an image still goes to a worker process."""
    source = FileImages(files)
    first = source[0]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(source))[0], first)


def test_hidden_files_and_others_are_no_images(tmp_path):
    """System clutter and non-images are left out."""
    path = tmp_path / "images.zip"
    write_zip(path, ["a.png", "__MACOSX/a.png", ".hidden.png", "notes.txt"])
    assert FileImages(path).names == ("a.png",)


@pytest.mark.parametrize("name", ["../out.png", "/abs.png", "a/../../out.png", "C:\\x.png"])
def test_a_member_that_leads_out_is_refused(tmp_path, name):
    """Path traversal in a zip file is refused before anything is read."""
    write_zip(tmp_path / "evil.zip", ["a.png", name])
    with pytest.raises(InputError, match="leads out of it"):
        FileImages(tmp_path / "evil.zip")


def test_a_member_too_large_is_refused(tmp_path, monkeypatch):
    """The unpacked size is known, and bounded, before unpacking."""
    write_zip(tmp_path / "bomb.zip", ["a.png"])
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    with pytest.raises(InputError, match=r"'a.png' has \d+ bytes unpacked"):
        FileImages(tmp_path / "bomb.zip")


def test_too_many_pixels_are_refused(monkeypatch):
    """An image's size is looked at before it is decoded."""
    monkeypatch.setattr(pixels, "MAX_PIXELS", 15)
    with pytest.raises(InputError, match=r"a\.png is 4×4 pixels"):
        decode(png(0), "a.png")


@pytest.mark.parametrize("data", [b"no image", png(0)[:40], b""], ids=["text", "cut", "empty"])
def test_what_cannot_be_decoded_is_named(data):
    """A damaged image is an error that names the file."""
    with pytest.raises(InputError, match=r"x\.png cannot be decoded"):
        decode(data, "x.png")


def test_a_damaged_zip_is_named(tmp_path):
    """A file that is no zip, and no file at all, are clear errors."""
    (tmp_path / "x.zip").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match=r"x\.zip cannot be read as a zip file"):
        FileImages(tmp_path / "x.zip")
    with pytest.raises(InputError, match="there are no images at"):
        FileImages(tmp_path / "y.zip")


def test_missing_names_are_counted(files):
    """Names that are not there are counted and shown."""
    with pytest.raises(InputError, match=r"1 of 2 images are not in .*'d.png'"):
        FileImages(files, ["c.png", "d.png"])


def test_grey_and_transparent_images_become_rgb(tmp_path):
    """Every mode of image file is read as RGB."""
    for mode in ("L", "RGBA", "P", "1"):
        Image.new(mode, (3, 2)).save(tmp_path / f"{mode}.png")
    assert {image.shape for image in FileImages(tmp_path)} == {(2, 3, 3)}


@pytest.mark.parametrize(
    "values",
    [np.zeros((2, 4, 4, 3)), np.zeros((2, 3, 4, 4), np.uint8), np.zeros((4, 4, 3), np.uint8)],
    ids=["floats", "channels first", "one image"],
)
def test_arrays_of_another_kind_are_refused(values):
    """An array of images is uint8, image × height × width × 3."""
    with pytest.raises(InputError, match="an array of images is uint8"):
        ArrayImages(values)


def test_a_subset_follows_its_rows():
    """A subset reads through to its source."""
    source = ArrayImages(np.arange(4, dtype=np.uint8).repeat(3).reshape(4, 1, 1, 3))
    assert [int(image[0, 0, 0]) for image in SubsetImages(source, (2, 0))] == [2, 0]


def test_a_member_whose_packing_is_damaged_is_named(tmp_path):
    """Deflate's own error is not the user's: file and zip are named."""
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", b"\0" * 2000)
    data = bytearray(path.read_bytes())
    data[36] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.png in .*images\.zip cannot be read"):
        FileImages(path)[0]


def test_a_file_too_large_is_refused_in_a_folder_too(tmp_path, monkeypatch):
    """A folder's files are held to the bound of a zip's members."""
    (tmp_path / "a.png").write_bytes(png(0))
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    with pytest.raises(InputError, match=r"'a.png' has \d+ bytes"):
        FileImages(tmp_path)[0]


def test_links_that_lead_out_are_refused(tmp_path):
    """A folder of images holds its own files; a data set of links may say that it is one."""
    (tmp_path / "images").mkdir()
    (tmp_path / "out.png").write_bytes(png(0))
    (tmp_path / "images" / "a.png").write_bytes(png(1))
    (tmp_path / "images" / "b.png").symlink_to("a.png")
    assert len(FileImages(tmp_path / "images")) == 2
    (tmp_path / "images" / "c.png").symlink_to(tmp_path / "out.png")
    with pytest.raises(InputError, match=r"1 images .* links that lead out .*'c.png'"):
        FileImages(tmp_path / "images")
    assert len(FileImages(tmp_path / "images", ["a.png", "b.png"])) == 2
    assert len(FileImages(tmp_path / "images", links=True)) == 3


def test_the_file_of_an_image_is_found_through_subsets(files):
    """Subsets of subsets lead to the file; an array has none."""
    source = FileImages(files)
    inner = SubsetImages(SubsetImages(source, (2, 0)), (1,))
    assert original_file(inner, 0) == (source, 0)
    assert (
        original_file(SubsetImages(ArrayImages(np.zeros((1, 2, 2, 3), np.uint8)), (0,)), 0) is None
    )
