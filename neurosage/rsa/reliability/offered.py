"""What RDM reliability and noise ceilings are estimated with, which is not all there is."""

from __future__ import annotations

from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import get_backend
from neurosage.rsa.distances.own_distances import RDM_DISTANCES, WHITENED
from neurosage.rsa.reliability.rdm_halves import DISTANCES

KINDS = ("trials", "sites")
COMPARISONS = ("pearson", "spearman", "cosine")


def check_kind(kind: str) -> None:
    """Refuse a kind of RDM reliability that does not exist.

    Raises
    ------
    InputError
        With the choices; subjects make a ceiling, but no reliability.

    Examples
    --------
    >>> check_kind("sites")
    """
    if kind == "subjects":
        raise InputError(
            "RDM reliability, and what is corrected by it, is of kind 'trials' or 'sites'; "
            "subjects make a ceiling alone: neurosage.noise_ceiling(recording, 'subjects')."
        )
    if kind not in KINDS:
        raise unknown("kind of RDM reliability", kind, KINDS)


def check_halves(distance: str) -> None:
    """Refuse a distance that halves of a recording do not have.

    Raises
    ------
    InputError
        With the choices, also where the distance exists.

    Examples
    --------
    >>> check_halves("crossnobis")
    """
    if distance in (*RDM_DISTANCES, *WHITENED) and distance not in DISTANCES:
        raise InputError(
            "RDM reliability, and noise ceilings over trials and sites, are estimated of distance "
            f"{', '.join(DISTANCES)} only, not of {distance!r}; choose one of these."
        )
    if distance not in DISTANCES:
        raise unknown("distance", distance, DISTANCES)


def check_form(comparison: str) -> None:
    """Refuse a comparison that reliability and ceilings are not estimated by.

    Raises
    ------
    InputError
        With the choices, also where the comparison exists.

    Examples
    --------
    >>> check_form("spearman")
    """
    if comparison in COMPARISONS:
        return
    if comparison in get_backend("torch").comparisons:
        raise InputError(
            "RDM reliability and noise ceilings are estimated by comparison "
            f"{', '.join(COMPARISONS)} only, not by {comparison!r}; choose one of these."
        )
    raise unknown("comparison", comparison, COMPARISONS)
