"""NWB: units' spike times and presentations, or a table of responses, as assemblies."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.formats.layout import lay_out
from neurosage.data.formats.matching import as_ids
from neurosage.data.formats.nwb_tables import (
    Table,
    opened,
    presentation_tables,
    ragged,
    resolve,
    unit_tables,
)
from neurosage.data.formats.regions import with_region
from neurosage.data.spikes import check_windows, count_spikes
from neurosage.errors import InputError, unknown

LOGGER = logging.getLogger("neurosage")
ONSET = "start_time"
SITES = ("units", "electrodes")  # tables with a row a neuroid
Found = tuple[str, npt.NDArray[Any]]  # the table, and its column


def read(
    path: Path | str,
    dims: Sequence[str] | None = None,
    *,
    key: str | None = None,
    coordinates: Mapping[str, str] | None = None,
    select: Mapping[str, Any] | None = None,
    window: Sequence[Any] | None = None,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    region: str | None = None,
    unit: str | None = None,
) -> xr.DataArray:
    """Read an NWB file as an assembly.

    Spikes of each unit are counted in `window` after each onset in a table of presentations.
    A card says it so::

        responses = { file = "it.nwb", format = "nwb", key = "trials", window = [70, 170],
            coordinates = { stimulus_id = "image", region = "electrodes.location" },
            select = { completed = true, quality = "good" } }

    Responses that were counted before stand in a column with one array a row:
    ``key = "TABLE.COLUMN"``, a row a presentation, or ``key = "units.COLUMN"`` with
    ``dims = ["neuroid", "stimulus"]``. Only the columns named are read.

    Parameters
    ----------
    path : Path or str
        NWB 2, in HDF5.
    dims : sequence of str, optional
        Of a column of responses, rows first: ``presentation, neuroid`` if omitted.
    key : str, optional
        The table of presentations: ``trials``, one of the intervals, any other table, or an
        IndexSeries; the only one that has the column of stimuli if omitted.
    coordinates : mapping of str to str, optional
        Our name → column, or ``TABLE.COLUMN`` with ``units`` and ``electrodes`` among the
        tables. Without it, ``stimulus_id`` is the column of that name, ``region`` that of
        the units or else the electrodes' ``location``, ``neuroid_id`` the units' ``id``,
        ``onset`` (seconds) ``start_time``.
    select : mapping of str to scalar or list, optional
        Our name (``region``, ``neuroid_id``) or a column → values kept, before spikes are read.
    window : (start, end), or a list of them, optional
        ms after onset; needed to count. Several give time bins.
    stimulus_id : sequence of str, optional
        What the stimuli must be.
    region : str, optional
        Of every neuroid; what the file says besides is kept as ``region_as_stored``.
    unit : str, optional
        Of a column of responses; counts are ``"spikes / 100 ms"`` or as long as the window.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``. Where the units' ``obs_intervals`` say
        that a unit was not recorded throughout a window, NaN; presentations that no unit saw
        are left out, which is logged.

    Raises
    ------
    InputError
        If the file is damaged or no NWB file, tables or columns are not there or ambiguous,
        or the electrodes of one unit lie in several regions.
    MissingExtraError
        If pynwb is not installed.
    """
    path, named = Path(path), dict(coordinates or {})
    table, _, responses = (key or "").partition(".")
    some = False
    with opened(path) as nwb:
        shown, sites = presentation_tables(nwb), unit_tables(nwb)
        if responses:
            pool = {**shown, **sites}
            _, values = resolve(_known(table, pool, path) + f".{responses}", pool, path)
            held = {ours: resolve(name, pool, path) for ours, name in named.items()}
            chosen = {_ours(name, named): wanted for name, wanted in (select or {}).items()}
        else:
            wanted = named.get("stimulus_id", "stimulus_id").rpartition(".")[2]
            table = _known(table, shown, path) if table else _only(shown, wanted, path)
            pool = {table: shown[table], **sites}
            names = _all(pool, table, named, region is not None)
            stored = names.pop("region") if region is not None and "region" in names else ""
            held = {ours: resolve(name, pool, path) for ours, name in names.items()}
            if region is not None:
                held = _with_region(held, region, _stored(stored, pool, path), path)
            masks = {n: held.get(n) or resolve(n, pool, path) for n in select or {}}
            rows, units = _kept(held, masks, select or {}, path)
            some = len(rows) < len(held["onset"][1])
            values, dims, rows = _count(
                nwb, held["onset"][1], rows, units, window=window, path=path
            )
            held = {o: (t, c[units if t in SITES else rows]) for o, (t, c) in held.items()}
            held, chosen, unit = held | _edges(window), {}, _unit(window)
    named_dims = tuple(dims or ("presentation", "neuroid"))
    return lay_out(
        values,
        named_dims,
        source=path,
        columns={
            name: _placed(table, column, named_dims) for name, (table, column) in held.items()
        },
        stimulus_id=stimulus_id,
        region=region if responses else None,  # of units it has been set
        chosen=chosen,
        some=some,
        unit=unit,
    )


def _placed(table: str, column: Any, dims: Sequence[str]) -> tuple[str, Any]:
    if table in SITES:
        return "neuroid", column
    if table == "time_bin":
        return table, column
    return ("stimulus" if "stimulus" in dims else "presentation"), column


def _known(table: str, pool: Mapping[str, Table], path: Path) -> str:
    if table not in pool:
        raise unknown(f"table in {path}", table, pool)
    return table


def _only(shown: Mapping[str, Table], column: str, path: Path) -> str:
    found = [name for name, table in shown.items() if column in table]
    if len(found) != 1:
        held = "; ".join(f"{name}: {', '.join(table)}" for name, table in shown.items())
        raise InputError(
            f"{len(found)} tables of {path} have a column {column!r}: name the table of "
            'presentations as key = "…", and its column of stimuli as coordinates = '
            f'{{ stimulus_id = "…" }}. There are: {held or "none"}.'
        )
    return found[0]


def _ours(name: str, named: Mapping[str, str]) -> str:
    return {theirs: ours for ours, theirs in named.items()}.get(name, name)


def _all(
    pool: Mapping[str, Table], table: str, named: Mapping[str, str], given: bool
) -> dict[str, str]:
    """Name every column that is read, the ones by default first."""
    if "units" not in pool:
        raise InputError(
            f"there are no units whose spikes {table!r} could count; name a column of responses: "
            'key = "TABLE.COLUMN".'
        )
    wanted = {
        "stimulus_id": f"{table}.stimulus_id",
        "onset": f"{table}.{ONSET}",
        "neuroid_id": "units.id",
    }
    if "region" in named:
        return wanted | dict(named)
    if "region" in pool["units"]:
        wanted["region"] = "units.region"
    elif "location" in pool.get("electrodes", {}):
        wanted["region"] = "electrodes.location"
    elif not given:
        raise InputError(
            "the units name no electrodes, so their region is unknown: give region, or "
            f'coordinates = {{ region = "…" }} with one of {", ".join(pool["units"])}.'
        )
    return wanted | dict(named)


def _stored(name: str, pool: Mapping[str, Table], path: Path) -> dict[str, Found]:
    """The file's own region, where it says one: electrodes of a unit may not agree."""
    try:
        return {"region": resolve(name, pool, path)} if name else {}
    except InputError:
        return {}


def _with_region(
    held: Mapping[str, Found], region: Any, stored: Mapping[str, Found], path: Path
) -> dict[str, Found]:
    columns = with_region({**held, **stored}, region, len(held["neuroid_id"][1]), path)
    return {name: ("units" if t == "neuroid" else t, c) for name, (t, c) in columns.items()}


def _kept(
    held: Mapping[str, Found], masks: Mapping[str, Found], select: Mapping[str, Any], path: Path
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    rows = np.ones(len(held["onset"][1]), bool)
    units = np.ones(len(held["neuroid_id"][1]), bool)
    for name, (table, column) in masks.items():
        values, wanted = as_ids(column), as_ids(np.atleast_1d(select[name]))
        present = set(values)
        for each in wanted:
            if each not in present:
                raise unknown(f"{name} in {path}", each, dict.fromkeys(values))
        mask = units if table in SITES else rows
        mask &= np.isin(values.astype(str), wanted.astype(str))
    return np.flatnonzero(rows), np.flatnonzero(units)


def _count(
    nwb: Any, onsets: Any, rows: Any, units: Any, *, window: Any, path: Path
) -> tuple[npt.NDArray[np.float64], tuple[str, ...], npt.NDArray[np.int64]]:
    if window is None:
        raise InputError(
            f"spikes of {path} are counted in a window in ms after onset: give window = [70, 170]."
        )
    if "spike_times" not in nwb.units.colnames:
        raise InputError(
            f"the units of {path} have no spike_times; name a column of responses: "
            'key = "TABLE.COLUMN".'
        )
    check_windows(_pairs(window))
    spikes = ragged(nwb.units, "spike_times", units)
    seen = "obs_intervals" in nwb.units.colnames
    observed = ragged(nwb.units, "obs_intervals", units) if seen else None
    counts = count_spikes(spikes, onsets[rows], _pairs(window), observed=observed)
    unseen = np.isnan(counts).all(axis=(1, 2)) if len(units) else np.zeros(len(rows), bool)
    if not seen:
        _warn_of_late(spikes, onsets[rows], path)
    if unseen.any():
        LOGGER.warning(
            "%s: %d of %d presentations lie outside obs_intervals of every unit; left out.",
            path, int(unseen.sum()), len(rows),
        )  # fmt: skip
    counts, rows = counts[~unseen], rows[~unseen]
    if counts.shape[-1] == 1:
        return counts[..., 0], ("presentation", "neuroid"), rows
    return counts, ("presentation", "neuroid", "time_bin"), rows


def _warn_of_late(spikes: Sequence[Any], onsets: npt.NDArray[Any], path: Path) -> None:
    last = max((float(np.max(each)) for each in spikes if len(each)), default=np.inf)
    if late := int((onsets > last).sum()):
        LOGGER.warning(
            "%s: %d of %d presentations begin after the last spike of all units, and count as 0; "
            "if the recording had ended, select the others or add obs_intervals.",
            path, late, len(onsets),
        )  # fmt: skip


def _pairs(window: Any) -> list[Any]:
    return [window] if np.ndim(window) == 1 else list(window)


def _edges(window: Any) -> dict[str, Found]:
    edges = check_windows(_pairs(window))
    if len(edges) == 1:
        return {}
    return {
        "time_bin_start": ("time_bin", edges[:, 0]),
        "time_bin_end": ("time_bin", edges[:, 1]),
    }


def _unit(window: Any) -> str:
    wide = np.ptp(check_windows(_pairs(window)), axis=1)
    return f"spikes / {wide[0]:g} ms" if np.allclose(wide, wide[0]) else "spikes"
