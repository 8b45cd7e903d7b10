"""Random halves of each stimulus' repetitions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Mask: TypeAlias = npt.NDArray[np.bool_]


def halves(counts: npt.NDArray[np.int64], splits: int, seed: int) -> Iterator[Mask]:
    """Yield distinct ways to split the repetitions of every stimulus in two.

    The spare repetition of an odd number goes to either half at random. Where there are no
    more than `splits` ways, each comes once; else they are drawn without repetition.

    Parameters
    ----------
    counts : array of int, shape (stimulus,)
        Repetitions of each, 2 or more.
    splits : int
        How many are wanted.
    seed : int
        Of the draws.

    Yields
    ------
    array of bool, shape (sum of counts,)
        True for the first half; presentations of a stimulus stand together.

    Examples
    --------
    >>> [mask.tolist() for mask in halves(np.array([2, 2]), 10, seed=0)]
    [[True, False, True, False], [True, False, False, True]]
    """
    if how_many(counts) <= splits:
        yield from _all(counts)
    else:
        yield from _drawn(counts, splits, np.random.default_rng(seed))


def padded_halves(counts: npt.NDArray[np.int64], splits: int, seed: int) -> Mask:
    """Return the same splits as one array, stimuli with fewer repetitions padded.

    Parameters
    ----------
    counts, splits, seed
        As in `halves`.

    Returns
    -------
    array of bool, shape (split, stimulus, most repetitions)
        True for the first half; False for the second, and for the padding at the end.

    Examples
    --------
    >>> padded_halves(np.array([2, 3]), 100, seed=0).shape
    (6, 2, 3)
    """
    present = np.arange(counts.max()) < counts[:, None]
    masks = np.zeros((min(splits, how_many(counts)), *present.shape), bool)
    for padded, mask in zip(masks, halves(counts, splits, seed), strict=True):
        padded[present] = mask
    return masks


def how_many(counts: npt.NDArray[np.int64]) -> int:
    """Return the number of distinct splits; swapping the two halves changes nothing."""
    ways = [math.comb(int(r), int(r) // 2) * (1 + int(r) % 2) for r in counts]
    return math.prod(ways) // 2


def _all(counts: Any) -> Iterator[Mask]:
    seen: set[bytes] = set()
    for chosen in itertools.product(*(_ways(int(count)) for count in counts)):
        mask = np.concatenate(chosen)
        if _is_new(mask, seen):
            yield mask


def _ways(count: int) -> list[Mask]:
    ways = []
    for size in {count // 2, count - count // 2}:
        for members in itertools.combinations(range(count), size):
            mask = np.zeros(count, bool)
            mask[list(members)] = True
            ways.append(mask)
    return ways


def _drawn(counts: Any, splits: int, rng: np.random.Generator) -> Iterator[Mask]:
    most = int(counts.max())
    present = np.arange(most) < counts[:, None]
    # Padding sorts to the end, so a place in the order is a place among the repetitions.
    order = np.where(present, 0.0, 2.0)
    seen: set[bytes] = set()
    while len(seen) < splits:
        draws = order + rng.random(order.shape)
        size = counts // 2 + (counts % 2) * rng.integers(0, 2, len(counts))
        largest = np.take_along_axis(np.sort(draws, axis=1), size[:, None] - 1, axis=1)
        mask = (draws <= largest)[present]
        if _is_new(mask, seen):
            yield mask


def _is_new(mask: Mask, seen: set[bytes]) -> bool:
    key = np.packbits(mask if mask[0] else ~mask).tobytes()
    known = key in seen
    seen.add(key)
    return not known
