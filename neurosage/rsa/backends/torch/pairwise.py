"""All pairs of stimuli, without an RDM of every region beside every other's.

Comparisons that are sums over pairs are added up tile by tile: what is held at once is a tile a
region. Ranks need whole RDMs: those of one side are held (in groups that fit, and for as long as
its regions live, so that a teacher is ranked once), those of the other come one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from neurosage.rsa.backends.base import Floats, check_memory
from neurosage.rsa.backends.torch import comparisons, kendall, tiles
from neurosage.rsa.backends.torch.distances import Points
from neurosage.rsa.backends.torch.ties import merge_rounded

# Tiles of at most this many regions of one side are held at once.
GROUP = 16
# As many products are added up in the points' own precision.
CHUNK = 1 << 12
# What ranked RDMs of one side may take beside each other.
HELD_BYTES = 2 << 30
# The distances of one region, their bits, order, ranks and the copies made on the way.
PAIR_BYTES = 48


class Region(Protocol):
    """What the pairs of a region are made from."""

    @property
    def points(self) -> Points:
        """The points of all stimuli."""


_held: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def similarity(regions_a: Sequence[Region], regions_b: Sequence[Region], comparison: str) -> Floats:
    """Compare every region of one side with every one of the other, over all pairs.

    Parameters
    ----------
    regions_a, regions_b : sequence of Region
        Points of the same n stimuli. Ranked RDMs of `regions_b` are kept while they live.
    comparison : str
        One of ``comparisons.COMPARISONS``.

    Returns
    -------
    array of float64, shape (Ka, Kb)
        In [-1, 1] but for rounding; NaN where an RDM does not vary.

    Raises
    ------
    InputError
        If the ranks of one RDM would not fit into the memory that is free.
    """
    if comparison in comparisons.MOMENTS:
        groups = range(0, len(regions_a), GROUP)
        rows = [_over_tiles(regions_a[k : k + GROUP], regions_b, comparison) for k in groups]
        return np.concatenate(rows)
    _check_fits(regions_b, comparison)
    result = np.empty((len(regions_a), len(regions_b)))
    for columns in _groups(regions_b):
        ranked = [_kept(region, comparison) for region in regions_b[columns]]
        for row, region in enumerate(regions_a):
            result[row, columns] = against(
                _ranked_pairs(region.points, comparison), ranked, comparison
            )
    return result


def _over_tiles(
    regions_a: Sequence[Region], regions_b: Sequence[Region], comparison: str
) -> Floats:
    sides = [[each.points for each in side] for side in (regions_a, regions_b)]
    made = [[tiles.centring(points, comparison) for points in side] for side in sides]
    n, device = len(sides[0][0].squared), sides[0][0].x.device
    sums = torch.zeros(len(regions_a), len(regions_b), dtype=torch.float64, device=device)
    own = [torch.zeros(len(side), dtype=torch.float64, device=device) for side in sides]
    size = min(n, tiles.SIDE) ** 2
    memory = [side[0].x.new_empty(len(side), size) for side in sides]
    for rows, columns in tiles.tile_places(n):
        weight = 1.0 if rows == columns else 2.0
        for points, how, part in zip(chain(*sides), chain(*made), chain(*memory), strict=True):
            tile = tiles.centred_tile(points.x, how, rows, columns, part)
        flat = [part[:, : tile.numel()] for part in memory]
        sums += weight * _dots(flat[0], flat[1])
        for k, part in enumerate(flat):
            own[k] += weight * torch.linalg.vector_norm(part, dim=1, dtype=torch.float64) ** 2
    lengths = [_lengths(total, side) for total, side in zip(own, sides, strict=True)]
    return np.asarray((sums / lengths[0][:, None] / lengths[1]).cpu())


def _dots(flat_a: Tensor, flat_b: Tensor) -> Tensor:
    """Return the dots of rows, added up in float64: a million float32 terms lose four digits."""
    chunks = zip(torch.split(flat_a, CHUNK, 1), torch.split(flat_b, CHUNK, 1), strict=True)
    return torch.stack([a @ b.T for a, b in chunks]).sum(0, dtype=torch.float64)


def _lengths(own: Tensor, side: Sequence[Points]) -> Tensor:
    """Return the lengths of centred RDMs; NaN where that is no more than rounding."""
    floor = torch.stack([tiles.noise_length(points) for points in side])
    return torch.where(own > floor**2, own.sqrt(), torch.nan)


def _check_fits(regions: Sequence[Region], comparison: str) -> None:
    pairs, held = _pairs(regions[0]), _pairs(regions[0]) * _bytes(regions[0]) * len(regions)
    check_memory(
        PAIR_BYTES * pairs + min(held, max(HELD_BYTES, held // len(regions))),
        f"the pairs of {len(regions[0].points.squared)} stimuli for {comparison!r} comparison",
        "Take fewer stimuli, or comparison='pearson', which needs no pairs.",
    )


def _pairs(region: Region) -> int:
    n = len(region.points.squared)
    return n * (n - 1) // 2


def _bytes(region: Region) -> int:
    return max(8, region.points.x.element_size())


def _groups(regions: Sequence[Region]) -> Iterator[slice]:
    size = max(1, HELD_BYTES // (_pairs(regions[0]) * _bytes(regions[0])))
    return (slice(start, start + size) for start in range(0, len(regions), size))


def _kept(region: Region, comparison: str) -> Any:
    kept = _held.setdefault(region, {})
    if comparison not in kept:
        kept[comparison] = _ranked_pairs(region.points, comparison)
    return kept[comparison]


def _ranked_pairs(points: Points, comparison: str) -> Any:
    distances, noise = flattened(tiles.pair_distances(points)), tiles.pair_noise(points)
    return ranked(distances if noise is not None else merge_rounded(distances), comparison, noise)


def ranked(distances: Tensor, comparison: str, noise: Tensor | None = None) -> Any:
    """Return distances made ready for a comparison by ranks.

    Parameters
    ----------
    distances : Tensor, shape (m,)
        Of some pairs.
    comparison : str
        One by ranks.
    noise : Tensor, shape (m,), optional
        Rounding of each: neighbours in order that differ by no more are tied.

    Returns
    -------
    Tensor or kendall.Ordered
        What `against` takes.
    """
    if comparison in kendall.COMPARISONS:
        return kendall.order_distances(distances, noise)
    return comparisons.scaled_ranks(distances, comparison, noise)


def flattened(distances: Tensor) -> Tensor:
    """Return distances, all 0 in place if they differ by no more than rounding.

    Parameters
    ----------
    distances : Tensor
        At least 0.

    Returns
    -------
    Tensor
        The same one.

    Examples
    --------
    >>> flattened(torch.tensor([1.0, 1.0 + 1e-7])).tolist()
    [0.0, 0.0]
    """
    low, high = (float(edge) for edge in torch.aminmax(distances))
    rounding = 10.0 * torch.finfo(distances.dtype).eps
    return distances.zero_() if high - low <= rounding * high else distances


def against(one: Any, others: Sequence[Any], comparison: str) -> Floats:
    """Return the similarities of one RDM with several, all made ready for a comparison.

    Parameters
    ----------
    one : Tensor or kendall.Ordered
        A vector whose dots are similarities, or the order of distances.
    others : sequence of the same
        Over the same pairs.
    comparison : str
        One of ``comparisons.COMPARISONS``.

    Returns
    -------
    array of float64, shape (len(others),)
        One similarity each.
    """
    if comparison in kendall.COMPARISONS:
        return np.array([kendall.tau(one, other, comparison) for other in others])
    return comparisons.dots(one, others)
