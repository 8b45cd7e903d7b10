"""Patterns → points whose squared distances are the RDM.

For every distance here ``D_ij ∝ ‖X_i - X_j‖²`` once each pattern is a suitable point X_i:
centred over neuroids and of unit length (correlation), of unit length (cosine), as it is
(euclidean). Shifting all points changes no distance, so they are centred over stimuli as
well, in float64: only then may they become float32 without losing what they differ by.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurosage.rsa.backends.torch.placing import DISTANCES, Placing

__all__ = ["DISTANCES", "Points", "condensed", "make_points"]

TILE = 1 << 20
# What is left of patterns that are one and the same is the rounding of their mean.
SAME = 1e-28


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
        One row a stimulus; anything that gives slices of rows.
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
    return points_together([Placing(patterns, distance, device)], dtype)[0]


def points_together(placings: Sequence[Placing], dtype: torch.dtype) -> list[Points]:
    """Turn the patterns of several regions into points, in two passes over their rows.

    Parameters
    ----------
    placings : sequence of Placing
        Of the same n stimuli, in one place; each block of rows is read for all of them.
    dtype : torch.dtype
        Precision of the stored points.

    Returns
    -------
    list of Points
        One each.
    """
    device = placings[0].device
    means = [torch.zeros(each.shape[1], dtype=torch.float64, device=device) for each in placings]
    for k, _, _, chunk in _chunks_together(placings):
        means[k] += chunk.sum(0)
    for each, mean in zip(placings, means, strict=True):
        mean.div_(each.shape[0])
    found = [torch.empty(*each.shape, dtype=dtype, device=device) for each in placings]
    lengths = [torch.empty(len(x), dtype=torch.float64, device=device) for x in found]
    for k, start, stop, chunk in _chunks_together(placings):
        found[k][start:stop] = chunk.sub_(means[k])
        lengths[k][start:stop] = torch.linalg.vector_norm(chunk, dim=1).square_()
    for x, squared, mean in zip(found, lengths, means, strict=True):
        if float(squared.mean()) <= SAME * float(mean @ mean):
            x.zero_()
            squared.zero_()
    distance = placings[0].distance
    return [_with_unit(x, each, distance) for x, each in zip(found, lengths, strict=True)]


def _chunks_together(placings: Sequence[Placing]) -> Iterator[tuple[int, int, int, Tensor]]:
    n, step = placings[0].shape[0], min(each.block_rows for each in placings)
    for start in range(0, n, step):
        for k, each in enumerate(placings):
            for low, high, chunk in each.chunks(start, min(start + step, n)):
                yield k, low, high, chunk


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
