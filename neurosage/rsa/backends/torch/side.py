"""One side of a comparison: its regions, held as points or placed again block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from neurosage.rsa.backends.torch import factored
from neurosage.rsa.backends.torch.distances import Points, points_together
from neurosage.rsa.backends.torch.placing import Placing


@dataclass(frozen=True)
class Settled:
    """What is known of a region whose points are not held.

    Parameters
    ----------
    centre : Tensor of float64, shape (p,)
        Mean over stimuli of the points as they are placed.
    unit : float
        What their squared lengths are divided by.
    squared : Tensor of float64, shape (n,)
        Squared lengths of the points, centred.
    own : float
        C of the RDM with itself; NaN if it does not vary.
    """

    centre: Tensor
    unit: float
    squared: Tensor
    own: float


class Region:
    """One region on one side: its points, and what follows from them, computed once.

    Parameters
    ----------
    placing : Placing
        Its patterns.
    comparison : str
        What the side was prepared for.
    dtype : torch.dtype
        Precision of the points.
    """

    def __init__(self, placing: Placing, comparison: str, dtype: torch.dtype) -> None:
        self.comparison = comparison
        self.dtype = dtype
        self.n, self.width = placing.shape
        self.device = placing.device
        self.settled: Settled | None = None
        self.placing: Placing | None = placing
        self._points: Points | None = None

    @property
    def points(self) -> Points:
        """The points of all stimuli."""
        if self._points is None:
            hold([self])
        assert self._points is not None
        return self._points

    @property
    def is_whole(self) -> bool:
        """Whether the points are held."""
        return self._points is not None

    @property
    def is_shared(self) -> bool:
        """Whether its rows are read together with those of other regions."""
        return self.placing is not None and self.placing.is_shared

    @property
    def block_rows(self) -> int:
        """How many rows are best read, and multiplied, at once."""
        return self.n if self.placing is None else self.placing.block_rows

    def take(self, points: Points) -> None:
        """Hold these points from now on."""
        self._points = points

    def keep(self) -> None:
        """Hold the points for good, and the patterns no longer."""
        _ = self.points
        self.placing = None

    def release(self) -> None:
        """Hold the points no longer, if they can be made again."""
        if self.placing is not None:
            self._points = None
            self.__dict__.pop("_own_of_points", None)

    @property
    def squared(self) -> Tensor:
        """Squared lengths of the points, shape (n,)."""
        return self.settled.squared if self.settled else self.points.squared

    @property
    def own(self) -> float:
        """C of the RDM with itself (factored path); NaN if the RDM does not vary."""
        return self.settled.own if self.settled else self._own_of_points

    @cached_property
    def _own_of_points(self) -> float:
        points = self.points
        total = float(points.squared.sum())
        spread = factored.spread(points.squared, points.squared)
        sums = factored.Sums(factored.own_gram(points.x), spread, total, total, self.n)
        return factored.own_covariance(sums, self.comparison, torch.finfo(self.dtype).eps)

    def chunks(self, start: int, stop: int) -> Iterator[tuple[int, int, Tensor]]:
        """Yield places and points of some stimuli, float64, to be overwritten."""
        if self.placing is not None:
            yield from self.placing.chunks(start, stop)
        else:
            yield start, stop, self.points.x[start:stop].double()

    def block(self, start: int, stop: int) -> Tensor:
        """Return the centred points of some stimuli, shape (stop - start, p)."""
        if self.settled is None:
            return self.points.x[start:stop]
        block = torch.empty(stop - start, self.width, dtype=self.dtype, device=self.device)
        for low, high, chunk in self.chunks(start, stop):
            chunk.sub_(self.settled.centre).div_(self.settled.unit**0.5)
            block[low - start : high - start] = chunk
        return block


def hold(regions: Sequence[Region]) -> None:
    """Make the points of regions that do not have them, reading each block of rows for all.

    Parameters
    ----------
    regions : sequence of Region
        Changed in place.
    """
    lacking = [(each, each.placing) for each in regions if not each.is_whole]
    placings = [placing for _, placing in lacking if placing is not None]
    if not placings:
        return
    made = points_together(placings, lacking[0][0].dtype)
    for (region, _), points in zip(lacking, made, strict=True):
        region.take(points)


class Side:
    """Several regions over the same stimuli, prepared for one comparison.

    Parameters
    ----------
    regions : sequence of Region, or of what a comparison without RDM prepares
        At least one.
    distance, comparison : str
        What they were prepared for.
    """

    def __init__(self, regions: Sequence[Region], distance: str, comparison: str) -> None:
        self.regions = tuple(regions)
        self.distance = distance
        self.comparison = comparison

    @property
    def widths(self) -> list[int]:
        """Neuroids of each region."""
        return [region.width for region in self.regions]

    @property
    def is_whole(self) -> bool:
        """Whether the points of all regions are held."""
        return all(region.is_whole for region in self.regions)

    @cached_property
    def stacked(self) -> Tensor:
        """The points of all regions side by side."""
        return torch.cat([region.points.x for region in self.regions], dim=1)

    @cached_property
    def lengths(self) -> Tensor:
        """Squared lengths of all regions' points about their means, shape (n, K), float64."""
        squared = torch.stack([region.squared for region in self.regions], dim=1)
        return squared - squared.mean(0)

    def block(self, start: int, stop: int) -> Tensor:
        """Return points of some stimuli side by side, the columns of `lengths` after them."""
        parts = [region.block(start, stop) for region in self.regions]
        return torch.cat([*parts, self.lengths[start:stop].to(parts[0].dtype)], dim=1)
