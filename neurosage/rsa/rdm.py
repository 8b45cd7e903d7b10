"""Teachers and assemblies → RDMs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.data.teacher import SUBJECT_DIMS, Teacher
from neurosage.errors import InputError
from neurosage.rsa.backends.base import (
    Backend,
    Floats,
    check_memory,
    check_offers,
    get_backend,
)
from neurosage.rsa.crossnobis import DISTANCE as CROSSNOBIS
from neurosage.rsa.crossnobis import crossnobis_squares
from neurosage.rsa.patterns import Patterns, Source, read_patterns

DIMS = ("region", "stimulus_i", "stimulus_j")


def rdms(
    teacher_or_assembly: Source,
    distance: str = "correlation",
    by: str = "stimulus_id",
    normalise: str | None = None,
    *,
    backend: str | Backend = "torch",
    nan: str = "raise",
    precision: str = "none",
) -> xr.DataArray:
    """Compute the RDM of each region.

    Parameters
    ----------
    teacher_or_assembly : Teacher or xarray.DataArray
        Responses, dims ``presentation × neuroid``; repetitions are averaged. RDMs, or a
        teacher that holds nothing else, are returned as they are, those of several
        subjects averaged over them.
    distance : {"correlation", "euclidean", "cosine", "crossnobis"}
        ``correlation`` is 1 - Pearson over neuroids, in [0, 2]; ``euclidean`` is squared and
        divided by the number of neuroids; ``cosine`` is 1 - cosine; ``crossnobis`` is
        ``euclidean`` from products of different repetitions, so that noise adds nothing: it
        needs two of every stimulus, and may be below 0.
    by : str
        Coordinate on presentation whose values are the stimuli of the RDM; patterns of a
        category are averaged before the distance.
    normalise : {"none", "centre", "zscore", "noise"}, optional
        How to bring neuroids to one scale first; the teacher's own if omitted, none for an
        assembly.
    backend : str or Backend
        What computes.
    nan : {"raise", "drop-stimulus", "drop-neuroid"}
        What to do about missing responses.
    precision : {"none", "diagonal", "shrinkage"}
        Of ``crossnobis``: the noise's, from residuals within stimulus.

    Returns
    -------
    xarray.DataArray
        Dims ``region × stimulus_i × stimulus_j``, symmetric, zero diagonal, float64, with
        coordinates ``region``, ``neuroids`` (how many), ``stimulus_id_i``,
        ``stimulus_id_j``; attributes say how it was made.

    Raises
    ------
    InputError
        If an argument is unknown, responses are missing, or a neuroid or pattern is constant
        where that leaves no distance; region, stimuli and neuroids are named.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[0.0, 1.0], [1.0, 0.0], [0.0, 3.0]], stimulus_id=["a", "b", "c"],
    ...              region="V4")
    >>> rdms(a, distance="euclidean").values[0, 0].round(6)
    array([0., 1., 2.])
    """
    if is_rdms(teacher_or_assembly):
        return _stored(teacher_or_assembly, distance, "these RDMs are")
    if isinstance(teacher_or_assembly, Teacher) and teacher_or_assembly.assembly is None:
        holder = f"teacher {teacher_or_assembly.id!r} holds only RDMs that are"
        return _stored(teacher_or_assembly.stored_rdms, distance, holder)
    if distance == CROSSNOBIS:
        return _crossnobis(teacher_or_assembly, by, normalise, nan, precision)
    if precision != "none":
        raise InputError(f"precision={precision!r} belongs to distance='crossnobis'.")
    engine = get_backend(backend)
    check_offers(engine, distance)
    patterns = read_patterns(teacher_or_assembly, normalise=normalise, by=by, nan=nan)
    n = len(patterns.stimulus_ids)
    check_memory(
        8 * n * n * (len(patterns.regions) + 1),
        f"{len(patterns.regions)} RDMs of {n} stimuli",
        "Compare the assemblies themselves (similarity), which forms no RDM.",
    )
    values = np.zeros((len(patterns.regions), n, n))
    for square, region in zip(values, patterns.regions, strict=True):
        _fill(square, engine.rdm(patterns.required(region, distance), distance))
    made = {"distance": distance, "by": by, "backend": engine.version}
    return _label(values, patterns, made)


def _crossnobis(
    source: Source, by: str, normalise: str | None, nan: str, precision: str
) -> xr.DataArray:
    patterns, squares = crossnobis_squares(
        source, by=by, normalise=normalise, nan=nan, precision=precision
    )
    version = f"numpy {np.__version__} float64"
    made = {"distance": CROSSNOBIS, "precision": precision, "by": by, "backend": version}
    return _label(squares, patterns, made)


def _fill(square: Floats, condensed: Floats) -> None:
    n, filled = len(square), 0
    for row in range(n - 1):
        part = condensed[filled : filled + n - 1 - row]
        square[row, row + 1 :] = part
        square[row + 1 :, row] = part
        filled += len(part)


def _label(values: Floats, patterns: Patterns, made: dict[str, Any]) -> xr.DataArray:
    ids = patterns.stimulus_ids
    widths = [patterns.values[:1, patterns.columns[name]].shape[1] for name in patterns.regions]
    return xr.DataArray(
        values,
        dims=DIMS,
        coords={
            "region": ("region", np.array(patterns.regions, object)),
            "neuroids": ("region", widths),
            "stimulus_id_i": ("stimulus_i", ids),
            "stimulus_id_j": ("stimulus_j", ids),
        },
        attrs={
            **made,
            "normalise": patterns.normalise,
            "n_stimuli": len(ids),
            "dropped": json.dumps(patterns.dropped, default=str),
            "neurosage": __version__,
        },
        name="rdm",
    )


def _stored(given: Any, distance: str, holder: str) -> xr.DataArray:
    checked = check_rdms(given)
    made = checked.attrs.get("distance", distance)
    if made != distance:
        raise InputError(f"{holder} of {made!r} distance; {distance!r} was asked for.")
    if "subject" not in checked.dims:
        return checked
    averaged = checked.mean("subject", keep_attrs=True)
    return averaged.assign_attrs(averaged_over=f"{checked.sizes['subject']} subjects")


def is_rdms(value: object) -> bool:
    """Tell whether a value has the dims of RDMs, with subjects or without."""
    return isinstance(value, xr.DataArray) and value.dims in (DIMS, SUBJECT_DIMS)


def check_rdms(value: xr.DataArray) -> xr.DataArray:
    """Return RDMs unchanged if they keep the contract.

    Parameters
    ----------
    value : xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``.

    Returns
    -------
    xarray.DataArray
        The same object.

    Raises
    ------
    InputError
        If dims or ids are wrong, the RDMs are not symmetric or hold NaN.
    """
    if not is_rdms(value):
        raise InputError(f"RDMs are an xarray.DataArray with dims {DIMS}, made by neurosage.rdms.")
    missing = {"region", "stimulus_id_i", "stimulus_id_j"} - set(value.coords)
    if missing:
        raise InputError(f"the RDMs have no coordinate {sorted(missing)}.")
    rows, columns = value["stimulus_id_i"].values, value["stimulus_id_j"].values
    if len(rows) != len(columns) or (rows != columns).any():
        raise InputError("rows and columns of the RDMs must be the same stimuli in one order.")
    if len(set(rows)) != len(rows):
        raise InputError("the RDMs' stimuli must be unique.")
    regions = value.transpose("region", ...).values
    for name, square in zip(value["region"].values, regions, strict=True):
        if not np.allclose(square, square.swapaxes(-1, -2)):
            raise InputError(f"the RDM of {str(name)!r} is not symmetric or has missing values.")
    return value


def condensed_rdms(value: xr.DataArray, order: Any = None) -> Floats:
    """Return the upper triangles of RDMs, shape (regions, n (n - 1) / 2).

    Parameters
    ----------
    value : xarray.DataArray
        From `rdms`.
    order : array of int, shape (n,), optional
        Which stimuli, in which order.

    Returns
    -------
    array of float64
        One row a region.
    """
    order = np.arange(value.sizes["stimulus_i"]) if order is None else np.asarray(order)
    rows, columns = np.triu_indices(len(order), 1)
    upper: Floats = value.values[:, order[rows], order[columns]].astype(np.float64)
    return upper
