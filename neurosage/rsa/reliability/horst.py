"""From the correlation of two halves to the reliability of the whole."""

from __future__ import annotations

import numpy as np

from neurosage.rsa.backends.base import Floats


def step_up(
    correlation: Floats, h1: float | Floats, h2: float | Floats, repetitions: float | Floats
) -> Floats:
    """Return the reliability of all repetitions from the correlation of two halves.

    Parameters
    ----------
    correlation : array of float64
        Pearson between means of h1 and of h2 repetitions, in [-1, 1].
    h1, h2 : float, or array that broadcasts
        Harmonic mean sizes of the halves.
    repetitions : float, or array that broadcasts
        Harmonic mean number of repetitions.

    Returns
    -------
    array of float64
        ``R / (R + λ)`` with λ the noise variance of one repetition over the signal's;
        ``2c / (1 + c)`` for equal halves; 0 where the correlation is 0.

    References
    ----------
    Horst 1951, "Estimating total test reliability from parts of unequal length".

    Examples
    --------
    >>> step_up(np.array([0.5, 0.0]), 4, 4, 8).round(4)
    array([0.6667, 0.    ])
    """
    zero = correlation == 0
    safe = np.where(zero, 1.0, correlation)
    root = np.sqrt((h1 - h2) ** 2 + 4.0 * h1 * h2 / safe**2)
    noise = 0.5 * (-(h1 + h2) + np.sign(safe) * root)
    with np.errstate(divide="ignore"):
        estimate: Floats = np.where(zero, 0.0, repetitions / (repetitions + noise))
    return estimate
