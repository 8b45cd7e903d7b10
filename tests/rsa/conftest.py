"""Recordings whose structure is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from neurosage.data.assembly import assembly


@pytest.fixture
def recording() -> Callable[..., xr.DataArray]:
    """Make an assembly of a few regions that share some structure over stimuli."""

    def make(n=40, regions=(("V4", 12), ("IT", 9)), seed=0, offset=3.0, prefix="img"):
        common = np.random.default_rng(99).normal(size=(n, 4))
        rng = np.random.default_rng(seed)
        parts = [common @ rng.normal(size=(4, p)) + rng.normal(size=(n, p)) for _, p in regions]
        return assembly(
            np.concatenate(parts, axis=1) + offset,
            stimulus_id=[f"{prefix}{i}" for i in range(n)],
            region=np.repeat([name for name, _ in regions], [p for _, p in regions]),
        )

    return make


@pytest.fixture
def repeated() -> Callable[..., xr.DataArray]:
    """Make an assembly of ragged repetitions with a known ratio of noise to signal variance."""

    def make(n=200, neuroids=60, low=2, high=6, noise=2.0, seed=0):
        rng = np.random.default_rng(seed)
        counts = rng.integers(low, high + 1, n)
        signal = rng.normal(size=(n, neuroids))
        values = np.repeat(signal, counts, axis=0)
        values = values + np.sqrt(noise) * rng.normal(size=values.shape)
        ids = np.repeat([f"img{i}" for i in range(n)], counts)
        order = rng.permutation(len(ids))
        harmonic = 1 / np.mean(1 / counts)
        made = assembly(values[order], stimulus_id=ids[order], region="V4")
        return made.assign_attrs(true=harmonic / (harmonic + noise))

    return make
