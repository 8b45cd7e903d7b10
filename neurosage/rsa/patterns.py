"""Teachers and assemblies → pattern matrices that have an RDM, or the reason why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from neurosage.data.assembly import align, check_assembly, region_names
from neurosage.data.average import average_repetitions
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.missing import check_policy, drop_missing, first_names, leave_out, not_finite
from neurosage.rsa.normalise import check_method, shift_and_scale, unscalable

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
    values : array, shape (n, neuroids)
        Averaged responses, as recorded.
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

    def matrix(self, region: str) -> Any:
        """Return one region's patterns, shape (n, p), normalised."""
        columns = self.columns[region]
        values = self.values[:, columns]
        if self.normalise == "none":
            return values
        return (values - self.shift[columns]) / self.scale[columns]

    def usable(self, region: str, distance: str) -> tuple[Any, str]:
        """Return one region's patterns and, where they have no RDM, the reason."""
        columns = self.columns[region]
        if region in self.missing:
            return None, self.missing[region]
        if reason := unscalable(self.neuroid_ids[columns], self.scale[columns], self.normalise):
            return None, reason
        matrix = self.matrix(region)
        return matrix, self._without_distance(matrix, distance)

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

    def _without_distance(self, matrix: Any, distance: str) -> str:
        if distance not in ("correlation", "cosine"):
            return ""
        flat = constant_rows(matrix) if distance == "correlation" else ~matrix.any(1)
        if not flat.any():
            return ""
        word = "constant" if distance == "correlation" else "zero"
        return (
            f"{flat.sum()} of {len(flat)} stimuli have a pattern that is {word} over the "
            f"{matrix.shape[1]} neuroids (first: {first_names(self.stimulus_ids[flat])}), so there "
            f"is no {distance} distance; leave them out or use distance='euclidean'."
        )


def constant_rows(matrix: Any) -> Any:
    """Tell which rows do not vary beyond the rounding of their own numbers.

    Parameters
    ----------
    matrix : array, shape (n, p)
        Patterns.

    Returns
    -------
    array of bool, shape (n,)
        True where constant; always so where p is 1.

    Examples
    --------
    >>> constant_rows(np.array([[1.0, 1.0], [1.0, 2.0]]))
    array([ True, False])
    """
    high, low = matrix.max(1), matrix.min(1)
    largest = np.maximum(np.abs(high), np.abs(low))
    kind = matrix.dtype if matrix.dtype.kind == "f" else np.dtype(float)
    # In float64: float16 and small integers would overflow in the difference.
    return high.astype(float) - low.astype(float) <= 4.0 * np.finfo(kind).eps * largest


def responses_of(source: Source) -> xr.DataArray:
    """Return the assembly of a teacher, or the assembly itself, checked.

    Raises
    ------
    InputError
        If it is neither, has time bins, or the teacher holds only RDMs.
    """
    if isinstance(source, str):
        raise InputError(
            f"{source!r} is a name, not a teacher; load it first: "
            f"neurosage.load_teacher({source!r})."
        )
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
    responses = _labelled(source, responses_of(source), by)
    averaged = average_repetitions(responses)
    if order is not None and by == "stimulus_id":
        averaged = align(averaged, [*order, *without])
    averaged, dropped = drop_missing(averaged, nan, without)
    responses = leave_out(responses, dropped)
    shift, scale = shift_and_scale(responses, averaged, method)
    columns = _columns(averaged)
    # Looked for before categories are averaged: their means leave missing responses out.
    missing = {region: not_finite(averaged, columns[region]) for region in columns}
    if by != "stimulus_id":
        averaged = average_repetitions(averaged, by)
        averaged = averaged.assign_coords(stimulus_id=("presentation", averaged[by].values))
        averaged = averaged if order is None else align(averaged, order)
    return Patterns(
        stimulus_ids=averaged["stimulus_id"].values,
        regions=region_names(averaged),
        values=averaged.values,
        neuroid_ids=averaged["neuroid_id"].values,
        columns=columns,
        shift=shift,
        scale=scale,
        normalise=method,
        missing={region: reason for region, reason in missing.items() if reason},
        dropped=dropped,
    )


def _labelled(source: Source, responses: xr.DataArray, by: str) -> xr.DataArray:
    """With the column of the stimuli that is asked for, where responses do not have it."""
    if not isinstance(source, Teacher) or by in responses.coords:
        return responses
    table = source.stimuli.table.set_index("stimulus_id")
    if by not in table.columns:
        known = [str(c) for c in responses.coords if responses[c].dims == ("presentation",)]
        choices = dict.fromkeys([*known, *map(str, table.columns)])
        raise unknown("coordinate on presentation, or column of the stimuli,", by, choices)
    column = table[by]
    if len(blank := column.index[column.isna()]):
        raise InputError(
            f"{len(blank)} of {len(column)} stimuli of {source.id!r} have no {by!r} "
            f"(first: {list(blank[:3])}); leave them out by stimuli.take, or give them one."
        )
    values = column.loc[list(responses["stimulus_id"].values)].to_numpy()
    return responses.assign_coords({by: ("presentation", values)})


def incomplete_stimuli(source: Source) -> list[Any]:
    """Return the stimuli that lack the response of some neuroid, in order."""
    averaged = average_repetitions(responses_of(source))
    missing = np.isnan(averaged.values).any(1)
    return list(averaged["stimulus_id"].values[missing])


def _columns(averaged: xr.DataArray) -> dict[str, Any]:
    labels = averaged["region"].values.astype(str)
    columns: dict[str, Any] = {}
    for name in region_names(averaged):
        found = np.flatnonzero(labels == name)
        together = found[-1] - found[0] == len(found) - 1
        columns[name] = slice(int(found[0]), int(found[-1]) + 1) if together else found
    return columns
