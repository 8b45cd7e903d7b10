"""One forward pass over all batches, after which the network is as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from neurosage.errors import InputError
from neurosage.models.device import check_device
from neurosage.models.recorder import (
    Activations,
    Recorder,
    check_seed,
    module_name,
    modules_to_hook,
)
from neurosage.rsa.resampling import check_whole

logger = logging.getLogger(__name__)


def run_recorder(
    model: nn.Module,
    inputs: torch.Tensor | Iterable[torch.Tensor],
    layers: Sequence[str] | None,
    *,
    units: int,
    seed: int,
    batch_size: int,
    device: str | torch.device | None,
    total: int | None = None,
) -> Recorder:
    """Do what `record_batches` does, and keep which units were chosen."""
    check_run(units=units, seed=seed, batch_size=batch_size, device=device)
    modules = modules_to_hook(model, layers)
    recorder = Recorder(None if layers is None else tuple(layers), units, seed)
    if isinstance(inputs, torch.Tensor):
        total = len(inputs)
        inputs = torch.split(inputs, batch_size)
    with _evaluation(model, device) as place, _hooks(modules, recorder), torch.no_grad():
        for batch in inputs:
            if not len(batch):
                continue
            recorder.start(len(batch))
            _forward(model, batch.to(place))
            if not recorder.chunks:
                _check_first_batch(recorder, modules, total)
            recorder.collect()
    if not recorder.chunks:
        raise InputError("there are no stimuli to record.")
    return recorder


def check_run(*, units: int, seed: int, batch_size: int, device: str | torch.device | None) -> None:
    """Refuse settings that no recording can run with, before anything is loaded.

    Parameters
    ----------
    units, seed, batch_size, device
        As in `neurosage.models.record.record`.

    Raises
    ------
    InputError
        If a number is too small or not whole, or this machine has no such device.

    Examples
    --------
    >>> check_run(units=1000, seed=0, batch_size=64, device=None)
    """
    check_whole("units", units, 1)
    check_whole("batch_size", batch_size, 1)
    check_seed(seed)
    check_device(device)


def activations(recorder: Recorder) -> dict[str, Activations]:
    """Join the batches of each layer and check that all values are finite."""
    order = recorder.wanted or tuple(recorder.chunks)
    joined = {name: np.concatenate(recorder.chunks.pop(name)) for name in dict.fromkeys(order)}
    for name, values in joined.items():
        finite = np.isfinite(values)
        if not finite.all():
            rows = np.flatnonzero(~finite.all(1))
            raise InputError(
                f"layer {name!r} gives NaN or infinity for {len(rows)} of {len(values)} stimuli "
                f"(first: {rows[:3].tolist()}, counted from 0); the network's weights or its "
                "preprocessing are not sound."
            )
    return joined


def _forward(model: nn.Module, batch: torch.Tensor) -> None:
    try:
        model(batch)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"the network fails on images of shape {tuple(batch.shape[1:])}: {error}"
        ) from error


def _check_first_batch(
    recorder: Recorder, modules: dict[str, nn.Module], total: int | None
) -> None:
    for layer in recorder.wanted or ():
        if layer in recorder.skipped:
            raise InputError(f"layer {layer!r} cannot be recorded: {recorder.skipped[layer]}.")
        if layer not in recorder.chosen:
            times = recorder.calls(module_name(layer))
            raise InputError(
                f"layer {layer!r} does not run on these images: {module_name(layer)!r} is called "
                f"{times} times in a forward pass (calls count from 0: name, name:1, …)."
            )
    if not recorder.chosen:
        raise InputError(f"no layer can be recorded; skipped: {recorder.skipped or list(modules)}.")
    if recorder.skipped:
        logger.info("layers not recorded: %s", recorder.skipped)
    if total is not None:
        _check_memory(total * sum(map(len, recorder.chosen.values())) * 8, len(recorder.chosen))


def _check_memory(needed: int, layers: int) -> None:
    import psutil

    available = int(psutil.virtual_memory().available)  # 8 bytes a value: float32, twice to join
    if needed > available:
        raise InputError(
            f"recording {layers} layers needs {needed / 1e9:.1f} GB, but {available / 1e9:.1f} GB "
            "of memory are free; name fewer layers, or lower units."
        )


@contextmanager
def _evaluation(model: nn.Module, device: str | torch.device | None) -> Iterator[torch.device]:
    places = {p.device for p in (*model.parameters(), *model.buffers())}
    home = next(iter(places)) if places else torch.device("cpu")
    place = home if device is None else torch.device(device)
    if len(places) > 1 and device is not None:
        raise InputError(f"the network lies on several devices, {places}; leave device out.")
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        if place != home:
            model.to(place)
        yield place
    finally:
        if place != home:
            model.to(home)
        for module, training in modes:
            module.training = training


@contextmanager
def _hooks(modules: dict[str, nn.Module], recorder: Recorder) -> Iterator[None]:
    handles = []
    try:
        for name, module in modules.items():
            hook = _hook(name, recorder)
            handles.append(module.register_forward_hook(hook, always_call=False))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(name: str, recorder: Recorder) -> Any:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        recorder.keep(name, output)

    return hook
