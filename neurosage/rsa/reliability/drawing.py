"""What a resample draws: the stimuli of a recording, or groups of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.teacher import Teacher
from neurosage.errors import InputError, unknown
from neurosage.rsa.arguments import check_by
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.between_rdms import holds_rdms_only
from neurosage.rsa.resampling import multiplicities
from neurosage.rsa.responses.categories import choices_of
from neurosage.rsa.responses.patterns import Source, responses_of

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
    check_by(by)
    if by not in responses.coords or responses[by].dims != ("presentation",):
        raise unknown("coordinate on presentation", by, choices_of(responses, responses))
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


def stimulus_groups(sources: Sequence[Any], by: str, stimulus_ids: Any) -> Any:
    """Return how many stimuli there are, or the group of each.

    Parameters
    ----------
    sources : sequence of Teacher or xarray.DataArray
        The first that knows `by` says: responses by a coordinate on presentation, a teacher
        by a column of its stimuli.
    by : str
        ``stimulus_id`` draws single stimuli.
    stimulus_ids : array of object, shape (n,)
        Those that are drawn.

    Returns
    -------
    int, or array of str, shape (n,)
        In the order of `stimulus_ids`.

    Raises
    ------
    InputError
        If none knows `by`, a stimulus has no label, or more than one.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0]], stimulus_id=["a", "b"], region="V4",
    ...              kind=("presentation", ["face", "house"]))
    >>> stimulus_groups([a], "kind", ["b", "a"])
    array(['house', 'face'], dtype=object)
    """
    check_by(by)
    ids = np.asarray(stimulus_ids).astype(str)
    if by == STIMULI:
        return len(ids)
    known, kind = dict.fromkeys([STIMULI]), "coordinate on presentation"
    for source in sources:
        table = source.stimuli.table if isinstance(source, Teacher) else pd.DataFrame()
        if not holds_rdms_only(source):
            responses = responses_of(source)
            if by in responses.coords and responses[by].dims == ("presentation",):
                return _of_presentations(responses, by, ids)
        if by in table.columns:
            return _of_table(table, by, ids)
    for source in sources:
        if isinstance(source, Teacher):
            known |= dict.fromkeys(map(str, source.stimuli.table.columns))
            kind = "coordinate on presentation, or column of the stimuli,"
        if not holds_rdms_only(source):
            known |= dict.fromkeys(choices_of(source, responses_of(source)))
    raise unknown(kind, by, known)


def _of_presentations(responses: xr.DataArray, by: str, ids: Any) -> Any:
    names = responses["stimulus_id"].values.astype(str)
    kept = np.flatnonzero(np.isin(names, ids))
    labels = drawn_together(responses.isel(presentation=kept, neuroid=slice(0, 0)), by)
    of = dict(zip(dict.fromkeys(names[kept]), labels, strict=True))
    return np.array([of[name] for name in ids], object)


def _of_table(table: pd.DataFrame, by: str, ids: Any) -> Any:
    labels = table.set_index(table["stimulus_id"].astype(str))[by].reindex(ids)
    if missing := int(labels.isna().sum()):
        raise InputError(
            f"{missing} of {len(ids)} stimuli have no {by!r} (None or NaN) to be drawn by; "
            "label them, or leave them out with select."
        )
    return labels.astype(str).to_numpy(object)


def drawn_weights(
    source: Source, by: str, stimulus_ids: Any, resamples: int | None, seed: int
) -> Floats:
    """Draw the stimuli that a recording's RDM has, or groups of them.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses, or RDMs.
    by : str
        As in `stimulus_groups`.
    stimulus_ids : array of object, shape (n,)
        Of the RDM.
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
        As `stimulus_groups` and `multiplicities`.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0]], stimulus_id=["a", "b"], region="V4")
    >>> drawn_weights(a, "stimulus_id", a["stimulus_id"].values, 30, seed=0).shape
    (30, 2)
    """
    drawn = stimulus_groups([source], by, stimulus_ids)
    if resamples is None:
        return np.empty((0, len(stimulus_ids)))
    return multiplicities(drawn, resamples, seed)


def drawn_groups(source: Source, by: str, stimulus_ids: Any) -> Any:
    """Return which stimuli are drawn together.

    Parameters
    ----------
    source, by, stimulus_ids
        As in `drawn_weights`.

    Returns
    -------
    array of int, shape (n,), or None
        The group of each stimulus; None where single ones are drawn.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0]], stimulus_id=["a", "b"], region="V4",
    ...              kind=("presentation", ["face", "house"]))
    >>> drawn_groups(a, "kind", ["b", "a"])
    array([1, 0])
    """
    if by == STIMULI:
        return None
    groups = stimulus_groups([source], by, stimulus_ids)
    return np.unique(groups, return_inverse=True)[1].ravel()


def interval_over(by: str) -> str:
    """Say in words what is resampled.

    Examples
    --------
    >>> interval_over("object")
    'groups of stimuli (object)'
    """
    return "stimuli" if by == STIMULI else f"groups of stimuli ({by})"
