"""From a card's entry to responses or RDMs: one way to call every format."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.data.assembly import select
from neurosage.data.average import average_time
from neurosage.data.cards.entries import FileEntry, Format
from neurosage.data.formats.layout import match_ids
from neurosage.errors import InputError

KEYS = ("dims", "key", "group", "coordinates", "select", "window", "unit")
LATER = ("select", "window", "unit")  # done here where a reader does not take them
REGION = 'In the card: neuroids = { region = "…" }, or a neuroid_table with a column region.'
UNNAMED = "unnamed"  # until the table of neuroids says the region


@dataclass(frozen=True)
class Described:
    """What a card knows of responses beside their file.

    Parameters
    ----------
    owner : str
        Id and part, for messages.
    stimulus_id : sequence of str
        The stimuli in order, as their file names or table have them.
    prefix : str
        What is put before each id, so that parts never share one.
    neuroids : dict
        Coordinates that hold for every neuroid.
    neuroid_table : pandas.DataFrame, optional
        A row a neuroid, in the order of the file.
    presentation_table : pandas.DataFrame, optional
        A row a presentation, in the order of the file.
    """

    owner: str
    stimulus_id: Sequence[str] | npt.NDArray[Any]
    prefix: str = ""
    neuroids: Mapping[str, Any] = field(default_factory=dict)
    neuroid_table: pd.DataFrame | None = None
    presentation_table: pd.DataFrame | None = None


def read_responses(entry: FileEntry, path: Path, described: Described) -> xr.DataArray:
    """Read the file of responses that a card describes, in whatever format.

    Parameters
    ----------
    entry : FileEntry
        Its keys are the reader's arguments; one that the reader does not take is an error,
        except `select`, `window` and `unit`, which are then done after reading.
    path : Path
        The file.
    described : Described
        What the card knows besides.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.

    Raises
    ------
    InputError
        If the card's keys are not the format's, or tables and responses differ in length.
    """
    read = _reader(entry, "read", "responses")
    given = {key: value for key in KEYS if (value := getattr(entry, key))}
    wanted = given.pop("select", {})
    tables = [t for t in (described.neuroid_table, described.presentation_table) if t is not None]
    chosen = {key: v for key, v in wanted.items() if any(key in table for table in tables)}
    if early := {key: value for key, value in wanted.items() if key not in chosen}:
        given["select"] = early
    takes = _parameters(read)
    later = {key: given.pop(key) for key in LATER if key in given and key not in takes}
    _check_keys(entry, given, takes)
    known = {"region": _region(described, takes, entry), "stimulus_id": _ids(described)}
    given |= {key: value for key, value in known.items() if key in takes and value is not None}
    if described.presentation_table is not None and entry.format == "arrays":
        given.setdefault("dims", ("presentation", "neuroid"))
    responses = _with_tables(_read(read, path, given), described)
    responses = _finish(responses, entry, {**later.pop("select", {}), **chosen}, later)
    return _prefixed(responses, described, {"stimulus_id": "presentation"})


def read_stored_rdms(entry: FileEntry, path: Path, described: Described) -> xr.DataArray:
    """Read the file of RDMs that a card describes.

    Parameters
    ----------
    entry : FileEntry
        Its format has ``read_rdms``.
    path : Path
        The file.
    described : Described
        What the card knows besides.

    Returns
    -------
    xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``.

    Raises
    ------
    InputError
        If the format holds no RDMs, or does not take a key of the card.
    """
    read = _reader(entry, "read_rdms", "RDMs")
    takes = _parameters(read)
    given = {key: value for key in KEYS if (value := getattr(entry, key))}
    _check_keys(entry, given, takes)
    known = {"region": described.neuroids.get("region"), "stimulus_id": described.stimulus_id}
    given |= {key: value for key, value in known.items() if key in takes and value is not None}
    sides = {f"stimulus_id_{side}": f"stimulus_{side}" for side in "ij"}
    return _prefixed(read(path, **given), described, sides)


def _prefixed(array: xr.DataArray, described: Described, ids: Mapping[str, str]) -> xr.DataArray:
    for name, dim in ids.items() if described.prefix else ():
        full = [f"{described.prefix}{own}" for own in array[name].values]
        array = array.assign_coords({name: (dim, np.array(full, object))})
    return array


def _read(read: Callable[..., Any], path: Path, given: Mapping[str, Any]) -> xr.DataArray:
    try:
        return _selected(read, path, given)
    except InputError as error:
        if "region" in given or "region" not in str(error):
            raise
        raise InputError(f"{str(error).rstrip('.')}. {REGION}") from error


def _selected(read: Callable[..., Any], path: Path, given: Mapping[str, Any]) -> xr.DataArray:
    """Call the reader; what is selected may leave out stimuli, and that is no mismatch."""
    try:
        whole: xr.DataArray = read(path, **given)
        return whole
    except InputError as mismatch:
        if not given.get("select") or "stimulus_id" not in given:
            raise
        rest = {key: value for key, value in given.items() if key != "stimulus_id"}
        try:
            some: xr.DataArray = read(path, **rest)
            return match_ids(some, _among(given["stimulus_id"], some), path)
        except InputError:
            raise mismatch from None


def _among(stimulus_id: Sequence[str], responses: xr.DataArray) -> list[str]:
    own = {str(name) for name in responses["stimulus_id"].values}
    exact = [name for name in stimulus_id if name in own]
    stems = {PurePosixPath(name).stem for name in own}
    return exact or [name for name in stimulus_id if PurePosixPath(name).stem in stems]


def _reader(entry: FileEntry, name: str, what: str) -> Callable[..., xr.DataArray]:
    made: Callable[..., xr.DataArray] | None = getattr(_module(entry.format), name, None)
    if made is None:
        able = [one for one in get_args(Format) if hasattr(_module(one), name)]
        raise InputError(
            f"{entry.file} has format = {entry.format!r}, which holds no {what}; those that do: "
            f"{', '.join(able)}."
        )
    return made


def _module(format_name: str) -> ModuleType:
    return importlib.import_module(f"neurosage.data.formats.{format_name}")


def _parameters(read: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    every = inspect.signature(read).parameters
    return {key: one for key, one in list(every.items())[1:] if one.kind in named}


def _check_keys(entry: FileEntry, given: Mapping[str, Any], takes: Mapping[str, Any]) -> None:
    if strange := [key for key in given if key not in takes]:
        able = [key for key in KEYS if key in takes or key in LATER]
        raise InputError(
            f"{entry.file} has format = {entry.format!r}, which takes {', '.join(able)}, and not "
            f"{', '.join(strange)}; remove that from the card."
        )


def _region(
    described: Described, takes: Mapping[str, inspect.Parameter], entry: FileEntry
) -> str | None:
    if "region" in described.neuroids:
        return str(described.neuroids["region"])
    if described.neuroid_table is not None and "region" in described.neuroid_table:
        return UNNAMED
    if "region" in takes and takes["region"].default is inspect.Parameter.empty:
        raise InputError(
            f"the card of {described.owner!r} does not say the region of the neuroids in "
            f"{entry.file}. {REGION}"
        )
    return None


def _ids(described: Described) -> Any:
    table = described.presentation_table
    return described.stimulus_id if table is None else _stimulus_column(table, described.owner)


def _stimulus_column(table: pd.DataFrame, owner: str) -> npt.NDArray[Any]:
    named = next((name for name in ("stimulus_id", "image_id") if name in table), None)
    if named is None:
        raise InputError(
            f"the presentation_table of {owner!r} has no column 'stimulus_id', only "
            f"{list(table.columns)}."
        )
    return np.array(table[named].tolist(), dtype=object)


def _with_tables(responses: xr.DataArray, described: Described) -> xr.DataArray:
    neuroids, presentations = described.neuroid_table, described.presentation_table
    if neuroids is not None:
        responses = _beside(responses, neuroids, "neuroid", described.owner)
        responses = _name_neuroids(responses)
    if presentations is not None:
        responses = _beside(responses, presentations, "presentation", described.owner)
    shared = {key: value for key, value in described.neuroids.items() if key != "region"}
    columns = {
        key: ("neuroid", np.array([value] * responses.sizes["neuroid"], object))
        for key, value in shared.items()
    }
    return responses.assign_coords(columns)


def _beside(responses: xr.DataArray, table: pd.DataFrame, dim: str, owner: str) -> xr.DataArray:
    if len(table) != responses.sizes[dim]:
        raise InputError(
            f"the {dim}_table of {owner!r} has {len(table)} rows, but there are "
            f"{responses.sizes[dim]} of {dim} in the responses; it has a row each, in their order."
        )
    renamed = table.rename(
        columns={"image_id": "stimulus_id"} if "stimulus_id" not in table else {}
    )
    return responses.assign_coords(
        {str(name): (dim, _plain(column)) for name, column in renamed.items()}
    )


def _plain(column: pd.Series[Any]) -> npt.NDArray[Any]:
    values = column.to_numpy()
    return values if values.dtype.kind in "biuf" else np.array(column.tolist(), dtype=object)


def _name_neuroids(responses: xr.DataArray) -> xr.DataArray:
    ids = [str(name) for name in responses["neuroid_id"].values]
    if not all(name.startswith(f"{UNNAMED}.") for name in ids):
        return responses
    regions = pd.Series([str(name) for name in responses["region"].values])
    counts = regions.groupby(regions, sort=False).cumcount()
    names = [f"{region}.{k}" for region, k in zip(regions, counts, strict=True)]
    return responses.assign_coords(neuroid_id=("neuroid", np.array(names, object)))


def _finish(
    responses: xr.DataArray, entry: FileEntry, chosen: Mapping[str, Any], later: Mapping[str, Any]
) -> xr.DataArray:
    responses = select(responses, **chosen)
    if "window" in later:
        if "time_bin" not in responses.dims:
            raise InputError(
                f"{entry.file} has window = {list(later['window'])}, but its responses have no "
                "time bins to average; remove window from the card."
            )
        responses = average_time(responses, *later["window"])
    return responses.assign_attrs(unit=later["unit"]) if "unit" in later else responses
