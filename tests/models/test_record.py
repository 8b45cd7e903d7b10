"""Laws of recording."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import nn

from neurosage.data.assembly import assembly, check_assembly, region_names
from neurosage.data.images import ArrayImages
from neurosage.data.registry import load_stimuli
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.models.preprocess import Preprocessing
from neurosage.models.record import record, record_batches
from neurosage.models.recorder import choose_units


class Net(nn.Module):
    """A shared ReLU that works in place, dropout, batch norm, and a tuple for an output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.rnn = nn.LSTM(4, 2, batch_first=True)
        self.head = nn.Linear(4 * 8 * 8, 5)
        self.unused = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.norm(self.conv1(x)))
        x = self.relu(self.conv2(x))
        self.rnn(x.flatten(2).transpose(1, 2))
        return self.head(self.drop(x).flatten(1))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(11, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def stimuli() -> StimulusSet:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), np.uint8)
    table = pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(7)]})
    return StimulusSet("seven", table, ArrayImages(pixels))


def hooks_of(net: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules())


def by_hand(net: Net, images: torch.Tensor) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        net.eval()
        conv1 = net.conv1(images)
        norm = net.norm(conv1)
        conv2 = net.conv2(norm.relu())
        values = {"conv1": conv1, "norm": norm, "relu": norm.relu(), "conv2": conv2}
        values |= {"relu:1": conv2.relu(), "drop": conv2.relu()}
        return values | {"head": net.head(conv2.relu().flatten(1))}


def test_layers_are_recorded_as_they_were_before_anything_changed_them(
    net: Net, images: torch.Tensor
) -> None:
    """All units equal the outputs computed by hand, although the ReLU works in place."""
    recorded = record_batches(net, images, units=10_000, batch_size=4)
    expected = by_hand(net, images)
    assert list(recorded) == ["conv1", "norm", "relu", "conv2", "relu:1", "drop", "head"]
    for name, values in recorded.items():
        assert values.dtype == np.float32
        np.testing.assert_allclose(values, expected[name].flatten(1), atol=1e-5, err_msg=name)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batches_do_not_matter(net: Net, images: torch.Tensor, batch_size: int) -> None:
    """Any batch size, and batches given one by one, give what one batch gives."""
    whole = record_batches(net, images, ["relu:1", "head"], units=20, batch_size=11)
    parts = record_batches(net, images, ["relu:1", "head"], units=20, batch_size=batch_size)
    stream = record_batches(net, iter(images.split(batch_size)), ["relu:1", "head"], units=20)
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, atol=1e-5)
        np.testing.assert_array_equal(stream[name], parts[name])


def test_sampled_units_are_some_of_all_the_units(net: Net, images: torch.Tensor) -> None:
    """The same units for all stimuli, those that `choose_units` names, by seed."""
    everything = record_batches(net, images, ["conv1"], units=10_000)["conv1"]
    sample = record_batches(net, images, ["conv1"], units=30, seed=5)["conv1"]
    np.testing.assert_allclose(sample, everything[:, choose_units(256, 30, 5)], atol=1e-6)
    again = record_batches(net, images, ["conv1", "head"], units=30, seed=5)["conv1"]
    np.testing.assert_array_equal(again, sample)
    other = record_batches(net, images, ["conv1"], units=30, seed=6)["conv1"]
    assert not np.array_equal(other, sample)


def test_memory_layout_does_not_matter(net: Net, images: torch.Tensor) -> None:
    """Channels-last networks answer with the same units."""
    plain = record_batches(net, images, ["conv1", "relu"], units=50)
    moved = net.to(memory_format=torch.channels_last)
    last = images.contiguous(memory_format=torch.channels_last)
    for name, values in record_batches(moved, last, ["conv1", "relu"], units=50).items():
        np.testing.assert_allclose(values, plain[name], atol=1e-5)


def test_the_network_is_left_as_it_was(net: Net, images: torch.Tensor) -> None:
    """Training mode of every module, statistics, weights, gradients and hooks are untouched."""
    net.train()
    net.norm.eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    record_batches(net, images)
    assert net.training
    assert net.drop.training
    assert not net.norm.training
    assert hooks_of(net) == 0
    for key, value in net.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0)
    assert all(p.grad is None for p in net.parameters())


def test_a_failure_leaves_no_hooks_and_says_the_shape(net: Net) -> None:
    """A forward pass that fails names the images' shape; hooks and mode are restored."""
    with pytest.raises(InputError, match=r"fails on images of shape \(3, 5, 5\)"):
        record_batches(net, torch.zeros(2, 3, 5, 5))
    assert hooks_of(net) == 0
    assert net.training


def test_containers_aliases_and_the_whole_network_are_layers(images: torch.Tensor) -> None:
    """Any name of `named_modules` can be asked for; a network without children is ``output``."""
    stage = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
    net = nn.Sequential(stage, nn.Flatten())
    net.register_module("alias", stage)
    recorded = record_batches(net[:1], images, ["0", "0.1"])
    np.testing.assert_array_equal(recorded["0"], recorded["0.1"])
    recorded = record_batches(nn.Flatten(), images)
    np.testing.assert_array_equal(recorded["output"], images.flatten(1).numpy())


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["conv3"], "unknown layer 'conv3'; did you mean 'conv"),
        (["relu:2"], "'relu' is called 2 times"),
        (["unused"], "'unused' is called 0 times"),
        (["rnn"], "its output is a tuple"),
        ([], "no layer is named"),
        ("conv1", r"give \['conv1'\]"),
    ],
    ids=["unknown", "call", "unused", "tuple", "none", "string"],
)
def test_layers_that_cannot_be_recorded_are_named(
    net: Net, images: torch.Tensor, layers: Any, message: str
) -> None:
    """Each with its reason, and its close matches."""
    with pytest.raises(InputError, match=message):
        record_batches(net, images, layers)
    assert hooks_of(net) == 0


def test_nan_is_named(net: Net, images: torch.Tensor) -> None:
    """NaN activations name the layer and the first stimuli."""
    images[3] = float("nan")
    with pytest.raises(InputError, match=r"'conv1' gives NaN or infinity for 1 of 11 .*\[3\]"):
        record_batches(net, images, ["conv1"])


def test_what_does_not_fit_says_so_first(
    net: Net, images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is checked after the first batch, and only that batch has run."""
    import psutil

    batches: list[int] = []
    net.register_forward_pre_hook(lambda _m, inputs: batches.append(len(inputs[0])))
    memory = type("Memory", (), {"available": 1000})()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(InputError, match="name fewer layers, or lower units"):
        record_batches(net, images, batch_size=2)
    assert batches == [2]


@pytest.mark.parametrize("wrong", [{"units": 0}, {"batch_size": 0}], ids=["units", "batch_size"])
def test_numbers_start_at_1(net: Net, images: torch.Tensor, wrong: dict[str, int]) -> None:
    """Units and batch size below 1 are refused."""
    with pytest.raises(InputError, match="whole number of 1 or more"):
        record_batches(net, images, **wrong)


def test_no_inputs_are_refused(net: Net) -> None:
    """An empty tensor or stream says so."""
    for nothing in (torch.zeros(0, 3, 8, 8), iter([])):
        with pytest.raises(InputError, match="no stimuli"):
            record_batches(net, nothing)


def test_a_recording_is_an_assembly_that_says_how_it_was_made(
    net: Net, stimuli: StimulusSet
) -> None:
    """Region = layer, units named, ids in the stimuli's order, provenance in attributes."""
    a = check_assembly(record(net, stimuli, ["conv1", "head"], units=6, seed=3, batch_size=2))
    assert a.sizes == {"presentation": 7, "neuroid": 11}
    assert region_names(a) == ("conv1", "head")
    assert list(a.stimulus_id.values) == list(stimuli.stimulus_ids)
    assert list(a.unit.values) == [*choose_units(256, 6, 3), 0, 1, 2, 3, 4]
    assert a.neuroid_id.values[-1] == "head.4"
    assert a.attrs["stimuli_hash"] == stimuli.content_hash()
    assert a.attrs["seed"] == 3
    assert len(a.attrs["weights_hash"]) == 64
    prepared = Preprocessing().apply(stimuli)
    expected = record_batches(net, prepared, ["conv1", "head"], units=6, seed=3)
    np.testing.assert_allclose(a.values[:, :6], expected["conv1"], atol=1e-6)


def test_stimuli_are_a_set_its_id_or_a_teachers(net: Net, stimuli: StimulusSet) -> None:
    """All three record the same; anything else is one error that says what is wanted."""
    rates = assembly(np.eye(7), stimulus_id=stimuli.stimulus_ids, region="V4")
    expected = record(net, stimuli, ["conv1"])
    xr.testing.assert_identical(record(net, Teacher("lab", stimuli, rates), ["conv1"]), expected)
    found = record("pixels", "digits", units=3)
    assert list(found.stimulus_id.values) == list(load_stimuli("digits").stimulus_ids)
    for wrong in (rates, np.zeros((2, 8, 8, 3), np.uint8), None):
        with pytest.raises(InputError, match="stimuli are a StimulusSet, a Teacher or the id"):
            record(net, wrong)  # type: ignore[arg-type]


def test_progress_counts_the_stimuli_that_were_recorded(net: Net, stimuli: StimulusSet) -> None:
    """After each batch, up to all of them."""
    seen: list[tuple[int, int]] = []
    record(net, stimuli, ["conv1"], batch_size=3, progress=lambda *count: seen.append(count))
    assert seen == [(3, 7), (6, 7), (7, 7)]


def test_the_hash_of_weights_is_that_of_their_content(net: Net, stimuli: StimulusSet) -> None:
    """One changed number gives another hash; a copy gives the same."""
    first = record(net, stimuli, ["head"]).attrs["weights_hash"]
    assert record(net, stimuli, ["conv1"]).attrs["weights_hash"] == first
    with torch.no_grad():
        net.head.bias[0] += 1
    assert record(net, stimuli, ["head"]).attrs["weights_hash"] != first
