"""An array that may be responses, and what its lengths and values tell of its dims."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

UNKNOWN = "?"  # what a person has to fill in


@dataclass(frozen=True)
class ArrayFound:
    """An array that may be responses.

    Parameters
    ----------
    path : Path
        Its file.
    format : str
        Of `neurosage.data.formats`.
    shape : tuple of int
        As the format gives it; empty where that is not known.
    keys : dict
        What a card says of it: ``key``, ``dims``, ``coordinates``, …
    says_region : bool
        Whether the file itself says the region of its neuroids.
    notes : tuple of str
        Sentences for a person.
    what : {"responses", "rdms"}
        What it holds.
    """

    path: Path
    format: str
    shape: tuple[int, ...] = ()
    keys: Mapping[str, Any] = field(default_factory=dict)
    says_region: bool = False
    notes: tuple[str, ...] = ()
    what: str = "responses"


def guess_dims(
    shape: tuple[int, ...], lengths: Mapping[str, int], values: npt.NDArray[Any] | None = None
) -> tuple[str, ...]:
    """Tell the dims of an array of responses by their lengths; ``?`` where they do not say.

    Parameters
    ----------
    shape : tuple of int
        Two or three long.
    lengths : mapping of str to int
        How long dims are, as far as known: ``stimulus``, ``neuroid``, ``presentation``.
    values : array, optional
        Where given, repetitions are told by being NaN for every neuroid at once; without
        that, a third dim may as well be time bins.

    Returns
    -------
    tuple of str
        As long as `shape`.

    Examples
    --------
    >>> guess_dims((50, 640), {"stimulus": 640}), guess_dims((640, 640), {"stimulus": 640})
    (('neuroid', 'stimulus'), ('?', '?'))
    """
    dims = [UNKNOWN] * len(shape)
    for name in ("presentation", "stimulus", "neuroid"):
        places = [k for k, length in enumerate(shape) if length == lengths.get(name)]
        taken = name == "stimulus" and "presentation" in dims
        if len(places) == 1 and dims[places[0]] == UNKNOWN and not taken:
            dims[places[0]] = name
    shown = {"stimulus", "presentation"} & set(dims)
    if dims.count(UNKNOWN) == 1 and len(dims) == 2:
        if shown:
            dims[dims.index(UNKNOWN)] = "neuroid"
    elif "stimulus" in dims and len(dims) == 3:
        _guess_repetition(dims, values)
    return tuple(dims)


def _guess_repetition(dims: list[str], values: npt.NDArray[Any] | None) -> None:
    free = [k for k, name in enumerate(dims) if name == UNKNOWN]
    if values is None or values.dtype.kind != "f" or not (missing := np.isnan(values)).any():
        return
    own = [dims.index("neuroid")] if "neuroid" in dims else free
    whole = [k for k in own if _only_whole(missing, k)]
    if len(whole) != 1:  # NaN along all of it, or nowhere along it: those are the neuroids
        return
    left = next(k for k in free if k != whole[0])
    if not _only_whole(missing, left):
        dims[whole[0]], dims[left] = "neuroid", "repetition"


def _only_whole(missing: npt.NDArray[np.bool_], axis: int) -> bool:
    return bool((missing.any(axis) == missing.all(axis)).all())


def numbers(
    path: Path,
    format_name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    lengths: Mapping[str, int],
    *,
    keys: Mapping[str, Any] | None = None,
    values: npt.NDArray[Any] | None = None,
    says_region: bool = False,
) -> Iterator[ArrayFound]:
    """Give an array of numbers as one that may be responses, with two or three dims.

    Yields
    ------
    ArrayFound
        One, or none.
    """
    if dtype.kind not in "fiub" or len(shape) not in (2, 3) or 0 in shape:
        return
    dims = guess_dims(shape, lengths, values)
    found = {**(keys or {}), "dims": dims}
    yield ArrayFound(path, format_name, shape, found, says_region=says_region)
