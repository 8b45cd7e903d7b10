"""Rules about presentations: responses missing, repetitions, time bins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from neurosage.data.findings.copy_rules import copy_findings
from neurosage.data.findings.finding import Finding, count, listed
from neurosage.data.findings.neuroid_rules import Examined

RAGGED = 4  # times as many repetitions of one stimulus as of another
ONCE = 0.1  # share of stimuli shown once, where others are repeated
FEW_STIMULI, TOO_FEW_STIMULI, MANY_STIMULI = 20, 3, 100
SECONDS = 10.0  # ms; time bins that all lie within are probably in seconds


def presentation_findings(examined: Examined) -> Iterator[Finding]:
    """Yield what is found in presentations, their repetitions and their time bins.

    Parameters
    ----------
    examined : Examined
        The responses.

    Yields
    ------
    Finding
        In no order.
    """
    yield from _few_stimuli(examined)
    yield from _missing(examined)
    yield from _repetitions(examined)
    yield from _numbered_twice(examined)
    yield from copy_findings(examined)
    yield from _time_bins(examined)


def _few_stimuli(examined: Examined) -> Iterator[Finding]:
    number = len(examined.facts.ids)
    if number >= MANY_STIMULI:
        return
    severity, words = "note", "reliabilities are biased by -.02 to -.05 where they are low"
    if number < FEW_STIMULI:
        severity, words = "warning", "similarities and reliabilities are mostly chance"
    if number < TOO_FEW_STIMULI:
        severity, words = "error", "an RDM of so few has nothing to compare"
    yield Finding(
        "few-stimuli",
        severity,  # type: ignore[arg-type]  # one of the three
        "stimuli",
        f"With {count(number, 'stimuli')} {words}.",
        "Report the intervals over stimuli, and add stimuli where there are more.",
    )


def _missing(examined: Examined) -> Iterator[Finding]:
    facts = examined.facts
    silent = facts.most == 0
    if silent.any():
        yield Finding(
            "stimulus-without-responses",
            "error",
            listed("stimuli", facts.ids[silent]),
            "No neuroid has a response to them, so they have no pattern.",
            "Leave these stimuli out, or look why nothing was recorded.",
        )
    unanswered = facts.neuroids["unanswered"].to_numpy()
    never = unanswered == len(facts.ids)
    if never.any() and not silent.all():
        yield Finding(
            "neuroid-without-responses",
            "error",
            examined.named(never),
            "They have no response at all, only NaN.",
            "Leave them out, or look whether their file or channel was read.",
        )
    partly = (unanswered > int(silent.sum())) & ~never
    if partly.any():
        yield _unanswered(examined, partly, never)
    elif facts.neuroids["missing"].any() and not (silent.any() or never.any()):
        yield _missing_trials(examined)


def _unanswered(examined: Examined, partly: Any, never: Any) -> Finding:
    facts = examined.facts
    stimuli = facts.fewest == 0
    lost_stimuli = stimuli.mean() if not never.any() else 1.0
    lost_neuroids = partly.mean()
    message = (
        f"{count(int(partly.sum()), 'neuroids')} of {len(partly)} lack responses to some stimuli; "
        f"{stimuli.sum()} of {len(stimuli)} stimuli lack those of some neuroid, and RDMs are "
        "refused as long as nothing is said about it."
    )
    if lost_stimuli == 1 and lost_neuroids == 1:
        return Finding(
            "missing-responses",
            "error",
            examined.named(partly),
            f"{message} No neuroid answered all stimuli, and no stimulus was answered by all.",
            "Were these recorded in sessions with stimuli of their own? Then make each session a "
            "part of the card, a teacher by itself.",
        )
    way = "drop-neuroid" if lost_neuroids <= lost_stimuli else "drop-stimulus"
    return Finding(
        "missing-responses",
        "warning",
        examined.named(partly),
        message,
        f'Pass nan="{way}", which loses less ({min(lost_neuroids, lost_stimuli):.0%}), or leave '
        "them out of the file.",
    )


def _missing_trials(examined: Examined) -> Finding:
    table = examined.facts.neuroids
    return Finding(
        "missing-trials",
        "note",
        examined.named(table["missing"] > 0),
        f"{table['missing'].sum() / examined.responses.size:.1%} of single responses are missing "
        "(NaN); every neuroid answered every stimulus at least once, so averages are whole.",
        "Nothing, if these trials were not recorded; reliability uses those that were.",
    )


def _repetitions(examined: Examined) -> Iterator[Finding]:
    facts = examined.facts
    answered = facts.fewest[facts.fewest > 0]
    low, high = int(answered.min()) if len(answered) else 0, int(facts.most.max())
    if high < 2:
        yield from _unrepeated(examined)
        return
    once = float((facts.fewest == 1).mean())
    if once:
        yield Finding(
            "shown-once",
            "warning" if once > ONCE else "note",
            listed("stimuli", facts.ids[facts.fewest == 1]),
            f"{once:.0%} of stimuli have a single response (of some neuroid), others up to {high}: "
            "they are left out of reliability over trials, and refused by crossnobis.",
            "Nothing, if few; else read reliability as that of the others.",
        )
    elif low < high:
        yield Finding(
            "ragged-repetitions",
            "warning" if high >= RAGGED * low else "note",
            "presentations",
            f"Stimuli have {low} to {high} repetitions: estimators here allow for it, but plain "
            "distances between stimuli shown seldom are larger by their noise.",
            'Nothing for reliability; distance="crossnobis" is free of that bias.',
        )
    if high == 2:
        yield Finding(
            "two-repetitions",
            "note",
            "presentations",
            "With two repetitions there is one way to split them: reliability is estimable, "
            "its interval wide.",
            "Report it with its interval.",
        )


def _unrepeated(examined: Examined) -> Iterator[Finding]:
    if examined.kind == "network":
        return  # its answers have no noise
    words = examined.responses.attrs.get("repetitions")
    held = f"Only averages are held (repetitions {words})" if words else "Each stimulus occurs once"
    yield Finding(
        "no-repetitions",
        "note",
        "presentations",
        f"{held}, so reliability and ceilings over trials are not estimable; those over sites are.",
        "If single trials are at hand, give those (dims with repetition or presentation)."
        + ("" if words else ' If these are averages, say repetitions = "averaged over …".'),
    )


def _numbered_twice(examined: Examined) -> Iterator[Finding]:
    table = pd.DataFrame(
        {
            "stimulus": examined.facts.stimulus,
            "repetition": pd.Series(examined.responses["repetition"].values, dtype=object),
        }
    )
    twice = table.duplicated(keep="first")
    if twice.any():
        ids = examined.facts.ids[pd.unique(table["stimulus"][twice])]
        yield Finding(
            "repetition-twice",
            "warning",
            listed("stimuli", ids),
            f"{count(int(twice.sum()), 'presentations')} have the stimulus and the number of "
            "repetition of another: files of one session read twice, or sessions joined?",
            "Number repetitions on over sessions, or leave the number out to have them counted.",
        )


def _time_bins(examined: Examined) -> Iterator[Finding]:
    if "time_bin" not in examined.responses.dims:
        return
    start = np.asarray(examined.responses["time_bin_start"].values, float)
    end = np.asarray(examined.responses["time_bin_end"].values, float)
    names = np.array([f"{a:g} to {b:g} ms" for a, b in zip(start, end, strict=True)], object)
    wrong = ~(end > start)
    if wrong.any():
        yield Finding(
            "time-bin",
            "error",
            listed("time bins", names[wrong]),
            "They end before they begin, or have no edge.",
            "Correct time_bin_start and time_bin_end (ms after the stimulus' onset).",
        )
        return
    yield from _order_of_bins(start, end, names)
    if max(abs(start).max(), abs(end).max()) < SECONDS:
        yield Finding(
            "time-in-seconds",
            "warning",
            listed("time bins", names),
            f"All lie within {SECONDS:g} ms of the onset: are they in seconds?",
            "Multiply the edges by 1000; they are in ms.",
        )
    yield Finding(
        "time-bins",
        "note",
        listed("time bins", names),
        "Responses are resolved in time; distances and reliability take one number a presentation, "
        "and refuse them as they are.",
        "Say window = [70, 170] for responses in the card, or use average_time.",
    )


def _order_of_bins(start: Any, end: Any, names: Any) -> Iterator[Finding]:
    order = np.lexsort((end, start))
    overlap = start[order][1:] < end[order][:-1] - 1e-9
    if overlap.any():
        yield Finding(
            "time-bins-overlap",
            "warning",
            listed("time bins", names[order][1:][overlap]),
            "They begin before the bin before them ends, so some spikes are counted twice in an "
            "average over time.",
            "Keep bins that do not overlap (select), or a single window.",
        )
    if (np.diff(order) < 0).any():
        yield Finding(
            "time-bins-order",
            "warning",
            listed("time bins", names),
            "They are not in the order of time.",
            "Sort the values and the edges together.",
        )
