"""Classical multidimensional scaling: points on a plane whose distances are like those given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.errors import InputError

Floats = npt.NDArray[np.float64]
MOST = 2000  # points that a picture can show and eigenvalues are quick for


@dataclass(frozen=True, eq=False)
class Scaled:
    """Points on a plane, and how well they stand for the distances.

    Parameters
    ----------
    points : array of float64, shape (n, 2)
        Centred; the first axis varies most. The largest entry of an axis is positive.
    share : float
        Of the variance of all dimensions, what these two hold, in [0, 1].
    stress : float
        Kruskal's stress 1, from 0 (all distances are kept, up to one scale) to 1; below .1 is
        good, above .2 poor.
    """

    points: Floats
    share: float
    stress: float


def classical_mds(squared: npt.ArrayLike) -> Scaled:
    """Place points on a plane by classical (Torgerson) multidimensional scaling.

    Parameters
    ----------
    squared : array_like, shape (n, n)
        Squared distances, symmetric, zero diagonal, n >= 3. Every distance of this package is
        a squared one: 1 - correlation is half the squared distance of patterns centred and
        scaled to norm 1. Below 0 (crossnobis) is taken as it is, and as 0 in the stress.

    Returns
    -------
    Scaled
        The share is of the sum of the eigenvalues above 0.

    Raises
    ------
    InputError
        If it is no such matrix, holds NaN, or all points coincide.

    References
    ----------
    With ``J = I - 1/n`` and ``B = -J D J / 2 = V diag(λ) Vᵀ``, points are ``V_k √λ_k`` for the
    two largest λ (Torgerson 1952; Gower 1966). Stress 1: ``√(Σ (d̂ - b d)² / Σ d̂²)`` (Kruskal
    1964), d the roots of D, d̂ the distances of the points, b the scale that makes it least: a
    picture has no scale of its own.

    Examples
    --------
    >>> x = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    >>> found = classical_mds(((x[:, None] - x) ** 2).sum(-1))
    >>> round(found.share, 6), round(found.stress, 6)
    (1.0, 0.0)
    """
    square = _checked(np.asarray(squared, float))
    centred = square - square.mean(0)
    gram = -0.5 * (centred - centred.mean(1, keepdims=True))
    values, vectors = np.linalg.eigh(gram)
    largest = np.maximum(values[:-3:-1], 0.0)
    points = vectors[:, :-3:-1] * np.sqrt(largest)
    points *= np.where(points[np.abs(points).argmax(0), [0, 1]] < 0, -1.0, 1.0)
    share = largest.sum() / values[values > 0].sum()
    return Scaled(points, float(share), _stress(square, points))


def _checked(square: Floats) -> Floats:
    if square.ndim != 2 or square.shape[0] != square.shape[1] or len(square) < 3:
        raise InputError(f"MDS needs a square matrix of 3 or more points, not {square.shape}.")
    if len(square) > MOST:
        raise InputError(
            f"a plane of {len(square)} points shows nothing, {MOST} are drawn at most; average "
            "by category (by=…) or select some of the stimuli."
        )
    if not np.isfinite(square).all():
        bad = int((~np.isfinite(square)).any(1).sum())
        raise InputError(f"distances of {bad} points are NaN or infinite; leave those out first.")
    size = np.abs(square).max()
    if not np.allclose(square, square.T, atol=1e-6 * size) or np.abs(np.diag(square)).max() > (
        1e-6 * size
    ):
        raise InputError("distances must be symmetric, with zeros on the diagonal.")
    if square.max() <= 0:
        raise InputError("all points coincide: no distance is above 0.")
    return 0.5 * (square + square.T)


def _stress(square: Floats, points: Floats) -> float:
    upper = np.triu_indices(len(square), 1)
    given = np.sqrt(np.maximum(square[upper], 0.0))
    drawn = np.sqrt(((points[upper[0]] - points[upper[1]]) ** 2).sum(1))
    # With the best b this is the sine of the angle between the two.
    agreement = (given * drawn).sum() ** 2 / ((given**2).sum() * (drawn**2).sum())
    return float(np.sqrt(max(1.0 - agreement, 0.0)))


def turned_towards(points: Floats, target: Floats) -> Floats:
    """Turn or mirror points so that they lie as near as can be to those of another plane.

    Parameters
    ----------
    points, target : array of float64, shape (n, 2)
        Centred; distances between points stay as they are.

    Returns
    -------
    array of float64, shape (n, 2)
        The orthogonal Procrustes solution.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.5], [0.0, -0.5]])
    >>> bool(np.allclose(turned_towards(x[:, ::-1], x), x))
    True
    """
    left, _, right = np.linalg.svd(points.T @ target)
    turned: Floats = points @ (left @ right)
    return turned


def as_squares(similarity: Any) -> Floats:
    """Turn similarities into squared distances, 2 (1 - similarity).

    Parameters
    ----------
    similarity : array_like, shape (n, n)
        Of what can be written as a product of unit vectors: correlations, cosines, CKA.

    Returns
    -------
    array of float64, shape (n, n)
        Zero diagonal, symmetric.

    Examples
    --------
    >>> as_squares([[1.0, 0.5], [0.5, 1.0]]).tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    values = np.asarray(similarity, float)
    squares: Floats = 2.0 * (1.0 - 0.5 * (values + values.T))
    np.fill_diagonal(squares, 0.0)
    return squares
