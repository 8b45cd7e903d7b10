"""Comparisons of RDMs that are never formed.

References
----------
Both RDMs are squared distances of points centred over stimuli, so the sums over pairs of
``D_ij E_ij`` reduce to sums over single stimuli and the inner product of the two Gram
matrices, ``⟨XXᵀ, YYᵀ⟩ = ‖XᵀY‖²``: linear in stimuli. With a, b the squared lengths of the
points, A, B their sums, ``s = Σ (a_i - ā)(b_i - b̄)`` and ``G = ‖XᵀY‖²``:

- pearson: ``C = 2G + n s - 2AB/(n-1)``
- cosine: ``C = 2G + n s + 2AB``
- cosine_cov, cka: ``C = G``
- corr_cov: ``C = G - AB/(n-1)``
- cka_unbiased: ``C = G - n s/(n-2) - AB/(n-1)``

and the similarity is ``C_XY / √(C_XX C_YY)``. Kornblith et al. 2019, "Similarity of Neural
Network Representations Revisited" (linear CKA); Diedrichsen et al. 2020, "Comparing
representational geometries using whitened unbiased-distance-matrix similarity"; Song et al.
2012, "Feature selection via dependence maximization" (the unbiased estimator; U-centring takes
out all that is a row's or a column's, so it is a function of the RDM alone).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neurosage.rsa.backends.torch.placing import chunk_rows

COMPARISONS = ("pearson", "cosine", "corr_cov", "cosine_cov", "cka", "cka_unbiased")
BLOCK = 256


@dataclass(frozen=True)
class Sums:
    """What the comparison of two RDMs, or of one with itself, is made of.

    Parameters
    ----------
    gram : float
        ``G = ‖XᵀY‖²``.
    spread : float
        ``s = Σ (a_i - ā)(b_i - b̄)``.
    total_a, total_b : float
        ``A`` and ``B``.
    n : int
        Stimuli.
    """

    gram: float
    spread: float
    total_a: float
    total_b: float
    n: int


def covariance(sums: Sums, comparison: str) -> float:
    """Return C of the formulas above, up to the same constant for all RDMs.

    Parameters
    ----------
    sums : Sums
        Of both sides.
    comparison : str
        One of ``COMPARISONS``.

    Returns
    -------
    float
        NaN for ``cka_unbiased`` of fewer than four stimuli.

    Examples
    --------
    >>> covariance(Sums(gram=10.0, spread=1.0, total_a=4.0, total_b=4.0, n=5), "pearson")
    17.0
    """
    n, product = sums.n, sums.total_a * sums.total_b
    if comparison == "pearson":
        return 2.0 * sums.gram + n * sums.spread - 2.0 * product / (n - 1)
    if comparison == "cosine":
        return 2.0 * sums.gram + n * sums.spread + 2.0 * product
    if comparison in ("cosine_cov", "cka"):
        return sums.gram
    if comparison == "corr_cov":
        return sums.gram - product / (n - 1)
    if n < 4:
        return float("nan")
    return sums.gram - n * sums.spread / (n - 2) - product / (n - 1)


def own_covariance(sums: Sums, comparison: str, precision: float) -> float:
    """Return C of an RDM with itself; NaN where it is no more than rounding.

    Parameters
    ----------
    sums : Sums
        Of one side.
    comparison : str
        One of ``COMPARISONS``.
    precision : float
        Relative, of ``gram``.

    Returns
    -------
    float
        Above 0, or NaN: then the RDM does not vary.

    Examples
    --------
    >>> own_covariance(Sums(gram=8.0, spread=0.0, total_a=4.0, total_b=4.0, n=2), "pearson", 1e-7)
    nan
    """
    own = covariance(sums, comparison)
    return own if own > 200.0 * precision * sums.gram else float("nan")


def spread(a: Tensor, b: Tensor) -> float:
    """Return ``Σ (a_i - ā)(b_i - b̄)``.

    Examples
    --------
    >>> spread(torch.tensor([1.0, 3.0]).double(), torch.tensor([2.0, 6.0]).double())
    4.0
    """
    return float((a - a.mean()) @ (b - b.mean()))


def cross_grams(x: Tensor, y: Tensor, widths: list[int]) -> list[float]:
    """Return ``‖XᵀY_k‖²`` for several Y side by side.

    Parameters
    ----------
    x : Tensor, shape (n, p)
        Points of one region.
    y : Tensor, shape (n, Σ widths)
        Points of several regions, columns one region after the other.
    widths : list of int
        Their numbers of neuroids.

    Returns
    -------
    list of float, length len(widths)
        One sum of squares per region.
    """
    totals = torch.zeros(y.shape[1], dtype=torch.float64, device=x.device)
    for start in range(0, x.shape[1], 4 * BLOCK):
        totals += column_squares(x[:, start : start + 4 * BLOCK].T @ y)
    return torch.stack([part.sum() for part in totals.split_with_sizes(widths)]).tolist()


def column_squares(matrix: Tensor) -> Tensor:
    """Return the sum of squares of each column, in float64, by chunks of rows.

    Parameters
    ----------
    matrix : Tensor, shape (p, q)
        Products; any precision.

    Returns
    -------
    Tensor of float64, shape (q,)
        Sums.
    """
    total = torch.zeros(matrix.shape[1], dtype=torch.float64, device=matrix.device)
    for rows in torch.split(matrix, chunk_rows(matrix.device, matrix.shape[1])):
        total += rows.double().square_().sum(0)
    return total


def own_gram(x: Tensor) -> float:
    """Return ``‖XᵀX‖²`` from the blocks on and above the diagonal.

    Parameters
    ----------
    x : Tensor, shape (n, p)
        Points of one region.

    Returns
    -------
    float
        A sum of squares.

    Examples
    --------
    >>> own_gram(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    892.0
    """
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for start in range(0, x.shape[1], BLOCK):
        stop = min(start + BLOCK, x.shape[1])
        squares = column_squares(x[:, start:stop].T @ x[:, start:])
        total += 2.0 * squares.sum() - squares[: stop - start].sum()
    return float(total)
