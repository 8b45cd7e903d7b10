"""What to do about missing responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.assembly import region_names
from neurosage.errors import InputError, unknown

NAN_POLICIES = ("raise", "drop-stimulus", "drop-neuroid")


def check_policy(nan: str) -> None:
    """Refuse a policy for missing responses that does not exist.

    Raises
    ------
    InputError
        With the choices.
    """
    if nan not in NAN_POLICIES:
        raise unknown("policy for missing responses (nan)", nan, NAN_POLICIES)


def drop_missing(
    averaged: xr.DataArray, nan: str, without: Sequence[Any] = ()
) -> tuple[xr.DataArray, dict[str, list[Any]]]:
    """Leave out stimuli or neuroids with missing responses, as the policy says.

    Parameters
    ----------
    averaged : xarray.DataArray
        Assembly with one presentation per stimulus.
    nan : str
        One of ``NAN_POLICIES``.
    without : sequence
        Stimuli to leave out whatever they hold.

    Returns
    -------
    tuple of (xarray.DataArray; dict)
        What is left, and the ids of the ``stimuli`` and ``neuroids`` dropped.

    Raises
    ------
    InputError
        If no stimulus, or no neuroid of some region, is left.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, np.nan], [2.0, 3.0]], stimulus_id=["cat", "dog"], region="V4")
    >>> drop_missing(a, "drop-stimulus")[1]
    {'stimuli': ['cat']}
    """
    dropped: dict[str, list[Any]] = {}
    leave = pd.Index(averaged["stimulus_id"].values).isin(list(without))
    if nan == "drop-stimulus":
        leave |= np.isnan(averaged.values).any(1)
    if leave.any():
        dropped["stimuli"] = list(averaged["stimulus_id"].values[leave])
        averaged = averaged.isel(presentation=np.flatnonzero(~leave))
    if nan == "drop-neuroid":
        missing = np.isnan(averaged.values).any(0)
        if missing.any():
            dropped["neuroids"] = list(averaged["neuroid_id"].values[missing])
            regions = region_names(averaged)
            averaged = averaged.isel(neuroid=np.flatnonzero(~missing))
            _check_left(regions, averaged)
    if not averaged.sizes["presentation"]:
        raise InputError(
            "every stimulus lacks the response of some neuroid, so nan='drop-stimulus' leaves "
            "none; try nan='drop-neuroid'."
        )
    return averaged, dropped


def _check_left(regions: tuple[str, ...], averaged: xr.DataArray) -> None:
    gone = [name for name in regions if name not in region_names(averaged)]
    if gone:
        raise InputError(
            f"every neuroid of {gone} lacks the response to some stimulus, so "
            "nan='drop-neuroid' leaves none; try nan='drop-stimulus'."
        )


def not_finite(averaged: xr.DataArray, columns: Any) -> str:
    """Say which responses of some neuroids are missing or infinite, or nothing.

    Parameters
    ----------
    averaged : xarray.DataArray
        Assembly with one presentation per stimulus.
    columns : slice or array of int
        The neuroids, such as those of a region.

    Returns
    -------
    str
        Empty if all are finite; else how many stimuli and neuroids, and the first of them.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, np.nan], [2.0, 3.0]], stimulus_id=["cat", "dog"], region="V4")
    >>> not_finite(a, slice(0, 2)).split(";")[0]
    "responses are missing (NaN) for 1 of 2 stimuli (first: ['cat']) and 1 of 2 neuroids \
(first: ['V4.1'])"
    """
    values = averaged.values[:, columns]
    bad = ~np.isfinite(values)
    if not bad.any():
        return ""
    rows, cols = bad.any(1), bad.any(0)
    names = averaged["neuroid_id"].values[columns][cols]
    what = "missing (NaN)" if np.isnan(values).any() else "infinite"
    return (
        f"responses are {what} for {rows.sum()} of {len(rows)} stimuli (first: "
        f"{first_names(averaged['stimulus_id'].values[rows])}) and {cols.sum()} of {len(cols)} "
        f"neuroids (first: {first_names(names)}); nan='drop-stimulus' or 'drop-neuroid' leaves "
        "the missing out."
    )


def first_names(names: Any) -> list[str]:
    """Return the first three names, for a message."""
    return [str(name) for name in names[:3]]


def leave_out(responses: xr.DataArray, dropped: dict[str, list[Any]]) -> xr.DataArray:
    """Return the assembly without what was dropped from its average."""
    if "stimuli" in dropped:
        kept = _without(responses["stimulus_id"], dropped["stimuli"])
        responses = responses.isel(presentation=kept)
    if "neuroids" in dropped:
        kept = _without(responses["neuroid_id"], dropped["neuroids"])
        responses = responses.isel(neuroid=kept)
    return responses


def _without(names: xr.DataArray, dropped: list[Any]) -> Any:
    return np.flatnonzero(~pd.Index(names.values).isin(dropped))
