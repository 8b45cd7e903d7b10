"""What to do about missing responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.errors import InputError, unknown

NAN_POLICIES = ("raise", "drop-stimulus", "drop-neuroid", "pairwise")
INFINITE = (
    "they are not missing, so no nan=… is for them: set them to NaN, or leave out with select"
)


def check_policy(nan: str) -> None:
    """Refuse a policy for missing responses that does not exist.

    Raises
    ------
    InputError
        With the choices.
    """
    if nan not in NAN_POLICIES:
        raise unknown("policy for missing responses (nan)", nan, NAN_POLICIES)


def check_left(kept: Any, columns: Mapping[str, Any]) -> None:
    """Refuse to leave out every neuroid of some region.

    Parameters
    ----------
    kept : array of bool, shape (neuroids,)
        Which neuroids are left.
    columns : mapping of str to slice or array of int
        The neuroids of each region.

    Raises
    ------
    InputError
        With the regions of which nothing would be left.

    Examples
    --------
    >>> check_left(np.array([True, False]), {"V4": slice(0, 2)})
    """
    gone = [name for name, own in columns.items() if not kept[own].any()]
    if gone:
        raise InputError(
            f"every neuroid of {gone} lacks the response to some stimulus, so "
            "nan='drop-neuroid' leaves none; try nan='drop-stimulus'."
        )


def check_any_left(count: int) -> None:
    """Refuse to leave out every stimulus.

    Raises
    ------
    InputError
        If none is left.
    """
    if not count:
        raise InputError(
            "every stimulus lacks the response of some neuroid, so nan='drop-stimulus' leaves "
            "none; try nan='drop-neuroid'."
        )


def why_not_finite(rows: Any, neuroids: Any, *, missing: bool) -> str:
    """Say which responses are missing or infinite.

    Parameters
    ----------
    rows, neuroids : tuple of (array of str; array of bool)
        Names of all stimuli, and of a region's neuroids, and which of them are concerned.
    missing : bool
        Whether some are missing; else they are infinite.

    Returns
    -------
    str
        How many stimuli and neuroids, the first of them, and what to do.

    Examples
    --------
    >>> names = np.array(["cat", "dog"]), np.array([True, False])
    >>> why_not_finite(names, names, missing=True).split(";")[0]
    "responses are missing (NaN) for 1 of 2 stimuli (first: ['cat']) and 1 of 2 neuroids \
(first: ['cat'])"
    """
    (stimuli, bad), (ids, lacking) = rows, neuroids
    instead = (
        "nan='drop-stimulus' or 'drop-neuroid' leaves the missing out" if missing else INFINITE
    )
    return (
        f"responses are {'missing (NaN)' if missing else 'infinite'} for {bad.sum()} of {len(bad)} "
        f"stimuli (first: {first_names(stimuli[bad])}) and {lacking.sum()} of {len(lacking)} "
        f"neuroids (first: {first_names(ids[lacking])}); {instead}."
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
