"""Responses that name their stimuli by number: the n-th image, in the order of the stimuli."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.formats.matching import as_ids
from neurosage.errors import InputError


def numbers_of(
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None, first: int, owner: str
) -> dict[str, str]:
    """Return what each stimulus is called in a file that counts them.

    Parameters
    ----------
    stimulus_id : sequence of str or None
        The stimuli in order.
    first : int
        The number of the first one.
    owner : str
        Named in errors.

    Returns
    -------
    dict of str to str
        Number, as text, to the stimulus' id.

    Raises
    ------
    InputError
        If the stimuli are not known.

    Examples
    --------
    >>> numbers_of(["cat", "dog"], 1, "lab-it")
    {'1': 'cat', '2': 'dog'}
    """
    if stimulus_id is None:
        raise InputError(
            f"the card of {owner!r} says index = {first}, so ids are the numbers of images, but "
            "names no images: give images = { file = … }, or leave index out."
        )
    return {str(first + k): str(name) for k, name in enumerate(stimulus_id)}


def select_by_number(wanted: Mapping[str, Any], named: Mapping[str, str]) -> dict[str, Any]:
    """Return what is selected with ids of stimuli as the file has them.

    Parameters
    ----------
    wanted : mapping of str to scalar or list
        Coordinate to the values kept; ids of stimuli by name.
    named : mapping of str to str
        From `numbers_of`.

    Returns
    -------
    dict
        With numbers for ``stimulus_id``.

    Examples
    --------
    >>> select_by_number({"stimulus_id": ["dog"]}, {"1": "cat", "2": "dog"})
    {'stimulus_id': ['2']}
    """
    numbers = {name: number for number, name in named.items()}
    return {
        key: [numbers.get(i, i) for i in as_ids(np.atleast_1d(value))]
        if key == "stimulus_id"
        else value
        for key, value in wanted.items()
    }


def name_by_number(responses: xr.DataArray, named: Mapping[str, str]) -> xr.DataArray:
    """Call each presentation's stimulus by its id.

    Parameters
    ----------
    responses : xarray.DataArray
        Ids are numbers, all of which are in `named`.
    named : mapping of str to str
        From `numbers_of`.

    Returns
    -------
    xarray.DataArray
        The same, but for the ids.
    """
    ids = [named[str(number)] for number in responses["stimulus_id"].values]
    return responses.assign_coords(stimulus_id=("presentation", np.array(ids, object)))
