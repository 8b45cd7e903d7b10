"""What should not be believed of an RDM's reliability and ceiling as it stands, in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.rsa.distances.crossnobis import DISTANCE as CROSSNOBIS
from neurosage.rsa.reliability.neuroids import inflated_attrs, reliability
from neurosage.rsa.reliability.rdm_estimate import Estimate, Settings
from neurosage.rsa.reliability.rdm_halves import least_repetitions
from neurosage.rsa.responses.patterns import Source, own_normalisation, responses_of

# Median neuroid reliability below which ceilings over trials are off by more than .02 or so.
TOO_LOW, TOO_LOW_FEW = 0.6, 0.7  # the second: crossnobis with fewer repetitions than
ENOUGH = 8
TOO_HIGH, TOO_HIGH_RAGGED = 0.5, 0.75  # the second: where repetitions are ragged, which is
RAGGED = 2.0  # the most repetitions of a stimulus over the fewest


def warnings_of(
    source: Source, settings: Settings, estimates: Mapping[str, Estimate], count: int
) -> list[str]:
    """Say what should not be believed as it stands.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses.
    settings : Settings
        How the estimates were made.
    estimates : mapping of str to Estimate
        By region.
    count : int
        How many stimuli the recording's RDMs have.

    Returns
    -------
    list of str
        A sentence each.
    """
    notes = list(inflated_attrs(source).values())
    notes += [
        f"region {name!r}: RDM reliability ({settings.kind}) is {e.point:.3f}, not above 0; "
        "nothing can be divided by it."
        for name, e in estimates.items()
        if e.point <= 0
    ]
    known = [name for name, e in estimates.items() if not e.reason]
    notes += [_left_out(name, settings, estimates[name].stimuli, count) for name in known]
    notes = [note for note in notes if note]
    if settings.kind != "trials" or not known:
        return notes
    neuroids = reliability(source, method="variance")
    added = _noise_adds(settings.distance, own_normalisation(source, settings.normalise))
    limit, why = _limit(responses_of(source), settings, added)
    for name in known:
        median = _median(neuroids, name)
        if median < limit:
            low = f"median neuroid reliability is {median:.2f}, below {limit}{why}"
            notes.append(f"region {name!r}: {low}; {_direction(settings.distance, added)}")
    return notes


def _left_out(name: str, settings: Settings, used: int, count: int) -> str:
    """Say that an estimate speaks for some stimuli only."""
    if used == count:
        return ""
    return (
        f"region {name!r}: {count - used} of {count} stimuli have fewer than "
        f"{least_repetitions_of(settings)} independent repetitions from some neuroid and are left "
        f"out: the RDM reliability ({settings.kind}), and what it corrects, are of the other "
        f"{used}, not of the RDM of all."
    )


def least_repetitions_of(settings: Settings) -> int:
    """Return how many repetitions a stimulus needs to be in an estimate."""
    if settings.kind == "trials":
        return least_repetitions(settings.distance)
    return 2 if settings.distance == CROSSNOBIS else 1


def _limit(responses: xr.DataArray, settings: Settings, added: bool) -> tuple[float, str]:
    """Return the neuroid reliability below which a ceiling is not to be believed, and why."""
    answered = ~np.isnan(responses.values).all(1)
    counts = pd.Series(responses["stimulus_id"].values[answered]).value_counts()
    counts = counts[counts >= least_repetitions_of(settings)]
    low, high, mean = int(counts.min()), int(counts.max()), float(counts.mean())
    if added and high >= RAGGED * low:
        return TOO_HIGH_RAGGED, f", and repetitions are ragged ({low} to {high})"
    if settings.distance == CROSSNOBIS and mean < ENOUGH:
        return TOO_LOW_FEW, f", with fewer than {ENOUGH} repetitions"
    return (TOO_HIGH if added else TOO_LOW), ""


def _noise_adds(distance: str, normalise: str) -> bool:
    # Raw patterns all point one way, so that cosine distance is of their small differences.
    return distance == "euclidean" or (distance == "cosine" and normalise == "none")


def _direction(distance: str, added: bool) -> str:
    """Say which way noise takes a ceiling over trials; the page on reliability shows how far."""
    if added:
        return (
            f"noise adds to {distance} distances in both halves alike, so RDM reliability and "
            "ceiling (trials) may be far too high, and a noise-corrected similarity too low: "
            "use distance='crossnobis'."
        )
    return (
        f"at low rates RDM reliability and ceiling (trials) of {distance} distance are too low, "
        "and a noise-corrected similarity is too high: report the similarity as measured "
        "beside it, or correct for kind='sites'."
    )


def _median(neuroids: xr.DataArray, region: str) -> float:
    # Estimates have no lower bound: one neuroid without signal would take the mean far down.
    found = neuroids.values[neuroids["region"].values.astype(str) == region]
    found = found[~np.isnan(found)]
    return float(np.median(found)) if len(found) else 1.0


def without_estimate(
    settings: Settings, reasons: Mapping[str, str], what: str = "RDM reliability"
) -> str:
    """Say which regions have no estimate, why, and what would have one; nothing if all have.

    Parameters
    ----------
    settings : Settings
        What was asked for.
    reasons : mapping of str to str
        By region.
    what : str
        That has no estimate.

    Returns
    -------
    str
        One or more sentences.

    Examples
    --------
    >>> without_estimate(Settings("sites"), {"V4": "5 sites"})
    'RDM reliability (sites) cannot be estimated for V4: 5 sites.'
    """
    regions: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        regions.setdefault(reason, []).append(name)
    return " ".join(
        f"{what} ({settings.kind}) cannot be estimated for {', '.join(names)}: "
        f"{reason}.{_instead(settings, reason)}"
        for reason, names in regions.items()
    )


def _instead(settings: Settings, reason: str) -> str:
    if "repetitions" not in reason:
        return ""
    plain = "" if settings.distance != "crossnobis" else " with distance='correlation'"
    return f" kind='sites'{plain} needs no repetitions."


def notes_as_attrs(notes: list[str], reasons: Mapping[str, str], said: str) -> dict[str, Any]:
    """Return the attributes that say what lacks and what to beware of."""
    return {
        "not_estimable": json.dumps(dict(reasons)),
        "reason": said,
        "warnings": json.dumps(notes),
    }
