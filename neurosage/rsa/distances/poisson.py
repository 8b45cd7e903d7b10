"""Poisson distances: the symmetrised divergence of firing rates, and its cross-validated form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.distances.crossnobis import (
    check_complete_folds,
    distances,
    repeated_presentations,
    stimulus_of,
)
from neurosage.rsa.distances.own_distances import POISSON, POISSON_CV
from neurosage.rsa.distances.presentations import Presentations
from neurosage.rsa.responses.missing import first_names
from neurosage.rsa.responses.patterns import Patterns, Source, own_normalisation


@dataclass(frozen=True)
class Prior:
    """What rates are drawn towards, so that a neuroid that stayed silent has a logarithm.

    Parameters
    ----------
    rate : float
        The prior's rate, in the responses' unit; 0 or more. rsatoolbox's ``prior_lambda``.
    weight : float
        Its weight, that of the response being 1; 0 or more. rsatoolbox's ``prior_weight``.

    Raises
    ------
    InputError
        If one is below 0 or not finite.

    Examples
    --------
    >>> Prior().rates(np.array([0.0, 1.0])).round(4)
    array([0.0909, 1.    ])
    """

    rate: float = 1.0
    weight: float = 0.1

    def __post_init__(self) -> None:
        """Check both."""
        for name, value in (("prior_lambda", self.rate), ("prior_weight", self.weight)):
            if not np.isfinite(value) or value < 0:
                raise InputError(f"{name} is a number of 0 or more, not {value!r}.")

    def rates(self, responses: Any) -> Floats:
        """Return ``(x + λ w) / (1 + w)``."""
        drawn: Floats = (responses + self.rate * self.weight) / (1.0 + self.weight)
        return drawn


DEFAULT_PRIOR = Prior()


def check_rates(source: Source, normalise: str | None, distance: str) -> None:
    """Refuse normalised responses, which are no rates.

    Raises
    ------
    InputError
        If neuroids are to be normalised, by the caller or the teacher's card.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> check_rates(assembly([[1.0]], stimulus_id=["cat"], region="V4"), None, "poisson")
    """
    method = own_normalisation(source, normalise)
    if method != "none":
        whose = "the teacher's own " if normalise is None else ""
        raise InputError(
            f"{distance} distance is of rates as recorded, and {whose}normalise={method!r} makes "
            "them something else; give normalise='none' (in similarity: "
            "normalise=('none', 'none')), or use another distance."
        )


def not_rates(values: Any, neuroids: Any, distance: str, prior: Prior = DEFAULT_PRIOR) -> str:
    """Say which neuroids' responses are no rates, or nothing.

    Parameters
    ----------
    values : array, shape (rows, p)
        Responses; NaN is passed over.
    neuroids : array of object, shape (p,)
        Their names.
    distance : str
        For the message.
    prior : Prior
        Without one, silence has no logarithm either.

    Returns
    -------
    str
        Empty if all are; else how many neuroids are below 0, and the first of them.

    Examples
    --------
    >>> not_rates(np.array([[1.0, 2.0]]), np.array(["a", "b"]), "poisson")
    ''
    """
    below = (values < 0).any(0)
    if below.any():
        return (
            f"responses of {below.sum()} of {len(below)} neuroids are below 0 (first: "
            f"{first_names(neuroids[below])}, lowest {np.nanmin(values):.3g}), and {distance} "
            "distance is of rates; use distance='euclidean', or give rates without their baseline "
            "taken off, of a network a layer after its ReLU."
        )
    silent = (values == 0).any(0)
    if silent.any() and prior.rate * prior.weight == 0:
        return (
            f"responses of {silent.sum()} of {len(silent)} neuroids are 0 (first: "
            f"{first_names(neuroids[silent])}), which has no logarithm without a prior; give "
            "prior_lambda and prior_weight above 0."
        )
    return ""


def poisson_square(rates: Any, prior: Prior = DEFAULT_PRIOR) -> Floats:
    """Return the symmetrised Kullback-Leibler divergences of Poisson rates.

    ``D_ij = Σ (m_i - m_j)(log m_i - log m_j) / p``, m the rates drawn towards the prior.

    Parameters
    ----------
    rates : array, shape (n, p)
        0 or more.
    prior : Prior
        1 with the weight of a tenth response, as in rsatoolbox.

    Returns
    -------
    array of float64, shape (n, n)
        0 or more; in the responses' unit.

    References
    ----------
    Schütt et al. 2023, "Statistical inference on representational geometries".

    Examples
    --------
    >>> poisson_square(np.array([[1.0], [np.e]]), Prior(weight=0.0)).round(4)
    array([[0.    , 1.7183],
           [1.7183, 0.    ]])
    """
    means = prior.rates(np.asarray(rates, np.float64))
    logs = np.log(means)
    # Neither's mean matters to a distance; without them the product keeps its digits.
    products = (means - means.mean(0)) @ (logs - logs.mean(0)).T
    return np.maximum(distances(products, means.shape[1]), 0.0)


def poisson_cv_squares(
    source: Source,
    *,
    by: str = "stimulus_id",
    normalise: str | None = None,
    nan: str = "raise",
    prior: Prior = DEFAULT_PRIOR,
) -> tuple[Patterns, Floats]:
    """Compute the cross-validated Poisson RDM of each region.

    As `poisson_square`, with m from some repetitions and log m from the one left out, averaged
    over all that can be left out. Repetitions of different stimuli are independent, unless a
    coordinate ``fold`` on presentation says which share noise, as in `crossnobis_squares`.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Assembly of rates with single repetitions, two or more of every stimulus.
    by : {"stimulus_id"}
        Categories have no such form: the logarithm is of a stimulus' own rate.
    normalise : {"none"}, optional
        Rates are taken as recorded.
    nan : {"raise", "drop-stimulus", "drop-neuroid"}
        What to do about missing responses, as in `crossnobis_squares`.
    prior : Prior
        Of rates, on either side.

    Returns
    -------
    tuple of (Patterns; array of float64, shape (regions, n, n))
        What names the rows, and the RDMs; below 0 where noise says so.

    Raises
    ------
    InputError
        If a stimulus was answered once, a response is below 0, or as `rdms`.

    References
    ----------
    Schütt et al. 2023, "Statistical inference on representational geometries". rsatoolbox
    0.3.2 returns its last fold only.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [1.0], [np.e], [np.e]], stimulus_id=["a", "a", "b", "b"],
    ...              region="V4")
    >>> poisson_cv_squares(a, prior=Prior(weight=0.0))[1][0].round(4)
    array([[0.    , 1.7183],
           [1.7183, 0.    ]])
    """
    check_rates(source, normalise, POISSON_CV)
    if by != "stimulus_id":
        raise InputError(
            f"{POISSON_CV} distance is of single stimuli, not by={by!r}; leave by out, or use "
            f"distance={POISSON!r}."
        )
    repeated, found = repeated_presentations(source, "none", nan, POISSON_CV)
    patterns, squares = repeated.patterns, []
    for region, each in found.items():
        neuroids = patterns.neuroid_ids[patterns.columns[region]]
        if reason := not_rates(each.values, neuroids, POISSON_CV, prior):
            raise InputError(f"region {region!r}: {reason}")
        products = _across_folds if each.fold is not None else _across_repetitions
        squares.append(distances(products(each, prior), each.values.shape[1]))
    return patterns, np.stack(squares)


def _across_repetitions(found: Presentations, prior: Prior) -> Floats:
    """Return products of mean rates with mean logarithms, own ones of different repetitions."""
    present = ~np.isnan(found.values)
    rates = prior.rates(found.values)
    counts = found.counts
    # About a rate that no distance depends on, so that the products keep their digits.
    centred = np.where(present, rates - np.nanmean(rates, 0), 0.0)
    logs = np.where(present, np.log(rates), 0.0)
    sums = np.add.reduceat(centred, found.starts, axis=0)
    log_sums = np.add.reduceat(logs, found.starts, axis=0)
    same = np.add.reduceat(centred * logs, found.starts, axis=0)
    products = np.asarray((sums / counts) @ (log_sums / counts).T)
    own = (sums * log_sums - same) / (counts * (counts - 1))
    np.fill_diagonal(products, own.sum(1))
    return products


def _across_folds(found: Presentations, prior: Prior) -> Floats:
    """Return products of rates outside each fold with logarithms within it, their mean."""
    check_complete_folds(found)
    n, p = len(found.starts), found.values.shape[1]
    stimulus = stimulus_of(found)
    sums = np.add.reduceat(found.values, found.starts, axis=0)
    counts = np.bincount(stimulus, minlength=n)
    products, folds = np.zeros((n, n)), np.zeros(n)
    centre = prior.rates(found.values).mean(0)
    for label in np.unique(found.fold):
        rows = np.flatnonzero(found.fold == label)
        own, times = np.zeros((n, p)), np.bincount(stimulus[rows], minlength=n)
        np.add.at(own, stimulus[rows], found.values[rows])
        held = times > 0
        outside = prior.rates((sums - own) / np.maximum(counts - times, 1)[:, None]) - centre
        logs = np.log(prior.rates(own[held] / times[held, None]))
        products[:, held] += outside @ logs.T
        folds += held
    return np.asarray(products / folds)
