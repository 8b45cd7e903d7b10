"""What a format cannot carry is listed, never dropped in silence; files are written whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import xarray as xr

from neurosage.errors import InputError


def without_lost(
    responses: xr.DataArray,
    lost: Mapping[str, str],
    attributes: Mapping[str, str] | None = None,
    *,
    carrier: str,
    drop: Collection[str] = (),
    remedy: str = "",
) -> xr.DataArray:
    """Return the assembly without what the format cannot carry, if the caller agreed to that.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.
    lost : mapping of str to str
        Coordinate (or attribute, or ``"name"``, where no coordinate is called so) → why
        the format cannot carry it.
    attributes : mapping of str to str, optional
        Further ones that are attributes, or the name, though a coordinate be called so.
    carrier : str
        The format in words, such as "a table".
    drop : collection of str
        What may be left out; ``"all"`` allows everything.
    remedy : str
        What else can be done, as the end of the sentence.

    Returns
    -------
    xarray.DataArray
        Without these coordinates and attributes.

    Raises
    ------
    InputError
        That lists every field not named in `drop`.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0]], stimulus_id=["cat"], region="V4")
    >>> lost = {"region": "stands on neuroid"}
    >>> sorted(without_lost(a, lost, carrier="a table", drop=["region"]).coords)
    ['neuroid_id', 'repetition', 'stimulus_id']
    """
    allowed = {drop} if isinstance(drop, str) else set(drop)
    every = [*lost.items(), *(attributes or {}).items()]
    if "all" not in allowed and (left := [pair for pair in every if pair[0] not in allowed]):
        listed = ", ".join(f"{field} ({why})" for field, why in left)
        raise InputError(
            f'{carrier} cannot carry: {listed}. Name them in drop=…, or "all"{remedy}.'
        )
    columns = [key for key in lost if key in responses.coords]
    gone = {*lost}.difference(columns) | {*(attributes or {})}
    bare = responses.drop_vars(columns).copy(deep=False)
    bare.attrs = {key: value for key, value in responses.attrs.items() if key not in gone}
    return bare.rename(None) if "name" in gone and "name" not in responses.attrs else bare


def why_no_text(values: Any) -> str:
    """Return why a column of objects is not text that a file can hold, or ``""``.

    Parameters
    ----------
    values : array_like
        Of objects.

    Returns
    -------
    str
        Empty where all are text without NUL characters, in Unicode.

    Examples
    --------
    >>> why_no_text(["cat", None])
    'NoneType among text'
    """
    for value in np.asarray(values, object).ravel():
        if not isinstance(value, str):
            return f"{type(value).__name__} among text"
        if "\0" in value or not _encodes(value):
            return "text with characters that no file holds"
    return ""


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path beside, renamed to `path` when all is written, removed when it is not.

    Parameters
    ----------
    path : Path
        What is written; its folder is made.

    Yields
    ------
    Path
        With the same suffix.

    Raises
    ------
    InputError
        If the folder cannot be written to.
    """
    part = path.with_name(f".{uuid4().hex}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield part
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except (FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error
