"""Crossnobis: squared distances that noise does not add to, where there are repetitions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neurosage.data.average import average_repetitions
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats, check_memory
from neurosage.rsa.missing import first_names
from neurosage.rsa.noise_precision import PRECISIONS, precision_root
from neurosage.rsa.patterns import Patterns, Source, responses_of
from neurosage.rsa.presentations import Presentations, Repeated

DISTANCE = "crossnobis"


def plain_or_crossnobis(source: Source, distance: str) -> str:
    """Return the distance of one side: ``euclidean`` for crossnobis without repetitions.

    Crossnobis estimates squared euclidean distances without noise; what has no repetitions,
    such as a network, has no noise to take out.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses, or RDMs of whatever distance they are.
    distance : str
        Asked for.

    Returns
    -------
    str
        As it is unless ``crossnobis``.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [3.0]], stimulus_id=["a", "b"], region="layer1")
    >>> plain_or_crossnobis(a, "crossnobis")
    'euclidean'
    """
    if distance != DISTANCE:
        return distance
    held: Any = source
    if isinstance(source, Teacher):
        held = source.stored_rdms if source.assembly is None else source.assembly
    if "stimulus_i" in held.dims:
        made = str(held.attrs.get("distance", DISTANCE))
        return made if made in ("euclidean", DISTANCE) else DISTANCE
    ids = held["stimulus_id"].values
    return DISTANCE if len(set(ids)) < len(ids) else "euclidean"


def crossnobis_squares(
    source: Source,
    *,
    by: str = "stimulus_id",
    normalise: str | None = None,
    nan: str = "raise",
    precision: str = "none",
) -> tuple[Patterns, Floats]:
    """Compute the crossnobis RDM of each region.

    Noise of different stimuli is taken for independent, whatever the labels of repetitions,
    so the order of presentations does not matter. Where stimuli share noise, such as within
    a run, say so by a coordinate ``fold`` on presentation (``fold=run``): then only products
    of different folds are taken, and halves of the trials are whole folds.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Assembly with its single repetitions, two or more of every stimulus (of different
        folds, if there are).
    by : str
        Coordinate on presentation; stimuli of a category are averaged, each with its own
        repetitions, so their differences are not taken for noise.
    normalise : str, optional
        As in `rdms`; ``noise`` is the diagonal precision.
    nan : {"raise", "drop-stimulus", "drop-neuroid"}
        What to do about missing responses; ``drop-stimulus`` leaves out, and names, stimuli
        answered once as well.
    precision : {"none", "diagonal", "shrinkage"}
        Of the noise, from residuals within stimulus; its inverse covariance weighs neuroids.

    Returns
    -------
    tuple of (Patterns; array of float64, shape (regions, n, n))
        What names the rows, and the RDMs, divided by the number of neuroids; below 0 where
        noise says so.

    Raises
    ------
    InputError
        If a stimulus was answered once (it is named), or as `rdms`.

    References
    ----------
    Walther et al. 2016, "Reliability of dissimilarity measures for multi-voxel pattern
    analysis".

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [3.0], [5.0], [5.0]], stimulus_id=["a", "a", "b", "b"],
    ...              region="V4")
    >>> crossnobis_squares(a)[1][0]
    array([[0., 8.],
           [8., 0.]])
    """
    if precision not in PRECISIONS:
        raise unknown("precision", precision, PRECISIONS)
    repeated, found = _complete(source, normalise, nan)
    patterns = repeated.patterns
    averaging = _categories(repeated, source, by) if by != "stimulus_id" else None
    n = len(patterns.stimulus_ids)
    check_memory(
        8 * n * n * (len(patterns.regions) + 3),
        f"{len(patterns.regions)} crossnobis RDMs of {n} stimuli",
        "Take fewer stimuli with select.",
    )
    squares = []
    for region, each in found.items():
        names = patterns.neuroid_ids[patterns.columns[region]]
        moments = second_moments(weighed(each, precision, region, names))
        if averaging is not None:
            moments = averaging[1] @ moments @ averaging[1].T
        squares.append(distances(moments, each.values.shape[1]))
    if averaging is not None:
        patterns = replace(patterns, stimulus_ids=averaging[0])
    return patterns, np.stack(squares)


def _complete(
    source: Source, normalise: str | None, nan: str
) -> tuple[Repeated, dict[str, Presentations]]:
    """Read presentations; stimuli answered once are refused, or dropped where so asked."""
    repeated = Repeated(source, normalise, nan)
    found = {name: repeated.region(name) for name in repeated.patterns.regions}
    once = list(dict.fromkeys(name for each in found.values() for name in each.left_out))
    if not once:
        return repeated, found
    total = len(repeated.patterns.stimulus_ids)
    if len(once) == total:
        raise InputError(
            f"crossnobis needs 2 repetitions of every stimulus, and all {total} have one"
            f"{repeated.averaged_hint}: give the single repetitions, or use "
            "distance='correlation', which works on averages."
        )
    if nan != "drop-stimulus":
        raise InputError(
            f"crossnobis needs 2 repetitions of every stimulus, but {len(once)} of {total} have "
            f"one (first: {first_names(once)}){repeated.averaged_hint}; leave them out with "
            "select or nan='drop-stimulus', or use distance='euclidean'."
        )
    fewer = repeated.fewer(once, nan)
    fewer.patterns.dropped["stimuli"] = [*repeated.patterns.dropped.get("stimuli", []), *once]
    return fewer, {name: fewer.region(name) for name in fewer.patterns.regions}


def _categories(repeated: Repeated, source: Source, by: str) -> tuple[Any, Floats]:
    """Return the categories, and the matrix that averages stimuli within them."""
    averaged = average_repetitions(responses_of(source))
    if by not in averaged.coords:
        average_repetitions(averaged, by)  # refuses, with the choices
    of = dict(zip(averaged["stimulus_id"].values, averaged[by].values, strict=True))
    labels = np.array([of[name] for name in repeated.patterns.stimulus_ids], object)
    names = np.array(list(dict.fromkeys(labels)), object)
    member = (names[:, None] == labels[None]).astype(np.float64)
    return names, member / member.sum(1, keepdims=True)


def weighed(
    found: Presentations, precision: str, region: str = "", neuroids: Any = None
) -> Presentations:
    """Multiply patterns by a root of the noise precision, so that plain products follow it."""
    if precision == "none":
        return found
    root = precision_root(found, precision, region, neuroids)
    values = found.values * root if root.ndim == 1 else found.values @ root
    return replace(found, values=values)


def second_moments(found: Presentations) -> Floats:
    """Return products of true patterns, free of the bias that noise adds to the diagonal.

    Repetitions of different stimuli are independent: ``x̄_i x̄_jᵀ``, and on the diagonal
    ``(S_i S_iᵀ - Σ_r x_ir x_irᵀ) / (R_i (R_i - 1))``, neuroid by neuroid, S the sum over
    repetitions. With folds, the mean of all products of different ones:
    ``(S_i S_jᵀ - Σ_f S_if S_jfᵀ) / (R_i R_j - Σ_f R_if R_jf)``; for R folds that hold each
    stimulus once it is ``(S Sᵀ - Σ_f F_f F_fᵀ) / (R (R - 1))``.

    Parameters
    ----------
    found : Presentations
        With two or more responses in every cell.

    Returns
    -------
    array of float64, shape (n, n)
        About the mean pattern over stimuli, which no distance depends on.
    """
    counts = found.counts
    means = np.add.reduceat(np.nan_to_num(found.values), found.starts, axis=0) / counts
    centre = means.mean(0)
    values = np.nan_to_num(found.values - centre)
    if found.fold is not None:
        return _of_folds(found, values)
    sums = (means - centre) * counts
    squares = np.add.reduceat(values * values, found.starts, axis=0)
    moments = (means - centre) @ (means - centre).T
    np.fill_diagonal(moments, ((sums**2 - squares) / (counts * (counts - 1))).sum(1))
    return np.asarray(moments)


def _of_folds(found: Presentations, values: Floats) -> Floats:
    if np.isnan(found.values).any():
        raise InputError(
            "some presentations lack the response of single neuroids, so products of different "
            "folds cannot be had; leave these presentations or neuroids out, or drop the "
            "coordinate 'fold' if presentations share no noise."
        )
    n = len(found.starts)
    stimulus = np.repeat(np.arange(n), np.diff(np.append(found.starts, len(values))))
    sums = np.add.reduceat(values, found.starts, axis=0)
    counts = np.diff(np.append(found.starts, len(values))).astype(np.float64)
    moments, pairs = sums @ sums.T, np.outer(counts, counts)
    for label in np.unique(found.fold):
        rows = found.fold == label
        held = np.unique(stimulus[rows])
        own = np.zeros((n, values.shape[1]))
        np.add.at(own, stimulus[rows], values[rows])
        times = np.bincount(stimulus[rows], minlength=n)[held].astype(np.float64)
        both = np.ix_(held, held)
        moments[both] -= own[held] @ own[held].T
        pairs[both] -= np.outer(times, times)
    return np.asarray(moments / pairs)


def products_of(source: Source) -> str:
    """Say which products crossnobis takes of a recording, for attributes.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [3.0]], stimulus_id=["a", "a"], region="V4", fold=[0, 1])
    >>> products_of(a)
    'of different folds'
    """
    if "fold" in responses_of(source)["presentation"].coords:
        return "of different folds"
    return "of different presentations; noise of different stimuli is independent"


def distances(moments: Floats, neuroids: int) -> Floats:
    """Return ``(K_ii + K_jj - 2 K_ij) / p``, shape (n, n), zero on the diagonal.

    Examples
    --------
    >>> distances(np.array([[4.0, 1.0], [1.0, 2.0]]), 2)
    array([[0., 2.],
           [2., 0.]])
    """
    own = moments.diagonal()
    square: Floats = (own[:, None] + own[None] - moments - moments.T) / neuroids
    np.fill_diagonal(square, 0.0)
    return square
