"""Half of the stimuli at random: intervals where a stimulus cannot be drawn twice.

The statistic of a random half varies about that of the whole as the whole does about the
truth: for a mean, ``σ²/h (1 - h/n) = σ²/n`` at ``h = n/2``. So the spread over halves, without
their bias, is the error at n. That holds for many stimuli. What is no mean varies more in a half
of few than such shrinking allows for, so the spread is at least the standard error:

=======  ==================  ==============================
stimuli  spread over halves  standard error
=======  ==================  ==============================
12       .207                .107 (SD over new stimuli)
30       .064                .047
80       .027                .021
=======  ==================  ==============================

(``cka_unbiased``, 12 features shared by both sides, simulated.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.resampling import check_sampling, group_numbers

METHOD = "half-samples of stimuli without replacement, their spread about the estimate"
FEW = 30  # stimuli or groups below which the spread overstates the error by a third and more
OVERSTATED = (
    "half-samples of {units} stimuli, or groups of them, overstate the standard error (by a third "
    "or more with 30, twofold with 12): the interval is wider than it need be."
)
MINIMUM_STIMULI = 8  # so that halves have the 4 that an unbiased comparison needs


def half_samples(n_or_groups: int | npt.ArrayLike, samples: int, seed: int) -> tuple[Floats, float]:
    """Draw half of the stimuli, or of their groups, again and again.

    Parameters
    ----------
    n_or_groups : int or array_like, shape (n,)
        How many stimuli, or each one's group, as in `multiplicities`.
    samples : int
        How many halves, 20 or more.
    seed : int
        Of the draws.

    Returns
    -------
    tuple of (array of float64, shape (samples, n); float)
        1 for the stimuli of the half, 0 for the others; by how much the spread over halves
        is to be scaled: 1 for an even number, and nearly so for an odd one.

    Raises
    ------
    InputError
        If there are fewer than 8 stimuli, or as `multiplicities`.

    References
    ----------
    Politis, Romano 1994, "Large sample confidence regions based on subsamples under minimal
    assumptions".

    Examples
    --------
    >>> halves, factor = half_samples(9, 20, seed=0)
    >>> halves[:2].sum(1), round(factor, 3)
    (array([4., 4.]), 0.894)
    """
    check_sampling(resamples=samples, seed=seed)
    member = group_numbers(n_or_groups)
    if len(member) < MINIMUM_STIMULI:
        raise InputError(
            f"{len(member)} stimuli have no two halves to speak of; an interval by half-samples "
            f"needs {MINIMUM_STIMULI} or more."
        )
    units = int(member.max()) + 1
    half = units // 2
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(units), (samples, 1)), axis=1)
    weights: Floats = (order < half)[:, member].astype(np.float64)
    return weights, float(np.sqrt(half / (units - half)))


def about_estimate(halves: Any, estimate: Any, factor: float) -> Floats:
    """Move what halves say to the estimate from all stimuli, with the spread of its error.

    Parameters
    ----------
    halves : array of float64, shape (samples, ...)
        The statistic of each half; NaN where it has none.
    estimate : array of float64, shape (...)
        That of all stimuli.
    factor : float
        From `half_samples`.

    Returns
    -------
    array of float64, shape (samples, ...)
        As resamples of the estimate: their SD is its standard error.

    Examples
    --------
    >>> about_estimate(np.array([0.1, 0.3]), np.array(0.5), 1.0)
    array([0.4, 0.6])
    """
    found = np.isfinite(halves)
    mean = np.where(found, halves, 0.0).sum(0) / np.maximum(found.sum(0), 1)
    moved: Floats = estimate + factor * (halves - mean)
    return moved
