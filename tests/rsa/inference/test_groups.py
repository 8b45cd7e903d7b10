"""Groups of stimuli that are drawn together: a group drawn twice is two groups."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from neurosage.data.assembly import assembly
from neurosage.rsa.inference.bootstrap import bootstrap_similarity
from neurosage.rsa.inference.draws import Together, why_no_interval
from neurosage.rsa.inference.redrawn import interval_warnings, resample
from neurosage.rsa.inference.resampled import similarities
from neurosage.rsa.inference.sides import Sides
from neurosage.rsa.inference.squares import Held
from neurosage.rsa.reliability.mean_similarity import MeanSimilarity
from neurosage.rsa.reliability.rdm_estimate import Estimator, Settings
from neurosage.rsa.reliability.regions import rdm_reliability
from neurosage.rsa.resampling import multiplicities, weighted_similarity

COMPARISONS = ("pearson", "cosine", "spearman", "rho-a")


def sides(n, seed=0, count=1):
    """Make two sides of euclidean RDMs, the first of `count` regions."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, 4))
    points = [common + rng.normal(size=(n, 4)) for _ in range(count + 1)]
    made = np.stack([np.square(p[:, None] - p[None]).sum(-1) for p in points])
    names = tuple(f"layer{k}" for k in range(count))
    return Sides(names, ("V4",), np.arange(n), Held(made[:-1]), Held(made[-1:]), {}, {}, names)


def compared(x, y, comparison):
    """Compare distances, written out."""
    if comparison == "cosine":
        return x @ y / np.sqrt((x @ x) * (y @ y))
    if comparison == "rho-a":
        m, (r, s) = len(x), (rankdata(each) - (len(x) + 1) / 2 for each in (x, y))
        return 12 * (r @ s) / (m**3 - m)
    return spearmanr(x, y)[0] if comparison == "spearman" else np.corrcoef(x, y)[0, 1]


def by_hand(square, weights, member):
    """Return the distances of a resample in which a group drawn w times is w groups."""
    stimuli, copies = [], []
    for stimulus, times in enumerate(weights.astype(int)):
        stimuli += [stimulus] * times
        copies += range(times)
    i, j = np.triu_indices(len(stimuli), 1)
    stimuli, copies = np.array(stimuli), np.array(copies)
    groups = member[stimuli]
    kept = (groups[i] != groups[j]) | ((copies[i] == copies[j]) & (stimuli[i] != stimuli[j]))
    # What is left out besides: pairs between two copies of one group.
    return square[stimuli[i][kept], stimuli[j][kept]]


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_group_drawn_twice_is_two_groups_each_with_its_own_pairs(comparison):
    """Whatever its size, and across tiles of the RDM."""
    member = np.random.default_rng(2).permutation(np.repeat(np.arange(12), [1, 2, 3] * 4))
    made, weights = sides(len(member), count=2), multiplicities(member, 20, 0)[:5]
    found = similarities(made, weights, comparison, member)
    for row, values in zip(weights, found, strict=True):
        y = by_hand(made.squares_b[0], row, member)
        for k, value in enumerate(values[:, 0]):
            x = by_hand(made.squares_a[k], row, member)
            assert value == pytest.approx(compared(x, y, comparison), abs=1e-5)


def test_groups_over_several_tiles():
    """Sums of tiles are those of the whole."""
    member = np.arange(300) % 30
    made, weights = sides(300), multiplicities(member, 20, 0)[:2]
    found = similarities(made, weights, "pearson", member)[:, 0, 0]
    for row, value in zip(weights, found, strict=True):
        x, y = (by_hand(side[0], row, member) for side in (made.squares_a, made.squares_b))
        assert value == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-5)


@pytest.mark.parametrize("comparison", [*COMPARISONS, "cka_unbiased"])
def test_single_stimuli_are_drawn_as_ever(comparison):
    """Groups of one, and halves, know no pairs within."""
    made, rng = sides(24), np.random.default_rng(0)
    halves = (rng.permuted(np.tile(np.arange(12), (20, 1)), axis=1) < 6)[:, np.arange(24) // 2]
    halved = [similarities(made, halves, comparison, each) for each in (None, np.arange(24) // 2)]
    np.testing.assert_allclose(*halved)
    if comparison in COMPARISONS:
        weights = multiplicities(24, 20, 0)
        single = [similarities(made, weights, comparison, each) for each in (None, np.arange(24))]
        np.testing.assert_allclose(*single, atol=1e-6)


@pytest.mark.parametrize("comparison", ["pearson", "spearman"])
def test_intervals_over_groups_do_not_move_where_groups_are_alike_inside(comparison):
    """Over many worlds of twelve objects, the middle of the resamples is near the estimate."""
    shifts, errors = [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        objects = np.repeat(2.0 * rng.normal(size=(12, 20)), 8, 0)
        images = objects + rng.normal(size=objects.shape)
        points = [images + 2.0 * rng.normal(size=images.shape) for _ in "ab"]
        a, b = (Held(np.square(p[:, None] - p[None]).sum(-1)[None]) for p in points)
        made = Sides(("x",), ("y",), np.arange(96), a, b, {}, {}, ("x",))
        found = resample(made, Together(np.arange(96) // 8, "object"), comparison, 100, seed)
        shifts.append(np.median(found.values) - found.estimate.item())
        errors.append(found.standard_error().item())
    assert abs(np.mean(shifts)) < 0.3 * np.mean(errors)


def recorded(n, seed=0, scale=1.0):
    """Make an assembly whose third stimulus is so many times the size of others."""
    values = np.random.default_rng(seed).normal(size=(n, 8))
    values[2] *= scale
    return assembly(values, stimulus_id=[f"s{k}" for k in range(n)], region="V4")


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "cka_unbiased", "kendall"])
@pytest.mark.parametrize("n", [4, 9])
def test_few_stimuli_have_a_similarity_without_interval(n, comparison):
    """And the reason, as few groups have."""
    found = bootstrap_similarity(recorded(n), recorded(n, 1), "euclidean", comparison, resamples=20)
    assert np.isfinite(found.similarity.item())
    for name in ("low", "high", "standard_error"):
        assert np.isnan(found[name].item())
    reason = json.loads(found.attrs["not_estimable"])
    assert reason == {"V4 × V4": why_no_interval(np.zeros(20), n)}
    assert f"{n} stimuli" in reason["V4 × V4"]


def test_an_interval_that_resamples_do_not_give_says_why():
    """Where one stimulus is all that varies; and where a region has no RDM at all."""
    a = recorded(30, scale=1e5)
    found = bootstrap_similarity(a, recorded(30, 1, 1e5), "euclidean", resamples=50)
    assert np.isnan(found.low.item())
    assert "of the resamples" in json.loads(found.attrs["not_estimable"])["V4 × V4"]
    flat = assembly(np.c_[a.values, np.ones((30, 2))], stimulus_id=list(a.stimulus_id.values),
                    region=["V4"] * 8 + ["flat"] * 2)  # fmt: skip
    b = recorded(30, 1)
    found = bootstrap_similarity(flat, b, "euclidean", resamples=20, undefined="nan")
    reasons = json.loads(found.attrs["not_estimable"])
    assert "vary" in reasons["flat × V4"]
    fine = bootstrap_similarity(recorded(30), b, "euclidean", resamples=20)
    assert fine.attrs["not_estimable"] == "{}"


def test_warnings_name_halves_of_few_and_unequal_groups():
    """And nothing else."""
    few = bootstrap_similarity(recorded(12), recorded(12, 1), None, "cka_unbiased", resamples=20)
    assert "12 stimuli" in json.loads(few.attrs["warnings"])[0]
    assert interval_warnings(Together(np.arange(12)), "pearson") == []
    assert interval_warnings(Together(np.arange(40)), "cka_unbiased") == []
    unequal = Together(np.r_[np.zeros(20, int), np.arange(1, 41)], "object")
    assert "(object) holds 33% of the 60" in interval_warnings(unequal, "pearson")[0]
    assert interval_warnings(Together(np.arange(60) // 5, "object"), "pearson") == []


def test_halves_of_few_stimuli_say_no_less_than_the_standard_error():
    """With 12 stimuli their spread is above the SD over new stimuli."""
    found = [sides(12, seed) for seed in range(60)]
    once = np.ones((1, 12))
    spread = np.std([similarities(each, once, "cka_unbiased").item() for each in found])
    errors = [
        resample(each, Together(np.arange(12)), "cka_unbiased", 100).standard_error().item()
        for each in found[:20]
    ]
    assert np.mean(errors) > 1.2 * spread


@pytest.mark.parametrize("n", [60, 120])
def test_reliabilities_and_ceilings_weigh_groups_alike(n):
    """In one form, and in the mean over pairs of halves, exact or with many stimuli."""
    member = np.arange(n) % 12
    made, weights = sides(n), multiplicities(member, 20, 0)
    x, y = made.squares_a[0], made.squares_b[0]
    expected = similarities(made, weights, "pearson", member)[:, 0, 0]
    one = weighted_similarity(x, y, weights, "pearson", member)
    np.testing.assert_allclose(one, expected, atol=1e-5)
    mean = MeanSimilarity(weights, "pearson", 20, member)
    for _ in range(6):
        mean.add(x, y, np.arange(n))
    # What the mean over pairs neglects with many stimuli is in neither group's favour.
    np.testing.assert_allclose(mean.result()[0][1:], expected, atol=1e-5 if n == 60 else 5e-3)
    used = np.arange(n // 2)
    some = MeanSimilarity(weights, "cosine", 1, member)
    some.add(x[np.ix_(used, used)], y[np.ix_(used, used)], used)
    partly = [each[np.ix_(used, used)] for each in (x, y)]
    np.testing.assert_allclose(
        some.result()[0][1:],
        weighted_similarity(*partly, weights[:, used], "cosine", member[used]),
    )


def test_intervals_of_rdm_reliability_are_over_groups_that_keep_their_pairs(repeated):
    """Another weight within groups, another interval; the estimate stays."""
    b = repeated(n=40, neuroids=10, low=4)
    names = list(dict.fromkeys(b["stimulus_id"].values))
    group = {name: f"object{k // 4}" for k, name in enumerate(names)}
    b = b.assign_coords(object=("presentation", [group[name] for name in b["stimulus_id"].values]))
    estimator = Estimator(b, Settings(splits=3))
    region, member = estimator.patterns.regions[0], np.arange(40) // 4
    weights = multiplicities(member, 100, 0)
    plain, grouped = (estimator.estimate(region, weights, each) for each in (None, member))
    assert grouped.point == plain.point
    found = rdm_reliability(b, "trials", by="object", splits=3, resamples=100)
    expected = np.percentile(grouped.resampled, [2.5, 97.5])
    np.testing.assert_allclose([found.low.values[0], found.high.values[0]], expected, atol=1e-9)
    assert np.abs(np.percentile(plain.resampled, 2.5) - expected[0]) > 1e-3
