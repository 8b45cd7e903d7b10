"""RDMs by region: which way each distance is made, and what is said of how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.data.teacher import RDM_DIMS as DIMS
from neurosage.rsa.backends.base import Backend, Floats, check_memory
from neurosage.rsa.distances.crossnobis import crossnobis_squares, products_of
from neurosage.rsa.distances.noise_precision import Precision, own_precision, precision_name
from neurosage.rsa.distances.own_distances import (
    CROSSNOBIS,
    POISSON,
    POISSON_CV,
    RDM_DISTANCES,
    WHITENED,
    backend_distance,
    check_distance,
)
from neurosage.rsa.distances.pairwise_missing import POLICY as PAIRWISE
from neurosage.rsa.distances.pairwise_missing import (
    check_pairwise,
    pairwise_square,
    read_incomplete,
)
from neurosage.rsa.distances.poisson import (
    DEFAULT_PRIOR,
    Prior,
    check_rates,
    not_rates,
    poisson_cv_squares,
    poisson_square,
)
from neurosage.rsa.distances.whitened import whiten
from neurosage.rsa.responses.patterns import Patterns, Source, read_patterns

OWN = f"numpy {np.__version__} float64"


@dataclass(frozen=True)
class Asked:
    """How RDMs are to be made.

    Parameters
    ----------
    distance, by, normalise, nan, precision
        As in `rdms`.
    backend : Backend
        What computes those distances that are not made here.
    prior : Prior
        Of Poisson distances.

    Raises
    ------
    InputError
        If the distance is unknown, or has no such policy for missing responses or precision.
    """

    distance: str
    by: str
    normalise: str | None
    backend: Backend
    nan: str
    precision: Precision = None
    prior: Prior = DEFAULT_PRIOR

    def __post_init__(self) -> None:
        """Check what goes together."""
        check_distance(self.backend, self.distance)
        own_precision(self.distance, self.precision)
        if self.nan == PAIRWISE:
            check_pairwise(self.distance, self.by)

    @property
    def own_precision(self) -> str | Mapping[str, Any]:
        """The precision, or the distance's own if none was asked for."""
        return own_precision(self.distance, self.precision)


def make_rdms(source: Source, asked: Asked) -> tuple[xr.DataArray, dict[str, str]]:
    """Make the RDMs of responses.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses, dims ``presentation × neuroid``.
    asked : Asked
        How.

    Returns
    -------
    tuple of (xarray.DataArray; dict of str to str)
        Dims ``region × stimulus_i × stimulus_j``, without the regions that have no RDM; and
        why these have none.

    Raises
    ------
    InputError
        If what is wrong is not of single regions.
    """
    if asked.distance in (CROSSNOBIS, POISSON_CV):
        return _of_repetitions(source, asked), {}
    patterns = _read(source, asked)
    squares, reasons, notes = _squares(patterns, asked)
    kept = tuple(region for region in patterns.regions if region not in reasons)
    return _label(squares, replace(patterns, regions=kept), _made(asked) | notes), reasons


def _made(asked: Asked) -> dict[str, Any]:
    """Say how RDMs were made, for attributes."""
    made: dict[str, Any] = {"distance": asked.distance, "by": asked.by, "nan": asked.nan}
    if asked.distance in (CROSSNOBIS, *WHITENED):
        made["precision"] = precision_name(asked.own_precision)
    if asked.distance in (POISSON, POISSON_CV):
        made["prior_lambda"], made["prior_weight"] = asked.prior.rate, asked.prior.weight
    numpy_alone = asked.distance in RDM_DISTANCES
    return {**made, "backend": OWN if numpy_alone else asked.backend.version}


def _read(source: Source, asked: Asked) -> Patterns:
    if asked.distance == POISSON:
        check_rates(source, asked.normalise, POISSON)
    if asked.nan == PAIRWISE:
        return read_incomplete(source, asked.normalise)
    patterns = read_patterns(source, normalise=asked.normalise, by=asked.by, nan=asked.nan)
    if asked.distance in WHITENED:
        return whiten(patterns, source, asked.own_precision)
    return patterns


def _squares(patterns: Patterns, asked: Asked) -> tuple[Floats, dict[str, str], dict[str, Any]]:
    """Return the RDMs of the regions that have one, the reasons of others, and notes."""
    n, count = len(patterns.stimulus_ids), len(patterns.regions)
    check_memory(
        8 * n * n * (count + (5 if asked.nan == PAIRWISE else 2)),
        f"{count} RDMs of {n} stimuli",
        "Compare the assemblies themselves (similarity), which forms no RDM.",
    )
    values, reasons, shared = np.zeros((count, n, n)), {}, []
    filled = 0
    for region in patterns.regions:
        reason, fewest = _fill_region(values[filled], patterns, region, asked)
        filled += not reason
        if reason:
            reasons[region] = reason
        elif fewest is not None:
            shared.append(fewest)
    return values[:filled], reasons, {"shared_neuroids": min(shared)} if shared else {}


def _fill_region(
    square: Floats, patterns: Patterns, region: str, asked: Asked
) -> tuple[str, int | None]:
    """Fill in one RDM, or return why there is none; and the fewest neuroids a pair shares."""
    if asked.nan == PAIRWISE and np.isnan(np.asarray(patterns.matrix(region))).any():
        found, reason, count = pairwise_square(patterns, region, asked.distance)
        if not reason:
            square[:] = found
        return reason, None if reason else int(count.min())
    distance = backend_distance(asked.distance)
    matrix, reason = patterns.usable(region, distance)
    if not reason and distance == POISSON:
        names = patterns.neuroid_ids[patterns.columns[region]]
        reason = not_rates(np.asarray(matrix), names, POISSON, asked.prior)
    if reason:
        return reason, None
    if distance == POISSON:
        square[:] = poisson_square(np.asarray(matrix), asked.prior)
    else:
        _fill(square, asked.backend.rdm(matrix, distance))
    return "", None


def _of_repetitions(source: Source, asked: Asked) -> xr.DataArray:
    """Make RDMs from products of different repetitions; these are needed of every region."""
    if asked.distance == CROSSNOBIS:
        patterns, squares = crossnobis_squares(
            source,
            by=asked.by,
            normalise=asked.normalise,
            nan=asked.nan,
            precision=asked.precision,
        )
    else:
        patterns, squares = poisson_cv_squares(
            source, by=asked.by, normalise=asked.normalise, nan=asked.nan, prior=asked.prior
        )
    return _label(squares, patterns, _made(asked) | {"products": products_of(source)})


def _fill(square: Floats, condensed: Floats) -> None:
    n, filled = len(square), 0
    for row in range(n - 1):
        part = condensed[filled : filled + n - 1 - row]
        square[row, row + 1 :] = part
        square[row + 1 :, row] = part
        filled += len(part)


def _label(values: Floats, patterns: Patterns, made: dict[str, Any]) -> xr.DataArray:
    ids = patterns.stimulus_ids
    widths = [patterns.neuroid_ids[patterns.columns[name]].size for name in patterns.regions]
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
