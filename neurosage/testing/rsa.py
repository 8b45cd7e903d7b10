"""What RSA backends must hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurosage.rsa.backends.base import Backend, Compared
from neurosage.testing.definitions import CENTRED, COMPARISONS, DISTANCES, REPRESENTATIONS

Sides = tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]]]


class RowsOnly:
    """Patterns as a backend may get them: shape, dtype, slices of rows, and all if it must."""

    def __init__(self, values: npt.NDArray[Any]) -> None:
        self._values = values
        self.shape, self.dtype = values.shape, values.dtype

    def __getitem__(self, rows: slice) -> npt.NDArray[Any]:
        if not isinstance(rows, slice):
            raise TypeError(f"patterns are read by slices of rows, not by {rows!r}")
        return self._values[rows]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self._values, dtype, copy=copy)


class BackendCase:
    """What every RSA backend must hold against plain NumPy; define `make_backend`.

    `tolerance` is absolute, for similarities and for distances relative to the largest.
    """

    tolerance: ClassVar[float] = 1e-5

    def make_backend(self) -> Backend:
        """Return the backend under test."""
        raise NotImplementedError("define make_backend")

    def sides(self) -> Sides:
        """Return patterns of 30 stimuli: three regions, and two that resemble them."""
        rng = np.random.default_rng(0)
        common = rng.normal(size=(30, 6))
        a = [common @ rng.normal(size=(6, p)) + rng.normal(size=(30, p)) for p in (5, 40, 90)]
        b = [common @ rng.normal(size=(6, p)) + 100 + rng.normal(size=(30, p)) for p in (12, 70)]
        return a, b

    def test_rdms(self) -> None:
        """RDMs of the known distances equal their definitions."""
        backend, (patterns, _) = self.make_backend(), self.sides()
        for distance, f in itertools.product(set(backend.distances) & set(DISTANCES), patterns):
            expected = DISTANCES[distance](f)
            found = backend.rdm(f, distance)
            np.testing.assert_allclose(
                found, expected, atol=self.tolerance * expected.max(), err_msg=distance
            )

    def test_similarities(self) -> None:
        """Similarities of prepared sides, and of RDMs, equal their definitions."""
        backend, sides = self.make_backend(), self.sides()
        for distance, comparison in self._offered(backend):
            a, b = rdms = [np.array([DISTANCES[distance](f) for f in side]) for side in sides]
            expected = [[COMPARISONS[comparison](x, y) for y in b] for x in a]
            for found in (
                self._compared(backend, sides, distance, comparison).values,
                backend.compare(rdms[0], rdms[1], comparison),
            ):
                np.testing.assert_allclose(
                    found,
                    expected,
                    atol=self._allowed(comparison),
                    err_msg=f"{distance}, {comparison}",
                )

    def test_representations(self) -> None:
        """Comparisons of the patterns themselves equal their definitions."""
        backend, sides = self.make_backend(), self.sides()
        for comparison in set(backend.comparisons) & set(REPRESENTATIONS):
            compare = REPRESENTATIONS[comparison]
            expected = [[compare(x, y) for y in sides[1]] for x in sides[0]]
            found = self._compared(backend, sides, "none", comparison).values
            np.testing.assert_allclose(found, expected, atol=self.tolerance, err_msg=comparison)

    def test_undefined_is_nan(self) -> None:
        """Where distances do not vary, the similarity is NaN, and only there."""
        backend, (a, b) = self.make_backend(), self.sides()
        equal, same = np.eye(30), np.tile(np.linspace(0.1, 0.7, 4), (30, 1))
        for distance, comparison in self._offered(backend):
            undefined = [comparison in CENTRED, False]
            flat = [equal, a[0]]
            if distance == "euclidean":
                undefined, flat = [*undefined, True], [*flat, same]
            compared = self._compared(backend, (flat, b), distance, comparison)
            rdms = [np.array([backend.rdm(f, distance) for f in side]) for side in (flat, b)]
            # Equal distances exactly, as published RDMs may hold them.
            rdms[0][0] = rdms[0][0].mean()
            for found in (compared.values, backend.compare(rdms[0], rdms[1], comparison)):
                expected = np.tile(np.array(undefined)[:, None], len(b))
                what = f"{distance}, {comparison}"
                np.testing.assert_array_equal(np.isnan(found), expected, err_msg=what)

    def test_patterns_are_read_by_rows(self) -> None:
        """Patterns may be anything that gives slices of rows, and are never written to."""
        backend, sides = self.make_backend(), self.sides()
        rows = tuple([RowsOnly(f) for f in side] for side in sides)
        for f in itertools.chain(*sides):
            f.flags.writeable = False
        pairs = [("none", name) for name in backend.comparisons if name in REPRESENTATIONS]
        for distance, comparison in (*self._offered(backend), *pairs):
            compared = self._compared(backend, sides, distance, comparison)
            by_rows = self._compared(backend, rows, distance, comparison)
            np.testing.assert_allclose(
                by_rows.values, compared.values, atol=self._allowed(comparison)
            )

    def test_offers(self) -> None:
        """It offers something, by names that are text, and says how each was computed."""
        backend, sides = self.make_backend(), self.sides()
        assert backend.name
        assert backend.version
        assert all(isinstance(each, str) for each in (*backend.distances, *backend.comparisons))
        assert {"correlation"} <= set(backend.distances)
        assert {"pearson"} <= set(backend.comparisons)
        assert self._compared(backend, sides, "correlation", "pearson").path

    def _allowed(self, comparison: str) -> float:
        # Two distances that rounding orders otherwise move Kendall's tau by 1e-5 here.
        return self.tolerance * (10 if comparison in ("kendall", "tau-a") else 1)

    @staticmethod
    def _offered(backend: Backend) -> Iterator[tuple[str, str]]:
        distances = sorted(set(backend.distances) & set(DISTANCES))
        return itertools.product(distances, sorted(set(backend.comparisons) & set(COMPARISONS)))

    @staticmethod
    def _compared(backend: Backend, sides: Any, distance: str, comparison: str) -> Compared:
        side_a, side_b = (backend.prepare(side, distance, comparison) for side in sides)
        return backend.similarity(side_a, side_b, comparison)
