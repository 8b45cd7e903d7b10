"""The precision of noise over neuroids: given, or from residuals within stimulus."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.distances.presentations import Presentations
from neurosage.rsa.responses.missing import first_names

Precision: TypeAlias = str | Mapping[str, Any] | None
PRECISIONS = ("none", "diagonal", "shrinkage")
MAHALANOBIS = "mahalanobis"
DEFAULTS = {"crossnobis": "none", MAHALANOBIS: "shrinkage"}
ASYMMETRY = 1e-6  # of the largest entry: rounding of matrices inverted in single precision


def own_precision(distance: str, precision: Precision) -> str | Mapping[str, Any]:
    """Return the precision asked for, or the distance's own.

    Parameters
    ----------
    distance : str
        What it is for.
    precision : {"none", "diagonal", "shrinkage"}, mapping of str to array, or None
        Asked for.

    Returns
    -------
    str or mapping
        ``none`` for ``crossnobis`` and ``shrinkage`` for ``mahalanobis``, if None.

    Raises
    ------
    InputError
        If it is unknown, or the distance has none, or nothing else.

    Examples
    --------
    >>> own_precision("mahalanobis", None)
    'shrinkage'
    """
    if isinstance(precision, Mapping):
        if distance not in DEFAULTS:
            raise _not_its_own("a given precision")
        return precision
    if precision is not None and not isinstance(precision, str):
        raise InputError(
            f"precision is one of {PRECISIONS}, or a mapping from region to its matrix of shape "
            f"(neuroids, neuroids), not a {type(precision).__name__}."
        )
    chosen = DEFAULTS.get(distance, "none") if precision is None else precision
    if chosen not in PRECISIONS:
        raise unknown("precision", chosen, PRECISIONS)
    if chosen != "none" and distance not in DEFAULTS:
        raise _not_its_own(f"precision={chosen!r}")
    if chosen == "none" and distance == MAHALANOBIS:
        raise InputError(
            "mahalanobis distance weighs neuroids by a precision, and without one "
            "(precision='none') it is distance='euclidean'; ask for that, or choose 'diagonal' "
            "or 'shrinkage'."
        )
    return chosen


def _not_its_own(what: str) -> InputError:
    return InputError(f"{what} belongs to distance='crossnobis' or 'mahalanobis'.")


def precision_name(precision: Precision) -> str | None:
    """Return what attributes say of a precision: its name, or ``"given"``.

    Examples
    --------
    >>> precision_name({"V4": [[1.0]]}), precision_name("diagonal")
    ('given', 'diagonal')
    """
    return "given" if isinstance(precision, Mapping) else precision


def given_root(precision: Mapping[str, Any], region: str, neuroids: int) -> Floats:
    """Return L with ``L Lᵀ`` the precision that was given for a region.

    Parameters
    ----------
    precision : mapping of str to array, shape (p, p)
        By region.
    region : str
        Whose.
    neuroids : int
        p.

    Returns
    -------
    array of float64, shape (p, p)
        Lower triangular.

    Raises
    ------
    InputError
        If there is none, or it is no symmetric positive definite matrix of that shape.

    Examples
    --------
    >>> given_root({"V4": [[4.0, 0.0], [0.0, 1.0]]}, "V4", 2)
    array([[2., 0.],
           [0., 1.]])
    """
    if region not in precision:
        raise InputError(
            f"precision has no matrix of region {region!r}, only of "
            f"{first_names(list(precision))}; give one of every region."
        )
    try:
        matrix: Any = np.asarray(precision[region], np.float64)
    except (TypeError, ValueError) as problem:
        raise InputError(f"the precision of region {region!r} is not numeric.") from problem
    rule = f"the precision of region {region!r} must be symmetric and positive definite, shape "
    rule += f"({neuroids}, {neuroids}), in the order of its neuroids"
    if matrix.shape != (neuroids, neuroids):
        raise InputError(f"{rule}; this one has shape {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise InputError(f"{rule}; this one has entries that are missing or infinite.")
    gap, largest = abs(matrix - matrix.T).max(), abs(matrix).max()
    if gap > ASYMMETRY * largest:
        raise InputError(f"{rule}; entries differ from their mirror image by up to {gap:.3g}.")
    try:
        root: Floats = np.linalg.cholesky((matrix + matrix.T) / 2.0)
    except np.linalg.LinAlgError:
        raise InputError(
            f"{rule}; this one has directions without precision. Invert a covariance that is "
            "shrunk, such as by precision='shrinkage'."
        ) from None
    return root


def precision_root(
    found: Presentations,
    precision: str | Mapping[str, Any],
    region: str = "",
    neuroids: Any = None,
) -> Floats:
    """Return L with ``L Lᵀ`` the precision: patterns times L have noise of one size.

    Parameters
    ----------
    found : Presentations
        Repeated responses.
    precision : {"diagonal", "shrinkage"} or mapping of str to array, shape (p, p)
        The inverse of the neuroids' own variances, or of their covariance shrunk towards
        these (Schäfer and Strimmer); or given, by region.
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
    if isinstance(precision, Mapping):
        return given_root(precision, region, found.values.shape[1])
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
    return _inverse_root(shrunk_covariance(residuals, int(freedom.flat[0])), region)


def _inverse_root(covariance: Floats, region: str) -> Floats:
    """Return L with ``L Lᵀ`` the inverse, by way of correlations, whatever neuroids' units."""
    sd = np.sqrt(covariance.diagonal())
    try:
        lower = np.linalg.cholesky(covariance / np.outer(sd, sd))
    except np.linalg.LinAlgError:
        raise InputError(
            f"region {region!r}: the noise of some neuroids is that of others, so their "
            "covariance has no inverse; leave copies out with select, or use "
            "precision='diagonal'."
        ) from None
    root: Floats = np.linalg.inv(lower).T / sd[:, None]
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
