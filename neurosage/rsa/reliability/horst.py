"""From the correlation of two halves to the reliability of the whole."""

from __future__ import annotations

import numpy as np

from neurosage.rsa.backends.base import Floats

LOWEST = -1e6  # below it an estimate is at the correction's pole, but for rounding
LESS_THAN_CHANCE = "repetitions agree less than chance allows"


def step_up(
    correlation: Floats, h1: float | Floats, h2: float | Floats, repetitions: float | Floats
) -> Floats:
    """Return the reliability of all repetitions from the correlation of two halves.

    It grows with the correlation and is never above 1. Below 0 it falls to a pole, at -1
    where ``h1 + h2 = R`` and above -1 where ``h1 + h2 < R`` (sizes averaged over stimuli).
    At the pole and beyond it halves agree less than any ratio of noise to signal, chance
    included, would have them: the formula would give infinity, then values above 1.

    Parameters
    ----------
    correlation : array of float64
        Pearson between means of h1 and of h2 repetitions, in [-1, 1].
    h1, h2 : float, or array that broadcasts
        Harmonic mean sizes of the halves; ``h1 + h2`` is at most `repetitions`.
    repetitions : float, or array that broadcasts
        Harmonic mean number of repetitions.

    Returns
    -------
    array of float64
        ``R / (R + λ)`` with λ the noise variance of one repetition over the signal's;
        ``2c / (1 + c)`` for equal halves; 0 where the correlation is 0; from -1e6 to 1, or
        -inf at the pole and beyond it. What is reported says "not estimable" there.

    References
    ----------
    Horst 1951, "Estimating total test reliability from parts of unequal length".

    Examples
    --------
    >>> step_up(np.array([0.5, 0.0, -1.0]), 4, 4, 8).round(4)
    array([0.6667, 0.    ,   -inf])
    """
    zero = correlation == 0
    safe = np.where(zero, 1.0, correlation)
    root = np.sqrt((h1 - h2) ** 2 + 4.0 * h1 * h2 / safe**2)
    noise = 0.5 * (-(h1 + h2) + np.sign(safe) * root)
    total = repetitions + noise
    beyond = (safe < 0) & (total > repetitions / LOWEST)
    estimate: Floats = repetitions / np.where(beyond, 1.0, total)
    estimate = np.where(beyond, -np.inf, np.minimum(estimate, 1.0))
    return np.where(zero, 0.0, estimate)
