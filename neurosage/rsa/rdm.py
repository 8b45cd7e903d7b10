"""Teachers and assemblies → RDMs."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Backend, Floats, get_backend
from neurosage.rsa.distances.noise_precision import Precision
from neurosage.rsa.distances.own_distances import check_distance
from neurosage.rsa.distances.poisson import Prior
from neurosage.rsa.distances.rdm_making import Asked, make_rdms
from neurosage.rsa.given import check_rdms, is_rdms, own_distance, stored
from neurosage.rsa.responses.patterns import Source

__all__ = ["check_distance", "check_rdms", "condensed_rdms", "is_rdms", "rdms", "usable_rdms"]


def rdms(
    teacher_or_assembly: Source,
    distance: str | None = None,
    by: str = "stimulus_id",
    normalise: str | None = None,
    *,
    backend: str | Backend = "torch",
    nan: str = "raise",
    precision: Precision = None,
    prior_lambda: float = 1.0,
    prior_weight: float = 0.1,
) -> xr.DataArray:
    """Compute the RDM of each region.

    Parameters
    ----------
    teacher_or_assembly : Teacher or xarray.DataArray
        Responses, dims ``presentation × neuroid``; repetitions are averaged. RDMs, or a
        teacher that holds nothing else, are returned as they are, those of several
        subjects averaged over them.
    distance : {"correlation", "euclidean", "cosine", "mahalanobis", "crossnobis", "poisson", \
"poisson_cv"}
        That of the RDMs, where such are given, or ``correlation``, if omitted.
        ``correlation`` is 1 - Pearson over neuroids, in [0, 2]; ``euclidean`` is squared and
        divided by the number of neuroids; ``cosine`` is 1 - cosine; ``mahalanobis`` is
        ``euclidean`` of neuroids weighed by the precision of their noise; ``crossnobis`` is
        that from products of different repetitions, so that noise adds nothing: it
        needs two of every stimulus, and may be below 0. ``poisson`` is the symmetrised
        divergence of rates, divided by the number of neuroids; ``poisson_cv`` is that from
        different repetitions.
    by : str
        Coordinate on presentation whose values are the stimuli of the RDM; patterns of a
        category are averaged before the distance.
    normalise : {"none", "centre", "zscore", "noise"}, optional
        How to bring neuroids to one scale first; the teacher's own if omitted, none for an
        assembly.
    backend : str or Backend
        What computes.
    nan : {"raise", "drop-stimulus", "drop-neuroid", "pairwise"}
        What to do about missing responses. ``pairwise`` takes each distance over the neuroids
        that answered both stimuli (``correlation``, ``euclidean``, ``cosine``).
    precision : {"none", "diagonal", "shrinkage"} or mapping of str to array, optional
        Of the noise, from residuals within stimulus, or given: by region, shape (p, p),
        symmetric positive definite, for neuroids as normalised. If omitted ``shrinkage`` for
        ``mahalanobis``, ``none`` for ``crossnobis``. Where presentations share noise (those
        of a run), a coordinate ``fold`` on presentation says which do: then ``crossnobis``
        and ``poisson_cv`` multiply only responses of different folds.
    prior_lambda, prior_weight : float
        Of the Poisson distances: what rates are drawn towards, in the responses' unit, and
        its weight, that of a response being 1.

    Returns
    -------
    xarray.DataArray
        Dims ``region × stimulus_i × stimulus_j``, symmetric, zero diagonal, float64, with
        coordinates ``region``, ``neuroids`` (how many), ``stimulus_id_i``,
        ``stimulus_id_j``; attributes say how it was made.

    Raises
    ------
    InputError
        If an argument is unknown, responses are missing, or a neuroid or pattern is constant
        where that leaves no distance; region, stimuli and neuroids are named. If RDMs are
        given, and `by`, `normalise` or `precision` ask for what only responses could give.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[0.0, 1.0], [1.0, 0.0], [0.0, 3.0]], stimulus_id=["a", "b", "c"],
    ...              region="V4")
    >>> rdms(a, distance="euclidean").values[0, 0].round(6)
    array([0., 1., 2.])
    """
    given = stored(teacher_or_assembly, distance, by, normalise, precision)
    if given is not None:
        return given
    prior = Prior(prior_lambda, prior_weight)
    asked = Asked(
        own_distance(distance), by, normalise, get_backend(backend), nan, precision, prior
    )
    made, reasons = make_rdms(teacher_or_assembly, asked)
    for region, reason in reasons.items():
        raise InputError(f"region {region!r}: {reason}")
    return made


def usable_rdms(
    source: Source,
    distance: str | None = None,
    by: str = "stimulus_id",
    normalise: str | None = None,
    *,
    backend: str | Backend = "torch",
    nan: str = "raise",
    precision: Precision = None,
) -> tuple[xr.DataArray, dict[str, str]]:
    """Compute the RDMs of those regions that have one.

    Parameters
    ----------
    source, distance, by, normalise, backend, nan, precision
        As in `rdms`.

    Returns
    -------
    tuple of (xarray.DataArray; dict of str to str)
        The RDMs, without the regions that have none, and why these have none.

    Raises
    ------
    InputError
        As `rdms`, but for what is wrong with single regions. What repetitions are needed for
        is needed of all regions.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [0.0, 3.0, 2.0]],
    ...              stimulus_id=["a", "b", "c"], region=["V4", "V4", "IT"])
    >>> made, reasons = usable_rdms(a)
    >>> list(made.region.values), list(reasons)
    (['V4'], ['IT'])
    """
    given = stored(source, distance, by, normalise, precision)
    if given is not None:
        return given, {}
    asked = Asked(own_distance(distance), by, normalise, get_backend(backend), nan, precision)
    return make_rdms(source, asked)


def condensed_rdms(value: xr.DataArray, order: Any = None) -> Floats:
    """Return the upper triangles of RDMs, shape (regions, n (n - 1) / 2).

    Parameters
    ----------
    value : xarray.DataArray
        From `rdms`.
    order : array of int, shape (n,), optional
        Which stimuli, in which order.

    Returns
    -------
    array of float64
        One row a region.
    """
    order = np.arange(value.sizes["stimulus_i"]) if order is None else np.asarray(order)
    rows, columns = np.triu_indices(len(order), 1)
    upper: Floats = value.values[:, order[rows], order[columns]].astype(np.float64)
    return upper
