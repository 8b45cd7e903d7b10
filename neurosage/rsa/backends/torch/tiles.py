"""RDMs by square tiles: never more of them at once than a tile a region.

With a_i the squared length of point i, points centred over stimuli and A = Σ a_i, every sum of
an RDM is known before a single distance is: row i sums to ``n a_i + A``, all of it to ``2nA``. So
a distance can be made centred: ``u_i + u_j - 2 x_i·x_j``, with u as the comparison wants it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from neurosage.rsa.backends.torch.distances import Points

SIDE = 1024
# What the rounding of a distance is taken to be, in units of the precision.
ROUNDING = 16.0


@dataclass(frozen=True)
class Centring:
    """How the RDM of some points is centred.

    Parameters
    ----------
    offset : Tensor, shape (n,)
        ``u``: what is off the diagonal becomes ``u_i + u_j - 2 x_i·x_j``.
    diagonal : Tensor, shape (n,)
        What stands on the diagonal.
    """

    offset: Tensor
    diagonal: Tensor


def centring(points: Points, comparison: str) -> Centring:
    """Return how a comparison centres the RDM of points.

    Parameters
    ----------
    points : Points
        Of n stimuli, centred over them.
    comparison : str
        ``pearson`` and ``rank`` of none (``cosine``), of all pairs (``pearson``), or of rows
        and columns: with the diagonal (``cka`` = ``cosine_cov``), after the mean over pairs
        (``corr_cov``), or without the diagonal (``cka_unbiased``, U-centring).

    Returns
    -------
    Centring
        In the precision of the points.

    References
    ----------
    Székely & Rizzo 2014, "Partial distance correlation with methods for dissimilarities":
    U-centring. Diedrichsen et al. 2020, "Comparing representational geometries using whitened
    unbiased-distance-matrix similarity": the whitened comparisons.
    """
    a = points.squared
    n, total = len(a), float(a.sum())
    mean = 2.0 * total / (n - 1)
    zero = torch.zeros_like(a)
    offset, diagonal = {
        "cosine": lambda: (a, zero),
        "pearson": lambda: (a - mean / 2, zero),
        "cosine_cov": lambda: (zero, -2.0 * a),
        "cka": lambda: (zero, -2.0 * a),
        "corr_cov": lambda: (zero - mean / (2 * n), mean * (1 - 1 / n) - 2.0 * a),
        "cka_unbiased": lambda: (_u_offset(a, total), zero),
    }[comparison]()
    return Centring(offset.to(points.x.dtype), diagonal.to(points.x.dtype))


def _u_offset(a: Tensor, total: float) -> Tensor:
    n = len(a)
    if n < 4:
        return torch.full_like(a, torch.nan)
    return a - (n * a + total) / (n - 2) + n * total / ((n - 1) * (n - 2))


def tile_places(n: int) -> Iterator[tuple[slice, slice]]:
    """Yield the rows and columns of the tiles on and above the diagonal.

    Examples
    --------
    >>> [(rows.start, columns.start) for rows, columns in tile_places(1500)]
    [(0, 0), (0, 1024), (1024, 1024)]
    """
    starts = range(0, n, SIDE)
    for row in starts:
        for column in starts[row // SIDE :]:
            yield slice(row, min(row + SIDE, n)), slice(column, min(column + SIDE, n))


def centred_tile(
    x: Tensor, made: Centring, rows: slice, columns: slice, memory: Tensor | None = None
) -> Tensor:
    """Return one tile of a centred RDM, in units of the points' squared lengths.

    Parameters
    ----------
    x : Tensor, shape (n, p)
        Points.
    made : Centring
        Of these points.
    rows, columns : slice
        From `tile_places`.
    memory : Tensor, shape (at least rows * columns,), optional
        Where to put it: new memory costs as much as the sums.

    Returns
    -------
    Tensor, shape (rows, columns)
        In the precision of `x`.
    """
    shape = (len(x[rows]), len(x[columns]))
    tile = x.new_empty(shape) if memory is None else memory[: shape[0] * shape[1]].view(shape)
    torch.addmm(made.offset[columns], x[rows], x[columns].T, alpha=-2.0, out=tile)
    tile += made.offset[rows, None]
    if rows == columns:
        tile.diagonal().copy_(made.diagonal[rows])
    return tile


def pair_distances(points: Points) -> Tensor:
    """Return the distances of all pairs, tile by tile.

    Parameters
    ----------
    points : Points
        Of n stimuli.

    Returns
    -------
    Tensor, shape (n (n - 1) / 2,)
        In units of the points' squared lengths and in their precision; the order is that of the
        tiles, the same for all RDMs of n stimuli.

    Examples
    --------
    >>> x = torch.tensor([[-1.0], [0.0], [1.0]]).double()
    >>> pair_distances(Points(x, (x**2).sum(1), 1.0)).tolist()
    [1.0, 4.0, 1.0]
    """
    return _over_pairs(points.x, centring(points, "cosine")).clamp_min_(0.0)


def pair_noise(points: Points) -> Tensor | None:
    """Return the rounding of each distance, in the order of `pair_distances`.

    Parameters
    ----------
    points : Points
        Of n stimuli.

    Returns
    -------
    Tensor, shape (n (n - 1) / 2,), or None
        None where there are so many pairs that distances which do differ come as close: then
        see `ties`.
    """
    n = len(points.squared)
    made = noise_centring(points, n * (n - 1) // 2)
    return None if made is None else _over_pairs(points.x[:, :0], made)


def noise_centring(points: Points, pairs: int) -> Centring | None:
    """Return offsets whose sums are the rounding of distances; None as for `pair_noise`.

    Parameters
    ----------
    points : Points
        Of n stimuli.
    pairs : int
        How many distances are ranked.

    Returns
    -------
    Centring or None
        To be used with points of no width.
    """
    unit = ROUNDING * torch.finfo(points.x.dtype).eps
    if unit * pairs > 0.1:
        return None
    offset = (unit * points.squared).to(points.x.dtype)
    return Centring(offset, offset)


def noise_length(points: Points) -> Tensor:
    """Return the length that a centred RDM of nothing but rounding may have.

    Parameters
    ----------
    points : Points
        Of n stimuli.

    Returns
    -------
    Tensor of float64, shape ()
        A norm over all n² entries; at least the smallest number above 0.
    """
    unit = ROUNDING * torch.finfo(points.x.dtype).eps
    floor = unit * 2.0 * points.squared.sum()
    return floor.clamp_min(torch.finfo(torch.float64).tiny ** 0.5)


def _over_pairs(x: Tensor, made: Centring) -> Tensor:
    n = len(x)
    vector = torch.empty(n * (n - 1) // 2, dtype=x.dtype, device=x.device)
    filled = 0
    for rows, columns in tile_places(n):
        if rows != columns:
            filled += centred_tile(x, made, rows, columns, vector[filled:]).numel()
            continue
        tile = centred_tile(x, made, rows, columns)
        i, j = torch.triu_indices(len(tile), len(tile), 1, device=x.device)
        part = torch.index_select(tile.flatten(), 0, i * len(tile) + j)
        vector[filled : filled + len(part)] = part
        filled += len(part)
    return vector
