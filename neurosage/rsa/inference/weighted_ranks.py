"""Rank similarities under resampled stimuli: each RDM is sorted once, ranks are weighted sums.

A pair of stimuli drawn w_i and w_j times is there ω = w_i w_j times, and one within a group that
is drawn w times, w times. In the order of the
distances its rank is what lies below it and the middle of itself, ``cumsum(ω) - (ω - 1)/2``;
ties share the middle of their group. So no resample sorts anything again.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import local
from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats, check_memory
from neurosage.rsa.inference.squares import Squares

COMPARISONS = ("spearman", "rho-a")
ROUNDING = 1e-12
EXACT = 1 << 22  # float32 holds ranks up to here, and their halves, exactly
BLOCK = 1 << 14  # products of float32 that are added before float64 takes over
BYTES = 20  # of a pair: order, group, weight, rank


class RankedOnce:
    """One RDM's pairs in the order of their distances.

    Parameters
    ----------
    pairs : array of float64, shape (m,)
        The distances.
    """

    def __init__(self, pairs: Floats) -> None:
        import torch

        order = np.argsort(pairs, kind="stable")
        ordered = pairs[order]
        new = np.empty(len(pairs), bool)
        new[:1] = True
        np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
        dense = np.empty(len(pairs), np.int32)
        dense[order] = np.cumsum(new, dtype=np.int32) - 1
        self._order = torch.from_numpy(order.astype(np.int32))
        self._dense = torch.from_numpy(dense)
        starts = np.append(np.flatnonzero(new), len(pairs))
        self._edges = None if new.all() else starts
        size = max(abs(float(ordered[0])), abs(float(ordered[-1])))
        self.varies = bool(ordered[-1] - ordered[0] > ROUNDING * size)

    def centred(self, room: Room) -> Any:
        """Return weighted mid-ranks less their mean, in units of their number.

        Parameters
        ----------
        room : Room
            Holds how often each pair is there.

        Returns
        -------
        array, shape (m,)
            In [-1/2, 1/2]; of no meaning where the weight is 0. In the room's memory.
        """
        import torch

        # Torch where it is fast in one thread, numpy where torch would call for several.
        torch.index_select(room.weights, 0, self._order, out=room.ordered)
        torch.cumsum(room.ordered, 0, out=room.below[1:])
        below = room.below.numpy()
        edges = below if self._edges is None else below[self._edges]
        many = float(below[-1])
        middle = room.ordered[: len(edges) - 1]
        np.add(edges[1:], edges[:-1], out=middle.numpy())
        np.subtract(middle.numpy(), many, out=middle.numpy())
        np.multiply(middle.numpy(), 0.5 / max(many, 1.0), out=middle.numpy())
        torch.index_select(middle, 0, self._dense, out=room.ranks)
        return room.ranks.numpy()


class Room:
    """Memory that one thread uses again for every resample: taking it anew costs more.

    Parameters
    ----------
    pairs : int
        How many, m.
    columns : int
        RDMs of the second side.
    most : float
        The largest sum of weights.
    within : tuple of two array of int, optional
        Which pairs are within a group, from `pairs_within`.
    """

    def __init__(self, pairs: int, columns: int, most: float, within: Any = None) -> None:
        import torch

        dtype = torch.float32 if most < EXACT else torch.float64
        self.weights, self.ordered, self.ranks = (torch.empty(pairs, dtype=dtype) for _ in "wor")
        self.below = torch.zeros(pairs + 1, dtype=dtype)
        self.within = within
        self.roots = np.empty_like(self.weights.numpy())
        self.others = np.empty((columns, pairs), self.roots.dtype)

    def draw(self, stimuli: Floats) -> float:
        """Weigh the pairs, in the order of ``numpy.triu_indices``, and return their number."""
        weights, filled, n = self.weights.numpy(), 0, len(stimuli)
        stimuli = stimuli.astype(weights.dtype)
        for row in range(n - 1):
            part = weights[filled : filled + n - 1 - row]
            np.multiply(stimuli[row + 1 :], stimuli[row], out=part)
            filled += n - 1 - row
        if self.within is not None:
            places, of = self.within
            weights[places] = stimuli[of]
        np.sqrt(weights, out=self.roots)
        return float(weights.sum(dtype=np.float64))


def pairs_within(member: Any) -> tuple[Any, Any]:
    """Return the pairs of stimuli of one group, in the order of ``numpy.triu_indices``.

    Parameters
    ----------
    member : array of int, shape (n,)
        The group of each stimulus.

    Returns
    -------
    tuple of two array of int
        Their places among all pairs, and the first stimulus of each.

    Examples
    --------
    >>> [each.tolist() for each in pairs_within(np.array([0, 1, 0]))]
    [[1], [0]]
    """
    rows, columns = np.triu_indices(len(member), 1)
    places = np.flatnonzero(member[rows] == member[columns])
    return places, rows[places]


def by_ranks(
    a: Squares, b: Squares, weights: Floats, comparison: str, member: Any = None
) -> Floats:
    """Compare all RDMs of two sides by ranks under every resample of the stimuli.

    Parameters
    ----------
    a, b : Squares
        Ka and Kb RDMs of the same n stimuli.
    weights : array of float64, shape (B, n)
        Multiplicities, 0 or more.
    comparison : {"spearman", "rho-a"}
        Over the pairs of different stimuli, each as often as it was drawn.
    member : array of int, shape (n,), optional
        The group of each stimulus, where groups are drawn; they share their weights.

    Returns
    -------
    array of float64, shape (B, Ka, Kb)
        In [-1, 1]; NaN where all distances that were drawn are tied.

    Raises
    ------
    InputError
        If the order of all pairs does not fit into memory.

    References
    ----------
    Schütt et al. 2023, "Statistical inference on representational geometries" (``rho-a``).

    Examples
    --------
    >>> from neurosage.rsa.inference.squares import Held
    >>> x = np.array([[[0.0, 1, 2], [1, 0, 4], [2, 4, 0]]])
    >>> by_ranks(Held(x), Held(x**2), np.ones((1, 3)), "spearman").round(6)
    array([[[1.]]])
    """
    n = a.n
    pairs = n * (n - 1) // 2
    check_memory(
        BYTES * pairs * (len(a) + len(b)),
        f"the order of the pairs of {n} stimuli in {len(a) + len(b)} RDMs",
        "Take fewer stimuli with select, or comparison='pearson', which sorts nothing.",
    )
    rows, columns = np.triu_indices(n, 1)
    sides = [[RankedOnce(square[rows, columns]) for square in side] for side in (a, b)]
    most = float(np.square(weights.sum(1)).max(initial=0.0)) / 2.0
    within = None if member is None else pairs_within(member)
    found = np.empty((len(weights), len(a), len(b)))
    # Each resample in one thread: several that meet after every small step would wait more.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        own = local()

        def resample(k: int) -> None:
            if not hasattr(own, "room"):
                own.room = Room(pairs, len(b), most, within)
            found[k] = _resample(sides[0], sides[1], weights[k], own.room, comparison)

        list(pool.map(resample, range(len(weights))))
    return found


def _resample(
    a: list[RankedOnce], b: list[RankedOnce], stimuli: Floats, room: Room, comparison: str
) -> Floats:
    many = room.draw(stimuli)
    for other, side in zip(room.others, b, strict=True):
        np.multiply(side.centred(room), room.roots, out=other)
    sums, own_a = np.empty((len(a), len(b))), np.empty(len(a))
    for k, side in enumerate(a):
        mine = side.centred(room)
        mine *= room.roots
        sums[k], own_a[k] = _dots(room.others, mine), _dots(mine[None], mine)[0]
    own_b = np.array([_dots(each[None], each)[0] for each in room.others])
    for own, sides in ((own_a, a), (own_b, b)):
        flat = (own <= ROUNDING * many) | [not side.varies for side in sides]
        own[flat] = np.nan
    size = np.sqrt(np.outer(own_a, own_b))
    if comparison == "rho-a":
        # Ranks are in units of their number m, so (m³ - m)/12 is this; NaN stays.
        size = np.where(np.isnan(size), np.nan, (many - 1.0 / max(many, 1.0)) / 12.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(sums / size, -1.0, 1.0)


def _dots(many: Any, one: Any) -> Floats:
    """Return the dots of rows with one vector, blocks of them summed in float64."""
    total = np.zeros(len(many))
    for start in range(0, len(one), BLOCK):
        part = slice(start, start + BLOCK)
        total += np.einsum("kp,p->k", many[:, part], one[part])
    return total
