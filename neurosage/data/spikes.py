"""Spike times → counts in windows after stimulus onset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.errors import InputError

Floats = npt.NDArray[np.float64]
Window = tuple[float, float]
PER_SECOND = {"s": 1.0, "ms": 1000.0}


def count_spikes(
    spike_times: Sequence[npt.ArrayLike],
    onsets: npt.ArrayLike,
    windows: Sequence[Window] = ((70.0, 170.0),),
    *,
    observed: Sequence[npt.ArrayLike] | None = None,
) -> Floats:
    """Count each neuroid's spikes in windows after each stimulus onset.

    A window is ``[onset + start, onset + end)``: a spike on the edge between two adjacent
    windows is counted once, in the later one. Windows of presentations that follow each
    other closely may overlap; a spike is then counted for both.

    Parameters
    ----------
    spike_times : sequence of array_like, shape (spike,)
        One array a neuroid: times in **seconds** on the recording's clock, in any order;
        NaN is padding.
    onsets : array_like, shape (presentation,)
        Onset of each presentation, in **seconds** on the same clock.
    windows : sequence of (start, end)
        In **ms** after onset; the default is 70 to 170 ms.
    observed : sequence of array_like, shape (interval, 2), optional
        One array a neuroid: when it was recorded, in seconds. A window that lies not
        wholly within one of them (those that touch are joined) gives NaN.

    Returns
    -------
    numpy.ndarray, shape (presentation, neuroid, window)
        Counts, float64.

    Raises
    ------
    InputError
        If an onset is not finite, a window is empty, or shapes do not fit.

    Examples
    --------
    >>> count_spikes([[0.1, 0.169, 0.17], []], [0.0], [(70, 170), (170, 270)])[0]
    array([[2., 1.],
           [0., 0.]])
    """
    starts = _onsets(onsets)
    spans = check_windows(windows) / 1000.0
    edges = starts[:, None, None] + spans  # presentation × window × (start, end)
    counts = np.empty((len(starts), len(spike_times), len(spans)))
    for k, times in enumerate(spike_times):
        spikes = _sorted(times, k)
        counts[:, k] = np.diff(np.searchsorted(spikes, edges, side="left"))[..., 0]
    if observed is None:
        return counts
    if len(observed) != len(spike_times):
        raise InputError(
            f"observed intervals are given for {len(observed)} neuroids, spike times for "
            f"{len(spike_times)}; give one array a neuroid."
        )
    for k, intervals in enumerate(observed):
        counts[:, k][~_within(edges, _joined(intervals, k))] = np.nan
    return counts


def count_relative(
    spike_times: npt.NDArray[np.object_], windows: Sequence[Window], *, unit: str
) -> Floats:
    """Count spikes whose times are already relative to stimulus onset.

    Parameters
    ----------
    spike_times : numpy.ndarray of object, any shape
        Each element an array of times after onset. An empty one is a presentation without
        spikes; one that holds nothing but NaN was not recorded.
    windows : sequence of (start, end)
        In **ms** after onset, start included, end not.
    unit : {"s", "ms"}
        Of the times.

    Returns
    -------
    numpy.ndarray, shape of `spike_times` with windows added last
        Counts, float64; NaN where nothing was recorded.

    Raises
    ------
    InputError
        If the unit is neither, or a window is empty.

    Examples
    --------
    >>> cells = np.empty(3, object)
    >>> cells[:] = [[0.08, 0.2], [], [float("nan")]]
    >>> count_relative(cells, [(70, 170)], unit="s")[:, 0]
    array([ 1.,  0., nan])
    """
    if unit not in PER_SECOND:
        raise InputError(
            f"the unit of spike times is 's' or 'ms', not {unit!r}; say which as unit = …."
        )
    spans = check_windows(windows) / 1000.0 * PER_SECOND[unit]
    counts = np.empty((*spike_times.shape, len(spans)))
    for place in np.ndindex(spike_times.shape):
        given = np.asarray(spike_times[place], dtype=np.float64).ravel()
        spikes = _sorted(given, place)
        found = np.diff(np.searchsorted(spikes, spans, side="left"))[:, 0]
        counts[place] = np.nan if given.size and not spikes.size else found
    return counts


def check_windows(windows: Sequence[Window]) -> Floats:
    """Return windows as an array, shape (window, 2), in the unit given.

    Raises
    ------
    InputError
        If they are not pairs of finite numbers, each start before its end.

    Examples
    --------
    >>> check_windows([(70, 170)])
    array([[ 70., 170.]])
    """
    try:
        spans = np.asarray(windows, dtype=np.float64)
    except (TypeError, ValueError):
        spans = np.empty(0)
    if spans.ndim != 2 or spans.shape[1:] != (2,) or not spans.size:
        raise InputError(f"windows are (start, end) pairs in ms, such as (70, 170), not {windows}.")
    if not (np.isfinite(spans).all() and (spans[:, 0] < spans[:, 1]).all()):
        raise InputError(f"start < end must hold for every window in ms, but got {windows}.")
    return spans


def _onsets(onsets: npt.ArrayLike) -> Floats:
    starts = np.asarray(onsets, dtype=np.float64)
    if starts.ndim != 1:
        raise InputError(f"onsets have shape {starts.shape}; give one number a presentation.")
    if bad := int((~np.isfinite(starts)).sum()):
        first = int(np.flatnonzero(~np.isfinite(starts))[0])
        raise InputError(
            f"{bad} of {len(starts)} onsets are not finite (first: presentation {first}); "
            "leave those presentations out."
        )
    return starts


def _sorted(times: npt.ArrayLike, neuroid: Any) -> Floats:
    spikes = np.asarray(times, dtype=np.float64)
    if spikes.ndim != 1:
        raise InputError(
            f"spike times of neuroid {neuroid} have shape {spikes.shape}; give one array a neuroid."
        )
    return np.sort(spikes[~np.isnan(spikes)])


def _joined(intervals: npt.ArrayLike, neuroid: int) -> Floats:
    spans = np.asarray(intervals, dtype=np.float64)
    spans = spans.reshape(-1, 2) if spans.size == 0 else spans
    if spans.ndim != 2 or spans.shape[1] != 2 or not (spans[:, 0] <= spans[:, 1]).all():
        raise InputError(
            f"observed intervals of neuroid {neuroid} are not (start, end) pairs in seconds "
            f"with start <= end; their shape is {spans.shape}."
        )
    joined: list[list[float]] = []
    for start, end in spans[np.argsort(spans[:, 0], kind="stable")]:
        if joined and start <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return np.array(joined).reshape(-1, 2)


def _within(edges: Floats, intervals: Floats) -> npt.NDArray[np.bool_]:
    if not len(intervals):
        return np.zeros(edges.shape[:2], bool)
    at = np.searchsorted(intervals[:, 0], edges[..., 0], side="right") - 1
    within: npt.NDArray[np.bool_] = (at >= 0) & (edges[..., 1] <= intervals[at, 1])
    return within
