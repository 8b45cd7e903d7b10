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
    stimulus = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    seen: set[bytes] = set()
    while len(seen) < splits:
        order = np.lexsort((rng.random(len(stimulus)), stimulus))
        place = np.empty(len(stimulus), np.int64)
        place[order] = np.arange(len(stimulus)) - starts[stimulus]
        first = counts // 2 + (counts % 2) * rng.integers(0, 2, len(counts))
        mask = place < first[stimulus]
        if _is_new(mask, seen):
            yield mask


def _is_new(mask: Mask, seen: set[bytes]) -> bool:
    key = np.packbits(mask if mask[0] else ~mask).tobytes()
    known = key in seen
    seen.add(key)
    return not known
