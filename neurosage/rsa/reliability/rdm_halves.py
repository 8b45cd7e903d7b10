"""RDMs from halves of a recording: of its trials, or of its sites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.distances.crossnobis import DISTANCE as CROSSNOBIS
from neurosage.rsa.distances.crossnobis import distances, second_moments, weighed
from neurosage.rsa.distances.presentations import Presentations
from neurosage.rsa.reliability.splits import halves
from neurosage.rsa.reliability.subsets import means, taken
from neurosage.rsa.responses.extremes import constant_rows

DISTANCES = ("correlation", "euclidean", "cosine", CROSSNOBIS)


@dataclass(frozen=True)
class Pair:
    """The RDMs of two halves.

    Parameters
    ----------
    first, second : array of float64, shape (k, k)
        Symmetric, zero diagonal.
    used : array of int, shape (k,)
        The stimuli that have a pattern in both halves, among those that were split.
    inverse : tuple of two float
        Mean of one over the size of each half: repetitions, or sites.
    """

    first: Floats
    second: Floats
    used: Any
    inverse: tuple[float, float]


def least_repetitions(distance: str) -> int:
    """Return how many repetitions a stimulus needs for two halves with this distance."""
    return 4 if distance == CROSSNOBIS else 2


def least_sites(distance: str) -> int:
    """Return how many sites a region needs for two halves with this distance."""
    return 6 if distance == "correlation" else 2


def trial_halves(found: Presentations, distance: str, splits: int, seed: int) -> Iterator[Pair]:
    """Yield RDMs of random halves of each stimulus' repetitions.

    A whole presentation goes to one half, so noise that neuroids share stays within it; where
    there are folds a whole fold does, so that noise that stimuli share stays within it.

    Parameters
    ----------
    found : Presentations
        With `least_repetitions` of every stimulus.
    distance : str
        One of ``DISTANCES``.
    splits, seed : int
        As in `neurosage.rsa.reliability.splits.halves`.

    Yields
    ------
    Pair
        Of each split; stimuli whose pattern in a half is lacking or constant sit it out.
    """
    if found.fold is not None:
        yield from _fold_halves(found, distance, splits, seed)
        return
    for mask in halves(found.strata, splits, seed):
        yield pair_of_trials(taken(found, mask), taken(found, ~mask), distance)


def _fold_halves(found: Presentations, distance: str, splits: int, seed: int) -> Iterator[Pair]:
    labels, fold = np.unique(found.fold, return_inverse=True)
    sizes = np.diff(np.append(found.starts, len(found.values)))
    for chosen in halves(np.array([len(labels)]), splits, seed):
        mask = chosen.ravel()[fold]
        # A stimulus that is in folds of one half only sits the split out.
        kept = np.logical_or.reduceat(mask, found.starts)
        kept &= np.logical_or.reduceat(~mask, found.starts)
        if not kept.any():
            empty = np.zeros((0, 0))
            yield Pair(empty, empty, np.flatnonzero(kept), (np.nan, np.nan))
            continue
        rows = np.repeat(kept, sizes)
        pair = pair_of_trials(taken(found, mask & rows), taken(found, ~mask & rows), distance)
        yield replace(pair, used=np.flatnonzero(kept)[pair.used])


def pair_of_trials(first: Presentations, second: Presentations, distance: str) -> Pair:
    """Return the RDMs of two sets of presentations of the same stimuli."""
    needed = least_repetitions(distance) // 2
    enough = (first.independent >= needed).all(1) & (second.independent >= needed).all(1)
    kept = np.flatnonzero(enough)
    parts = [_of_stimuli(each, enough) for each in (first, second)]
    inverse = [float((1.0 / part.counts).mean()) if len(kept) else np.nan for part in parts]
    if distance == CROSSNOBIS:
        squares = [_crossnobis(part) for part in parts]
        return Pair(squares[0], squares[1], kept, (inverse[0], inverse[1]))
    return _plain_pair([means(part) for part in parts], kept, distance, (inverse[0], inverse[1]))


def _of_stimuli(found: Presentations, enough: Any) -> Presentations:
    if enough.all():
        return found
    return taken(found, np.repeat(enough, np.diff(np.append(found.starts, len(found.values)))))


def site_halves(
    held: Presentations | Floats, distance: str, splits: int, seed: int, precision: str = "none"
) -> Iterator[Pair]:
    """Yield RDMs of random halves of a region's sites.

    Parameters
    ----------
    held : array, shape (n, p), or Presentations
        Patterns; the presentations where distance is ``crossnobis``.
    distance, splits, seed
        As in `trial_halves`.
    precision : str
        Of the noise of each half, for ``crossnobis``.

    Yields
    ------
    Pair
        Of each split.
    """
    sites = (held.values if isinstance(held, Presentations) else held).shape[1]
    for mask in halves(np.array([sites]), splits, seed):
        inverse = 1.0 / float(mask.sum()), 1.0 / float((~mask).sum())
        yield pair_of_sites(held, (mask, ~mask), distance, inverse, precision)


def pair_of_sites(
    held: Presentations | Floats,
    chosen: tuple[Any, Any],
    distance: str,
    inverse: tuple[float, float],
    precision: str = "none",
) -> Pair:
    """Return the RDMs of two sets of sites."""
    if isinstance(held, Presentations):
        parts = [replace(held, values=held.values[:, each]) for each in chosen]
        squares = [_crossnobis(weighed(part, precision)) for part in parts]
        return Pair(squares[0], squares[1], np.arange(len(held.starts)), inverse)
    matrices = [held[:, each] for each in chosen]
    return _plain_pair(matrices, np.arange(len(held)), distance, inverse)


def _plain_pair(
    matrices: list[Any], kept: Any, distance: str, inverse: tuple[float, float]
) -> Pair:
    usable = ~(_without_distance(matrices[0], distance) | _without_distance(matrices[1], distance))
    first, second = (square_rdm(each[usable], distance) for each in matrices)
    return Pair(first, second, kept[usable], inverse)


def _without_distance(matrix: Any, distance: str) -> Any:
    if distance == "correlation":
        return constant_rows(matrix)
    return ~matrix.any(1) if distance == "cosine" else np.zeros(len(matrix), bool)


def square_rdm(matrix: Any, distance: str) -> Floats:
    """Return an RDM as a square, in float64.

    Halves are many and small next to their RDMs, so they skip the backends, which make
    upper triangles.

    Parameters
    ----------
    matrix : array, shape (n, p)
        Patterns that have this distance.
    distance : {"correlation", "euclidean", "cosine"}
        As in `rdms`.

    Returns
    -------
    array of float64, shape (n, n)
        Symmetric, zero diagonal.

    Examples
    --------
    >>> square_rdm(np.array([[0.0, 1.0], [1.0, 0.0]]), "euclidean")
    array([[0., 1.],
           [1., 0.]])
    """
    points = np.asarray(matrix, np.float64)
    if distance == "correlation":
        points = points - points.mean(1, keepdims=True)
    if distance != "euclidean":
        points = points / np.linalg.norm(points, axis=1, keepdims=True)
    width = points.shape[1] if distance == "euclidean" else 2
    points = points - points.mean(0)
    square = distances(points @ points.T, width)
    return np.maximum(square, 0.0, out=square)


def _crossnobis(found: Presentations) -> Floats:
    return distances(second_moments(found), found.values.shape[1])
