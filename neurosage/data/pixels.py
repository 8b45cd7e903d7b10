"""From the bytes of an image file to pixels: RGB, upright, opaque. Nothing else decodes one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neurosage.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 100_000_000  # of one image, decoded
BACKGROUND = (128, 128, 128)  # behind transparent parts: mid-grey, as on most stimulus screens
ORIENTATION = 0x0112  # EXIF's tag
DEEP = ("PNG", "PPM")  # formats whose mode "I" is 16 bit


def decode(data: bytes, name: str) -> npt.NDArray[np.uint8]:
    """Decode an image file.

    It is turned upright as its EXIF orientation says. Transparent parts are laid over
    mid-grey, (128, 128, 128); save images over another colour where they were shown so. Of
    16 bits a channel the upper 8 are kept.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What it is called in messages.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB, 0 to 255.

    Raises
    ------
    InputError
        If it is no image, is damaged, has more than `MAX_PIXELS`, or holds numbers of which
        nothing says what is black and what is white (32 bits, fractions).
    """
    return _opened(data, name)[0]


def has_transparency(data: bytes, name: str) -> bool:
    """Tell whether parts of an image file are transparent, if only a little.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What it is called in messages.

    Returns
    -------
    bool
        Whether `decode` put a background behind it.

    Raises
    ------
    InputError
        As `decode`.
    """
    return _opened(data, name, only_where_possible=True)[1]


def _opened(
    data: bytes, name: str, *, only_where_possible: bool = False
) -> tuple[npt.NDArray[np.uint8], bool]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(
                    f"{name} is {image.width}×{image.height} pixels, more than {MAX_PIXELS} in all."
                )
            if only_where_possible and not _may_be_transparent(image):
                return np.empty((0, 0, 3), np.uint8), False
            return _to_rgb(_upright(image), image.format, name)
    except Exception as error:  # what a damaged file raises is up to its format
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} cannot be decoded as an image: {error}") from error


def _upright(image: Image) -> Image:
    from PIL.Image import Transpose

    image.load()  # TIFF is turned by pillow then, and says so
    turns = {2: Transpose.FLIP_LEFT_RIGHT, 3: Transpose.ROTATE_180, 4: Transpose.FLIP_TOP_BOTTOM,
             5: Transpose.TRANSPOSE, 6: Transpose.ROTATE_270, 7: Transpose.TRANSVERSE,
             8: Transpose.ROTATE_90}  # fmt: skip
    turn = turns.get(image.getexif().get(ORIENTATION, 1))
    return image if turn is None else image.transpose(turn)


def _may_be_transparent(image: Image) -> bool:
    return "transparency" in image.info or image.mode[-1:] in ("A", "a")


def _to_rgb(image: Image, kind: str | None, name: str) -> tuple[npt.NDArray[np.uint8], bool]:
    if image.mode == "F" or image.mode.startswith("I"):
        return _from_numbers(image, kind, name)
    if _may_be_transparent(image):
        from PIL import Image as pillow  # noqa: N813

        layer = image.convert("RGBA")
        if layer.getchannel("A").getextrema()[0] != 255:
            behind = pillow.new("RGBA", layer.size, (*BACKGROUND, 255))
            whole = pillow.alpha_composite(behind, layer).convert("RGB")
            return np.asarray(whole, dtype=np.uint8), True
    return np.asarray(image.convert("RGB"), dtype=np.uint8), False


def _from_numbers(image: Image, kind: str | None, name: str) -> tuple[npt.NDArray[np.uint8], bool]:
    """Grey values of more than 8 bits."""
    values: Any = np.asarray(image)
    deep = image.mode.startswith("I;16") or kind in DEEP
    if image.mode == "F" or not (deep or (values.min() >= 0 and 255 < values.max() < 2**16)):
        held = "fractions" if image.mode == "F" else "integers of 32 bits"
        raise InputError(
            f"{name} holds {held} ({values.min():g} to {values.max():g}), and nothing says which "
            "of them is white; save images with 8 or 16 bits a channel."
        )
    grey = (values.astype(np.int64) >> 8).astype(np.uint8)
    clear = image.info.get("transparency")
    hidden = np.zeros(grey.shape, bool) if clear is None else values == clear
    grey = np.where(hidden, np.uint8(BACKGROUND[0]), grey)
    return np.repeat(grey[..., None], 3, axis=2), bool(hidden.any())
