"""The similarity of many pairs of RDMs, averaged, under the same resamples of the stimuli."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.grouped import once, pairs_drawn, within
from neurosage.rsa.resampling import standardised

EXACT = 100  # stimuli up to which every pair's products cost less than collecting them
FEW = 5  # pairs up to which what collecting neglects does not cancel


class MeanSimilarity:
    """Collects pairs of RDMs, then averages their similarity in every resample.

    `weighted_similarity` of each pair would cost five products of shape (B, n) × (n, n).
    With multiplicities ``w = 1 + δ``, each sum over pairs is
    ``wᵀMw = 1ᵀM1 + 2 δᵀM1 + δᵀMδ``. The first two terms are cheap and are taken of every
    pair; in the last, which is the smaller by a factor of about n, M is averaged over pairs.
    What that neglects cancels to first order in the average over pairs: with 10 pairs an
    interval is as wide as the exact one to 2%, and worse where a few stimuli hold most of
    the variance. Nothing is neglected without resampling (``w = 1``), nor with 100 stimuli or
    fewer, nor with 5 pairs or fewer.

    Parameters
    ----------
    weights : array of float64, shape (B, n)
        From `neurosage.rsa.resampling.multiplicities`.
    comparison : {"pearson", "cosine"}
        As in `neurosage.rsa.resampling.weighted_similarity`.
    pairs : int, optional
        How many will come at most; if not known, many.
    member : array of int, shape (n,), optional
        The group of each stimulus, where groups are drawn: pairs within count w times, not w².

    Examples
    --------
    >>> x = np.array([[0.0, 1, 2], [1, 0, 4], [2, 4, 0]])
    >>> mean = MeanSimilarity(np.empty((0, 3)), "pearson")
    >>> mean.add(x, 2 * x, np.arange(3))
    >>> mean.add(x, -x, np.arange(3))
    >>> mean.result()[0].round(6)
    array([0.])
    """

    def __init__(
        self, weights: Floats, comparison: str, pairs: int | None = None, member: Any = None
    ) -> None:
        self._member = member
        self._weights = np.vstack([np.ones((1, weights.shape[1])), weights])
        self._centred = comparison == "pearson"
        self._deviation = weights - 1.0
        self._exact = weights.shape[1] <= EXACT or (pairs is not None and pairs <= FEW)
        size = weights.shape[1] if len(weights) and not self._exact else 0
        self._average = np.zeros((3, size, size))
        self._forms: list[Floats] = []
        self._pairs: list[Floats] = []

    def add(self, x: Floats, y: Floats, used: Any) -> None:
        """Take one pair of RDMs, shape (k, k), of the `used` stimuli, shape (k,)."""
        x, y = standardised(x, self._centred), standardised(y, self._centred)
        weights = self._weights[:, used]
        member = None if self._member is None else self._member[used]
        self._pairs.append(pairs_drawn(weights, member))
        cross = x * y
        inside: Any = 0.0
        if member is not None:
            sums = [within(each, member) for each in (x, y, x * x, y * y, cross)]
            inside = np.stack(sums) @ once(weights).T
        if self._exact:
            every = np.stack([x, y, x * x, y * y, cross])
            self._forms.append(np.einsum("mbi,bi->mb", weights @ every, weights) + inside)
            return
        rows = [each.sum(1) for each in (x, y)]
        rows += [np.einsum("ij,ij->i", x, x), np.einsum("ij,ij->i", y, y), cross.sum(1)]
        known = np.stack(rows)
        # The sum, and twice what the resample adds to it.
        self._forms.append(known.sum(1)[:, None] + 2.0 * known @ (weights - 1.0).T + inside)
        if self._average.size:
            self._collect(x, y, cross, used)

    def _collect(self, x: Floats, y: Floats, cross: Floats, used: Any) -> None:
        """Add the products, the mean squares and the sums of one pair, in place."""
        everywhere = len(used) == self._weights.shape[1]
        place = slice(None) if everywhere else np.ix_(used, used)
        self._average[0][place] += cross
        x += y
        self._average[2][place] += x
        x *= x  # (x + y)² - 2 x y
        cross *= -2.0
        x += cross
        self._average[1][place] += x

    def result(self) -> tuple[Floats, int]:
        """Return the mean similarity, shape (1 + B,), unresampled first, and the pairs taken.

        NaN where no pair's distances vary.
        """
        count = len(self._forms)
        quadratic = np.zeros((3, self._weights.shape[0]))
        if self._average.size:
            for k, each in enumerate(self._average):
                form = np.einsum("bi,bi->b", self._deviation @ each, self._deviation)
                quadratic[k, 1:] = form / count * (1.0 if k == 0 else 0.5)
        total, found = np.zeros(quadratic.shape[1]), np.zeros(quadratic.shape[1])
        for forms, pairs in zip(self._forms, self._pairs, strict=True):
            similarity = self._similarity(forms + quadratic[[2, 2, 1, 1, 0]], pairs)
            defined = ~np.isnan(similarity)
            total[defined] += similarity[defined]
            found += defined
        mean = np.divide(total, found, out=np.full(len(total), np.nan), where=found > 0)
        return mean, count

    def _similarity(self, forms: Floats, pairs: Floats) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_x, mean_y, own_x, own_y, cross = forms / pairs
            if self._centred:
                cross = cross - mean_x * mean_y
                own_x, own_y = own_x - mean_x * mean_x, own_y - mean_y * mean_y
            similarity: Floats = np.clip(cross / np.sqrt(own_x * own_y), -1.0, 1.0)
        similarity[~((own_x > 1e-12) & (own_y > 1e-12) & (pairs > 0))] = np.nan
        return similarity
