"""Comparisons on the pairs themselves: an RDM becomes a unit vector, a similarity their dot."""

from __future__ import annotations

import torch
from torch import Tensor

COMPARISONS = ("pearson", "spearman", "cosine")


def unit_vector(distances: Tensor, comparison: str, rounding: float = 1e-12) -> Tensor:
    """Return the vector whose dot with another's is the similarity.

    Parameters
    ----------
    distances : Tensor of float64, shape (m,)
        Upper triangle of an RDM.
    comparison : str
        ``pearson``, ``spearman`` (ties share their mean rank) or ``cosine``.
    rounding : float
        Relative error of the distances; what varies by no more does not vary.

    Returns
    -------
    Tensor of float64, shape (m,)
        Of length 1; all NaN if the RDM does not vary (``cosine``: is zero).

    Examples
    --------
    >>> a = unit_vector(torch.tensor([1.0, 2.0, 9.0]).double(), "spearman")
    >>> b = unit_vector(torch.tensor([1.0, 3.0, 4.0]).double(), "spearman")
    >>> round(float(a @ b), 6)
    1.0
    """
    if _is_flat(distances, comparison, rounding):
        return torch.full_like(distances, torch.nan)
    vector = ranks(distances) if comparison == "spearman" else distances
    if comparison != "cosine":
        vector = vector - vector.mean()
    return vector.div(torch.linalg.vector_norm(vector))


def _is_flat(distances: Tensor, comparison: str, rounding: float) -> bool:
    low, high = (float(edge) for edge in torch.aminmax(distances))
    largest = max(abs(low), abs(high))
    return largest == 0.0 or (comparison != "cosine" and high - low <= rounding * largest)


def ranks(values: Tensor) -> Tensor:
    """Return ranks from 1, ties sharing their mean rank.

    Parameters
    ----------
    values : Tensor, shape (m,)
        Without NaN.

    Returns
    -------
    Tensor of float64, shape (m,)
        As ``scipy.stats.rankdata``.

    Examples
    --------
    >>> ranks(torch.tensor([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    ordered, order = torch.sort(values)
    _, counts = torch.unique_consecutive(ordered, return_counts=True)
    del ordered
    means = torch.cumsum(counts, 0).double() - (counts - 1).double() / 2
    result = torch.empty(len(values), dtype=torch.float64, device=values.device)
    result[order] = torch.repeat_interleave(means, counts)
    return result
