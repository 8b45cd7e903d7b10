"""Names as pictures show them: in the order a person expects, and no longer than there is room."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

DIGITS = re.compile(r"(\d+)")


def in_order(labels: Iterable[Any]) -> list[str]:
    """Return the different labels, sorted by name, numbers within them by value.

    Parameters
    ----------
    labels : iterable
        Of any type; taken as text.

    Returns
    -------
    list of str
        Each once.

    Examples
    --------
    >>> in_order(["img10", "img2", "cat", "img2"])
    ['cat', 'img2', 'img10']
    """
    return sorted({str(label) for label in labels}, key=_key)


def _key(name: str) -> tuple[tuple[int, int, str], ...]:
    parts = DIGITS.split(name)
    # Odd parts are digits: (0, value, …) keeps numbers and words comparable.
    return tuple((0, int(p), p) if k % 2 else (1, 0, p) for k, p in enumerate(parts))


def cut(name: str, longest: int = 24) -> str:
    """Shorten a name from its end.

    Examples
    --------
    >>> cut("nonhuman bodypart", 10)
    'nonhuman …'
    """
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def cut_path(name: str, longest: int = 30) -> str:
    """Shorten the dotted name of a layer from its start, which its neighbours share.

    Examples
    --------
    >>> cut_path("features.denseblock3.denselayer12.conv1", 20)
    '….denselayer12.conv1'
    """
    return name if len(name) <= longest else f"…{name[1 - longest :]}"


def thinned(count: int, room: int) -> list[int]:
    """Return which of many places to name: the first, the last, and between them by one step.

    Parameters
    ----------
    count : int
        Places there are, at least 1.
    room : int
        Names there is room for, at least 2.

    Returns
    -------
    list of int
        At most `room` of them; only the last gap may be another.

    Examples
    --------
    >>> thinned(5, 9), thinned(56, 5), thinned(28, 15)[-2:]
    ([0, 1, 2, 3, 4], [0, 14, 28, 42, 55], [24, 27])
    """
    step = max(-(-(count - 1) // (room - 1)), 1)
    return [*range(0, count - 1 - step // 2, step), count - 1]


def named_places(count: int, room: int, always: Iterable[int]) -> list[tuple[float, list[int]]]:
    """Return where names stand when some must be told: those, and others as room is left.

    Parameters
    ----------
    count : int
        Places there are, at least 1.
    room : int
        Names there is room for, at least 2.
    always : iterable of int
        Places that must be named.

    Returns
    -------
    list of (float, list of int)
        In order: a position, and the places named there, a line each. Only such that must be
        named share a position, where they would else stand upon one another.

    Examples
    --------
    >>> named_places(61, 5, [24, 30])
    [(0, [0]), (27.0, [24, 30]), (60, [60])]
    """
    if room >= count:
        return [(place, [place]) for place in range(count)]
    gap = (count - 1) / (room - 1)
    told: list[tuple[float, list[int]]] = []
    for place in sorted(set(always)):
        told.append((place, [place]))
        while len(told) > 1 and told[-1][0] - told[-2][0] < _apart(gap, told[-1], told[-2]):
            both = told[-2][1] + told[-1][1]
            told[-2:] = [(sum(both) / len(both), both)]
    others: list[tuple[float, list[int]]] = [(place, [place]) for place in thinned(count, room)]
    free = [one for one in others
            if all(abs(one[0] - each[0]) >= _apart(gap, one, each) for each in told)]  # fmt: skip
    return sorted(told + free)


def _apart(gap: float, *named: tuple[float, Sequence[int]]) -> float:
    return gap * sum(len(places) for _, places in named) / 2
