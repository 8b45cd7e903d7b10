"""TorchBackend: the factored path where there is one and it is cheaper, pairs elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats, Patterns, check_memory
from neurosage.rsa.backends.torch import comparisons, distances, factored
from neurosage.rsa.backends.torch.distances import Points

DTYPES = {"float32": torch.float32, "float64": torch.float64}
# A pass over a pair costs about as much as this many multiplications of a product.
PAIR_COST = 20
# Distances, their order, ranks and the copies made on the way.
PAIR_BYTES = 48


class Region:
    """One region on one side: its points, and what follows from them, computed once."""

    def __init__(self, points: Points, comparison: str) -> None:
        self.points = points
        self.comparison = comparison

    @property
    def width(self) -> int:
        """The number of neuroids."""
        return self.points.x.shape[1]

    @cached_property
    def own(self) -> float:
        """C of the RDM with itself (factored path); NaN if the RDM does not vary."""
        x, squared = self.points.x, self.points.squared
        gram = factored.own_gram(x)
        total = torch.tensor(gram, dtype=torch.float64, device=x.device)
        own = float(factored.covariance(total, squared, squared, self.comparison))
        return own if factored.varies(own, gram, torch.finfo(x.dtype).eps) else float("nan")

    @cached_property
    def unit(self) -> Tensor:
        """The RDM as a unit vector over pairs (pairwise path)."""
        points = self.points
        n = len(points.squared)
        check_memory(
            PAIR_BYTES * n * (n - 1) // 2,
            f"the pairs of {n} stimuli for {self.comparison!r} comparison",
            "Take fewer stimuli, or comparison='pearson', which needs no pairs.",
        )
        rounding = 10.0 * torch.finfo(points.x.dtype).eps
        return comparisons.unit_vector(distances.condensed(points), self.comparison, rounding)


class Side:
    """Several regions over the same stimuli, prepared for one comparison."""

    def __init__(self, regions: Sequence[Region], distance: str, comparison: str) -> None:
        self.regions = tuple(regions)
        self.distance = distance
        self.comparison = comparison

    @cached_property
    def stacked(self) -> Tensor:
        """The points of all regions side by side."""
        return torch.cat([region.points.x for region in self.regions], dim=1)

    @property
    def widths(self) -> list[int]:
        """Neuroids of each region."""
        return [region.width for region in self.regions]


class TorchBackend:
    """RDMs and comparisons on PyTorch.

    Parameters
    ----------
    device : str
        Where to compute, such as ``"cpu"`` or ``"cuda"``.
    dtype : {"float32", "float64"}
        Precision of the matrix products; patterns are centred, and sums are taken, in
        float64 either way. float32 agrees with float64 to about 1e-6.

    Raises
    ------
    InputError
        If the device is not there or the dtype is neither of the two.

    Examples
    --------
    >>> backend = TorchBackend(dtype="float64")
    >>> backend.rdm(np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 3.0]]), "euclidean")
    array([1., 2., 5.])
    """

    name = "torch"
    distances = distances.DISTANCES
    comparisons = comparisons.COMPARISONS

    def __init__(self, device: str = "cpu", dtype: str = "float32") -> None:
        if dtype not in DTYPES:
            raise unknown("dtype", dtype, DTYPES)
        self.device = _check_device(device)
        self.dtype = dtype

    @property
    def version(self) -> str:
        """Package, version, device and precision."""
        return f"torch {torch.__version__} {self.device} {self.dtype}"

    def __repr__(self) -> str:
        return f"TorchBackend(device={str(self.device)!r}, dtype={self.dtype!r})"

    def _points(self, patterns: Patterns, distance: str) -> Points:
        return distances.make_points(patterns, distance, DTYPES[self.dtype], self.device)

    def rdm(self, patterns: Patterns, distance: str) -> Floats:
        """Return the upper triangle of one RDM; see `Backend.rdm`."""
        return distances.condensed(self._points(patterns, distance)).cpu().numpy()

    def prepare(self, patterns: Iterable[Patterns], distance: str, comparison: str) -> Side:
        """Return one side of a comparison; see `Backend.prepare`."""
        regions = [Region(self._points(each, distance), comparison) for each in patterns]
        return Side(regions, distance, comparison)

    def path(self, side_a: Side, side_b: Side) -> str:
        """Name the ways taken: ``factored``, ``pairwise``, or both."""
        ways = {_factors(region, side_b) for region in side_a.regions}
        return " and ".join(
            {True: "factored", False: "pairwise"}[way] for way in sorted(ways)[::-1]
        )

    def similarity(self, side_a: Side, side_b: Side, comparison: str) -> Floats:
        """Return the similarities of all regions; see `Backend.similarity`."""
        _check_sides(side_a, side_b, comparison)
        result = np.empty((len(side_a.regions), len(side_b.regions)))
        for row, region in enumerate(side_a.regions):
            way = _factored_row if _factors(region, side_b) else _pairwise_row
            result[row] = way(region, side_b)
        return np.clip(result, -1.0, 1.0)

    def compare(self, rdms_a: Floats, rdms_b: Floats, comparison: str) -> Floats:
        """Return the similarities of RDMs; see `Backend.compare`."""
        side_b = [self._unit(rdm, comparison) for rdm in rdms_b]
        result = np.empty((len(rdms_a), len(side_b)))
        for row, rdm in enumerate(rdms_a):
            unit = self._unit(rdm, comparison)
            result[row] = [float(unit @ other) for other in side_b]
        return np.clip(result, -1.0, 1.0)

    def _unit(self, rdm: Floats, comparison: str) -> Tensor:
        distances = torch.tensor(np.asarray(rdm), dtype=torch.float64, device=self.device)
        return comparisons.unit_vector(distances, comparison)


def _factors(region: Region, side: Side) -> bool:
    """Tell whether the factored path exists and costs less than the pairs."""
    if side.comparison not in factored.COMPARISONS:
        return False
    n, p = region.points.x.shape
    return p * (p + 2 * sum(side.widths)) < n * (p + PAIR_COST * len(side.regions))


def _factored_row(region: Region, side: Side) -> list[float]:
    points = region.points
    grams = factored.cross_gram(points.x, side.stacked, side.widths)
    row = []
    for gram, other in zip(grams, side.regions, strict=True):
        shared = factored.covariance(gram, points.squared, other.points.squared, side.comparison)
        row.append(float(shared) / (region.own * other.own) ** 0.5)
    return row


def _pairwise_row(region: Region, side: Side) -> list[float]:
    return [float(region.unit @ other.unit) for other in side.regions]


def _check_sides(side_a: Side, side_b: Side, comparison: str) -> None:
    made = {(side.distance, side.comparison) for side in (side_a, side_b)}
    if len(made) > 1 or side_a.comparison != comparison:
        raise InputError(f"sides prepared for {sorted(made)} cannot be compared by {comparison!r}.")


def _check_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, dtype=torch.float64, device=device)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise InputError(
            f"device {name!r} cannot compute here ({str(error).splitlines()[0]}); "
            "use device='cpu', or 'cuda' where PyTorch sees a GPU."
        ) from error
    return device
