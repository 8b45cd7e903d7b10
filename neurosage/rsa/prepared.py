"""One side of many comparisons, computed once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from neurosage.rsa.arguments import check_by, check_recording
from neurosage.rsa.backends.base import Backend, check_offers, check_stimulus_count, get_backend
from neurosage.rsa.between_rdms import holds_rdms_only
from neurosage.rsa.distances.noise_precision import (
    DEFAULTS,
    Precision,
    own_precision,
    precision_name,
)
from neurosage.rsa.distances.own_distances import (
    RDM_DISTANCES,
    WHITENED,
    backend_distance,
    check_distance,
)
from neurosage.rsa.distances.pairwise_missing import POLICY as PAIRWISE
from neurosage.rsa.distances.whitened import whiten
from neurosage.rsa.given import UNASKED, check_asked, given_rdms
from neurosage.rsa.rdm import rdms
from neurosage.rsa.responses.missing import check_policy
from neurosage.rsa.responses.patterns import Source, read_patterns
from neurosage.rsa.without_rdms import (
    REPRESENTATIONS,
    check_responses,
    check_without_distance,
    distance_for,
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """One side of many comparisons: a teacher, its sums computed once.

    Parameters
    ----------
    stimulus_ids : tuple of str
        What is compared, in order.
    regions : tuple of str
        Of the teacher.
    backend : Backend
        Computes both sides.
    settings : mapping of str to str
        distance, comparison, normalise, nan, by; precision, where the distance has one.
    dropped : mapping of str to list of str
        Stimuli and neuroids left out.
    side : object
        The backend's own; None where only RDMs were published.
    rdms : xarray.DataArray, optional
        Where only RDMs were published, or the distance is no backend's.
    precision : str, mapping of str to array, or None
        Asked for.
    """

    stimulus_ids: tuple[Any, ...]
    regions: tuple[str, ...]
    backend: Backend
    settings: Mapping[str, str]
    dropped: Mapping[str, list[Any]]
    side: Any = None
    rdms: xr.DataArray | None = None
    precision: Precision = None


def prepare(
    teacher_or_assembly: Source,
    *,
    distance: str | None = None,
    comparison: str = "pearson",
    normalise: str | None = None,
    backend: str | Backend = "torch",
    nan: str = "raise",
    by: str = "stimulus_id",
    precision: Precision = None,
) -> Prepared:
    """Compute once what every comparison with this teacher needs.

    Parameters
    ----------
    teacher_or_assembly : Teacher or xarray.DataArray
        Responses (or RDMs) of the side that stays the same.
    distance, comparison : str
        As in `similarity`; a distance left out is that of RDMs, where such are given.
    normalise : str, optional
        Of this side; the teacher's own if omitted, none for an assembly.
    backend : str or Backend
        What computes.
    nan : {"raise", "drop-stimulus", "drop-neuroid", "pairwise"}
        What to do about missing responses.
    by : str
        Coordinate on presentation whose values are the stimuli of the RDM.
    precision : str or mapping of str to array, optional
        Of the noise, for ``mahalanobis`` and ``crossnobis``, as in `rdms`.

    Returns
    -------
    Prepared
        For `similarity_to`.

    Raises
    ------
    InputError
        As `similarity`.

    Examples
    --------
    >>> import numpy as np
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly(np.eye(4), stimulus_id=list("abcd"), region=["V4", "V4", "IT", "IT"])
    >>> prepare(a, distance="euclidean").regions
    ('V4', 'IT')
    """
    check_recording(teacher_or_assembly)
    check_by(by)
    check_policy(nan)
    distance = distance_for(comparison, distance, teacher_or_assembly)
    settings = {"distance": distance, "comparison": comparison, "nan": nan, "by": by}
    engine = get_backend(backend)
    return prepare_without(teacher_or_assembly, settings, normalise, engine, precision=precision)


def prepare_without(
    source: Source,
    settings: dict[str, str],
    normalise: str | None,
    backend: Backend,
    without: Sequence[Any] = (),
    *,
    precision: Precision = None,
) -> Prepared:
    """Prepare one side, leaving out the stimuli that the other side lacks."""
    distance, comparison = settings["distance"], settings["comparison"]
    check_comparable(backend, distance, comparison)
    own = own_precision(distance, precision)
    if distance in DEFAULTS:
        settings = {**settings, "precision": str(precision_name(own))}
    check_responses(comparison, source)
    if holds_rdms_only(source):
        given, holder = given_rdms(source)
        # By unknown categories: the other side's responses may be averaged to match.
        by = settings["by"] if "by" in given.attrs else UNASKED["by"]
        check_asked(given, holder, by=by, normalise=normalise)
        return _prepare_rdms(rdms(source, distance), settings, backend, precision)
    if distance in RDM_DISTANCES or settings["nan"] == PAIRWISE:
        how: dict[str, Any] = {"backend": backend, "nan": settings["nan"], "precision": precision}
        made = rdms(source, distance, settings["by"], normalise, **how)
        return _prepare_rdms(made, settings, backend, precision)
    patterns = read_patterns(
        source, normalise=normalise, by=settings["by"], nan=settings["nan"], without=without
    )
    check_stimulus_count(len(patterns.stimulus_ids), comparison)
    if distance in WHITENED:
        patterns = whiten(patterns, source, own)
    distance = backend_distance(distance)
    matrices = (patterns.required(region, distance) for region in patterns.regions)
    return Prepared(
        stimulus_ids=tuple(patterns.stimulus_ids),
        regions=patterns.regions,
        backend=backend,
        settings={**settings, "normalise": patterns.normalise},
        dropped=patterns.dropped,
        side=backend.prepare(matrices, distance, comparison),
        precision=precision,
    )


def check_comparable(backend: Backend, distance: str, comparison: str) -> None:
    """Refuse what cannot be had; some RDMs come from no backend, but are compared by one.

    Raises
    ------
    InputError
        If the distance or the comparison is not offered, or a distance is asked for where
        the comparison has none.
    """
    if comparison in REPRESENTATIONS:
        check_without_distance(comparison, distance)
    else:
        check_distance(backend, distance)
    check_offers(backend, backend.distances[0], comparison)


def _prepare_rdms(
    given: xr.DataArray, settings: dict[str, str], backend: Backend, precision: Precision
) -> Prepared:
    return Prepared(
        stimulus_ids=tuple(given["stimulus_id_i"].values),
        regions=tuple(map(str, given["region"].values)),
        backend=backend,
        settings={
            **settings,
            "by": str(given.attrs.get("by", settings["by"])),
            "normalise": str(given.attrs.get("normalise", "unknown")),
        },
        dropped=json.loads(given.attrs.get("dropped", "{}")),
        rdms=given,
        precision=precision,
    )
