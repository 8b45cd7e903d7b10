"""Patterns → points whose squared distances are the RDM.

For every distance here ``D_ij ∝ ‖X_i - X_j‖²`` once each pattern is a suitable point X_i:
centred over neuroids and of unit length (correlation), of unit length (cosine), as it is
(euclidean). Shifting all points changes no distance, so they are centred over stimuli as
well, in float64: only then may they become float32 without losing what they differ by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

DISTANCES = ("correlation", "euclidean", "cosine")
# On the CPU a chunk stays in the cache and below what PyTorch shares among threads, whose
# meeting after each small operation would cost more than the operation.
CHUNK = {"cpu": 32_768}
LARGE_CHUNK = 1 << 22
TILE = 1 << 20


@dataclass(frozen=True)
class Points:
    """The points of one region.

    Parameters
    ----------
    x : Tensor, shape (n, p)
        Points, centred over stimuli, in the backend's precision; their mean squared
        length is 1 for euclidean distance (the unit cancels in comparisons).
    squared : Tensor of float64, shape (n,)
        ``‖x_i‖²``.
    factor : float
        ``D_ij = factor · ‖x_i - x_j‖²``.
    """

    x: Tensor
    squared: Tensor
    factor: float


def make_points(patterns: Any, distance: str, dtype: torch.dtype, device: torch.device) -> Points:
    """Turn patterns into points, in float64 by chunks of rows, stored as `dtype`.

    Parameters
    ----------
    patterns : array, shape (n, p)
        One row a stimulus.
    distance : str
        One of ``DISTANCES``.
    dtype : torch.dtype
        Precision of the stored points.
    device : torch.device
        Where they are to be.

    Returns
    -------
    Points
        See there.

    Examples
    --------
    >>> points = make_points([[0.0, 1.0], [1.0, 0.0], [0.0, 2.0]], "correlation",
    ...                      torch.float64, torch.device("cpu"))
    >>> round(points.factor * float(((points.x[0] - points.x[1]) ** 2).sum()), 6)
    2.0
    """
    source = torch.from_numpy(_readable(patterns))
    n, p = source.shape
    rows = min(n, chunk_rows(device, p))
    # One buffer for all chunks: memory taken anew for each would cost more than the sums.
    buffer = torch.empty(rows, p, dtype=torch.float64, device=device)
    means = torch.zeros(p, dtype=torch.float64, device=device)
    for start in range(0, n, rows):
        means += _place(source[start : start + rows], distance, buffer).sum(0)
    means /= n
    common = float(means @ means)
    x = torch.empty(n, p, dtype=dtype, device=device)
    squared = torch.empty(n, dtype=torch.float64, device=device)
    for start in range(0, n, rows):
        chunk = _place(source[start : start + rows], distance, buffer).sub_(means)
        x[start : start + rows] = chunk
        squared[start : start + rows] = torch.linalg.vector_norm(chunk, dim=1).square_()
    if float(squared.mean()) <= 1e-28 * common:
        # All patterns are one and the same: what is left is the rounding of their mean.
        x.zero_()
        squared.zero_()
    return _with_unit(x, squared, distance)


def chunk_rows(device: torch.device, width: int) -> int:
    """Return how many rows of `width` numbers to work on at once."""
    return max(1, CHUNK.get(device.type, LARGE_CHUNK) // width)


def _readable(patterns: Any) -> np.ndarray[Any, Any]:
    array = np.asarray(patterns)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    # torch takes no negative strides, and warns of arrays that it may not write to.
    forward = all(stride >= 0 for stride in array.strides)
    return array if forward and array.flags.writeable else array.copy()


def _place(rows: Tensor, distance: str, buffer: Tensor) -> Tensor:
    points = buffer[: len(rows)]
    points.copy_(rows)
    if distance == "euclidean":
        return points
    if distance == "correlation":
        points -= points.mean(1, keepdim=True)
    points /= torch.linalg.vector_norm(points, dim=1, keepdim=True)
    return points


def _with_unit(x: Tensor, squared: Tensor, distance: str) -> Points:
    if distance != "euclidean":
        return Points(x, squared, 0.5)
    # In units of their mean length, fourth powers of responses stay within float32.
    unit = float(squared.mean())
    if unit > 0:
        x /= unit**0.5
        squared /= unit
    return Points(x, squared, unit / x.shape[1])


def condensed(points: Points) -> Tensor:
    """Return the upper triangle of the RDM, by tiles of rows.

    Parameters
    ----------
    points : Points
        Of n stimuli.

    Returns
    -------
    Tensor of float64, shape (n (n - 1) / 2,)
        In the order of ``numpy.triu_indices(n, 1)``.

    Examples
    --------
    >>> points = make_points([[0.0], [1.0], [3.0]], "euclidean", torch.float64,
    ...                      torch.device("cpu"))
    >>> [round(float(d), 6) for d in condensed(points)]
    [1.0, 9.0, 4.0]
    """
    x, squared = points.x, points.squared
    n = x.shape[0]
    distances = torch.empty(n * (n - 1) // 2, dtype=torch.float64, device=x.device)
    rows = max(1, TILE // n)
    filled = 0
    for start in range(0, n - 1, rows):
        stop = min(start + rows, n)
        tile = (x[start:stop] @ x[start:].T).double().mul_(-2.0)
        tile += squared[start:stop, None] + squared[None, start:]
        above = torch.ones_like(tile, dtype=torch.bool).triu_(1)
        part = tile[above]
        distances[filled : filled + len(part)] = part
        filled += len(part)
    return distances.clamp_min_(0.0).mul_(points.factor)
