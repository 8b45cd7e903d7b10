"""Rules about stimuli: images unreadable, equal, blank, dark, transparent, uneven; their ids."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from neurosage.data.findings.finding import Finding, count, listed
from neurosage.data.images import list_images, original_file
from neurosage.data.pixels import BACKGROUND, has_transparency
from neurosage.data.stimuli import StimulusSet
from neurosage.errors import InputError

DARK = 32  # of 255; 12 bits in a file of 16 reach 15
EXAMINED_EVERY = 20  # images between two reports of progress


def stimulus_findings(
    stimuli: StimulusSet, progress: Callable[[str, int, int], None] | None = None
) -> Iterator[Finding]:
    """Yield what is found in stimuli; every image is decoded, one at a time.

    Parameters
    ----------
    stimuli : StimulusSet
        With its images.
    progress : callable, optional
        Called with what is counted, how many are done, and of how many.

    Yields
    ------
    Finding
        In no order.
    """
    table, reasons = _look(stimuli, progress)
    bad = table["digest"] == ""
    if bad.any():
        yield Finding(
            "image-unreadable",
            "error",
            listed("stimuli", table["id"][bad].to_numpy()),
            f"{count(int(bad.sum()), 'images')} cannot be read; the first: {reasons[0]}.",
            "Put sound files in their place; each must open in an image viewer.",
        )
    yield from _equal(table[~bad])
    yield from _blank(table[~bad])
    yield from _dark(table[~bad])
    yield from _transparent(table[~bad])
    yield from _sizes(table[~bad])
    yield from _ids(table["id"].to_numpy())
    yield from _of_no_stimulus(stimuli)


def _look(
    stimuli: StimulusSet, progress: Callable[[str, int, int], None] | None
) -> tuple[pd.DataFrame, list[str]]:
    rows, reasons = [], []
    for k, name in enumerate(stimuli.stimulus_ids):
        try:
            image = stimuli.image(k)
        except Exception as error:  # a third party's source may raise anything
            reasons.append(str(error).rstrip("."))
            rows.append((name, "", 0, 0, False, 0, False))
        else:
            digest = hashlib.sha256(repr(image.shape).encode() + image.tobytes()).hexdigest()
            blank, top = bool((image == image[:1, :1]).all()), int(image.max(initial=0))
            see_through = _sees_through(stimuli, k)
            rows.append((name, digest, *image.shape[:2], blank, top, see_through))
        if progress is not None and ((k + 1) % EXAMINED_EVERY == 0 or k + 1 == len(stimuli)):
            progress("images looked at", k + 1, len(stimuli))
    columns = ["id", "digest", "height", "width", "blank", "top", "transparent"]
    return pd.DataFrame(rows, columns=columns), reasons


def _sees_through(stimuli: StimulusSet, k: int) -> bool:
    place = original_file(stimuli.images, k)
    return place is not None and has_transparency(
        place[0].content(place[1]), place[0].names[place[1]]
    )


def _equal(table: pd.DataFrame) -> Iterator[Finding]:
    copies = table[table.duplicated("digest", keep=False)]
    if len(copies):
        groups = copies.groupby("digest", sort=False)["id"].agg(" = ".join)
        yield Finding(
            "image-twice",
            "warning",
            listed("groups", groups.to_numpy()),
            f"{len(copies)} stimuli show {count(len(groups), 'images')}, equal in every pixel: "
            "their true distance is 0, and resampling takes them for independent.",
            "Give presentations of one image one stimulus_id, so that they count as repetitions; "
            "or look for a file saved under two names.",
        )


def _blank(table: pd.DataFrame) -> Iterator[Finding]:
    blank = table["blank"].to_numpy(bool)
    if blank.any():
        yield Finding(
            "image-blank",
            "note" if blank.sum() == 1 else "warning",
            listed("stimuli", table["id"][blank].to_numpy()),
            "Every pixel has one colour: a baseline without a stimulus, or an image that was not "
            "drawn.",
            "Leave baselines out of a teacher: no network tells two of them apart.",
        )


def _dark(table: pd.DataFrame) -> Iterator[Finding]:
    if len(table) and table["top"].max() <= DARK and not table["blank"].all():
        yield Finding(
            "images-dark",
            "warning",
            "stimuli",
            f"No image has a value above {table['top'].max()} of 255: were 10 or 12 bits saved in "
            "files of 16, or values of 0 to 1 as whole numbers?",
            "Scale the images so that white is 255 (or 65535 in 16 bits), and save them again.",
        )


def _transparent(table: pd.DataFrame) -> Iterator[Finding]:
    chosen = table["transparent"].to_numpy(bool)
    if chosen.any():
        yield Finding(
            "image-transparent",
            "note",
            listed("stimuli", table["id"][chosen].to_numpy()),
            f"{count(int(chosen.sum()), 'images')} have transparent parts, which are laid over "
            f"mid-grey {BACKGROUND}.",
            "If they were shown over another colour, save them over that, without transparency.",
        )


def _of_no_stimulus(stimuli: StimulusSet) -> Iterator[Finding]:
    place = original_file(stimuli.images, 0) if len(stimuli) else None
    if place is None:
        return
    try:
        extra = sorted(set(list_images(place[0].path)) - set(place[0].names))
    except InputError:
        return  # said of the images that cannot be read
    if extra:
        yield Finding(
            "image-of-no-stimulus",
            "note",
            listed("images", extra),
            f"{count(len(extra), 'images')} in {place[0].path.name} belong to no stimulus, and are "
            "left alone.",
            "Nothing, if they were not shown; else give each a row in the table of stimuli.",
        )


def _sizes(table: pd.DataFrame) -> Iterator[Finding]:
    sizes = table.value_counts(["height", "width"]).reset_index()
    if len(sizes) < 2:
        return
    shapes = [f"{row.height}×{row.width} ({row.count})" for row in sizes.itertuples()]
    ratios = set((sizes["width"] / sizes["height"]).round(2))
    odd = len(ratios) > 1
    yield Finding(
        "image-sizes",
        "warning" if odd else "note",
        listed("sizes", shapes),
        "Images have different "
        + ("proportions, and are stretched to one shape before a network." if odd else "sizes; ")
        + ("" if odd else "all are brought to one size before a network."),
        "If they were shown at one size, save them so; degrees of visual angle is one number for "
        "all.",
    )


def _ids(ids: Any) -> Iterator[Finding]:
    plain = pd.Series([re.sub(r"\s+", " ", str(name)).strip().lower() for name in ids])
    alike = plain.duplicated(keep=False).to_numpy()
    if alike.any():
        yield Finding(
            "ids-alike",
            "warning",
            listed("stimuli", np.asarray(ids)[alike]),
            "These ids differ only in capitals or spaces; they are taken for different stimuli.",
            "If they are the same, write them the same.",
        )
