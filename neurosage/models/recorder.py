"""Keep a sample of each layer's units while a network runs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from neurosage.errors import InputError, unknown

logger = logging.getLogger(__name__)

Activations = npt.NDArray[np.float32]
ROOT = "output"


@dataclass
class Recorder:
    """Keeps a sample of units of each layer while a network runs.

    Holds the outputs of one batch on the device until `collect` moves them off it.
    A module called again within one forward pass is another layer: its outputs
    are named ``name``, ``name:1``, ``name:2``, ….
    """

    wanted: tuple[str, ...] | None
    units: int
    seed: int
    chosen: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    chunks: dict[str, list[Activations]] = field(default_factory=dict)
    _calls: dict[str, int] = field(default_factory=dict)
    _batch: dict[str, torch.Tensor] = field(default_factory=dict)
    _flat: dict[str, torch.Tensor] = field(default_factory=dict)
    _depth_last: dict[str, torch.Tensor] = field(default_factory=dict)
    _size: int = 0

    def start(self, size: int) -> None:
        """Begin a batch of `size` images."""
        self._calls, self._batch, self._size = {}, {}, size

    def keep(self, module_name: str, output: Any) -> None:
        """Copy the chosen units of one output, before anything changes it in place."""
        call = self._calls.get(module_name, 0)
        self._calls[module_name] = call + 1
        name = f"{module_name}:{call}" if call else module_name
        if self.wanted is not None and name not in self.wanted:
            return
        if reason := _unfit(output, self._size):
            self.skipped[name] = reason
            return
        self._plan(name, output)
        self._batch[name] = self._sample(name, output.detach()).float()

    def _plan(self, name: str, output: torch.Tensor) -> None:
        shape = tuple(output.shape[1:])
        if self.shapes.setdefault(name, shape) != shape:
            raise InputError(
                f"layer {name!r} has outputs of several shapes, {self.shapes[name]} and {shape}; "
                "all stimuli must give one: set a size, or leave this layer out."
            )
        if name not in self._flat:
            self.chosen[name] = choose_units(int(np.prod(shape)), self.units, self.seed)
            self._flat[name] = torch.as_tensor(self.chosen[name], device=output.device)
            if len(shape) == 3:
                depth, *place = np.unravel_index(self.chosen[name], shape)
                flat = (place[0] * shape[2] + place[1]) * shape[0] + depth
                self._depth_last[name] = torch.as_tensor(flat, device=output.device)

    def _sample(self, name: str, output: torch.Tensor) -> torch.Tensor:
        if output.is_contiguous() or output.ndim != 4:
            return output.flatten(1).index_select(1, self._flat[name])
        # Flattening would copy the whole of a channels-last output; this is a view of it.
        return output.permute(0, 2, 3, 1).flatten(1).index_select(1, self._depth_last[name])

    def collect(self) -> None:
        """Move the batch off the device and check that every layer was there."""
        if self.chunks and (odd := set(self.chunks) ^ set(self._batch)):
            raise InputError(f"layers {sorted(odd)[:5]} ran on some batches only; leave them out.")
        for name, values in self._batch.items():
            self.chunks.setdefault(name, []).append(values.cpu().numpy())
        self._batch = {}

    def calls(self, module_name: str) -> int:
        """Return how often a module ran in the last forward pass."""
        return self._calls.get(module_name, 0)


def check_seed(seed: int) -> None:
    """Refuse a seed that draws nothing.

    Raises
    ------
    InputError
        If it is no whole number, or negative.

    Examples
    --------
    >>> check_seed(0)
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise InputError(f"a seed is a whole number, at least 0, not {seed!r}.")


def choose_units(size: int, units: int, seed: int) -> npt.NDArray[np.int64]:
    """Draw the units of a layer that are recorded.

    Parameters
    ----------
    size : int
        Units in the layer.
    units : int
        How many to keep; all of them where the layer has no more.
    seed : int
        With `size` it fixes the draw, whatever else is recorded.

    Returns
    -------
    numpy.ndarray of int64, shape (min(size, units),)
        Indices into the flattened layer, ascending.

    Examples
    --------
    >>> choose_units(4, 10, seed=0)
    array([0, 1, 2, 3])
    """
    if size <= units:
        return np.arange(size)
    drawn = np.random.default_rng([seed, size]).choice(size, units, replace=False, shuffle=False)
    return np.sort(drawn)


def modules_to_hook(model: nn.Module, layers: Sequence[str] | None) -> dict[str, nn.Module]:
    """Find the modules whose outputs are wanted.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    layers : sequence of str, optional
        Names of modules, with ``:1`` for a second call; all leaf modules if omitted.

    Returns
    -------
    dict of str to torch.nn.Module
        Without the number of the call; a network without children is ``output``.

    Raises
    ------
    InputError
        If a layer is no text, or unknown; close matches are named.

    Examples
    --------
    >>> list(modules_to_hook(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), None))
    ['0', '1']
    """
    named = {name: m for name, m in model.named_modules(remove_duplicate=False) if name}
    named.setdefault(ROOT, model)
    if layers is None:
        leaves = {name: m for name, m in model.named_modules() if not list(m.children())}
        return {name or ROOT: module for name, module in leaves.items()}
    if isinstance(layers, str):
        raise InputError(f"layers is a list of names, not one string; give [{layers!r}].")
    if not isinstance(layers, Iterable):
        raise InputError(f"layers is a list of names, not {layers!r}; give {[str(layers)]!r}.")
    if not layers:
        raise InputError("no layer is named; give layers, or None for all leaf modules.")
    for layer in layers:
        if not isinstance(layer, str):
            raise InputError(f"names of layers are text: {str(layer)!r}, not {layer!r}.")
        if module_name(layer) not in named:
            raise unknown("layer", layer, named, "A second call of a module is 'name:1'.")
    return {module_name(layer): named[module_name(layer)] for layer in layers}


def module_name(layer: str) -> str:
    """Return a layer's name without the number of its call.

    Examples
    --------
    >>> module_name("relu:1")
    'relu'
    """
    name, _, call = layer.rpartition(":")
    return name if name and call.isdigit() else layer


def _unfit(output: Any, size: int) -> str:
    if not isinstance(output, torch.Tensor):
        return f"its output is a {type(output).__name__}, not a tensor"
    if output.is_complex():
        return "its output is complex"
    if output.ndim < 2 or len(output) != size or not output[0].numel():
        return (
            f"its output of shape {tuple(output.shape)} has not one row for each of {size} images"
        )
    return ""
