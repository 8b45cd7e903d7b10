"""Assemblies or RDMs → similarities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import (
    Backend,
    Floats,
    get_backend,
)
from neurosage.rsa.between_rdms import compare_rdms, holds_rdms_only
from neurosage.rsa.crossnobis import plain_or_crossnobis
from neurosage.rsa.given import check_asked, given_rdms, one_a_side, own_distance
from neurosage.rsa.patterns import Source, incomplete_stimuli, own_normalisation, read_patterns
from neurosage.rsa.prepared import Prepared, check_comparable, prepare, prepare_without
from neurosage.rsa.rdm import rdms

__all__ = ["Prepared", "prepare", "similarity", "similarity_to"]

NORMALISE = (None, None)
FLAT = "its distances or the other side's do not vary, so the similarity is undefined."


@dataclass
class _Found:
    """The similarities of one side's regions, and why some have none."""

    regions: tuple[str, ...]
    values: Floats
    normalise: str
    dropped: Mapping[str, list[Any]]
    reasons: dict[str, str]
    path: str
    distance: str


def similarity_to(
    prepared: Prepared,
    assembly: Source,
    normalise: str | None = "none",
    undefined: str = "raise",
) -> xr.DataArray:
    """Compare an assembly with a prepared teacher.

    Regions are taken one at a time, so memory is bounded by the largest.

    Parameters
    ----------
    prepared : Prepared
        From `prepare`.
    assembly : Teacher or xarray.DataArray
        Responses to the same stimuli, or RDMs; aligned by ``stimulus_id``.
    normalise : str or None
        Of the assembly's neuroids; None means the teacher's own.
    undefined : {"raise", "nan"}
        What becomes of a region that has no RDM to compare (a constant pattern, a layer of
        one unit, responses that are not finite, distances that do not vary): an error, or
        NaN with the reason in attribute ``undefined``.

    Returns
    -------
    xarray.DataArray
        Dims ``region_a × region_b`` (the assembly's, the teacher's); attributes as in
        `similarity`.

    Raises
    ------
    InputError
        If the stimuli are not the teacher's, or a region has no RDM.

    Examples
    --------
    >>> import numpy as np
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly(np.diag([1.0, 2, 3, 4]), stimulus_id=list("abcd"), region="V4")
    >>> similarity_to(prepare(a, distance="euclidean"), a).values.round(6)
    array([[1.]])
    """
    if undefined not in ("raise", "nan"):
        raise unknown("value of undefined", undefined, ("raise", "nan"))
    if prepared.rdms is not None or holds_rdms_only(assembly):
        found = _from_rdms(prepared, assembly, normalise)
    else:
        found = _from_patterns(prepared, assembly, normalise)
    if found.reasons and undefined == "raise":
        region, reason = next(iter(found.reasons.items()))
        others = [name for name in found.reasons if name != region]
        more = f" Likewise without similarity: {others[:5]}." if others else ""
        raise InputError(f"region {region!r}: {reason}{more}")
    return _label(found, prepared)


def _from_patterns(prepared: Prepared, source: Source, normalise: str | None) -> _Found:
    settings, backend = prepared.settings, prepared.backend
    distance, comparison = settings["distance"], settings["comparison"]
    patterns = read_patterns(
        source,
        normalise=normalise,
        by=settings["by"],
        nan=_own_policy(settings),
        without=prepared.dropped.get("stimuli", ()),
        order=prepared.stimulus_ids,
    )
    values = np.full((len(patterns.regions), len(prepared.regions)), np.nan)
    reasons, paths = {}, set()
    for row, region in enumerate(patterns.regions):
        matrix, reason = patterns.usable(region, distance)
        if not reason:
            side = backend.prepare([matrix], distance, comparison)
            values[row] = backend.similarity(side, prepared.side, comparison)[0]
            paths.add(backend.path(side, prepared.side))
            reason = FLAT if np.isnan(values[row]).any() else ""
        if reason:
            reasons[region] = reason
    path = " and ".join(sorted(paths))
    own, dropped = patterns.normalise, patterns.dropped
    return _Found(patterns.regions, values, own, dropped, reasons, path, distance)


def _own_policy(settings: Mapping[str, str]) -> str:
    # The rows are fixed by now, what the teacher lost is lost here too. A category's row
    # stays though it loses a stimulus; a stimulus' own does not.
    fixed = settings["nan"] == "drop-stimulus" and settings["by"] == "stimulus_id"
    return "raise" if fixed else settings["nan"]


def _from_rdms(prepared: Prepared, source: Source, normalise: str | None) -> _Found:
    settings, backend = prepared.settings, prepared.backend
    if prepared.rdms is None:
        raise InputError("one side holds RDMs only: prepare that one, or call similarity(a, b).")
    how = {"nan": settings["nan"]}
    if not holds_rdms_only(source):
        how["by"] = settings["by"]
    elif normalise == "none":
        normalise = None  # nothing is to be done to them, and nothing is
    own_distance = plain_or_crossnobis(source, settings["distance"])
    given = rdms(source, own_distance, normalise=normalise, backend=backend, **how)
    names = tuple(map(str, given["region"].values))
    values, dropped = compare_rdms(given, prepared.rdms, backend, settings["comparison"])
    flat = {name: FLAT for name, row in zip(names, values, strict=True) if np.isnan(row).any()}
    own = str(given.attrs.get("normalise", "unknown"))
    return _Found(names, values, own, dropped, flat, "rdms", own_distance)


def _label(found: _Found, prepared: Prepared) -> xr.DataArray:
    settings = prepared.settings
    lost = set(map(str, prepared.stimulus_ids)) & set(map(str, found.dropped.get("stimuli", ())))
    both = {"a": dict(found.dropped), "b": dict(prepared.dropped)}
    return xr.DataArray(
        found.values,
        dims=("region_a", "region_b"),
        coords={
            "region_a": np.array(found.regions, object),
            "region_b": np.array(prepared.regions, object),
        },
        attrs={
            "distance": settings["distance"],
            "distance_a": found.distance,
            "comparison": settings["comparison"],
            "normalise_a": found.normalise,
            "normalise_b": settings["normalise"],
            "by": settings["by"],
            "nan": settings["nan"],
            "n_stimuli": len(prepared.stimulus_ids) - len(lost),
            "dropped": json.dumps(both if any(both.values()) else {}, default=str),
            "undefined": json.dumps(found.reasons),
            "path": found.path,
            "backend": prepared.backend.version,
            "neurosage": __version__,
        },
        name="similarity",
    )


def similarity(
    a: Source,
    b: Source,
    distance: str | None = None,
    comparison: str = "pearson",
    *,
    normalise: tuple[str | None, str | None] = NORMALISE,
    backend: str | Backend = "torch",
    nan: str = "raise",
    by: str = "stimulus_id",
    undefined: str = "raise",
) -> xr.DataArray:
    """Compare the RDMs of two recordings, region by region.

    Parameters
    ----------
    a, b : Teacher or xarray.DataArray
        Assemblies (dims ``presentation × neuroid``) or RDMs (from `rdms`) of the same
        stimuli; aligned by ``stimulus_id``, in the order of `b`.
    distance : {"correlation", "euclidean", "cosine", "crossnobis"}
        Between patterns, as in `rdms`; if omitted that of the RDMs, where a side is such, else
        ``correlation``. With ``crossnobis``, which `b` needs repetitions for, an `a` without
        has ``euclidean`` distance (``distance_a``): what crossnobis estimates.
    comparison : {"pearson", "spearman", "cosine"}
        Between RDMs, over their upper triangles.
    normalise : tuple of two str or None
        How to bring the neuroids of `a` and `b` to one scale; None means a teacher's own,
        and for an assembly none.
    backend : str or Backend
        What computes. ``torch`` never forms an RDM where that is cheaper (``path``).
    nan : {"raise", "drop-stimulus", "drop-neuroid"}
        What to do about missing responses; a stimulus dropped on one side is on both.
    by : str
        Coordinate on presentation whose values are the stimuli of the RDM; patterns of a
        category are averaged first.
    undefined : {"raise", "nan"}
        What becomes of a region of `a` that has no RDM, as in `similarity_to`.

    Returns
    -------
    xarray.DataArray
        Dims ``region_a × region_b`` (a network's layers are its regions), in [-1, 1];
        attributes: distance, distance_a, comparison,
        normalise_a, normalise_b, by, nan, n_stimuli, dropped and undefined (JSON), path,
        backend, neurosage (version).

    Raises
    ------
    InputError
        If the stimuli differ (with counts and first ids), an argument is unknown, responses
        are missing, or a neuroid or pattern is constant where that leaves no distance.

    References
    ----------
    Kriegeskorte, Mur, Bandettini 2008, "Representational similarity analysis".

    Examples
    --------
    >>> import numpy as np
    >>> from neurosage.data.assembly import assembly
    >>> rng = np.random.default_rng(0)
    >>> ids = [f"img{i}" for i in range(20)]
    >>> v4 = assembly(rng.normal(size=(20, 8)), stimulus_id=ids, region="V4")
    >>> similarity(v4, v4[::-1]).values.round(6)
    array([[1.]])
    """
    engine = get_backend(backend)
    own_a, own_b = one_a_side(normalise)
    distance = own_distance(distance, b, a)
    settings = {"distance": distance, "comparison": comparison, "nan": nan, "by": by}
    check_comparable(engine, distance, comparison)
    _check_given(a, b, by, (own_a, own_b))
    if holds_rdms_only(a) and not holds_rdms_only(b):
        b = rdms(b, distance, by, own_b, backend=engine, nan=nan)
    without: list[Any] = []
    if nan == "drop-stimulus" and not holds_rdms_only(a) and not holds_rdms_only(b):
        own_normalisation(a, own_a)
        without = list(dict.fromkeys(incomplete_stimuli(a) + incomplete_stimuli(b)))
    return similarity_to(prepare_without(b, settings, own_b, engine, without), a, own_a, undefined)


def _check_given(a: Source, b: Source, by: str, normalise: tuple[str | None, str | None]) -> None:
    """Refuse what is asked of RDMs; categories may be the other side's, if it has responses."""
    both = holds_rdms_only(a) and holds_rdms_only(b)
    for source, own in zip((a, b), normalise, strict=True):
        given, holder = given_rdms(source)
        if given is not None:
            wanted = by if both or "by" in given.attrs else "stimulus_id"
            check_asked(given, holder, by=wanted, normalise=own)
