"""The coordinates of a BrainIO file under our names, completed, and selected by."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.data.assembly import DIMS, REQUIRED
from neurosage.data.columns import count_in_order
from neurosage.data.formats.brainio_layout import Stored, load_column
from neurosage.data.formats.regions import name_aside, region_column
from neurosage.errors import InputError, unknown

IN_MS = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1.0),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1000.0),
}
EDGES = ("time_bin_start", "time_bin_end")
log = logging.getLogger("neurosage")


class Columns:
    """The columns of a file, by our names.

    Parameters
    ----------
    stored : Stored
        An opened group.
    coordinates : mapping of str to str
        Our name to the file's.
    region : str or array_like, shape (neuroid,), or None
        Of each neuroid, where the caller says it.

    Raises
    ------
    InputError
        If a column is not there, stands on another dim than ours must, or there is no
        region or no stimulus id.
    """

    def __init__(self, stored: Stored, coordinates: Mapping[str, str], region: Any) -> None:
        self.stored = stored
        self.sizes = dict(zip(stored.data.dimensions, stored.data.shape, strict=True))
        self.names = self._map(coordinates)  # ours → the file's
        self.made: dict[str, npt.NDArray[Any]] = {}  # ours, which no column of the file holds
        if region is not None:
            self._give_region(region)
        self._complete()

    def _map(self, coordinates: Mapping[str, str]) -> dict[str, str]:
        held = self._fitting()
        if missing := [name for name in coordinates.values() if name not in held]:
            raise unknown(
                f"coordinate of {self.stored.path.name}", missing[0], held,
                "Give coordinates = { OURS = \"THE FILE'S\" }.",
            )  # fmt: skip
        taken = set(coordinates.values())
        names = {self._plain(name): name for name in held if name not in taken}
        if "stimulus_id" not in (*names, *coordinates) and "image_id" in names:
            names["stimulus_id"] = names.pop("image_id")
        for ours, theirs in coordinates.items():
            if ours in names and not self._equal(names[ours], theirs):
                self._set_aside(names, ours)
            names[ours] = theirs
        for ours, dim in REQUIRED.items():
            if ours in names and (found := held[names[ours]]) != (dim,):
                raise InputError(
                    f"{self.stored.path}: {names[ours]!r} has dims {found}, but {ours} is a column "
                    f"on {dim}."
                )
        return names

    def _fitting(self) -> dict[str, tuple[str, ...]]:
        every = {str(k): tuple(map(str, v.dims)) for k, v in self.stored.columns.variables.items()}
        fit = {k: dims for k, dims in every.items() if set(dims) <= set(self.sizes)}
        if left := sorted(set(every) - set(fit)):
            log.warning("%s: not read, on dims of their own: %s", self.stored.path, left)
        return fit

    @staticmethod
    def _plain(name: str) -> str:
        return f"{name}_index" if name in DIMS else name  # else it would be an index

    def _equal(self, one: str, other: str) -> bool:
        columns = self.stored.columns
        same = columns[one].dims == columns[other].dims
        return same and bool(np.array_equal(columns[one].values, columns[other].values))

    def _set_aside(self, names: dict[str, str], ours: str) -> None:
        names[name_aside(ours, names, self.stored.path)] = names.pop(ours)

    def _give_region(self, region: Any) -> None:
        column = region_column(region, self.sizes["neuroid"], self.stored.path)
        if "region" in self.names and not np.array_equal(self._whole("region"), column):
            self._set_aside(self.names, "region")
        self.names.pop("region", None)
        self.made["region"] = column

    def _complete(self) -> None:
        path, held = self.stored.path, {*self.names, *self.made}
        if "region" not in held:
            raise InputError(
                f"{path} does not say the region of its neuroids: give region = …, or coordinates "
                f"= {{ region = … }} with one of its coordinates of neuroids: "
                f"{', '.join(self.stored.on('neuroid')) or 'it has none'}."
            )
        if "stimulus_id" not in held:
            raise InputError(
                f"{path} has neither stimulus_id nor image_id: give coordinates = "
                "{ stimulus_id = … } with one of its coordinates of presentations: "
                f"{', '.join(self.stored.on('presentation')) or 'it has none'}."
            )
        for edge in EDGES if "time_bin" in self.sizes else ():
            if edge not in held:
                raise InputError(
                    f"{path} has time bins without {edge!r} (ms): give coordinates = {{ {edge} = "
                    f"… }}; its coordinates of time bins: {', '.join(self.stored.on('time_bin'))}."
                )
        if "neuroid_id" not in held:
            region = self._whole("region")
            pairs = zip(region, count_in_order(region), strict=True)
            self.made["neuroid_id"] = np.array([f"{r}.{i}" for r, i in pairs] + [None], object)[:-1]
        if "repetition" not in held:
            self.made["repetition"] = count_in_order(self._whole("stimulus_id"))

    def _whole(self, ours: str) -> npt.NDArray[Any]:
        if ours in self.made:
            return self.made[ours]
        return load_column(self.stored, self.names[ours], {})

    def edge(self, ours: str) -> npt.NDArray[Any]:
        """Return edges of all time bins in ms.

        Parameters
        ----------
        ours : {"time_bin_start", "time_bin_end"}
            Which.

        Returns
        -------
        ndarray, shape (time_bin,)
            As stored where they are ms already.

        Raises
        ------
        InputError
            If the file gives units that are no time.
        """
        return self._in_ms(ours, self._whole(ours))

    def _in_ms(self, ours: str, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        unit = self.stored.columns[self.names[ours]].attrs.get("units", "ms")
        if unit not in IN_MS:
            raise unknown(f"unit of {ours} in {self.stored.path.name}", unit, IN_MS)
        return values if IN_MS[unit] == 1 else np.round(values * IN_MS[unit], 6)

    def choose(self, select: Mapping[str, Any]) -> dict[str, npt.NDArray[np.intp]]:
        """Find what is selected along each dim.

        Parameters
        ----------
        select : mapping of str to scalar or list
            Coordinate, by our name or the file's, to the values kept.

        Returns
        -------
        dict of str to ndarray of int
            Rising numbers for every dim of the file.

        Raises
        ------
        InputError
            If a coordinate or a value is not there, or nothing is left.
        """
        kept = {dim: np.arange(size) for dim, size in self.sizes.items()}
        theirs = {name: ours for ours, name in self.names.items()}
        for key, value in select.items():
            ours = key if key in self.names or key in self.made else theirs.get(key, key)
            dim = self._dim(ours)
            column = self.edge(ours) if ours in EDGES else self._whole(ours)
            kept[dim] = kept[dim][_matching(key, column, value)[kept[dim]]]
        if empty := [dim for dim, index in kept.items() if not len(index)]:
            raise InputError(f"nothing of {self.stored.path} is left along {empty} by {select}.")
        return kept

    def _dim(self, ours: str) -> str:
        if ours in self.made:
            return REQUIRED[ours]
        flat = [k for k, v in self.names.items() if len(self.stored.columns[v].dims) == 1]
        if ours not in flat:
            raise unknown(f"coordinate of {self.stored.path.name}", ours, [*flat, *self.made])
        return str(self.stored.columns[self.names[ours]].dims[0])

    def load(
        self, kept: Mapping[str, npt.NDArray[np.intp]], without: str | None = None
    ) -> dict[str, Any]:
        """Load the coordinates of what is kept.

        Parameters
        ----------
        kept : mapping of str to ndarray of int
            From `choose`.
        without : str, optional
            A dim that is averaged: its coordinates are left out.

        Returns
        -------
        dict of str to (dims, values, attrs)
            For an assembly.
        """
        coords: dict[str, Any] = {}
        for ours, theirs in self.names.items():
            column = self.stored.columns[theirs]
            if without not in column.dims:
                values, attrs = load_column(self.stored, theirs, kept), dict(column.attrs)
                if ours in EDGES and "units" in attrs:
                    values, attrs["units"] = self._in_ms(ours, values), "ms"
                coords[ours] = (column.dims, values, attrs)
        for ours, values in self.made.items():
            coords[ours] = (REQUIRED[ours], values[kept[REQUIRED[ours]]])
        return coords


def merge_stimuli(responses: xr.DataArray, table: pd.DataFrame) -> xr.DataArray:
    """Add the labels of stimuli to the presentations, matched by ``stimulus_id``.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.
    table : pandas.DataFrame
        One row a stimulus, column ``stimulus_id``.

    Returns
    -------
    xarray.DataArray
        A label that is there already stays; one whose name stands on another dim is
        called ``stimulus_NAME``. Stimuli that the table lacks have missing labels.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1], [2]], stimulus_id=["cat", "dog"], region="V4")
    >>> table = pd.DataFrame({"stimulus_id": ["dog", "cat"], "legs": [4, 3]})
    >>> merge_stimuli(a, table).legs.values
    array([3, 4])
    """
    rows = pd.Index(table["stimulus_id"]).get_indexer(pd.Index(responses["stimulus_id"].values))
    for column in table.columns:
        here = responses.coords[column].dims if column in responses.coords else None
        if here == ("presentation",):
            continue
        name = f"stimulus_{column}" if here is not None or column in DIMS else str(column)
        values = table[column].reset_index(drop=True).reindex(rows).to_numpy()
        values = values.astype(object) if values.dtype.kind in "UT" else values
        responses = responses.assign_coords({name: ("presentation", values)})
    return responses


def _matching(key: str, column: npt.NDArray[Any], value: Any) -> npt.NDArray[np.bool_]:
    series = pd.Series(column)
    values = [value] if np.ndim(value) == 0 else list(value)
    present = set(series.unique().tolist())
    for each in values:
        if each not in present:
            raise unknown(str(key), each, series.unique())
    return series.isin(values).to_numpy()
