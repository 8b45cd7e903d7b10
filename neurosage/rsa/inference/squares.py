"""RDMs as square matrices, whole or by tiles: held where they fit, made again where not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.responses.patterns import Patterns
from neurosage.rsa.ties import RANKED, merged_square

HELD_BYTES = 2 << 30  # of one side that is kept; what is more is made when asked for
ROWS = 1024  # stimuli read at once
ROUNDING = 1e-28  # of squares, relative to what all patterns share


class Squares(Protocol):
    """The RDMs of one side's regions: a sequence of arrays of float64, shape (n, n)."""

    @property
    def n(self) -> int:
        """The number of stimuli."""

    def __len__(self) -> int: ...

    def __getitem__(self, k: Any) -> Any: ...

    def __iter__(self) -> Iterator[Floats]: ...

    def tile(self, k: int, start: int, stop: int) -> Any:
        """Return rows `start` to `stop` of one RDM from column `start` on."""


def tiles(n: int, rows: int) -> Iterator[tuple[int, int]]:
    """Yield where tiles of so many rows start and stop.

    Examples
    --------
    >>> list(tiles(5, 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, n, rows):
        yield start, min(start + rows, n)


class Held(Sequence[Floats]):
    """RDMs in memory.

    Parameters
    ----------
    values : array, shape (K, n, n)
        Symmetric; diagonals are not looked at.
    rows : array of int, shape (m,), optional
        Which stimuli, in which order.

    Examples
    --------
    >>> Held(np.array([[[0.0, 1.0], [1.0, 0.0]]]))[0]
    array([[0., 1.],
           [1., 0.]])
    """

    def __init__(self, values: Any, rows: Any = None) -> None:
        values = np.asarray(values)
        if rows is not None and (np.asarray(rows) != np.arange(values.shape[-1])).any():
            values = values[:, rows][:, :, rows]
        self._values: Floats = values.astype(np.float64, copy=False)

    @property
    def n(self) -> int:
        """The number of stimuli."""
        return int(self._values.shape[-1])

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, k: Any) -> Any:
        return self._values[k]

    def tile(self, k: int, start: int, stop: int) -> Any:
        """Return rows `start` to `stop` of one RDM from column `start` on."""
        return self._values[k, start:stop, start:]


class Tied(Sequence[Floats]):
    """RDMs whose distances are equal where they differ by rounding alone, to be ranked.

    Parameters
    ----------
    squares : Squares
        RDMs.
    rounding : float
        Relative to the largest distance of each.

    Examples
    --------
    >>> Tied(Held(np.array([[[0, 1, 1 + 1e-15], [1, 0, 2], [1 + 1e-15, 2, 0]]])), 1e-14)[0][0]
    array([0., 1., 1.])
    """

    def __init__(self, squares: Squares, rounding: float) -> None:
        self._squares, self._rounding = squares, rounding

    @property
    def n(self) -> int:
        """The number of stimuli."""
        return self._squares.n

    def __len__(self) -> int:
        return len(self._squares)

    def __getitem__(self, k: Any) -> Any:
        if isinstance(k, slice):
            return [self[j] for j in range(len(self))[k]]
        return merged_square(self._squares[k], self._rounding)

    def tile(self, k: int, start: int, stop: int) -> Any:
        """Return rows `start` to `stop` of one RDM from column `start` on."""
        return self[k][start:stop, start:]


@dataclass(frozen=True)
class _Points:
    """Points whose squared distances are an RDM: ``D_ij = factor · ‖x_i - x_j‖²``."""

    x: Any
    squared: Floats
    factor: float

    def tile(self, start: int, stop: int) -> Floats:
        """Return rows of the RDM from column `start` on, products in the points' precision."""
        tile: Floats = (self.x[start:stop] @ self.x[start:].T).astype(np.float64, copy=False)
        tile *= -2.0
        tile += self.squared[start:stop, None]
        tile += self.squared[start:]
        np.maximum(tile, 0.0, out=tile)
        tile *= self.factor
        return tile


class Made(Sequence[Floats]):
    """RDMs made of patterns each time they are asked for.

    Parameters
    ----------
    patterns : Patterns
        Of one side.
    regions : tuple of str
        Those that have an RDM.
    distance : {"correlation", "euclidean", "cosine"}
        Between patterns.
    """

    def __init__(self, patterns: Patterns, regions: tuple[str, ...], distance: str) -> None:
        self._patterns, self._regions, self._distance = patterns, regions, distance
        self._kept: dict[int, _Points] = {}

    @property
    def n(self) -> int:
        """The number of stimuli."""
        return len(self._patterns.stimulus_ids)

    def __len__(self) -> int:
        return len(self._regions)

    def __getitem__(self, k: Any) -> Any:
        if isinstance(k, slice):
            return [self[j] for j in range(len(self))[k]]
        square = self._points(k, np.float64).tile(0, self.n)
        np.fill_diagonal(square, 0.0)
        return square

    def tile(self, k: int, start: int, stop: int) -> Any:
        """Return rows `start` to `stop` of one RDM from column `start` on, of float32 products."""
        if k not in self._kept:
            made = self._points(k, np.float32)
            if sum(each.x.nbytes for each in self._kept.values()) + made.x.nbytes > HELD_BYTES:
                self._kept.clear()
            self._kept[k] = made
        return self._kept[k].tile(start, stop)

    def _points(self, k: int, dtype: Any) -> _Points:
        return _points(self._patterns.matrix(self._regions[k]), self._distance, dtype)


def comparable(squares: Squares, comparison: str, rounding: float) -> Squares:
    """Return RDMs ready for a comparison, in memory if they take little of it.

    Parameters
    ----------
    squares : Squares
        RDMs.
    comparison : str
        For those by ranks, distances are tied that differ by rounding alone.
    rounding : float
        Relative to the largest distance.

    Returns
    -------
    Squares
        The same ones where they are in memory already and nothing is to be done.
    """
    if comparison in RANKED:
        squares = Tied(squares, rounding)
    if isinstance(squares, Held) or 8 * len(squares) * squares.n**2 > HELD_BYTES:
        return squares
    values = np.empty((len(squares), squares.n, squares.n))
    for k, square in enumerate(squares):
        values[k] = square
    return Held(values)


def _points(patterns: Any, distance: str, dtype: Any) -> _Points:
    """Turn patterns into points, in float64 by blocks of rows, centred before they are stored."""
    n, p = patterns.shape
    blocks = list(tiles(n, ROWS))
    mean = sum(_placed(patterns[i:j], distance).sum(0) for i, j in blocks) / n
    spread = sum(np.square(_placed(patterns[i:j], distance) - mean).sum() for i, j in blocks) / n
    if spread <= ROUNDING * float(mean @ mean):
        # All patterns are one and the same: what is left is the rounding of their mean.
        return _Points(np.zeros((n, p), dtype), np.zeros(n), 0.0)
    # In units of their size, squares of responses stay within float32.
    unit = float(np.sqrt(spread))
    points, squared = np.empty((n, p), dtype), np.empty(n)
    for i, j in blocks:
        rows = (_placed(patterns[i:j], distance) - mean) / unit
        points[i:j], squared[i:j] = rows, np.square(rows).sum(1)
    return _Points(points, squared, unit * unit * (1.0 / p if distance == "euclidean" else 0.5))


def _placed(rows: Any, distance: str) -> Floats:
    """Return patterns as points: centred, of unit length, or as they are."""
    points: Floats = np.array(rows, np.float64)
    if distance == "correlation":
        points -= points.mean(1, keepdims=True)
    if distance != "euclidean":
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points
