"""Comparisons of RDMs: all but Kendall's are the dot of two vectors, one from each RDM.

References
----------
Kriegeskorte et al. 2008, "Representational similarity analysis" (spearman); Nili et al. 2014, "A
toolbox for representational similarity analysis" (tau-a); Schütt et al. 2023, "Statistical
inference on representational geometries" (rho-a); Diedrichsen et al. 2020, "Comparing
representational geometries using whitened unbiased-distance-matrix similarity" (corr_cov,
cosine_cov); Kornblith et al. 2019, "Similarity of neural network representations revisited" (cka).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt, sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.backends.torch import kendall
from neurosage.rsa.backends.torch.ranks import centred_ranks

RANKS = ("spearman", "rho-a")
MOMENTS = ("pearson", "cosine", "corr_cov", "cosine_cov", "cka", "cka_unbiased")
COMPARISONS = ("pearson", "spearman", "cosine", *kendall.COMPARISONS, "rho-a", *MOMENTS[2:])
# On the CPU, what PyTorch does not share among threads.
CHUNK = {"cpu": 1 << 15}
LARGE_CHUNK = 1 << 22


def compare(rdms_a: Any, rdms_b: Any, comparison: str, device: Any = "cpu") -> Floats:
    """Return the similarities of RDMs.

    Parameters
    ----------
    rdms_a, rdms_b : arrays, shapes (Ka, m) and (Kb, m)
        Upper triangles in the order of ``numpy.triu_indices(n, 1)``, without NaN.
    comparison : str
        One of ``COMPARISONS``.
    device : str or torch.device
        Where to compute.

    Returns
    -------
    array of float64, shape (Ka, Kb)
        In [-1, 1] but for rounding; NaN where an RDM does not vary (for ``cosine``, is zero).

    Examples
    --------
    >>> compare([[1.0, 2.0, 4.0]], [[2.0, 3.0, 5.0], [3.0, 2.0, 1.0]], "spearman").round(6)
    array([[ 1., -1.]])
    """
    side_a, side_b = ([_double(rdm, device) for rdm in side] for side in (rdms_a, rdms_b))
    result = np.empty((len(side_a), len(side_b)))
    if comparison in kendall.COMPARISONS:
        ordered = [kendall.order_distances(rdm) for rdm in side_b]
        for row, rdm in enumerate(side_a):
            one = kendall.order_distances(rdm)
            result[row] = [kendall.tau(one, other, comparison) for other in ordered]
        return result
    vectors = [unit_vector(rdm, comparison) for rdm in side_b]
    for row, rdm in enumerate(side_a):
        unit = unit_vector(rdm, comparison)
        result[row] = [float(unit @ other) for other in vectors]
    return result


def _double(rdm: Any, device: Any) -> Tensor:
    return torch.tensor(np.asarray(rdm, dtype=np.float64), device=device)


def unit_vector(distances: Tensor, comparison: str, rounding: float = 1e-12) -> Tensor:
    """Return the vector whose dot with another's is the similarity.

    Parameters
    ----------
    distances : Tensor of float64, shape (m,)
        Upper triangle of an RDM, in the order of ``numpy.triu_indices(n, 1)``.
    comparison : str
        One of ``COMPARISONS`` but Kendall's. In ranks, ties share their mean; ``rho-a`` divides
        by the length that ranks without ties have.
    rounding : float
        Relative error of the distances; what varies by no more does not vary.

    Returns
    -------
    Tensor of float64, shape (m,), or (n * n,) where rows and columns are centred
        Of length 1 (``rho-a``: at most 1); all NaN if the RDM does not vary.

    Examples
    --------
    >>> a = unit_vector(torch.tensor([1.0, 2.0, 9.0]).double(), "spearman")
    >>> b = unit_vector(torch.tensor([1.0, 3.0, 4.0]).double(), "spearman")
    >>> round(float(a @ b), 6)
    1.0
    """
    if _is_flat(distances, comparison, rounding):
        distances = torch.full_like(distances, torch.nan)
        if comparison in RANKS:
            return distances
    if comparison in RANKS:
        return scaled_ranks(distances, comparison)
    if comparison == "cosine":
        return distances.div(torch.linalg.vector_norm(distances))
    centred = distances - distances.mean() if comparison in ("pearson", "corr_cov") else distances
    if comparison == "pearson":
        return centred.div(torch.linalg.vector_norm(centred))
    matrix = _centred_square(centred, unbiased=comparison == "cka_unbiased").flatten()
    length = torch.linalg.vector_norm(matrix)
    floor = rounding * float(distances.abs().max()) * sqrt(len(matrix))
    return matrix.div(length if float(length) > floor else torch.nan)


def scaled_ranks(distances: Tensor, comparison: str, noise: Tensor | None = None) -> Tensor:
    """Return centred ranks whose dot with another's is Spearman's correlation or rho-a.

    Parameters
    ----------
    distances : Tensor, shape (m,)
        Of all pairs, in any order.
    comparison : {"spearman", "rho-a"}
        Whether ranks are divided by their own length, or by that which they have without ties,
        ``√((m³ - m) / 12)``: the expected correlation under random breaking of ties.
    noise : Tensor, shape (m,), optional
        Rounding of each: neighbours in order that differ by no more are tied.

    Returns
    -------
    Tensor, shape (m,)
        In the precision of `distances`; all NaN where all are tied.

    Examples
    --------
    >>> [round(x, 3) for x in scaled_ranks(torch.tensor([1.0, 4.0, 4.0]), "rho-a").tolist()]
    [-0.707, 0.354, 0.354]
    """
    centred, m = centred_ranks(distances, noise), len(distances)
    length = sqrt(float(dots(centred, [centred])[0]))
    if length == 0.0:
        return centred.fill_(torch.nan)
    return centred.div_(length if comparison == "spearman" else sqrt((m**3 - m) / 12))


def dots(one: Tensor, others: Sequence[Tensor]) -> Floats:
    """Return the dots of one vector with several, summed in float64.

    Parameters
    ----------
    one : Tensor, shape (m,)
        Any precision.
    others : sequence of Tensor, shape (m,)
        The same.

    Returns
    -------
    array of float64, shape (len(others),)
        One sum each.

    Examples
    --------
    >>> dots(torch.tensor([1.0, 2.0]), [torch.tensor([3.0, 4.0])]).tolist()
    [11.0]
    """
    total = torch.zeros(len(others), dtype=torch.float64, device=one.device)
    size = CHUNK.get(one.device.type, LARGE_CHUNK)
    for start in range(0, len(one), size):
        part = one[start : start + size].double()
        for k, other in enumerate(others):
            total[k] += torch.dot(part, other[start : start + size].double())
    return np.asarray(total.cpu())


def _is_flat(distances: Tensor, comparison: str, rounding: float) -> bool:
    low, high = (float(edge) for edge in torch.aminmax(distances))
    largest = max(abs(low), abs(high))
    of_zeros = comparison in ("cosine", "cosine_cov", "cka")
    return largest == 0.0 or (not of_zeros and high - low <= rounding * largest)


def _centred_square(distances: Tensor, unbiased: bool) -> Tensor:
    """Return the RDM as a matrix whose rows and columns sum to 0 (U-centred if unbiased)."""
    n = (1 + isqrt(1 + 8 * len(distances))) // 2
    square = torch.zeros(n, n, dtype=distances.dtype, device=distances.device)
    i, j = torch.triu_indices(n, n, 1, device=distances.device)
    square[i, j] = distances
    square += square.T.clone()
    if not unbiased:
        means = square.mean(0)
        return square.sub_(means).sub_(means[:, None]).add_(means.mean())
    if n < 4:
        return square.fill_(torch.nan)
    sums = square.sum(0)
    square.sub_(sums / (n - 2)).sub_(sums[:, None] / (n - 2))
    square.add_(sums.sum() / ((n - 1) * (n - 2))).fill_diagonal_(0.0)
    return square
