"""Distances and comparisons by their definitions, slowly, in NumPy and SciPy.

What `BackendCase` holds backends to; each takes float64 and forms everything it needs.

References
----------
Székely, Rizzo 2014, "Partial distance correlation with methods for dissimilarities"
(U-centring); Diedrichsen et al. 2021, "Comparing representational geometries using whitened
unbiased-distance-matrix similarity" (``corr_cov``, ``cosine_cov``); Schütt et al. 2023,
"Statistical inference on representational geometries" (``rho-a``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.spatial import distance as spatial

Array: TypeAlias = npt.NDArray[np.float64]


def _cosine(x: Array, y: Array) -> float:
    lengths = np.linalg.norm(x) * np.linalg.norm(y)
    return float((x * y).sum() / lengths) if lengths > 0 else float("nan")


def _varying(compare: Callable[[Array, Array], float]) -> Callable[[Array, Array], float]:
    """Have NaN where an RDM does not vary."""

    def checked(x: Array, y: Array) -> float:
        flat = np.ptp(x) == 0 or np.ptp(y) == 0
        return float("nan") if flat else compare(x, y)

    return checked


def _tau_a(x: Array, y: Array) -> float:
    signs = [np.sign(np.subtract.outer(each, each)) for each in (x, y)]
    return float((signs[0] * signs[1]).sum() / (len(x) * (len(x) - 1)))


def _rho_a(x: Array, y: Array) -> float:
    m = len(x)
    ranks = [stats.rankdata(each) - (m + 1) / 2 for each in (x, y)]
    return float(12 * (ranks[0] @ ranks[1]) / (m**3 - m))


def _gram(rdm: Array) -> Array:
    """``-½ J D J``: the inner products of centred points."""
    square = spatial.squareform(rdm, checks=False)
    centred = np.eye(len(square)) - 1 / len(square)
    gram: Array = -0.5 * centred @ square @ centred
    return gram


def _u_centred(rdm: Array) -> Array:
    square = spatial.squareform(rdm, checks=False)
    n = len(square)
    if n < 4:
        return np.zeros_like(square)
    sums = square.sum(0)
    made: Array = square - (sums[:, None] + sums) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(made, 0.0)
    return made


def _cosine_cov(x: Array, y: Array) -> float:
    return _cosine(_gram(x), _gram(y))


DISTANCES: Mapping[str, Callable[[Array], Array]] = {
    "correlation": lambda f: np.asarray(spatial.pdist(f, "correlation")),
    "cosine": lambda f: np.asarray(spatial.pdist(f, "cosine")),
    "euclidean": lambda f: np.asarray(spatial.pdist(f, "sqeuclidean")) / f.shape[1],
}
"""Patterns, shape (n, p) → upper triangle of the RDM."""

COMPARISONS: Mapping[str, Callable[[Array, Array], float]] = {
    "pearson": _varying(lambda x, y: _cosine(x - x.mean(), y - y.mean())),
    "spearman": _varying(lambda x, y: float(stats.spearmanr(x, y).statistic)),
    "cosine": _cosine,
    "kendall": _varying(lambda x, y: float(stats.kendalltau(x, y).statistic)),
    "tau-a": _varying(_tau_a),
    "rho-a": _varying(_rho_a),
    "corr_cov": _varying(lambda x, y: _cosine_cov(x - x.mean(), y - y.mean())),
    "cosine_cov": _cosine_cov,
    "cka": _cosine_cov,
    "cka_unbiased": _varying(lambda x, y: _cosine(_u_centred(x), _u_centred(y))),
}
"""Upper triangles of two RDMs → similarity; NaN where one of them does not vary."""

CENTRED = ("pearson", "spearman", "kendall", "tau-a", "rho-a", "corr_cov", "cka_unbiased")
"""Comparisons that are undefined for equal distances; the others only for distances of 0."""


def svcca(x: Array, y: Array) -> float:
    """Return the mean canonical correlation of the axes that hold 99% of each variance.

    Parameters
    ----------
    x, y : array of float64, shapes (n, p) and (n, q)
        Patterns of the same n stimuli.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 1.0], [4.0, 5.0]])
    >>> round(svcca(x, x[:, :1] + 2), 6)
    1.0
    """
    axes = []
    for side in (x, y):
        u, s, _ = np.linalg.svd(side - side.mean(0), full_matrices=False)
        held = np.cumsum(s**2) / np.sum(s**2)
        axes.append(u[:, : np.argmax(held >= 0.99) + 1])
    return float(np.linalg.svd(axes[0].T @ axes[1], compute_uv=False).mean())


def procrustes(x: Array, y: Array) -> float:
    """Return the nuclear norm of ``XᵀY``, both centred and of unit Frobenius norm.

    Parameters
    ----------
    x, y : array of float64, shapes (n, p) and (n, q)
        Patterns of the same n stimuli.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 1.0], [4.0, 5.0]])
    >>> round(procrustes(x, -2 * x[:, ::-1]), 6)
    1.0
    """
    x, y = (side - side.mean(0) for side in (x, y))
    nuclear = np.linalg.svd(x.T @ y, compute_uv=False).sum()
    return float(nuclear / (np.linalg.norm(x) * np.linalg.norm(y)))


REPRESENTATIONS: Mapping[str, Callable[[Array, Array], float]] = {
    "svcca": svcca,
    "procrustes": procrustes,
}
"""Patterns of two regions → similarity."""
