"""What RSA backends must hold."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.spatial import distance as spatial

from neurosage.rsa.backends.base import Backend

# the definitions, by SciPy: what BackendCase holds backends to
_DISTANCES: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "correlation": lambda f: np.asarray(spatial.pdist(f, "correlation")),
    "cosine": lambda f: np.asarray(spatial.pdist(f, "cosine")),
    "euclidean": lambda f: np.asarray(spatial.pdist(f, "sqeuclidean")) / f.shape[1],
}
_COMPARISONS: dict[str, Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]] = {
    "pearson": lambda x, y: float(stats.pearsonr(x, y).statistic),
    "spearman": lambda x, y: float(stats.spearmanr(x, y).statistic),
    "cosine": lambda x, y: float(1 - spatial.cosine(x, y)),
}


class BackendCase:
    """What every RSA backend must hold against plain NumPy; define `make_backend`.

    `tolerance` is absolute, for similarities and for distances relative to the largest.
    """

    tolerance: ClassVar[float] = 1e-5

    def make_backend(self) -> Backend:
        """Return the backend under test."""
        raise NotImplementedError("define make_backend")

    def sides(self) -> tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]]]:
        """Return patterns of 30 stimuli: three regions, and two that resemble them."""
        rng = np.random.default_rng(0)
        common = rng.normal(size=(30, 6))
        a = [common @ rng.normal(size=(6, p)) + rng.normal(size=(30, p)) for p in (5, 40, 90)]
        b = [common @ rng.normal(size=(6, p)) + 100 + rng.normal(size=(30, p)) for p in (12, 70)]
        return a, b

    def test_rdms(self) -> None:
        """RDMs of the known distances equal their definitions."""
        backend, (patterns, _) = self.make_backend(), self.sides()
        for distance, f in itertools.product(set(backend.distances) & set(_DISTANCES), patterns):
            expected = _DISTANCES[distance](f)
            found = backend.rdm(f, distance)
            np.testing.assert_allclose(
                found, expected, atol=self.tolerance * expected.max(), err_msg=distance
            )

    def test_similarities(self) -> None:
        """Similarities of prepared sides equal those of the RDMs."""
        backend, (a, b) = self.make_backend(), self.sides()
        offered = itertools.product(
            set(backend.distances) & set(_DISTANCES), set(backend.comparisons) & set(_COMPARISONS)
        )
        for distance, comparison in offered:
            rdms = [[_DISTANCES[distance](f) for f in side] for side in (a, b)]
            expected = [[_COMPARISONS[comparison](x, y) for y in rdms[1]] for x in rdms[0]]
            sides = [backend.prepare(side, distance, comparison) for side in (a, b)]
            for found in (
                backend.similarity(sides[0], sides[1], comparison),
                backend.compare(np.array(rdms[0]), np.array(rdms[1]), comparison),
            ):
                what = f"{distance}, {comparison}"
                np.testing.assert_allclose(found, expected, atol=self.tolerance, err_msg=what)

    def test_offers(self) -> None:
        """It offers something, by names that are text."""
        backend = self.make_backend()
        assert backend.name
        assert all(isinstance(each, str) for each in (*backend.distances, *backend.comparisons))
        assert {"correlation"} <= set(backend.distances)
        assert {"pearson"} <= set(backend.comparisons)
