"""netCDF files of RDMs: one variable, its dims named, its coordinates beside it."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.formats.carrying import written_whole
from neurosage.data.teacher import RDM_DIMS, SUBJECT_DIMS
from neurosage.errors import InputError, unknown

NAME = "rdms"


def write_rdms(rdms: xr.DataArray, path: Path) -> None:
    """Write RDMs; what cannot be written without loss is refused.

    Parameters
    ----------
    rdms : xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``.
    path : Path
        Of the file; written beside and renamed, so that it is never there by half.

    Raises
    ------
    InputError
        If dims are others, or coordinates or attributes cannot be held by netCDF: all of
        them are named.

    Examples
    --------
    >>> import tempfile
    >>> rdm = xr.DataArray(np.zeros((1, 2, 2)), dims=RDM_DIMS, coords={"region": ["IT"],
    ...     "stimulus_id_i": ("stimulus_i", ["a", "b"]),
    ...     "stimulus_id_j": ("stimulus_j", ["a", "b"])})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_rdms(rdm, Path(folder, "rdms.nc"))
    ...     read_rdms(Path(folder, "rdms.nc")).equals(rdm)
    True
    """
    if not isinstance(rdms, xr.DataArray) or rdms.dims not in (RDM_DIMS, SUBJECT_DIMS):
        given = rdms.dims if isinstance(rdms, xr.DataArray) else type(rdms).__name__
        raise InputError(f"RDMs have dims {RDM_DIMS} or {SUBJECT_DIMS}, not {given}.")
    _check_fields(rdms)
    dataset = rdms.to_dataset(name=NAME)
    encoding = {name: {"_FillValue": None} for name in map(str, dataset.variables)}
    encoding |= {str(name): {} for name in dataset.coords if dataset[name].dtype.kind in "OUT"}
    with written_whole(path) as partial:
        dataset.to_netcdf(partial, engine="netcdf4", encoding=encoding)


def _check_fields(rdms: xr.DataArray) -> None:
    lost = [f"attribute {key!r}" for key, value in rdms.attrs.items() if not _holds(value)]
    for name, coordinate in rdms.coords.items():
        values = coordinate.values
        text = values.dtype.kind in "OUT" and all(isinstance(one, str) for one in values.flat)
        if not text and values.dtype.kind not in "biuf":
            lost.append(f"coordinate {name!r}")
    if lost:
        raise InputError(
            f"netCDF cannot hold {', '.join(lost)} of these RDMs: text and numbers only; convert "
            "or drop them."
        )


def _holds(value: Any) -> bool:
    # netCDF gives a list of one back as the one, and true as 1.
    return isinstance(value, str | numbers.Real) and not isinstance(value, bool | np.bool_)


def read_rdms(
    path: Path,
    *,
    key: str | None = None,
    group: str | None = None,
    coordinates: Mapping[str, str] | None = None,
    region: str | None = None,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None = None,
) -> xr.DataArray:
    """Read RDMs.

    Parameters
    ----------
    path : Path
        A netCDF file.
    key : str, optional
        The variable; needed where several have the dims of RDMs.
    group : str, optional
        The group that holds it.
    coordinates : mapping of str to str, optional
        Our name of a coordinate or dim to the file's.
    region : str, optional
        For a file of one RDM, which does not say it.
    stimulus_id : sequence of str, optional
        For a file that does not name its stimuli: in order.

    Returns
    -------
    xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``, with coordinates ``region``,
        ``stimulus_id_i``, ``stimulus_id_j``, and ``subject`` where there are several.

    Raises
    ------
    InputError
        If it is no netCDF file, is cut short, or holds no such variable.
    """
    dataset = _open(Path(path), group)
    names = {str(theirs): str(ours) for ours, theirs in (coordinates or {}).items()}
    if strange := [name for name in names if name not in {*dataset.variables, *dataset.dims}]:
        raise unknown(f"coordinate in {path.name}", strange[0], map(str, dataset.variables))
    found = _variable(path, dataset.rename(names), key)
    if "region" not in found.dims:
        found = found.expand_dims("region").transpose(*_in_order(found))
    found = _named(path, found, region, stimulus_id)
    if found.dtype.kind not in "fiu":
        raise InputError(f"the RDMs in {path} are of type {found.dtype}, not numbers.")
    return found


def _open(path: Path, group: str | None) -> xr.Dataset:
    if not path.is_file():
        raise InputError(f"there is no file {path} to read RDMs from.")
    try:
        with xr.open_dataset(
            path, engine="netcdf4", group=group, decode_times=False, decode_timedelta=False
        ) as dataset:
            return dataset.load()
    except Exception as error:  # the library's errors have no common base
        where = f" with a group {group!r}" if group else ""
        raise InputError(
            f"{path} cannot be read as a netCDF file of RDMs{where} ({error}); is it whole? "
            "neurosage writes one by neurosage.data.formats.netcdf.write_rdms."
        ) from error


def _in_order(found: xr.DataArray) -> tuple[str, ...]:
    return SUBJECT_DIMS if "subject" in found.dims else RDM_DIMS


def _variable(path: Path, dataset: xr.Dataset, key: str | None) -> xr.DataArray:
    ways = [{*dims} - {*less} for dims in (RDM_DIMS, SUBJECT_DIMS) for less in ((), ("region",))]
    fit = [str(name) for name, one in dataset.data_vars.items() if set(one.dims) in ways]
    if key is None and len(fit) != 1:
        held = {str(name): one.dims for name, one in dataset.data_vars.items()}
        raise InputError(
            f"{path} has {len(fit)} variables with the dims of RDMs {RDM_DIMS}, where one is "
            f"wanted; it holds {held}. Give key = … where there are several, or coordinates = "
            "{ our name = the file's } where dims are named otherwise."
        )
    if key is not None and key not in fit:
        raise unknown(f"variable of RDMs in {path.name}", key, fit, "Correct key = ….")
    found = dataset[key or fit[0]]
    return found.transpose(*[dim for dim in SUBJECT_DIMS if dim in found.dims])


def _named(path: Path, found: xr.DataArray, region: str | None, stimulus_id: Any) -> xr.DataArray:
    if "region" not in found.coords:
        if region is None or found.sizes["region"] != 1:
            raise InputError(
                f"{path} does not say the regions of its {found.sizes['region']} RDMs; add a "
                "coordinate region, or for one RDM give neuroids = { region = … } in the card."
            )
        found = found.assign_coords(region=("region", np.array([region], object)))
    for side in "ij":
        name, dim = f"stimulus_id_{side}", f"stimulus_{side}"
        if name not in found.coords:
            if stimulus_id is None or len(stimulus_id) != found.sizes[dim]:
                raise InputError(
                    f"{path} does not name its {found.sizes[dim]} stimuli (coordinate {name}), and "
                    f"{'no' if stimulus_id is None else len(stimulus_id)} ids were given."
                )
            found = found.assign_coords({name: (dim, np.array(list(stimulus_id), object))})
    if "subject" in found.dims and "subject" not in found.coords:
        numbered = [f"subject {k + 1}" for k in range(found.sizes["subject"])]
        found = found.assign_coords(subject=("subject", np.array(numbered, object)))
    return found
