"""What a MAT-file holds that may be responses, and what names their stimuli and regions."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurosage.data.cards.array_guesses import UNKNOWN, ArrayFound, guess_dims, numbers
from neurosage.errors import NeurosageError

log = logging.getLogger(__name__)
WORDS = {"stimulus_id": ("stim", "image", "file", "name"), "region": ("region", "area", "roi")}
LARGEST = 512 * 2**20  # bytes of what is read to be looked into
Held = Mapping[str, npt.NDArray[Any]]


def in_matlab(path: Path, lengths: Mapping[str, int]) -> Iterator[ArrayFound]:
    """Yield the arrays, stacked fields and cells of spike times of a MAT-file.

    Parameters
    ----------
    path : Path
        Of any version.
    lengths : mapping of str to int
        How long dims are, as far as known.

    Yields
    ------
    ArrayFound
        With the columns beside it that are as long as one of its dims.
    """
    from neurosage.data.formats.matlab_files import opened

    if path.stat().st_size > LARGEST:
        note = "The file is large and was not looked into; name its variable, and the dims."
        yield ArrayFound(path, "matlab", (), {"key": UNKNOWN, "dims": (UNKNOWN,)}, notes=(note,))
        return
    with opened(path) as source:
        held = {key: value for name in source.names() for key, value in _within(source, name)}
    text = {key: one for key, one in held.items() if one.dtype.kind in "US"}
    indices = {k: one for k, one in held.items() if _first(one, lengths) is not None}
    regions = {one.size for key, one in text.items() if _called(key, "region")}
    if len(regions) == 1:
        lengths = {"neuroid": regions.pop(), **lengths}
    for key, values in held.items():
        if key in indices or key in text:
            continue
        named = {"key": key} if len(held) > 1 or "." in key else {}
        for found in _one(path, values, {**lengths, **_presentations(values, indices)}):
            yield _with_columns(found, named, text, indices, lengths)


def _within(source: Any, key: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """The variable, or the fields of a struct, as far as they can be read."""
    from neurosage.data.formats.matlab_values import find, settle

    fields = source.fields(source.top(key))
    for name in [f"{key}.{one}" for one in fields] or [key]:
        try:
            yield name, settle(find(source, name, str(source.path)))
        except NeurosageError as error:
            log.info("%s is passed over: %s", name, error)


def _one(path: Path, values: npt.NDArray[Any], lengths: Mapping[str, int]) -> Iterator[ArrayFound]:
    if values.dtype != object:
        if max(values.shape, default=0) < values.size:  # no single list
            yield from numbers(path, "matlab", values.shape, values.dtype, lengths, values=values)
        return
    shape = _cells(values)
    if len(shape) == 2:
        dims = guess_dims(shape, lengths)
        note = (
            "Cells of numbers are taken for spike times, counted from 70 to 170 ms after onset; "
            'say in unit whether the times are in "s" or "ms".'
        )
        keys = {"dims": dims, "window": (70, 170), "unit": UNKNOWN}
        yield ArrayFound(path, "matlab", shape, keys, notes=(note,))


def _cells(values: npt.NDArray[Any]) -> tuple[int, ...]:
    """The size of cells of lists of numbers, without dims of length 1."""
    from neurosage.data.formats.matlab_values import nest

    try:
        cells = nest(values)
    except NeurosageError:
        return ()
    lists = all(np.ndim(one) < 2 or max(one.shape) >= one.size for one in cells.flat)
    return tuple(length for length in cells.shape if length != 1) if lists else ()


def _first(values: npt.NDArray[Any], lengths: Mapping[str, int]) -> int | None:
    """The number of the first image, where all values are numbers of images; else None."""
    count = lengths.get("stimulus", 0)
    if values.dtype.kind not in "fiu" or not 0 < count <= values.size == max(values.shape):
        return None
    occurring = np.unique(values)
    return next((k for k in (1, 0) if np.array_equal(occurring, np.arange(count) + k)), None)


def _presentations(values: npt.NDArray[Any], indices: Held) -> dict[str, int]:
    """How many presentations there are, where a list of numbers of images says it."""
    sizes = {one.size for one in indices.values()} & set(values.shape)
    return {"presentation": sizes.pop()} if len(sizes) == 1 else {}


def _with_columns(
    found: ArrayFound,
    named: Mapping[str, Any],
    text: Held,
    indices: Held,
    lengths: Mapping[str, int],
) -> ArrayFound:
    sizes = dict(zip(found.keys["dims"], found.shape, strict=True))
    beside = _columns(text, sizes)
    notes: list[str] = list(found.notes)
    more: dict[str, Any] = {}
    fitting = [key for key, one in indices.items() if one.size == sizes.get("presentation")]
    if fitting and "stimulus_id" not in beside:
        chosen = next((key for key in fitting if _called(key, "stimulus_id")), fitting[0])
        beside["stimulus_id"] = chosen
        more["index"] = first = _first(indices[chosen], lengths)
        notes.append(
            f"{chosen} holds the numbers {first} to {lengths['stimulus'] - 1 + (first or 0)}, as "
            "many as images: it is taken for the image shown in each presentation."
        )
    keys = {**named, **found.keys, **({"coordinates": beside} if beside else {}), **more}
    return replace(found, keys=keys, says_region="region" in beside, notes=tuple(notes))


def _columns(text: Held, sizes: Mapping[str, int]) -> dict[str, str]:
    """Text beside an array that is as long as one of its dims, and called like one of ours."""
    columns: dict[str, str] = {}
    homes = {"stimulus": "stimulus_id", "presentation": "stimulus_id", "neuroid": "region"}
    for dim, length in sizes.items():
        for key, values in text.items():
            if (ours := homes.get(dim)) and values.size == length and _called(key, ours):
                columns.setdefault(ours, key)
    return columns


def _called(key: str, ours: str) -> bool:
    return any(word in key.rpartition(".")[2].lower() for word in WORDS[ours])
