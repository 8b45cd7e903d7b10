"""The precision of noise over neuroids, from residuals within stimulus."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.missing import first_names
from neurosage.rsa.presentations import Presentations

PRECISIONS = ("none", "diagonal", "shrinkage")


def precision_root(
    found: Presentations, precision: str, region: str = "", neuroids: Any = None
) -> Floats:
    """Return L with ``L Lᵀ`` the precision: patterns times L have noise of one size.

    Parameters
    ----------
    found : Presentations
        Repeated responses.
    precision : {"diagonal", "shrinkage"}
        The inverse of the neuroids' own variances, or of their covariance shrunk towards
        these (Schäfer and Strimmer).
    region, neuroids : str; array of object
        Names, for a message.

    Returns
    -------
    array of float64, shape (p,) or (p, p)
        The diagonal alone where precision is diagonal.

    Raises
    ------
    InputError
        If a neuroid does not vary over repetitions, or single trials lack neuroids where
        their covariance is needed.
    """
    residuals, freedom = _residuals(found)
    variance = np.square(residuals).sum(0) / freedom
    flat = variance <= 0
    if flat.any():
        names = np.arange(len(flat)) if neuroids is None else neuroids
        raise InputError(
            f"region {region!r}: {flat.sum()} of {len(flat)} neuroids are constant over "
            f"repetitions (first: {first_names(names[flat])}), so precision={precision!r} does "
            "not exist; leave them out with select, or use precision='none'."
        )
    if precision == "diagonal":
        return np.asarray(1.0 / np.sqrt(variance))
    if np.isnan(found.values).any():
        raise InputError(
            f"region {region!r}: some presentations lack the response of single neuroids, so "
            "their covariance cannot be had; use precision='diagonal'."
        )
    covariance = shrunk_covariance(residuals, int(freedom.flat[0]))
    root: Floats = np.linalg.cholesky(np.linalg.inv(covariance))
    return root


def _residuals(found: Presentations) -> tuple[Floats, Any]:
    """Return responses less their stimulus' mean (0 where missing), and degrees of freedom."""
    counts = found.counts
    sizes = np.diff(np.append(found.starts, len(found.values)))
    means = np.add.reduceat(np.nan_to_num(found.values), found.starts, axis=0) / counts
    residuals = np.nan_to_num(found.values - np.repeat(means, sizes, axis=0))
    return residuals, (counts - 1).sum(0)


def shrunk_covariance(residuals: Floats, freedom: int) -> Floats:
    """Shrink a covariance towards its diagonal, by the share that its own noise calls for.

    ``λ = Σ_{i≠j} Var(r_ij) / Σ_{i≠j} r_ij²``, kept within [0, 1], with r the correlations.

    Parameters
    ----------
    residuals : array of float64, shape (N, p)
        With mean 0; every column varies.
    freedom : int
        Degrees of freedom: N less the means taken out.

    Returns
    -------
    array of float64, shape (p, p)
        Off the diagonal ``(1 - λ)`` times the sample covariance.

    References
    ----------
    Schäfer and Strimmer 2005, "A shrinkage approach to large-scale covariance matrix
    estimation and implications for functional genomics".

    Examples
    --------
    >>> x = np.array([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> shrunk_covariance(x, 4)
    array([[1., 0.],
           [0., 1.]])
    """
    rows = len(residuals)
    covariance = residuals.T @ residuals / freedom
    scaled = residuals / np.sqrt(covariance.diagonal())
    first = scaled.T @ scaled / (rows - 1)
    second = np.square(scaled).T @ np.square(scaled) / (rows - 1)
    off = ~np.eye(len(covariance), dtype=bool)
    noise = (rows / freedom**2 * (second - first**2))[off].sum()
    signal = np.square(first[off]).sum()
    share = 1.0 if signal == 0 else min(max(noise / signal, 0.0), 1.0)
    shrunk: Floats = np.where(off, (1.0 - share) * covariance, covariance)
    return shrunk
