"""Comparisons of the patterns themselves: canonical correlations and Procrustes, no RDM.

Both are singular values of ``UᵀV``: for svcca, U and V are orthonormal axes of the two
spaces of responses; for procrustes, the centred patterns at unit Frobenius norm.

References
----------
Raghu, Gilmer, Yosinski, Sohl-Dickstein 2017, "SVCCA: Singular Vector Canonical Correlation
Analysis for Deep Learning Dynamics and Interpretability". Williams, Kunz, Kornblith,
Linderman 2021, "Generalized Shape Metrics on Neural Representations". Ding, Denain,
Steinhardt 2021, "Grounding Representation Similarity Through Statistical Testing".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurosage.rsa.backends.base import Floats

COMPARISONS = ("svcca", "procrustes")
KEPT_VARIANCE = 0.99
# Numbers in a block of rows, and in the products held at once: 32 and 128 MB of float64.
BLOCK = 1 << 22
HELD = 1 << 24


@dataclass(frozen=True, eq=False)
class Representation:
    """One region as a comparison of representations sees it.

    Parameters
    ----------
    rows : array-like, shape (n, p)
        Patterns, read by slices of rows.
    centre : array of float64, shape (p,)
        Their mean over stimuli.
    axes : Tensor of float64, shape (p, k), or None
        svcca: what takes centred rows to k orthonormal columns; None where that is done.
    norm : float
        procrustes: the Frobenius norm of the centred patterns; 1 for svcca; NaN where all
        patterns are the same.
    device : torch.device
        Where the products are made.
    """

    rows: Any
    centre: Floats
    axes: Tensor | None
    norm: float
    device: torch.device

    @property
    def n(self) -> int:
        """The number of stimuli."""
        return int(self.rows.shape[0])

    @property
    def dims(self) -> int:
        """The number of dimensions compared."""
        return int(self.rows.shape[1] if self.axes is None else self.axes.shape[1])

    def scores(self, start: int, stop: int) -> Tensor:
        """Return U for stimuli from `start` to `stop`, shape (stop - start, dims), float64."""
        block = _block(self.rows, start, stop, self.centre, self.device)
        return block.div_(self.norm) if self.axes is None else block @ self.axes


def similarity(patterns_a: Sequence[Any], patterns_b: Sequence[Any], comparison: str) -> Floats:
    """Compare every pattern matrix of one side with every one of the other.

    ``svcca`` keeps of each side the fewest principal axes that hold 99% of its variance over
    stimuli, and is the mean of the ``min(k, k')`` canonical correlations between them. It is
    1 for any invertible linear map of what is kept; it grows as the dimensions kept come near
    the number of stimuli (see `crowded`).

    ``procrustes`` is the nuclear norm ``s = ‖XᵀY‖_*`` of the patterns centred over stimuli
    and divided by their Frobenius norms, 1 up to rotation, reflection, scale and shift. The
    Procrustes distance is ``√(2 - 2s)``, the angular (shape metric's) ``arccos s``.

    Parameters
    ----------
    patterns_a, patterns_b : sequence of array-like, or of Representation
        Shapes (n, p), stimuli by neuroids, any p, the same stimuli in one order. Read by
        blocks of rows where n > p; memory grows with the square of the smaller of both.
    comparison : {"svcca", "procrustes"}
        Which.

    Returns
    -------
    array of float64, shape (Ka, Kb)
        In [0, 1]; NaN where all patterns of a matrix are the same.

    Examples
    --------
    >>> x = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 5.0], [3.0, 3.0]])
    >>> turned = x @ np.array([[0.6, -0.8], [0.8, 0.6]])
    >>> similarity([x], [7 * turned + 1], "procrustes").round(6)
    array([[1.]])
    """
    side_a, side_b = (
        [each if isinstance(each, Representation) else represent(each, comparison) for each in side]
        for side in (patterns_a, patterns_b)
    )
    values = np.full((len(side_a), len(side_b)), np.nan)
    for row, one in enumerate(side_a):
        for group in _groups(one.dims, side_b):
            products = _products(one, [side_b[index] for index in group])
            for index, product in zip(group, products, strict=True):
                values[row, index] = _from_product(product, comparison)
    return values


def represent(patterns: Any, comparison: str, device: torch.device | str = "cpu") -> Representation:
    """Prepare one pattern matrix, to be compared many times.

    Parameters
    ----------
    patterns : array-like, shape (n, p)
        One row a stimulus; read once, by blocks of rows where n > p.
    comparison : {"svcca", "procrustes"}
        Which.
    device : torch.device or str
        Where to compute; always in float64.

    Returns
    -------
    Representation
        For `similarity`.

    Examples
    --------
    >>> represent(np.diag([3.0, 2.0, 0.01, 0.0]), "svcca").dims
    2
    """
    device = torch.device(device)
    rows, centre, moments = _moments(patterns, comparison == "svcca", device)
    total = float(moments.trace() if comparison == "svcca" else moments)
    # Rounding of the mean is no variance.
    if total <= 1e-28 * patterns.shape[0] * float(centre @ centre):
        return Representation(rows, centre[: rows.shape[1]], None, float("nan"), device)
    if rows is not patterns:
        centre = np.zeros(rows.shape[1])
    if comparison == "procrustes":
        return Representation(rows, centre, None, total**0.5, device)
    return Representation(rows, centre, _whitening(moments), 1.0, device)


def crowded(side_a: Sequence[Representation], side_b: Sequence[Representation]) -> str:
    """Say where svcca has too few stimuli for the dimensions kept, or nothing.

    Two spaces of k and k' dimensions among n - 1 (centred) share at least ``k + k' - (n - 1)``:
    that many canonical correlations are 1 whatever the responses.

    Parameters
    ----------
    side_a, side_b : sequence of Representation
        Made by `represent` for ``svcca``.

    Returns
    -------
    str
        A sentence; empty where no correlation is forced.

    Examples
    --------
    >>> noise = [represent(np.random.default_rng(k).normal(size=(9, 6)), "svcca") for k in (0, 1)]
    >>> crowded(noise[:1], noise[1:]).split(":")[0]
    '1 of 1 pairs of regions keep more dimensions than 9 stimuli can tell apart'
    """
    varying = [[each for each in side if np.isfinite(each.norm)] for side in (side_a, side_b)]
    pairs = [(a.dims, b.dims) for a in varying[0] for b in varying[1]]
    n = side_a[0].n if side_a else 0
    forced = [(k + other - n + 1, k, other) for k, other in pairs if k + other >= n]
    if not forced:
        return ""
    most, k, other = max(forced)
    return (
        f"{len(forced)} of {len(pairs)} pairs of regions keep more dimensions than {n} stimuli "
        f"can tell apart: of up to {min(k, other)} canonical correlations ({k} and {other} "
        f"dimensions), at least {min(most, k, other)} are 1 whatever the responses; take more "
        "stimuli, or comparison='procrustes'."
    )


def _moments(patterns: Any, whole: bool, device: torch.device) -> tuple[Any, Floats, Tensor]:
    """Rows to read from now on, their mean, and ``XᵀX`` centred (its trace unless `whole`)."""
    n, p = patterns.shape
    if n <= p:
        x = np.array(patterns, np.float64)
        centre = x.mean(0)
        x -= centre
        # X = Rᵀ Qᵀ: Qᵀ only turns the neuroids, so n columns say what p do.
        rows = torch.linalg.qr(torch.from_numpy(x).to(device).T, mode="r").R.T.contiguous()
        return rows, centre, rows.T @ rows if whole else rows.square().sum()
    first = _block(patterns, 0, _step(p), np.zeros(p), device).mean(0).cpu().numpy()
    total = torch.zeros(p, dtype=torch.float64, device=device)
    moments = torch.zeros((p, p) if whole else (), dtype=torch.float64, device=device)
    for start, stop in _spans(n, p):
        block = _block(patterns, start, stop, first, device)
        total += block.sum(0)
        moments += block.T @ block if whole else block.square().sum()
    mean = total / n
    moments -= n * (torch.outer(mean, mean) if whole else mean.square().sum())
    return patterns, first + mean.cpu().numpy(), moments


def _whitening(moments: Tensor) -> Tensor:
    """``V λ^(-½)`` of the fewest axes that hold the variance kept."""
    values, vectors = torch.linalg.eigh(moments)
    values, vectors = values.flip(0).clamp_min(0.0), vectors.flip(1)
    held = values.cumsum(0) / values.sum()
    # Rounding must not ask for one more axis, nor choose among axes of equal variance.
    last = values[int((held < KEPT_VARIANCE * (1 - 1e-12)).sum())]
    kept = int((values >= last * (1 - 1e-9)).sum())
    axes: Tensor = vectors[:, :kept] / values[:kept].sqrt()
    return axes


def _products(one: Representation, others: Sequence[Representation]) -> list[Tensor]:
    shapes = [(one.dims, other.dims) for other in others]
    totals = [torch.zeros(shape, dtype=torch.float64, device=one.device) for shape in shapes]
    widest = max(int(each.rows.shape[1]) for each in (one, *others))
    for start, stop in _spans(one.n, widest):
        scores = one.scores(start, stop).T
        for total, other in zip(totals, others, strict=True):
            total.addmm_(scores, other.scores(start, stop))
    return totals


def _from_product(product: Tensor, comparison: str) -> float:
    if not bool(torch.isfinite(product).all()):
        return float("nan")
    values = torch.linalg.svdvals(product)
    found = float(values.mean() if comparison == "svcca" else values.sum())
    return min(found, 1.0)


def _groups(dims: int, side: Sequence[Representation]) -> Iterator[list[int]]:
    """Cut a side so that the products of a group with `dims` dimensions are held together."""
    group: list[int] = []
    held = 0
    for index, other in enumerate(side):
        size = dims * other.dims
        if group and held + size > HELD:
            yield group
            group, held = [], 0
        group.append(index)
        held += size
    if group:
        yield group


def _block(rows: Any, start: int, stop: int, centre: Floats, device: torch.device) -> Tensor:
    if isinstance(rows, Tensor):
        return rows[start:stop].clone()
    # A copy: what is sliced may be the user's own.
    block = np.array(rows[start:stop], np.float64)
    block -= centre
    return torch.from_numpy(block).to(device)


def _step(width: int) -> int:
    return max(1, BLOCK // width)


def _spans(n: int, width: int) -> Iterator[tuple[int, int]]:
    step = _step(width)
    for start in range(0, n, step):
        yield start, min(start + step, n)
