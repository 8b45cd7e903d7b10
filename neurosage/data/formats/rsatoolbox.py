"""rsatoolbox: its Dataset, TemporalDataset and RDMs, in memory and in HDF5, both ways."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy.typing as npt
import xarray as xr

from neurosage.data.assembly import select as keep
from neurosage.data.average import average_time
from neurosage.data.formats.matching import as_ids_too, match_ids
from neurosage.data.formats.rsatoolbox_dataset import as_dict, from_dict
from neurosage.data.formats.rsatoolbox_files import read_dict, write_dict
from neurosage.data.formats.rsatoolbox_rdms import from_rdms, read_rdms, to_rdms, write_rdms

__all__ = [
    "from_dataset",
    "from_rdms",
    "read",
    "read_rdms",
    "to_dataset",
    "to_rdms",
    "write",
    "write_rdms",
]


def from_dataset(
    dataset: Any,
    *,
    coordinates: Mapping[str, str] | None = None,
    select: Mapping[str, Any] | None = None,
    window: tuple[float, float] | None = None,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    region: str | None = None,
    unit: str | None = None,
) -> xr.DataArray:
    """Make an assembly of rsatoolbox's Dataset or TemporalDataset.

    Parameters
    ----------
    dataset : rsatoolbox.data.Dataset or TemporalDataset
        Observations are presentations, channels neuroids.
    coordinates : mapping of str to str, optional
        Our name → its descriptor, such as ``{"stimulus_id": "conds"}``; a region may also be
        a descriptor of the whole. Time that is given by points only (rsatoolbox does not say
        the unit) is named ``time_s`` or ``time_ms``: ``{"time_s": "time"}``; bins lie half a
        step around each point.
    select : mapping of str to scalar or list, optional
        Coordinate, by our name or the descriptor's → values kept.
    window : (start, end), optional
        ms; time bins within it are averaged.
    stimulus_id : sequence of str, optional
        What the stimuli must be.
    region : str, optional
        Of every neuroid; a descriptor's that differs is kept as ``region_as_stored``.
    unit : str, optional
        Of the values; kept in ``attrs``.

    Returns
    -------
    xarray.DataArray
        Every descriptor with one value an observation, channel or time is a coordinate, those
        of the whole are ``attrs``; others are left out, which is logged.

    Raises
    ------
    InputError
        If stimuli, regions or the edges of time bins are not described.
    """
    held, source = dataset.to_dict(), "the Dataset"
    responses = from_dict(held, source, coordinates or {}, region=region, stimulus_id=stimulus_id)
    responses = _chosen(responses, source, coordinates or {}, select or {}, stimulus_id)
    return _finished(responses, window, unit)


def read(
    path: Path | str,
    *,
    coordinates: Mapping[str, str] | None = None,
    select: Mapping[str, Any] | None = None,
    window: tuple[float, float] | None = None,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
    region: str | None = None,
    unit: str | None = None,
) -> xr.DataArray:
    """Read a Dataset or TemporalDataset that rsatoolbox saved as HDF5.

    A card says it so::

        responses = { file = "it.h5", format = "rsatoolbox",
            coordinates = { stimulus_id = "conds", region = "roi", time_s = "time" } }

    Parameters
    ----------
    path : Path or str
        Saved with ``file_type="hdf5"``; pickles are refused. rsatoolbox is not needed.
    coordinates, select, window, stimulus_id, region, unit
        As in `from_dataset`.

    Returns
    -------
    xarray.DataArray
        Dims ``presentation × neuroid [× time_bin]``.

    Raises
    ------
    InputError
        If the file is damaged, a pickle, or holds no Dataset, or as in `from_dataset`.
    """
    held, source = read_dict(Path(path), "measurements"), str(path)
    responses = from_dict(held, source, coordinates or {}, region=region, stimulus_id=stimulus_id)
    responses = _chosen(responses, source, coordinates or {}, select or {}, stimulus_id)
    return _finished(responses, window, unit)


def to_dataset(responses: xr.DataArray, *, drop: Collection[str] = ()) -> Any:
    """Make rsatoolbox's Dataset, or TemporalDataset where there are time bins.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.
    drop : collection of str
        What may be left out where rsatoolbox cannot hold it; ``"all"`` allows everything.

    Returns
    -------
    rsatoolbox.data.Dataset or TemporalDataset
        All coordinates are descriptors, ``attrs`` and the name descriptors of the whole;
        ``time`` is the centre of each bin, in ms.

    Raises
    ------
    InputError
        That lists every field that it cannot hold.
    """
    from rsatoolbox.data.dataset import dataset_from_dict

    return cast(Any, dataset_from_dict)(as_dict(responses, drop, stored=False))


def write(responses: xr.DataArray, path: Path | str, *, drop: Collection[str] = ()) -> None:
    """Write an assembly as the HDF5 of rsatoolbox's Dataset or TemporalDataset.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.
    path : Path or str
        With the suffix ``.h5`` or ``.hdf5``, by which rsatoolbox knows it; written beside,
        then renamed.
    drop : collection of str
        As in `to_dataset`; besides, text beyond ASCII cannot be stored.

    Raises
    ------
    InputError
        That lists every field that the file cannot hold.

    Examples
    --------
    >>> import tempfile
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, 2.0]], stimulus_id=["cat"], region=["V4", "IT"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(a, f"{folder}/a.h5")
    ...     read(f"{folder}/a.h5").identical(a)
    True
    """
    write_dict(Path(path), as_dict(responses, drop, stored=True))


def _chosen(
    responses: xr.DataArray,
    source: str,
    coordinates: Mapping[str, str],
    select: Mapping[str, Any],
    stimulus_id: Any,
) -> xr.DataArray:
    ours = {theirs: own for own, theirs in coordinates.items()}
    wanted = as_ids_too({ours.get(key, key): value for key, value in select.items()})
    kept = keep(responses, **wanted)
    some = kept.sizes["presentation"] < responses.sizes["presentation"]
    return match_ids(kept, stimulus_id, source, some=some)


def _finished(responses: xr.DataArray, window: Any, unit: str | None) -> xr.DataArray:
    responses = responses.assign_attrs({"unit": unit} if unit else {})
    return responses if window is None else average_time(responses, *window)
