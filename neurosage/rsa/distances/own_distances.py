"""Distances that no backend makes, and which of them a side without repetitions can have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurosage.data.assembly import region_names
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError, unknown
from neurosage.rsa.arguments import check_recording
from neurosage.rsa.backends.base import Backend
from neurosage.rsa.distances.noise_precision import MAHALANOBIS, Precision
from neurosage.rsa.responses.patterns import Source

CROSSNOBIS, POISSON, POISSON_CV = "crossnobis", "poisson", "poisson_cv"
RDM_DISTANCES = (CROSSNOBIS, POISSON, POISSON_CV)  # formed here as RDMs
WHITENED = {MAHALANOBIS: "euclidean"}  # the backend's, of whitened patterns
# What each estimates where there is no noise to take out, or to measure.
WITHOUT_REPETITIONS = {CROSSNOBIS: "euclidean", MAHALANOBIS: "euclidean", POISSON_CV: POISSON}


def check_distance(backend: Backend, distance: str) -> None:
    """Refuse a distance that is neither the backend's nor made here.

    Parameters
    ----------
    backend : Backend
        What is to compute.
    distance : str
        Asked for.

    Raises
    ------
    InputError
        With the choices.

    Examples
    --------
    >>> from neurosage.rsa.backends.base import get_backend
    >>> check_distance(get_backend("torch"), "mahalanobis")
    """
    made = (*RDM_DISTANCES, *(k for k, v in WHITENED.items() if v in backend.distances))
    if distance not in (*backend.distances, *made):
        hint = f"(Those of backend {backend.name!r} among them.)"
        raise unknown("distance", distance, (*backend.distances, *made), hint)


def backend_distance(distance: str) -> str:
    """Return the distance that the backend computes: ``euclidean`` of whitened patterns.

    Examples
    --------
    >>> backend_distance("mahalanobis"), backend_distance("cosine")
    ('euclidean', 'cosine')
    """
    return WHITENED.get(distance, distance)


def side_distance(source: Source, distance: str, precision: Precision = None) -> str:
    """Return the distance of the first side of a comparison.

    ``crossnobis`` and ``poisson_cv`` take the noise out of ``euclidean`` and ``poisson``
    distances, ``mahalanobis`` weighs neuroids by it; what has no repetitions, such as a
    network, has none, and the plain distance.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses, or RDMs of whatever distance they are.
    distance : str
        Asked for.
    precision : str, mapping or None
        As in `rdms`; with one that is given, ``mahalanobis`` needs no repetitions.

    Returns
    -------
    str
        The same, or the plain one.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [3.0]], stimulus_id=["a", "b"], region="layer1")
    >>> side_distance(a, "crossnobis"), side_distance(a, "cosine")
    ('euclidean', 'cosine')
    """
    check_recording(source)
    if distance not in WITHOUT_REPETITIONS:
        return distance
    plain = WITHOUT_REPETITIONS[distance]
    held: Any = source
    if isinstance(source, Teacher):
        held = source.stored_rdms if source.assembly is None else source.assembly
    if "stimulus_i" in held.dims:
        return plain if held.attrs.get("distance") == plain else distance
    if distance == MAHALANOBIS and isinstance(side_precision(held, precision), Mapping):
        return distance
    ids = held["stimulus_id"].values
    return distance if len(set(ids)) < len(ids) else plain


def check_order(a: Source, b: Source, distance: str, precision: Precision = None) -> None:
    """Refuse sides that look swapped: only the first may be without repetitions.

    Parameters
    ----------
    a, b : Teacher or xarray.DataArray
        Both sides of a comparison.
    distance : str
        Asked for.
    precision : str, mapping or None
        As in `rdms`.

    Raises
    ------
    InputError
        If `b` lacks the repetitions that `a` has.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [3.0]], stimulus_id=["a", "b"], region="layer1")
    >>> check_order(a, a, "crossnobis")
    """
    check_recording(a, b)
    if distance not in WITHOUT_REPETITIONS:
        return
    held = b.assembly if isinstance(b, Teacher) else b
    if held is None or "stimulus_i" in held.dims or "stimulus_id" not in held.coords:
        return
    of_a, of_b = (side_distance(side, distance, precision) for side in (a, b))
    if of_a == distance != of_b:
        raise InputError(
            f"{distance} needs repetitions of b, the second side, which has none, and the first "
            f"has; put the side without noise first: similarity(network, recording, {distance!r}); "
            "or give the single repetitions of b."
        )


def side_precision(source: Source, precision: Precision) -> Precision:
    """Return the precision of the first side: none of its own where only the other's is given.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        That side.
    precision : str, mapping or None
        Asked for; matrices may be those of the other side's regions alone.

    Returns
    -------
    str, mapping or None
        The same, or None, the distance's own.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [3.0]], stimulus_id=["a", "b"], region="layer1")
    >>> side_precision(a, {"V4": [[1.0]]}) is None
    True
    """
    if not isinstance(precision, Mapping):
        return precision
    held: Any = source.assembly if isinstance(source, Teacher) else source
    if held is None or "stimulus_i" in held.dims:
        return None
    return precision if set(precision) & set(region_names(held)) else None
