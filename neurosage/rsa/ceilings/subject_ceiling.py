"""Noise ceilings over subjects: what the RDMs of several subjects have in common."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.assembly import region_names
from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats, check_memory
from neurosage.rsa.given import check_asked, check_rdms, given_rdms
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.rdm_estimate import Settings, ranked
from neurosage.rsa.resampling import standardised, weighted_similarity
from neurosage.rsa.responses.patterns import Source, own_normalisation, responses_of

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
    source: Source, settings: Settings
) -> tuple[dict[str, Floats], int, dict[str, Any]]:
    """Return each region's RDMs, one a subject.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        RDMs, with dim ``subject`` or of one; or responses, whose neuroids, or presentations,
        have a coordinate ``subject`` (without it they are taken for one subject's).
    settings : Settings
        distance, normalise, nan and precision, where RDMs are made of responses.

    Returns
    -------
    tuple of (dict of str to array, shape (subject, n, n); int; dict)
        By region, the number of stimuli, and what is known about how they were made.

    Raises
    ------
    InputError
        As `rdms`.
    """
    given, holder = given_rdms(source)
    if given is not None:
        return _stored(given, holder, settings)
    normalise = own_normalisation(source, settings.normalise)
    responses = responses_of(source)
    owned = by_subject(responses)
    n = len(set(responses["stimulus_id"].values))
    check_memory(
        8 * n * n * (len(owned) * len(region_names(responses)) + 4),
        f"RDMs of {len(owned)} subjects and {n} stimuli",
        "Take fewer stimuli with select.",
    )
    found: dict[str, list[Floats]] = {name: [] for name in region_names(responses)}
    ids: Any = None
    for own in owned:
        made = rdms(
            own,
            settings.distance,
            normalise=normalise,
            nan=settings.nan,
            # "none" stands for what was not asked for: the distance's own.
            precision=None if settings.precision == "none" else settings.precision,
        )
        names = made["stimulus_id_i"].values
        ids = names if ids is None else ids
        order = same_stimuli(ids, names, settings.nan)
        for region, square in zip(made["region"].values, made.values, strict=True):
            found[str(region)].append(square[np.ix_(order, order)])
    return (
        {region: np.stack(each) for region, each in found.items()},
        len(ids),
        {"normalise": normalise, "distance": settings.distance},
    )


def by_subject(responses: xr.DataArray) -> list[xr.DataArray]:
    """Return each subject's responses: of its neuroids, or to its presentations.

    Raises
    ------
    InputError
        If some have no subject, or a subject has no responses.
    """
    if "subject" not in responses.coords or not responses["subject"].ndim:
        return [responses]
    (dim,) = responses["subject"].dims
    codes, names = pd.factorize(responses["subject"].values.astype(object))
    if (codes < 0).any():
        raise InputError(
            f"{(codes < 0).sum()} of {len(codes)} {dim}s have no subject (None or NaN); label all "
            "of them, or leave them out with select."
        )
    parts = [responses.isel({dim: np.flatnonzero(codes == k)}) for k in range(len(names))]
    if dim == "neuroid":
        return parts
    # Neuroids without any response to a subject's presentations are another's.
    kept = [np.flatnonzero(~np.isnan(part.values).all(0)) for part in parts]
    if empty := [str(name) for name, own in zip(names, kept, strict=True) if not len(own)]:
        raise InputError(f"subjects {empty[:3]} have no responses; leave them out with select.")
    return [part.isel(neuroid=own) for part, own in zip(parts, kept, strict=True)]


def same_stimuli(ids: Any, names: Any, nan: str) -> Any:
    """Return where the first subject's stimuli stand among another's.

    Raises
    ------
    InputError
        If they are not the same, with the counts.
    """
    order = pd.Index(names).get_indexer(ids)
    if len(ids) == len(names) and (order >= 0).all():
        return order
    why = " (nan='drop-stimulus' may leave them different ones)" if nan == "drop-stimulus" else ""
    raise InputError(
        f"subjects have different stimuli{why}: one has {len(ids)}, another {len(names)}, "
        f"{int((order >= 0).sum())} of them the same; leave out those that any of them lacks with "
        "select" + (", or use nan='drop-neuroid'." if why else ".")
    )


def _stored(
    held: xr.DataArray, holder: str, settings: Settings
) -> tuple[dict[str, Floats], int, dict[str, Any]]:
    checked = check_rdms(held)
    made = checked.attrs.get("distance", settings.distance)
    if made != settings.distance:
        raise InputError(f"{holder} of {made!r} distance; {settings.distance!r} was asked for.")
    check_asked(checked, holder, normalise=settings.normalise, precision=settings.precision)
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
