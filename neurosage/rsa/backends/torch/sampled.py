"""Similarities on a random sample of the pairs of stimuli, with their standard errors.

Stimuli are put on a circle in random order, and each is paired with the L that follow it: every
stimulus is in equally many pairs, which removes what single stimuli add to the error, and the
distances come from matrix products of neighbours. Pairs of one lag are such a sample by
themselves: what similarities differ by between groups of lags gives the standard error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosage.rsa.backends.base import Floats, check_memory
from neurosage.rsa.backends.torch import comparisons, kendall, tiles
from neurosage.rsa.backends.torch.distances import Points
from neurosage.rsa.backends.torch.pairwise import PAIR_BYTES, Region, against, flattened, ranked
from neurosage.rsa.backends.torch.ties import merge_rounded

# Beyond this many pairs they are sampled: 10,000 stimuli; counting Kendall's takes longer.
EXACT_PAIRS = 50_000_000
KENDALL_PAIRS = 2_000_000
BATCHES = 20
FEWEST_LAGS = 10
# More pairs in a batch would tell no more of the spread between batches.
BATCH_PAIRS = 1 << 18
ROWS = 512


@dataclass(frozen=True)
class Circle:
    """Stimuli on a circle, each paired with those that follow it.

    Parameters
    ----------
    order : Tensor of int64, shape (n,)
        The stimuli, in order along the circle.
    lags : int
        How many neighbours each is paired with, from 1 to (n - 1) / 2.
    """

    order: Tensor
    lags: int

    @property
    def pairs(self) -> int:
        """How many pairs there are in the sample."""
        return len(self.order) * self.lags

    @property
    def share(self) -> float:
        """The share of all pairs that is in the sample."""
        return 2.0 * self.lags / (len(self.order) - 1)


def default_pairs(comparison: str) -> int:
    """Return the number of pairs up to which all are taken, and beyond it sampled.

    Examples
    --------
    >>> default_pairs("spearman"), default_pairs("kendall")
    (50000000, 2000000)
    """
    return KENDALL_PAIRS if comparison in kendall.COMPARISONS else EXACT_PAIRS


def sampled_pairs(n: int, pairs: int) -> int:
    """Return how many pairs are taken where about `pairs` are asked for.

    Parameters
    ----------
    n : int
        Number of stimuli.
    pairs : int
        Asked for.

    Returns
    -------
    int
        The next multiple of n, from ``10 n`` to all that a circle has.

    Examples
    --------
    >>> [sampled_pairs(n, asked) for n, asked in ((1000, 50_500), (1000, 1), (11, 1000))]
    [51000, 10000, 55]
    """
    return n * _lags(n, pairs)


def _lags(n: int, pairs: int) -> int:
    return min(max(FEWEST_LAGS, -(-pairs // n)), (n - 1) // 2)


def similarity(
    regions_a: Sequence[Region],
    regions_b: Sequence[Region],
    comparison: str,
    pairs: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """Compare every region of one side with every one of the other, over a sample of pairs.

    Parameters
    ----------
    regions_a, regions_b : sequence of Region
        Points of the same n stimuli.
    comparison : str
        One of ``comparisons.COMPARISONS``.
    pairs : int
        How many to take, about: see `sampled_pairs`. The same for all regions.
    seed : int
        Of the random order.

    Returns
    -------
    tuple of (array of float64, shape (Ka, Kb); array of float64, shape (Ka, Kb))
        Similarities, NaN where an RDM does not vary; and their standard errors as estimates of
        those over all pairs.

    Raises
    ------
    InputError
        If the sample would not fit into the memory that is free.
    """
    points = regions_a[0].points
    n = len(points.squared)
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n)).to(points.x.device)
    circle = Circle(order, _lags(n, pairs))
    check_memory(
        circle.pairs * (PAIR_BYTES + 8 * len(regions_b)),
        f"a sample of {circle.pairs} pairs of stimuli for {comparison!r} comparison",
        "Take fewer pairs: sampled_pairs.",
    )
    side_b = [_samples(region.points, comparison, circle) for region in regions_b]
    found = np.empty((1 + _batches(circle), len(regions_a), len(regions_b)))
    for row, region in enumerate(regions_a):
        for k, one in enumerate(_samples(region.points, comparison, circle)):
            found[k, row] = against(one, [samples[k] for samples in side_b], comparison)
    return found[0], _standard_errors(found[1:], circle)


def _standard_errors(batches: Floats, circle: Circle) -> Floats:
    if circle.share == 1.0:
        return np.where(np.isnan(batches[0]), np.nan, 0.0)
    if len(batches) < 2:
        return np.full_like(batches[0], np.nan)
    size = _batch_lags(circle) / circle.lags
    spread = np.asarray(batches.std(axis=0, ddof=1), dtype=np.float64)
    return spread * sqrt(size * (1.0 - circle.share))


def _batches(circle: Circle) -> int:
    return min(BATCHES, circle.lags)


def _batch_lags(circle: Circle) -> int:
    fitting = max(1, BATCH_PAIRS // len(circle.order))
    return min(circle.lags // _batches(circle), fitting)


def _samples(points: Points, comparison: str, circle: Circle) -> list[Any]:
    """Return what is compared of one region: of the whole sample, then of each batch."""
    step, width = circle.lags // _batches(circle), _batch_lags(circle)
    starts = [k * step for k in range(_batches(circle))]
    lags = [slice(None), *(slice(start, start + width) for start in starts)]
    if comparison not in comparisons.MOMENTS:
        return _ranked_samples(points, comparison, circle, lags)
    made = tiles.centring(points, comparison)
    pairs = _circle_pairs(points.x, made, circle)
    return [_unit_vector(pairs[:, each].flatten(), points, made) for each in lags]


def _ranked_samples(
    points: Points, comparison: str, circle: Circle, lags: Sequence[slice]
) -> list[Any]:
    pairs = _circle_pairs(points.x, tiles.centring(points, "cosine"), circle)
    flattened(pairs.clamp_min_(0.0))
    rounding = tiles.noise_centring(points, circle.pairs)
    if rounding is None:
        merge_rounded(pairs.view(-1))
        return [ranked(pairs[:, each].flatten(), comparison) for each in lags]
    noise = _circle_pairs(points.x[:, :0], rounding, circle)
    return [ranked(pairs[:, each].flatten(), comparison, noise[:, each].flatten()) for each in lags]


def _unit_vector(flat: Tensor, points: Points, made: tiles.Centring) -> Tensor:
    n = len(points.squared)
    # Ordered pairs of the whole RDM that each of the sample stands for; the diagonal is known.
    weight = n * (n - 1) / len(flat)
    vector = torch.cat([flat * sqrt(weight), made.diagonal])
    length = torch.linalg.vector_norm(vector, dtype=torch.float64)
    varies = bool(length > tiles.noise_length(points))
    return vector.div_(length if varies else torch.nan)


def _circle_pairs(points: Tensor, made: tiles.Centring, circle: Circle) -> Tensor:
    """Return the centred distances of the sample, a row a stimulus, a column a lag."""
    n, lags = len(circle.order), circle.lags
    around = torch.cat([circle.order, circle.order[:lags]])
    pairs = torch.empty(n, lags, dtype=points.dtype, device=points.device)
    for start in range(0, n, ROWS):
        stop = min(start + ROWS, n)
        near = around[start : stop + lags]
        x, offset = points[near], made.offset[near]
        block = torch.addmm(offset, x[: stop - start], x.T, alpha=-2.0)
        block += offset[: stop - start, None]
        # Entry (r, r + 1 + l) of the block is the pair of stimulus r at lag l + 1.
        pairs[start:stop] = block.as_strided(pairs[start:stop].shape, (len(near) + 1, 1), 1)
    return pairs
