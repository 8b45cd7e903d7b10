"""The contract of a backend: what turns patterns into RDMs and RDMs into similarities."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from neurosage import plugins
from neurosage.errors import InputError, unknown

Floats: TypeAlias = npt.NDArray[np.float64]
Patterns: TypeAlias = npt.NDArray[Any]

LEAST_STIMULI = {"cka_unbiased": 4, "svcca": 3, "procrustes": 3}  # those without RDMs too
GROUP = "neurosage.rsa_backends"


@dataclass(frozen=True)
class Compared:
    """What a comparison of two sides found.

    Parameters
    ----------
    values : array of float64, shape (Ka, Kb)
        Similarities; NaN where an RDM does not vary.
    path : str
        The ways taken, such as ``"factored"``, ``"pairwise"`` or ``"factored and pairwise"``.
    standard_error : array of float64, shape (Ka, Kb), optional
        Of taking a random sample of the pairs of stimuli; None where all were taken.
    pairs : int, optional
        How many pairs were sampled.
    warning : str
        What makes the values say less than they seem to; empty if nothing does.
    """

    values: Floats
    path: str
    standard_error: Floats | None = None
    pairs: int | None = None
    warning: str = ""


class Backend(Protocol):
    """Computes RDMs and their comparisons.

    Callers check first, so every method may rely on it: patterns are finite, have at
    least three stimuli (rows) and one neuroid (column), and each has the distance asked
    for (none is constant for ``correlation``, none is zero for ``cosine``); both sides
    have the same stimuli in the same order; `distance` and `comparison` are among
    those offered. Where an RDM does not vary, its similarity is NaN.
    """

    name: str
    distances: tuple[str, ...]
    comparisons: tuple[str, ...]

    @property
    def version(self) -> str:
        """What computes, for the provenance: package, version, device, precision."""

    def rdm(self, patterns: Patterns, distance: str) -> Floats:
        """Return the upper triangle of one RDM.

        Parameters
        ----------
        patterns : array, shape (n, p)
            One row a stimulus, one column a neuroid.
        distance : str
            One of `distances`; ``euclidean`` is squared and divided by p.

        Returns
        -------
        array of float64, shape (n (n - 1) / 2,)
            In the order of ``numpy.triu_indices(n, 1)``.
        """

    def prepare(self, patterns: Iterable[Patterns], distance: str, comparison: str) -> Any:
        """Return one side of a comparison, K pattern matrices, to be used many times."""

    def similarity(self, side_a: Any, side_b: Any, comparison: str) -> Compared:
        """Compare every RDM of one side with every one of the other.

        Parameters
        ----------
        side_a, side_b : object
            Prepared by this backend for the same distance and `comparison`.
        comparison : str
            One of `comparisons`.

        Returns
        -------
        Compared
            Similarities in [-1, 1], shape (Ka, Kb), and the way taken.
        """

    def compare(self, rdms_a: Floats, rdms_b: Floats, comparison: str) -> Floats:
        """Return the similarities of RDMs, shapes (Ka, m) and (Kb, m), as (Ka, Kb)."""


def get_backend(backend: str | Backend) -> Backend:
    """Return a backend by its registered name, or the given one as it is.

    Parameters
    ----------
    backend : str or Backend
        ``"torch"``, ``"rsatoolbox"``, a plugin's name, or an instance such as
        ``TorchBackend(dtype="float64")``.

    Returns
    -------
    Backend
        Ready to compute.

    Raises
    ------
    InputError
        If no backend has that name.

    Examples
    --------
    >>> get_backend("torch").distances
    ('correlation', 'euclidean', 'cosine')
    """
    if isinstance(backend, str):
        return cast(Backend, _registered(backend)())
    return backend


@functools.cache  # looking through what is installed takes longer than a small RDM
def _registered(name: str) -> Any:
    return plugins.load(GROUP, name, "backend")


def check_offers(backend: Backend, distance: str, comparison: str | None = None) -> None:
    """Refuse a distance or comparison that the backend does not offer.

    Parameters
    ----------
    backend : Backend
        What is to compute.
    distance : str
        Asked for.
    comparison : str, optional
        Asked for.

    Raises
    ------
    InputError
        If one of them is not offered; the choices are named.

    Examples
    --------
    >>> check_offers(get_backend("torch"), "correlation", "pearson")
    """
    if distance not in backend.distances:
        raise unknown("distance", distance, backend.distances, _offered(backend))
    if comparison is not None and comparison not in backend.comparisons:
        raise unknown("comparison", comparison, backend.comparisons, _offered(backend))


def _offered(backend: Backend) -> str:
    return f"(These are what backend {backend.name!r} offers.)"


def check_stimulus_count(count: int, comparison: str = "pearson") -> None:
    """Refuse fewer stimuli than can be compared.

    Raises
    ------
    InputError
        If there are fewer than three, or for ``cka_unbiased`` four.

    Examples
    --------
    >>> check_stimulus_count(3)
    """
    if count < LEAST_STIMULI.get(comparison, 0):
        raise InputError(
            f"{comparison} needs at least {LEAST_STIMULI[comparison]} stimuli, and far more to "
            f"mean anything, not {count}."
        )
    if count < 3:
        stimuli = "1 stimulus makes" if count == 1 else f"{count} stimuli make"
        distances = f"{count * (count - 1) // 2} distance{'s' if count < 2 else ''}"
        raise InputError(
            f"{stimuli} {distances}; comparing RDMs needs at least 3 stimuli, and far more to "
            "mean anything."
        )


def check_memory(needed: int, what: str, instead: str) -> None:
    """Refuse work that would not fit into the memory that is free now.

    Parameters
    ----------
    needed : int
        Bytes.
    what : str
        What needs them.
    instead : str
        What to do about it, as a sentence.

    Raises
    ------
    InputError
        If that is not free.

    Examples
    --------
    >>> check_memory(8_000, "the RDM of 45 stimuli", "Take fewer stimuli.")
    """
    import psutil

    available = psutil.virtual_memory().available
    if needed > available:
        raise InputError(
            f"{what} would take {needed / 1e9:.1f} GB, but {available / 1e9:.1f} GB are free. "
            f"{instead}"
        )
