"""The convnet space: chains of convolutions with any skip connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn
from torch.nn import functional

from neurosage.errors import InputError
from neurosage.nas.graph import Edge, Graph
from neurosage.nas.space import Architecture, Choice, Option

FILTERS = (32, 64, 128)
KERNELS = (1, 3, 5, 7)
STRIDES = (1, 2)
ACTIVATIONS = ("identity", "relu")
NORMALISATIONS = ("none", "batch")
_KINDS = ("filters", "height", "width", "stride", "activation", "normalisation")


@dataclass(frozen=True)
class ConvNetSpace:
    """Networks of 1 to `max_layers` convolutions, connected as they like.

    Each layer has a number of filters, a kernel height and width, a stride, an
    activation and a normalisation, and listens to the image or any earlier layers.
    Step 0 stands for the image and decides the number of layers; step i decides
    layer i. A layer that chose no input gets the image. Maps of unequal size are
    zero-padded on all sides to the largest and concatenated in depth. Layers that
    nobody listens to go to the classifier, so that no layer is unused.

    Parameters
    ----------
    name : str
        The registered id, such as ``convnet-10``.
    max_layers : int
        The largest number of layers, at least 1.
    filters : tuple of int
        The numbers of filters to choose from.

    Raises
    ------
    InputError
        If `max_layers` or `filters` are not positive whole numbers, or filters repeat.

    References
    ----------
    Zoph & Le 2017, "Neural architecture search with reinforcement learning", for the
    connections.

    Examples
    --------
    >>> len(convnet_10().choices), len(convnet_20().choices)
    (116, 331)
    """

    name: str
    max_layers: int
    filters: tuple[int, ...] = FILTERS

    def __post_init__(self) -> None:
        if not _positive(self.max_layers):
            raise InputError(f"max_layers must be a whole number from 1, not {self.max_layers!r}.")
        if not self.filters or not all(_positive(f) for f in self.filters):
            raise InputError(f"filters must be whole numbers from 1, not {self.filters!r}.")
        if len(set(self.filters)) < len(self.filters):
            raise InputError(f"filters must differ from each other, not {self.filters!r}.")

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """The number of layers, then what each layer is and what it listens to."""
        numbers = tuple(range(1, self.max_layers + 1))
        layers = [choice for layer in numbers for choice in self._layer(layer)]
        return (Choice("layers", numbers, "layers"), *layers)

    def _layer(self, layer: int) -> list[Choice]:
        requires = ("layers", tuple(range(layer, self.max_layers + 1)))
        shape: list[tuple[Option, ...]] = [self.filters, KERNELS, KERNELS, STRIDES]
        own = [*shape, ACTIVATIONS, NORMALISATIONS]
        decided = [
            Choice(f"layer{layer}.{kind}", options, kind, layer, requires=requires)
            for kind, options in zip(_KINDS, own, strict=True)
        ]
        heard = [
            Choice(_link(layer, source), (False, True), "connection", layer, source, requires)
            for source in range(layer)
        ]
        return decided + heard

    def build(
        self, architecture: Architecture, *, classes: int, image: tuple[int, int, int]
    ) -> ConvNet:
        """Build the network.

        Parameters
        ----------
        architecture : mapping
            Checked by `check_architecture`.
        classes : int
            Number of outputs.
        image : tuple of int
            Channels, height and width in pixels.

        Returns
        -------
        ConvNet
            With PyTorch's default initialisation, drawn from its global generator.
        """
        layers = [_plan(architecture, i) for i in range(1, _depth(architecture) + 1)]
        return ConvNet(layers, classes=classes, image=image)

    def layers(self, architecture: Architecture) -> tuple[str, ...]:
        """Names of the convolution layers, from input to output.

        What is recorded of a layer is its output after normalisation and activation.
        """
        return tuple(f"layer{i}" for i in range(1, _depth(architecture) + 1))

    def graph(self, architecture: Architecture) -> Graph:
        """Return the network: nodes are the image, the layers' outputs and the classifier."""
        layers = [_plan(architecture, i) for i in range(1, _depth(architecture) + 1)]
        answer = len(layers) + 1
        edges: list[Edge] = [
            (source, target, layer.label)
            for target, layer in enumerate(layers, 1)
            for source in layer.sources
        ]
        edges += [(last, answer, "classify") for last in unheard(layers)]
        return Graph(("concat",) * (answer + 1), tuple(edges), (0,), (answer,)).prune()


def convnet_5(filters: Sequence[int] = FILTERS) -> ConvNetSpace:
    """Return the convnet space of up to 5 layers, for small runs; see `ConvNetSpace`."""
    return _up_to(5, filters)


def convnet_10(filters: Sequence[int] = FILTERS) -> ConvNetSpace:
    """Return the convnet space of up to 10 layers, 116 choices; see `ConvNetSpace`."""
    return _up_to(10, filters)


def convnet_20(filters: Sequence[int] = FILTERS) -> ConvNetSpace:
    """Return the convnet space of up to 20 layers, 331 choices; see `ConvNetSpace`."""
    return _up_to(20, filters)


def _up_to(layers: int, filters: Sequence[int]) -> ConvNetSpace:
    if not isinstance(filters, list | tuple):
        raise InputError(f"filters must be a list of whole numbers, not {filters!r}.")
    return ConvNetSpace(f"convnet-{layers}", layers, tuple(filters))


@dataclass(frozen=True)
class LayerPlan:
    """One layer as decided: `sources` are 0 for the image and i for layer i."""

    filters: int
    height: int
    width: int
    stride: int
    activation: str
    normalisation: str
    sources: tuple[int, ...]

    @property
    def label(self) -> str:
        """The operation as an edge label."""
        return (
            f"conv {self.filters} {self.height}x{self.width} /{self.stride} "
            f"{self.normalisation} {self.activation}"
        )


def unheard(layers: Sequence[LayerPlan]) -> tuple[int, ...]:
    """Return the layers, counted from 1, that no layer listens to."""
    heard = {source for layer in layers for source in layer.sources}
    return tuple(i for i in range(1, len(layers) + 1) if i not in heard)


def _plan(architecture: Architecture, layer: int) -> LayerPlan:
    chosen = {kind: architecture[f"layer{layer}.{kind}"] for kind in _KINDS}
    sources = tuple(s for s in range(layer) if architecture[_link(layer, s)]) or (0,)
    return LayerPlan(
        filters=int(chosen["filters"]),
        height=int(chosen["height"]),
        width=int(chosen["width"]),
        stride=int(chosen["stride"]),
        activation=str(chosen["activation"]),
        normalisation=str(chosen["normalisation"]),
        sources=sources,
    )


def _link(layer: int, source: int) -> str:
    return f"layer{layer}.from_layer{source}" if source else f"layer{layer}.from_image"


def _depth(architecture: Architecture) -> int:
    return int(architecture["layers"])


def _positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


class ConvNet(nn.Module):
    """A network of the convnet space; its layers are ``layer1``, ``layer2``, ….

    Parameters
    ----------
    layers : sequence of LayerPlan
        From input to output.
    classes : int
        Number of outputs.
    image : tuple of int
        Channels, height and width in pixels.
    """

    def __init__(
        self, layers: Sequence[LayerPlan], *, classes: int, image: tuple[int, int, int]
    ) -> None:
        super().__init__()
        self.sources = tuple(layer.sources for layer in layers)
        self.last = unheard(layers)
        depths = [image[0]]
        for i, layer in enumerate(layers, 1):
            depth = sum(depths[source] for source in layer.sources)
            self.add_module(f"layer{i}", _convolution(layer, depth))
            depths.append(layer.filters)
        self.classifier = nn.Linear(sum(depths[i] for i in self.last), classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (n, channels, height, width) to logits (n, classes)."""
        maps = [images]
        for i, sources in enumerate(self.sources, 1):
            maps.append(self.get_submodule(f"layer{i}")(_join([maps[s] for s in sources])))
        # the mean over space of each map, then joined: what padding would only scale
        means = [maps[i].mean(dim=(2, 3)) for i in self.last]
        logits: torch.Tensor = self.classifier(torch.cat(means, dim=1))
        return logits


def _convolution(layer: LayerPlan, depth: int) -> nn.Sequential:
    kernel = (layer.height, layer.width)
    padding = (layer.height // 2, layer.width // 2)
    normalised = layer.normalisation == "batch"
    block = nn.Sequential()
    block.add_module(
        "conv",
        nn.Conv2d(depth, layer.filters, kernel, layer.stride, padding, bias=not normalised),
    )
    if normalised:
        block.add_module("norm", nn.BatchNorm2d(layer.filters))
    if layer.activation == "relu":
        block.add_module("relu", nn.ReLU())
    return block


def _join(maps: list[torch.Tensor]) -> torch.Tensor:
    if len(maps) == 1:
        return maps[0]
    height = max(each.shape[2] for each in maps)
    width = max(each.shape[3] for each in maps)
    return torch.cat([_pad(each, height, width) for each in maps], dim=1)


def _pad(each: torch.Tensor, height: int, width: int) -> torch.Tensor:
    rows, columns = height - each.shape[2], width - each.shape[3]
    if not rows and not columns:
        return each
    left, top = columns // 2, rows // 2
    return functional.pad(each, (left, columns - left, top, rows - top))
