"""Between an assembly and the dict that rsatoolbox's Dataset and TemporalDataset are made of."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.assembly import assembly, check_assembly
from neurosage.data.formats.carrying import without_lost
from neurosage.data.formats.matching import as_ids
from neurosage.data.formats.regions import with_region
from neurosage.data.formats.rsatoolbox_files import (
    as_attribute,
    as_coordinate,
    as_descriptor,
    why_not_attribute,
    why_not_column,
)
from neurosage.errors import InputError, unknown

LOGGER = logging.getLogger("neurosage")
GROUPS = {
    "obs_descriptors": "presentation",
    "channel_descriptors": "neuroid",
    "time_descriptors": "time_bin",
}
MS = {"time_s": 1000.0, "time_ms": 1.0}
BINS = ("time_bin_start", "time_bin_end")


def from_dict(
    held: Mapping[str, Any],
    source: str,
    coordinates: Mapping[str, str],
    *,
    region: str | None = None,
    stimulus_id: Any = None,
) -> xr.DataArray:
    """Make an assembly of the dict of a Dataset or TemporalDataset.

    Parameters
    ----------
    held : mapping
        As rsatoolbox's ``to_dict`` gives it.
    source : str
        Named in errors.
    coordinates : mapping of str to str
        Our name → descriptor.
    region : str, optional
        Of every neuroid; a descriptor's that differs is kept as ``region_as_stored``.
    stimulus_id : sequence of str, optional
        The stimuli in order, where no descriptor names them.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.

    Raises
    ------
    InputError
        If stimuli, regions or the edges of time bins are not described.
    """
    placed = _placed(held, source, coordinates)
    whole = dict(held.get("descriptors") or {})
    described = coordinates.get("region", "region")
    if described in whole and "region" not in placed:
        own = str(as_attribute(whole.pop(described)))
        placed["region"] = ("neuroid", np.full(np.shape(held["measurements"])[1:2], own, object))
    responses = _assembly(np.asarray(held["measurements"]), placed, source, region, stimulus_id)
    responses.name = str(whole.pop("name")) if "name" in whole else None
    return responses.assign_attrs(
        {k: as_attribute(v) for k, v in whole.items() if _is_attribute(v)}
    )


def as_dict(responses: xr.DataArray, drop: Collection[str], *, stored: bool) -> dict[str, Any]:
    """Return an assembly as the dict of a Dataset or TemporalDataset.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.
    drop : collection of str
        What may be left out.
    stored : bool
        For a file, where text is ASCII only.

    Returns
    -------
    dict
        As rsatoolbox's ``to_dict`` gives it.

    Raises
    ------
    InputError
        That lists every field that it cannot hold.
    """
    carrier = "rsatoolbox's file" if stored else "rsatoolbox's Dataset"
    lost = _lost(check_assembly(responses), stored=stored)
    kept = without_lost(responses, lost, carrier=carrier, drop=drop)
    whole = {str(key): value for key, value in kept.attrs.items()}
    if kept.name is not None:
        whole["name"] = str(kept.name)
    held: dict[str, Any] = {"measurements": kept.values, "descriptors": whole}
    for group, dim in GROUPS.items():
        own = [name for name in kept.coords if kept[name].dims == (dim,)]
        held[group] = {str(name): as_descriptor(kept[name].values) for name in own}
    if "time_bin" not in kept.dims:
        return {**{k: v for k, v in held.items() if k != "time_descriptors"}, "type": "Dataset"}
    held["time_descriptors"].setdefault("time", _centres(kept))
    return {**held, "type": "TemporalDataset"}


def _centres(responses: xr.DataArray) -> npt.NDArray[Any]:
    return np.asarray((responses["time_bin_start"].values + responses["time_bin_end"].values) / 2)


def _lost(responses: xr.DataArray, *, stored: bool) -> dict[str, str]:
    lost = {}
    for name in map(str, responses.coords):
        column = responses[name]
        why = "not on one dim" if column.ndim != 1 else ""
        why = why or why_not_column(column.values, stored=stored) or _why_not_name(name)
        if name == "time" and column.dims == ("time_bin",):
            same = np.array_equal(column.values, _centres(responses))
            why = why or ("it would be taken for the centres of the bins" if same else "")
        if why:
            lost[name] = why
    for key, value in responses.attrs.items():
        why = "it would be taken for the name" if key == "name" else why_not_attribute(value)
        if why := why or _why_not_name(str(key)):
            lost[str(key)] = why
    if responses.name is not None and not isinstance(responses.name, str):
        lost["name"] = "it is no text"
    return lost


def _why_not_name(name: str) -> str:
    return "a name with a slash or point alone" if "/" in name or name in ("", ".") else ""


def _is_attribute(value: Any) -> bool:
    return value is not None and not isinstance(value, Mapping)


def _placed(held: Mapping[str, Any], source: str, named: Mapping[str, str]) -> dict[str, Any]:
    """Return our name → (dim, values) of every descriptor that is a column."""
    found, left = {}, []
    for group, dim in GROUPS.items():
        for name, values in (held.get(group) or {}).items():
            column = as_coordinate(values) if not isinstance(values, Mapping) else np.empty(0)
            if column.ndim == 1 and column.dtype.kind in "fiubO" and len(column):
                found[str(name)] = (dim, column)
            else:
                left.append(str(name))
    if left:
        LOGGER.warning("%s: descriptors that are no column are left out: %s", source, left)
    whole = held.get("descriptors") or {}
    for ours, theirs in named.items():
        if theirs not in found and not (ours == "region" and theirs in whole):
            raise unknown(f"descriptor in {source}", theirs, found)
    taken = {theirs: ours for ours, theirs in named.items()}
    return {taken.get(name, name): value for name, value in found.items()}


def _assembly(
    measured: npt.NDArray[Any],
    placed: Mapping[str, Any],
    source: str,
    region: str | None,
    stimulus_id: Any,
) -> xr.DataArray:
    dims = tuple(GROUPS.values())[: measured.ndim]
    if measured.ndim not in (2, 3):
        raise InputError(f"measurements of {source} have shape {measured.shape}, not 2 or 3 dims.")
    placed = {name: value for name, value in placed.items() if value[0] in dims}
    if measured.ndim == 3:
        placed = _with_bins(placed, source)
    if stimulus_id is not None and "stimulus_id" not in placed:
        placed["stimulus_id"] = ("presentation", np.asarray(list(stimulus_id), object))
    placed = with_region(placed, region, measured.shape[1], source)
    for name, hint in (("stimulus_id", "obs"), ("region", "channel")):
        if name not in placed:
            own = [key for key, (dim, _) in placed.items() if dim == GROUPS[f"{hint}_descriptors"]]
            raise InputError(
                f"{source} has no {hint}_descriptor {name!r}: give coordinates = {{ {name} = … }} "
                f"with one of {own or 'none'}."
            )
    if stimulus_id is not None:
        placed["stimulus_id"] = ("presentation", as_ids(placed["stimulus_id"][1]))
    required = ("stimulus_id", "region", "neuroid_id", "repetition", *BINS)
    ours: dict[str, Any] = {n: placed[n][1] for n in required if n in placed}
    responses = assembly(measured, dims, **ours)
    return responses.assign_coords({n: v for n, v in placed.items() if n not in required})


def _with_bins(placed: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the columns with the edges of time bins, in ms."""
    held = dict(placed)
    if all(edge in held for edge in BINS):
        start, end = (held[edge][1] for edge in BINS)
        if "time" in held and np.array_equal(held["time"][1], (start + end) / 2):
            del held["time"]
        return held
    given = [name for name in MS if name in held]
    if len(given) != 1 or len(held[given[0]][1]) < 2:
        raise InputError(
            f"{source} does not say when its time bins begin and end: give coordinates = "
            '{ time_s = "time" } or { time_ms = "time" } where time is in points, or descriptors '
            "time_bin_start and time_bin_end in ms."
        )
    points = np.asarray(held.pop(given[0])[1], np.float64) * MS[given[0]]
    steps = np.diff(points)
    if not (steps > 0).all() or not np.allclose(steps, steps[0], rtol=1e-3):
        raise InputError(
            f"time points of {source} are not in equal steps ({steps.min():g} to {steps.max():g} "
            "ms); give descriptors time_bin_start and time_bin_end."
        )
    half = float(np.mean(steps)) / 2
    held["time_bin_start"] = ("time_bin", points - half)
    held["time_bin_end"] = ("time_bin", points + half)
    return held
