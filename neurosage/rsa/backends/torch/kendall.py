"""Kendall's rank correlations, counted exactly in O(m log m).

Pairs of values are put in order of the first variable; the discordant ones are then the
inversions of the second, counted by merging sorted runs of doubling length.

References
----------
Kendall 1945, "The treatment of ties in ranking problems" (tau-b); Knight 1966, "A computer method
for calculating Kendall's tau with ungrouped data" (counting by merging). tau-a, without correction
for ties, is what Nili et al. 2014 recommend for models that predict ties.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import nan, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neurosage.rsa.backends.torch.ranks import ordered_levels

COMPARISONS = ("kendall", "tau-a")
RUN = 32


@dataclass(frozen=True)
class Ordered:
    """The order of the distances of one RDM.

    Parameters
    ----------
    order : Tensor of int32, shape (m,)
        Places of the distances, smallest first.
    level : Tensor of int32, shape (m,)
        For each distance, how many distinct smaller ones there are.
    ties : int
        Pairs of distances that are equal.
    """

    order: Tensor
    level: Tensor
    ties: int

    @cached_property
    def levels(self) -> int:
        """The number of distinct distances."""
        return int(self.level.max()) + 1


def order_distances(distances: Tensor, noise: Tensor | None = None) -> Ordered:
    """Put distances in order.

    Parameters
    ----------
    distances : Tensor, shape (m,)
        Of all pairs.
    noise : Tensor, shape (m,), optional
        Rounding of each: neighbours in order that differ by no more are tied.

    Returns
    -------
    Ordered
        On the CPU, where inversions are counted.
    """
    order, along = ordered_levels(distances, noise)
    level = torch.empty_like(along)
    level[order] = along
    return Ordered(order.int().cpu(), level.int().cpu(), _tied_pairs(torch.bincount(along)))


def tau(a: Ordered, b: Ordered, comparison: str = "kendall") -> float:
    """Return Kendall's rank correlation.

    Parameters
    ----------
    a, b : Ordered
        Distances of the same m pairs.
    comparison : {"kendall", "tau-a"}
        ``kendall`` is tau-b: (concordant - discordant) over the geometric mean of the pairs that
        are not tied in `a` and in `b`; ``tau-a`` divides by all ``m (m - 1) / 2``.

    Returns
    -------
    float
        In [-1, 1]; NaN if all distances of one RDM are tied.

    Examples
    --------
    >>> a, b = (order_distances(torch.tensor(d)) for d in ([1.0, 2.0, 3.0], [1.0, 3.0, 3.0]))
    >>> round(tau(a, b), 4), round(tau(a, b, "tau-a"), 4)
    (0.8165, 0.6667)
    """
    m = len(a.level)
    total = m * (m - 1) // 2
    untied_a, untied_b = total - a.ties, total - b.ties
    if untied_a == 0 or untied_b == 0:
        return nan
    second, joint = _second_in_order(a, b)
    balance = untied_a - b.ties + joint - 2 * inversions(second)
    return balance / (total if comparison == "tau-a" else sqrt(untied_a * untied_b))


def _second_in_order(a: Ordered, b: Ordered) -> tuple[npt.NDArray[Any], int]:
    """Return the levels of `b` in order of `a`, then of `b`; and the pairs tied in both."""
    if a.ties == 0:
        return torch.index_select(b.level, 0, a.order).numpy(), 0
    both = torch.sort(a.level.long() * b.levels + b.level, stable=True).values
    joint = torch.unique_consecutive(both, return_counts=True)[1]
    return both.remainder_(b.levels).numpy(), _tied_pairs(joint)


def _tied_pairs(counts: Tensor) -> int:
    return int((counts * (counts - 1) // 2).sum())


def inversions(values: npt.NDArray[Any]) -> int:
    """Count the pairs of places whose values fall.

    Parameters
    ----------
    values : array of int, shape (m,)
        From 0, below 2^30.

    Returns
    -------
    int
        Exact.

    Examples
    --------
    >>> inversions(np.array([2, 0, 1, 1]))
    3
    """
    runs = 1 << max(0, (-(-len(values) // RUN) - 1).bit_length())
    size = -(-len(values) // runs)
    # What fills the last run is larger than all, and so inverts nothing.
    filled = np.full(runs * size, values.max(initial=0) + 1, np.int32)
    filled[: len(values)] = values
    rows = filled.reshape(runs, size)
    total = _inversions_within(rows)
    rows.sort(axis=1)
    while len(rows) > 1:
        rows = rows.reshape(len(rows) // 2, -1)
        total += _merge(rows)
    return total


def _inversions_within(rows: npt.NDArray[Any]) -> int:
    columns = np.ascontiguousarray(rows.T)
    return sum(
        int(np.count_nonzero(columns[:-lag] > columns[lag:])) for lag in range(1, len(columns))
    )


def _merge(rows: npt.NDArray[Any]) -> int:
    """Sort rows of two sorted halves in place; count what the left holds above the right."""
    half = rows.shape[1] // 2
    rows <<= 1
    rows[:, half:] |= 1
    # Two sorted runs are what a stable sort merges in linear time.
    rows.sort(axis=1, kind="stable")
    places = np.arange(2 * half, dtype=np.int64)
    after = int((rows & 1).sum(axis=0, dtype=np.int64) @ places)
    rows >>= 1
    # Of the k-th right value at place q, half - (q - k) left values are larger.
    return int(len(rows) * (half * half + half * (half - 1) // 2)) - after
