"""Between RDMs of ours and the dict that rsatoolbox's RDMs are made of."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.data.formats.carrying import without_lost
from neurosage.data.formats.matching import alike, as_ids
from neurosage.data.formats.rsatoolbox_files import (
    as_attribute,
    as_coordinate,
    as_descriptor,
    why_not_attribute,
    why_not_column,
)
from neurosage.data.teacher import RDM_DIMS, SUBJECT_DIMS
from neurosage.errors import InputError, unknown

MEASURES = {"euclidean": "squared euclidean", "mahalanobis": "squared mahalanobis"}
OWN = " (not squared)"  # rsatoolbox's name that ours would be mistaken for
PLACES = "coordinate_dims"  # a descriptor of ours: which coordinates vary with subject


def from_dict(
    held: Mapping[str, Any], source: str, named: Mapping[str, str], wanted: Any, region: Any
) -> xr.DataArray:
    """Make RDMs of the dict of rsatoolbox's RDMs.

    Parameters
    ----------
    held : mapping
        As rsatoolbox's ``to_dict`` gives it.
    source : str
        Named in errors.
    named : mapping of str to str
        Our name → descriptor.
    wanted : sequence of str or None
        The stimuli in order.
    region : str or None
        Of every RDM, where no descriptor says it.

    Returns
    -------
    xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``.

    Raises
    ------
    InputError
        If stimuli or regions are not described, or an RDM is there twice or missing.
    """
    patterns = {k: v for k, v in (held.get("pattern_descriptors") or {}).items() if k != "index"}
    own = {k: v for k, v in (held.get("rdm_descriptors") or {}).items() if k != "index"}
    ours = {theirs: name for name, theirs in named.items()}
    for theirs in ours:
        if theirs not in patterns and theirs not in own:
            raise unknown(f"descriptor in {source}", theirs, [*patterns, *own])
    shown = {ours.get(k, k): as_coordinate(list(v)) for k, v in patterns.items()}
    each = {ours.get(k, k): as_coordinate(list(v)) for k, v in own.items()}
    squares = _squares(np.atleast_2d(np.asarray(held["dissimilarities"])), source)
    shown["stimulus_id"] = _stimuli(shown, squares.shape[-1], source, wanted)
    each["region"] = _regions(each, len(squares), source, region)
    array = _grid(squares, each, source, dict(held.get("descriptors") or {}))
    for name, column in shown.items():
        array = array.assign_coords({f"{name}_{s}": (f"stimulus_{s}", column) for s in "ij"})
    if (measure := held.get("dissimilarity_measure")) is not None:
        array.attrs["distance"] = _our_measure(str(measure))
    return array


def _squares(vectors: npt.NDArray[Any], source: str) -> npt.NDArray[Any]:
    if vectors.ndim == 3:
        return vectors
    n = round((1 + np.sqrt(1 + 8 * vectors.shape[-1])) / 2)
    if n * (n - 1) // 2 != vectors.shape[-1]:
        raise InputError(f"{source} holds {vectors.shape[-1]} pairs, the pairs of no number.")
    squares = np.zeros((len(vectors), n, n), vectors.dtype)
    rows, columns = np.triu_indices(n, 1)
    squares[:, rows, columns] = squares[:, columns, rows] = vectors
    return squares


def _stimuli(shown: Mapping[str, Any], n: int, source: str, wanted: Any) -> npt.NDArray[Any]:
    if "stimulus_id" in shown:
        column: npt.NDArray[Any] = shown["stimulus_id"]
        return column if wanted is None else alike(as_ids(column), wanted, source)
    if wanted is None or len(wanted) != n:
        given = "no" if wanted is None else len(wanted)
        raise InputError(
            f"{source} does not name its {n} stimuli, and {given} ids were given: give "
            "coordinates = { stimulus_id = … } with one of "
            f"{list(shown) or 'none'}."
        )
    return np.array(list(wanted), object)


def _regions(each: Mapping[str, Any], n: int, source: str, region: Any) -> npt.NDArray[Any]:
    if region is not None and "region" in each:
        raise InputError(f"the region is given twice: {region!r}, and by {source}; give one.")
    if region is None and "region" not in each:
        raise InputError(
            f"{source} does not say the region of its {n} RDMs: give region, or coordinates = "
            f"{{ region = … }} with one of {list(each) or 'none'}."
        )
    return np.full(n, region, object) if region is not None else np.asarray(each["region"])


def _grid(
    squares: npt.NDArray[Any], each: Mapping[str, Any], source: str, whole: dict[str, Any]
) -> xr.DataArray:
    """Arrange RDMs by region, and by subject where that is described."""
    dims = ["subject", "region"] if "subject" in each else ["region"]
    found = [pd.factorize(np.asarray(each[dim])) for dim in dims]
    shape = tuple(len(labels) for _, labels in found)
    flat = np.ravel_multi_index(tuple(codes for codes, _ in found), shape)
    if len(np.unique(flat)) != len(flat) or len(flat) != np.prod(shape):
        raise InputError(
            f"{source} holds {len(flat)} RDMs, but {' × '.join(dims)} are "
            f"{' × '.join(map(str, shape))}; there must be one each. Give coordinates = "
            f"{{ subject = … }} with one of {list(each)} where regions repeat."
        )
    order = np.argsort(flat)
    array = xr.DataArray(
        squares[order].reshape(*shape, *squares.shape[1:]),
        dims=SUBJECT_DIMS if len(dims) == 2 else RDM_DIMS,
        name=str(whole.pop("name")) if "name" in whole else None,
    )
    places = _places(whole.pop(PLACES, "{}"), source)
    for name, column in each.items():
        held = np.asarray(column)[order].reshape(shape)
        array = array.assign_coords({name: _along(name, held, dims, places.get(name))})
    attrs = {k: as_attribute(v) for k, v in whole.items() if not isinstance(v, Mapping)}
    return array.assign_attrs({k: v for k, v in attrs.items() if v is not None})


def _places(said: Any, source: str) -> dict[str, list[str]]:
    try:
        places = json.loads(str(as_attribute(said)))
        return {str(name): [str(dim) for dim in dims] for name, dims in places.items()}
    except (ValueError, AttributeError, TypeError):
        raise InputError(f"the descriptor {PLACES!r} of {source} is damaged; remove it.") from None


def _along(
    name: str, held: npt.NDArray[Any], dims: list[str], told: list[str] | None
) -> tuple[Any, Any]:
    """Place a descriptor on the dims told, or the one dim along which it varies, else on both."""
    if len(dims) == 1:
        return "region", held
    if told == dims:
        return dims, held
    if name == "subject" or told == ["subject"]:
        return "subject", held[:, 0]
    if name == "region" or (held == held[:1]).all():
        return "region", held[0]
    return ("subject", held[:, 0]) if (held == held[:, :1]).all() else (dims, held)


def as_dict(rdms: xr.DataArray, drop: Collection[str], *, stored: bool) -> dict[str, Any]:
    """Return RDMs as the dict of rsatoolbox's RDMs.

    Parameters
    ----------
    rdms : xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``.
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
    if not isinstance(rdms, xr.DataArray) or rdms.dims not in (RDM_DIMS, SUBJECT_DIMS):
        raise InputError(f"RDMs are an xarray.DataArray with dims {RDM_DIMS} or {SUBJECT_DIMS}.")
    carrier = "rsatoolbox's file" if stored else "rsatoolbox's RDMs"
    kept = without_lost(rdms, _lost(rdms, stored=stored), carrier=carrier, drop=drop)
    outer = [dim for dim in kept.dims if dim in ("subject", "region")]
    shape, (rows, columns) = kept.shape[: len(outer)], np.triu_indices(kept.shape[-1], 1)
    each: dict[str, Any] = {}
    places: dict[str, Any] = {}
    for name in [str(name) for name in kept.coords if set(kept[name].dims) <= set(outer)]:
        held = kept[name].transpose(*[dim for dim in outer if dim in kept[name].dims])
        axes = tuple(k for k, dim in enumerate(outer) if dim not in held.dims)
        full = np.broadcast_to(np.expand_dims(held.values, axes), shape)
        each[name] = as_descriptor(full.reshape(-1))
        if "subject" in held.dims and name != "subject":
            places[name] = held.dims
    ids = [str(n) for n in kept.coords if kept[n].dims == ("stimulus_i",)]
    whole = {str(k): v for k, v in kept.attrs.items() if k != "distance"}
    whole |= {"name": str(kept.name)} if kept.name is not None else {}
    whole |= {PLACES: json.dumps(places)} if places else {}
    measure = kept.attrs.get("distance")
    return {
        "dissimilarities": kept.values[..., rows, columns].reshape(-1, len(rows)),
        "descriptors": whole,
        "rdm_descriptors": each | {"index": np.arange(int(np.prod(shape)))},
        "pattern_descriptors": {n[:-2]: as_descriptor(kept[n].values) for n in ids}
        | {"index": np.arange(kept.shape[-1])},
        "dissimilarity_measure": None if measure is None else _their_measure(measure),
    }


def _lost(rdms: xr.DataArray, *, stored: bool) -> dict[str, str]:
    lost = {}
    if not np.array_equal(rdms.values, np.swapaxes(rdms.values, -1, -2), equal_nan=True):
        lost["asymmetry"] = "only pairs i < j are held"
    if np.diagonal(rdms.values, axis1=-2, axis2=-1).any():
        lost["diagonal"] = "only pairs i < j are held"
    for name in map(str, rdms.coords):
        column, other = rdms[name], f"{name[:-2]}_{'j' if name.endswith('_i') else 'i'}"
        why = why_not_column(column.values, stored=stored) or (name == "index" and "taken") or ""
        if column.ndim == 0:
            why = why or "not on a dim"
        elif set(column.dims) & {"stimulus_i", "stimulus_j"} and not why:
            paired = name[-2:] in ("_i", "_j") and other in rdms.coords
            same = paired and np.array_equal(column.values, rdms[other].values)
            why = (
                "" if same and column.ndim == 1 else "rows and columns must share it as x_i and x_j"
            )
        if why:
            lost[name] = str(why)
    for key, value in rdms.attrs.items():
        reserved = key in ("name", PLACES) or "/" in str(key)
        if why := "a name that is taken" if reserved else why_not_attribute(value):
            lost[str(key)] = why
    if "subject" in rdms.coords and "subject" not in rdms.dims:
        lost["subject"] = "it would be taken for a dim"
    return lost


def _our_measure(theirs: str) -> str:
    ours = {value: key for key, value in MEASURES.items()}
    return ours.get(theirs, theirs + OWN if theirs in MEASURES else theirs)


def _their_measure(ours: Any) -> str:
    return MEASURES.get(str(ours), str(ours).removesuffix(OWN))
