"""Put stimuli through a network and keep what its layers answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from neurosage.data.assembly import assembly
from neurosage.data.registry import load_stimuli
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.models.forward import activations, run_recorder
from neurosage.models.preprocess import Preprocessing
from neurosage.models.recorder import Activations, Recorder
from neurosage.models.source import Model, as_model
from neurosage.plugins import version


def record_batches(
    model: nn.Module,
    inputs: torch.Tensor | Iterable[torch.Tensor],
    layers: Sequence[str] | None = None,
    *,
    units: int = 1000,
    seed: int = 0,
    batch_size: int = 64,
    device: str | torch.device | None = None,
) -> dict[str, Activations]:
    """Record layers of a network on inputs already prepared, in one pass.

    Parameters
    ----------
    model : torch.nn.Module
        Run in evaluation mode without gradients; hooks are removed, training
        mode and device restored, whatever happens.
    inputs : torch.Tensor, shape (n, channels, height, width), or iterable of batches
        A tensor is cut into batches; batches are taken as they come.
    layers : sequence of str, optional
        Names as in ``model.named_modules()``; ``name:1`` is the second call of a
        module within one forward pass, and so on. By default the outputs of all
        leaf modules (those without children), every call; outputs that are no
        tensor of one row an image are then skipped. A network without children
        is one layer, ``output``.
    units : int
        At most so many units of a layer are kept: a random sample, the same for
        all stimuli.
    seed : int
        Of that sample; layers of one size are sampled at the same places.
    batch_size : int
        Images in a batch, where `inputs` is one tensor.
    device : str or torch.device, optional
        Where to run; where the network is, if omitted.

    Returns
    -------
    dict of str to numpy.ndarray of float32, shape (n, at most units)
        In the order of `layers`, or in the order of running.

    Raises
    ------
    InputError
        If a layer is unknown, never runs, gives no tensor of one row an image, or
        gives NaN or infinity; if the network fails on these inputs; if there are
        no inputs, or the result would not fit into memory.

    Examples
    --------
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    >>> {name: a.shape for name, a in record_batches(net, torch.ones(5, 4)).items()}
    {'0': (5, 3), '1': (5, 3)}
    """
    recorder = run_recorder(
        model, inputs, layers, units=units, seed=seed, batch_size=batch_size, device=device
    )
    return activations(recorder)


def record(
    model: nn.Module | Model | str,
    stimuli: StimulusSet | Teacher | str,
    layers: Sequence[str] | None = None,
    *,
    units: int = 1000,
    seed: int = 0,
    batch_size: int = 64,
    device: str | torch.device | None = None,
    preprocessing: Preprocessing | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> xr.DataArray:
    """Record layers of a network on a stimulus set: an assembly, region = layer.

    One pass for all layers; images are prepared batch by batch.

    Parameters
    ----------
    model : torch.nn.Module, Model or str
        The network; a string is read by `neurosage.models.source.load_model`.
    stimuli : StimulusSet, Teacher or str
        What to show, each stimulus once; those of a teacher, or their id.
    layers : sequence of str, optional
        As in `record_batches`: names of modules, all leaf modules by default.
    units : int
        At most so many units of a layer are kept, the same for all stimuli.
    seed : int
        Of the random sample of units.
    batch_size : int
        Images in a batch.
    device : str or torch.device, optional
        Where to run; where the network is, if omitted.
    preprocessing : Preprocessing, optional
        Instead of the model's own; a plain module's own is to scale to [0, 1].
    progress : callable, optional
        Called after each batch with how many stimuli are done, and how many there are.

    Returns
    -------
    xarray.DataArray
        float32, dims ``presentation × neuroid``; on neuroid, ``region`` is the
        layer and ``unit`` the index into the flattened layer (channels, height,
        width). Attributes say how it was made.

    Raises
    ------
    InputError
        As `record_batches`; if images differ in size and none is set; if `stimuli`
        are none, or their id is unknown.

    Examples
    --------
    >>> import pandas as pd
    >>> from neurosage.data.stimuli import ArrayImages, StimulusSet
    >>> images = ArrayImages(np.zeros((2, 8, 8, 3), np.uint8))
    >>> stimuli = StimulusSet("two", pd.DataFrame({"stimulus_id": ["a", "b"]}), images)
    >>> recorded = record(nn.Sequential(nn.Conv2d(3, 1, 3), nn.Flatten()), stimuli, units=5)
    >>> recorded.shape, list(recorded.region.values[::5])
    ((2, 10), ['0', '1'])
    """
    model, stimuli = as_model(model), _as_stimuli(stimuli)
    preprocessing = preprocessing or model.preprocessing
    recorder = run_recorder(
        model.module,
        _counted(preprocessing.batches(stimuli, batch_size), len(stimuli), progress),
        layers,
        units=units,
        seed=seed,
        batch_size=batch_size,
        device=device,
        total=len(stimuli),
    )
    recorded = _assemble(recorder, stimuli)
    recorded.attrs |= _provenance(model, stimuli, preprocessing, units, seed)
    return recorded


def _as_stimuli(stimuli: StimulusSet | Teacher | str) -> StimulusSet:
    if isinstance(stimuli, str):
        return load_stimuli(stimuli)
    if isinstance(stimuli, Teacher):
        return stimuli.stimuli
    if isinstance(stimuli, StimulusSet):
        return stimuli
    raise InputError(
        "stimuli are a StimulusSet, a Teacher or the id of a stimulus set "
        f"(neurosage.list_stimuli()), not {type(stimuli).__name__}."
    )


def _counted(
    batches: Iterable[torch.Tensor], total: int, progress: Callable[[int, int], None] | None
) -> Iterator[torch.Tensor]:
    done = 0
    for batch in batches:
        yield batch
        done += len(batch)  # on again: the network has answered to it
        if progress is not None:
            progress(done, total)


def _assemble(recorder: Recorder, stimuli: StimulusSet) -> xr.DataArray:
    layers = activations(recorder)
    region = [name for name, values in layers.items() for _ in range(values.shape[1])]
    unit = np.concatenate([recorder.chosen[name] for name in layers])
    recorded = assembly(
        np.concatenate(list(layers.values()), axis=1),
        stimulus_id=stimuli.stimulus_ids,
        region=region,
        neuroid_id=[f"{layer}.{index}" for layer, index in zip(region, unit, strict=True)],
    )
    return recorded.assign_coords(unit=("neuroid", unit))


def _provenance(
    model: Model, stimuli: StimulusSet, preprocessing: Preprocessing, units: int, seed: int
) -> dict[str, Any]:
    return {
        "model": model.id,
        "weights_hash": model.weights_hash,
        "stimuli": stimuli.id,
        "stimuli_hash": stimuli.content_hash(),
        "preprocessing": json.dumps(preprocessing.to_dict()),
        "units": units,
        "seed": seed,
        "versions": f"neurosage {version('neurosage')}, torch {torch.__version__}",
    }
