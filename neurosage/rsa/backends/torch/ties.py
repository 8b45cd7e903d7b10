"""Distances that differ by rounding alone, made equal before they are ranked.

Patterns of few kinds (categories, features that are there or not) make RDMs of few distinct
distances; matrix products give each of these as many values that differ in their last digits,
which ranks would take for an order.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Rounding of a distance, in units of the precision of the largest.
ROUNDING = 16.0
# As many cells in a row as the values of one distance may fall into.
WIDEST = 3
SAMPLE = 1 << 16


def merge_rounded(values: Tensor) -> Tensor:
    """Make equal, in place, what stands apart from all else and differs by rounding alone.

    The range of values is cut into cells as wide as rounding; one to three cells in a row that
    hold values, with an empty one on either side, hold one distance. Where values are dense no
    cells stand apart, and nothing changes.

    Parameters
    ----------
    values : Tensor, shape (m,)
        Distances with the rounding of float32, at least 0.

    Returns
    -------
    Tensor, shape (m,)
        The same one.

    Examples
    --------
    >>> merge_rounded(torch.tensor([1.0, 1.0 + 1e-7, 0.5] * 9)).unique().numel()
    2
    """
    width = ROUNDING * torch.finfo(torch.float32).eps * float(values.max())
    if width == 0.0 or not _few_kinds(values, width):
        return values
    cell = values.div(width).int()
    held = torch.bincount(cell) > 0
    first, length = _runs(held)
    apart = length <= WIDEST
    middle = torch.full((len(held),), -1.0, dtype=torch.float64, device=values.device)
    for shift in range(WIDEST):
        wide = apart & (length > shift)
        middle[first[wide] + shift] = first[wide] + length[wide].double() / 2.0
    merged = torch.index_select(middle.mul_(width).to(values.dtype), 0, cell)
    return torch.where(merged >= 0, merged, values, out=values)


def _few_kinds(values: Tensor, width: float) -> bool:
    # An odd stride meets no period of the tiles that the values were made by.
    sample = values[:: (len(values) // SAMPLE) | 1]
    kinds = torch.unique(sample.div(width).int()).numel()
    return bool(kinds < len(sample) / 4)


def _runs(held: Tensor) -> tuple[Tensor, Tensor]:
    """Return where runs of True begin, and how long they are."""
    edges = torch.nn.functional.pad(held.to(torch.int8), (1, 1)).diff()
    first = torch.nonzero(edges == 1).flatten()
    return first, torch.nonzero(edges == -1).flatten() - first
