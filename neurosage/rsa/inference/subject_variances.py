"""What the choice of subjects, and of stimuli, adds to the variance of a mean similarity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosage.rsa.backends.base import Floats

STREAM = 2  # of the draws of subjects, apart from those of stimuli


@dataclass(frozen=True)
class Variances:
    """What the choice of subjects, of stimuli, and of both adds to a mean similarity.

    Parameters
    ----------
    subjects, stimuli, joint : array of float64, shape (K,)
        Of the mean over subjects, resampled over each.
    total : array of float64, shape (K,)
        From `dual_variance`.
    """

    subjects: Floats
    stimuli: Floats
    joint: Floats
    total: Floats


def variances(points: Floats, resampled: Floats, units: int, seed: int) -> Variances:
    """Return the variance of a mean over subjects, by what is drawn.

    Parameters
    ----------
    points : array of float64, shape (K, S)
        Similarity to each subject's RDM.
    resampled : array of float64, shape (B, K, S)
        The same in each resample of the stimuli.
    units : int
        How many stimuli, or groups of them, were drawn from.
    seed : int
        Of the draws of subjects.

    Returns
    -------
    Variances
        NaN where more than one resample in ten is not defined.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> stimuli, own = rng.normal(size=(500, 1, 1)), rng.normal(size=(1, 5))
    >>> found = variances(own, own + stimuli, 100, seed=0)
    >>> bool(np.isclose(found.subjects[0], own.var() / 5))
    True
    """
    subjects = points.shape[-1]
    rng = np.random.default_rng([seed, STREAM])
    even = np.full(subjects, 1.0 / subjects)
    times = rng.multinomial(subjects, even, size=len(resampled)) / subjects
    # Drawing subjects alone needs no draws: its variance has this form.
    of_subjects = points.var(-1) / subjects
    of_stimuli = _variance(resampled.mean(-1))
    joint = _variance(np.einsum("bks,bs->bk", resampled, times))
    total = dual_variance(of_subjects, of_stimuli, joint, subjects, units)
    return Variances(of_subjects, of_stimuli, joint, total)


def _variance(resampled: Floats) -> Floats:
    missing = np.isnan(resampled).mean(0)
    found: Floats = np.full(resampled.shape[1], np.nan)
    kept = missing <= 0.1
    found[kept] = np.nanvar(resampled[:, kept], axis=0, ddof=1)
    return found


def dual_variance(
    of_subjects: Floats, of_stimuli: Floats, joint: Floats, subjects: int, units: int
) -> Floats:
    """Correct the variance of drawing subjects and stimuli together.

    Parameters
    ----------
    of_subjects, of_stimuli, joint : array of float64, one shape
        Variances of the statistic when subjects, stimuli, and both are drawn.
    subjects, units : int
        How many there are of each.

    Returns
    -------
    array of float64, same shape
        Close to ``2 (V_subjects + V_stimuli) - V_joint`` where both are many; at most the
        joint one, but never below the larger of the single variances, each corrected for its
        number. rsatoolbox caps at the joint one even there, which with 2 or 3 subjects is too
        small: it is not corrected for their number.

    References
    ----------
    Schütt et al. 2023, "Statistical inference on representational geometries".

    Examples
    --------
    >>> dual_variance(np.array(1.0), np.array(2.0), np.array(3.5), 10**6, 10**6).round(3).item()
    2.5
    """
    c_s, c_n = subjects / (subjects - 1), units / (units - 1)
    shared = joint - of_subjects - of_stimuli
    corrected = c_s * of_subjects + c_n * of_stimuli - c_s * c_n * shared
    least = np.maximum(c_s * of_subjects, c_n * of_stimuli)
    found: Floats = np.maximum(np.minimum(corrected, joint), least)
    return found
