"""Crossnobis: squared distances that noise does not add to, where there are repetitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from neurosage.errors import InputError
from neurosage.rsa.arguments import check_by
from neurosage.rsa.backends.base import Floats, check_memory
from neurosage.rsa.distances.noise_precision import Precision, own_precision, precision_root
from neurosage.rsa.distances.presentations import Presentations, Repeated
from neurosage.rsa.responses.categories import categories, labelled
from neurosage.rsa.responses.missing import first_names
from neurosage.rsa.responses.patterns import Patterns, Source, responses_of

DISTANCE = "crossnobis"
# What to use without repetitions at all, and where some stimuli have none.
INSTEAD = {DISTANCE: ("correlation", "euclidean"), "poisson_cv": ("poisson", "poisson")}


def crossnobis_squares(
    source: Source,
    *,
    by: str = "stimulus_id",
    normalise: str | None = None,
    nan: str = "raise",
    precision: Precision = None,
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
    precision : {"none", "diagonal", "shrinkage"} or mapping of str to array, optional
        Of the noise, from residuals within stimulus; its inverse covariance weighs neuroids.
        Or given by region, shape (p, p), for neuroids as normalised. ``none`` if omitted.

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
    check_by(by)
    precision = own_precision(DISTANCE, precision)
    repeated, found = repeated_presentations(source, normalise, nan)
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


def repeated_presentations(
    source: Source, normalise: str | None, nan: str, distance: str = DISTANCE
) -> tuple[Repeated, dict[str, Presentations]]:
    """Read single presentations of stimuli that were all answered twice, by region.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Assembly with its single repetitions.
    normalise, nan : str
        As in `crossnobis_squares`.
    distance : str
        What needs them, for messages.

    Raises
    ------
    InputError
        If a stimulus was answered once, unless it is dropped because `nan` says so.
    """
    repeated = Repeated(source, normalise, nan)
    found = {name: repeated.region(name) for name in repeated.patterns.regions}
    once = list(dict.fromkeys(name for each in found.values() for name in each.left_out))
    if not once:
        return repeated, found
    total = len(repeated.patterns.stimulus_ids)
    averages, plain = INSTEAD[distance]
    if len(once) == total:
        raise InputError(
            f"{distance} needs 2 repetitions of every stimulus, and all {total} have one"
            f"{repeated.averaged_hint}: give the single repetitions, or use "
            f"distance={averages!r}, which works on averages."
        )
    if nan != "drop-stimulus":
        raise InputError(
            f"{distance} needs 2 repetitions of every stimulus, but {len(once)} of {total} have "
            f"one (first: {first_names(once)}){repeated.averaged_hint}; leave them out with "
            f"select or nan='drop-stimulus', or use distance={plain!r}."
        )
    fewer = repeated.fewer(once, nan)
    fewer.patterns.dropped["stimuli"] = [*repeated.patterns.dropped.get("stimuli", []), *once]
    return fewer, {name: fewer.region(name) for name in fewer.patterns.regions}


def _categories(repeated: Repeated, source: Source, by: str) -> tuple[Any, Floats]:
    """Return the categories, and the matrix that averages stimuli within them."""
    of = categories(labelled(source, responses_of(source), by), by, source)
    labels = np.array([of[name] for name in repeated.patterns.stimulus_ids], object)
    names = np.array(list(dict.fromkeys(labels)), object)
    member = (names[:, None] == labels[None]).astype(np.float64)
    return names, member / member.sum(1, keepdims=True)


def weighed(
    found: Presentations,
    precision: str | Mapping[str, Any],
    region: str = "",
    neuroids: Any = None,
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
    counts, values = found.counts, found.values
    # One count a stimulus: no response of single neuroids is missing.
    complete = counts.shape[1] == 1
    filled = values if complete else np.nan_to_num(values)
    means = np.add.reduceat(filled, found.starts, axis=0) / counts
    centre = means.mean(0)
    filled = filled - centre if complete else np.nan_to_num(values - centre)
    means -= centre
    sums, pairs = means * counts, counts * (counts - 1)
    if found.fold is not None:
        check_complete_folds(found)
        return _of_folds(found, filled, sums)
    moments = np.asarray(means @ means.T)
    if complete:
        own = np.add.reduceat(np.einsum("ij,ij->i", filled, filled), found.starts)
        np.fill_diagonal(moments, (np.einsum("ij,ij->i", sums, sums) - own) / pairs[:, 0])
        return moments
    squares = np.add.reduceat(filled * filled, found.starts, axis=0)
    np.fill_diagonal(moments, ((sums**2 - squares) / pairs).sum(1))
    return moments


def check_complete_folds(found: Presentations) -> None:
    """Refuse single missing responses where folds are multiplied.

    Raises
    ------
    InputError
        If there are any.
    """
    if np.isnan(found.values).any():
        raise InputError(
            "some presentations lack the response of single neuroids, so products of different "
            "folds cannot be had; leave these presentations or neuroids out, or drop the "
            "coordinate 'fold' if presentations share no noise."
        )


def stimulus_of(found: Presentations) -> Any:
    """Return the number of each presentation's stimulus, shape (presentation,)."""
    sizes = np.diff(np.append(found.starts, len(found.values)))
    return np.repeat(np.arange(len(found.starts)), sizes)


def _of_folds(found: Presentations, values: Floats, sums: Floats) -> Floats:
    n, stimulus = len(found.starts), stimulus_of(found)
    moments, counts = sums @ sums.T, np.bincount(stimulus, minlength=n)
    order = np.lexsort((found.fold, stimulus))
    if _each_once(found.fold[order], counts):
        # Σ_f F_f F_fᵀ in one product: the folds of a stimulus side by side.
        in_order = (order[1:] > order[:-1]).all()
        wide = (values if in_order else values[order]).reshape(n, -1)
        return np.asarray((moments - wide @ wide.T) / (counts[0] * (counts[0] - 1)))
    pairs = np.outer(counts, counts).astype(np.float64)
    for label in np.unique(found.fold):
        rows = np.flatnonzero(found.fold == label)
        held, starts, times = np.unique(stimulus[rows], return_index=True, return_counts=True)
        own = np.add.reduceat(values[rows], starts, axis=0)
        both = np.ix_(held, held)
        moments[both] -= own @ own.T
        pairs[both] -= np.outer(times, times)
    return np.asarray(moments / pairs)


def _each_once(folds: Any, counts: Any) -> bool:
    """Tell whether every fold, in order within stimuli, holds each stimulus once."""
    if (counts != counts[0]).any():
        return False
    rows = folds.reshape(len(counts), -1)
    return bool((rows == rows[0]).all() and np.diff(rows[0]).all())


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
