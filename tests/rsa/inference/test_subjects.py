"""Intervals over subjects and stimuli, against rsatoolbox and known truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.data.registry import load_teacher
from neurosage.errors import InputError
from neurosage.rsa.inference.mantel import mantel_test
from neurosage.rsa.inference.subject_rdms import rdms_of_subjects
from neurosage.rsa.inference.subject_variances import dual_variance, variances
from neurosage.rsa.inference.subjects import _estimate, subject_interval
from neurosage.rsa.rdm import rdms
from neurosage.rsa.similarity import similarity


def world(seed, subjects=6, n=40, own=0.7, noise=0.7):
    """Draw stimuli and subjects: what all share, what each adds, and a model of what is shared."""
    rng = np.random.default_rng(seed)
    ids = [f"s{k}" for k in range(n)]
    hidden = rng.normal(size=(n, 8))
    parts = []
    for _ in range(subjects):
        tuning = np.eye(8) + own * rng.normal(size=(8, 8))
        parts.append(hidden @ tuning + noise * rng.normal(size=(n, 8)))
    brain = assembly(np.hstack(parts), stimulus_id=ids, region="IT")
    brain = brain.assign_coords(subject=("neuroid", np.repeat(np.arange(subjects), 8)))
    return assembly(hidden, stimulus_id=ids, region="layer1"), brain


def test_similarity_is_the_mean_over_subjects():
    """Not the similarity to their mean RDM, nor to all their neuroids together."""
    model, brain = world(0)
    found = subject_interval(model, brain, resamples=50)
    each = [similarity(model, brain[:, brain.subject.values == k]).item() for k in range(6)]
    assert found.similarity.item() == pytest.approx(np.mean(each), abs=1e-6)
    assert found.variance_subjects.item() == pytest.approx(np.var(each) / 6, rel=1e-4)
    assert found.subjects.item() == 6


def test_stored_rdms_of_subjects_are_the_same():
    """RDMs with dim subject give what the responses they come from give."""
    model, brain = world(1, subjects=3)
    each = [rdms(brain[:, brain.subject.values == k]) for k in range(3)]
    stored = xr.concat(each, xr.Variable("subject", [0, 1, 2]), coords="minimal", compat="equals")
    one, other = (subject_interval(model, side, resamples=50) for side in (brain, stored))
    for name in ("similarity", "low", "high", "standard_error"):
        np.testing.assert_allclose(one[name], other[name], atol=1e-6)


def test_correction_is_rsatoolbox_s():
    """Of three variances, few and many; but never below what subjects or stimuli alone give."""
    from rsatoolbox.util.inference_util import _dual_bootstrap

    rng = np.random.default_rng(0)
    single = rng.uniform(0.1, 1.0, size=(2, 200))
    joint = single.sum(0) * rng.uniform(0.8, 2.0, size=200)
    for subjects, units in ((3, 20), (8, 92), (30, 500)):
        expected = _dual_bootstrap(np.stack([joint, *single]), subjects, units)
        found = dual_variance(*single, joint, subjects, units)
        least = single.T * [subjects / (subjects - 1), units / (units - 1)]
        capped = least.max(1) > joint  # below what subjects alone give: there it is not followed
        np.testing.assert_allclose(found[~capped], expected[~capped])
        np.testing.assert_allclose(found[capped], least.max(1)[capped])
        assert capped.any() == (subjects < 30)
    many = dual_variance(*single, joint, 10**8, 10**8)
    simple = 2 * single.sum(0) - joint
    np.testing.assert_allclose(many, np.clip(simple, single.max(0), joint), rtol=1e-5)


def test_variances_are_rsatoolbox_s_within_chance():
    """Drawing subjects, stimuli and both, as its dual bootstrap does."""
    from rsatoolbox.inference.bootstrap import (
        bootstrap_sample,
        bootstrap_sample_pattern,
        bootstrap_sample_rdm,
    )
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs, compare

    model, brain = world(2, subjects=5, n=25)
    squares = rdms_of_subjects(brain, None, None, "raise").rdms.values
    pairs = np.triu_indices(25, 1)
    data = RDMs(squares[:, *pairs])
    fixed = ModelFixed("layer1", RDMs(rdms(model).values[:, *pairs]))
    np.random.seed(0)
    seen = {"joint": [], "stimuli": [], "subjects": []}
    for _ in range(400):
        sample, _, drawn = bootstrap_sample(data)
        some, places = bootstrap_sample_pattern(data)
        people = bootstrap_sample_rdm(data)[0]
        for name, each, order in (
            ("joint", sample, drawn),
            ("stimuli", some, places),
            ("subjects", people, None),
        ):
            guess = fixed.predict_rdm()
            guess = guess if order is None else guess.subsample_pattern("index", order)
            seen[name].append(np.mean(compare(guess, each, "corr")))
    found = subject_interval(model, brain, resamples=2000)
    for name, values in seen.items():
        error = np.sqrt(found[f"variance_{name}"].item())
        assert error == pytest.approx(np.std(values, ddof=1), rel=0.15)


def test_variance_lies_between_its_bounds():
    """Never below what subjects or stimuli alone give, else never above drawing both."""
    rng = np.random.default_rng(1)
    points = rng.normal(size=(4, 6))
    resampled = points + 0.5 * rng.normal(size=(300, 4, 1)) + 0.3 * rng.normal(size=(300, 4, 6))
    found = variances(points, resampled, 50, 0)
    least = np.maximum(6 / 5 * found.subjects, 50 / 49 * found.stimuli)
    assert (found.total >= least - 1e-12).all()
    assert (found.total <= np.maximum(found.joint, least) + 1e-12).all()


def test_intervals_hold_the_truth():
    """Over new subjects and stimuli, 95 % intervals hold the mean in about 95 %."""
    worlds = (world(k, subjects=4, n=30) for k in range(25))
    found = [subject_interval(*each, resamples=100, seed=k) for k, each in enumerate(worlds)]
    truth = np.mean([each.similarity.item() for each in found])
    held = [each.low.item() <= truth <= each.high.item() for each in found]
    assert np.mean(held) >= 0.84


def test_one_subject_is_not_estimable():
    """A region that one subject has gives no interval; if all are such, it is refused."""
    model, brain = world(3, subjects=2)
    regions = np.where(brain.subject.values == 0, "IT", "IT").astype(object)
    regions[:4] = "V4"  # of the first subject only
    found = subject_interval(model, brain.assign_coords(region=("neuroid", regions)), resamples=50)
    alone = found.sel(region_b="V4")
    assert np.isnan(alone.low.item())
    assert not np.isnan(alone.similarity.item())
    assert not np.isnan(found.sel(region_b="IT").low.item())
    assert "V4" in found.attrs["not_estimable"]
    with pytest.raises(InputError, match="2 or more"):
        subject_interval(model, brain.drop_vars("subject"))


def test_few_subjects_widen_by_what_they_differ():
    """Where stimuli are what matters, two subjects have an interval of about 2 SE, not 13."""
    rng = np.random.default_rng(2)
    held, wide = [], []
    for seed in range(300):
        stimuli = rng.normal(size=(40, 1)) + 0.2 * rng.normal(size=(40, 2))
        times = rng.multinomial(40, np.full(40, 1 / 40), size=100) / 40
        points = 0.1 * stimuli.mean(0)[None]
        found = _estimate(points, 0.1 * (times @ stimuli)[:, None], 40, 0.95, seed)
        held.append(found["low"][0] <= 0 <= found["high"][0])
        wide.append((found["high"] - found["low"])[0] / (2 * 0.1 / np.sqrt(40)))
    assert 0.93 <= np.mean(held) <= 0.999
    assert 1.9 < np.median(wide) < 4


def test_few_subjects_are_warned_of_and_lost_intervals_have_a_reason():
    """Below five subjects; and where resamples of few stimuli have no similarity."""
    model, brain = world(4, subjects=2)
    found = subject_interval(model, brain, resamples=50)
    assert "IT: 2 subjects" in json.loads(found.attrs["warnings"])[0]
    assert json.loads(found.attrs["not_estimable"]) == {}
    many = subject_interval(*world(4, subjects=5), resamples=50)
    assert json.loads(many.attrs["warnings"]) == []
    few = subject_interval(*world(5, subjects=5, n=4), resamples=50)
    assert few.low.isnull().all()
    assert "needs 10 or more" in json.loads(few.attrs["not_estimable"])["layer1 × IT"]


@pytest.mark.realdata
def test_monkey_and_human_it(mirror, monkeypatch):
    """Of 92 images: related beyond chance, and so in other people, by images or their kinds."""
    monkeypatch.setenv("NEUROSAGE_MIRROR", str(mirror))
    monkey, human = load_teacher("monkey-it-92"), load_teacher("human-it-92/mean")
    tested = mantel_test(monkey, human, permutations=199)
    assert tested.similarity.item() == pytest.approx(0.4912, abs=1e-4)
    assert tested.p.item() == pytest.approx(1 / 200)
    found = subject_interval(monkey, human, resamples=200)
    assert found.subjects.item() == 4
    # Single people's RDMs have more noise than their mean.
    assert found.similarity.item() == pytest.approx(0.3335, abs=1e-3)
    assert found.low.item() > 0
