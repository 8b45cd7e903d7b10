"""Predictivity is scipy's rank correlation, with intervals that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from neurosage.errors import InputError
from neurosage.nas.study import predictivity


def test_equals_scipy_with_ties() -> None:
    """The estimate is scipy's Spearman correlation, ties included."""
    rng = np.random.default_rng(0)
    outcome, signal = rng.integers(0, 6, 30), rng.integers(0, 6, 30)
    table = predictivity({"s": signal}, outcome, resamples=10)
    assert table.loc["s", "spearman"] == pytest.approx(spearmanr(signal, outcome).statistic)


def test_only_order_matters() -> None:
    """A monotone change of a signal changes nothing, its reversal the sign."""
    rng = np.random.default_rng(1)
    outcome = rng.normal(size=25)
    signal = outcome + rng.normal(size=25)
    table = predictivity({"s": signal, "exp": np.exp(signal), "minus": -signal}, outcome)
    assert table.loc["s"].to_numpy() == pytest.approx(table.loc["exp"].to_numpy())
    assert table.loc["minus", "low"] == pytest.approx(-table.loc["s", "high"], abs=0.01)


def test_interval_covers() -> None:
    """A nominal 95% interval holds the true correlation in 88 to 99% of draws."""
    rho, hits = 0.6, []
    truth = 6 / np.pi * np.arcsin(rho / 2)
    rng = np.random.default_rng(2)
    for seed in range(200):
        x = rng.normal(size=40)
        y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=40)
        row = predictivity({"x": x}, y, resamples=300, seed=seed).loc["x"]
        hits.append(row["low"] <= truth <= row["high"])
    assert 0.88 <= np.mean(hits) <= 0.99


def test_gain_is_paired() -> None:
    """The gain over the first signal is surer than the two intervals apart, and 0 for itself."""
    rng = np.random.default_rng(3)
    outcome = rng.normal(size=60)
    weak = outcome + rng.normal(size=60)
    table = predictivity({"weak": weak, "less noise": (weak + 2 * outcome) / 3}, outcome)
    assert table.loc["weak", ["gain", "gain_low", "gain_high"]].eq(0).all()
    better = table.loc["less noise"]
    assert 0 < better["gain_low"] < better["gain"] < better["gain_high"]
    assert better["gain_high"] - better["gain_low"] < table.eval("high - low").sum()


def test_incomplete_candidates_are_left_out_of_all() -> None:
    """A candidate that failed in one signal counts in none, and the count says so."""
    table = predictivity(
        {"a": [1, 2, 3, 4, np.nan, 0], "b": [1, 3, 2, 4, 9, 0]}, [1, 2, 3, 4, 5, 0]
    )
    assert (table["candidates"] == 5).all()
    assert table.loc["a", "spearman"] == pytest.approx(1)


def test_a_constant_signal_foretells_nothing() -> None:
    """Where a signal does not vary its correlation is NaN, never 0 or 1."""
    table = predictivity({"flat": np.ones(10)}, np.arange(10))
    assert table.loc["flat"].drop("candidates").isna().all()


def test_too_few_candidates() -> None:
    """Three candidates are refused, with the count."""
    with pytest.raises(InputError, match="over 3 complete candidates"):
        predictivity({"P": [1, 2, 3]}, [1, 2, 3])
