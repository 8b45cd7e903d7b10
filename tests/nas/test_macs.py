"""Counting cost without running anything."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import nn

from neurosage.nas.macs import count_macs
from neurosage.nas.space import draw
from neurosage.nas.spaces.convnet import convnet_10


def by_hand(architecture, classes, image):
    """MACs and parameters of a convnet from its decisions alone: the reference."""
    shapes, heard, macs, parameters = [image], set(), 0, 0
    for i in range(1, architecture["layers"] + 1):
        own = {k: architecture[f"layer{i}.{k}"] for k in ("filters", "height", "width", "stride")}
        names = ["image", *(f"layer{s}" for s in range(1, i))]
        sources = [s for s, n in enumerate(names) if architecture[f"layer{i}.from_{n}"]] or [0]
        heard.update(sources)
        depth = sum(shapes[s][0] for s in sources)
        size = [-(-max(shapes[s][k] for s in sources) // own["stride"]) for k in (1, 2)]
        weights = depth * own["filters"] * own["height"] * own["width"]
        batch = architecture[f"layer{i}.normalisation"] == "batch"
        macs += weights * size[0] * size[1]
        parameters += weights + own["filters"] * (2 if batch else 1)
        shapes.append((own["filters"], *size))
    last = sum(shape[0] for i, shape in enumerate(shapes) if i and i not in heard)
    return macs + last * classes, parameters + (last + 1) * classes


@pytest.mark.parametrize(
    ("module", "macs", "parameters"),
    [
        (nn.Conv2d(3, 8, (3, 5), stride=2, padding=(1, 2)), 8 * 3 * 15 * 4 * 4, 8 * 45 + 8),
        (nn.Conv2d(3, 6, 3, groups=3), 6 * 9 * 6 * 6, 6 * 9 + 6),
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 10)), 1920, 1930),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2)), 0, 6),
    ],
    ids=["conv", "grouped", "linear", "free"],
)
def test_known_layers(module, macs, parameters):
    """Convolutions and products count as defined; what only normalises or pools is free."""
    assert count_macs(module, (3, 8, 8)) == (macs, parameters)


def test_convnets():
    """Drawn networks cost what their decisions say."""
    space, rng = convnet_10(), np.random.default_rng(0)
    for _ in range(12):
        architecture = draw(space, rng)
        with torch.device("meta"):
            network = space.build(architecture, classes=100, image=(3, 32, 32))
        assert count_macs(network, (3, 32, 32)) == by_hand(architecture, 100, (3, 32, 32))


def test_costs_of_uniform_draws():
    """Uniform draws of convnet-10 cost .77, 194, 604, 1696 million at 5, 50, 75, 95%.

    Those are of 20,000 draws, SE .05, 2.4, 7, 26.
    """
    space, rng = convnet_10(), np.random.default_rng(0)
    macs = [by_hand(draw(space, rng), 100, (3, 32, 32))[0] / 1e6 for _ in range(4000)]
    found = np.quantile(macs, [0.05, 0.5, 0.75, 0.95])
    np.testing.assert_allclose(found, [0.77, 194, 604, 1696], rtol=0.12)


def test_module_is_left_alone():
    """Training modes, buffers, hooks and weights are as before."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout()).train()
    module[2].eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    count_macs(module, (3, 8, 8))
    assert [part.training for part in module] == [True, True, False]
    after = module.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert not any(part._forward_hooks for part in module.modules())


def test_maps_of_one_pixel_are_counted():
    """Batch normalisation of a single value, which training refuses, does not stand in the way."""
    module = nn.Sequential(nn.Conv2d(3, 4, 8), nn.BatchNorm2d(4)).train()
    assert count_macs(module, (3, 8, 8)) == (3 * 4 * 64, 3 * 4 * 64 + 4 + 8)


def test_huge_networks_cost_nothing_to_count():
    """A network of 10¹⁵ multiply-accumulates and 400 GB of weights is counted at once."""
    with torch.device("meta"):
        huge = nn.Sequential(nn.Conv2d(3, 10**5, 1), nn.Conv2d(10**5, 10**5, 3, padding=1))
    start = time.perf_counter()
    macs, parameters = count_macs(huge, (3, 128, 128))
    assert macs > 10**15
    assert parameters > 9 * 10**10
    assert time.perf_counter() - start < 2


def test_failing_forward_restores_modes():
    """Where the network does not fit the image, its error comes through, modes restored."""
    module = nn.Linear(5, 2).train()
    with pytest.raises(RuntimeError):
        count_macs(module, (3, 8, 8))
    assert module.training
