"""Normalising neuroids before any distance: none, centre, zscore, noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurosage.data.assembly import check_assembly
from neurosage.data.average import average_repetitions
from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats

METHODS = ("none", "centre", "zscore", "noise")
STATISTICS = METHODS[1:]  # those that need statistics of neuroids


def normalise_neuroids(responses: xr.DataArray, method: str) -> xr.DataArray:
    """Average repetitions and bring the neuroids to one scale.

    Recordings of raw rates want ``zscore``: else the neuroids' mean rates dominate
    correlation distance.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly, dims ``presentation × neuroid``; with its repetitions for ``noise``.
    method : {"none", "centre", "zscore", "noise"}
        ``centre`` subtracts each neuroid's mean over stimuli; ``zscore`` divides by its SD
        over stimuli (ddof 0) as well; ``noise`` divides by its SD over repetitions instead,
        pooled over stimuli.

    Returns
    -------
    xarray.DataArray
        One presentation per stimulus; attribute ``normalise`` is the method.

    Raises
    ------
    InputError
        If the method is unknown, a neuroid is constant over stimuli (``zscore``) or over
        repetitions (``noise``), or no stimulus is repeated (``noise``).

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [3.0]], stimulus_id=["cat", "dog"], region="V4")
    >>> normalise_neuroids(a, "zscore").values.ravel()
    array([-1.,  1.])
    """
    check_method(method)
    averaged = average_repetitions(check_assembly(responses))
    shift, scale = shift_and_scale(responses, averaged, method)
    if flat := unscalable(averaged["neuroid_id"].values, scale, method):
        raise InputError(flat)
    values = averaged.values if method == "none" else (averaged.values - shift) / scale
    return averaged.copy(data=values).assign_attrs(normalise=method)


def check_method(method: str) -> None:
    """Refuse a method that does not exist.

    Raises
    ------
    InputError
        With the choices.
    """
    if method not in METHODS:
        raise unknown("normalisation", method, METHODS)


def shift_and_scale(
    responses: xr.DataArray, averaged: xr.DataArray, method: str
) -> tuple[Floats, Floats]:
    """Return what to subtract from and to divide each neuroid by.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly with its repetitions.
    averaged : xarray.DataArray
        The same, one presentation per stimulus.
    method : str
        One of ``METHODS``.

    Returns
    -------
    tuple of two arrays of float64, shape (neuroid,)
        Shift in the responses' unit, and scale; 0 where a neuroid is constant, NaN where
        responses are missing.

    Raises
    ------
    InputError
        If ``noise`` is asked for and no stimulus is repeated.
    """
    count = averaged.sizes["neuroid"]
    if method == "none":
        return np.zeros(count), np.ones(count)
    values = averaged.values
    shift = values.mean(0, dtype=np.float64)
    if method == "centre":
        return shift, np.ones(count)
    if method == "noise":
        return shift, _noise_sd(responses)
    return shift, _spread(values, shift)


def _spread(values: np.ndarray[Any, Any], mean: Floats) -> Floats:
    flat = values.max(0) == values.min(0)
    sd = np.sqrt(np.square(values - mean).mean(0, dtype=np.float64))
    return np.where(flat, 0.0, sd)


def _noise_sd(responses: xr.DataArray) -> Floats:
    order, starts = group_starts(responses["stimulus_id"].values)
    values = responses.values[order].astype(np.float64)
    present = ~np.isnan(values)
    counts = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
    freedom = np.maximum(counts - 1, 0).sum(0)
    if not freedom.any():
        raise InputError(
            "normalise='noise' divides by the SD over repetitions, but no stimulus is repeated; "
            "use 'zscore', or give the assembly with its single repetitions."
        )
    squares = within_squares(values, starts).sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd: Floats = np.sqrt(squares / freedom)
    return sd


def group_starts(labels: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Return the order that brings equal labels together, and where each group starts.

    Groups come in order of first appearance.
    """
    _, first, codes = np.unique(labels.astype(str), return_index=True, return_inverse=True)
    appearance = np.argsort(np.argsort(first))[codes]
    order = np.argsort(appearance, kind="stable")
    starts = np.flatnonzero(np.diff(appearance[order], prepend=-1))
    return order, starts


def within_squares(values: Floats, starts: Any) -> Floats:
    """Return each group's sum of squares about its own mean, NaN left out.

    Parameters
    ----------
    values : array of float64, shape (presentation, neuroid)
        Ordered so that the presentations of a stimulus stand together.
    starts : array of int, shape (stimulus,)
        Where each stimulus starts.

    Returns
    -------
    array of float64, shape (stimulus, neuroid)
        0 where a stimulus was answered once or never.
    """
    present = ~np.isnan(values)
    counts = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
    sums = np.add.reduceat(np.where(present, values, 0.0), starts, axis=0)
    means = sums / np.maximum(counts, 1)
    sizes = np.diff(np.append(starts, len(values)))
    about = np.where(present, values - np.repeat(means, sizes, axis=0), 0.0)
    squares: Floats = np.add.reduceat(np.square(about), starts, axis=0)
    return squares


def unscalable(neuroid_ids: Any, scale: Floats, method: str) -> str:
    """Say which neuroids cannot be scaled, or nothing.

    Parameters
    ----------
    neuroid_ids : array of object, shape (neuroid,)
        Their names.
    scale : array of float64, shape (neuroid,)
        From `shift_and_scale`.
    method : str
        What was asked for.

    Returns
    -------
    str
        Empty if all can be.
    """
    flat = list(neuroid_ids[~(scale > 0)])
    if not flat:
        return ""
    over = "repetitions" if method == "noise" else "stimuli"
    return (
        f"{len(flat)} of {len(scale)} neuroids are constant over {over} (first: "
        f"{[str(name) for name in flat[:5]]}), so normalise={method!r} cannot scale them; "
        "leave them out with select, or use normalise='centre' or 'none'."
    )
