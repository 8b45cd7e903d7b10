"""Rules about stored RDMs: symmetry, range, what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from neurosage.data.findings.finding import Finding, count, listed

EQUAL = 1e-6  # of an RDM's range: rounding of files in single precision
UNBIASED = ("crossnobis",)  # distances that may be negative
FEW_STIMULI = 20


def rdm_findings(rdms: xr.DataArray) -> Iterator[Finding]:
    """Yield what is found in stored RDMs.

    Parameters
    ----------
    rdms : xarray.DataArray
        Dims ``[subject ×] region × stimulus_i × stimulus_j``.

    Yields
    ------
    Finding
        In no order.
    """
    ids_i, ids_j = rdms["stimulus_id_i"].values, rdms["stimulus_id_j"].values
    if len(ids_i) != len(ids_j) or (ids_i != ids_j).any():
        differ = [a for a, b in zip(ids_i, ids_j, strict=False) if a != b]
        yield Finding(
            "rdm-ids",
            "error",
            listed("stimuli", differ or ids_i),
            "Rows and columns are not in one order of stimuli.",
            "Give stimulus_id_i and stimulus_id_j the same ids in the same order.",
        )
        return
    squares = list(_squares(rdms))
    for place, square in squares:
        yield from _of_one(place, square, ids_i, str(rdms.attrs.get("distance", "")))
    yield from _equal(squares)
    if "subject" not in rdms.dims:
        yield Finding(
            "no-repetitions",
            "note",
            "RDMs",
            "Only RDMs were published, one a region: reliability and ceilings are not estimable, "
            "neither over trials nor over sites nor over subjects.",
            "If RDMs of several subjects are at hand, give them along a dim subject.",
        )
    if len(ids_i) < FEW_STIMULI:
        yield Finding(
            "few-stimuli",
            "warning",
            "stimuli",
            f"With {count(len(ids_i), 'stimuli')} similarities are mostly chance.",
            "Report the intervals over stimuli.",
        )


def _squares(rdms: xr.DataArray) -> Iterator[tuple[str, Any]]:
    for r, region in enumerate(rdms["region"].values):
        own = rdms.isel(region=r)
        if "subject" not in own.dims:
            yield f"region {region}", own.values.astype(float)
            continue
        names = own["subject"].values if "subject" in own.coords else range(own.sizes["subject"])
        for s, name in enumerate(names):
            yield f"region {region}, subject {name}", own.isel(subject=s).values.astype(float)


def _of_one(place: str, square: Any, ids: Any, distance: str) -> Iterator[Finding]:
    finite = np.isfinite(square)
    off = ~np.eye(len(square), dtype=bool)
    if not finite[off].all():
        yield _finding(
            "rdm-missing",
            place,
            _pairs(~finite & off, ids),
            "have no distance (NaN or infinite), and comparisons refuse them",
            "Leave out the stimuli concerned, or give the distances.",
        )
    held = np.where(finite, square, 0.0)
    values = square[off & finite]
    if not len(values):
        return
    scale = max(float(np.abs(values).max()), 1e-300)
    yield from _shape(place, square, held, scale, ids)
    yield from _range(place, square, values, distance, ids)


def _shape(place: str, square: Any, held: Any, scale: float, ids: Any) -> Iterator[Finding]:
    off = ~np.eye(len(square), dtype=bool)
    crooked = (np.abs(held - held.T) > EQUAL * scale) & off
    if crooked.any():
        yield _finding(
            "rdm-asymmetric",
            place,
            _pairs(crooked, ids),
            "have another distance there and back; one triangle only is compared",
            "If a triangle is empty, copy the other into it; if both were measured, average them.",
        )
    diagonal = np.diag(square)
    if (~(np.abs(diagonal) <= EQUAL * scale) & np.isfinite(diagonal)).any():
        likely = np.allclose(diagonal, 1.0) and held[off].max() <= 1 + EQUAL
        yield Finding(
            "rdm-diagonal",
            "error" if likely else "warning",
            place,
            "A stimulus' distance to itself is not 0"
            + (" but 1: these look like correlations, high where alike." if likely else "."),
            "Give distances, 1 - r." if likely else "Set the diagonal to 0, if it was noise.",
        )


def _range(place: str, square: Any, values: Any, distance: str, ids: Any) -> Iterator[Finding]:
    off = ~np.eye(len(square), dtype=bool)
    if np.ptp(values) <= EQUAL * np.abs(values).max():
        yield Finding(
            "rdm-constant",
            "error",
            place,
            f"All distances are {values[0]:g}, so no similarity to it is defined.",
            "Look whether the file was read as meant.",
        )
        return
    if (values < 0).any() and distance not in UNBIASED:
        pairs = _pairs((square < 0) & off, ids)
        yield Finding(
            "rdm-negative",
            "warning",
            f"{place}, {listed('pairs', pairs)}",
            f"{len(pairs)} of {len(values) // 2} distances are negative: right for an unbiased "
            "distance (crossnobis), else were these normalised, or similarities?",
            'Say distance = "crossnobis" if it is; else give the distances themselves.',
        )
    zero = (square == 0) & off
    if zero.any():
        pairs = _pairs(zero, ids)
        yield Finding(
            "rdm-zero",
            "warning",
            f"{place}, {listed('pairs', pairs)}",
            f"{count(len(pairs), 'pairs')} of different stimuli are at distance 0: one stimulus "
            "twice, or pairs that were not measured?",
            "Leave out one of two equal stimuli; write NaN for what was not measured.",
        )
    if distance == "correlation" and values.max() > 2 + EQUAL:
        yield Finding(
            "rdm-range",
            "warning",
            place,
            f"Distances go up to {values.max():.3g}, but 1 - Pearson ends at 2.",
            "Correct the distance that the card or attrs name.",
        )


def _equal(squares: list[tuple[str, Any]]) -> Iterator[Finding]:
    for (first, a), (second, b) in combinations(squares, 2):
        if np.array_equal(a, b, equal_nan=True):
            yield Finding(
                "rdm-twice",
                "warning",
                f"{first}; {second}",
                "Their RDMs are equal in every entry.",
                "Look whether one was read under two names.",
            )


def _pairs(mask: Any, ids: Any) -> list[str]:
    rows, columns = np.nonzero(np.triu(mask | mask.T, 1))
    return [f"{ids[i]} – {ids[j]}" for i, j in zip(rows, columns, strict=True)]


def _finding(rule: str, place: str, pairs: list[str], words: str, remedy: str) -> Finding:
    where = f"{place}, {listed('pairs', pairs)}"
    return Finding(rule, "error", where, f"{count(len(pairs), 'pairs')} {words}.", remedy)
