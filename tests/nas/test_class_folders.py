"""Class folders, whole and damaged: pixels or one clear error, never another exception."""

from __future__ import annotations

import contextlib
import io
import struct
import tempfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from neurosage.data.images import FileImages
from neurosage.errors import InputError
from neurosage.nas.class_folders import read_source
from neurosage.nas.image_files import hash_sources, read_sources


def encoded(kind: str, size: int = 12) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A few bytes that announce an image of any size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    idat = chunk(b"IDAT", zlib.compress(b"\0" * 9))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + idat + chunk(b"IEND", b"")


def packed(kind: str = "png", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name in ("cat/1", "dog/1"):
            archive.writestr(f"{name}.{kind}", encoded(kind))
    return stream.getvalue()


def encrypted() -> bytes:
    """Mark the members as encrypted, in both of the zip file's headers."""
    data = bytearray(packed())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(mark)
        while start >= 0:
            data[start + place] |= 1
            start = data.find(mark, start + 1)
    return bytes(data)


def flipped(place: int) -> bytes:
    data = bytearray(packed())
    data[place] ^= 0xFF
    return bytes(data)


def test_a_folder_and_its_zip_are_read_alike(tmp_path: Path) -> None:
    """One reader: the same pixels in the same order, whatever sorts before a slash."""
    for name in ("a/1", "a/10", "a-b/1", "a.c/1"):
        file = tmp_path / "both" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded("png"))
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for file in (tmp_path / "both").rglob("*.png"):
            archive.write(file, file.relative_to(tmp_path / "both").as_posix())
    folder, archive = (read_source(tmp_path / name, 6) for name in ("both", "both.zip"))
    np.testing.assert_array_equal(folder[0], archive[0])
    assert folder[1] == archive[1]
    assert sorted(folder[1]) == ["a", "a", "a-b", "a.c"]


@pytest.mark.parametrize("width", [9_999, 20_000, 2**31 - 1])
def test_an_image_that_announces_too_many_pixels_is_refused(tmp_path: Path, width: int) -> None:
    """A few bytes never become gigabytes, nor pillow's own error."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "bomb.png").write_bytes(huge_png(width, 20_000))
    with pytest.raises(InputError, match=r"x/bomb\.png"):
        read_source(tmp_path, 8)


@pytest.mark.parametrize(
    "data",
    [packed()[:-30], packed()[: len(packed()) // 2], flipped(60), encrypted(), b""],
    ids=["no directory", "half", "flipped", "encrypted", "empty"],
)
def test_damaged_zips_are_one_clear_error(tmp_path: Path, data: bytes) -> None:
    """Cut, flipped or encrypted: the zip file is named."""
    (tmp_path / "set.zip").write_bytes(data)
    with pytest.raises(InputError, match=r"set\.zip"):
        read_source(tmp_path / "set.zip", 8)


KINDS = [(kind, method) for kind in ("png", "jpeg", "gif", "tiff", "bmp", "webp", "ppm")
         for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]  # fmt: skip
KINDS += [("png", zipfile.ZIP_BZIP2), ("bmp", zipfile.ZIP_LZMA)]


@pytest.mark.filterwarnings("ignore")  # pillow's, about what it reads nevertheless
@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_any_damage_is_read_or_refused(kind: tuple[str, int], data: st.DataObject) -> None:
    """Whatever bytes are changed or cut, of zip or image: images, or InputError."""
    content = bytearray(packed(*kind))
    changes = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(changes, min_size=1, max_size=6)):
        content[place] = value
    length = data.draw(st.just(len(content)) | st.integers(len(content) // 2, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "set.zip")
        path.write_bytes(content[:length])
        for read in (lambda: read_source(path, 8), lambda: list(FileImages(path))):
            with contextlib.suppress(InputError):
                read()


@pytest.mark.parametrize("damage", ["unwritable", "cut", "no json"])
def test_a_cache_that_fails_costs_time_not_the_search(tmp_path: Path, damage: str) -> None:
    """Images are decoded again where the cache cannot be written, or is damaged."""
    source, cache = tmp_path / "set.zip", tmp_path / "cache"
    source.write_bytes(packed())
    known = hash_sources([source])
    if damage == "unwritable":
        cache.write_bytes(b"a file")
    first = read_sources([source], size=8, content_hash=known, cache=cache)
    if damage == "cut":
        (kept,) = (cache / "images").glob("*.npy")
        kept.write_bytes(kept.read_bytes()[:150])
    if damage == "no json":
        (kept,) = (cache / "images").glob("*.json")
        kept.write_text("{")
    again = read_sources([source], size=8, content_hash=known, cache=cache)
    np.testing.assert_array_equal(first.images, again.images)
    assert first.classes == again.classes == ("cat", "dog")
