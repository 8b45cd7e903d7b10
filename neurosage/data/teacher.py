"""Teachers: a stimulus set, and what a visual system answered to it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.assembly import check_assembly, region_names
from neurosage.data.cards.card import Card, Kind, Normalise
from neurosage.data.hashes import hash_dataarray, hash_parts
from neurosage.data.stimuli import StimulusSet
from neurosage.errors import InputError, unknown

RDM_DIMS = ("region", "stimulus_i", "stimulus_j")
SUBJECT_DIMS = ("subject", *RDM_DIMS)


@dataclass(frozen=True, eq=False, repr=False)
class Teacher:
    """Stimuli and responses to them; it holds and is saved, and never computes.

    Parameters
    ----------
    id : str
        With the part where there are several: ``"macaque-v4/190923"``.
    stimuli : StimulusSet
        What was shown.
    assembly : xarray.DataArray or None
        Responses, dims ``presentation × neuroid [× time_bin]``.
    stored_rdms : xarray.DataArray, optional
        Dims ``[subject ×] region × stimulus_i × stimulus_j``, where only RDMs were
        published; plain coordinates ``stimulus_id_i`` and ``stimulus_id_j``, and
        ``subject`` where there are several.
    normalise : {"none", "centre", "zscore", "noise"}
        What is done to its neuroids before distances, unless told otherwise.
    kind : {"recorded", "rdm", "network", "simulated"}
        What it comes from.
    card : Card, optional
        The card it was read from.

    Raises
    ------
    InputError
        If stimuli and responses do not hold the same ids, or the assembly does not
        keep its contract.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> table = pd.DataFrame({"stimulus_id": ["cat", "dog"]})
    >>> stimuli = StimulusSet("pets", table, np.zeros((2, 8, 8, 3), np.uint8))
    >>> a = assembly([[1.0, 2.0], [3.0, 4.0]], stimulus_id=["cat", "dog"], region="IT")
    >>> Teacher("lab-it", stimuli, a)
    <Teacher lab-it (recorded): 2 stimuli, IT 2 neuroids, 1 repetition, normalise none>
    """

    id: str
    stimuli: StimulusSet
    assembly: xr.DataArray | None
    stored_rdms: xr.DataArray | None = None
    normalise: str = "none"
    kind: str = "recorded"
    card: Card | None = None

    def __post_init__(self) -> None:
        if self.normalise not in get_args(Normalise):
            raise unknown("normalisation", self.normalise, get_args(Normalise))
        if self.kind not in (kinds := [k for k in get_args(Kind) if k != "stimuli"]):
            raise unknown("kind of teacher", self.kind, kinds)
        if self.assembly is None and self.stored_rdms is None:
            raise InputError(f"teacher {self.id!r} has neither an assembly nor stored RDMs.")
        if self.assembly is not None:
            check_assembly(self.assembly)
            _match(self.id, self.stimuli, self.assembly["stimulus_id"].values)
        if self.stored_rdms is not None:
            self._check_rdms(self.stored_rdms)

    def _check_rdms(self, rdms: xr.DataArray) -> None:
        if rdms.dims not in (RDM_DIMS, SUBJECT_DIMS):
            raise InputError(
                f"stored RDMs have dims {RDM_DIMS}, with subject before them where there are "
                f"several, not {rdms.dims} ({self.id!r})."
            )
        needed = {"region", "stimulus_id_i", "stimulus_id_j", *({"subject"} & set(rdms.dims))}
        if missing := needed - set(map(str, rdms.coords)):
            raise InputError(f"stored RDMs of {self.id!r} lack the coordinates {sorted(missing)}.")
        for side in "ij":
            _match(self.id, self.stimuli, rdms[f"stimulus_id_{side}"].values)

    @property
    def regions(self) -> tuple[str, ...]:
        """Its regions, in order of first appearance."""
        held = self.assembly if self.assembly is not None else self.stored_rdms
        assert held is not None  # held by __post_init__
        return region_names(held)

    def save(
        self, folder: str | Path, *, overwrite: bool = False, drop: Collection[str] = ()
    ) -> Path:
        """Write a folder that `load_teacher` and every command take.

        Parameters
        ----------
        folder : str or Path
            Gets ``card.toml``, responses or RDMs (netCDF), ``stimuli.csv`` and
            ``images.zip``; it is there whole, or not at all.
        overwrite : bool
            Replace a folder that was saved before, as a whole.
        drop : collection of str
            Coordinates, attributes and columns of the stimuli that may be left out where
            they cannot be written; ``"all"`` for any.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            If the folder exists (and with `overwrite`, if it was not saved before, or this
            teacher's images would be lost with it) or cannot be made, the id is no plain
            name, or something cannot be written without loss.
        """
        from neurosage.data.folder import save_teacher

        return save_teacher(self, folder, overwrite=overwrite, drop=drop)

    def content_hash(self) -> str:
        """Return the sha256 over stimuli, responses and `normalise`, whatever the id."""
        return self._content_hash

    @cached_property
    def _content_hash(self) -> str:
        held = [hash_dataarray(a) for a in (self.assembly, self.stored_rdms) if a is not None]
        return hash_parts(self.stimuli.content_hash(), *held, self.normalise)

    def __repr__(self) -> str:
        kind = "SIMULATED" if self.kind == "simulated" else self.kind
        head = f"<Teacher {self.id} ({kind}): {len(self.stimuli)} stimuli"
        if self.assembly is None:
            return f"{head}, RDMs of {', '.join(self.regions)}{self._subjects()}>"
        counts = pd.Series(self.assembly["region"].values).value_counts()
        sites = ", ".join(f"{region} {counts[region]}" for region in self.regions)
        return (
            f"{head}, {sites} neuroids, {repetitions(self.assembly)}, normalise {self.normalise}>"
        )

    def _subjects(self) -> str:
        held = self.stored_rdms
        several = held is not None and "subject" in held.dims
        return f", {held.sizes['subject']} subjects" if held is not None and several else ""


def repetitions(responses: xr.DataArray) -> str:
    """Say how often stimuli were repeated.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.

    Returns
    -------
    str
        Such as ``"1 repetition"``, ``"6 to 10 repetitions"``.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> repetitions(assembly([[1.0], [2.0]], stimulus_id=["cat", "cat"], region="IT"))
    '2 repetitions'
    """
    if "repetitions" in responses.attrs:  # the card's words: the file may hold only averages
        return f"repetitions {responses.attrs['repetitions']}"
    counts = pd.Series(responses["stimulus_id"].values).value_counts()
    low, high = int(counts.min()), int(counts.max())
    number = f"{low}" if low == high else f"{low} to {high}"
    return f"{number} repetition{'s' if high > 1 else ''}"


def _match(name: str, stimuli: StimulusSet, answered: Any) -> None:
    shown, ids = pd.Index(stimuli.stimulus_ids), pd.Index(pd.unique(np.asarray(answered, object)))
    silent, extra = shown.difference(ids, sort=False), ids.difference(shown, sort=False)
    if len(silent) or len(extra):
        raise InputError(
            f"stimuli and responses of teacher {name!r} do not match: {len(shown)} stimuli, "
            f"responses to {len(ids)}; {len(silent)} stimuli have no response "
            f"(first: {list(silent[:3])}), {len(extra)} responses have no stimulus "
            f"(first: {list(extra[:3])}). Ids are matched exactly, never by position; "
            "use stimuli.take(ids) for a subset."
        )
