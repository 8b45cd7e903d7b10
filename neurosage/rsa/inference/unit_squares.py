"""RDMs as unit squares: the similarity of two is the sum of the products of their entries."""

from __future__ import annotations

import numpy as np

from neurosage.errors import unknown
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.reliability.rdm_estimate import ranked

ROUNDING = 1e-12  # of an RDM's own size: what varies by no more does not vary
OVER_PAIRS = ("pearson", "spearman", "cosine", "rho-a")
OVER_PRODUCTS = ("corr_cov", "cosine_cov", "cka", "cka_unbiased")
COMPARISONS = (*OVER_PAIRS, *OVER_PRODUCTS)


def check_dot(comparison: str) -> None:
    """Refuse a comparison that is no dot product of two RDMs.

    Raises
    ------
    InputError
        With the choices.
    """
    if comparison not in COMPARISONS:
        hint = "(Only what is a dot product of two RDMs can be permuted fast.)"
        raise unknown("comparison under permutation", comparison, COMPARISONS, hint)


def unit_square(square: Floats, comparison: str) -> Floats:
    """Return the matrix whose dot product with another's is the similarity.

    Reordering the stimuli of an RDM reorders rows and columns of its matrix, nothing else: so
    a permuted similarity needs no RDM again.

    Parameters
    ----------
    square : array of float64, shape (n, n)
        An RDM, symmetric; its diagonal is not looked at.
    comparison : {"pearson", "spearman", "cosine", "rho-a", "corr_cov", "cosine_cov", "cka", \
"cka_unbiased"}
        With ``cka`` and ``cosine_cov`` (the same), distances centred over rows and columns;
        ``corr_cov`` takes out what is common to all pairs; ``cka_unbiased`` leaves the
        diagonal out of its centring and needs 4 stimuli.

    Returns
    -------
    array of float64, shape (n, n)
        Symmetric; all NaN where the RDM does not vary.

    Raises
    ------
    InputError
        If the comparison is no dot product.

    References
    ----------
    Diedrichsen et al. 2020, "Comparing representational geometries using whitened unbiased
    RDMs"; Song et al. 2012, "Feature selection via dependence maximization" (the unbiased form).

    Examples
    --------
    >>> x = unit_square(np.array([[0.0, 1, 2], [1, 0, 4], [2, 4, 0]]), "pearson")
    >>> y = unit_square(np.array([[0.0, 3, 5], [3, 0, 9], [5, 9, 0]]), "pearson")
    >>> round(float((x * y).sum()), 6)
    1.0
    """
    check_dot(comparison)
    distances = np.array(square, np.float64)
    np.fill_diagonal(distances, 0.0)
    if comparison in OVER_PAIRS:
        return _over_pairs(distances, comparison)
    size = float(np.sqrt(np.square(distances).sum()))
    centred = _u_centred(distances) if comparison == "cka_unbiased" else _centred(distances)
    if comparison == "corr_cov":
        n = len(centred)
        # What H has of it: the part that is the same for all pairs of different stimuli.
        share = np.trace(centred) / (n - 1)
        centred += share / n
        np.fill_diagonal(centred, centred.diagonal() - share)
    return _unit(centred, size)


def _over_pairs(distances: Floats, comparison: str) -> Floats:
    n = len(distances)
    pairs = n * (n - 1) // 2
    of_ranks = comparison in ("spearman", "rho-a")
    values = ranked(distances, "spearman") if of_ranks else distances
    size = float(np.sqrt(np.square(values).sum()))
    if comparison != "cosine":
        values = values - values.sum() / (2 * pairs)
        np.fill_diagonal(values, 0.0)
    if comparison != "rho-a":
        return _unit(values, size)
    if np.square(values).sum() <= (ROUNDING * size) ** 2:
        return np.full_like(values, np.nan)
    scaled: Floats = values * np.sqrt(6.0 / (float(pairs) ** 3 - pairs))
    return scaled


def _centred(distances: Floats) -> Floats:
    """Return products of patterns centred over stimuli, from their squared distances."""
    means = distances.mean(0)
    centred: Floats = -0.5 * (distances - means - means[:, None] + means.mean())
    return centred


def _u_centred(distances: Floats) -> Floats:
    n = len(distances)
    if n < 4:
        return np.full_like(distances, np.nan)
    sums = distances.sum(0) / (n - 2)
    centred: Floats = distances - sums - sums[:, None] + distances.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return centred


def _unit(values: Floats, size: float) -> Floats:
    length = float(np.sqrt(np.square(values).sum()))
    if not length > ROUNDING * size:
        return np.full_like(values, np.nan)
    values /= length
    return values
