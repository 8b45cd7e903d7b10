"""What the rules about responses look at, gathered in one pass of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.data.assembly import region_names

Floats = npt.NDArray[np.float64]
BLOCK_BYTES = 64 * 2**20  # of float64 responses looked at together
SAMPLED = 4096  # presentations among which values of a neuroid are told apart
SKETCH = 32  # random projections by which neuroids are compared
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ResponseFacts:
    """Facts about an assembly; time bins are averaged where presentations are compared.

    Parameters
    ----------
    ids : array of object, shape (stimulus,)
        In order of first appearance.
    stimulus : array of int, shape (presentation,)
        Which of them each presentation shows.
    shown : array of int, shape (stimulus,)
        Presentations of each.
    neuroids : pandas.DataFrame
        A row a neuroid: ``neuroid_id``, ``region``; ``missing`` and ``infinite`` (values
        that are), ``low``, ``high``, ``mean``, ``at_top`` (share of values that equal the
        highest), ``distinct`` (different values in a sample), ``active`` (share of
        presentations that are not 0), ``whole`` (only whole numbers), ``flat`` (means
        do not vary over stimuli), ``unanswered`` (stimuli without any response), ``drift``
        (correlation of the deviation from the stimulus' mean with the number of the
        repetition), ``spread`` (SD of the means over stimuli).
    fewest, most : array of int, shape (stimulus,)
        Presentations that count: of the neuroid that has fewest, and most, responses; one
        that has none at all is left out of the fewest.
    flat_patterns : dict of str to array of bool, shape (stimulus,)
        By region: all neuroids gave the same mean response.
    active : array of int, shape (presentation,)
        Neuroids with a response that is not 0.
    codes : array of uint64, shape (presentation,)
        Equal for presentations with equal responses of all neuroids.
    log_chance : float
        Log of the probability that two presentations are equal by chance.
    sketch : array of float64, shape (neuroid, projections)
        Distances between rows are about those between standardised means.
    """

    ids: Any
    stimulus: npt.NDArray[np.int64]
    shown: npt.NDArray[np.int64]
    neuroids: pd.DataFrame
    fewest: npt.NDArray[np.int64]
    most: npt.NDArray[np.int64]
    flat_patterns: dict[str, npt.NDArray[np.bool_]]
    active: npt.NDArray[np.int64]
    codes: npt.NDArray[np.uint64]
    log_chance: float
    sketch: Floats


def gather(responses: xr.DataArray, progress: Progress | None = None) -> ResponseFacts:
    """Go once through an assembly, some neuroids at a time.

    Parameters
    ----------
    responses : xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.
    progress : callable, optional
        Called with what is counted, how many are done, and of how many.

    Returns
    -------
    ResponseFacts
        What the rules need.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, 0.0], [3.0, 0.0]], stimulus_id=["a", "b"], region="V4")
    >>> gather(a).neuroids[["low", "high", "flat"]].values.tolist()
    [[1.0, 3.0, False], [0.0, 0.0, True]]
    """
    stimulus, ids = pd.factorize(pd.Series(responses["stimulus_id"].values, dtype=object))
    scan = _Scan(responses, stimulus, len(ids))
    total = responses.sizes["neuroid"]
    for columns, block in _blocks(responses):
        with np.errstate(over="ignore", invalid="ignore"):  # numbers near the end of float64
            scan.add(columns, block)
        if progress is not None:
            progress("neuroids looked at", columns.stop, total)
    return scan.facts(ids.to_numpy(object))


def stimulus_means(responses: xr.DataArray, neuroids: Any) -> Floats:
    """Return some neuroids' mean response to each stimulus.

    Parameters
    ----------
    responses : xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.
    neuroids : sequence of int
        Which, by place.

    Returns
    -------
    ndarray of float64, shape (stimulus, neuroid)
        In order of first appearance; NaN where there is no response.
    """
    stimulus, ids = pd.factorize(pd.Series(responses["stimulus_id"].values, dtype=object))
    values = _over_time(responses.isel(neuroid=list(neuroids)).values.astype(np.float64))
    sums, counts = _by_stimulus(values, stimulus, len(ids))
    return _divide(sums, counts)


def _blocks(responses: xr.DataArray) -> Iterator[tuple[slice, Floats]]:
    per_neuroid = 8 * responses.size // max(responses.sizes["neuroid"], 1)
    step = max(1, BLOCK_BYTES // max(per_neuroid, 1))
    for start in range(0, responses.sizes["neuroid"], step):
        columns = slice(start, min(start + step, responses.sizes["neuroid"]))
        yield columns, responses.isel(neuroid=columns).values.astype(np.float64)


class _Scan:
    """Sums over blocks of neuroids."""

    def __init__(self, responses: xr.DataArray, stimulus: Any, stimuli: int) -> None:
        rng = np.random.default_rng(0)
        self.stimulus, self.stimuli = np.asarray(stimulus, np.int64), stimuli
        self.shown = np.bincount(self.stimulus, minlength=stimuli)
        self.repetition = responses["repetition"].values
        self.regions = responses["region"].values
        self.named = {name: responses[name].values for name in ("neuroid_id", "region")}
        self.sample = np.sort(rng.permutation(len(stimulus))[:SAMPLED])
        self.projection = rng.normal(size=(stimuli, SKETCH)) / np.sqrt(SKETCH)
        self.rows: list[pd.DataFrame] = []
        self.sketches: list[Floats] = []
        self.codes = np.zeros(len(stimulus), np.uint64)
        self.active = np.zeros(len(stimulus), np.int64)
        self.fewest = np.full(stimuli, np.iinfo(np.int64).max)
        self.most = np.zeros(stimuli, np.int64)
        self.log_chance = 0.0
        names = region_names(responses)
        self.low = {name: np.full(stimuli, np.inf) for name in names}
        self.high = {name: np.full(stimuli, -np.inf) for name in names}

    def add(self, columns: slice, block: Floats) -> None:
        """Take in the responses of some neuroids, shape (presentation, neuroid[, time_bin])."""
        rows = _values_of(block)
        values = _over_time(np.where(np.isinf(block), np.nan, block))
        sums, counts = _by_stimulus(values, self.stimulus, self.stimuli)
        means = _divide(sums, counts)
        rows["unanswered"] = (counts == 0).sum(0)
        rows["flat"], rows["spread"] = _variation(means)
        rows["drift"] = self._drift(values, means)
        rows["distinct"], equal = _distinct(values[self.sample])
        self.log_chance += float(np.log(equal).sum())
        self.codes += _codes(block, columns.start)
        self.active += (np.isfinite(values) & (values != 0)).sum(1)
        if (recorded := counts.any(0)).any():  # a neuroid that never was lacks no repetition
            self.fewest = np.minimum(self.fewest, counts[:, recorded].min(1))
        self.most = np.maximum(self.most, counts.max(1))
        self._patterns(columns, means)
        self.sketches.append(self._sketch(means, rows["flat"]))
        self.rows.append(pd.DataFrame(rows))

    def _drift(self, values: Floats, means: Floats) -> Floats:
        number = np.asarray(self.repetition, dtype=object)
        try:
            number = number.astype(np.float64)
        except (TypeError, ValueError):  # repetitions that are names have no order
            return np.full(values.shape[1], np.nan)
        deviation = values - means[self.stimulus]
        there = np.isfinite(deviation)
        when = np.where(there, number[:, None], 0.0)
        sums, counts = _by_stimulus(np.where(there, when, np.nan), self.stimulus, self.stimuli)
        when = np.where(there, when - _divide(sums, counts)[self.stimulus], 0.0)
        deviation = np.where(there, deviation, 0.0)
        scale = np.sqrt((when * when).sum(0) * (deviation * deviation).sum(0))
        return _divide((when * deviation).sum(0), scale)

    def _patterns(self, columns: slice, means: Floats) -> None:
        for name, low in self.low.items():
            own = np.flatnonzero(self.regions[columns] == name)
            if len(own):
                self.low[name] = np.fmin(low, np.fmin.reduce(means[:, own], axis=1))
                self.high[name] = np.fmax(self.high[name], np.fmax.reduce(means[:, own], axis=1))

    def _sketch(self, means: Floats, flat: Any) -> Floats:
        centred = means - _divide(np.nansum(means, 0), np.isfinite(means).sum(0))
        centred = np.where(np.isfinite(centred), centred, 0.0)
        length = np.sqrt((centred * centred).sum(0))
        length[flat | (length == 0)] = np.inf
        sketch: Floats = (centred / length).T @ self.projection
        return sketch

    def facts(self, ids: Any) -> ResponseFacts:
        """Return what was gathered."""
        neuroids = pd.concat(self.rows, ignore_index=True)
        for place, (name, values) in enumerate(self.named.items()):
            neuroids.insert(place, name, values)
        flat = {name: self.high[name] <= self.low[name] for name in self.low}
        nobody = np.iinfo(np.int64).max
        fewest = np.where(self.fewest == nobody, 0, self.fewest)
        return ResponseFacts(
            *(ids, self.stimulus, self.shown, neuroids, fewest, self.most),
            *(flat, self.active, self.codes, self.log_chance, np.concatenate(self.sketches)),
        )


def _values_of(block: Floats) -> dict[str, Any]:
    axes = tuple(axis for axis in range(block.ndim) if axis != 1)
    finite = np.isfinite(block)
    number = finite.sum(axes)
    low = np.where(finite, block, np.inf).min(axes)
    high = np.where(finite, block, -np.inf).max(axes)
    held = np.where(finite, block, 0.0)
    top = high[:, None] if block.ndim == 3 else high
    return {
        "missing": np.isnan(block).sum(axes),
        "infinite": np.isinf(block).sum(axes),
        "low": np.where(number, low, np.nan),
        "high": np.where(number, high, np.nan),
        "mean": _divide(held.sum(axes), number),
        "at_top": _divide((finite & (block == top)).sum(axes), number),
        "active": _divide((held != 0).sum(axes), number),
        "whole": (held == np.round(held)).all(axes),
    }


def _over_time(values: Floats) -> Floats:
    if values.ndim == 2:
        return values
    there = np.isfinite(values)
    return _divide(np.where(there, values, 0.0).sum(2), there.sum(2))


def _by_stimulus(values: Floats, stimulus: Any, stimuli: int) -> tuple[Floats, Any]:
    order = np.argsort(stimulus, kind="stable")
    starts = np.searchsorted(stimulus[order], np.arange(stimuli))
    there = np.isfinite(values[order])
    sums = np.add.reduceat(np.where(there, values[order], 0.0), starts, axis=0)
    return sums, np.add.reduceat(there.astype(np.int64), starts, axis=0)


def _divide(numerator: Any, denominator: Any) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: Floats = np.where(denominator != 0, numerator / denominator, np.nan)
    return quotient


def _variation(means: Floats) -> tuple[npt.NDArray[np.bool_], Floats]:
    there = np.isfinite(means)
    low = np.where(there, means, np.inf).min(0)
    high = np.where(there, means, -np.inf).max(0)
    number = there.sum(0)
    centred = np.where(there, means - _divide(np.where(there, means, 0).sum(0), number), 0.0)
    spread = np.sqrt(_divide((centred * centred).sum(0), number - 1))
    largest = np.maximum(np.abs(low), np.abs(high))
    flat = (number > 1) & (high - low <= 1e-12 * largest)
    return flat, spread


def _distinct(sample: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """How many values each neuroid has, and how probable it is that two are equal."""
    distinct, equal = [], []
    for column in sample.T:
        counts = np.unique(column, return_counts=True, equal_nan=True)[1].astype(float)
        total = counts.sum()
        distinct.append(len(counts))
        # Of two different presentations, one more of each kept so that no chance is 0.
        pairs = (counts * (counts - 1)).sum() + 1.0
        equal.append(min(1.0, pairs / max(total * (total - 1), 1.0)))
    return np.array(distinct), np.array(equal)


def _codes(block: Floats, start: int) -> npt.NDArray[np.uint64]:
    flat = block.reshape(len(block), -1) + 0.0  # -0.0 is 0.0
    flat = np.where(np.isnan(flat), np.nan, flat)
    keys = np.random.default_rng((1, start)).integers(0, 2**64, flat.shape[1], np.uint64)
    mixed = flat.view(np.uint64)
    mixed ^= mixed >> np.uint64(32)
    code: npt.NDArray[np.uint64] = (mixed * (keys | np.uint64(1))).sum(1, dtype=np.uint64)
    return code
