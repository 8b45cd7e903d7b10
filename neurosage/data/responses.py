"""From a card's entry to responses or RDMs: one way to call every format."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.data.assembly import select
from neurosage.data.average import average_time
from neurosage.data.cards.entries import FileEntry, Format
from neurosage.data.csv_rows import no_stimuli, stimulus_column
from neurosage.data.formats.matching import as_ids_too, match_ids
from neurosage.data.formats.regions import AS_STORED
from neurosage.data.numbered import name_by_number, numbers_of, select_by_number
from neurosage.data.side_tables import (
    UNNAMED,
    beside_neuroids,
    beside_presentations,
    name_in_order,
)
from neurosage.errors import InputError

KEYS = ("dims", "key", "group", "coordinates", "select", "window", "unit")
LATER = ("select", "window", "unit")  # done here where a reader does not take them
REGION = 'In the card: neuroids = { region = "…" }, or a neuroid_table with a column region.'


@dataclass(frozen=True)
class Described:
    """What a card knows of responses beside their file.

    Parameters
    ----------
    owner : str
        Id and part, for messages.
    stimulus_id : sequence of str or None
        The stimuli in order, as their file names or table have them; None where they are not
        known, which only a file that names its own can do without.
    prefix : str
        What is put before each id, so that parts never share one.
    neuroids : dict
        Coordinates that hold for every neuroid.
    neuroid_table : pandas.DataFrame, optional
        A row a neuroid; see `neurosage.data.side_tables`.
    presentation_table : pandas.DataFrame, optional
        A row a presentation.
    """

    owner: str
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None
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
        If the card's keys are not the format's, or tables, stimuli and responses do not match.
    """
    if entry.index is not None:
        return _by_number(entry, path, described, entry.index)
    read = _reader(entry, "read", "responses")
    given = {key: value for key in KEYS if (value := getattr(entry, key))}
    wanted = given.pop("select", {})
    chosen = {key: value for key, value in wanted.items() if key in _beside(described)}
    if early := {key: value for key, value in wanted.items() if key not in chosen}:
        given["select"] = early
    takes = _parameters(read)
    later = {key: given.pop(key) for key in LATER if key in given and key not in takes}
    _check_keys(entry, given, takes)
    known = {"region": _region(described, takes, entry), "stimulus_id": _ids(described)}
    given |= {key: value for key, value in known.items() if key in takes and value is not None}
    if described.presentation_table is not None and entry.format == "arrays":
        given.setdefault("dims", ("presentation", "neuroid"))
    responses = _with_tables(_read(read, path, given), described, some=bool(early))
    responses = _finish(responses, entry, {**later.pop("select", {}), **chosen}, later)
    return _prefixed(responses, described, {"stimulus_id": "presentation"})


def _by_number(entry: FileEntry, path: Path, described: Described, first: int) -> xr.DataArray:
    named = numbers_of(described.stimulus_id, first, described.owner)
    chosen = select_by_number(entry.select, named)
    counted = replace(described, stimulus_id=list(named), prefix="")
    plain = entry.model_copy(update={"index": None, "select": chosen})
    responses = name_by_number(read_responses(plain, path, counted), named)
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
        whole: xr.DataArray = read(path, **given)
        return whole
    except InputError as error:
        if "region" in given or "region" not in str(error):
            raise
        raise InputError(f"{str(error).rstrip('.')}. {REGION}") from error


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
    region, table = described.neuroids.get("region"), described.neuroid_table
    if table is not None and (region is not None or "region" in table):
        return UNNAMED  # the table's, or the card's, once ids have been compared
    if region is not None:
        return str(region)
    if "region" in takes and takes["region"].default is inspect.Parameter.empty:
        raise InputError(
            f"the card of {described.owner!r} does not say the region of the neuroids in "
            f"{entry.file}. {REGION}"
        )
    return None


def _ids(described: Described) -> Any:
    """The stimuli in order; of a file that names its own, whatever their order."""
    table = described.presentation_table
    return described.stimulus_id if table is None else _presentations(described)["stimulus_id"]


def _presentations(described: Described) -> pd.DataFrame:
    table = described.presentation_table
    assert table is not None  # who calls has looked
    if (named := stimulus_column(list(table.columns))) is None:
        raise no_stimuli(f"the presentation_table of {described.owner!r}", list(table.columns))
    return table.rename(columns={named: "stimulus_id"})


def _beside(described: Described) -> set[str]:
    """What is known once the tables are beside the responses, and selected by then."""
    tables = (described.neuroid_table, described.presentation_table)
    names = {str(name) for table in tables if table is not None for name in table}
    regions = {"region", "neuroid_id"} if described.neuroid_table is not None else set()
    return names | regions | (set(described.neuroids) - {"region"})


def _with_tables(responses: xr.DataArray, described: Described, *, some: bool) -> xr.DataArray:
    if described.neuroid_table is not None:
        responses = _with_neuroids(responses, described, some=some)
    if described.presentation_table is not None:
        table = _presentations(described)
        responses = beside_presentations(responses, table, described.owner, some=some)
        left_out = responses.sizes["presentation"] < len(table)
        responses = match_ids(
            responses, described.stimulus_id, f"the file of {described.owner!r}", some=left_out
        )
    shared = {key: value for key, value in described.neuroids.items() if key != "region"}
    columns = {
        key: ("neuroid", np.array([value] * responses.sizes["neuroid"], object))
        for key, value in shared.items()
    }
    return responses.assign_coords(columns)


def _with_neuroids(responses: xr.DataArray, described: Described, *, some: bool) -> xr.DataArray:
    """Rows of the table beside their neuroids; the card's region before the file's."""
    table, said = described.neuroid_table, described.neuroids.get("region")
    assert table is not None  # who calls has looked
    if said is not None and "region" in table and set(table["region"]) != {str(said)}:
        raise InputError(
            f"the card of {described.owner!r} says region = {said!r} of all neuroids, but its "
            f"neuroid_table has {sorted(set(table['region']))[:5]}; leave one out."
        )
    table = table if said is None else table.assign(region=str(said))
    responses = beside_neuroids(responses, table, described.owner, some=some)
    stored = f"region{AS_STORED}"
    if stored in responses.coords and "region" in table:
        same = [str(r) for r in responses[stored].values] == list(responses["region"].values)
        responses = responses.drop_vars(stored) if same else responses
    ids = [str(name) for name in responses["neuroid_id"].values]
    if not all(name.startswith(f"{UNNAMED}.") for name in ids):
        return responses
    names = np.array(name_in_order(responses["region"].values), object)
    return responses.assign_coords(neuroid_id=("neuroid", names))


def _finish(
    responses: xr.DataArray, entry: FileEntry, chosen: Mapping[str, Any], later: Mapping[str, Any]
) -> xr.DataArray:
    responses = select(responses, **as_ids_too(chosen))
    if "window" in later:
        if "time_bin" not in responses.dims:
            raise InputError(
                f"{entry.file} has window = {list(later['window'])}, but its responses have no "
                "time bins to average; remove window from the card."
            )
        responses = average_time(responses, *later["window"])
    return responses.assign_attrs(unit=later["unit"]) if "unit" in later else responses
