"""Noise ceilings over subjects: what the RDMs of several subjects have in common."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosage.data.assembly import region_names
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats, check_memory
from neurosage.rsa.patterns import Source, responses_of
from neurosage.rsa.rdm import check_rdms, is_rdms, rdms
from neurosage.rsa.reliability.rdm_estimate import ranked
from neurosage.rsa.resampling import standardised, weighted_similarity

LACKING = "RDMs of {count} subject{s}; a ceiling over subjects needs at least 2"


@dataclass(frozen=True)
class Bounds:
    """Both bounds of one region, in every resample.

    Parameters
    ----------
    lower, upper : array of float64, shape (1 + B,)
        The first without resampling; NaN where not estimable.
    subjects : int
        How many.
    reason : str
        Why there are none, or empty.
    """

    lower: Floats
    upper: Floats
    subjects: int
    reason: str = ""


def subject_bounds(squares: Floats, comparison: str, weights: Floats) -> Bounds:
    """Compare each subject's RDM with the mean of the others, and with the mean of all.

    Before averaging, RDMs are brought to the comparison's own scale: z-scores (pearson),
    root mean square 1 (cosine), ranks (spearman); taken once, on all stimuli.

    Parameters
    ----------
    squares : array of float64, shape (subject, n, n)
        One region's RDMs.
    comparison : {"pearson", "spearman", "cosine"}
        Between RDMs.
    weights : array of float64, shape (B, n)
        From `multiplicities`.

    Returns
    -------
    Bounds
        Means over subjects; the best RDM for all of them lies between.

    References
    ----------
    Nili et al. 2014, "A toolbox for representational similarity analysis".

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noisy = rng.random((3, 6, 6))
    >>> found = subject_bounds(noisy + noisy.swapaxes(1, 2), "pearson", np.empty((0, 6)))
    >>> bool(found.lower[0] < found.upper[0])
    True
    """
    subjects, n = squares.shape[:2]
    every = np.vstack([np.ones((1, n)), weights])
    if subjects < 2:
        empty = np.full(len(every), np.nan)
        reason = LACKING.format(count=subjects, s="" if subjects == 1 else "s")
        return Bounds(empty, empty, subjects, reason)
    form = "cosine" if comparison == "cosine" else "pearson"
    scaled = np.stack([ranked(each, comparison) for each in squares])
    if comparison != "spearman":
        scaled = np.stack([standardised(each, form == "pearson") for each in scaled])
    total = scaled.sum(0)
    lower, upper = np.zeros(len(every)), np.zeros(len(every))
    pooled = ranked(total, comparison)
    for each in scaled:
        others = ranked(total - each, comparison)
        lower += weighted_similarity(each, others, every, form) / subjects
        upper += weighted_similarity(each, pooled, every, form) / subjects
    reason = "an RDM does not vary" if np.isnan([lower[0], upper[0]]).any() else ""
    return Bounds(lower, upper, subjects, reason)


def subject_rdms(
    source: Source, distance: str, normalise: str | None, nan: str
) -> tuple[dict[str, Floats], int, dict[str, Any]]:
    """Return each region's RDMs, one a subject.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        RDMs, with dim ``subject`` or of one; or responses, whose neuroids have a coordinate
        ``subject`` (without it they are taken for one subject's).
    distance, normalise, nan : str
        As in `rdms`, where RDMs are made of responses.

    Returns
    -------
    tuple of (dict of str to array, shape (subject, n, n); int; dict)
        By region, the number of stimuli, and what is known about how they were made.

    Raises
    ------
    InputError
        As `rdms`.
    """
    held: Any = source
    if isinstance(source, Teacher):
        held = source.stored_rdms if source.assembly is None else source.assembly
    if is_rdms(held):
        return _stored(held, distance)
    normalise = source.normalise if isinstance(source, Teacher) and not normalise else normalise
    responses = responses_of(held)
    several = "subject" in responses["neuroid"].coords or "subject" in responses.coords
    labels = responses["subject"].values.astype(str) if several else np.array(["one"])
    labels = np.broadcast_to(labels, (responses.sizes["neuroid"],))
    names = list(dict.fromkeys(labels))
    n = len(set(responses["stimulus_id"].values))
    check_memory(
        8 * n * n * (len(names) * len(region_names(responses)) + 4),
        f"RDMs of {len(names)} subjects and {n} stimuli",
        "Take fewer stimuli with select.",
    )
    found: dict[str, list[Floats]] = {name: [] for name in region_names(responses)}
    kept: list[tuple[Any, ...]] = []
    for name in names:
        own = responses.isel(neuroid=np.flatnonzero(labels == name))
        made = rdms(own, distance, normalise=normalise, nan=nan)
        kept.append(tuple(made["stimulus_id_i"].values))
        for region, square in zip(made["region"].values, made.values, strict=True):
            found[str(region)].append(square)
    if len(set(kept)) > 1:
        raise InputError(
            "nan='drop-stimulus' leaves the subjects different stimuli; leave out those that "
            "any of them lacks with select, or use nan='drop-neuroid'."
        )
    return (
        {region: np.stack(each) for region, each in found.items()},
        len(kept[0]),
        {"normalise": made.attrs["normalise"], "distance": distance},
    )


def _stored(held: xr.DataArray, distance: str) -> tuple[dict[str, Floats], int, dict[str, Any]]:
    checked = check_rdms(held)
    made = checked.attrs.get("distance", distance)
    if made != distance:
        raise InputError(f"the RDMs are of {made!r} distance; {distance!r} was asked for.")
    if "subject" not in checked.dims:
        checked = checked.expand_dims("subject")
    by_region = checked.transpose("region", "subject", "stimulus_i", "stimulus_j").values
    names = [str(name) for name in checked["region"].values]
    normalise = str(checked.attrs.get("normalise", "unknown"))
    found = {
        name: squares.astype(np.float64) for name, squares in zip(names, by_region, strict=True)
    }
    return found, checked.sizes["stimulus_i"], {"normalise": normalise, "distance": made}


def reasons(bounds: dict[str, Bounds]) -> str:
    """Return why regions have no bounds, as JSON."""
    return json.dumps({name: each.reason for name, each in bounds.items() if each.reason})
