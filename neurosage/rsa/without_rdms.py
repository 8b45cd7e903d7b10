"""Comparisons that need no RDM, and the distance that goes with each comparison."""

from __future__ import annotations

from typing import Any

from neurosage.errors import InputError
from neurosage.rsa.given import given_rdms, own_distance

REPRESENTATIONS = ("svcca", "procrustes")
ALIGNMENTS = ("cka", "cka_unbiased")
NO_DISTANCE = "none"


def distance_for(comparison: str, distance: str | None, *sources: Any) -> str:
    """Return the distance asked for, or the one that a comparison has of its own.

    Parameters
    ----------
    comparison : str
        Such as ``"pearson"``. ``svcca`` and ``procrustes`` have no distance; ``cka`` and
        ``cka_unbiased`` mean squared euclidean, unless told otherwise.
    distance : str or None
        Asked for.
    *sources : Teacher or xarray.DataArray
        The sides; the distance of RDMs that are given is theirs.

    Returns
    -------
    str
        A distance, or ``"none"``.

    Raises
    ------
    InputError
        If the RDMs given are of different distances.

    Examples
    --------
    >>> distance_for("svcca", None), distance_for("cka", None), distance_for("pearson", None)
    ('none', 'euclidean', 'correlation')
    """
    if distance is None and comparison in REPRESENTATIONS:
        return NO_DISTANCE
    if distance is None and comparison in ALIGNMENTS and not _rdms_among(sources):
        return "euclidean"
    return own_distance(distance, *sources)


def check_without_distance(comparison: str, distance: str) -> None:
    """Refuse a distance for a comparison that has none.

    Raises
    ------
    InputError
        If it is not ``"none"``.

    Examples
    --------
    >>> check_without_distance("svcca", "none")
    """
    if distance != NO_DISTANCE:
        raise InputError(
            f"comparison={comparison!r} compares patterns, not RDMs, so distance={distance!r} has "
            "no meaning; leave distance out, or give distance='none'."
        )


def check_responses(comparison: str, *sources: Any) -> None:
    """Refuse RDMs where a comparison needs the responses themselves.

    Parameters
    ----------
    comparison : str
        Asked for.
    *sources : Teacher or xarray.DataArray
        The sides.

    Raises
    ------
    InputError
        If one of them is, or holds, only RDMs.
    """
    if comparison in REPRESENTATIONS and _rdms_among(sources):
        raise InputError(
            f"comparison={comparison!r} compares responses, but one side holds only RDMs; give "
            "its responses, or a comparison of RDMs such as 'pearson'."
        )


def why_undefined(comparison: str) -> str:
    """Return the reason that a region has no similarity though its patterns are sound."""
    what = "patterns" if comparison in REPRESENTATIONS else "distances"
    return f"its {what} or the other side's do not vary, so the similarity is undefined."


def _rdms_among(sources: tuple[Any, ...]) -> bool:
    return any(given_rdms(source)[0] is not None for source in sources)
