"""Ranks of many distances, without sorting them where that would take longest.

Few values are sorted by the bits of their floating point numbers, which a radix sort does in
linear time. Many are put into a million buckets or more that follow their distribution; all in
one bucket share its mean rank. That replaces the ranks r by their mean within buckets, so
Spearman's correlation changes by at most the share ``√(Σ (c³ - c) / (m³ - m))`` of each side, c
the counts: known, and where it is not small enough the values are sorted after all. Equal values
always share a bucket, so ties stay exact.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Below this a radix sort takes no longer than the buckets.
SORTED_BELOW = 8_000_000
BUCKETS = {torch.float64: 1 << 22, torch.float32: 1 << 20}
CELLS = 1 << 12
# What PyTorch does not share among threads, whose meetings would cost more than the sums.
CHUNK = 1 << 15
SAMPLE = 1 << 18
# The largest share of the ranks' length that buckets may lose; float32 has lost more already.
LOSS = {torch.float64: 4.5e-7, torch.float32: 2e-6}


def centred_ranks(values: Tensor, noise: Tensor | None = None) -> Tensor:
    """Return ranks minus their mean, ties sharing their mean rank.

    Parameters
    ----------
    values : Tensor of float32 or float64, shape (m,)
        Without NaN.
    noise : Tensor, shape (m,), optional
        Rounding of each value: neighbours in order that differ by no more are tied.

    Returns
    -------
    Tensor, shape (m,)
        Of the precision of `values`; all 0 where all are tied.

    Examples
    --------
    >>> centred_ranks(torch.tensor([3.0, 1.0, 3.0]).double()).tolist()
    [0.5, -1.0, 0.5]
    """
    middle = (len(values) + 1) / 2
    if values.device.type == "cpu" and len(values) >= SORTED_BELOW:
        index, counts = bucket_index(values)
        if lost_share(counts) <= LOSS[values.dtype]:
            table = _mean_ranks(counts) - middle
            return torch.index_select(table.to(values.dtype), 0, index)
    return ranks(values, noise).sub_(middle).to(values.dtype)


def ranks(values: Tensor, noise: Tensor | None = None) -> Tensor:
    """Return ranks from 1, ties sharing their mean rank.

    Parameters
    ----------
    values : Tensor, shape (m,)
        Without NaN.
    noise : Tensor, shape (m,), optional
        Rounding of each value, as for `centred_ranks`.

    Returns
    -------
    Tensor of float64, shape (m,)
        As ``scipy.stats.rankdata``.

    Examples
    --------
    >>> ranks(torch.tensor([3.0, 1.0, 3.0])).tolist()
    [2.5, 1.0, 2.5]
    """
    order, level = ordered_levels(values, noise)
    means = _mean_ranks(torch.bincount(level))
    result = torch.empty(len(values), dtype=torch.float64, device=values.device)
    result[order] = torch.index_select(means, 0, level)
    return result


def ordered_levels(values: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return the order of values, and which of the distinct values stands at each place.

    Parameters
    ----------
    values : Tensor, shape (m,)
        Without NaN.
    noise : Tensor, shape (m,), optional
        Rounding of each value, as for `centred_ranks`.

    Returns
    -------
    tuple of (Tensor of int64, shape (m,); Tensor of int64, shape (m,))
        Places in `values`, smallest first; and, along that order, the number from 0 of the
        group of tied values.

    Examples
    --------
    >>> order, level = ordered_levels(torch.tensor([3.0, 1.0, 3.0]))
    >>> order.tolist(), level.tolist()
    ([1, 0, 2], [0, 1, 1])
    """
    order = _order(values)
    ordered = torch.index_select(values, 0, order)
    if noise is None:
        rises = ordered[1:] > ordered[:-1]
    else:
        spread = torch.index_select(noise, 0, order)
        rises = ordered[1:] - ordered[:-1] > torch.maximum(spread[1:], spread[:-1])
    level = torch.zeros(len(values), dtype=torch.int64, device=values.device)
    torch.cumsum(rises, 0, out=level[1:])
    return order, level


def _order(values: Tensor) -> Tensor:
    """Return the places of values from the smallest to the largest."""
    if values.device.type != "cpu" or values.dtype not in LOSS:
        return torch.sort(values, stable=True).indices
    # Integers are sorted by radix, floats by comparing: as integers they take a third.
    floats = values + 0.0
    bits = floats.view(torch.int32 if values.dtype == torch.float32 else torch.int64).long()
    if float(values.min()) < 0:
        largest = (1 << (31 if values.dtype == torch.float32 else 63)) - 1
        bits = torch.where(bits < 0, bits ^ largest, bits)
    else:
        bits = bits - bits.min()
    return torch.sort(bits, stable=True).indices


def _mean_ranks(counts: Tensor) -> Tensor:
    return torch.cumsum(counts, 0).double() - (counts - 1).double() / 2


def bucket_index(values: Tensor) -> tuple[Tensor, Tensor]:
    """Put values into buckets that hold about equally many, in order.

    Parameters
    ----------
    values : Tensor of float32 or float64, shape (m,)
        Without NaN.

    Returns
    -------
    tuple of (Tensor of int32, shape (m,); Tensor of int64, shape (buckets,))
        The bucket of each value, never falling where values rise; and how many each holds.

    Examples
    --------
    >>> index, counts = bucket_index(torch.tensor([0.0, 5.0, 1.0, 5.0]).double())
    >>> bool(index[1] == index[3] > index[2] > index[0]), int(counts.sum())
    (True, 4)
    """
    low, high = (float(edge) for edge in torch.aminmax(values))
    scale = CELLS / (high - low) if high > low else 0.0
    starts, widths = _cells(values, low, scale)
    index = torch.empty(len(values), dtype=torch.int32, device=values.device)
    for start in range(0, len(values), CHUNK):
        place = (values[start : start + CHUNK] - low).mul_(scale)
        cell = place.int().clamp_(0, CELLS - 1)
        place.sub_(cell).mul_(torch.index_select(widths, 0, cell))
        index[start : start + CHUNK] = place.add_(torch.index_select(starts, 0, cell))
    return index, torch.bincount(index, minlength=BUCKETS[values.dtype] + 1)


def _cells(values: Tensor, low: float, scale: float) -> tuple[Tensor, Tensor]:
    """Return the first bucket and the number of buckets of each of many cells of equal width."""
    # An odd stride meets no period of the tiles that the values were made by.
    sample = values[:: (len(values) // SAMPLE) | 1]
    cell = (sample - low).mul_(scale).int().clamp_(0, CELLS - 1)
    share = torch.bincount(cell, minlength=CELLS).double()
    share = (share + 0.5) / (share.sum() + 0.5 * CELLS)
    buckets = BUCKETS[values.dtype]
    ends = (torch.cumsum(share, 0) * buckets).floor_().clamp_(max=buckets)
    starts = torch.cat([ends.new_zeros(1), ends[:-1]])
    return starts.to(values.dtype), (ends - starts).to(values.dtype)


def lost_share(counts: Tensor) -> float:
    """Return the largest part of the ranks' length that sharing ranks within buckets loses.

    Parameters
    ----------
    counts : Tensor of int64, shape (buckets,)
        How many values each bucket holds.

    Returns
    -------
    float
        ``√(Σ (c³ - c) / (m³ - m))``, in [0, 1].

    Examples
    --------
    >>> lost_share(torch.tensor([1, 1, 0, 1])), lost_share(torch.tensor([3]))
    (0.0, 1.0)
    """
    c, m = counts.double(), float(counts.sum())
    return float(((c**3 - c).sum() / (m**3 - m)).sqrt())
