"""Similarities of every two RDMs under every resample of their stimuli."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats, get_backend
from neurosage.rsa.inference.forms import WEIGHTED, WHITENED, by_forms
from neurosage.rsa.inference.sides import Sides
from neurosage.rsa.inference.weighted_ranks import COMPARISONS as RANKS
from neurosage.rsa.inference.weighted_ranks import by_ranks

RECOMPUTED = ("kendall", "tau-a")
# Those that allow for a stimulus drawn twice, and those that know only in or out.
WITH_REPLACEMENT = (*WEIGHTED, *RANKS)
WITHOUT_REPLACEMENT = (*WHITENED, *RECOMPUTED)
LEAST = {"cka_unbiased": 4}  # stimuli


def similarities(sides: Sides, weights: Floats, comparison: str, member: Any = None) -> Floats:
    """Compare all regions of two sides under every resample of the stimuli.

    No RDM is made again: Pearson and cosine similarities, whitened ones and CKA are quadratic
    forms in the weights, ranks are sums of weights in the order of the distances. Kendall's
    taus are computed anew for each set of stimuli, which takes long.

    Parameters
    ----------
    sides : Sides
        From `read_sides`.
    weights : array of float64, shape (B, n)
        How often each stimulus is drawn, from `multiplicities`; 0 leaves it out. Only 0 and 1
        for comparisons other than pearson, cosine, spearman and rho-a: see `half_samples`.
    comparison : {"pearson", "cosine", "spearman", "rho-a", "corr_cov", "cosine_cov", "cka", \
"cka_unbiased", "kendall", "tau-a"}
        Over the pairs of different stimuli.
    member : array of int, shape (n,), optional
        The group of each stimulus, where groups are drawn: a group that is drawn w times is w
        groups, so that its own pairs are there w times, not w². (rsatoolbox 0.3.2, which leaves
        out the pairs of a stimulus with itself alone, counts them w² times.)

    Returns
    -------
    array of float64, shape (B, Ka, Kb)
        In [-1, 1], within 1e-5 of float64 throughout; NaN where a resample leaves no
        distances that vary.

    Raises
    ------
    InputError
        If the comparison cannot be resampled, or not with stimuli drawn twice.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> from neurosage.rsa.inference.sides import read_sides
    >>> a = assembly([[0.0], [1.0], [3.0], [7.0]], stimulus_id=list("abcd"), region="V4")
    >>> similarities(read_sides(a, a, "euclidean"), np.array([[1.0, 2, 1, 0]]), "pearson")
    array([[[1.]]])
    """
    if comparison not in (*WITH_REPLACEMENT, *WITHOUT_REPLACEMENT):
        choices = (*WITH_REPLACEMENT, *WITHOUT_REPLACEMENT)
        raise unknown("comparison under resampling", comparison, choices)
    weights = np.asarray(weights, np.float64)
    if not sides.names_a:
        return np.empty((len(weights), 0, len(sides.names_b)))
    if comparison in RANKS:
        return by_ranks(sides.squares_a, sides.squares_b, weights, comparison, member)
    if comparison in WITHOUT_REPLACEMENT:
        _check_once(weights, comparison)
    if comparison in RECOMPUTED:
        return _recomputed(sides, weights, comparison)
    found = by_forms(sides.squares_a, sides.squares_b, weights, comparison, member)
    found[(weights > 0).sum(1) < LEAST.get(comparison, 3)] = np.nan
    return found


def _check_once(weights: Floats, comparison: str) -> None:
    if ((weights != 0.0) & (weights != 1.0)).any():
        raise InputError(
            f"comparison {comparison!r} is not defined where a stimulus is drawn twice; draw "
            "half-samples of the stimuli, as bootstrap_similarity does, or compare by "
            f"{WITH_REPLACEMENT[0]!r} or {WITH_REPLACEMENT[2]!r}."
        )


def _recomputed(sides: Sides, weights: Floats, comparison: str) -> Floats:
    engine = get_backend("torch")
    found = np.full((len(weights), len(sides.names_a), len(sides.names_b)), np.nan)
    for each, row in zip(found, weights, strict=True):
        kept = np.flatnonzero(row)
        if len(kept) >= 3:
            a, b = (_pairs(side, kept) for side in (sides.squares_a, sides.squares_b))
            each[:] = engine.compare(a, b, comparison)
    return found


def _pairs(squares: Any, kept: Any) -> Floats:
    """Return the upper triangles of RDMs of some stimuli, shape (K, m)."""
    rows, columns = np.triu_indices(len(kept), 1)
    rows, columns = kept[rows], kept[columns]
    return np.stack([square[rows, columns] for square in squares])
