"""RDMs that are given instead of responses: their contract, and what may be asked of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurosage.data.teacher import RDM_DIMS, SUBJECT_DIMS, Teacher
from neurosage.errors import InputError, unknown
from neurosage.rsa.arguments import check_by
from neurosage.rsa.distances.noise_precision import PRECISIONS, Precision, precision_name
from neurosage.rsa.distances.own_distances import WITHOUT_REPETITIONS
from neurosage.rsa.responses.normalise import check_method

DEFAULT_DISTANCE = "correlation"
UNASKED = {"by": "stimulus_id", "normalise": None, "precision": "none"}


def is_rdms(value: object) -> bool:
    """Tell whether a value has the dims of RDMs, with subjects or without."""
    return isinstance(value, xr.DataArray) and value.dims in (RDM_DIMS, SUBJECT_DIMS)


def given_rdms(source: Any) -> tuple[Any, str]:
    """Return the RDMs that stand for a recording and who holds them; None where it answers.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses, or RDMs.

    Returns
    -------
    tuple of (xarray.DataArray or None; str)
        The words start a message.
    """
    if is_rdms(source):
        return source, "these RDMs are"
    if isinstance(source, Teacher) and source.assembly is None:
        return source.stored_rdms, f"teacher {source.id!r} holds only RDMs that are"
    return None, ""


def own_distance(distance: str | None, *sources: Any) -> str:
    """Return the distance asked for, or that of the first RDMs given, or correlation.

    Parameters
    ----------
    distance : str or None
        Asked for.
    *sources : Teacher or xarray.DataArray
        The second side of a comparison first.

    Raises
    ------
    InputError
        If none was asked for, and the RDMs given are of different distances.

    Examples
    --------
    >>> own_distance(None, xr.DataArray(0.0))
    'correlation'
    """
    if distance is not None:
        return distance
    held = [given for given, _ in map(given_rdms, sources) if given is not None]
    known = [str(given.attrs["distance"]) for given in held if "distance" in given.attrs]
    if len(set(known)) > 1 and WITHOUT_REPETITIONS.get(known[0]) != known[1]:
        pairs = (f"{plain} with {name}" for name, plain in WITHOUT_REPETITIONS.items())
        raise InputError(
            f"one side is RDMs of {known[1]!r} distance, the other of {known[0]!r}; compare RDMs "
            f"of one distance (or, a first, with b second: {', '.join(pairs)})."
        )
    return known[0] if known else DEFAULT_DISTANCE


def one_a_side(normalise: object) -> tuple[str | None, str | None]:
    """Return the normalisations of the two sides of a comparison.

    Parameters
    ----------
    normalise : tuple of two str or None
        Of the first side and of the second.

    Returns
    -------
    tuple of two str or None
        The same.

    Raises
    ------
    InputError
        If it is not two.

    Examples
    --------
    >>> one_a_side((None, "zscore"))
    (None, 'zscore')
    """
    if isinstance(normalise, str):
        pair = normalise, normalise
        raise InputError(
            f"normalise is of both sides here: a pair such as normalise={pair!r}, not "
            f"{normalise!r}."
        )
    if not isinstance(normalise, Sequence) or len(normalise) != 2:
        raise InputError(
            f"normalise has one entry a side, such as ('none', 'zscore'), not {normalise!r}."
        )
    return normalise[0], normalise[1]


def stored(
    source: Any,
    distance: str | None = None,
    by: str = "stimulus_id",
    normalise: str | None = None,
    precision: Precision = None,
) -> xr.DataArray | None:
    """Return given RDMs as they are, those of subjects averaged, or None if responses are given.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses, or RDMs.
    distance, by, normalise, precision
        Asked for, as in `rdms`.

    Returns
    -------
    xarray.DataArray or None
        Dims ``region × stimulus_i × stimulus_j``.

    Raises
    ------
    InputError
        If something is asked for that only responses could give, or the RDMs break their
        contract.
    """
    check_by(by)
    given, holder = given_rdms(source)
    if given is None:
        return None
    checked = check_rdms(given)
    made = checked.attrs.get("distance", distance)
    if distance not in (None, made):
        raise InputError(
            f"{holder} of {made!r} distance; {distance!r} was asked for. Leave distance out, or "
            f"give distance={made!r}."
        )
    check_asked(checked, holder, by=by, normalise=normalise, precision=precision)
    if "subject" not in checked.dims:
        return checked
    averaged = checked.mean("subject", keep_attrs=True)
    return averaged.assign_attrs(averaged_over=f"{checked.sizes['subject']} subjects")


def check_asked(given: xr.DataArray, holder: str, **asked: Precision) -> None:
    """Refuse what acts on responses, unless the RDMs are known to be made so.

    Parameters
    ----------
    given : xarray.DataArray
        RDMs.
    holder : str
        Who holds them, from `given_rdms`.
    **asked : str, mapping or None
        ``by``, ``normalise``, ``precision``.

    Raises
    ------
    InputError
        If a value is unknown, or not what the RDMs were made with.
    """
    if asked.get("normalise") is not None:
        check_method(str(asked["normalise"]))
    chosen = precision_name(asked.get("precision"))
    if chosen not in (None, "given", *PRECISIONS):
        raise unknown("precision", chosen, PRECISIONS)
    for name, value in asked.items():
        own = given.attrs.get(name)
        shown = precision_name(value)
        # Given matrices are never known to be those that the RDMs were made with.
        if shown in (None, UNASKED[name]) or (shown == own and not isinstance(value, Mapping)):
            continue
        raise InputError(
            f"{name}={shown!r} acts on responses, but {holder} made already "
            f"({name}: {'unknown' if own is None else own}); leave {name} out, or give responses."
        )


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
        If dims or ids are wrong, regions are not unique, or the RDMs not symmetric or with NaN.
    """
    if not is_rdms(value):
        raise InputError(
            f"RDMs are an xarray.DataArray with dims {RDM_DIMS}, made by neurosage.rdms."
        )
    missing = {"region", "stimulus_id_i", "stimulus_id_j"} - set(value.coords)
    if missing:
        raise InputError(f"the RDMs have no coordinate {sorted(missing)}.")
    rows, columns = value["stimulus_id_i"].values, value["stimulus_id_j"].values
    if len(rows) != len(columns) or (rows != columns).any():
        raise InputError("rows and columns of the RDMs must be the same stimuli in one order.")
    if len(set(rows)) != len(rows):
        raise InputError("the RDMs' stimuli must be unique.")
    names = [str(name) for name in value["region"].values]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(
            f"the RDMs' regions must be unique, but {twice[0]!r} is the name of "
            f"{names.count(twice[0])}; rename them with assign_coords(region=[...])."
        )
    regions = value.transpose("region", ...).values
    for name, square in zip(value["region"].values, regions, strict=True):
        if not np.allclose(square, square.swapaxes(-1, -2)):
            raise InputError(f"the RDM of {str(name)!r} is not symmetric or has missing values.")
    return value
