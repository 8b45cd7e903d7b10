"""Assemblies averaged over repetitions, categories or time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.assembly import check_assembly
from neurosage.errors import InputError, unknown


def average_time(responses: xr.DataArray, start: float, end: float) -> xr.DataArray:
    """Average the time bins that lie within a window.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly with time bins; one without is returned as it is.
    start, end : float
        The window, ms after stimulus onset; bins with
        ``start <= time_bin_start`` and ``time_bin_end <= end`` are averaged.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid``.

    Raises
    ------
    InputError
        If no bin lies within the window.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[[1.0, 3.0, 9.0]]], dims=("presentation", "neuroid", "time_bin"),
    ...     stimulus_id=["cat"], region="V4", time_bin_start=[70, 120, 170],
    ...     time_bin_end=[120, 170, 220])
    >>> average_time(a, 70, 170).values
    array([[2.]])
    """
    check_assembly(responses)
    if "time_bin" not in responses.dims:
        return responses
    starts, ends = responses["time_bin_start"].values, responses["time_bin_end"].values
    inside = np.flatnonzero((starts >= start) & (ends <= end))
    if not inside.size:
        raise InputError(
            f"no time bin lies within {start} to {end} ms; bins run from {starts.min()} "
            f"to {ends.max()} ms in steps of {(ends - starts).min()} ms."
        )
    return responses.isel(time_bin=inside).mean("time_bin", keep_attrs=True)


def average_repetitions(responses: xr.DataArray, by: str = "stimulus_id") -> xr.DataArray:
    """Average the presentations that share a stimulus (or a category).

    Missing responses (NaN) of single repetitions are left out of a neuroid's
    mean; a neuroid that answered in none of a stimulus' repetitions stays NaN.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly, dims ``presentation × neuroid [× time_bin]``.
    by : str
        Coordinate on presentation that names what to average over. Averaged
        over a category, stimuli count alike, whatever their repetitions.

    Returns
    -------
    xarray.DataArray
        One presentation per value of `by`, in order of first appearance; other
        coordinates are kept where they do not vary within it. ``repetition`` is 0
        and the added coordinate ``repetitions`` counts what was averaged.

    Raises
    ------
    InputError
        If `by` is no coordinate on presentation.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [3.0], [5.0]], stimulus_id=["b", "b", "a"], region="V4")
    >>> m = average_repetitions(a)
    >>> list(m.stimulus_id.values), m.values.ravel(), m.repetitions.values
    (['b', 'a'], array([2., 5.]), array([2, 1]))
    """
    check_assembly(responses)
    on_presentation = [c for c in responses.coords if responses[c].dims == ("presentation",)]
    if by not in on_presentation:
        raise unknown("coordinate on presentation", by, on_presentation)
    if by != "stimulus_id":
        responses = average_repetitions(responses)
    codes, _ = pd.factorize(responses[by].values)
    if by == "stimulus_id" and len(codes) == codes.max() + 1:
        counts = np.ones(len(codes), int)
        return responses if "repetitions" in responses.coords else _counted(responses, counts)
    return _group_means(responses, codes, by)


def grouped_means(values: Any, starts: Any) -> Any:
    """Average presentations that stand together, missing responses left out.

    Parameters
    ----------
    values : array, shape (presentation, neuroid[, time_bin])
        Presentations of one stimulus after the other's.
    starts : array of int, shape (stimulus,)
        Where each stimulus starts.

    Returns
    -------
    array, shape (stimulus, neuroid[, time_bin])
        NaN where nothing was answered; floating, in the precision of `values`.

    Examples
    --------
    >>> grouped_means(np.array([[1.0], [3.0], [np.nan]]), np.array([0, 2]))
    array([[ 2.],
           [nan]])
    """
    values = np.asarray(values, dtype=np.result_type(values.dtype, np.float32))
    missing = np.isnan(values)
    if missing.any():
        counts = np.add.reduceat(~missing, starts, axis=0, dtype=np.int64)
        values = np.where(missing, np.zeros((), values.dtype), values)
    else:
        sizes = np.diff(np.append(starts, len(values)))
        counts = sizes.reshape(-1, *[1] * (values.ndim - 1))
    sums = np.add.reduceat(values, starts, axis=0, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums / counts).astype(values.dtype)


def _group_means(responses: xr.DataArray, codes: Any, by: str) -> xr.DataArray:
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    means = grouped_means(responses.values[order], starts)
    first = np.unique(codes, return_index=True)[1]
    averaged = responses.isel(presentation=first).copy(data=means)
    for key in [c for c in averaged.coords if averaged[c].dims == ("presentation",)]:
        column = pd.Series(responses[key].values)
        if key != by and (column.groupby(codes).nunique(dropna=False) > 1).any():
            averaged = averaged.drop_vars([key])
    if "stimulus_id" not in averaged.coords:
        averaged = averaged.assign_coords(stimulus_id=("presentation", averaged[by].values))
    return _counted(averaged, np.bincount(codes))


def _counted(responses: xr.DataArray, counts: Any) -> xr.DataArray:
    zeros = np.zeros(responses.sizes["presentation"], int)
    return responses.assign_coords(
        repetition=("presentation", zeros), repetitions=("presentation", counts)
    )
