"""The reliability of one region's RDM under every resample of the stimuli."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats, check_memory
from neurosage.rsa.distances.crossnobis import DISTANCE as CROSSNOBIS
from neurosage.rsa.distances.crossnobis import weighed
from neurosage.rsa.distances.noise_precision import PRECISIONS
from neurosage.rsa.distances.presentations import MINIMUM_STIMULI, Presentations, Repeated
from neurosage.rsa.reliability.horst import LESS_THAN_CHANCE, LOWEST, step_up
from neurosage.rsa.reliability.mean_similarity import MeanSimilarity
from neurosage.rsa.reliability.offered import (
    COMPARISONS,
    KINDS,
    check_form,
    check_halves,
    check_kind,
)
from neurosage.rsa.reliability.rdm_halves import (
    Pair,
    least_repetitions,
    least_sites,
    site_halves,
    trial_halves,
)
from neurosage.rsa.reliability.splits import how_many
from neurosage.rsa.resampling import check_sampling
from neurosage.rsa.responses.patterns import Patterns, Source, read_patterns

__all__ = ["COMPARISONS", "KINDS", "Estimate", "Estimator", "Settings", "from_pairs", "ranked"]

SITTING_OUT = 0.1  # more of the stimuli without a pattern in a half, and the halves are no sample


@dataclass(frozen=True)
class Settings:
    """How the reliability of an RDM is estimated; see `rdm_reliability`."""

    kind: str = "trials"
    distance: str = "correlation"
    comparison: str = "pearson"
    normalise: str | None = None
    splits: int = 50
    seed: int = 0
    nan: str = "raise"
    precision: str = "none"

    def checked(self) -> Settings:
        """Return the same.

        Raises
        ------
        InputError
            If a value is unknown.
        """
        check_kind(self.kind)
        check_halves(self.distance)
        check_form(self.comparison)
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if self.precision != "none" and self.distance != CROSSNOBIS:
            raise InputError(f"precision={self.precision!r} belongs to distance='crossnobis'.")
        check_sampling(splits=self.splits, seed=self.seed)
        return self


@dataclass(frozen=True)
class Estimate:
    """What halves say about one region.

    Parameters
    ----------
    point : float
        Reliability of the whole; NaN where not estimable.
    resampled : array of float64, shape (B,)
        The same in each resample of the stimuli.
    halves : float
        Mean similarity of two halves.
    stimuli : int
        That could be split.
    splits : int
        Taken.
    reason : str
        Why it is not estimable, or empty.
    used : array of int, shape (stimuli,)
        Places of the stimuli that could be split among those of the recording's patterns.
    """

    point: float
    resampled: Floats
    halves: float = float("nan")
    stimuli: int = 0
    splits: int = 0
    reason: str = ""
    used: Any = ()


class Estimator:
    """Estimates the regions of one recording, one at a time.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses.
    settings : Settings
        Checked.

    Raises
    ------
    InputError
        As `rdms`.
    """

    def __init__(self, source: Source, settings: Settings) -> None:
        self.settings = settings
        self._repeated: Repeated | None = None
        if settings.kind == "trials" or settings.distance == CROSSNOBIS:
            self._repeated = Repeated(
                source, settings.normalise, settings.nan, self._least_repetitions
            )
            self.patterns: Patterns = self._repeated.patterns
        else:
            self.patterns = read_patterns(source, normalise=settings.normalise, nan=settings.nan)

    @property
    def _least_repetitions(self) -> int:
        trials = self.settings.kind == "trials"
        return least_repetitions(self.settings.distance) if trials else 2

    def check_memory(self, resamples: int) -> None:
        """Refuse what would not fit.

        Raises
        ------
        InputError
            Before anything is computed.
        """
        n = len(self.patterns.stimulus_ids)
        held = 4 * self._repeated.size if self._repeated else 0
        check_memory(
            8 * (11 * n * n + 7 * resamples * n + held),
            f"RDMs of halves of {n} stimuli and {resamples} resamples",
            "Take fewer stimuli with select, or fewer resamples.",
        )

    def estimate(self, region: str, weights: Floats, member: Any = None) -> Estimate:
        """Estimate one region under weights of its stimuli, (B, n), and their groups, (n,)."""
        settings = self.settings
        found, reason = self.held(region)
        if reason:
            return Estimate(float("nan"), np.full(len(weights), np.nan), reason=reason)
        how = settings.distance, settings.splits, settings.seed
        if settings.kind == "sites":
            size = float((found.values if isinstance(found, Presentations) else found).shape[1])
            pairs = site_halves(found, *how, settings.precision)
        else:
            size = float(1.0 / (1.0 / found.counts).mean())
            pairs = trial_halves(found, *how)
        stimuli = found.stimuli if isinstance(found, Presentations) else np.arange(len(found))
        many = _splits_of(found, settings)
        groups = None if member is None else member[stimuli]
        found = from_pairs(
            pairs, weights[:, stimuli], settings.comparison, size, many, member=groups
        )
        return replace(found, used=stimuli)

    def held(self, region: str) -> tuple[Any, str]:
        """Return what is to be split, or the reason why it cannot be."""
        settings, least = self.settings, least_sites(self.settings.distance)
        matrix = np.asarray(self.patterns.required(region, settings.distance))
        if settings.kind == "sites" and matrix.shape[1] < least:
            return None, (
                f"{matrix.shape[1]} sites; halves with {settings.distance} distance need {least}"
            )
        if self._repeated is None:
            return matrix, ""
        minimum = self._least_repetitions
        found = self._repeated.region(region, minimum)
        reason = self._repeated.too_few(found, minimum)
        if not reason and settings.kind == "trials":
            names = self.patterns.neuroid_ids[self.patterns.columns[region]]
            found = weighed(found, settings.precision, region, names)
        return found, reason


def _splits_of(found: Any, settings: Settings) -> int:
    """Return how many splits there will be."""
    if settings.kind == "sites":
        counts = [(found.values if isinstance(found, Presentations) else found).shape[1]]
    else:
        counts = found.strata if found.fold is None else [len(np.unique(found.fold))]
    return min(settings.splits, how_many(np.asarray(counts)))


def from_pairs(
    pairs: Iterator[Pair],
    weights: Floats,
    comparison: str,
    size: float,
    splits: int | None = None,
    *,
    member: Any = None,
) -> Estimate:
    """Average the similarity of halves over splits, then correct once for their size.

    Parameters
    ----------
    pairs : iterator of Pair
        A split each.
    weights : array of float64, shape (B, n)
        Of the stimuli that were split.
    comparison : {"pearson", "spearman", "cosine"}
        Between the halves' RDMs; ranks are taken once, over all pairs.
    size : float
        Of the whole, in the halves' unit.
    splits : int, optional
        How many pairs will come at most; intervals from few are exact.
    member : array of int, shape (n,), optional
        The group of each stimulus, where groups are drawn.

    Returns
    -------
    Estimate
        Its resamples are NaN where no split has varying distances, and -1e6 where halves
        agree less than chance allows; the point is not estimable then.
    """
    count = weights.shape[1]
    form = "pearson" if comparison == "spearman" else comparison
    mean = MeanSimilarity(weights, form, splits, member)
    inverses, sitting = [], []
    for pair in pairs:
        if len(pair.used) >= MINIMUM_STIMULI:
            mean.add(ranked(pair.first, comparison), ranked(pair.second, comparison), pair.used)
            # Sorted: halves of 3 and 4 sites are unequal, whichever of them comes first.
            inverses.append(sorted(pair.inverse))
        sitting.append(1.0 - len(pair.used) / count)
    empty = np.full(len(weights), np.nan)
    if np.mean(sitting) > SITTING_OUT:
        share = f"{np.mean(sitting):.0%} of the stimuli have no or a constant pattern in a half"
        return Estimate(float("nan"), empty, stimuli=count, reason=share)
    similarity, taken = mean.result()
    if np.isnan(similarity[0]):
        flat = "the distances in halves do not vary"
        return Estimate(float("nan"), empty, stimuli=count, splits=taken, reason=flat)
    h1, h2 = 1.0 / np.mean(inverses, axis=0)
    whole = step_up(similarity, float(h1), float(h2), size)
    if np.isinf(whole[0]):
        how = float(similarity[0]), count, taken, LESS_THAN_CHANCE
        return Estimate(float("nan"), empty, *how)
    resampled = np.maximum(whole[1:], LOWEST)
    return Estimate(float(whole[0]), resampled, float(similarity[0]), count, taken)


def ranked(square: Floats, comparison: str) -> Floats:
    """Return the ranks of an RDM's pairs where the comparison is of ranks, else the RDM.

    Examples
    --------
    >>> ranked(np.array([[0.0, 5.0, 1.0], [5.0, 0.0, 9.0], [1.0, 9.0, 0.0]]), "spearman")
    array([[0., 2., 1.],
           [2., 0., 3.],
           [1., 3., 0.]])
    """
    if comparison != "spearman":
        return square
    from scipy.spatial.distance import squareform
    from scipy.stats import rankdata

    ranks: Floats = squareform(rankdata(squareform(square, checks=False)))
    return ranks
