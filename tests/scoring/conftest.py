"""A small teacher and a small network."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from neurosage.data.assembly import assembly
from neurosage.data.images import ArrayImages
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    conv = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten())
    return nn.Sequential(conv, nn.Linear(8 * 36, 6))


@pytest.fixture
def teacher() -> Teacher:
    """40 images of 20 objects; two regions that see every ninth pixel, four times."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 8, 8, 3), np.uint8)
    table = pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(40)]})
    table["object"] = [f"object{i // 2}" for i in range(40)]
    table["half"] = [f"half{i // 20}" for i in range(40)]
    stimuli = StimulusSet("noise", table, ArrayImages(images))
    seen = np.tile(images.reshape(40, -1)[:, ::9], (4, 1))
    responses = assembly(
        seen + generator.normal(0, 40, (160, 22)),
        stimulus_id=np.tile(table.stimulus_id, 4),
        region=["V4"] * 12 + ["IT"] * 10,
    )
    return Teacher("lab", stimuli, responses, normalise="zscore")
