"""Rules about presentations whose responses are equal: copies, or no noise to tell them apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from neurosage.data.findings.facts import BLOCK_BYTES, SAMPLED
from neurosage.data.findings.finding import Finding, listed
from neurosage.data.findings.neuroid_rules import Examined

BY_CHANCE = -14.0  # log of the probability of equal presentations that is no accident
ACTIVE = 0.25  # of neuroids; two presentations with hardly a spike are soon equal
MADE = ("network", "simulated")  # may answer without noise


def copy_findings(examined: Examined) -> Iterator[Finding]:
    """Yield what is found in presentations with equal responses of all neuroids.

    Parameters
    ----------
    examined : Examined
        The responses.

    Yields
    ------
    Finding
        In no order; none where neuroids are so few, or so reliable, that responses are equal
        by chance.
    """
    facts = examined.facts
    if facts.log_chance > BY_CHANCE - np.log(max(len(facts.codes), 2)) * 2:
        return  # so few neuroids or spikes are equal by chance
    enough = facts.active >= max(2.0, ACTIVE * examined.responses.sizes["neuroid"])
    table = pd.DataFrame({"code": facts.codes, "stimulus": facts.stimulus})[enough]
    copied = table[table.duplicated("code", keep=False)]
    if not len(copied):
        return
    across = copied["code"].map(copied.groupby("code")["stimulus"].nunique()) > 1
    yield from _within(examined, copied[~across])
    if across.any():
        yield Finding(
            "copied-response",
            "warning" if examined.kind in MADE else "error",  # equal images have equal answers
            listed("stimuli", facts.ids[pd.unique(copied["stimulus"][across])]),
            f"All neuroids gave equal responses in {int(across.sum())} presentations of different "
            "stimuli: a response stands where another belongs.",
            "Look how the file was made (padding by copies, a wrong index), and make it anew.",
        )


def _within(examined: Examined, copied: pd.DataFrame) -> Iterator[Finding]:
    """Repetitions of one stimulus that are equal."""
    if not len(copied):
        return
    place = listed("stimuli", examined.facts.ids[pd.unique(copied["stimulus"])])
    pairs = _pairs(examined)
    if examined.kind in MADE or not len(pairs):
        yield Finding(
            "equal-repetitions",
            "note" if examined.kind in MADE else "warning",
            place,
            f"All neuroids gave equal responses in {len(copied)} repetitions of one stimulus: "
            "there is no noise in them, so that reliability over trials is 1 by construction.",
            "Nothing, if these are computed; if they were recorded, look whether averages were "
            "repeated, and give each once.",
        )
    elif _log_chance(examined, pairs) <= BY_CHANCE - np.log(len(examined.facts.codes)):
        yield Finding(
            "copied-trial",
            "error",
            place,
            f"All neuroids gave equal responses in {len(copied)} repetitions of one stimulus: "
            "noise that is shared counts as signal, and reliability comes out too high.",
            "Look how the file was made (padding by copies, a wrong index), and make it anew.",
        )


def _pairs(examined: Examined) -> Any:
    """Repetitions of one stimulus, each with the next, that are not equal; shape (pair, 2)."""
    facts = examined.facts
    order = np.argsort(facts.stimulus, kind="stable")
    left, right = order[:-1], order[1:]
    kept = facts.stimulus[left] == facts.stimulus[right]
    kept &= facts.codes[left] != facts.codes[right]
    pairs = np.stack([left, right], axis=1)[kept]
    return np.random.default_rng(0).permutation(pairs)[:SAMPLED]


def _log_chance(examined: Examined, pairs: Any) -> float:
    """Log of the probability that two repetitions are equal, if neuroids vary by themselves."""
    responses, total = examined.responses, 0.0
    each = 16 * len(pairs) * int(np.prod(responses.shape[2:]))
    step = max(1, BLOCK_BYTES // each)
    for start in range(0, responses.sizes["neuroid"], step):
        block = responses.isel(neuroid=slice(start, start + step)).values.astype(np.float64)
        a, b = block[pairs[:, 0]], block[pairs[:, 1]]
        equal = ((a == b) | (np.isnan(a) & np.isnan(b))).reshape(*a.shape[:2], -1).all(2)
        total += float(np.log((equal.sum(0) + 1) / (len(pairs) + 1)).sum())
    return total
