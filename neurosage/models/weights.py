"""Read files of weights, and see that they fit."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from neurosage.errors import InputError

WRAPPERS = ("state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "_orig_mod.")


def load_weights(module: nn.Module, path: Path) -> None:
    """Load a file of weights into a network; all must fit, or nothing is changed.

    Parameters
    ----------
    module : torch.nn.Module
        Changed in place.
    path : Path
        A file that ``torch.load(weights_only=True)`` reads: a dict of tensors, or a
        checkpoint that holds one under ``state_dict``, ``model_state_dict`` or
        ``model``. Prefixes that DataParallel and ``torch.compile`` leave are dropped.

    Raises
    ------
    InputError
        If the file is not there or holds no weights; if weights are missing,
        unexpected or of another shape, with their names.
    """
    given = read_weights(path)
    own = module.state_dict()
    missing = [k for k in own if k not in given and not k.endswith("num_batches_tracked")]
    unexpected = [k for k in given if k not in own]
    shapes = [
        f"{k} {tuple(given[k].shape)} for {tuple(own[k].shape)}"
        for k in own
        if k in given and given[k].shape != own[k].shape
    ]
    findings = [
        f"{len(names)} {word} ({_first(names)})"
        for word, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", shapes),
        )
        if names
    ]
    if findings:
        raise InputError(
            f"the weights in {path} do not fit {type(module).__name__}, which has {len(own)}: "
            f"{'; '.join(findings)}."
        )
    module.load_state_dict(given, strict=False)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a dict of tensors from a file, without running what it may hold.

    Parameters
    ----------
    path : Path
        As in `load_weights`.

    Returns
    -------
    dict of str to torch.Tensor
        On the CPU, prefixes dropped.

    Raises
    ------
    InputError
        If the file is not there or holds anything else.
    """
    if not path.is_file():
        raise InputError(
            f"there is no file of weights {path}; give the path to one, whole or from the working "
            f"folder {Path.cwd()}."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of older pickle protocols
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a file of plain weights (torch.load with weights_only=True fails: "
            f"{' '.join(str(error).split())[:120]}); save model.state_dict() to one."
        ) from error
    return _without_prefixes(_unwrapped(loaded, path))


def _unwrapped(loaded: Any, path: Path) -> Mapping[str, torch.Tensor]:
    for key in WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not loaded:
        raise InputError(f"{path} holds a {type(loaded).__name__}, not a dict of weights.")
    if odd := [str(k) for k, v in loaded.items() if not isinstance(v, torch.Tensor)]:
        raise InputError(f"{path} holds {_first(odd)} that are no tensors; save a state_dict().")
    return loaded


def _without_prefixes(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    weights = dict(weights)
    for prefix in PREFIXES * 2:  # either may be wrapped in the other
        if all(key.startswith(prefix) for key in weights):
            weights = {key.removeprefix(prefix): value for key, value in weights.items()}
    return weights


def _first(names: Sequence[str], count: int = 5) -> str:
    more = f", … {len(names)} in all" if len(names) > count else ""
    return ", ".join(names[:count]) + more
