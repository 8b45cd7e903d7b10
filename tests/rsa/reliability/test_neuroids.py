"""Reliability of neuroids, against simulated truth and published formulas."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.reliability.neuroids import reliability, step_up
from neurosage.rsa.reliability.selecting import select_reliable


@pytest.mark.parametrize("method", ["variance", "split-half"])
@pytest.mark.parametrize(
    ("low", "high", "noise"), [(2, 2, 1.0), (3, 3, 4.0), (2, 7, 4.0), (6, 10, 0.5)]
)
def test_true_reliability_is_found(repeated, method, low, high, noise):
    """Both methods find the reliability of the mean over all repetitions, ragged or not."""
    a = repeated(n=400, neuroids=100, low=low, high=high, noise=noise)
    found = reliability(a, method, splits=20)
    assert float(found.mean()) == pytest.approx(a.attrs["true"], abs=0.02)


def test_variance_is_its_formula(repeated):
    """1 - mean_i(s_i² / R_i) / S²."""
    a = repeated(n=30, neuroids=3)
    ids = a["stimulus_id"].values
    parts = [a.values[ids == i] for i in dict.fromkeys(ids)]
    noise = np.mean([part.var(0, ddof=1) / len(part) for part in parts], axis=0)
    total = np.var([part.mean(0) for part in parts], axis=0, ddof=1)
    np.testing.assert_allclose(reliability(a, "variance").values, 1 - noise / total)


def test_step_up_formulas():
    """Equal halves give Spearman-Brown, unequal ones Horst's formula, with c's sign."""
    c = np.array([0.6, 0.1, -0.2, 0.0])
    np.testing.assert_allclose(step_up(c, 4, 4, 8), 2 * c / (1 + c))
    signal, noise = 1.0, 3.0
    sizes = (2, 5)
    c = signal / np.sqrt((signal + noise / sizes[0]) * (signal + noise / sizes[1]))
    found = step_up(np.array([c]), *sizes, 7)
    np.testing.assert_allclose(found, signal / (signal + noise / 7))


sizes = st.floats(0.5, 20)


@settings(max_examples=300, deadline=None)
@given(h1=sizes, h2=sizes, spare=st.floats(1.0, 3.0), seed=st.integers(0, 99))
def test_stepped_up_is_never_above_one(h1, h2, spare, seed):
    """Over all correlations and sizes it grows with the correlation, from -inf to 1."""
    c = np.sort(np.r_[np.random.default_rng(seed).uniform(-1, 1, 50), -1, -1 + 1e-12, 0, 1])
    found = step_up(c, h1, h2, spare * (h1 + h2))
    assert not np.isnan(found).any()
    assert (np.diff(found[found > -np.inf]) >= -1e-9 * np.abs(found[found > -np.inf][1:])).all()
    assert (np.isinf(found) == (np.arange(len(c)) < np.isinf(found).sum())).all()
    assert found[-1] == pytest.approx(spare * (h1 + h2) / (spare * (h1 + h2)), abs=1e-12)
    assert found.max() <= 1
    assert np.sign(found).tolist() == np.sign(c).tolist()
    assert found[np.isfinite(found)].min() >= -1e6


def test_poles_of_stepping_up():
    """At -1 for equal halves of an even number; above it for halves of three at random."""
    assert step_up(np.array([-1.0]), 4, 4, 8)[0] == -np.inf
    found = step_up(np.array([-0.85, -0.8, -0.79]), 4 / 3, 4 / 3, 3)
    assert np.isinf(found).tolist() == [True, True, False]
    assert step_up(np.array([-0.9]), 1, 2, 3)[0] < -10  # Horst: one and two have it at -1


@pytest.mark.parametrize("repetitions", [2, 3, 4, 5])
@pytest.mark.parametrize("method", ["variance", "split-half", "internal-consistency"])
def test_less_agreement_than_chance_is_not_estimable(repetitions, method):
    """Responses whose stimulus mean was taken out: NaN with the reason, never 1, never JSON's
    Infinity, and not selected."""
    rng = np.random.default_rng(0)
    v = rng.normal(size=(30, repetitions, 3))
    v[:, :, :2] -= v[:, :, :2].mean(1, keepdims=True)
    v[:, :, 2] += rng.normal(size=(30, 1))
    v[:, :, 1] *= 1e-9
    a = assembly(
        v.reshape(-1, 3), stimulus_id=np.repeat([f"s{i}" for i in range(30)], repetitions),
        region="V4",
    )  # fmt: skip
    how = {} if method == "internal-consistency" else {"interval": 0.95, "resamples": 50}
    found = reliability(a, method, splits=10, **how)
    values = found.values
    if method != "internal-consistency" or repetitions % 2 == 0:
        assert np.isnan(values).tolist() == [True, True, False]
        reasons = json.loads(found.attrs["not_estimable"])
        assert reasons == {"repetitions agree less than chance allows": 2}
    assert not (values > 1).any()
    assert "Infinity" not in "".join(str(each) for each in found.attrs.values())
    for end in ("low", "high") if how else ():
        assert np.isnan(found[end].values).tolist() == [True, True, False]
    if method != "internal-consistency":
        assert select_reliable(a, -10.0, method=method, trials="same")[1].kept == 1


@pytest.mark.parametrize("method", ["variance", "split-half"])
@pytest.mark.parametrize("n", [3, 4, 30])
@pytest.mark.parametrize("high", [2, 3, 5])
def test_noise_is_at_most_one_within_its_interval(method, n, high):
    """Pure noise of few stimuli, ragged or not: low ≤ reliability ≤ high ≤ 1, or none at all."""
    rng = np.random.default_rng(n + high)
    counts = rng.integers(2, high + 1, n) if high == 5 else np.full(n, high)
    a = assembly(
        rng.normal(size=(counts.sum(), 400)),
        stimulus_id=np.repeat([f"s{i}" for i in range(n)], counts),
        region="V4",
    )
    found = reliability(a, method, 20, interval=0.1, resamples=40)
    low, values, high = found["low"].values, found.values, found["high"].values
    known = ~np.isnan(values)
    assert known.mean() > 0.5
    assert (np.isnan(low) == np.isnan(high)).all()
    both = known & ~np.isnan(low)
    assert (low[both] <= values[both]).all()
    assert (values[both] <= high[both]).all()
    assert np.isfinite(low[both]).all()
    assert values[known].max() <= 1
    assert not (high > 1).any()


def test_nan_padding_equals_ragged_rows(repeated):
    """Repetitions padded with NaN are those that were never presented."""
    a = repeated(n=20, neuroids=4)
    padding = a.isel(presentation=[0, 5, 9]).copy(deep=True)
    padding.values[:] = np.nan
    padded = assembly(
        np.concatenate([a.values, padding.values]),
        stimulus_id=np.concatenate([a.stimulus_id, padding.stimulus_id]),
        region="V4",
    )
    for method in ("variance", "split-half"):
        np.testing.assert_allclose(reliability(padded, method), reliability(a, method), atol=1e-9)


def test_neuroids_recorded_apart(repeated):
    """Neuroids that answered in different presentations are each estimated on their own."""
    a, b = repeated(n=20, neuroids=2, seed=1), repeated(n=20, neuroids=3, seed=2)
    values = np.full((len(a) + len(b), 5), np.nan)
    values[: len(a), :2], values[len(a) :, 2:] = a.values, b.values
    ids = np.concatenate([a.stimulus_id, b.stimulus_id])
    both = reliability(assembly(values, stimulus_id=ids, region="V4"), "variance")
    np.testing.assert_allclose(both[:2], reliability(a, "variance"))
    np.testing.assert_allclose(both[2:], reliability(b, "variance"))


def test_single_presentations_are_left_out(repeated):
    """Stimuli shown once do not enter, and are counted."""
    a = repeated(n=20, neuroids=2)
    once = assembly(
        np.concatenate([a.values, np.ones((2, 2))]),
        stimulus_id=[*a.stimulus_id.values, "once", "another"],
        region="V4",
    )
    found = reliability(once)
    np.testing.assert_allclose(found, reliability(a))
    assert found["stimuli_used"].values.tolist() == [20, 20]
    assert found.attrs["stimuli_left_out"] == 2


def test_no_repetitions_is_not_estimable(recording):
    """Without repetitions there is no estimate: NaN with the reason, never 0 or 1."""
    for method in ("variance", "split-half"):
        found = reliability(recording(), method)
        assert np.isnan(found).all()
        assert json.loads(found.attrs["not_estimable"]) == {"no stimulus has two repetitions": 21}


@pytest.mark.parametrize("constant", [0.0, 5.0, 0.1, 1e9 / 3])
def test_constant_neuroid_is_not_estimable(repeated, constant):
    """A neuroid that varies by rounding alone has no reliability; the others keep theirs."""
    a = repeated(n=20, neuroids=3)
    a.values[:, 1] = constant
    for method in ("variance", "split-half"):
        found = reliability(a, method)
        assert np.isnan(found).values.tolist() == [False, True, False]
        assert json.loads(found.attrs["not_estimable"]) == {"constant over stimuli": 1}


def test_negative_is_reported_as_it_is(repeated):
    """Reliabilities below 0 are kept and counted."""
    found = reliability(repeated(n=30, neuroids=200, noise=1e6), "variance")
    assert found.attrs["negative"] == int((found < 0).sum()) > 50


def test_seed_decides_the_splits(repeated):
    """One seed, one result."""
    a = repeated(n=30, neuroids=3)
    first = reliability(a, splits=5, seed=1)
    np.testing.assert_array_equal(first, reliability(a, splits=5, seed=1))
    assert (first != reliability(a, splits=5, seed=2)).any()


def test_coordinates_are_kept(repeated):
    """The result carries the neuroids' coordinates, to be grouped by region."""
    found = reliability(repeated(n=10, neuroids=3))
    assert list(found["neuroid_id"].values) == ["V4.0", "V4.1", "V4.2"]
    assert list(found.groupby("region").median()["region"].values) == ["V4"]


def test_bad_calls(repeated):
    """Unknown methods, no splits and infinite responses are refused."""
    a = repeated(n=10, neuroids=3)
    with pytest.raises(InputError, match="did you mean 'split-half'"):
        reliability(a, "splithalf")
    for method in ("split-half", "variance", "internal-consistency"):
        for wrong, message in (
            ({"splits": 0}, "splits must be a whole number of 1 or more, not 0"),
            ({"splits": 2.5}, "splits must be a whole number of 1 or more, not 2.5"),
            ({"splits": True}, "splits must be a whole number"),
            ({"seed": -1}, "seed must be a whole number of 0 or more, not -1"),
            ({"resamples": -5}, "resamples must be a whole number of 20 or more, not -5"),
            ({"by": "nonsense"}, "unknown coordinate on presentation 'nonsense'"),
            ({"interval": 95}, "between 0 and 1"),
            ({"interval": "0.9"}, "between 0 and 1"),
        ):
            with pytest.raises(InputError, match=message):
                reliability(a, method, **wrong)
    a.values[0, 1] = np.inf
    with pytest.raises(InputError, match=r"infinite for neuroids \['V4.1'\]"):
        reliability(a)


@pytest.mark.parametrize("method", ["variance", "split-half"])
def test_unit_offset_and_type_do_not_matter(repeated, method):
    """Reliability has no unit; a large common rate costs no digits that matter."""
    a = repeated(n=40, neuroids=3)
    found = reliability(a, method, splits=10)
    np.testing.assert_allclose(reliability(7 * a + 1e6, method, splits=10), found, atol=1e-9)
    single = reliability(a.astype("float32"), method, splits=10)
    np.testing.assert_allclose(single, found, atol=1e-5)
    counts = (10 * a).round().astype("int16")
    same = reliability(counts.astype(float), method, splits=10)
    np.testing.assert_array_equal(reliability(counts, method, splits=10), same)


def test_few_splits_are_all_taken(repeated):
    """Three stimuli shown twice split in four ways; asking for more changes nothing."""
    a = repeated(n=3, neuroids=2, low=2, high=2)
    np.testing.assert_array_equal(reliability(a, splits=4), reliability(a, splits=1000, seed=9))


@pytest.mark.realdata
@pytest.mark.parametrize("method", ["variance", "split-half"])
def test_real_v4(mirror, method):
    """Session 210325 of macaque V4: median .76, from .53 to .93, by both methods."""
    raw = np.load(mirror / "macaque_v4" / "responses_raw_210325.npy")
    neuroids, images, repetitions = raw.shape
    a = assembly(
        raw.transpose(1, 2, 0).reshape(-1, neuroids),
        stimulus_id=np.repeat([f"image{i}" for i in range(images)], repetitions),
        region="V4",
    )
    found = reliability(a, method, splits=50)
    assert [round(float(q), 2) for q in found.quantile([0, 0.5, 1])] == [0.53, 0.76, 0.93]
