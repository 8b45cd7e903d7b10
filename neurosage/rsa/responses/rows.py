"""Pattern matrices read by blocks of rows: averaged, ordered and scaled as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.average import grouped_means

# Numbers read at once: what stays in the cache, and of what lies on disk.
CACHED = 1 << 18
READ_BYTES = 1 << 26
# Results up to this size are made at once.
SMALL_BYTES = 1 << 26


@dataclass(eq=False)
class Rows:
    """The averaged responses of a recording, one row a stimulus, read when asked for.

    Parameters
    ----------
    values : array, shape (presentation, neuroids)
        In memory, or dask-backed.
    order : array of int, shape (presentations used,)
        Presentations; those of one stimulus stand together.
    starts : array of int, shape (n,)
        Where each stimulus starts in `order`.
    neuroids : array of int, optional
        Those kept, in order; all if omitted.

    Examples
    --------
    >>> values = np.array([[1.0, 2.0], [5.0, 6.0], [3.0, 4.0]])
    >>> Rows(values, np.array([1, 0, 2]), np.array([0, 1])).block(0, 2)
    array([[5., 6.],
           [2., 3.]])
    """

    values: Any
    order: Any
    starts: Any
    neuroids: Any = None

    def __post_init__(self) -> None:
        """Keep the last block of what lies on disk: every region of it is asked for."""
        self._last: tuple[tuple[int, int], Any] = ((-1, -1), None)

    @property
    def shape(self) -> tuple[int, int]:
        """Stimuli and neuroids."""
        width = self.values.shape[1] if self.neuroids is None else len(self.neuroids)
        return len(self.starts), int(width)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the blocks."""
        own = np.dtype(self.values.dtype)
        return own if self.is_single else np.result_type(own, np.float32)

    @property
    def is_single(self) -> bool:
        """Whether every stimulus was presented once."""
        return len(self.order) == len(self.starts)

    @property
    def is_lazy(self) -> bool:
        """Whether the responses are not in memory."""
        return not isinstance(self.values, np.ndarray)

    @property
    def is_plain(self) -> bool:
        """Whether this is nothing but an array in memory."""
        n, count = len(self.starts), len(self.values)
        whole = self.neuroids is None and not self.is_lazy and self.is_single and n == count
        return whole and bool((self.order == np.arange(n)).all())

    @property
    def block_rows(self) -> int | None:
        """How many rows to read at once from disk; None in memory, where it does not matter."""
        if not self.is_lazy:
            return None
        width = self.values.shape[1] * self.values.dtype.itemsize
        rows = max(1, int(READ_BYTES // width))
        chunk = int(self.values.chunks[0][0])
        if rows >= chunk:
            return rows // chunk * chunk
        return chunk if chunk <= 4 * rows else rows

    def take(self, places: Any) -> Rows:
        """Return some of the stimuli, in the order of `places`."""
        sizes = np.diff(np.append(self.starts, len(self.order)))[places]
        starts = np.cumsum(sizes) - sizes
        within = np.arange(sizes.sum()) - np.repeat(starts, sizes)
        order = self.order[np.repeat(self.starts[places], sizes) + within]
        return replace(self, order=order, starts=starts)

    def keep(self, neuroids: Any) -> Rows:
        """Return the responses of some of the neuroids."""
        kept = neuroids if self.neuroids is None else self.neuroids[neuroids]
        return replace(self, neuroids=np.asarray(kept))

    def block(self, start: int, stop: int, columns: Any = slice(None)) -> Any:
        """Return the means of stimuli from `start` to `stop`, of some neuroids."""
        if not self.is_lazy:
            return self._means(start, stop, columns)
        if self._last[0] != (start, stop):
            self._last = (-1, -1), None  # two of them would take twice the memory
            self._last = (start, stop), self._means(start, stop, slice(None))
        return self._last[1][:, columns]

    def raw(self, start: int, stop: int, columns: Any = slice(None)) -> tuple[Any, Any]:
        """Return all presentations of some stimuli, and where each stimulus starts."""
        ends = np.append(self.starts, len(self.order))
        rows = self.order[ends[start] : ends[stop]]
        wanted = columns if self.neuroids is None else self.neuroids[columns]
        return _read(self.values, rows, wanted), self.starts[start:stop] - ends[start]

    def _means(self, start: int, stop: int, columns: Any) -> Any:
        values, starts = self.raw(start, stop, columns)
        return values if self.is_single else grouped_means(values, starts)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield where blocks start and stop that suit a pass over all rows."""
        n, width = self.shape
        step = self.block_rows or max(1, CACHED // width)
        return ((start, min(start + step, n)) for start in range(0, n, step))

    def whole(self) -> Any:
        """Return all rows: the array itself where it is nothing else."""
        if self.is_plain:
            return self.values
        parts = [self.block(*span) for span in self.spans()]
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Any:
        """Return all rows."""
        return np.asarray(self.whole()).astype(dtype or self.dtype, copy=False)


def _read(values: Any, rows: Any, columns: Any) -> Any:
    if (np.diff(rows) == 1).all():
        first = int(rows[0]) if len(rows) else 0
        return np.asarray(values[first : first + len(rows)][:, columns])
    if isinstance(values, np.ndarray):
        return values[rows][:, columns] if not isinstance(columns, slice) else values[rows, columns]
    # In the order of the file, so that no chunk is read twice for one block.
    sorted_rows, places = np.unique(rows, return_inverse=True)
    return np.asarray(values[sorted_rows][:, columns])[places]


def read_rows(responses: xr.DataArray) -> tuple[Rows, Any]:
    """Return the averaged rows of an assembly, unread, and their stimuli.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly, dims ``presentation × neuroid``, in memory or dask-backed.

    Returns
    -------
    tuple of (Rows; array of object, shape (n,))
        Stimuli in order of first appearance.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [3.0], [5.0]], stimulus_id=["b", "a", "b"], region="V4")
    >>> rows, names = read_rows(a)
    >>> rows.whole().ravel(), list(names)
    (array([3., 3.]), ['b', 'a'])
    """
    import pandas as pd

    codes, names = pd.factorize(responses["stimulus_id"].values)
    order = np.argsort(codes, kind="stable") if len(names) < len(codes) else np.arange(len(codes))
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    values = responses.values if responses.chunks is None else responses.data
    return Rows(values, order, starts), names


@dataclass(frozen=True, eq=False)
class RegionRows:
    """The patterns of one region, normalised as they are read.

    Parameters
    ----------
    rows : Rows or array, shape (n, neuroids)
        Of all regions.
    columns : slice or array of int
        The region's neuroids.
    shift, scale : array of float64, shape (p,), optional
        What is taken from every row, and what it is divided by.

    Examples
    --------
    >>> rows = RegionRows(np.array([[1.0, 2.0], [3.0, 6.0]]), slice(1, 2), np.array([4.0]),
    ...                   np.array([2.0]))
    >>> rows.shape, rows[1:2]
    ((2, 1), array([[1.]]))
    """

    rows: Any
    columns: Any
    shift: Any = None
    scale: Any = None

    @property
    def shape(self) -> tuple[int, int]:
        """Stimuli and neuroids."""
        n, width = self.rows.shape
        count = range(width)[self.columns] if isinstance(self.columns, slice) else self.columns
        return int(n), len(count)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is read."""
        own = np.dtype(self.rows.dtype)
        return own if self.shift is None else np.result_type(own, np.float64)

    @property
    def ndim(self) -> int:
        """Two."""
        return 2

    @property
    def block_rows(self) -> int | None:
        """How many rows to read at once from disk; None in memory."""
        return self.rows.block_rows if isinstance(self.rows, Rows) else None

    def __len__(self) -> int:
        """Return the number of stimuli."""
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        """Return some rows as an array."""
        n = len(self)
        if not isinstance(index, slice) or index.step not in (None, 1):
            return np.asarray(self)[index]
        start, stop, _ = index.indices(n)
        if isinstance(self.rows, Rows):
            block = self.rows.block(start, max(start, stop), self.columns)
        else:
            block = self.rows[start:stop, self.columns]
        return block if self.shift is None else (block - self.shift) / self.scale

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Any:
        """Return all rows."""
        step = self.block_rows or len(self)
        parts = [self[start : start + step] for start in range(0, len(self), step)]
        return np.concatenate(parts).astype(dtype or self.dtype, copy=False)
