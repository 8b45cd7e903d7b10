"""Ids as text, and ids of two sources that name the same stimuli."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from neurosage.data.images import SUFFIXES
from neurosage.errors import InputError

LOGGER = logging.getLogger("neurosage")
IDS = ("stimulus_id", "neuroid_id", "region")


def as_ids(values: npt.ArrayLike) -> npt.NDArray[np.object_]:
    """Return names as text: whole numbers without a point, missing ones as None.

    Parameters
    ----------
    values : array_like, shape (n,)
        Text, bytes or numbers.

    Returns
    -------
    numpy.ndarray of object, shape (n,)
        Text, or None.

    Examples
    --------
    >>> list(as_ids([3.0, 4.0])), list(as_ids(["cat"]))
    (['3', '4'], ['cat'])
    """
    named = [_as_id(value) for value in np.asarray(values).ravel().tolist()]
    return np.array([*named, None], object)[:-1]


def _as_id(value: Any) -> str | None:
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def match_ids(
    responses: xr.DataArray,
    stimulus_id: Sequence[str] | npt.NDArray[Any] | None,
    source: Path | str,
    *,
    some: bool = False,
) -> xr.DataArray:
    """Call stimuli as the stimulus set does, where folder or suffix is all that differs.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.
    stimulus_id : sequence of str or None
        The stimulus set's; None leaves the assembly as it is.
    source : Path or str
        Named in errors.
    some : bool
        Whether stimuli may be without a response, as presentations were selected.

    Returns
    -------
    xarray.DataArray
        With exactly these ids, or with `some` of them; order is kept.

    Raises
    ------
    InputError
        If the two hold different stimuli.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1], [2]], stimulus_id=["b.png", "a.png"], region="V4")
    >>> list(match_ids(a, ["a", "b"], "r.mat").stimulus_id.values)
    ['b', 'a']
    """
    if stimulus_id is None:
        return responses
    named = alike(responses["stimulus_id"].values, stimulus_id, source, some=some)
    return responses.assign_coords(stimulus_id=("presentation", named))


def alike(
    column: Any, wanted: Any, source: Path | str, *, some: bool = False
) -> npt.NDArray[np.object_]:
    """Return a column of ids as the wanted ids say them; see `match_ids`."""
    own = [str(name) for name in pd.unique(pd.Series(column, dtype=object))]
    known = list(dict.fromkeys(map(str, wanted)))
    for left_out, shorten in _ways(own, known):
        ours = {shorten(name): name for name in known}
        theirs = {shorten(name) for name in own}
        if theirs <= set(ours) if some else theirs == set(ours):
            if left_out:
                LOGGER.info("%s: stimuli are matched without %s of their ids", source, left_out)
            return np.array([*(ours[shorten(str(name))] for name in column), None], object)[:-1]
    missing, extra = unmatched(own, known)
    raise InputError(
        f"{source} holds responses to {len(own)} stimuli, but {len(known)} were shown: "
        f"{len(missing)} have none (first: {missing[:3]}), {len(extra)} were not shown "
        f"(first: {extra[:3]}). Ids are matched by name, with or without an image's suffix, or "
        "folders that only one side has; where the file counts the images, say index = 1 (the "
        "first image is number 1) of the responses, or give a table of stimuli whose "
        "stimulus_id are the numbers."
    )


def unmatched(own: Iterable[str], known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the ids on either side that the other lacks, compared as `match_ids` does.

    Parameters
    ----------
    own, known : iterable of str
        Ids of responses, and of the stimuli shown.

    Returns
    -------
    missing, extra : list of str
        The known without responses, and those that are not known; by the way of comparing
        that leaves the fewest.

    Examples
    --------
    >>> unmatched(["a.png", "z.png"], ["a", "b"])
    (['b'], ['z.png'])
    """
    left, right = list(dict.fromkeys(own)), list(dict.fromkeys(known))
    found = []
    for _, shorten in _ways(left, right):
        ours, theirs = {shorten(name) for name in right}, {shorten(name) for name in left}
        missing = [name for name in right if shorten(name) not in theirs]
        found.append((missing, [name for name in left if shorten(name) not in ours]))
    return min(found, key=lambda pair: len(pair[0]) + len(pair[1]))


def _ways(own: list[str], known: list[str]) -> list[tuple[str, Callable[[str], str]]]:
    """What may be left out of ids, the least first: never so that two become one."""
    ways: list[tuple[str, Callable[[str], str]]] = [("", str), ("the suffix", _bare)]
    if any(not any(map(_in_folder, names)) for names in (own, known)):
        ways += [("the folder", _name), ("folder and suffix", lambda name: _name(_bare(name)))]
    sides = (own, known)
    return [
        way for way in ways
        if not way[0] or all(len(set(map(way[1], names))) == len(names) for names in sides)
    ]  # fmt: skip


def _bare(name: str) -> str:
    """The id without the suffix of an image: nothing else behind a point is one."""
    suffix = next((one for one in SUFFIXES if name.lower().endswith(one)), "")
    return name[: len(name) - len(suffix)] or name


def _in_folder(name: str) -> bool:
    return _name(name) != name


def _name(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2] or name


def as_ids_too(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is selected with the values of ids named as the ids are.

    Parameters
    ----------
    chosen : mapping of str to scalar or list
        Coordinate → values kept.

    Returns
    -------
    dict
        Text for ``stimulus_id``, ``neuroid_id`` and ``region``.

    Examples
    --------
    >>> as_ids_too({"stimulus_id": 7, "depth": 0.5})
    {'stimulus_id': ['7'], 'depth': 0.5}
    """
    return {k: list(as_ids(np.atleast_1d(v))) if k in IDS else v for k, v in chosen.items()}
