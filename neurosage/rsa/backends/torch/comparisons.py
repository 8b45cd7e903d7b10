"""Comparisons on the pairs themselves: an RDM becomes a unit vector, a similarity their dot."""

from __future__ import annotations

import torch
from torch import Tensor

COMPARISONS = ("pearson", "spearman", "cosine")


def unit_vector(distances: Tensor, comparison: str) -> Tensor:
    """Return the vector whose dot with another's is the similarity.

    Parameters
    ----------
    distances : Tensor of float64, shape (m,)
        Upper triangle of an RDM.
    comparison : str
        ``pearson``, ``spearman`` (ties share their mean rank) or ``cosine``.

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
    vector = ranks(distances) if comparison == "spearman" else distances
    size = float(torch.linalg.vector_norm(vector))
    if comparison != "cosine":
        vector = vector - vector.mean()
    length = float(torch.linalg.vector_norm(vector))
    # What is left of equal distances after centring is rounding, not variation.
    if length <= 1e-12 * size or length == 0.0:
        return torch.full_like(vector, torch.nan)
    return vector / length


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
