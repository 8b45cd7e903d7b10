"""Images in the order of their names, letter by letter or by the numbers in them."""

from __future__ import annotations

import re
from collections.abc import Sequence


def by_number(names: Sequence[str]) -> list[str]:
    """Sort names so that numbers in them count as numbers.

    Parameters
    ----------
    names : sequence of str
        Of images.

    Returns
    -------
    list of str
        ``im_2`` before ``im_10``; names that differ by leading zeros alone, letter by letter.

    Examples
    --------
    >>> by_number(["im_1.jpg", "im_10.jpg", "im_2.jpg"])
    ['im_1.jpg', 'im_2.jpg', 'im_10.jpg']
    """
    return sorted(names, key=_key)


def moved(names: Sequence[str]) -> list[tuple[int, str, str]]:
    """Return the places at which the two orders differ.

    Parameters
    ----------
    names : sequence of str
        Of images, in any order.

    Returns
    -------
    list of (int, str, str)
        The place, counted from 0, with the name there letter by letter, and by number.

    Examples
    --------
    >>> moved(["im_1.jpg", "im_10.jpg", "im_2.jpg"])
    [(1, 'im_10.jpg', 'im_2.jpg'), (2, 'im_2.jpg', 'im_10.jpg')]
    """
    pairs = zip(sorted(names), by_number(names), strict=True)
    return [(k, plain, number) for k, (plain, number) in enumerate(pairs) if plain != number]


def _key(name: str) -> tuple[str, str]:
    return re.sub(r"[0-9]+", _counted, name), name


def _counted(digits: re.Match[str]) -> str:
    """How many digits, and these: sorts as the number does, whatever its size."""
    number = digits[0].lstrip("0")
    return f"{len(number):05}{number}"
