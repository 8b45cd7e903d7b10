"""Rules about what is said: the card's keys, files without hash, coordinates of neuroids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd

from neurosage.data.cards.card import Card, FileEntry, Part
from neurosage.data.findings.finding import Finding, listed
from neurosage.data.findings.neuroid_rules import Examined
from neurosage.data.image_order import moved
from neurosage.data.stimuli import StimulusSet

SAID = {
    "licence": "who may use it",
    "cite": "what to cite",
    "species": "whose visual system it is",
    "source": "where it comes from",
}


def card_findings(card: Card, part: str) -> Iterator[Finding]:
    """Yield what a card leaves unsaid.

    Parameters
    ----------
    card : Card
        Of a teacher.
    part : str
        Which part is looked at; empty where there is none.

    Yields
    ------
    Finding
        Notes.
    """
    wanted = ("licence",) if card.kind in ("simulated", "network") else tuple(SAID)
    silent = [key for key in wanted if not getattr(card, key)]
    if silent:
        yield Finding(
            "card-silent",
            "note",
            "card.toml",
            f"The card does not say {', '.join(SAID[key] for key in silent)}.",
            f'Add {", ".join(silent)} = "…" to it.',
        )
    if not part:
        return
    files = [entry for entry in card.part[part].files if not _is_folder(entry)]
    if unhashed := [entry.file for entry in files if entry.hash is None]:
        yield Finding(
            "no-hash",
            "note",
            listed("files", unhashed),
            "Nothing tells whether these files are still those that the card describes.",
            'Add hash = "sha256:…" (shasum -a 256 FILE), as `neurosage teacher new` writes it.',
        )


def _is_folder(entry: FileEntry) -> bool:
    features = entry.format == "thingsvision" and not PurePosixPath(entry.file).suffix
    return entry.is_folder or features


def said_findings(examined: Examined, stimuli: StimulusSet | None) -> Iterator[Finding]:
    """Yield what is not said of neuroids and stimuli, or said in two ways.

    Parameters
    ----------
    examined : Examined
        The responses.
    stimuli : StimulusSet, optional
        The stimuli.

    Yields
    ------
    Finding
        In no order.
    """
    yield from _regions(examined)
    if examined.kind in ("network", "simulated"):
        return
    yield from _subjects(examined)
    if stimuli is not None:
        yield from degrees_findings(stimuli)


def degrees_findings(stimuli: StimulusSet) -> Iterator[Finding]:
    """Yield a note where the size of the images is not said."""
    if stimuli.degrees is None:
        yield Finding(
            "degrees",
            "note",
            "stimuli",
            "How large the images were shown is not said (degrees of visual angle), so networks "
            "see them at whatever size they take.",
            "Add degrees = … (the images' width) to the part in the card, or to the StimulusSet.",
        )


def order_findings(card: Card, part: str, stimuli: StimulusSet) -> Iterator[Finding]:
    """Yield a warning where names in plain order are not in that of the numbers in them.

    Parameters
    ----------
    card : Card
        Of a teacher.
    part : str
        Which part is looked at.
    stimuli : StimulusSet
        Of that part.

    Yields
    ------
    Finding
        Where responses belong to images by their order, and the card does not say which.
    """
    chosen = card.part[part]
    if not _by_order(chosen) or chosen.images is None or chosen.images.order is not None:
        return
    names = [str(name) for name in stimuli.table.get("file", pd.Series(stimuli.stimulus_ids))]
    if not (differ := moved(names)):
        return
    _, plain, number = differ[0]
    yield Finding(
        "order-of-names",
        "warning",
        listed("images", [plain, number]),
        "Responses belong to images by the order of file names, and the card does not say which "
        f"order: letter by letter {plain} comes before {number}, by their numbers after it. "
        f"{len(differ)} of {len(names)} stimuli would change place.",
        'Say it of images in the card: order = "file name" (letter by letter, as now) or '
        'order = "number"; or give ids in the order of responses, stimuli = { file = … }, a csv.',
    )


def _by_order(part: Part) -> bool:
    """Whether the k-th image by name is the k-th stimulus, or the one numbered k."""
    entry = part.responses
    if part.stimuli is not None or entry is None or entry.format not in ("arrays", "matlab"):
        return False
    named = part.presentation_table is not None or "stimulus_id" in entry.coordinates
    return entry.index is not None or not named


def _regions(examined: Examined) -> Iterator[Finding]:
    table = examined.facts.neuroids
    names = table["region"]
    blank = (names.isna() | (names.astype(str).str.strip() == "")).to_numpy(bool)
    if blank.any():
        yield Finding(
            "no-region",
            "error",
            examined.named(blank),
            "They belong to no region, and regions are what is compared.",
            "Give each a region, in the card's neuroids or neuroid_table; leave out those that "
            "are nobody's.",
        )
    unique = pd.Series(names[~blank].astype(str).unique())
    alike = unique[unique.str.strip().str.lower().duplicated(keep=False)]
    if len(alike):
        yield Finding(
            "regions-alike",
            "warning",
            listed("regions", [repr(name) for name in alike]),
            "These names differ only in capitals or spaces; they are taken for different regions.",
            "If they are the same, write them the same.",
        )


def _subjects(examined: Examined) -> Iterator[Finding]:
    if "subject" not in examined.responses.coords:
        yield Finding(
            "subject",
            "note",
            "neuroids",
            "Which subject they belong to is not said, so subjects cannot be told apart.",
            'Add subject to the card\'s neuroids = { …, subject = "…" } or to neuroid_table.',
        )
        return
    subject = examined.responses["subject"]
    if subject.dims != ("neuroid",):
        return
    pooled = pd.Series(subject.values).groupby(
        examined.facts.neuroids["region"].to_numpy(), sort=False
    )
    several = pooled.nunique().loc[lambda number: number > 1]
    if len(several):
        yield Finding(
            "subjects-pooled",
            "note",
            listed("regions", [f"{name} ({number})" for name, number in several.items()]),
            "Their neuroids come from more than one subject: intervals over stimuli and over sites "
            "do not speak for another subject.",
            "Compare subjects with each other: select(assembly, subject=…).",
        )
