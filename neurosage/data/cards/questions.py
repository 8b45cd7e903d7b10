"""What a card begun by `draft_card` leaves for a person to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurosage.data.cards.entries import FILE_KEYS

ASKED = {  # what a draft may leave open
    **dict.fromkeys(FILE_KEYS, ("file", "key", "dims", "coordinates", "order", "unit")),
    "neuroids": ("region",),
}


def unfinished(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys whose value, or part of it, is ``"?"``: a person has to fill them in.

    Only keys that a draft asks for count: elsewhere ``"?"`` is a word like any other.

    Parameters
    ----------
    document : mapping
        A card, as TOML gives it.

    Returns
    -------
    tuple of str
        With the tables that they are in.

    Examples
    --------
    >>> unfinished({"title": "?", "part": {"all": {"neuroids": {"region": "?"}}}})
    ('part.all.neuroids.region',)
    """
    left: list[str] = []
    for name, part in _table(document.get("part")).items():
        for key, entry in _table(part).items():
            asked = ASKED.get(key, ())
            inside = {k: value for k, value in _table(entry).items() if k in asked}
            left += [f"part.{name}.{key}.{inner}" for inner in _asking(inside)]
    return tuple(left)


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _asking(table: Mapping[str, Any]) -> list[str]:
    left = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            left += [f"{key}.{inner}" for inner in _asking(value)]
        elif value == "?" or (isinstance(value, list) and "?" in value):
            left.append(key)
    return left
