"""What stimuli may be averaged by: coordinates of presentations, columns of the stimuli."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from neurosage.data.average import average_repetitions
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError, unknown
from neurosage.rsa.arguments import check_by

STIMULI = "stimulus_id"
COUNTS = ("repetition", "repetitions")  # of presentations, never a stimulus' own
SIDES = ("first", "second")


def labelled(source: Any, responses: xr.DataArray, by: str) -> xr.DataArray:
    """Return responses with the column of the stimuli that is asked for, if they lack it.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Whose responses they are.
    responses : xarray.DataArray
        Assembly.
    by : str
        Coordinate on presentation, or column of a teacher's stimuli.

    Returns
    -------
    xarray.DataArray
        The same, or with one more coordinate.

    Raises
    ------
    InputError
        If `by` is neither, or some stimuli have no entry in the column.
    """
    check_by(by)
    if by == STIMULI or not isinstance(source, Teacher) or by in responses.coords:
        return responses
    table = source.stimuli.table.set_index(STIMULI)
    if by not in table.columns:
        kind = "coordinate on presentation, or column of the stimuli,"
        raise unknown(kind, by, choices_of(source, responses))
    column = table[by]
    if len(blank := column.index[column.isna()]):
        raise InputError(
            f"{len(blank)} of {len(column)} stimuli of {source.id!r} have no {by!r} "
            f"(first: {list(blank[:3])}); leave them out by stimuli.take, or give them one."
        )
    values = column.loc[list(responses[STIMULI].values)].to_numpy()
    return responses.assign_coords({by: ("presentation", values)})


def categories(responses: xr.DataArray, by: str, source: Any = None) -> dict[Any, Any]:
    """Return the category of each stimulus.

    Parameters
    ----------
    responses : xarray.DataArray
        Assembly, from `labelled`.
    by : str
        Coordinate on presentation, the same for all presentations of a stimulus.
    source : Teacher or xarray.DataArray, optional
        Whose they are, for the choices of a message.

    Returns
    -------
    dict
        By stimulus id.

    Raises
    ------
    InputError
        If there is no such coordinate; those there are are named.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0]], stimulus_id=["cat", "dog"], region="V4", fur=["red", "grey"])
    >>> categories(a, "fur")
    {'cat': 'red', 'dog': 'grey'}
    """
    check_by(by)
    if by not in choices_of(responses, responses):
        varies = by in responses.coords and responses[by].dims == ("presentation",)
        hint = f"(Presentations of one stimulus differ in {by!r}.)" if varies else ""
        choices = [name for name in choices_of(source, responses) if name != by]
        raise unknown("coordinate on presentation", by, choices, "" if by in COUNTS else hint)
    bare = _bare(responses)
    return dict(zip(bare[STIMULI].values, bare[by].values, strict=True))


def choices_of(source: Any, responses: xr.DataArray) -> list[str]:
    """Return what the stimuli of a recording may be averaged by.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        A teacher's stimuli have columns.
    responses : xarray.DataArray
        Its assembly.

    Returns
    -------
    list of str
        What is each stimulus' own, ``stimulus_id`` first.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0]], stimulus_id=["cat", "dog"], region="V4", fur=["red", "grey"])
    >>> choices_of(a, a)
    ['stimulus_id', 'fur']
    """
    bare = _bare(responses)
    found = [str(name) for name, c in bare.coords.items() if c.dims == ("presentation",)]
    columns: Any = source.stimuli.table.columns if isinstance(source, Teacher) else ()
    found += [str(name) for name in columns if name not in responses.coords]
    own = sorted({name for name in found if name not in (STIMULI, *COUNTS)})
    return [STIMULI, *own]


def check_categories(by: str, *sides: tuple[Any, xr.DataArray | None]) -> None:
    """Refuse categories that one of two sides lacks.

    Parameters
    ----------
    by : str
        Asked for.
    *sides : tuple of (Teacher or xarray.DataArray; xarray.DataArray or None)
        Recordings and their responses; None where only RDMs are held.

    Raises
    ------
    InputError
        With the choices that both have.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0]], stimulus_id=["cat", "dog"], region="V4", fur=["red", "grey"])
    >>> check_categories("fur", (a, a), (a, a))
    """
    check_by(by)
    if by == STIMULI:
        return
    found = {
        which: choices_of(source, responses)
        for which, (source, responses) in zip(SIDES, sides, strict=True)
        if responses is not None
    }
    lacking = [which for which, names in found.items() if by not in names]
    if not lacking:
        return
    both = [name for name in next(iter(found.values())) if all(name in f for f in found.values())]
    if len(lacking) == len(found):
        raise unknown("coordinate on presentation, or column of the stimuli,", by, both)
    raise InputError(
        f"by={by!r} averages the stimuli of both sides, and the {lacking[0]} side has no {by!r}; "
        f"give it: its_assembly.assign_coords({by}=('presentation', labels)), or choose what "
        f"both have: {', '.join(both)}."
    )


def _bare(responses: xr.DataArray) -> xr.DataArray:
    """Return the coordinates of a recording's stimuli, without its responses."""
    bare = responses.isel(neuroid=[0])
    return average_repetitions(bare.copy(data=np.zeros(bare.shape)))
