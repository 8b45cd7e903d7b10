"""What a picture can be drawn of: what is something else is told what to give instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.teacher import RDM_DIMS, SUBJECT_DIMS, Teacher
from neurosage.errors import InputError

if TYPE_CHECKING:
    from neurosage.scoring.result import Score

Labels: TypeAlias = Sequence[Any] | npt.NDArray[Any] | None
SECOND_ORDER = ("region_a", "region_b")
LABELS = "such as those of teacher.stimuli.table['label']"
MUTUAL = "neurosage.report.mutual.mutual_similarity"


def is_mutual(value: Any) -> TypeGuard[xr.DataArray]:
    """Return whether these are similarities of regions, dims ``region_a × region_b``.

    Examples
    --------
    >>> is_mutual(xr.DataArray(np.eye(2), dims=("region_a", "region_b"))), is_mutual(np.eye(2))
    (True, False)
    """
    return isinstance(value, xr.DataArray) and value.dims == SECOND_ORDER


def checked_rdms(value: Any, picture: str) -> xr.DataArray:
    """Return RDMs of one region or more.

    Parameters
    ----------
    value : object
        What was given for RDMs.
    picture : str
        What draws them, for the message.

    Returns
    -------
    xarray.DataArray
        Dims ``region × stimulus_i × stimulus_j``, perhaps ``subject`` before them; one region
        that was selected (``rdms.sel(region="V4")``) has its dim again.

    Raises
    ------
    InputError
        If it is something else, has no region, or is not square.

    Examples
    --------
    >>> checked_rdms("V4", "plot_rdms")
    Traceback (most recent call last):
    neurosage.errors.InputError: plot_rdms draws RDMs, and this is the text 'V4'; give those of \
neurosage.rdms(teacher).
    """
    rdms = value
    if isinstance(value, xr.DataArray) and value.dims == RDM_DIMS[1:] and "region" in value.coords:
        rdms = value.expand_dims("region")
    if not isinstance(rdms, xr.DataArray) or rdms.dims not in (RDM_DIMS, SUBJECT_DIMS):
        step = _instead(value, "give those of neurosage.rdms(teacher)")
        raise InputError(f"{picture} draws RDMs, and this is {in_words(value)}; {step}.")
    if 0 in rdms.shape or rdms.sizes["stimulus_i"] != rdms.sizes["stimulus_j"]:
        raise InputError(
            f"{picture} draws RDMs, and these have the shape {rdms.shape}; select the same stimuli "
            "on both sides (rdms.isel(stimulus_i=k, stimulus_j=k)), one or more, and regions."
        )
    return rdms


def checked_score(value: Any, picture: str) -> Score:
    """Return a score.

    Parameters
    ----------
    value : object
        What was given for a score.
    picture : str
        What draws it, for the message.

    Raises
    ------
    InputError
        If it is something else.

    Examples
    --------
    >>> checked_score("pixels", "plot_similarity")
    Traceback (most recent call last):
    neurosage.errors.InputError: plot_similarity draws a Score, and this is the text 'pixels'; \
give that of neurosage.score(model, teacher).
    """
    from neurosage.scoring.result import Score

    if isinstance(value, Score):
        return value
    step = "give that of neurosage.score(model, teacher)"
    if is_mutual(value):
        step += f", or draw similarities of one another ({MUTUAL}) by neurosage.plot_regions"
    raise InputError(f"{picture} draws a Score, and this is {in_words(value)}; {step}.")


def checked_mutual(value: Any, picture: str) -> xr.DataArray:
    """Return similarities of regions and layers with one another.

    Parameters
    ----------
    value : object
        What was given for them.
    picture : str
        What draws them, for the message.

    Returns
    -------
    xarray.DataArray
        Dims ``region_a × region_b``, the same names on both.

    Raises
    ------
    InputError
        If it is something else, or the names differ.

    Examples
    --------
    >>> checked_mutual(3, "plot_regions")
    Traceback (most recent call last):
    neurosage.errors.InputError: plot_regions draws similarities of regions with one another, and \
this is an int; give those of neurosage.report.mutual.mutual_similarity({"brain": teacher, …}).
    """
    if not is_mutual(value):
        raise InputError(
            f"{picture} draws similarities of regions with one another, and this is "
            f'{in_words(value)}; give those of {MUTUAL}({{"brain": teacher, …}}).'
        )
    if [*map(str, value["region_a"].values)] != [*map(str, value["region_b"].values)]:
        raise InputError(
            "a map of regions needs their similarities with one another, the same names on both "
            f"dims: {MUTUAL} gives them."
        )
    return value


def as_groups(labels: Labels, number: int, what: str = "points") -> npt.NDArray[Any]:
    """Return labels as text, one for each point; empty where there are none.

    Raises
    ------
    InputError
        If they are of another number, or no sequence.

    Examples
    --------
    >>> as_groups([1, 2], 2).tolist(), as_groups(None, 1).tolist()
    (['1', '2'], [''])
    """
    if labels is None:
        return np.array([""] * number, object)
    flat = np.asarray(labels, object)
    if flat.ndim != 1:
        raise InputError(
            f"labels are {in_words(labels)}, and there are {number} {what}; give a label for "
            f"each, {LABELS}."
        )
    if len(flat) != number:
        raise InputError(
            f"there are {len(flat)} labels for {number} {what}; give one for each, {LABELS}."
        )
    return np.array([str(label) for label in flat], object)


def in_words(value: Any) -> str:
    """Say what a value is, for the message that refuses it.

    Examples
    --------
    >>> in_words("abc"), in_words(np.eye(5)), in_words([1, 2]), in_words(None)
    ("the text 'abc'", 'an array of shape (5, 5)', 'a list of 2', 'None')
    """
    if isinstance(value, Teacher):
        return f"the Teacher {value.id!r}"
    if isinstance(value, str):
        return f"the text {value if len(value) < 60 else value[:59] + '…'!r}"
    if isinstance(value, xr.DataArray):
        return f"a DataArray of dims {' × '.join(map(str, value.dims)) or '(none)'}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if value is None:
        return "None"
    name = type(value).__name__
    number = f" of {len(value)}" if isinstance(value, list | tuple | dict) else ""
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}{number}"


def _instead(value: Any, usual: str) -> str:
    """What to do with a value that RDMs can be made of, or that another picture draws."""
    from neurosage.scoring.result import Score

    if isinstance(value, Teacher):
        return "compute RDMs first: neurosage.rdms(teacher)"
    if isinstance(value, Score):
        return "neurosage.plot_similarity draws that"
    if is_mutual(value):
        return "neurosage.plot_regions draws that"
    if isinstance(value, xr.DataArray) and "neuroid" in value.dims:
        return "compute RDMs first: neurosage.rdms(assembly)"
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.shape[0] == value.shape[1]:
        return (
            f"name its dims, {' × '.join(RDM_DIMS)}: xarray.DataArray(matrix[None], "
            f"dims={RDM_DIMS}, coords={{'region': ['V4']}})"
        )
    return usual
