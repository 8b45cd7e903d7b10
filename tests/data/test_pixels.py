"""Pixels are what was shown: scaled, upright and opaque, or refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from neurosage.data.pixels import decode, has_transparency
from neurosage.errors import InputError

DEEP = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)


def packed(image, kind="PNG", **keys):
    stream = io.BytesIO()
    image.save(stream, kind, **keys)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_to_eight(kind):
    """White is white and mid-grey mid-grey, whatever the depth."""
    image = decode(packed(Image.fromarray(DEEP), kind), "deep")
    np.testing.assert_array_equal(image, np.repeat(DEEP[..., None] >> 8, 3, axis=2))


def test_integers_that_fit_sixteen_bits_are_scaled():
    """Mode I of a TIFF, as some programs save 16 bits."""
    image = decode(packed(Image.fromarray(DEEP.astype(np.int32)), "TIFF"), "x")
    np.testing.assert_array_equal(image[..., 1], DEEP >> 8)


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0, 70000]], np.int32),
        np.array([[-1, 700]], np.int32),
        np.array([[0, 255]], np.int32),
        np.array([[0.0, 1.0]], np.float32),
        np.array([[0.0, 255.0]], np.float32),
    ],
    ids=["17 bits", "negative", "8 bits in 32", "to 1", "to 255"],
)
def test_what_cannot_be_told_is_refused(values):
    """Numbers of which nothing says what is white are no image; the next step is named."""
    with pytest.raises(InputError, match=r"x\.tif holds .* \(.* to .*\).* save images with 8"):
        decode(packed(Image.fromarray(values), "TIFF"), "x.tif")


def layer(alpha):
    values = np.zeros((1, 4, 4), np.uint8)
    values[..., 0], values[..., 3] = 200, alpha
    return values


def test_transparent_parts_are_laid_over_mid_grey():
    """A colour hidden under a transparent part is not seen; opaque pixels stay as they are."""
    image = packed(Image.fromarray(layer([[0, 255, 128, 255]])))
    np.testing.assert_array_equal(
        decode(image, "x")[0], [[128, 128, 128], [200, 0, 0], [164, 64, 64], [200, 0, 0]]
    )
    assert has_transparency(image, "x")


def test_other_ways_to_be_transparent():
    """A palette's entry, grey with alpha, one grey value of 16 bits."""
    indexed = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    indexed.putpalette([10, 20, 30, 40, 50, 60])
    image = packed(indexed, transparency=0)
    np.testing.assert_array_equal(decode(image, "x")[0], [[128] * 3, [40, 50, 60]])
    grey = packed(Image.fromarray(np.array([[[9, 0], [9, 255]]], np.uint8)))
    np.testing.assert_array_equal(decode(grey, "x")[0], [[128] * 3, [9] * 3])
    deep = packed(Image.fromarray(np.array([[5, 2**14]], np.uint16)), transparency=5)
    assert decode(deep, "x")[0, :, 0].tolist() == [128, 64]
    assert all(has_transparency(one, "x") for one in (image, grey, deep))


def test_an_opaque_layer_changes_nothing():
    """RGBA without transparent parts is its RGB."""
    image = packed(Image.fromarray(layer(255)))
    assert decode(image, "x")[0].tolist() == [[200, 0, 0]] * 4
    assert not has_transparency(image, "x")
    assert not has_transparency(packed(Image.new("RGB", (2, 2))), "x")


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "turned"),
    [
        (1, lambda v: v),
        (2, lambda v: v[:, ::-1]),
        (3, lambda v: v[::-1, ::-1]),
        (4, lambda v: v[::-1]),
        (5, lambda v: v.swapaxes(0, 1)),
        (6, lambda v: np.rot90(v, -1)),
        (7, lambda v: np.rot90(v, 2).swapaxes(0, 1)),
        (8, np.rot90),
        (9, lambda v: v),
    ],
)
def test_images_are_upright(kind, orientation, turned):
    """A camera's EXIF orientation is followed, as every viewer does."""
    values = np.random.default_rng(0).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    image = packed(Image.fromarray(values), kind, exif=exif, **lossless)
    np.testing.assert_array_equal(decode(image, "x"), turned(values))
