"""Similarities under resampled stimuli by quadratic forms: no resampled RDM is ever made.

With w the multiplicities of the stimuli, every sum over pairs is a form such as
``wᵀ(X∘Y)w``, and every comparison here is made of few of them:
``C = wᵀ(X∘Y)w - α Σ_i w_i x_i y_i + β (wᵀXw)(wᵀYw)`` with ``x = Xw``, and
``similarity = C_XY / sqrt(C_XX C_YY)``. RDMs are centred and scaled on the whole set first
and pass once, by tiles of rows above the diagonal; all resamples are one product with each.

A group of stimuli that is drawn w times is w groups, each with its own pairs: so pairs within
it weigh w, not w², and every sum gains ``Σ_g (w_g - w_g²) S_g``, S_g its sum within group g.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.grouped import once
from neurosage.rsa.inference.squares import Squares, tiles

# Those that have a form where a stimulus is drawn twice, and those for half-samples only.
WEIGHTED = ("pearson", "cosine")
WHITENED = ("corr_cov", "cosine_cov", "cka", "cka_unbiased")
UNCENTRED = ("cosine", "cosine_cov", "cka")
TILE = 128
CHUNK = 1024  # resamples in one product
ROW_BYTES = 256 << 20  # of the sums over rows, which the whitened ones need
CANCELLED = 30.0  # sums this many times their difference lose too many of float32's digits
FLAT = 1e-12
Of = tuple[int, int]  # a side, and one of its RDMs


def by_forms(
    a: Squares, b: Squares, weights: Floats, comparison: str, member: Any = None
) -> Floats:
    """Compare all RDMs of two sides under every resample of the stimuli.

    Products are taken in float32; resamples whose sums nearly cancel again in float64.

    Parameters
    ----------
    a, b : Squares
        Ka and Kb RDMs of the same n stimuli.
    weights : array of float64, shape (B, n)
        Multiplicities; 0 and 1 only for the whitened comparisons and CKA.
    comparison : str
        One of ``WEIGHTED`` or ``WHITENED``.
    member : array of int, shape (n,), optional
        The group of each stimulus, where groups are drawn; they share their weights.

    Returns
    -------
    array of float64, shape (B, Ka, Kb)
        In [-1, 1], within 1e-5 of float64 throughout; NaN where distances do not vary.

    References
    ----------
    Nili et al. 2014, "A toolbox for representational similarity analysis" (the bootstrap).
    Székely, Rizzo 2014, "Partial distance correlation" (``cka_unbiased``).

    Examples
    --------
    >>> from neurosage.rsa.inference.squares import Held
    >>> x = np.array([[[0.0, 1, 2], [1, 0, 4], [2, 4, 0]]])
    >>> by_forms(Held(x), Held(3 * x + 1), np.ones((1, 3)), "pearson").round(6)
    array([[[1.]]])
    """
    sides = tuple(_Scaled(side) for side in (a, b))
    step = CHUNK
    if comparison in WHITENED:
        step = max(1, min(step, ROW_BYTES // (4 * a.n * (len(a) + len(b)))))
    found = np.empty((len(weights), len(a), len(b)))
    for start in range(0, len(weights), step):
        w = np.ascontiguousarray(weights[start : start + step].T)
        part, unsafe = _Sums(sides, w.astype(np.float32), comparison, member).compared()
        if unsafe.any():
            part[unsafe] = _Sums(sides, w[:, unsafe], comparison, member).compared()[0]
        found[start : start + step] = part
    return found


class _Scaled:
    """RDMs of one side, centred and scaled by tiles."""

    def __init__(self, squares: Squares) -> None:
        self.squares = squares
        self.n, self.many = squares.n, len(squares)
        self._scales = [_centre_and_scale(squares, k) for k in range(len(squares))]

    def tile(self, k: int, start: int, stop: int, dtype: Any) -> Any:
        """Return rows above the diagonal, centred and scaled, 0 elsewhere."""
        centre, scale = self._scales[k]
        tile = self.squares.tile(k, start, stop)
        if not scale:
            return np.zeros(tile.shape, dtype)
        tile = ((tile - centre) / scale).astype(dtype)
        tile[:, : stop - start] = np.triu(tile[:, : stop - start], 1)
        return tile

    def mean(self, k: int) -> float:
        """Return what was taken out, in units of the scale."""
        centre, scale = self._scales[k]
        # An RDM that does not vary is its mean, in whatever unit.
        return centre / scale if scale else float(np.sign(centre))


def _centre_and_scale(side: Squares, k: int) -> tuple[float, float]:
    """Return the mean over pairs and the SD; where that is 0, the root mean square, or 1."""
    n = side.n
    count, shift, total, squared, size = n * (n - 1) / 2, None, 0.0, 0.0, 0.0
    for start, stop in tiles(n, TILE):
        rows = side.tile(k, start, stop)
        pairs = rows[np.arange(start, stop)[:, None] < np.arange(start, n)]
        if not len(pairs):
            continue
        shift = float(pairs.mean()) if shift is None else shift
        size = max(size, float(np.abs(pairs).max()))
        pairs = pairs - shift
        total, squared = total + float(pairs.sum()), squared + float(pairs @ pairs)
    mean = total / count
    centre, spread = (shift or 0.0) + mean, max(squared / count - mean * mean, 0.0) ** 0.5
    # What is left of a constant RDM after centring is rounding.
    return (centre, spread) if spread > 1e-14 * size else (centre, 0.0)


class _Sums:
    """All forms of two sides under some resamples, weights of shape (n, B)."""

    def __init__(
        self, sides: tuple[_Scaled, ...], weights: Any, comparison: str, member: Any
    ) -> None:
        self.sides, self.weights, self.comparison, self.member = sides, weights, comparison, member
        n, many = weights.shape
        self.drawn = weights.sum(0, dtype=np.float64)
        self.pairs = self.drawn**2 - np.square(weights, dtype=np.float64).sum(0)
        if member is not None:
            self.pairs += (np.bincount(member)[member] - 1) @ once(weights)
        self.cross = np.zeros((sides[0].many, sides[1].many, many))
        self.total, self.own = ([np.zeros((s.many, many)) for s in sides] for _ in "to")
        self.rows: list[Any] = []
        if comparison in WHITENED:
            self.rows = [np.zeros((side.many, n, many), weights.dtype) for side in sides]
        for start, stop in tiles(n, TILE):
            self._add(start, stop)

    def _add(self, start: int, stop: int) -> None:
        first, second = self.sides
        dtype = self.weights.dtype
        others = [second.tile(j, start, stop, dtype) for j in range(second.many)]
        for j, y in enumerate(others):
            self._add_own((1, j), y, start, stop)
        for k in range(first.many):
            x = first.tile(k, start, stop, dtype)
            self._add_own((0, k), x, start, stop)
            self.cross[k] += self._forms([x * y for y in others], start, stop)

    def _add_own(self, of: Of, tile: Any, start: int, stop: int) -> None:
        side, k = of
        total, own = self._forms([tile, tile * tile], start, stop)
        self.total[side][k] += total
        self.own[side][k] += own
        if self.rows:
            sums = self.rows[side][k]
            sums[start:stop] += tile @ self.weights[start:]
            sums[start:] += tile.T @ self.weights[start:stop]

    def _forms(self, stack: list[Any], start: int, stop: int) -> Any:
        shape = len(stack), stop - start, -1
        products = (np.concatenate(stack) @ self.weights[start:]).reshape(shape)
        own = self.weights[start:stop]
        sums = np.einsum("ptb,tb->pb", products, own)
        if self.member is not None:
            same = self.member[start:stop, None] == self.member[start:]
            sums += np.stack([(each * same).sum(1) for each in stack]) @ once(own)
        return 2.0 * sums

    def compared(self) -> tuple[Floats, Any]:
        """Return similarities, shape (B, Ka, Kb), and which resamples lost too many digits."""
        found = np.empty((len(self.drawn), *self.cross.shape[:2]))
        unsafe = np.zeros(len(self.drawn), bool)
        own: list[list[Any]] = [[], []]
        with np.errstate(invalid="ignore", divide="ignore"):
            for side, forms in enumerate(self.own):
                for k, form in enumerate(forms):
                    value, size = self._joined(form, (side, k), (side, k))
                    unsafe |= (size > CANCELLED * value) & (size > 0)
                    own[side].append(np.where(value > FLAT * self.pairs, value, np.nan))
            for k, j in np.ndindex(*self.cross.shape[:2]):
                shared, _ = self._joined(self.cross[k, j], (0, k), (1, j))
                found[:, k, j] = shared / np.sqrt(own[0][k] * own[1][j])
        return np.clip(found, -1.0, 1.0), unsafe

    def _joined(self, form: Any, x: Of, y: Of) -> tuple[Any, Any]:
        """Return C of two RDMs and the size of what it is the sum of, each of shape (B,)."""
        total_x, total_y = self.total[x[0]][x[1]], self.total[y[0]][y[1]]
        rows, totals = _factors(self.drawn, self.pairs, self.comparison)
        terms = [form, totals * total_x * total_y]
        if self.rows:
            of_x, of_y = self.rows[x[0]][x[1]], self.rows[y[0]][y[1]]
            products = np.einsum("ib,ib,ib->b", self.weights, of_x, of_y, dtype=np.float64)
            terms.append(-rows * products)
        if self.comparison in UNCENTRED:
            terms += self._of_means(x, y)
        return sum(terms), sum(np.abs(term) for term in terms)

    def _of_means(self, x: Of, y: Of) -> list[Any]:
        """Return what the means add that were taken out of the RDMs: so nothing cancels."""
        mean_x, mean_y = (self.sides[side].mean(k) for side, k in (x, y))
        totals = mean_x * self.total[y[0]][y[1]], mean_y * self.total[x[0]][x[1]]
        if self.comparison == "cosine":
            return [*totals, mean_x * mean_y * self.pairs]
        # A constant over the pairs, c(11ᵀ - I), centred is -cH: products with it are traces.
        return [*(each / self.drawn for each in totals), mean_x * mean_y * (self.drawn - 1.0)]


def _factors(drawn: Any, pairs: Any, comparison: str) -> tuple[Any, Any]:
    """Return α and β of each resample."""
    if comparison == "pearson":
        return 0.0, -1.0 / pairs
    if comparison == "cosine":
        return 0.0, 0.0
    if comparison == "cka_unbiased":
        return 2.0 / (drawn - 2.0), 1.0 / ((drawn - 1.0) * (drawn - 2.0))
    totals = 1.0 / drawn**2
    if comparison == "corr_cov":
        totals = totals - 1.0 / (drawn**2 * (drawn - 1.0))
    return 2.0 / drawn, totals
