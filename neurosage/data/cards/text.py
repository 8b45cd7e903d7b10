"""Cards written as text: the TOML that `neurosage.data.cards.card.read_card` reads."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from neurosage.data.cards.card import Card

BARE = re.compile(r"[A-Za-z0-9_-]+")


def card_text(card: Card) -> str:
    """Write a card as TOML, without keys that are left as they are.

    Parameters
    ----------
    card : Card
        Any.

    Returns
    -------
    str
        Reading it gives an equal card.

    Examples
    --------
    >>> print(card_text(Card(schema=1, id="lab-it", kind="recorded")))
    schema = 1
    id = "lab-it"
    kind = "recorded"
    <BLANKLINE>
    """
    document = card.model_dump(mode="python", by_alias=True, exclude_defaults=True)
    parts = document.pop("part", {})
    lines = [line(key, value) for key, value in document.items()]
    for name, part in parts.items():
        lines += ["", f"[part.{_key(name)}]", *[line(key, value) for key, value in part.items()]]
    return "\n".join([*lines, ""])


def line(key: str, value: Any) -> str:
    """Return one line of a card.

    Examples
    --------
    >>> line("responses", {"file": "r.npy", "dims": ["neuroid", "stimulus"]})
    'responses = { file = "r.npy", dims = ["neuroid", "stimulus"] }'
    """
    return f"{_key(key)} = {to_toml(value)}"


def to_toml(value: Any) -> str:
    """Write a value as TOML.

    Parameters
    ----------
    value : str, bool, int, float, sequence or mapping
        Of those again; the entries of a mapping that are None are left out.

    Returns
    -------
    str
        On one line.

    Examples
    --------
    >>> to_toml({"region": ["pIT", "aIT"], "degrees": 8.0})
    '{ region = ["pIT", "aIT"], degrees = 8.0 }'
    """
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # inf, -inf, nan are TOML's words, too
    if isinstance(value, Mapping):
        inner = ", ".join(line(str(k), v) for k, v in value.items() if v is not None)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(to_toml, value))}]"
    return repr(value)


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
