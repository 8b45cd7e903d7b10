"""The convnet space: what is built is what was decided."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neurosage.errors import InputError
from neurosage.nas.macs import count_macs
from neurosage.nas.space import assign, draw
from neurosage.nas.spaces.convnet import ConvNetSpace, convnet_5, convnet_10, convnet_20


def decide(space, layers, links=(), **fixed):
    """An architecture of first options, with these (layer, source) links."""
    names = {f"layer{i}.from_{f'layer{s}' if s else 'image'}": True for i, s in links}
    return assign(space, lambda c: c.options[0], {"layers": layers, **names, **fixed})


def build(space, architecture, image=(3, 12, 10)):
    torch.manual_seed(0)
    return space.build(architecture, classes=4, image=image)


def outputs(network, names, images):
    """What each named layer gives."""
    seen = {}
    for name in names:
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: seen.update({name: (inputs[0], output)})
        )
    network(images)
    return seen


@pytest.mark.parametrize(("make", "count"), [(convnet_5, 46), (convnet_10, 116), (convnet_20, 331)])
def test_number_of_choices(make, count):
    """One for the depth, six a layer, one a pair of a layer and what it may hear."""
    assert len(make().choices) == count


def test_steps_are_layers():
    """Step 0 is the image and the depth; step i decides layer i, hearing steps before."""
    for choice in convnet_5().choices[1:]:
        assert choice.name.startswith(f"layer{choice.step}.")
        assert choice.requires == ("layers", tuple(range(choice.step, 6)))
        assert choice.source is None or choice.source < choice.step


def test_decisions_are_built():
    """Filters, kernel, stride, activation and normalisation are as decided."""
    space = convnet_5((4, 8))
    architecture = decide(
        space,
        2,
        [(2, 1)],
        **{
            "layer1.filters": 8,
            "layer1.height": 3,
            "layer1.width": 7,
            "layer1.stride": 2,
            "layer1.activation": "relu",
            "layer1.normalisation": "batch",
        },
    )
    first, second = (build(space, architecture).get_submodule(f"layer{i}") for i in (1, 2))
    assert [type(part) for part in first] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert [type(part) for part in second] == [nn.Conv2d]
    conv = first.get_submodule("conv")
    assert (conv.out_channels, conv.kernel_size, conv.stride) == (8, (3, 7), (2, 2))
    assert conv.padding == (1, 3)
    assert conv.bias is None
    assert second.get_submodule("conv").bias is not None


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_stride_alone_shrinks(kernel, stride):
    """Padding keeps the size whatever the kernel; stride 2 halves it, rounding up."""
    space = convnet_5((4,))
    fixed = {"layer1.height": kernel, "layer1.width": kernel, "layer1.stride": stride}
    seen = outputs(build(space, decide(space, 1, **fixed)), ["layer1"], torch.zeros(1, 3, 12, 9))
    assert seen["layer1"][1].shape == (1, 4, -(-12 // stride), -(-9 // stride))


def test_no_input_chosen_is_the_image():
    """A layer that hears nothing gets the image: the same network as choosing it."""
    space = convnet_5((4,))
    silent, told = decide(space, 2), decide(space, 2, [(1, 0), (2, 0)])
    assert space.graph(silent).key() == space.graph(told).key()
    images = torch.randn(2, 3, 12, 10)
    torch.testing.assert_close(build(space, silent)(images), build(space, told)(images))


def test_unequal_inputs_are_padded_and_joined_in_depth():
    """The smaller map gets zeros on all sides; both then stand side by side in depth."""
    space = convnet_5((4,))
    architecture = decide(space, 2, [(2, 0), (2, 1)], **{"layer1.stride": 2})
    seen = outputs(build(space, architecture), ["layer1", "layer2"], torch.randn(2, 3, 12, 10))
    joined, small = seen["layer2"][0], seen["layer1"][1]
    assert joined.shape == (2, 7, 12, 10)
    torch.testing.assert_close(joined[:, 3:, 3:9, 2:7], small)
    assert joined[:, 3:].count_nonzero() == small.count_nonzero()


def test_what_nobody_hears_is_classified():
    """Outputs that no layer uses are all joined before the classifier."""
    space = convnet_5((4, 8))
    fixed = {"layer2.filters": 8}
    heard = build(space, decide(space, 3, [(2, 1), (3, 1)], **fixed))
    assert heard.classifier.in_features == 8 + 4
    line = build(space, decide(space, 3, [(2, 1), (3, 2)], **fixed))
    assert line.classifier.in_features == 4


def test_order_of_equal_branches_is_one_network():
    """Two branches decided in the other order have one key, and equal cost."""
    space = convnet_5((4, 8))
    one = decide(space, 3, [(3, 1)], **{"layer1.filters": 8})
    two = decide(space, 3, [(3, 2)], **{"layer2.filters": 8})
    assert space.graph(one).key() == space.graph(two).key()
    costs = [count_macs(build(space, each), (3, 12, 10)) for each in (one, two)]
    assert costs[0] == costs[1]


@pytest.mark.parametrize(
    ("part", "option"),
    [
        ("filters", 8),
        ("height", 3),
        ("width", 3),
        ("stride", 2),
        ("activation", "relu"),
        ("normalisation", "batch"),
    ],
)
def test_every_decision_counts(part, option):
    """Changing any one decision of a layer changes the key."""
    space = convnet_5((4, 8))
    plain, other = decide(space, 2), decide(space, 2, **{f"layer2.{part}": option})
    assert space.graph(plain).key() != space.graph(other).key()


def test_channels_last_gives_the_same():
    """Memory format changes no answer."""
    space, rng = convnet_10((4, 8)), np.random.default_rng(3)
    images = torch.randn(2, 3, 8, 8)
    for _ in range(3):
        network = build(space, draw(space, rng)).eval()
        plain = network(images)
        network = network.to(memory_format=torch.channels_last)
        torch.testing.assert_close(
            network(images.to(memory_format=torch.channels_last)), plain, atol=1e-5, rtol=1e-4
        )


def test_networks_learn():
    """A drawn network fits a handful of images."""
    space = convnet_5((8,))
    fixed = {"layer1.height": 3, "layer1.width": 3, "layer1.activation": "relu"}
    network = build(space, decide(space, 2, [(2, 1)], **fixed))
    images, labels = torch.randn(16, 3, 12, 10), torch.arange(16) % 4
    images[torch.arange(16), labels % 3] += 1.0 + labels[:, None, None].float()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ((), "filters must be whole numbers"),
        ((0, 8), "filters must be whole numbers"),
        ((8.0,), "filters must be whole numbers"),
        ((True,), "filters must be whole numbers"),
        ((8, 8), "must differ"),
    ],
    ids=["none", "zero", "float", "bool", "twice"],
)
def test_wrong_filters_are_refused(filters, message):
    """Filters are distinct whole numbers from 1."""
    with pytest.raises(InputError, match=message):
        convnet_5(filters)


def test_wrong_depth_is_refused():
    """A network has a layer at least."""
    with pytest.raises(InputError, match="max_layers must be a whole number from 1, not 0"):
        ConvNetSpace("convnet-0", 0)
