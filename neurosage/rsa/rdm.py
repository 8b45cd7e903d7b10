"""Teachers and assemblies → RDMs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.data.teacher import RDM_DIMS as DIMS
from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import (
    Backend,
    Floats,
    check_memory,
    get_backend,
)
from neurosage.rsa.crossnobis import DISTANCE as CROSSNOBIS
from neurosage.rsa.crossnobis import crossnobis_squares, products_of
from neurosage.rsa.given import check_rdms, is_rdms, own_distance, stored
from neurosage.rsa.patterns import Patterns, Source, read_patterns

__all__ = ["check_rdms", "condensed_rdms", "is_rdms", "rdms"]


def rdms(
    teacher_or_assembly: Source,
    distance: str | None = None,
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
        That of the RDMs, where such are given, or ``correlation``, if omitted.
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
        Of ``crossnobis``: the noise's, from residuals within stimulus. Where presentations
        share noise (those of a run), a coordinate ``fold`` on presentation says which do: then
        only responses of different folds are multiplied.

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
        where that leaves no distance; region, stimuli and neuroids are named. If RDMs are
        given, and `by`, `normalise` or `precision` ask for what only responses could give.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[0.0, 1.0], [1.0, 0.0], [0.0, 3.0]], stimulus_id=["a", "b", "c"],
    ...              region="V4")
    >>> rdms(a, distance="euclidean").values[0, 0].round(6)
    array([0., 1., 2.])
    """
    given = stored(teacher_or_assembly, distance, by, normalise, precision)
    if given is not None:
        return given
    distance = own_distance(distance)
    if distance == CROSSNOBIS:
        return _crossnobis(teacher_or_assembly, by, normalise, nan, precision)
    if precision != "none":
        raise InputError(f"precision={precision!r} belongs to distance='crossnobis'.")
    engine = get_backend(backend)
    check_distance(engine, distance)
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


def check_distance(backend: Backend, distance: str) -> None:
    """Refuse a distance that neither the backend offers nor is crossnobis, which needs none.

    Raises
    ------
    InputError
        With the choices.
    """
    if distance != CROSSNOBIS and distance not in backend.distances:
        hint = f"(These are what backend {backend.name!r} offers, and crossnobis.)"
        raise unknown("distance", distance, (*backend.distances, CROSSNOBIS), hint)


def _crossnobis(
    source: Source, by: str, normalise: str | None, nan: str, precision: str
) -> xr.DataArray:
    patterns, squares = crossnobis_squares(
        source, by=by, normalise=normalise, nan=nan, precision=precision
    )
    version = f"numpy {np.__version__} float64"
    made = {"distance": CROSSNOBIS, "precision": precision, "by": by, "backend": version}
    made["products"] = products_of(source)
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
