"""Two sides, aligned: the RDMs whose similarities are resampled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.data.assembly import region_names
from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Backend, check_offers, check_stimulus_count
from neurosage.rsa.between_rdms import check_given, first_rdms, holds_rdms_only, shared_rows
from neurosage.rsa.distances.noise_precision import (
    DEFAULTS,
    Precision,
    own_precision,
    precision_name,
)
from neurosage.rsa.distances.own_distances import (
    RDM_DISTANCES,
    WHITENED,
    backend_distance,
    check_distance,
    side_distance,
    side_precision,
)
from neurosage.rsa.distances.pairwise_missing import POLICY as PAIRWISE
from neurosage.rsa.distances.whitened import whiten
from neurosage.rsa.given import one_a_side
from neurosage.rsa.inference.squares import Held, Made, Squares, comparable
from neurosage.rsa.rdm import rdms
from neurosage.rsa.responses.patterns import (
    Patterns,
    Source,
    incomplete_stimuli,
    own_normalisation,
    read_patterns,
    responses_of,
)
from neurosage.rsa.ties import MADE, rounding_of
from neurosage.rsa.without_rdms import REPRESENTATIONS, distance_for


@dataclass(frozen=True, eq=False)
class Sides:
    """The RDMs of two sides over the same stimuli, in one order.

    Parameters
    ----------
    names_a, names_b : tuple of str
        The regions of `squares_a` and `squares_b`.
    stimulus_ids : array of object, shape (n,)
        Of rows and columns.
    squares_a, squares_b : Squares, sequences of arrays of float64, shape (n, n)
        Symmetric, zero diagonal; made when asked for where they take much memory.
    undefined : mapping of str to str
        Regions of `a` that have no RDM, which are not in `names_a`, and why.
    attrs : mapping of str to object
        How it was made, as in `similarity`.
    regions_a : tuple of str
        All regions of `a`, those without RDM too, in order.
    """

    names_a: tuple[str, ...]
    names_b: tuple[str, ...]
    stimulus_ids: Any
    squares_a: Squares
    squares_b: Squares
    undefined: Mapping[str, str]
    attrs: Mapping[str, Any]
    regions_a: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Asked:
    """What `read_sides` was asked for, checked."""

    distance: str
    normalise: tuple[str | None, str | None]
    nan: str
    precision: Precision
    engine: Backend

    def first(self, a: Source) -> tuple[xr.DataArray, dict[str, str]]:
        """Return the RDMs of the first side, and why regions have none."""
        settings = {"distance": self.distance, "nan": self.nan, "by": "stimulus_id"}
        return first_rdms(a, self.normalise[0], settings, self.engine, self.precision)

    def second(self, b: Source) -> xr.DataArray:
        """Return the RDMs of the second side."""
        own = self.normalise[1]
        if holds_rdms_only(b):
            return rdms(b, self.distance, normalise=None if own == "none" else own)
        how: dict[str, Any] = {"backend": self.engine, "nan": self.nan}
        return rdms(b, self.distance, normalise=own, precision=self.precision, **how)


def read_sides(
    a: Source,
    b: Source,
    distance: str | None = None,
    comparison: str = "pearson",
    *,
    normalise: tuple[str | None, str | None] = (None, None),
    nan: str = "raise",
    precision: Precision = None,
    undefined: str = "raise",
) -> Sides:
    """Make the RDMs of two recordings, aligned by stimulus as `similarity` aligns them.

    Parameters
    ----------
    a, b : Teacher or xarray.DataArray
        Responses, dims ``presentation × neuroid``, or RDMs, of the same stimuli.
    distance, comparison, normalise, nan, precision
        As in `similarity`; for one by ranks, distances are tied that differ by rounding alone.
    undefined : {"raise", "nan"}
        What becomes of a region of `a` that has no RDM: an error, or left out and named.

    Returns
    -------
    Sides
        Stimuli in the order of `b`.

    Raises
    ------
    InputError
        As `similarity`.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[0.0], [1.0], [3.0]], stimulus_id=["a", "b", "c"], region="V4")
    >>> read_sides(a, a[::-1], "euclidean").squares_a[0]
    array([[0., 4., 9.],
           [4., 0., 1.],
           [9., 1., 0.]])
    """
    if undefined not in ("raise", "nan"):
        raise unknown("value of undefined", undefined, ("raise", "nan"))
    engine = _check_resampled(comparison)
    distance = distance_for(comparison, distance, b, a)
    check_distance(engine, distance)
    own_precision(distance, precision)  # refuses one where the distance has none
    asked = _Asked(distance, one_a_side(normalise), nan, precision, engine)
    check_given(a, b, "stimulus_id", asked.normalise)
    formed = distance in RDM_DISTANCES or nan == PAIRWISE
    if formed or holds_rdms_only(a) or holds_rdms_only(b):
        return _from_rdms(a, b, asked, comparison, undefined)
    return _from_responses(a, b, asked, comparison, undefined)


def _check_resampled(comparison: str) -> Backend:
    """Return the backend that makes the RDMs, if it has the comparison and that has RDMs."""
    from neurosage.rsa.backends.torch.backend import TorchBackend

    if comparison in REPRESENTATIONS:
        raise InputError(
            f"comparison {comparison!r} makes no RDM, and only RDMs can be resampled; use "
            "comparison='cka', or 'pearson'."
        )
    engine = cast(Backend, TorchBackend(dtype="float64"))
    check_offers(engine, engine.distances[0], comparison)
    return engine


def _from_responses(a: Source, b: Source, asked: _Asked, comparison: str, undefined: str) -> Sides:
    without: list[Any] = []
    own_a, own_b = asked.normalise
    if asked.nan == "drop-stimulus":
        own_normalisation(a, own_a)
        without = list(dict.fromkeys(incomplete_stimuli(a) + incomplete_stimuli(b)))
    patterns_b = read_patterns(b, normalise=own_b, nan=asked.nan, without=without)
    check_stimulus_count(len(patterns_b.stimulus_ids))
    patterns_a = read_patterns(
        a,
        normalise=own_a,
        # The rows are fixed by now, and what b lost is lost here too.
        nan="raise" if asked.nan == "drop-stimulus" else asked.nan,
        without=patterns_b.dropped.get("stimuli", ()),
        order=patterns_b.stimulus_ids,
    )
    distance_a = side_distance(a, asked.distance, asked.precision)
    if distance_a in WHITENED:
        chosen = side_precision(a, asked.precision)
        patterns_a = whiten(patterns_a, a, own_precision(distance_a, chosen))
    if asked.distance in WHITENED:
        patterns_b = whiten(patterns_b, b, own_precision(asked.distance, asked.precision))
    made_a, made_b = backend_distance(distance_a), backend_distance(asked.distance)
    reasons = _without_rdm(patterns_a, made_a)
    _without_raising(reasons, undefined)
    names = tuple(name for name in patterns_a.regions if name not in reasons)
    for region in patterns_b.regions:
        patterns_b.required(region, made_b)
    return Sides(
        names_a=names,
        names_b=patterns_b.regions,
        stimulus_ids=patterns_b.stimulus_ids,
        squares_a=comparable(Made(patterns_a, names, made_a), comparison, MADE),
        squares_b=comparable(Made(patterns_b, patterns_b.regions, made_b), comparison, MADE),
        undefined=reasons,
        attrs=_attrs(
            asked,
            comparison,
            distance_a=distance_a,
            normalise=(patterns_a.normalise, patterns_b.normalise),
            n=len(patterns_b.stimulus_ids),
            made_by=f"numpy {np.__version__} float64",
            dropped={"a": patterns_a.dropped, "b": patterns_b.dropped},
        ),
        regions_a=patterns_a.regions,
    )


def _without_rdm(patterns: Patterns, distance: str) -> dict[str, str]:
    reasons = {name: patterns.usable(name, distance)[1] for name in patterns.regions}
    return {name: reason for name, reason in reasons.items() if reason}


def _without_raising(reasons: Mapping[str, str], undefined: str) -> None:
    if reasons and undefined == "raise":
        region, reason = next(iter(reasons.items()))
        others = [name for name in reasons if name != region]
        more = f" Likewise without similarity: {others[:5]}." if others else ""
        raise InputError(f"region {region!r}: {reason}{more}")


def _from_rdms(a: Source, b: Source, asked: _Asked, comparison: str, undefined: str) -> Sides:
    made_b = asked.second(b)
    made_a, reasons = asked.first(a)
    _without_raising(reasons, undefined)
    rows_a, rows_b, dropped = shared_rows(made_a, made_b)
    check_stimulus_count(len(rows_b))
    names_a, names_b = (tuple(map(str, made["region"].values)) for made in (made_a, made_b))
    lost = [json.loads(made.attrs.get("dropped", "{}")) for made in (made_a, made_b)]
    return Sides(
        names_a=names_a,
        names_b=names_b,
        stimulus_ids=made_b["stimulus_id_i"].values[rows_b],
        squares_a=comparable(Held(made_a.values, rows_a), comparison, rounding_of(made_a)),
        squares_b=comparable(Held(made_b.values, rows_b), comparison, rounding_of(made_b)),
        undefined=reasons,
        attrs=_attrs(
            asked,
            comparison,
            distance_a=str(made_a.attrs.get("distance", asked.distance)),
            normalise=tuple(str(m.attrs.get("normalise", "unknown")) for m in (made_a, made_b)),
            n=len(rows_b),
            made_by=asked.engine.version,
            dropped={"a": {**lost[0], **dropped}, "b": lost[1]},
        ),
        regions_a=_all_regions(a, names_a),
    )


def _all_regions(a: Source, names: tuple[str, ...]) -> tuple[str, ...]:
    return names if holds_rdms_only(a) else region_names(responses_of(a))


def _attrs(
    asked: _Asked,
    comparison: str,
    *,
    distance_a: str,
    normalise: tuple[str, ...],
    n: int,
    made_by: str,
    dropped: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "distance": asked.distance,
        "distance_a": distance_a,
        "comparison": comparison,
        "normalise_a": normalise[0],
        "normalise_b": normalise[1],
        **_precision(asked),
        "nan": asked.nan,
        "n_stimuli": n,
        "dropped": json.dumps(dropped if any(dropped.values()) else {}, default=str),
        "backend": made_by,
        "neurosage": __version__,
    }


def _precision(asked: _Asked) -> dict[str, str]:
    if asked.distance not in DEFAULTS:
        return {}
    return {"precision": str(precision_name(own_precision(asked.distance, asked.precision)))}
