"""Each subject's RDMs, as regions of their own beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosage.errors import InputError
from neurosage.rsa.backends.base import check_memory
from neurosage.rsa.ceilings.subject_ceiling import by_subject, same_stimuli
from neurosage.rsa.given import check_asked, check_rdms, given_rdms
from neurosage.rsa.rdm import rdms
from neurosage.rsa.responses.patterns import Source, own_normalisation, responses_of

SEVERAL = (
    "give RDMs with dim 'subject', or responses with a coordinate 'subject' on neuroid or "
    "presentation, or leave subjects out."
)


@dataclass(frozen=True, eq=False)
class SubjectRdms:
    """The RDMs of every subject and region.

    Parameters
    ----------
    rdms : xarray.DataArray
        As from `neurosage.rsa.rdm.rdms`; its regions are those of each subject in turn.
    columns : mapping of str to list of int
        Where the subjects' RDMs of a region stand.
    normalise : str
        What was done to the neuroids.
    """

    rdms: xr.DataArray
    columns: dict[str, list[int]]
    normalise: str

    @property
    def subjects(self) -> dict[str, int]:
        """How many subjects each region has."""
        return {name: len(own) for name, own in self.columns.items()}


def rdms_of_subjects(
    source: Source, distance: str | None, normalise: str | None, nan: str, precision: Any = None
) -> SubjectRdms:
    """Return every subject's RDMs.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        RDMs with dim ``subject``, or of one; or responses with coordinate ``subject`` on
        neuroid or presentation, or of one.
    distance, normalise, nan, precision
        As in `similarity`, for this side.

    Returns
    -------
    SubjectRdms
        In order of first appearance.

    Raises
    ------
    InputError
        As `rdms`; if subjects have different stimuli.

    Examples
    --------
    >>> square = 1.0 - np.eye(3)
    >>> ids = list("abc")
    >>> stored = xr.DataArray(
    ...     np.stack([square, 2 * square])[:, None],
    ...     dims=("subject", "region", "stimulus_i", "stimulus_j"),
    ...     coords={"region": ["IT"], "subject": [1, 2], "stimulus_id_i": ("stimulus_i", ids),
    ...             "stimulus_id_j": ("stimulus_j", ids)})
    >>> rdms_of_subjects(stored, None, None, "raise").subjects
    {'IT': 2}
    """
    given, holder = given_rdms(source)
    if given is not None:
        check_asked(check_rdms(given), holder, normalise=normalise)
        parts = [given] if "subject" not in given.dims else [*given.transpose("subject", ...)]
        return _beside(parts, nan, str(given.attrs.get("normalise", "unknown")))
    own = own_normalisation(source, normalise)
    responses = responses_of(source)
    subjects = by_subject(responses)
    n = len(set(responses["stimulus_id"].values))
    regions = len(set(responses["region"].values))
    check_memory(
        3 * 8 * n * n * len(subjects) * regions,
        f"RDMs of {len(subjects)} subjects and {n} stimuli",
        "Take fewer stimuli with select.",
    )
    how = {} if precision is None else {"precision": precision}
    made = [rdms(each, distance, normalise=own, nan=nan, **how) for each in subjects]
    return _beside(made, nan, own)


def _beside(parts: list[xr.DataArray], nan: str, normalise: str) -> SubjectRdms:
    """Put the RDMs of all subjects beside each other, stimuli in the first one's order."""
    first = parts[0]
    ids = first["stimulus_id_i"].values
    names: list[str] = []
    columns: dict[str, list[int]] = {}
    squares = []
    for number, part in enumerate(parts):
        order = same_stimuli(ids, part["stimulus_id_i"].values, nan)
        for region, square in zip(part["region"].values, part.values, strict=True):
            columns.setdefault(str(region), []).append(len(names))
            names.append(f"{region} of subject {number + 1}")
            squares.append(square[np.ix_(order, order)])
    if not names:
        raise InputError("the second side has no RDMs.")
    beside = xr.DataArray(
        np.stack(squares).astype(np.float64),
        dims=("region", "stimulus_i", "stimulus_j"),
        coords={
            "region": np.array(names, object),
            "stimulus_id_i": ("stimulus_i", ids),
            "stimulus_id_j": ("stimulus_j", ids),
        },
        attrs=first.attrs,
    )
    return SubjectRdms(beside, columns, normalise)
