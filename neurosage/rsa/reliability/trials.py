"""Single repetitions, read block by block: the neuroids that answered in the same presentations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.responses.normalise import group_starts

BLOCK = 1 << 19  # numbers worked on at once: 4 MB in float64, what a cache holds
FLAT = 1e-12  # a spread below this share of the size of the responses is rounding


@dataclass(frozen=True)
class Trials:
    """The repetitions of the stimuli that some neuroids answered at least twice.

    Nothing is copied: responses are read from the recording, a block at a time.

    Parameters
    ----------
    responses : array, shape (presentation, all neuroids)
        As recorded, of any number type.
    rows : array of int, shape (stimulus, most repetitions)
        The presentations of each stimulus; -1 pads those with fewer.
    counts : array of int, shape (stimulus,)
        Repetitions of each, 2 or more.
    columns : array of int, shape (neuroid,)
        Which neuroids these are.
    stimuli : array of int, shape (stimulus,)
        Places of these stimuli in the recording, in order of first appearance.
    """

    responses: Any
    rows: Any
    counts: Any
    columns: Any
    stimuli: Any

    @property
    def present(self) -> Any:
        """Which entries of `rows` are repetitions, shape (stimulus, most repetitions)."""
        return self.rows >= 0

    def block(self, stimuli: slice, neuroids: slice) -> Floats:
        """Return responses, shape (stimulus, most repetitions, neuroid), 0 where padded."""
        rows, columns = self.rows[stimuli], self.columns[neuroids]
        first, last = columns[0], columns[-1] + 1
        places = np.maximum(rows, 0)
        if last - first == len(columns):
            found = self.responses[:, first:last][places]
        else:
            found = self.responses[places[..., None], columns]
        values: Floats = found.astype(np.float64, copy=False)
        if (rows < 0).any():
            values[rows < 0] = 0.0
        return values


def slices(length: int, step: int) -> Iterator[slice]:
    """Yield the slices that cut a length into steps of at least 1."""
    step = max(1, step)
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))


def trials_of(responses: xr.DataArray) -> Iterator[Trials]:
    """Group the neuroids that answered in the same presentations.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly, dims ``presentation × neuroid``, NaN where there was no answer.

    Yields
    ------
    Trials
        Of each group; every neuroid is in one. Stimuli answered less than twice are left out.

    Raises
    ------
    InputError
        If responses are infinite.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0], [3.0]], stimulus_id=["a", "b", "a"], region="V4")
    >>> [(each.rows.tolist(), each.counts.tolist()) for each in trials_of(a)]
    [([[0, 2]], [2])]
    """
    order, starts = group_starts(responses["stimulus_id"].values)
    sizes = np.diff(np.append(starts, len(order)))
    stimulus = np.repeat(np.arange(len(starts)), sizes)
    values = responses.values
    missing = _missing(values, responses["neuroid_id"].values)
    members: dict[bytes, list[int]] = {}
    for column in range(values.shape[1]):
        members.setdefault(missing[:, column].tobytes(), []).append(column)
    for key, columns in members.items():
        absent = np.unpackbits(np.frombuffer(key, np.uint8), count=len(order)).astype(bool)[order]
        rows, of = order[~absent], stimulus[~absent]
        counts = np.bincount(of, minlength=len(starts))
        yield _padded(values, rows, of, counts, np.array(columns))


def _missing(values: Any, names: Any) -> Any:
    """Return which responses are NaN, a bit each, shape (presentation / 8, neuroid)."""
    parts = []
    for rows in slices(len(values), BLOCK // values.shape[1] // 8 * 8 or 8):
        part = values[rows]
        absent = np.isnan(part)
        with np.errstate(invalid="ignore"):
            total = part.sum(dtype=np.float64, where=~absent)
        if not np.isfinite(total) and (where := np.isinf(part).any(0)).any():
            raise InputError(
                f"responses are infinite for neuroids {[str(n) for n in names[where][:5]]}."
            )
        parts.append(np.packbits(absent, axis=0))
    return np.concatenate(parts)


def _padded(values: Any, rows: Any, of: Any, counts: Any, columns: Any) -> Trials:
    kept = counts >= 2
    rows, of = rows[kept[of]], of[kept[of]]
    most = int(counts.max(initial=0))
    table = np.full((int(kept.sum()), most), -1)
    table[np.arange(most) < counts[kept][:, None]] = rows
    return Trials(values, table, counts[kept], columns, np.flatnonzero(kept))


def means_and_noise(trials: Trials) -> tuple[Floats, Floats, Floats]:
    """Return each stimulus' mean over repetitions, the variance of that mean, and a size.

    Parameters
    ----------
    trials : Trials
        Repetitions.

    Returns
    -------
    tuple of three arrays of float64, shapes (stimulus, neuroid) twice, (neuroid,)
        ``Σ_r x_ir / R_i``; ``s_i² / R_i``, s_i² with ddof 1; the largest ``|x_ir|``, which
        says what is rounding.
    """
    shape = len(trials.rows), len(trials.columns)
    means, noise, size = np.empty(shape), np.empty(shape), np.zeros(shape[1])
    every = slice(None)
    for rows in slices(shape[0], BLOCK // max(1, trials.rows.shape[1] * shape[1])):
        values, counts = trials.block(rows, every), trials.counts[rows, None]
        means[rows] = values.sum(1) / counts
        size = np.maximum(size, largest(values))
        values -= means[rows, None]
        values[~trials.present[rows]] = 0.0
        noise[rows] = np.einsum("irp,irp->ip", values, values) / (counts - 1) / counts
    return means, noise, size


def largest(values: Floats) -> Floats:
    """Return the largest size of each neuroid's responses, shape (neuroid,)."""
    size: Floats = np.maximum(values.max((0, 1)), -values.min((0, 1)))
    return size
