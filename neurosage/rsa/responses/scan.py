"""One pass over averaged responses: what is missing, what is constant, neuroids' statistics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.responses.normalise import within_squares
from neurosage.rsa.responses.rows import Rows


@dataclass(frozen=True, eq=False)
class Scan:
    """What one pass found.

    Parameters
    ----------
    high, low : mapping of str to array of float64, shape (n,)
        Each region's largest and smallest response to each stimulus; NaN where one is missing.
    missing, infinite : array of bool, shape (neuroids,)
        Which neuroids lack a response to some stimulus, and which have an infinite one.
    mean, sd : array of float64, shape (neuroids,)
        Over stimuli (sd: ddof 0, 0 where constant); NaN where responses are missing. None
        where they were not asked for.
    """

    high: dict[str, Floats]
    low: dict[str, Floats]
    missing: Any
    infinite: Any
    mean: Any = None
    sd: Any = None

    @property
    def incomplete(self) -> Any:
        """Which stimuli lack the response of some neuroid, shape (n,)."""
        return np.isnan(np.stack(list(self.high.values()))).any(0)

    def not_finite(self, region: str) -> Any:
        """Which stimuli have a missing or infinite response in a region, shape (n,)."""
        return ~(np.isfinite(self.high[region]) & np.isfinite(self.low[region]))


def scan_rows(rows: Rows, columns: Mapping[str, Any], *, statistics: bool = False) -> Scan:
    """Pass over all rows once.

    Parameters
    ----------
    rows : Rows
        Averaged responses.
    columns : mapping of str to slice or array of int
        The neuroids of each region.
    statistics : bool
        Whether mean and sd of neuroids are wanted.

    Returns
    -------
    Scan
        See there.

    Examples
    --------
    >>> rows = Rows(np.array([[1.0, np.nan], [3.0, 4.0]]), np.arange(2), np.arange(2))
    >>> scan = scan_rows(rows, {"V4": slice(0, 2)}, statistics=True)
    >>> scan.incomplete, scan.missing, scan.mean
    (array([ True, False]), array([False,  True]), array([ 2., nan]))
    """
    n, width = rows.shape
    high, low = ({region: np.empty(n) for region in columns} for _ in range(2))
    missing, infinite = np.zeros(width, bool), np.zeros(width, bool)
    running = _Running(width) if statistics else None
    for start, stop in rows.spans():
        block = rows.block(start, stop)
        for region, own in columns.items():
            part = block[:, own]
            high[region][start:stop] = part.max(1)
            low[region][start:stop] = part.min(1)
            if not np.isfinite(high[region][start:stop] - low[region][start:stop]).all():
                missing[own] |= np.isnan(part).any(0)
                infinite[own] |= np.isinf(part).any(0)
        if running is not None:
            running.add(block)
    if running is None:
        return Scan(high, low, missing, infinite)
    return Scan(high, low, missing, infinite, running.mean, running.sd)


class _Running:
    """Means and variances of neuroids, block by block (Chan, Golub & LeVeque 1983)."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self.mean, self.squares = np.zeros(width), np.zeros(width)
        self.high, self.low = np.full(width, -np.inf), np.full(width, np.inf)

    def add(self, block: Any) -> None:
        values = block.astype(np.float64)
        count, mean = len(values), values.mean(0)
        values -= mean
        apart, total = mean - self.mean, self.count + count
        self.squares += np.square(values).sum(0) + apart**2 * (self.count * count / total)
        self.mean += apart * (count / total)
        self.count = total
        np.maximum(self.high, block.max(0), out=self.high)
        np.minimum(self.low, block.min(0), out=self.low)

    @property
    def sd(self) -> Floats:
        return np.where(self.high == self.low, 0.0, np.sqrt(self.squares / self.count))


def noise_sd(rows: Rows) -> Floats:
    """Return each neuroid's SD over repetitions, pooled over stimuli.

    Parameters
    ----------
    rows : Rows
        With the single repetitions.

    Returns
    -------
    array of float64, shape (neuroids,)
        0 where a neuroid is constant over repetitions, NaN where none was repeated.

    Raises
    ------
    InputError
        If no stimulus is repeated.

    Examples
    --------
    >>> rows = Rows(np.array([[1.0], [3.0], [7.0]]), np.arange(3), np.array([0, 2]))
    >>> noise_sd(rows).round(3)
    array([1.414])
    """
    width = rows.shape[1]
    squares, freedom = np.zeros(width), np.zeros(width, np.int64)
    for start, stop in rows.spans():
        block, starts = rows.raw(start, stop)
        values = block.astype(np.float64)
        counts = np.add.reduceat(~np.isnan(values), starts, axis=0, dtype=np.int64)
        freedom += np.maximum(counts - 1, 0).sum(0)
        squares += within_squares(values, starts).sum(0)
    if not freedom.any():
        raise InputError(
            "normalise='noise' divides by the SD over repetitions, but no stimulus is repeated; "
            "use 'zscore', or give the assembly with its single repetitions."
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        sd: Floats = np.sqrt(squares / freedom)
    return sd
