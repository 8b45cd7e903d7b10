"""One side against a prepared one: similarities by region, and why some have none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.data.assembly import region_names
from neurosage.errors import InputError
from neurosage.rsa.backends.base import Compared, Floats
from neurosage.rsa.between_rdms import compare_rdms, first_rdms, holds_rdms_only
from neurosage.rsa.distances.noise_precision import own_precision
from neurosage.rsa.distances.own_distances import (
    WHITENED,
    backend_distance,
    side_distance,
    side_precision,
)
from neurosage.rsa.distances.whitened import whiten
from neurosage.rsa.prepared import Prepared
from neurosage.rsa.responses.patterns import Patterns, Source, read_patterns, responses_of
from neurosage.rsa.without_rdms import why_undefined


@dataclass
class Found:
    """The similarities of one side's regions, and why some have none.

    Parameters
    ----------
    regions : tuple of str
        Of that side.
    compared : Compared
        Values of shape (regions, the other side's), NaN where there is no similarity.
    normalise, distance : str
        How the side's RDMs were made.
    dropped : mapping of str to list
        Stimuli and neuroids left out.
    reasons : dict of str to str
        Why regions have no similarity.
    """

    regions: tuple[str, ...]
    compared: Compared
    normalise: str
    distance: str
    dropped: Mapping[str, list[Any]]
    reasons: dict[str, str]


def compare_with(prepared: Prepared, source: Source, normalise: str | None) -> Found:
    """Compare all regions of a recording, or of RDMs, with a prepared side.

    Parameters
    ----------
    prepared : Prepared
        The other side.
    source : Teacher or xarray.DataArray
        Responses to the same stimuli, or RDMs.
    normalise : str or None
        Of the responses' neuroids.

    Returns
    -------
    Found
        NaN, with the reason, where a region has no RDM or one that does not vary.

    Raises
    ------
    InputError
        If the stimuli are not those of the other side.
    """
    if prepared.rdms is not None or holds_rdms_only(source):
        return _from_rdms(prepared, source, normalise)
    return _from_patterns(prepared, source, normalise)


def _from_patterns(prepared: Prepared, source: Source, normalise: str | None) -> Found:
    settings = prepared.settings
    distance = side_distance(source, settings["distance"], prepared.precision)
    patterns = read_patterns(
        source,
        normalise=normalise,
        by=settings["by"],
        nan=_own_policy(settings),
        without=prepared.dropped.get("stimuli", ()),
        order=prepared.stimulus_ids,
    )
    if distance in WHITENED:
        chosen = side_precision(source, prepared.precision)
        patterns = whiten(patterns, source, own_precision(distance, chosen))
    compared, reasons = _compare_patterns(patterns, distance, prepared)
    own, dropped = patterns.normalise, patterns.dropped
    return Found(patterns.regions, compared, own, distance, dropped, reasons)


def _compare_patterns(
    patterns: Patterns, distance: str, prepared: Prepared
) -> tuple[Compared, dict[str, str]]:
    """Compare the regions that have an RDM at once; say why the others have none."""
    backend, comparison = prepared.backend, prepared.settings["comparison"]
    made, reasons, matrices = backend_distance(distance), {}, {}
    for region in patterns.regions:
        matrix, reason = patterns.usable(region, made)
        if reason:
            reasons[region] = reason
        else:
            matrices[region] = matrix
    shape = len(patterns.regions), len(prepared.regions)
    if not matrices:
        return Compared(np.full(shape, np.nan), ""), reasons
    side = backend.prepare(matrices.values(), made, comparison)
    compared = backend.similarity(side, prepared.side, comparison)
    rows = [patterns.regions.index(region) for region in matrices]
    values, errors = (_placed(part, rows, shape) for part in _parts(compared))
    for region, row in zip(matrices, rows, strict=True):
        if np.isnan(values[row]).any():
            reasons[region] = why_undefined(comparison)
    whole = Compared(values, compared.path, errors, compared.pairs, compared.warning)
    return whole, {name: reasons[name] for name in patterns.regions if name in reasons}


def _parts(compared: Compared) -> tuple[Floats | None, Floats | None]:
    return compared.values, compared.standard_error


def _placed(part: Floats | None, rows: list[int], shape: tuple[int, int]) -> Any:
    if part is None:
        return None
    whole = np.full(shape, np.nan)
    whole[rows] = part
    return whole


def _own_policy(settings: Mapping[str, str]) -> str:
    # The rows are fixed by now, what the teacher lost is lost here too. A category's row
    # stays though it loses a stimulus; a stimulus' own does not.
    fixed = settings["nan"] == "drop-stimulus" and settings["by"] == "stimulus_id"
    return "raise" if fixed else settings["nan"]


def _from_rdms(prepared: Prepared, source: Source, normalise: str | None) -> Found:
    settings, backend = prepared.settings, prepared.backend
    if prepared.rdms is None:
        raise InputError("one side holds RDMs only: prepare that one, or call similarity(a, b).")
    given, reasons = first_rdms(source, normalise, settings, backend, prepared.precision)
    usable = list(map(str, given["region"].values))
    regions = tuple(usable) if not reasons else region_names(responses_of(source))
    dropped: dict[str, list[Any]] = {}
    values = np.full((len(regions), len(prepared.regions)), np.nan)
    if usable:
        rows = [regions.index(name) for name in usable]
        values[rows], dropped = compare_rdms(given, prepared.rdms, backend, settings["comparison"])
    for name, row in zip(regions, values, strict=True):
        if np.isnan(row).any():
            reasons.setdefault(name, why_undefined(""))
    own, distance = str(given.attrs.get("normalise", "unknown")), given.attrs["distance"]
    return Found(regions, Compared(values, "rdms"), own, distance, dropped, reasons)


def labelled(found: Found, prepared: Prepared) -> xr.DataArray:
    """Return similarities with their names and how they were made.

    Parameters
    ----------
    found : Found
        Of one side.
    prepared : Prepared
        The other.

    Returns
    -------
    xarray.DataArray
        As `similarity` returns it.
    """
    settings, compared, both = prepared.settings, found.compared, ("region_a", "region_b")
    lost = set(map(str, prepared.stimulus_ids)) & set(map(str, found.dropped.get("stimuli", ())))
    dropped = {"a": dict(found.dropped), "b": dict(prepared.dropped)}
    coords: dict[str, Any] = {
        "region_a": np.array(found.regions, object),
        "region_b": np.array(prepared.regions, object),
    }
    if compared.standard_error is not None:
        coords["standard_error"] = (both, compared.standard_error)
    return xr.DataArray(
        compared.values,
        dims=both,
        coords=coords,
        attrs={
            "distance": settings["distance"],
            "distance_a": found.distance,
            "comparison": settings["comparison"],
            "normalise_a": found.normalise,
            "normalise_b": settings["normalise"],
            **({"precision": settings["precision"]} if "precision" in settings else {}),
            "by": settings["by"],
            "nan": settings["nan"],
            "n_stimuli": len(prepared.stimulus_ids) - len(lost),
            "dropped": json.dumps(dropped if any(dropped.values()) else {}, default=str),
            "undefined": json.dumps(found.reasons),
            "path": compared.path,
            **({"pairs": compared.pairs} if compared.pairs is not None else {}),
            **({"warning": compared.warning} if compared.warning else {}),
            "backend": prepared.backend.version,
            "neurosage": __version__,
        },
        name="similarity",
    )
