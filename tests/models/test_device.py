"""Laws of the devices that a network can run on."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from neurosage.errors import InputError
from neurosage.models.device import check_device
from neurosage.models.record import record_batches


@pytest.mark.parametrize("device", [None, "cpu", torch.device("cpu")])
def test_devices_that_are_there_pass(device: str | torch.device | None) -> None:
    """By name, as torch's own object, or left out."""
    check_device(device)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", torch.device("meta"), ""])
def test_devices_that_are_not_there_are_refused_with_the_choices(device: object) -> None:
    """A device that this machine lacks is never torch's own traceback."""
    with pytest.raises(InputError, match=r"unknown device .*Choices: cpu"):
        check_device(device)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"device": "gpu"}, "unknown device"), ({"seed": -1}, "seed"), ({"seed": 0.5}, "seed")],
)
def test_recording_checks_how_it_runs_before_it_reads(
    wrong: dict[str, object], message: str
) -> None:
    """The first batch is not asked for."""

    def batches():
        raise AssertionError("read")
        yield

    with pytest.raises(InputError, match=message):
        record_batches(nn.Flatten(), batches(), **wrong)  # type: ignore[arg-type]
