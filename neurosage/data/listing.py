"""Tables of the teachers and stimulus sets there are, and what is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from neurosage.data.cards.card import Card, Part
from neurosage.data.fetch import is_available
from neurosage.data.sources import Source, What, described, sources
from neurosage.errors import InputError

COLUMNS: dict[What, list[str]] = {
    "teacher": [
        "id", "default", "kind", "species", "subject", "regions", "neuroids", "stimuli",
        "repetitions", "normalise", "licence", "available", "hash", "origin", "problem",
    ],
    "stimuli": [
        "id", "default", "stimuli", "degrees", "licence", "available", "hash", "origin", "problem",
    ],
}  # fmt: skip
NUMBERS = {"neuroids": "Int64", "stimuli": "Int64", "degrees": "Float64"}


def list_teachers() -> pd.DataFrame:
    """Return all registered teachers, a row each part; none of their code is run.

    Returns
    -------
    pandas.DataFrame
        Columns ``id`` (as `load_teacher` takes it), ``default`` (the part that the
        bare id stands for), ``kind`` (recorded, rdm, network, simulated), ``species``,
        ``subject``, ``regions``, ``neuroids``, ``stimuli``, ``repetitions``,
        ``normalise``, ``licence``, ``available`` (on this machine, hashes and all),
        ``hash`` (what verifies its files; empty: nothing), ``origin``, ``problem``.

    Raises
    ------
    InputError
        If two teachers have one id.

    Examples
    --------
    >>> table = list_teachers().set_index("id")
    >>> table.loc["simulated-macaque", "kind"], table.loc["macaque-v4/201025", "repetitions"]
    ('simulated', 'averaged over 12')
    """
    return _table("teacher")


def list_stimuli() -> pd.DataFrame:
    """Return all registered stimulus sets, a row each part; none of their code is run.

    Returns
    -------
    pandas.DataFrame
        Columns ``id``, ``default``, ``stimuli``, ``degrees``, ``licence``,
        ``available``, ``hash``, ``origin``, ``problem``, as in `list_teachers`.

    Raises
    ------
    InputError
        If two stimulus sets have one id.

    Examples
    --------
    >>> int(list_stimuli().set_index("id").loc["digits", "stimuli"])
    1797
    """
    return _table("stimuli")


def _table(what: What) -> pd.DataFrame:
    rows = [row for source in sources(what).values() for row in _rows(what, source)]
    table = pd.DataFrame(rows, columns=COLUMNS[what])
    return table.astype({key: kind for key, kind in NUMBERS.items() if key in table})


def _rows(what: What, source: Source) -> list[dict[str, Any]]:
    plain = {"id": source.id, "default": True, "origin": source.origin, "problem": ""}
    try:
        card, folder = described(what, source)
    except InputError as error:
        return [{**plain, "available": False, "problem": str(error)}]
    if card is None or not card.part:
        return [{**plain, **({} if card is None else _about(card)), "available": True}]
    parts = [_row(what, card, folder, name) for name in card.part]
    ids = [source.id if len(parts) == 1 else f"{source.id}/{name}" for name in card.part]
    return [
        {**plain, **_about(card), **row, "id": id_} for id_, row in zip(ids, parts, strict=True)
    ]


def _about(card: Card) -> dict[str, Any]:
    return {key: getattr(card, key) for key in ("kind", "species", "normalise", "licence")}


def _row(what: What, card: Card, folder: Path | None, name: str) -> dict[str, Any]:
    part: Part = card.part[name]
    files = part.files if what == "teacher" else tuple(filter(None, [part.stimuli, part.images]))
    return {
        "default": name == card.choose(None),
        "subject": str(part.neuroids.get("subject", "")),
        "regions": ", ".join(part.region_names) or _said_by_file(part),
        "neuroids": part.counts.neuroid,
        "stimuli": part.counts.stimulus,
        "repetitions": part.repetitions or "",
        "degrees": part.degrees,
        "available": all(is_available(entry, card_folder=folder) for entry in files),
        "hash": ", ".join(sorted({entry.algorithm for entry in files} - {""})),
    }


def _said_by_file(part: Part) -> str:
    """Where the file names regions, which the card does not repeat."""
    entry = part.responses or part.rdms
    named = "" if entry is None else entry.coordinates.get("region", "")
    return f"in its file: {named}" if named else ""
