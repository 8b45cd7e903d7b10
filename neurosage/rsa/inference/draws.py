"""How the stimuli, or groups of them, are drawn: again and again, or into two halves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.reliability.drawing import STIMULI, stimulus_groups
from neurosage.rsa.resampling import MINIMUM_GROUPS, multiplicities
from neurosage.rsa.responses.patterns import Source

MINIMUM_HALF = 3  # stimuli that make distances to compare
MISSING = 0.1  # of the resamples may lack the statistic
LARGEST = 0.25  # of the stimuli that one group may hold


@dataclass(frozen=True)
class Together:
    """Which stimuli are drawn together.

    Parameters
    ----------
    member : array of int, shape (n,)
        The group of each stimulus; single stimuli are groups of one.
    by : str
        What groups them.
    """

    member: Any
    by: str = STIMULI

    @property
    def units(self) -> int:
        """How many groups there are to draw from."""
        return int(self.member.max()) + 1

    @property
    def warnings(self) -> list[str]:
        """What not to believe of intervals over these groups."""
        share = float(np.bincount(self.member).max()) / len(self.member)
        if self.grouping is None or share <= LARGEST:
            return []
        return [
            f"one group ({self.by}) holds {share:.0%} of the {len(self.member)} stimuli: groups so "
            "unequal are not drawn from one kind, and an interval over them is not to be relied on."
        ]

    @property
    def grouping(self) -> Any:
        """The group of each stimulus, for `similarities`; None where single ones are drawn."""
        return None if self.units == len(self.member) else self.member

    @property
    def method(self) -> str:
        """What drawing them again is called."""
        return "bootstrap over stimuli" + ("" if self.by == STIMULI else f" by {self.by}")

    def resamples(self, count: int, seed: int) -> Floats:
        """Draw with replacement: multiplicities, shape (count, n)."""
        single = self.units == len(self.member)
        return multiplicities(self.units if single else self.member, count, seed)

    def halves(self, count: int, rng: np.random.Generator) -> Any:
        """Split the groups at random, the spare one of an odd number to either half.

        Parameters
        ----------
        count : int
            How many splits.
        rng : numpy.random.Generator
            Of the splits.

        Returns
        -------
        array of bool, shape (count, n)
            The first half; the others are the second.

        Raises
        ------
        InputError
            If a half would have fewer than three stimuli.

        Examples
        --------
        >>> Together(np.arange(6)).halves(2, np.random.default_rng(0)).sum(1)
        array([3, 3])
        """
        if self.units < 2 * MINIMUM_HALF:
            raise InputError(
                f"{self.units} stimuli or groups of them make no two halves of {MINIMUM_HALF} or "
                "more; give more stimuli, or draw single ones (by='stimulus_id')."
            )
        ranks = rng.permuted(np.tile(np.arange(self.units), (count, 1)), axis=1)
        size = self.units // 2 + rng.integers(0, 1 + self.units % 2, size=(count, 1))
        return (ranks < size)[:, self.member]


def why_no_interval(resampled: Floats, units: int) -> str:
    """Say why resamples of a statistic make no interval, or nothing.

    Parameters
    ----------
    resampled : array of float64, shape (B,)
        The statistic in each resample; NaN where it has none.
    units : int
        How many stimuli, or groups of them, were drawn from.

    Returns
    -------
    str
        Empty where they make one.

    Examples
    --------
    >>> why_no_interval(np.ones(100), 4)
    '4 stimuli, or groups of them, say too little of others: an interval needs 10 or more'
    >>> why_no_interval(np.ones(100), 40)
    ''
    """
    if units < MINIMUM_GROUPS:
        return (
            f"{units} stimuli, or groups of them, say too little of others: an interval needs "
            f"{MINIMUM_GROUPS} or more"
        )
    missing = float(np.isnan(resampled).mean())
    if missing <= MISSING:
        return ""
    return (
        f"undefined in {missing:.0%} of the resamples: without some of the stimuli, the distances "
        "do not vary by more than the rounding of the largest"
    )


def drawn_by(source: Source, by: str, stimulus_ids: Any, *others: Source) -> Together:
    """Read which stimuli of a recording are drawn together.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Whose coordinate on presentation, or column of the stimuli, `by` groups the stimuli.
    by : str
        ``stimulus_id`` draws single stimuli.
    stimulus_ids : array of object, shape (n,)
        Those that are compared, in order.
    *others : Teacher or xarray.DataArray
        Asked in turn where `source` does not know `by`.

    Returns
    -------
    Together
        In the order of `stimulus_ids`.

    Raises
    ------
    InputError
        If none knows `by`, or a stimulus has no label or more than one.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0]], stimulus_id=["a", "b"], region="V4")
    >>> drawn_by(a, "stimulus_id", ["a", "b"]).units
    2
    """
    groups = stimulus_groups([source, *others], by, stimulus_ids)
    if by == STIMULI:
        return Together(np.arange(groups))
    return Together(np.unique(groups, return_inverse=True)[1].ravel(), by)
