"""Find a network by its name: ``torchvision:…``, ``timm:…``, ``file.py:function``, ``pixels``."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from neurosage.errors import FetchError, InputError, MissingExtraError, unknown
from neurosage.models.preprocess import Preprocessing
from neurosage.models.recorder import check_seed
from neurosage.models.weights import load_weights

UNTRAINED, AS_MADE = "untrained", "as its function made them"
FORMS = ("torchvision:NAME", "timm:NAME", "FILE.py:FUNCTION", "pixels")


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A network, what is done to its images, and where both came from.

    Parameters
    ----------
    module : torch.nn.Module
        The network.
    preprocessing : Preprocessing
        What its images need.
    id : str
        Its name in tables: the source it was loaded from.
    weights : str
        Where the weights came from, in words.
    """

    module: nn.Module
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    id: str = ""
    weights: str = "as given"

    @property
    def weights_hash(self) -> str:
        """A sha256 over names, types, shapes and values of all parameters and buffers."""
        digest = hashlib.sha256()
        for name, tensor in self.module.state_dict().items():
            if isinstance(tensor, torch.Tensor):
                values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
                digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(values.numpy().data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        size = sum(parameter.numel() for parameter in self.module.parameters())
        name = self.id or type(self.module).__name__
        return f"<Model {name}: {size:,} parameters, weights: {self.weights}>"


def as_model(model: nn.Module | Model | str) -> Model:
    """Return a `Model` for whatever names or is a network.

    Parameters
    ----------
    model : torch.nn.Module, Model or str
        A string is given to `load_model`; a plain module gets images in [0, 1].

    Returns
    -------
    Model
        The same object if it is one.

    Raises
    ------
    InputError
        If it is none of these.

    Examples
    --------
    >>> as_model(nn.Flatten()).id
    'Flatten'
    """
    if isinstance(model, Model):
        return model
    if isinstance(model, str):
        return load_model(model)
    if isinstance(model, nn.Module):
        return Model(model, id=type(model).__name__)
    raise InputError(
        f"a network is a torch.nn.Module, a Model or a source such as 'torchvision:resnet18', "
        f"not {type(model).__name__}."
    )


def load_model(source: str, weights: str | Path | None = None, *, seed: int = 0) -> Model:
    """Load a network.

    Parameters
    ----------
    source : str
        ``torchvision:resnet50``; ``timm:nasnetalarge`` (needs timm);
        ``path/to/file.py:function``, where the function, called without
        arguments, returns a module, or a module and its `Preprocessing`, or a
        `Model`; or ``pixels``, which answers with the image itself.
    weights : str or Path, optional
        A file of weights; or, for torchvision, the name of published ones
        (``DEFAULT``, ``IMAGENET1K_V2``); for timm, ``pretrained``. Without it the
        network is as its function returns it: for torchvision and timm, untrained.
    seed : int
        Of the random weights that the network begins with.

    Returns
    -------
    Model
        In evaluation mode.

    Raises
    ------
    InputError
        If the source is not understood, its function fails, or the weights do not
        fit: missing, unexpected and misshapen ones are named.
    MissingExtraError
        If timm is wanted and not installed.
    FetchError
        If published weights could not be downloaded.

    Examples
    --------
    >>> load_model("pixels").module(torch.ones(1, 3, 2, 2)).shape
    torch.Size([1, 3, 2, 2])
    """
    check_seed(seed)
    loaders = {"torchvision": _torchvision, "timm": _timm}
    kind, _, name = source.partition(":")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if source == "pixels":
            model = _pixels(weights)
        elif kind in loaders and name:
            model = loaders[kind](name, weights)
        else:
            model = _from_file(source)
            if weights is not None:
                model = _with_file(model, weights)
    if model.weights in (UNTRAINED, AS_MADE):
        model = replace(model, weights=f"{model.weights} (seed {seed})")
    model.module.eval()
    return replace(model, id=source)


def _pixels(weights: str | Path | None) -> Model:
    if weights is not None:
        raise InputError(f"pixels have no weights, but weights {weights} were given; leave them.")
    module = nn.Sequential(OrderedDict(pixels=nn.Identity()))
    return Model(module, weights="none")


def _with_file(model: Model, weights: str | Path) -> Model:
    load_weights(model.module, Path(weights))
    return replace(model, weights=f"file {Path(weights).name}")


def _torchvision(name: str, weights: str | Path | None) -> Model:
    from torchvision import models

    names = models.list_models(module=models)
    if name not in names:
        raise unknown("torchvision model", name, names)
    published = models.get_model_weights(name)
    if weights is None or Path(weights).is_file():
        module = models.get_model(name, weights=None)
        model = Model(module, Preprocessing.from_torchvision(published.DEFAULT), weights=UNTRAINED)
        return model if weights is None else _with_file(model, weights)
    if weights not in published.__members__:
        hint = "Or give the path of a file of weights."
        choices = dict.fromkeys(["DEFAULT", *published.__members__])
        raise unknown(f"weights of {name}", str(weights), choices, hint)
    chosen = published[str(weights)]
    try:
        module = models.get_model(name, weights=chosen)
    except OSError as error:
        raise FetchError(f"weights {chosen} could not be downloaded: {error}.") from error
    return Model(module, Preprocessing.from_torchvision(chosen), weights=str(chosen))


def _timm(name: str, weights: str | Path | None) -> Model:
    try:
        import timm
    except ImportError as error:
        raise MissingExtraError(f"timm:{name} needs the package timm: pip install timm.") from error
    if name not in timm.list_models():
        raise unknown("timm model", name, timm.list_models())
    pretrained = str(weights) == "pretrained"
    module = timm.create_model(name, pretrained=pretrained)
    config = timm.data.resolve_model_data_config(module)
    preprocessing = Preprocessing(
        size=tuple(config["input_size"][1:]),
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )
    model = Model(module, preprocessing, weights="timm pretrained" if pretrained else UNTRAINED)
    return model if weights is None or pretrained else _with_file(model, weights)


def _from_file(source: str) -> Model:
    path, _, function = source.rpartition(":")
    if not path.endswith(".py") or not function:
        raise InputError(f"model {source!r} is not understood; give one of {', '.join(FORMS)}.")
    if not Path(path).is_file():
        raise InputError(f"model {source!r}: there is no file {path}.")
    module = _import_file(Path(path).resolve())
    if not callable(make := getattr(module, function, None)):
        public = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise unknown(f"function in {path}", function, public)
    return _checked(source, _call(source, make))


def _import_file(path: Path) -> ModuleType:
    name = f"neurosage_model_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look their module up here
    sys.path.insert(0, str(path.parent))
    try:
        _call(str(path), partial(spec.loader.exec_module, module))
    finally:
        sys.path.remove(str(path.parent))
    return module


def _call(source: str, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Exception as error:
        raise InputError(f"{source} failed: {type(error).__name__}: {error}") from error


def _checked(source: str, made: Any) -> Model:
    if isinstance(made, Model):
        return made
    module, preprocessing = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, nn.Module) or not isinstance(preprocessing, Preprocessing | None):
        raise InputError(
            f"{source} must return a torch.nn.Module, or a module and its Preprocessing, "
            f"but returned {type(made).__name__}."
        )
    return Model(module, preprocessing or Preprocessing(), weights=AS_MADE)
