"""TorchBackend: the factored path where there is one and it is cheaper, pairs elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Compared, Floats, Patterns
from neurosage.rsa.backends.torch import (
    comparisons,
    distances,
    factored,
    pairwise,
    representations,
    sampled,
    streamed,
)
from neurosage.rsa.backends.torch.paths import Paths
from neurosage.rsa.backends.torch.placing import Placing
from neurosage.rsa.backends.torch.side import Region, Side, hold

DTYPES = {"float32": torch.float32, "float64": torch.float64}
# Points of a side that take no more than this are held; beyond it they are placed again.
HELD_BYTES = 1 << 27


class TorchBackend:
    """RDMs and comparisons on PyTorch.

    Parameters
    ----------
    device : str
        Where to compute, such as ``"cpu"`` or ``"cuda"``.
    dtype : {"float32", "float64"}
        Precision of the matrix products; patterns are centred, and sums are taken, in
        float64 either way. float32 agrees with float64 to about 1e-6.
    path : {"auto", "factored", "pairwise", "sampled"}
        ``factored`` forms no RDM, and is linear in stimuli: for pearson, cosine, corr_cov,
        cosine_cov, cka and cka_unbiased. ``pairwise`` takes all pairs of stimuli, ``sampled``
        a random sample of them, with its standard error. ``auto`` takes the cheaper of those
        that are exact, and samples for a comparison of ranks beyond `exact_pairs`.
    exact_pairs : int, optional
        Pairs up to which ranks are compared over all of them; 50 million if omitted (10,000
        stimuli), for Kendall's 2 million.
    sampled_pairs : int, optional
        How many pairs to sample beyond; as `exact_pairs` if omitted.
    seed : int
        Of the sample.

    Raises
    ------
    InputError
        If the device is not there, or an argument is none of these.

    Examples
    --------
    >>> backend = TorchBackend(dtype="float64")
    >>> backend.rdm(np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 3.0]]), "euclidean")
    array([1., 2., 5.])
    """

    name = "torch"
    distances = distances.DISTANCES
    comparisons = (*comparisons.COMPARISONS, *representations.COMPARISONS)

    def __init__(
        self,
        device: str = "cpu",
        dtype: str = "float32",
        path: str = "auto",
        *,
        exact_pairs: int | None = None,
        sampled_pairs: int | None = None,
        seed: int = 0,
    ) -> None:
        if dtype not in DTYPES:
            raise unknown("dtype", dtype, DTYPES)
        self.device = _check_device(device)
        self.dtype = dtype
        self.paths = Paths(path, exact_pairs, sampled_pairs, seed)

    @property
    def version(self) -> str:
        """Package, version, device and precision."""
        return f"torch {torch.__version__} {self.device} {self.dtype}"

    def __repr__(self) -> str:
        return f"TorchBackend(device={str(self.device)!r}, dtype={self.dtype!r}{self.paths})"

    def rdm(self, patterns: Patterns, distance: str) -> Floats:
        """Return the upper triangle of one RDM; see `Backend.rdm`."""
        points = distances.make_points(patterns, distance, DTYPES[self.dtype], self.device)
        return distances.condensed(points).cpu().numpy()

    def prepare(self, patterns: Iterable[Patterns], distance: str, comparison: str) -> Side:
        """Return one side of a comparison; see `Backend.prepare`.

        Raises
        ------
        InputError
            If a path was asked for that the comparison does not have.
        """
        self.paths.check(comparison)
        if comparison in representations.COMPARISONS:
            made = [representations.represent(f, comparison, self.device) for f in patterns]
            return Side(made, distance, comparison)  # type: ignore[arg-type]
        regions, held = [], 0
        for each in patterns:
            region = Region(Placing(each, distance, self.device), comparison, DTYPES[self.dtype])
            size = region.n * region.width * region.dtype.itemsize
            if held + size <= HELD_BYTES and not region.is_shared:
                region.keep()
                held += size
            regions.append(region)
        return Side(regions, distance, comparison)

    def similarity(self, side_a: Side, side_b: Side, comparison: str) -> Compared:
        """Compare all regions; see `Backend.similarity`."""
        _check_sides(side_a, side_b, comparison)
        if comparison in representations.COMPARISONS:
            return _represented(side_a, side_b, comparison)
        values = np.empty((len(side_a.regions), len(side_b.regions)))
        errors = np.full(values.shape, np.nan)
        by_path: dict[str, list[int]] = {}
        for row, region in enumerate(side_a.regions):
            by_path.setdefault(self.paths.choose(region, side_b), []).append(row)
        for path, rows in by_path.items():
            regions = [side_a.regions[row] for row in rows]
            if path == "factored":
                values[rows] = _factored(regions, side_b)
            elif path == "pairwise":
                values[rows] = _released(regions, side_b, comparison)
            else:
                values[rows], errors[rows] = self._sampled(regions, side_b, comparison)
        ways = " and ".join(sorted(by_path))
        n = side_a.regions[0].n
        pairs = self.paths.sample_size(comparison, n) if "sampled" in by_path else None
        np.clip(values, -1.0, 1.0, out=values)
        return Compared(values, ways, errors if pairs else None, pairs)

    def _sampled(self, regions: list[Region], side: Side, comparison: str) -> tuple[Floats, Floats]:
        pairs = self.paths.sample_size(comparison, regions[0].n)
        seed = self.paths.seed
        found = []
        for group in _held_together(regions):
            hold(group)
            found.append(sampled.similarity(group, side.regions, comparison, pairs, seed))
            for each in group:
                each.release()
        values, errors = zip(*found, strict=True)
        return np.concatenate(values), np.concatenate(errors)

    def compare(self, rdms_a: Floats, rdms_b: Floats, comparison: str) -> Floats:
        """Return the similarities of RDMs; see `Backend.compare`."""
        return np.clip(comparisons.compare(rdms_a, rdms_b, comparison, self.device), -1.0, 1.0)


def _factored(regions: list[Region], side: Side) -> Floats:
    """Take regions whose points are held, or take less than their products, one by one."""
    result = np.empty((len(regions), len(side.regions)))
    passing = []
    for row, region in enumerate(regions):
        fewer = region.n < 0.6 * region.width + sum(side.widths)
        if side.is_whole and (region.is_whole or fewer):
            result[row] = _factored_row(region, side)
            region.release()
        else:
            passing.append(row)
    if passing:
        result[passing] = streamed.similarity([regions[row] for row in passing], side)
    return result


def _factored_row(region: Region, side: Side) -> list[float]:
    points, row = region.points, []
    total = float(points.squared.sum())
    spreads = (points.squared @ side.lengths).tolist()
    grams = factored.cross_grams(points.x, side.stacked, side.widths)
    for gram, spread, other in zip(grams, spreads, side.regions, strict=True):
        sums = factored.Sums(gram, spread, total, float(other.squared.sum()), region.n)
        shared = factored.covariance(sums, side.comparison)
        row.append(shared / (region.own * other.own) ** 0.5)
    return row


def _released(regions: list[Region], side: Side, comparison: str) -> Floats:
    rows = []
    for group in _held_together(regions):
        hold(group)
        rows.append(pairwise.similarity(group, side.regions, comparison))
        for each in group:
            each.release()
    return np.concatenate(rows)


def _held_together(regions: list[Region]) -> Iterator[list[Region]]:
    """Yield groups whose points are held at once: all that are, others as far as they fit.

    Those in memory are made one by one; those on disk are read together.
    """
    group: list[Region] = []
    size = 0
    for region in regions:
        own = 0 if region.is_whole else region.n * region.width * region.dtype.itemsize
        alone = own and not region.is_shared
        if group and (size + own > HELD_BYTES or alone):
            yield group
            group, size = [], 0
        group.append(region)
        size += HELD_BYTES if alone else own
    if group:
        yield group


def _represented(side_a: Side, side_b: Side, comparison: str) -> Compared:
    made_a, made_b = list(side_a.regions), list(side_b.regions)
    values = representations.similarity(made_a, made_b, comparison)
    warning = representations.crowded(made_a, made_b) if comparison == "svcca" else ""  # type: ignore[arg-type]
    return Compared(values, "patterns", warning=warning)


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
