"""Listening to teachers: what a worker prepares once, and what a candidate is asked."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import nn

from neurosage.data.assembly import assembly, select
from neurosage.data.registry import load_teacher
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.models.forward import activations, run_recorder
from neurosage.models.preprocess import Preprocessing
from neurosage.nas.candidate import blamed_on_candidate, running
from neurosage.nas.inputs import BATCH, Inputs, KeptInputs
from neurosage.nas.task import Task, TeacherSpec, pin_teacher
from neurosage.rsa.similarity import Prepared, prepare, similarity_to


@dataclass(frozen=True, eq=False)
class Listener:
    """A teacher ready to be compared with candidates.

    Parameters
    ----------
    spec : TeacherSpec
        Pinned.
    prepared : Prepared
        Its side of the comparison.
    inputs : Inputs
        Its stimuli.
    """

    spec: TeacherSpec
    prepared: Prepared
    inputs: Inputs


@dataclass(frozen=True, eq=False)
class Heard:
    """What a candidate's layers have in common with all regions.

    Parameters
    ----------
    similarity : xarray.DataArray
        Dims (region, layer), coordinate ``teacher`` on region; NaN where undefined.
    undefined : dict of str to str
        Layer to the reason why it has no RDM.
    seconds_record, seconds_similarity : float
        Wall time.
    """

    similarity: xr.DataArray
    undefined: dict[str, str]
    seconds_record: float
    seconds_similarity: float


def listeners(task: Task, preprocessing: Preprocessing) -> tuple[Listener, ...]:
    """Return the teachers of a task, prepared; those pinned are kept in the process.

    Parameters
    ----------
    task : Task
        Names the teachers, the distance, the comparison and the backend.
    preprocessing : Preprocessing
        What brings stimuli into the form of the training images.

    Returns
    -------
    tuple of Listener
        In the task's order.

    Raises
    ------
    InputError
        If a teacher is not there, or is not what it was when it was pinned.
    """
    pinned = [spec if spec.content_hash else pin_teacher(spec) for spec in task.teachers]
    how = (task.distance, task.comparison, task.backend)
    known = [_prepared(spec, *how) for spec in pinned]
    inputs = _kept.get([stimuli for _, stimuli in known], preprocessing)
    both = zip(pinned, known, inputs, strict=True)
    return tuple(Listener(spec, prepared, given) for spec, (prepared, _), given in both)


_kept = KeptInputs()


@lru_cache(maxsize=32)
def _prepared(
    spec: TeacherSpec, distance: str, comparison: str, backend: str
) -> tuple[Prepared, StimulusSet]:
    teacher = load_teacher(spec.id)
    if teacher.content_hash() != spec.content_hash:
        raise InputError(
            f"the teacher {spec.id!r} has changed: its hash is {teacher.content_hash()[:12]}…, "
            f"but {str(spec.content_hash)[:12]}… was expected; begin a new search with it."
        )
    prepared = prepare(
        _chosen_regions(teacher, spec),
        distance=distance,
        comparison=comparison,
        normalise=spec.normalise or teacher.normalise,
        backend=backend,
        nan=spec.nan,
    )
    return prepared, teacher.stimuli


def _chosen_regions(teacher: Teacher, spec: TeacherSpec) -> xr.DataArray:
    held = teacher.assembly if teacher.assembly is not None else teacher.stored_rdms
    if held is None:
        raise InputError(f"teacher {spec.id!r} has neither responses nor RDMs.")
    return held if spec.regions is None else select(held, region=list(spec.regions))


def listen(
    model: nn.Module,
    layers: Sequence[str],
    teachers: Sequence[Listener],
    *,
    units: int,
    seed: int,
    device: str | torch.device = "cpu",
) -> Heard:
    """Record a candidate on the teachers' stimuli and compare it with each region.

    Parameters
    ----------
    model : torch.nn.Module
        The candidate; its training mode and device are restored.
    layers : sequence of str
        Names of modules, from input to output.
    teachers : sequence of Listener
        Those on the same stimuli share one recording.
    units : int
        Units kept per layer, at most.
    seed : int
        Of the sample of units.
    device : str or torch.device
        Where to run.

    Returns
    -------
    Heard
        Similarities, and how long they took.

    Raises
    ------
    CandidateFailed
        If the network fails on the stimuli or answers with NaN or infinity.
    """
    recorded: dict[str, xr.DataArray] = {}
    rows: list[xr.DataArray] = []
    undefined: dict[str, str] = {}
    record_seconds = similarity_seconds = 0.0
    for teacher in teachers:
        started = time.perf_counter()
        key = teacher.inputs.content_hash
        if key not in recorded:
            recorded[key] = record(
                model, layers, teacher.inputs, units=units, seed=seed, device=device
            )
        record_seconds += time.perf_counter() - started
        started = time.perf_counter()
        found = similarity_to(teacher.prepared, recorded[key], undefined="nan")
        rows.append(_labelled(found, teacher, layers))
        undefined |= json.loads(found.attrs["undefined"])
        similarity_seconds += time.perf_counter() - started
    similarity = xr.concat(rows, dim="region")
    return Heard(similarity, undefined, record_seconds, similarity_seconds)


def record(
    model: nn.Module,
    layers: Sequence[str],
    inputs: Inputs,
    *,
    units: int,
    seed: int,
    device: str | torch.device = "cpu",
) -> xr.DataArray:
    """Record a candidate on stimuli already prepared.

    Parameters
    ----------
    model : torch.nn.Module
        The candidate; its training mode and device are restored.
    layers : sequence of str
        Names of modules, from input to output.
    inputs : Inputs
        The stimuli.
    units : int
        Units kept per layer, at most.
    seed : int
        Of the sample of units.
    device : str or torch.device
        Where to run.

    Returns
    -------
    xarray.DataArray
        An assembly, region = layer; neuroids are numbered.

    Raises
    ------
    CandidateFailed
        If the network fails on the stimuli or answers with NaN or infinity.
    """
    with running(model, "the network fails on the teachers' stimuli"):
        recorder = run_recorder(
            model,
            inputs.batches(device),
            layers,
            units=units,
            seed=seed,
            batch_size=BATCH,
            device=device,
            total=len(inputs.stimuli),
        )
    with blamed_on_candidate("its responses to the teachers' stimuli are not sound"):
        patterns = activations(recorder)
    counts = [values.shape[1] for values in patterns.values()]
    return assembly(
        np.concatenate(list(patterns.values()), axis=1),
        stimulus_id=inputs.stimuli.stimulus_ids,
        region=np.repeat(np.array(list(patterns), object), counts),
        neuroid_id=np.arange(sum(counts)),  # thousands of names would take longer than their use
    )


def _labelled(found: xr.DataArray, teacher: Listener, layers: Sequence[str]) -> xr.DataArray:
    values = pd.DataFrame(found.values, index=found["region_a"].values).loc[list(layers)]
    regions = found["region_b"].values
    return xr.DataArray(
        values.to_numpy().T,
        dims=("region", "layer"),
        coords={
            "region": regions,
            "teacher": ("region", np.full(len(regions), teacher.spec.id, object)),
            "layer": np.array(layers, object),
        },
    )
