"""Rules about what is said: the card's keys, files without hash, coordinates of neuroids."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import pandas as pd

from neurosage.data.cards.card import Card
from neurosage.data.findings.finding import Finding, listed
from neurosage.data.findings.neuroid_rules import Examined
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
    files = [entry for entry in card.part[part].files if not entry.is_folder]
    if unhashed := [entry.file for entry in files if entry.hash is None]:
        yield Finding(
            "no-hash",
            "note",
            listed("files", unhashed),
            "Nothing tells whether these files are still those that the card describes.",
            'Add hash = "sha256:…" (shasum -a 256 FILE), as `neurosage teacher new` writes it.',
        )


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
    """Yield a note where images in the order of names are not in the order of their numbers.

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
        Where responses have no ids and belong to images by their order.
    """
    chosen = card.part[part]
    by_name = chosen.stimuli is None and chosen.presentation_table is None
    plain = chosen.responses is not None and chosen.responses.format in ("arrays", "matlab")
    if not (by_name and plain and not (chosen.responses and chosen.responses.coordinates)):
        return
    names = [PurePosixPath(str(name)).name for name in stimuli.stimulus_ids]
    runs = pd.Series(names).str.extract(r"^(\D*)(\d+)(\D*)$")
    if runs.isna().any(axis=None) or runs[0].nunique() > 1 or runs[2].nunique() > 1:
        return
    numbers = runs[1].astype(int)
    if numbers.is_monotonic_increasing:
        return
    at = int((numbers.diff() < 0).to_numpy().argmax())
    yield Finding(
        "order-of-names",
        "note",
        listed("stimuli", [names[at - 1], names[at]]),
        f"Responses belong to images by the order of file names, in which {names[at - 1]} comes "
        f"before {names[at]}; in the order of numbers it does not.",
        "Make sure that the responses were saved in the order of names; else give the ids: "
        "stimuli = { file = … }, a csv, and its order.",
    )


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
