"""Averages are means over what was measured, in the order of first appearance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosage.data.assembly import assembly
from neurosage.data.average import average_repetitions, average_time
from neurosage.errors import InputError


@given(st.lists(st.sampled_from("cadb"), min_size=1, max_size=30), st.integers(0, 2**31))
def test_equals_pandas(ids: list[str], seed: int) -> None:
    """Means over repetitions are those of pandas, missing responses left out."""
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((len(ids), 3)) < 0.3, np.nan, rng.normal(size=(len(ids), 3)))
    averaged = average_repetitions(assembly(values, stimulus_id=ids, region="V4"))
    expected = pd.DataFrame(values).groupby(ids, sort=False).mean()
    assert averaged["stimulus_id"].values.tolist() == expected.index.tolist()
    np.testing.assert_allclose(averaged.values, expected.to_numpy())
    counts = [ids.count(each) for each in expected.index]
    assert averaged["repetitions"].values.tolist() == counts


def test_averaging_twice_changes_nothing() -> None:
    """The average of an average is itself, its counts too."""
    a = assembly(np.arange(6.0).reshape(3, 2), stimulus_id=["b", "a", "b"], region="V4")
    once = average_repetitions(a)
    assert average_repetitions(once).identical(once)


def test_stimuli_of_a_category_count_alike() -> None:
    """A stimulus shown more often weighs no more in its category's mean."""
    a = assembly(
        np.array([[0.0], [0.0], [0.0], [6.0]]),
        stimulus_id=["s1", "s1", "s1", "s2"],
        region="V4",
        category=("presentation", ["cat"] * 4),
    )
    assert average_repetitions(a, by="category").values.item() == 3.0


def test_varying_coordinates_are_dropped() -> None:
    """A coordinate that differs between repetitions is not kept as if it held for all."""
    a = assembly(
        np.ones((3, 1)),
        stimulus_id=["a", "a", "b"],
        region="V4",
        label=("presentation", ["x", "x", "y"]),
        trial=("presentation", [1, 2, 3]),
    )
    averaged = average_repetitions(a)
    assert averaged["label"].values.tolist() == ["x", "y"]
    assert "trial" not in averaged.coords


def test_whole_numbers_keep_their_mean() -> None:
    """Counts average to fractions, never to rounded counts."""
    a = assembly(np.array([[1], [2]]), stimulus_id=["a", "a"], region="V4")
    assert average_repetitions(a).values.item() == 1.5


def test_time_window() -> None:
    """Only bins wholly within the window are averaged; none is an error with the range."""
    a = assembly(
        np.arange(4.0).reshape(1, 1, 4),
        dims=("presentation", "neuroid", "time_bin"),
        stimulus_id=["a"],
        region="V4",
        time_bin_start=[50, 70, 120, 170],
        time_bin_end=[70, 120, 170, 220],
    )
    assert average_time(a, 70, 170).values.item() == 1.5
    with pytest.raises(InputError, match="bins run from 50 to 220 ms"):
        average_time(a, 300, 400)
    flat = a.isel(time_bin=0).drop_vars(["time_bin_start", "time_bin_end"])
    assert average_time(flat, 0, 1).identical(flat)


def test_unknown_coordinate() -> None:
    """A coordinate that is not there is named beside those that are."""
    a = assembly([[1.0]], stimulus_id=["a"], region="V4")
    with pytest.raises(InputError, match="unknown coordinate on presentation 'object'"):
        average_repetitions(a, by="object")
