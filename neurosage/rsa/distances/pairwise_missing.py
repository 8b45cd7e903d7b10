"""Missing responses left out pair by pair: each distance is over the neuroids both stimuli have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurosage.data.average import average_repetitions
from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.distances.noise_precision import MAHALANOBIS
from neurosage.rsa.responses.missing import INFINITE, first_names
from neurosage.rsa.responses.normalise import shift_and_scale
from neurosage.rsa.responses.patterns import (
    Patterns,
    Source,
    own_normalisation,
    read_patterns,
    responses_of,
)

POLICY = "pairwise"
FEWEST = {"correlation": 2, "cosine": 1, "euclidean": 1}  # neuroids that make a distance
SUSPECT = 1e-9  # share of a pair's squares left to its variance: rounding may have made it


def check_pairwise(distance: str, by: str) -> None:
    """Refuse what cannot be had of responses that miss here and there.

    Parameters
    ----------
    distance : str
        Asked for.
    by : str
        Rows asked for.

    Raises
    ------
    InputError
        If the distance needs complete patterns, or categories are to be averaged.

    Examples
    --------
    >>> check_pairwise("correlation", "stimulus_id")
    """
    if distance not in FEWEST:
        circle = ", with precision='diagonal' where single repetitions are missing too"
        raise InputError(
            f"nan='pairwise' has the distances {', '.join(FEWEST)}, not {distance!r}, which "
            "needs complete patterns; use nan='drop-neuroid' or 'drop-stimulus'"
            f"{circle if distance == MAHALANOBIS else ''}."
        )
    if by != "stimulus_id":
        raise InputError(
            f"nan='pairwise' does not average by {by!r}: a category's mean would be of other "
            "stimuli from neuroid to neuroid; use nan='drop-neuroid' or 'drop-stimulus'."
        )


def read_incomplete(source: Source, normalise: str | None = None) -> Patterns:
    """Read pattern matrices that may lack responses, which stay NaN.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses, dims ``presentation × neuroid``; repetitions are averaged.
    normalise : str, optional
        As in `rdms`; statistics of a neuroid are taken over the stimuli that it answered.

    Returns
    -------
    Patterns
        In float64; only infinite responses leave a region unusable.

    Raises
    ------
    InputError
        As `read_patterns`.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, np.nan], [3.0, 5.0]], stimulus_id=["cat", "dog"], region="V4")
    >>> read_incomplete(a, "centre").matrix("V4")
    array([[-1., nan],
           [ 1.,  0.]])
    """
    method = own_normalisation(source, normalise)
    plain = read_patterns(source, normalise="none", nan=POLICY)
    values = np.asarray(plain.values, np.float64)
    silent: Any = np.isnan(values).all(0)
    if silent.any():
        raise InputError(
            f"{silent.sum()} of {len(silent)} neuroids have no response at all (first: "
            f"{first_names(plain.neuroid_ids[silent])}); leave them out with select."
        )
    infinite = _infinite(plain, values)
    patterns = replace(plain, values=values, missing=infinite, normalise=method, extremes={})
    if method == "none":
        return patterns
    scale = np.ones(values.shape[1])
    if method == "zscore":
        scale = np.where(np.nanmax(values, 0) == np.nanmin(values, 0), 0.0, np.nanstd(values, 0))
    elif method == "noise":
        responses = responses_of(source)
        scale = shift_and_scale(responses, average_repetitions(responses), method)[1]
    return replace(patterns, shift=np.nanmean(values, 0), scale=scale)


def _infinite(patterns: Patterns, values: Floats) -> dict[str, str]:
    found = {}
    for region, columns in patterns.columns.items():
        bad: Any = np.isinf(values[:, columns])
        if bad.any():
            rows = first_names(patterns.stimulus_ids[bad.any(1)])
            names = first_names(patterns.neuroid_ids[columns][bad.any(0)])
            found[region] = (
                f"responses are infinite for {bad.any(1).sum()} of {bad.shape[0]} stimuli (first: "
                f"{rows}) and {bad.any(0).sum()} neuroids (first: {names}); {INFINITE}."
            )
    return found


@dataclass(frozen=True)
class Shared:
    """Sums over the neuroids that both stimuli of a pair answered, each shape (n, n).

    Parameters
    ----------
    count : array of float64
        How many neuroids.
    sums, squares : array of float64
        Of the row's stimulus, and of its squares, over the neuroids shared with the column's.
    products : array of float64
        Of both.
    """

    count: Floats
    sums: Floats
    squares: Floats
    products: Floats


def shared_sums(values: Floats) -> Shared:
    """Return the sums that every distance is made of, four matrix products.

    Parameters
    ----------
    values : array of float64, shape (n, p)
        NaN where missing.

    Returns
    -------
    Shared
        Of all pairs.

    Examples
    --------
    >>> shared_sums(np.array([[1.0, np.nan, 2.0], [3.0, 4.0, 5.0]])).count
    array([[2., 2.],
           [2., 3.]])
    """
    mask = (~np.isnan(values)).astype(np.float64)
    filled = np.nan_to_num(values)
    return Shared(mask @ mask.T, filled @ mask.T, filled**2 @ mask.T, filled @ filled.T)


def pairwise_square(patterns: Patterns, region: str, distance: str) -> tuple[Any, str, Any]:
    """Return the RDM of a region whose responses miss here and there.

    Parameters
    ----------
    patterns : Patterns
        From `read_incomplete`.
    region : str
        Which.
    distance : {"correlation", "euclidean", "cosine"}
        Over the neuroids that both stimuli of a pair answered; ``euclidean`` is divided by
        their number.

    Returns
    -------
    tuple of (array of float64, shape (n, n); str; array of float64, shape (n, n))
        The RDM, the reason where there is none, and how many neuroids each pair shares.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, np.nan], [3.0, 5.0]], stimulus_id=["cat", "dog"], region="V4")
    >>> pairwise_square(read_incomplete(a), "V4", "euclidean")[0]
    array([[0., 4.],
           [4., 0.]])
    """
    matrix, reason = patterns.usable(region, "euclidean")
    if reason:
        return None, reason, None
    values = np.asarray(matrix, np.float64)
    if distance == "correlation":
        # A stimulus without any response has no mean, and no distance: refused below.
        answered = np.maximum((~np.isnan(values)).sum(1, keepdims=True), 1)
        values = values - np.nansum(values, 1, keepdims=True) / answered
    elif distance == "euclidean":
        values = values - np.nanmean(values, 0)
    shared = shared_sums(values)
    if reason := _too_few(shared, patterns, distance):
        return None, reason, shared.count
    if distance == "euclidean":
        return _euclidean(shared), "", shared.count
    square, flat = _angle(values, shared, distance)
    return square, _flat_reason(flat, patterns, distance), shared.count


def _euclidean(shared: Shared) -> Floats:
    total = shared.squares + shared.squares.T - 2.0 * shared.products
    np.fill_diagonal(total, 0.0)
    return np.asarray(np.maximum(total, 0.0) / shared.count)


def _angle(values: Floats, shared: Shared, distance: str) -> tuple[Floats, Any]:
    """Return 1 - cosine (of patterns about their means, for correlation), and pairs without."""
    product, own = shared.products, shared.squares
    if distance == "correlation":
        product = product - shared.sums * shared.sums.T / shared.count
        own = own - shared.sums**2 / shared.count
    with np.errstate(invalid="ignore", divide="ignore"):
        square = 1.0 - product / np.sqrt(own * own.T)
    suspect = (own <= SUSPECT * shared.squares) | (own <= 0)
    for i, j in np.argwhere(np.triu(suspect | suspect.T, 1)):
        square[i, j] = square[j, i] = _single(values[i], values[j], distance)
    np.fill_diagonal(square, 0.0)
    return np.clip(square, 0.0, 2.0), np.isnan(square)


def _single(first: Floats, second: Floats, distance: str) -> float:
    """Return the distance of one pair from its own responses; NaN where one does not vary."""
    both = ~(np.isnan(first) | np.isnan(second))
    x, y = first[both], second[both]
    if distance == "correlation":
        # Taking out the row's mean has rounded: what is left of a constant is that rounding.
        limits = [8.0 * np.finfo(float).eps * max(abs(each).max(), 1e-300) for each in (x, y)]
        if np.ptp(x) <= limits[0] or np.ptp(y) <= limits[1]:
            return float("nan")
        x, y = x - x.mean(), y - y.mean()
    size = np.linalg.norm(x) * np.linalg.norm(y)
    return float(1.0 - x @ y / size) if size > 0 else float("nan")


def _named(pairs: Any, patterns: Patterns) -> str:
    ids = patterns.stimulus_ids
    return str([(str(ids[i]), str(ids[j])) for i, j in pairs[:3]])


def _too_few(shared: Shared, patterns: Patterns, distance: str) -> str:
    few = np.argwhere(np.triu(shared.count < FEWEST[distance], 1))
    if not len(few):
        return ""
    n = len(patterns.stimulus_ids)
    return (
        f"{len(few)} of {n * (n - 1) // 2} pairs of stimuli share fewer than {FEWEST[distance]} "
        f"neuroids with responses to both (first: {_named(few, patterns)}), so they have no "
        f"{distance} distance; leave these stimuli out, or use nan='drop-stimulus'."
    )


def _flat_reason(flat: Any, patterns: Patterns, distance: str) -> str:
    pairs = np.argwhere(np.triu(flat, 1))
    if not len(pairs):
        return ""
    word = "constant" if distance == "correlation" else "zero"
    return (
        f"{len(pairs)} pairs of stimuli have a pattern that is {word} over the neuroids that "
        f"both answered (first: {_named(pairs, patterns)}), so there is no {distance} distance; "
        "leave them out or use distance='euclidean'."
    )
