"""What is kept of teachers' stimuli, and what is let go."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from neurosage.data.stimuli import ArrayImages, StimulusSet
from neurosage.models.preprocess import Preprocessing
from neurosage.nas.inputs import KeptInputs

PLAIN = Preprocessing(size=(8, 8))
ONE = 10 * 3 * 8 * 8 * 4


def stimuli(seed: int, count: int = 10) -> StimulusSet:
    images = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), np.uint8)
    table = pd.DataFrame({"stimulus_id": [f"{seed}-{i}" for i in range(count)]})
    return StimulusSet(f"set-{seed}", table, ArrayImages(images))


def test_what_is_kept_is_bounded() -> None:
    """However many sets a process has shown, the bytes stay under the bound; the oldest go."""
    kept = KeptInputs(most=2 * ONE)
    sets = [stimuli(seed) for seed in range(4)]
    first = kept.get([sets[0]], PLAIN)[0].tensor
    for each in sets:
        assert kept.get([each], PLAIN)[0].tensor is not None
        assert kept.get([sets[0]], PLAIN)[0].tensor is first, "used last, so kept"
        assert kept.held <= 2 * ONE


def test_sets_of_one_network_do_not_drive_each_other_out() -> None:
    """What finds no room beside the others is prepared when shown, the same to the bit."""
    kept = KeptInputs(most=2 * ONE)
    sets = [stimuli(seed) for seed in range(3)]
    for _ in range(2):
        inputs = kept.get(sets, PLAIN)
        assert [each.tensor is None for each in inputs] == [False, False, True]
    whole = KeptInputs().get(sets, PLAIN)
    for one, other in zip(inputs, whole, strict=True):
        assert torch.equal(
            torch.cat(list(one.batches("cpu"))), torch.cat(list(other.batches("cpu")))
        )


def test_equal_stimuli_share_a_tensor() -> None:
    """By content, whatever the sets are called; what is too large is not kept."""
    a, b = KeptInputs().get([stimuli(1), stimuli(1)], PLAIN)
    assert a.tensor is b.tensor
    small = KeptInputs(largest=ONE - 1)
    assert small.get([stimuli(1)], PLAIN)[0].tensor is None
    assert small.held == 0
