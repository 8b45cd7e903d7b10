"""Resamples as a comparison allows them, and the similarities in each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.inference.draws import Together, why_no_interval
from neurosage.rsa.inference.half_samples import (
    FEW,
    METHOD,
    OVERSTATED,
    about_estimate,
    half_samples,
)
from neurosage.rsa.inference.resampled import RECOMPUTED, WITHOUT_REPLACEMENT, similarities
from neurosage.rsa.inference.sides import Sides
from neurosage.rsa.resampling import MINIMUM_GROUPS, percentile_interval


@dataclass(frozen=True, eq=False)
class Draws:
    """Resamples of the stimuli, fit for a comparison.

    Parameters
    ----------
    weights : array of float64, shape (B, n)
        How often each stimulus is drawn.
    factor : float
        What their spread is to be multiplied by to be that of all stimuli.
    method : str
        How they were drawn.
    """

    weights: Floats
    factor: float
    method: str


def drawn_for(drawn: Together, comparison: str, resamples: int, seed: int) -> Draws:
    """Draw stimuli with replacement, or halves of them where none can be drawn twice.

    Parameters
    ----------
    drawn : Together
        What is drawn together.
    comparison, resamples, seed
        As in `bootstrap_similarity`.

    Returns
    -------
    Draws
        The same whatever is compared.

    Raises
    ------
    InputError
        If there are too few stimuli or groups.

    Examples
    --------
    >>> drawn_for(Together(np.arange(8)), "cka", 20, seed=0).weights.sum(1)[:3]
    array([4., 4., 4.])
    """
    if comparison not in WITHOUT_REPLACEMENT:
        return Draws(drawn.resamples(resamples, seed), 1.0, drawn.method)
    single = drawn.units == len(drawn.member)
    weights, factor = half_samples(drawn.units if single else drawn.member, resamples, seed)
    method = METHOD.replace("stimuli", "stimuli" if single else f"groups of stimuli ({drawn.by})")
    anew = ", each computed anew" if comparison in RECOMPUTED else ""
    return Draws(weights, factor, method + anew)


def interval_warnings(drawn: Together, comparison: str) -> list[str]:
    """Say what not to believe of intervals over these stimuli.

    Parameters
    ----------
    drawn : Together
        What is drawn together.
    comparison : str
        As in `bootstrap_similarity`.

    Returns
    -------
    list of str
        For groups of very unequal size, and half-samples of few stimuli.

    Examples
    --------
    >>> len(interval_warnings(Together(np.arange(12)), "cka_unbiased"))
    1
    """
    halved = comparison in WITHOUT_REPLACEMENT and MINIMUM_GROUPS <= drawn.units < FEW
    return [*drawn.warnings, *([OVERSTATED.format(units=drawn.units)] if halved else [])]


@dataclass(frozen=True, eq=False)
class Resampled:
    """Similarities, and what they are under resamples of the stimuli.

    Parameters
    ----------
    estimate : array of float64, shape (Ka, Kb)
        From all stimuli.
    values : array of float64, shape (B, Ka, Kb)
        In each resample; those of half-samples moved to the estimate, so that their SD is its
        standard error either way. All NaN where stimuli are fewer than 10.
    method : str
        How stimuli were drawn.
    units : int
        How many stimuli, or groups of them, were drawn from.
    """

    estimate: Floats
    values: Floats
    method: str
    units: int

    def why_not(self, at: tuple[int, int]) -> str:
        """Say why a similarity has no interval, or nothing."""
        k, j = at
        return why_no_interval(self.values[:, k, j], self.units)

    def ends(self, interval: float) -> tuple[Floats, Floats]:
        """Return both ends of the intervals, each of shape (Ka, Kb).

        NaN where `why_not` says why.
        """
        low, high = np.full((2, *self.estimate.shape), np.nan)
        for k, j in np.ndindex(*self.estimate.shape):
            if not self.why_not((k, j)):
                low[k, j], high[k, j] = percentile_interval(self.values[:, k, j], interval)
        return np.clip(low, -1.0, 1.0), np.clip(high, -1.0, 1.0)

    def standard_error(self) -> Floats:
        """Return the SD over resamples, shape (Ka, Kb), NaN as in `ends`."""
        found = np.isfinite(self.values)
        many = found.sum(0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(found, self.values, 0.0).sum(0) / many
            squares = np.where(found, np.square(self.values - mean), 0.0).sum(0) / (many - 1)
        squares[many < 0.9 * len(self.values)] = np.nan
        error: Floats = np.sqrt(squares)
        return error


def resample(
    sides: Sides, drawn: Together, comparison: str, resamples: int = 1000, seed: int = 0
) -> Resampled:
    """Resample the stimuli of RDMs that are made already, as the comparison allows.

    Parameters
    ----------
    sides : Sides
        From `read_sides`.
    drawn : Together
        What is drawn together, from `drawn_by`.
    comparison, resamples, seed
        As in `bootstrap_similarity`.

    Returns
    -------
    Resampled
        Drawn with replacement, or half-samples; none of fewer than 10 stimuli.

    Raises
    ------
    InputError
        If the comparison cannot be resampled, or there are too few groups.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> from neurosage.rsa.inference.draws import drawn_by
    >>> from neurosage.rsa.inference.sides import read_sides
    >>> a = assembly(np.random.default_rng(0).normal(size=(20, 5)), region="V4",
    ...              stimulus_id=[f"s{k}" for k in range(20)])
    >>> sides = read_sides(a, a)
    >>> resample(sides, drawn_by(a, "stimulus_id", sides.stimulus_ids), "pearson").values.shape
    (1000, 1, 1)
    """
    estimate = similarities(sides, np.ones((1, len(drawn.member))), comparison)[0]
    if drawn.grouping is None and drawn.units < MINIMUM_GROUPS:
        none = np.full((resamples, *estimate.shape), np.nan)
        return Resampled(estimate, none, f"none ({drawn.units} stimuli)", drawn.units)
    draws = drawn_for(drawn, comparison, resamples, seed)
    values = similarities(sides, draws.weights, comparison, drawn.grouping)
    if comparison in WITHOUT_REPLACEMENT:
        values = about_estimate(values, estimate, draws.factor)
    return Resampled(estimate, values, draws.method, drawn.units)
