"""Teachers and assemblies → pattern matrices that have an RDM, or the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from neurosage.data.assembly import check_assembly
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.rsa.arguments import check_recording
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.responses.categories import categories, labelled
from neurosage.rsa.responses.extremes import constant, row_extremes
from neurosage.rsa.responses.missing import check_policy, first_names
from neurosage.rsa.responses.normalise import check_method, unscalable
from neurosage.rsa.responses.reading import places_of, read_stimuli
from neurosage.rsa.responses.rows import SMALL_BYTES, RegionRows, Rows

Source: TypeAlias = Teacher | xr.DataArray


@dataclass(frozen=True)
class Patterns:
    """The pattern matrices of a recording, one per region, read when asked for.

    Parameters
    ----------
    stimulus_ids : array of object, shape (n,)
        Row names, in order.
    regions : tuple of str
        In order of first appearance.
    values : array or Rows, shape (n, neuroids)
        Averaged responses, as recorded; read by blocks where they are large or lie on disk.
    neuroid_ids : array of object, shape (neuroids,)
        Column names.
    columns : mapping of str to slice or array of int
        The neuroids of each region.
    shift, scale : array of float64, shape (neuroids,)
        What normalises them.
    normalise : str
        How.
    missing : mapping of str to str
        Regions with responses that are not finite, of single stimuli, and which these are.
    dropped : mapping of str to list
        Stimuli and neuroids left out.
    extremes : mapping of str to tuple of two arrays, shape (n,)
        Largest and smallest number of each row of a region, as far as they are known.
    """

    stimulus_ids: Any
    regions: tuple[str, ...]
    values: Any
    neuroid_ids: Any
    columns: dict[str, Any]
    shift: Floats
    scale: Floats
    normalise: str
    missing: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, list[Any]] = field(default_factory=dict)
    extremes: dict[str, tuple[Floats, Floats]] = field(default_factory=dict, repr=False)

    def matrix(self, region: str) -> Any:
        """Return one region's patterns, shape (n, p), normalised.

        An array, or `RegionRows` where the responses are large or lie on disk.
        """
        columns, scaled = self.columns[region], self.normalise != "none"
        how = (self.shift[columns], self.scale[columns]) if scaled else (None, None)
        rows = RegionRows(self.values, columns, *how)
        if isinstance(self.values, Rows):
            return rows
        size = rows.shape[0] * rows.shape[1] * rows.dtype.itemsize
        plain = not scaled and isinstance(columns, slice)
        return rows[:] if plain or size <= SMALL_BYTES else rows

    def usable(self, region: str, distance: str) -> tuple[Any, str]:
        """Return one region's patterns and, where they have no RDM, the reason."""
        columns = self.columns[region]
        if region in self.missing:
            return None, self.missing[region]
        if reason := unscalable(self.neuroid_ids[columns], self.scale[columns], self.normalise):
            return None, reason
        matrix = self.matrix(region)
        return matrix, self._without_distance(region, matrix, distance)

    def required(self, region: str, distance: str) -> Any:
        """Return one region's patterns.

        Raises
        ------
        InputError
            If they have no RDM: responses missing or infinite, a neuroid or a pattern
            constant; the region, the stimuli and the neuroids are named.
        """
        matrix, reason = self.usable(region, distance)
        if reason:
            raise InputError(f"region {region!r}: {reason}")
        return matrix

    def _without_distance(self, region: str, matrix: Any, distance: str) -> str:
        if distance not in ("correlation", "cosine"):
            return ""
        high, low = self._extremes(region)
        flat = constant(high, low, matrix.dtype) if distance == "correlation" else high == -low
        if distance == "cosine":
            flat &= high == 0.0
        if not flat.any():
            return ""
        word = "constant" if distance == "correlation" else "zero"
        return (
            f"{flat.sum()} of {len(flat)} stimuli have a pattern that is {word} over the "
            f"{matrix.shape[1]} neuroids (first: {first_names(self.stimulus_ids[flat])}), so there "
            f"is no {distance} distance; leave them out or use distance='euclidean'."
        )

    def _extremes(self, region: str) -> tuple[Floats, Floats]:
        """Return the largest and smallest number of each row, of all regions on disk at once."""
        if region not in self.extremes:
            lazy = isinstance(self.values, Rows) and self.values.is_lazy
            every = [name for name in self.regions if self._is_sound(name)] if lazy else [region]
            self.extremes.update(row_extremes({name: self.matrix(name) for name in every}))
        return self.extremes[region]

    def _is_sound(self, region: str) -> bool:
        return region not in self.missing and bool((self.scale[self.columns[region]] > 0).all())


def responses_of(source: Source) -> xr.DataArray:
    """Return the assembly of a teacher, or the assembly itself, checked.

    Raises
    ------
    InputError
        If it is neither, has time bins, or the teacher holds only RDMs.
    """
    check_recording(source)
    responses = source.assembly if isinstance(source, Teacher) else source
    if responses is None:
        raise InputError(f"{source!r} holds RDMs only, no responses.")
    check_assembly(responses)
    if "time_bin" in responses.dims:
        raise InputError(
            f"the assembly has {responses.sizes['time_bin']} time bins; choose a window first: "
            "neurosage.average_time(a, 70, 170)."
        )
    return responses


def own_normalisation(source: Source, normalise: str | None) -> str:
    """Return the normalisation asked for, or the teacher's own, or none.

    Raises
    ------
    InputError
        If it is unknown.
    """
    own = source.normalise if isinstance(source, Teacher) else "none"
    method = own if normalise is None else normalise
    check_method(method)
    return method


def read_patterns(
    source: Source,
    *,
    normalise: str | None = None,
    by: str = "stimulus_id",
    nan: str = "raise",
    without: Sequence[Any] = (),
    order: Sequence[Any] | None = None,
) -> Patterns:
    """Read the pattern matrices of a teacher or an assembly.

    Repetitions are averaged; stimuli or neuroids with missing responses are left out where
    `nan` says so; the neuroids' statistics are taken over all stimuli that are left; then
    stimuli are averaged by category.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses, dims ``presentation × neuroid``.
    normalise : str, optional
        How to bring the neuroids to one scale; the teacher's own if omitted.
    by : str
        Coordinate on presentation, or column of the teacher's stimuli, whose values become
        the rows.
    nan : {"raise", "drop-stimulus", "drop-neuroid"}
        What to do about missing responses.
    without : sequence of str
        Stimuli to leave out whatever they hold.
    order : sequence of str, optional
        The rows wanted, in order.

    Returns
    -------
    Patterns
        Nothing is computed yet but the neuroids' statistics.

    Raises
    ------
    InputError
        If the stimuli are not those of `order`, nothing is left, or an argument is unknown.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0, 2.0], [3.0, 5.0]], stimulus_id=["cat", "dog"], region="V4")
    >>> read_patterns(a, normalise="centre").matrix("V4")
    array([[-1. , -1.5],
           [ 1. ,  1.5]])
    """
    check_policy(nan)
    method = own_normalisation(source, normalise)
    responses = labelled(source, responses_of(source), by)
    of = None if by == "stimulus_id" else categories(responses, by, source)
    read = read_stimuli(responses, order if of is None else None, nan, without, method)
    shift, scale = read.shift_and_scale(method)
    names, values, extremes = read.names, _made(read.rows), {}
    if of is None and method == "none":
        scan = read.scan
        extremes = {region: (scan.high[region], scan.low[region]) for region in scan.high}
    if of is not None:
        names, values = read.averaged_by(np.array([of[name] for name in names], object))
        if order is not None:
            places = places_of(names, order)
            names, values = names[places], values[places]
    columns = read.columns
    return Patterns(
        stimulus_ids=names,
        regions=tuple(columns),
        values=values,
        neuroid_ids=read.neuroid_ids,
        columns=columns,
        shift=shift,
        scale=scale,
        normalise=method,
        # Looked for before categories are averaged: their means leave missing responses out.
        missing=read.missing(),
        dropped=read.dropped,
        extremes=extremes,
    )


def _made(rows: Rows) -> Any:
    """Return an array where it is there already, or small; else what reads it by blocks."""
    small = rows.shape[0] * rows.shape[1] * rows.dtype.itemsize <= SMALL_BYTES
    return rows.whole() if small or rows.is_plain else rows


def incomplete_stimuli(source: Source) -> list[Any]:
    """Return the stimuli that lack the response of some neuroid, in order."""
    read = read_stimuli(responses_of(source), nan="pairwise")
    return list(read.names[read.scan.incomplete])
