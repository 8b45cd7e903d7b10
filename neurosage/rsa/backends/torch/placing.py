"""Rows of patterns → uncentred points, in float64, by chunks that stay in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

DISTANCES = ("correlation", "euclidean", "cosine")
# On the CPU a chunk stays in the cache and below what PyTorch shares among threads, whose
# meeting after each small operation would cost more than the operation.
CHUNK = {"cpu": 32_768}
LARGE_CHUNK = 1 << 22
# Numbers read, and multiplied, at once where the patterns do not say what suits them.
BLOCK = 1 << 22
FEWEST_ROWS = 256


class Placing:
    """Places the rows of one region's patterns where their squared distances are the RDM.

    Parameters
    ----------
    patterns : array, shape (n, p)
        One row a stimulus: anything with ``shape`` that gives slices of rows as arrays. Where
        it has ``block_rows``, reading costs, and that many are best read at once.
    distance : str
        One of ``DISTANCES``.
    device : torch.device
        Where the points are to be.

    Examples
    --------
    >>> placing = Placing([[0.0, 3.0], [2.0, 0.0]], "cosine", torch.device("cpu"))
    >>> [chunk.tolist() for _, _, chunk in placing.chunks()]
    [[[0.0, 1.0], [1.0, 0.0]]]
    """

    def __init__(self, patterns: Any, distance: str, device: torch.device) -> None:
        self.patterns = patterns if hasattr(patterns, "shape") else np.asarray(patterns)
        self.distance = distance
        self.device = device
        self.shape: tuple[int, int] = tuple(map(int, self.patterns.shape))  # type: ignore[assignment]
        self._buffer: Tensor | None = None

    @property
    def is_shared(self) -> bool:
        """Whether reading rows costs: then all regions had best read them one after the other."""
        return getattr(self.patterns, "block_rows", None) is not None

    @property
    def block_rows(self) -> int:
        """How many rows to read, and to multiply, at once."""
        own = getattr(self.patterns, "block_rows", None)
        return int(own) if own else max(FEWEST_ROWS, BLOCK // self.shape[1])

    def chunks(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, int, Tensor]]:
        """Yield where each chunk of rows starts and stops, and its points.

        Parameters
        ----------
        start, stop : int
            Which rows; all of them if omitted.

        Yields
        ------
        tuple of (int; int; Tensor of float64, shape (stop - start, p))
            The tensor is overwritten by the next.
        """
        stop = self.shape[0] if stop is None else stop
        buffer, step = self._own_buffer(), self.block_rows
        for first in range(start, stop, step):
            block = readable(self.patterns[first : min(first + step, stop)])
            for low in range(0, len(block), len(buffer)):
                rows = block[low : low + len(buffer)]
                points = _place(rows, self.distance, buffer)
                yield first + low, first + low + len(rows), points

    def _own_buffer(self) -> Tensor:
        # One for all chunks: memory taken anew for each would cost more than the sums.
        if self._buffer is None:
            n, p = self.shape
            rows = min(n, chunk_rows(self.device, p))
            self._buffer = torch.empty(rows, p, dtype=torch.float64, device=self.device)
        return self._buffer


def chunk_rows(device: torch.device, width: int) -> int:
    """Return how many rows of `width` numbers to work on at once."""
    return max(1, CHUNK.get(device.type, LARGE_CHUNK) // width)


def readable(rows: Any) -> Tensor:
    """Return an array as a tensor, copied only where PyTorch could not take it.

    Parameters
    ----------
    rows : array
        Of any number type.

    Returns
    -------
    Tensor of float32 or float64
        Not to be written to.

    Examples
    --------
    >>> readable(np.arange(3)[::-1]).tolist()
    [2.0, 1.0, 0.0]
    """
    array = np.asarray(rows)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    # torch takes no negative strides, and warns of arrays that it may not write to.
    forward = all(stride >= 0 for stride in array.strides)
    return torch.from_numpy(array if forward and array.flags.writeable else array.copy())


def _place(rows: Tensor, distance: str, buffer: Tensor) -> Tensor:
    points = buffer[: len(rows)]
    points.copy_(rows)
    if distance == "euclidean":
        return points
    if distance == "correlation":
        points -= points.mean(1, keepdim=True)
    points /= torch.linalg.vector_norm(points, dim=1, keepdim=True)
    return points
