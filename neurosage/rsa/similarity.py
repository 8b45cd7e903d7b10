"""Assemblies or RDMs → similarities."""

from __future__ import annotations

from typing import Any

import xarray as xr

from neurosage.errors import InputError, unknown
from neurosage.rsa.arguments import check_recording
from neurosage.rsa.backends.base import Backend, get_backend
from neurosage.rsa.between_rdms import check_given, holds_rdms_only
from neurosage.rsa.comparing import compare_with, labelled
from neurosage.rsa.distances.noise_precision import Precision
from neurosage.rsa.distances.own_distances import check_order
from neurosage.rsa.given import one_a_side
from neurosage.rsa.prepared import Prepared, check_comparable, prepare, prepare_without
from neurosage.rsa.rdm import rdms
from neurosage.rsa.responses.categories import check_categories
from neurosage.rsa.responses.patterns import (
    Source,
    incomplete_stimuli,
    own_normalisation,
    responses_of,
)
from neurosage.rsa.without_rdms import check_responses, distance_for

__all__ = ["Prepared", "prepare", "similarity", "similarity_to"]

NORMALISE = (None, None)


def similarity_to(
    prepared: Prepared,
    assembly: Source,
    normalise: str | None = "none",
    undefined: str = "raise",
) -> xr.DataArray:
    """Compare an assembly with a prepared teacher.

    Responses are read by blocks of stimuli where they are large, or lie on disk (dask-backed),
    so memory is bounded by what products take, not by the responses.

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
    check_recording(assembly)
    check_responses(prepared.settings["comparison"], assembly)
    found = compare_with(prepared, assembly, normalise)
    if found.reasons and undefined == "raise":
        region, reason = next(iter(found.reasons.items()))
        others = [name for name in found.reasons if name != region]
        more = f" Likewise without similarity: {others[:5]}." if others else ""
        raise InputError(f"region {region!r}: {reason}{more}")
    return labelled(found, prepared)


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
    precision: Precision = None,
    undefined: str = "raise",
) -> xr.DataArray:
    """Compare the RDMs of two recordings, region by region.

    Parameters
    ----------
    a, b : Teacher or xarray.DataArray
        Assemblies (dims ``presentation × neuroid``) or RDMs (from `rdms`) of the same
        stimuli; aligned by ``stimulus_id``, in the order of `b`.
    distance : {"correlation", "euclidean", "cosine", "mahalanobis", "crossnobis", "poisson", \
"poisson_cv"}
        Between patterns, as in `rdms`; if omitted that of the RDMs, where a side is such, else
        ``correlation``. With ``crossnobis`` and ``mahalanobis``, which `b` needs repetitions
        for, an `a` without has ``euclidean`` distance (``distance_a``), with ``poisson_cv``
        ``poisson``.
    comparison : {"pearson", "spearman", "cosine", "kendall", "tau-a", "rho-a", "corr_cov", \
"cosine_cov", "cka", "cka_unbiased", "svcca", "procrustes"}
        Between RDMs, over their upper triangles: ``kendall`` is tau-b, ``corr_cov`` and
        ``cosine_cov`` are whitened, ``cka`` is linear and equals ``cosine_cov``. ``svcca`` and
        ``procrustes`` compare the patterns themselves, and have no distance.
    normalise : tuple of two str or None
        How to bring the neuroids of `a` and `b` to one scale; None means a teacher's own,
        and for an assembly none.
    backend : str or Backend
        What computes. ``torch`` never forms an RDM where that is cheaper (``path``).
    nan : {"raise", "drop-stimulus", "drop-neuroid", "pairwise"}
        What to do about missing responses; a stimulus dropped on one side is on both.
        ``pairwise`` forms RDMs, each distance over the neuroids that answered both stimuli.
    by : str
        Coordinate on presentation whose values are the stimuli of the RDM; patterns of a
        category are averaged first.
    precision : str or mapping of str to array, optional
        Of the noise, for ``mahalanobis`` and ``crossnobis``, as in `rdms`. Matrices of the
        regions of `b`; those of `a` may stand beside them, else `a` has its own.
    undefined : {"raise", "nan"}
        What becomes of a region of `a` that has no RDM, as in `similarity_to`.

    Returns
    -------
    xarray.DataArray
        Dims ``region_a × region_b`` (a network's layers are its regions), in [-1, 1];
        attributes: distance, distance_a, comparison, normalise_a, normalise_b, by, nan,
        n_stimuli, dropped and undefined (JSON), path (``factored``, ``pairwise``, ``sampled``,
        ``rdms`` or ``patterns``), backend, neurosage (version). Where pairs of stimuli were
        sampled, coordinate ``standard_error`` and attribute ``pairs``, their number.

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
    check_recording(a, b)
    engine = get_backend(backend)
    own_a, own_b = one_a_side(normalise)
    distance = distance_for(comparison, distance, b, a)
    settings = {"distance": distance, "comparison": comparison, "nan": nan, "by": by}
    check_comparable(engine, distance, comparison)
    check_responses(comparison, a, b)
    check_given(a, b, by, (own_a, own_b))
    check_categories(by, *((s, None if holds_rdms_only(s) else responses_of(s)) for s in (a, b)))
    check_order(a, b, distance, precision)
    if holds_rdms_only(a) and not holds_rdms_only(b):
        b = rdms(b, distance, by, own_b, backend=engine, nan=nan, precision=precision)
    without: list[Any] = []
    if nan == "drop-stimulus" and not holds_rdms_only(a) and not holds_rdms_only(b):
        own_normalisation(a, own_a)
        without = list(dict.fromkeys(incomplete_stimuli(a) + incomplete_stimuli(b)))
    prepared = prepare_without(b, settings, own_b, engine, without, precision=precision)
    return similarity_to(prepared, a, own_a, undefined)
