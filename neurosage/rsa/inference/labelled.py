"""Results by region: every region of both sides has its place, with or without a value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.inference.draws import why_no_interval
from neurosage.rsa.inference.sides import Sides

FLAT = "its distances or the other side's do not vary, so the similarity is undefined."
TOO_FEW = (
    "more than one in ten resamples leave too few stimuli, or no distances that vary, in them or "
    "in a half of them; give more stimuli"
)
BOTH = ("region_a", "region_b")


def region_coords(sides: Sides, names_b: tuple[str, ...] | None = None) -> dict[str, Any]:
    """Return the coordinates of a table over both sides' regions."""
    columns = sides.names_b if names_b is None else names_b
    return {
        "region_a": np.array(sides.regions_a, object),
        "region_b": np.array(columns, object),
    }


def placed(sides: Sides, values: Floats) -> tuple[tuple[str, str], Floats]:
    """Put rows where their regions of `a` stand, NaN where one has no RDM.

    Parameters
    ----------
    sides : Sides
        Names of all regions, and of those that have an RDM.
    values : array, shape (Ka, Kb)
        A row for each of ``sides.names_a``.

    Returns
    -------
    tuple of (tuple of str; array of float64, shape (regions of a, regions of b))
        Dims and values, for a Dataset.
    """
    found = np.full((len(sides.regions_a), values.shape[1]), np.nan)
    found[[sides.regions_a.index(name) for name in sides.names_a]] = values
    return BOTH, found


def flat_regions(sides: Sides, values: Floats, undefined: str) -> dict[str, str]:
    """Say why regions of `a` have no similarity.

    Parameters
    ----------
    sides : Sides
        Whose ``undefined`` lack an RDM.
    values : array, shape (Ka, Kb)
        Similarities of the others.
    undefined : {"raise", "nan"}
        Whether that is an error.

    Returns
    -------
    dict of str to str
        Reason by region.

    Raises
    ------
    InputError
        If some similarity is not defined, with ``undefined="raise"``.
    """
    rows = zip(sides.names_a, values, strict=True)
    flat = {name: FLAT for name, row in rows if np.isnan(row).any()}
    if flat and undefined == "raise":
        name, reason = next(iter(flat.items()))
        raise InputError(f"region {name!r}: {reason}")
    return {**sides.undefined, **flat}


def not_estimable(
    names: Sequence[str],
    values: Floats,
    low: Floats | None,
    without: Sequence[str],
    units: int,
) -> dict[str, str]:
    """Say why values or their intervals are NaN.

    Parameters
    ----------
    names : sequence of str
        Of what was estimated.
    values : array of float64, shape (K,)
        The estimates.
    low : array of float64, shape (K,), or None
        Lower ends; None where no intervals were asked for.
    without : sequence of str
        Why each estimate is NaN, if it is.
    units : int
        How many stimuli, or groups of them, were drawn from.

    Returns
    -------
    dict of str to str
        Reason by name, for those that lack one.

    Examples
    --------
    >>> not_estimable(["V4", "IT"], np.array([0.1, np.nan]), None, ["", "flat"], 20)
    {'IT': 'flat'}
    """
    few = why_no_interval(np.zeros(1), units) or TOO_FEW
    found = {}
    for k, name in enumerate(names):
        if np.isnan(values[k]):
            found[name] = without[k]
        elif low is not None and np.isnan(low[k]):
            found[name] = few
    return found
