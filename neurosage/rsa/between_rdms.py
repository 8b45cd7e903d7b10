"""Similarities where one side, or both, are RDMs already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.columns import types_of_ids
from neurosage.errors import InputError
from neurosage.rsa.backends.base import Backend, Floats, check_stimulus_count
from neurosage.rsa.distances.noise_precision import Precision
from neurosage.rsa.distances.own_distances import side_distance, side_precision
from neurosage.rsa.given import check_asked, given_rdms
from neurosage.rsa.rdm import condensed_rdms, rdms, usable_rdms
from neurosage.rsa.responses.patterns import Source
from neurosage.rsa.ties import RANKED, merged, rounding_of


def holds_rdms_only(source: Any) -> bool:
    """Tell whether a value is RDMs, or a teacher that holds nothing else."""
    return given_rdms(source)[0] is not None


def check_given(a: Source, b: Source, by: str, normalise: tuple[str | None, str | None]) -> None:
    """Refuse what is asked of RDMs; categories may be the other side's, if it has responses.

    Parameters
    ----------
    a, b : Teacher or xarray.DataArray
        Both sides.
    by : str
        Rows asked for.
    normalise : tuple of two str or None
        Asked for, one a side.

    Raises
    ------
    InputError
        If RDMs cannot have been made so.
    """
    both = holds_rdms_only(a) and holds_rdms_only(b)
    for source, own in zip((a, b), normalise, strict=True):
        given, holder = given_rdms(source)
        if given is not None:
            wanted = by if both or "by" in given.attrs else "stimulus_id"
            check_asked(given, holder, by=wanted, normalise=own)


def first_rdms(
    source: Source,
    normalise: str | None,
    settings: Mapping[str, str],
    backend: Backend,
    precision: Precision,
) -> tuple[xr.DataArray, dict[str, str]]:
    """Return the RDMs of the first side of a comparison, and why regions have none.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses or RDMs.
    normalise : str or None
        Of its neuroids.
    settings : mapping of str to str
        distance, nan, by: those of the other side.
    backend : Backend
        What computes.
    precision : str, mapping or None
        Asked for.

    Returns
    -------
    tuple of (xarray.DataArray; dict of str to str)
        Attribute ``distance`` is this side's, which without repetitions is the plain one.
    """
    distance = side_distance(source, settings["distance"], precision)
    if holds_rdms_only(source):
        # Nothing is to be done to them, and nothing is.
        made = rdms(source, distance, normalise=None if normalise == "none" else normalise)
        return made.assign_attrs(distance=distance), {}
    return usable_rdms(
        source,
        distance,
        settings["by"],
        normalise,
        backend=backend,
        nan=settings["nan"],
        precision=side_precision(source, precision) if distance == settings["distance"] else None,
    )


def compare_rdms(
    given_a: xr.DataArray, given_b: xr.DataArray, backend: Backend, comparison: str
) -> tuple[Floats, dict[str, list[Any]]]:
    """Compare RDMs with RDMs, aligned by stimulus.

    Parameters
    ----------
    given_a, given_b : xarray.DataArray
        From `rdms`, or published; a stimulus that one of them dropped for missing responses
        is left out of the other.
    backend : Backend
        What computes.
    comparison : str
        One of the backend's.

    Returns
    -------
    tuple of (array of float64, shape (regions of a, regions of b); dict)
        Similarities, by ranks with distances tied that differ by no more than rounding (see
        `neurosage.rsa.ties`); and what was left out.

    Raises
    ------
    InputError
        If they are not of the same stimuli.
    """
    rows_a, rows_b, dropped = shared_rows(given_a, given_b)
    check_stimulus_count(len(rows_a), comparison)
    pairs = [_comparable(given_a, rows_a, comparison), _comparable(given_b, rows_b, comparison)]
    return backend.compare(pairs[0], pairs[1], comparison), dropped


def _comparable(given: xr.DataArray, rows: Any, comparison: str) -> Floats:
    pairs = condensed_rdms(given, rows)
    if comparison not in RANKED:
        return pairs
    rounding = rounding_of(given)
    return np.stack([merged(each, rounding) for each in pairs])


def shared_rows(a: xr.DataArray, b: xr.DataArray) -> tuple[Any, Any, dict[str, list[Any]]]:
    """Return the rows of two sets of RDMs that are the same stimuli, and what was left out.

    Parameters
    ----------
    a, b : xarray.DataArray
        From `rdms`.

    Returns
    -------
    tuple of (array of int; array of int; dict)
        Rows of `a` and of `b`, in the order of `b`; ``stimuli`` that one of them dropped.

    Raises
    ------
    InputError
        If they are not of the same stimuli, but for those dropped.
    """
    ids_a, ids_b = (pd.Index(given["stimulus_id_i"].values) for given in (a, b))
    dropped = [json.loads(given.attrs.get("dropped", "{}")) for given in (a, b)]
    lost = {str(name) for each in dropped for name in each.get("stimuli", [])}
    only_a = [name for name in ids_a.difference(ids_b, sort=False) if str(name) not in lost]
    only_b = [name for name in ids_b.difference(ids_a, sort=False) if str(name) not in lost]
    if only_a or only_b:
        raise InputError(
            f"the RDMs are not of the same stimuli: {len(ids_a)} on one side, {len(ids_b)} on the "
            f"other; {len(only_a)} only in a (first: {only_a[:3]}), {len(only_b)} only in b "
            f"(first: {only_b[:3]}). Ids are matched exactly, never by position"
            f"{types_of_ids(only_a, only_b)}."
        )
    rows_b = np.flatnonzero(ids_b.isin(ids_a))
    rows_a = ids_a.get_indexer(ids_b[rows_b])
    return rows_a, rows_b, {"stimuli": sorted(lost)} if lost else {}
