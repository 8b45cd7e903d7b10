"""The factored path in one pass over blocks of stimuli, for points that are not held.

Points are placed about a provisional centre c, that of a sample. With x_i such a point, δ the
mean of all of them and ``a'_i = ‖x_i‖²``, what the true centre would give follows at the end:

- ``Σ (x_i - δ)(x_i - δ)ᵀ = Σ x_i x_iᵀ - n δδᵀ``
- ``a_i = a'_i - 2 δ·x_i + ‖δ‖²``, so ``Σ (a_i - ā)(b_i - b̄)`` needs ``Σ x_i (b_i - b̄)``, and
  that of a with itself ``Σ x_i (a'_i - ā')`` and ``δᵀ Σ (x_i - δ)(x_i - δ)ᵀ δ``.

The other side's points y_i are centred exactly, so ``Σ x_i y_iᵀ`` needs no correction. Where the
sample was far off, as if the first stimuli were of another kind, the pass is made again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.backends.torch import factored
from neurosage.rsa.backends.torch.accumulated import Product, UpperProduct
from neurosage.rsa.backends.torch.distances import SAME
from neurosage.rsa.backends.torch.side import Region, Settled, Side

SAMPLE = 256
SLICES = 8
# What products of regions that are read together may take.
GROUP_BYTES = 1 << 28
# How far, in mean lengths, a centre may be off, and a unit, before a pass is made again.
OFF, UNIT_OFF = 5.0, 1e6
PASSES = 3


class Running:
    """The sums of one region, growing block by block.

    Parameters
    ----------
    region : Region
        Its points are placed as they are needed.
    centre : Tensor of float64, shape (p,)
        Taken from every point.
    unit : float
        Divides squared lengths.
    others : int
        Columns of the other side; 0 if there is none.
    multiplies : bool
        Whether products are wanted; else only means and lengths.
    """

    def __init__(
        self, region: Region, centre: Tensor, unit: float, others: int, *, multiplies: bool = True
    ) -> None:
        self.region, self.centre, self.unit = region, centre, unit
        p, device = region.width, region.device
        self.squared = torch.empty(region.n, dtype=torch.float64, device=device)
        self.sum = torch.zeros(p, dtype=torch.float64, device=device)
        self.weighted = torch.zeros(p, dtype=torch.float64, device=device)
        self.own = UpperProduct(p, region.dtype, device) if multiplies else None
        self.cross = Product((p, others), region.dtype, device) if others else None

    def add(self, start: int, stop: int, y: Tensor | None, buffer: Tensor) -> None:
        """Take in the stimuli from `start` to `stop`, `y` those of the other side."""
        x = buffer[: (stop - start) * self.region.width].view(stop - start, -1)
        for low, high, chunk in self.region.chunks(start, stop):
            chunk.sub_(self.centre).div_(self.unit**0.5)
            squared = torch.linalg.vector_norm(chunk, dim=1).square_()
            self.squared[low:high] = squared
            self.sum += chunk.sum(0)
            self.weighted += squared @ chunk
            x[low - start : high - start] = chunk
        if self.own is not None:
            self.own.add(x)
        if self.cross is not None and y is not None:
            self.cross.add(x, y)

    @property
    def shift(self) -> Tensor:
        """δ: how far the points' mean is from the centre, shape (p,)."""
        return self.sum / self.region.n

    @property
    def total(self) -> float:
        """A: the sum of squared lengths about the true centre."""
        return float(self.squared.sum()) - self.region.n * float(self.shift @ self.shift)

    @property
    def is_flat(self) -> bool:
        """Whether all patterns are one and the same."""
        mean = self.centre + self.shift * self.unit**0.5
        return self.unit * self.total <= SAME * self.region.n * float(mean @ mean)

    @property
    def is_trusted(self) -> bool:
        """Whether rounding is as small as it would be about the true centre, in the true unit."""
        if self.is_flat:
            return True
        mean = self.total / self.region.n
        near = float(self.shift @ self.shift) <= OFF**2 * mean
        return near and 1.0 / UNIT_OFF <= mean <= UNIT_OFF

    def moved(self, *, multiplies: bool = True) -> Running:
        """Return empty sums about the centre found, in the unit found."""
        unit = self.unit * self.total / self.region.n
        centre = self.centre + self.shift * self.unit**0.5
        others = 0 if self.cross is None else self.cross.shape[1]
        usable = unit if 0.0 < unit < float("inf") else 1.0
        return Running(self.region, centre, usable, others, multiplies=multiplies)

    def own_covariance(self) -> float:
        """C of the RDM with itself; NaN if it does not vary."""
        assert self.own is not None
        if self.is_flat:
            return float("nan")
        n, shift = self.region.n, self.shift
        gram, along = self.own.centred_squares(shift, n)
        mixed = self.weighted - self.squared.mean() * self.sum
        spread = factored.spread(self.squared, self.squared)
        spread += 4.0 * (along - float(shift @ mixed))
        sums = factored.Sums(gram, spread, self.total, self.total, n)
        precision = torch.finfo(self.region.dtype).eps
        return factored.own_covariance(sums, self.region.comparison, precision)

    def similarities(self, side: Side) -> list[float]:
        """Return the similarities to the regions of the other side."""
        assert self.cross is not None
        n, own = self.region.n, self.own_covariance()
        count = len(side.regions)
        cross = self.cross.total()
        squares = factored.column_squares(cross[:, :-count]).split_with_sizes(side.widths)
        spreads = self.squared @ side.lengths - 2.0 * (self.shift @ cross[:, -count:])
        row = []
        for region, gram, spread in zip(side.regions, squares, spreads.tolist(), strict=True):
            total = float(region.squared.sum())
            sums = factored.Sums(float(gram.sum()), spread, self.total, total, n)
            shared = factored.covariance(sums, self.region.comparison)
            row.append(shared / (own * region.own) ** 0.5)
        return row


def similarity(regions: Sequence[Region], side: Side) -> Floats:
    """Compare regions with those of a side, in as few passes over their rows as memory allows.

    Parameters
    ----------
    regions : sequence of Region
        Of one side.
    side : Side
        The other; regions whose points it does not hold are placed again, block by block.

    Returns
    -------
    array of float64, shape (len(regions), len(side.regions))
        Similarities; NaN where an RDM does not vary.
    """
    settle([each for each in side.regions if not (each.is_whole or each.settled)])
    others = sum(side.widths) + len(side.regions)
    rows: list[list[float]] = []
    for group in _groups(regions, others):
        running = [Running(each, *_provisional(each), others) for each in group]
        rows += [each.similarities(side) for each in _trusted(running, side)]
    return np.array(rows)


def settle(regions: Sequence[Region]) -> None:
    """Find, once, the centres and squared lengths of regions whose points are not held.

    Parameters
    ----------
    regions : sequence of Region
        Changed in place.
    """
    for group in _groups(regions, 0):
        first = [Running(each, *_provisional(each), 0, multiplies=False) for each in group]
        _sweep(first, None)
        for done in _trusted([each.moved() for each in first], None):
            region, flat = done.region, done.is_flat
            squared = done.squared.zero_() if flat else done.squared
            own = float("nan") if flat else done.own_covariance()
            region.settled = Settled(done.centre, done.unit, squared, own)


def _trusted(running: Sequence[Running], side: Side | None) -> list[Running]:
    found: dict[int, Running] = {}
    left = dict(enumerate(running))
    for _ in range(PASSES):
        _sweep(list(left.values()), side)
        found |= left
        left = {k: each.moved() for k, each in left.items() if not each.is_trusted}
    return [found[k] for k in range(len(running))]


def _sweep(running: Sequence[Running], side: Side | None) -> None:
    if not running:
        return
    n, step = running[0].region.n, min(each.region.block_rows for each in running)
    widest = max(each.region.width for each in running)
    region = running[0].region
    buffer = torch.empty(min(step, n) * widest, dtype=region.dtype, device=region.device)
    for start in range(0, n, step):
        stop = min(start + step, n)
        y = None if side is None else side.block(start, stop)
        for each in running:
            each.add(start, stop, y, buffer)


def _provisional(region: Region) -> tuple[Tensor, float]:
    """Return the centre of a sample, and its mean squared distance from it."""
    if region.is_shared:  # the first block, which is then read already
        spans = [(0, min(region.block_rows, region.n))]
    else:
        length = max(1, min(SAMPLE, region.n) // SLICES)
        starts = np.linspace(0, region.n - length, SLICES).astype(int).tolist()
        spans = [(start, start + length) for start in starts]
    rows = torch.cat([chunk.clone() for span in spans for *_, chunk in region.chunks(*span)])
    centre = rows.mean(0)
    about = float((rows - centre).square_().sum(1).mean())
    unit = about or float(rows.square().sum(1).mean())
    return centre, unit if 0.0 < unit < float("inf") else 1.0


def _groups(regions: Sequence[Region], others: int) -> Iterator[list[Region]]:
    """Cut regions into groups read together; those in memory one by one, which is faster."""
    group: list[Region] = []
    held = 0
    for region in regions:
        size = region.dtype.itemsize * region.width * (region.width + others)
        if group and (not region.is_shared or held + size > GROUP_BYTES):
            yield group
            group, held = [], 0
        group.append(region)
        held += size
    if group:
        yield group
