"""What a resample draws: the stimuli of a recording, or groups of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.patterns import Source, responses_of
from neurosage.rsa.resampling import multiplicities

STIMULI = "stimulus_id"


def drawn_together(responses: xr.DataArray, by: str) -> Any:
    """Return how many stimuli there are, or the group of each.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly; only its coordinates are looked at.
    by : str
        Coordinate on presentation; ``stimulus_id`` draws single stimuli.

    Returns
    -------
    int, or array of str, shape (n,)
        Of the stimuli in order of first appearance.

    Raises
    ------
    InputError
        If there is no such coordinate, a stimulus has no label, or more than one.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0]], stimulus_id=["a", "b"], region="V4")
    >>> drawn_together(a, "stimulus_id")
    2
    """
    if by not in responses.coords or responses[by].dims != ("presentation",):
        found = [name for name, c in responses.coords.items() if c.dims == ("presentation",)]
        raise unknown("coordinate on presentation", by, found)
    ids = pd.Series(responses["stimulus_id"].values.astype(str))
    if by == STIMULI:
        return ids.nunique()
    labels = pd.Series(responses[by].values.astype(object))
    if missing := int(ids[labels.isna()].nunique()):
        raise InputError(
            f"{missing} of {ids.nunique()} stimuli have no {by!r} (None or NaN) to be drawn by; "
            "label them, or leave them out with select."
        )
    groups = labels.astype(str).groupby(ids, sort=False)
    if mixed := list(groups.nunique().loc[lambda n: n > 1].index[:3]):
        raise InputError(
            f"stimuli are drawn by {by!r}, but presentations of one stimulus differ in it "
            f"(first: {mixed}); choose a coordinate that is the stimulus' own."
        )
    return groups.first().to_numpy()


def drawn_weights(
    source: Source, by: str, stimulus_ids: Any, resamples: int | None, seed: int
) -> Floats:
    """Draw the stimuli that a recording's RDM has, or groups of them.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses.
    by : str
        As in `drawn_together`.
    stimulus_ids : array of object, shape (n,)
        Of the RDM: the recording's, but for those left out, in its order.
    resamples : int or None
        How many; None draws nothing, but checks `by`.
    seed : int
        Of the draws.

    Returns
    -------
    array of float64, shape (resamples, n)
        From `multiplicities`; no rows for None.

    Raises
    ------
    InputError
        As `drawn_together` and `multiplicities`.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0]], stimulus_id=["a", "b"], region="V4")
    >>> drawn_weights(a, "stimulus_id", a["stimulus_id"].values, 30, seed=0).shape
    (30, 2)
    """
    responses = responses_of(source)
    names = responses["stimulus_id"].values.astype(str)
    kept = np.flatnonzero(np.isin(names, np.asarray(stimulus_ids).astype(str)))
    drawn = drawn_together(responses.isel(presentation=kept, neuroid=slice(0, 0)), by)
    if resamples is None:
        return np.empty((0, len(stimulus_ids)))
    return multiplicities(drawn, resamples, seed)


def interval_over(by: str) -> str:
    """Say in words what is resampled.

    Examples
    --------
    >>> interval_over("object")
    'groups of stimuli (object)'
    """
    return "stimuli" if by == STIMULI else f"groups of stimuli ({by})"
