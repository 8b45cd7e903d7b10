"""Two disjoint sets of k repetitions, or of k sites, drawn at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from neurosage.rsa.distances.presentations import Presentations

# Two presentations of one stimulus in each set.
Sets = tuple[Presentations, Presentations]


def repetition_sets(found: Presentations, k: int, splits: int, seed: int) -> Iterator[Sets]:
    """Yield two disjoint sets of k repetitions of every stimulus that has 2 k of them.

    Parameters
    ----------
    found : Presentations
        Of a region.
    k : int
        Repetitions in a set; in each session where there are several.
    splits, seed : int
        How many draws, and of which seed.

    Yields
    ------
    tuple of two Presentations
        Of the same stimuli; nothing where none has enough.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> from neurosage.rsa.distances.presentations import Repeated
    >>> a = assembly([[1.0], [1.0], [5.0], [5.0], [5.0]], region="V4",
    ...              stimulus_id=["a", "a", "b", "b", "b"])
    >>> first, second = next(repetition_sets(Repeated(a).region("V4"), 1, 1, seed=0))
    >>> first.values.ravel(), second.values.ravel()
    (array([1., 5.]), array([1., 5.]))
    """
    stratum = np.repeat(np.arange(len(found.strata)), found.strata)
    starts = np.cumsum(found.strata) - found.strata
    sizes = np.diff(np.append(found.starts, len(found.values)))
    # A stimulus that lacks repetitions in one session is left out of all.
    enough = np.minimum.reduceat(found.strata[stratum], found.starts) >= 2 * k
    kept = np.repeat(enough, sizes)
    if not kept.any():
        return
    rng = np.random.default_rng(seed)
    for _ in range(splits):
        order = np.lexsort((rng.random(len(stratum)), stratum))
        place = np.empty(len(stratum), np.int64)
        place[order] = np.arange(len(stratum)) - starts[stratum]
        first, second = kept & (place < k), kept & (place >= k) & (place < 2 * k)
        yield taken(found, first), taken(found, second)


def site_sets(sites: int, k: int, splits: int, seed: int) -> Iterator[tuple[Any, Any]]:
    """Yield two disjoint sets of k of so many sites, as indices; nothing if they are too few.

    Examples
    --------
    >>> first, second = next(site_sets(4, 2, 1, seed=0))
    >>> sorted([*first, *second])
    [0, 1, 2, 3]
    """
    rng = np.random.default_rng(seed)
    for _ in range(splits if 2 * k <= sites else 0):
        order = [int(site) for site in rng.permutation(sites)]
        yield order[:k], order[k : 2 * k]


def taken(found: Presentations, mask: Any) -> Presentations:
    """Return some presentations.

    Parameters
    ----------
    found : Presentations
        Of a region.
    mask : array of bool, shape (presentation,)
        Which.

    Returns
    -------
    Presentations
        Stimuli without any are gone.
    """
    sizes = np.diff(np.append(found.starts, len(found.values)))
    stimulus = np.repeat(np.arange(len(found.starts)), sizes)[mask]
    starts = np.flatnonzero(np.diff(stimulus, prepend=-1))
    return replace(
        found,
        values=found.values[mask],
        starts=starts,
        stimuli=found.stimuli[stimulus[starts]],
        fold=None if found.fold is None else found.fold[mask],
    )


def means(found: Presentations) -> Any:
    """Return mean patterns, shape (n, p); NaN where a neuroid answered in no presentation."""
    sums = np.add.reduceat(np.nan_to_num(found.values), found.starts, axis=0)
    with np.errstate(invalid="ignore"):
        return sums / found.counts
