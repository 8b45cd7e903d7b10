"""Comparisons of RDMs that are never formed.

References
----------
Both RDMs are squared distances of points centred over stimuli, so the sums over pairs of
``D_ij E_ij`` reduce to sums over single stimuli and the inner product of the two Gram
matrices, ``⟨XXᵀ, YYᵀ⟩ = ‖XᵀY‖²``: linear in stimuli. With a, b the squared lengths of the
points, A, B their sums and ``G = ‖XᵀY‖²``:

- pearson: ``C = 2G + n Σ (a_i - ā)(b_i - b̄) - 2AB/(n-1)``
- cosine: ``C = 2G + n Σ a_i b_i + AB``

and the similarity is ``C_XY / √(C_XX C_YY)``. ``G`` for cosine comparison is that of
Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited" (linear CKA
uses it alone).
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurosage.rsa.backends.torch.distances import chunk_rows

COMPARISONS = ("pearson", "cosine")
BLOCK = 256


def cross_gram(x: Tensor, y: Tensor, widths: list[int]) -> Tensor:
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
    Tensor of float64, shape (len(widths),)
        One sum of squares per region.
    """
    totals = torch.zeros(y.shape[1], dtype=torch.float64, device=x.device)
    for start in range(0, x.shape[1], 4 * BLOCK):
        totals += column_squares(x[:, start : start + 4 * BLOCK].T @ y)
    return torch.stack([part.sum() for part in totals.split_with_sizes(widths)])


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


def covariance(gram: Tensor, a: Tensor, b: Tensor, comparison: str) -> Tensor:
    """Return C of the formula above, up to the same constant for all RDMs.

    Parameters
    ----------
    gram : Tensor of float64, shape ()
        ``‖XᵀY‖²``.
    a, b : Tensor of float64, shape (n,)
        Squared lengths of the points of both sides.
    comparison : str
        ``pearson`` or ``cosine``.

    Returns
    -------
    Tensor of float64, shape ()
        The sum over ordered pairs of the (centred) distances' product.
    """
    n = len(a)
    if comparison == "cosine":
        return 2.0 * gram + n * (a * b).sum() + a.sum() * b.sum()
    spread = n * ((a - a.mean()) * (b - b.mean())).sum()
    return 2.0 * gram + spread - 2.0 * a.sum() * b.sum() / (n - 1)


def varies(own: float, gram: float, precision: float) -> bool:
    """Tell whether C_XX is more than the rounding of its largest term."""
    return own > 100.0 * precision * 2.0 * gram
