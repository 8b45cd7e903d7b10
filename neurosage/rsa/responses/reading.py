"""A recording's averaged rows, those without responses left out, and what one pass found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.assembly import align
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.responses.missing import check_any_left, check_left, why_not_finite
from neurosage.rsa.responses.normalise import STATISTICS
from neurosage.rsa.responses.rows import Rows, read_rows
from neurosage.rsa.responses.scan import Scan, noise_sd, scan_rows


@dataclass(frozen=True, eq=False)
class Reading:
    """The rows of a recording.

    Parameters
    ----------
    rows : Rows
        Averaged responses, unread.
    names : array of object, shape (n,)
        Stimuli.
    neuroid_ids, labels : array of object, shape (neuroids,)
        Names of the neuroids, and their regions.
    scan : Scan
        What a pass over the rows found.
    dropped : dict of str to list
        Stimuli and neuroids left out.
    """

    rows: Rows
    names: Any
    neuroid_ids: Any
    labels: Any
    scan: Scan
    dropped: dict[str, list[Any]]

    @property
    def columns(self) -> dict[str, Any]:
        """The neuroids of each region."""
        return columns_of(self.labels)

    def missing(self) -> dict[str, str]:
        """Say of each region with responses that are not finite which these are."""
        found = {}
        for region, own in self.columns.items():
            bad = self.scan.not_finite(region)
            if bad.any():
                lacking = (self.scan.missing | self.scan.infinite)[own]
                nan = bool(np.isnan(self.scan.high[region]).any())
                ids = self.neuroid_ids[own]
                found[region] = why_not_finite((self.names, bad), (ids, lacking), missing=nan)
        return found

    def shift_and_scale(self, method: str) -> tuple[Floats, Floats]:
        """Return what to subtract from and to divide each neuroid by, as `normalise`."""
        count = self.rows.shape[1]
        if method == "none":
            return np.zeros(count), np.ones(count)
        if method == "centre":
            return self.scan.mean, np.ones(count)
        return self.scan.mean, noise_sd(self.rows) if method == "noise" else self.scan.sd

    def averaged_by(self, labels: Any) -> tuple[Any, Any]:
        """Return categories in order of appearance, and their means over stimuli."""
        codes, names = pd.factorize(labels)
        sums = np.zeros((len(names), self.rows.shape[1]))
        counts = np.zeros(sums.shape, np.int64)
        for start, stop in self.rows.spans():
            block = self.rows.block(start, stop)
            present = ~np.isnan(block)
            np.add.at(sums, codes[start:stop], np.where(present, block, 0.0))
            np.add.at(counts, codes[start:stop], present)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = (sums / counts).astype(np.result_type(self.rows.dtype, np.float32))
        return names, means


def read_stimuli(
    responses: xr.DataArray,
    order: Sequence[Any] | None = None,
    nan: str = "raise",
    without: Sequence[Any] = (),
    normalise: str = "none",
) -> Reading:
    """Read the stimuli of a recording: averaged, in order, the missing left out.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly, dims ``presentation × neuroid``, in memory or dask-backed.
    order : sequence, optional
        The stimuli wanted, in order.
    nan : str
        Policy for missing responses.
    without : sequence
        Stimuli to leave out whatever they hold.
    normalise : str
        Whether statistics of neuroids will be needed.

    Returns
    -------
    Reading
        Responses were passed over once, twice where something was left out.

    Raises
    ------
    InputError
        If the stimuli are not those of `order`, or nothing is left.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, np.nan], [2.0, 3.0]], stimulus_id=["cat", "dog"], region="V4")
    >>> read_stimuli(a, nan="drop-stimulus").dropped
    {'stimuli': ['cat']}
    """
    rows, names = read_rows(responses)
    if order is not None:
        places = places_of(names, [*order, *without])
        rows, names = rows.take(places), names[places]
    ids, labels = responses["neuroid_id"].values, responses["region"].values.astype(str)
    left = np.flatnonzero(~pd.Index(names).isin(list(without)))
    dropped: dict[str, list[Any]] = {}
    statistics = normalise in STATISTICS
    rows, every = _some(rows, left), names
    scan = scan_rows(rows, columns_of(labels), statistics=statistics)
    if nan == "drop-stimulus" and scan.incomplete.any():
        kept = np.flatnonzero(~scan.incomplete)
        check_any_left(len(kept))
        rows, left = rows.take(kept), left[kept]
        scan = scan_rows(rows, columns_of(labels), statistics=statistics)
    if len(left) < len(every):
        dropped["stimuli"] = list(np.delete(every, left))
    check_any_left(len(left))
    if nan == "drop-neuroid" and scan.missing.any():
        dropped["neuroids"] = list(ids[scan.missing])
        check_left(~scan.missing, columns_of(labels))
        kept = np.flatnonzero(~scan.missing)
        rows, ids, labels = rows.keep(kept), ids[kept], labels[kept]
        scan = scan_rows(rows, columns_of(labels), statistics=statistics)
    return Reading(rows, every[left], ids, labels, scan, dropped)


def _some(rows: Rows, left: Any) -> Rows:
    return rows if len(left) == len(rows.starts) else rows.take(left)


def places_of(names: Any, wanted: Sequence[Any]) -> Any:
    """Return where the stimuli wanted are among all.

    Parameters
    ----------
    names : array of object, shape (n,)
        All of them, once each.
    wanted : sequence
        The order wanted.

    Returns
    -------
    array of int, shape (n,)
        Places in `names`.

    Raises
    ------
    InputError
        If they are not the same stimuli.

    Examples
    --------
    >>> places_of(np.array(["cat", "dog"], object), ["dog", "cat"])
    array([1, 0])
    """
    stimuli = {"stimulus_id": ("presentation", names)}
    places = xr.DataArray(np.arange(len(names)), dims=("presentation",), coords=stimuli)
    return align(places, wanted).values


def columns_of(labels: Any) -> dict[str, Any]:
    """Return the neuroids of each region: a slice where they stand together, else places.

    Examples
    --------
    >>> columns_of(np.array(["V4", "IT", "IT", "V4"]))["IT"]
    slice(1, 3, None)
    """
    columns: dict[str, Any] = {}
    codes, names = pd.factorize(labels)
    for code, name in enumerate(names):
        found = np.flatnonzero(codes == code)
        together = found[-1] - found[0] == len(found) - 1
        columns[str(name)] = slice(int(found[0]), int(found[-1]) + 1) if together else found
    return columns
