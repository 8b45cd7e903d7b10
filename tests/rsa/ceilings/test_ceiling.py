"""Noise ceilings over trials, sites and subjects, against rsatoolbox and truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import squareform

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.ceilings.ceiling import noise_ceiling
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.regions import rdm_reliability


def subjects(count=4, n=10, seed=0):
    """Make RDMs of several subjects that share one."""
    rng = np.random.default_rng(seed)
    common = rng.random(n * (n - 1) // 2)
    squares = np.stack([squareform(common + 0.5 * rng.random(len(common))) for _ in range(count)])
    ids = np.array([f"s{k}" for k in range(n)], object)
    return xr.DataArray(
        squares[:, None],
        dims=("subject", "region", "stimulus_i", "stimulus_j"),
        coords={
            "subject": [f"m{k}" for k in range(count)],
            "region": ["IT"],
            "stimulus_id_i": ("stimulus_i", ids),
            "stimulus_id_j": ("stimulus_j", ids),
        },
    )


@pytest.mark.parametrize(
    ("comparison", "theirs"), [("cosine", "cosine"), ("pearson", "corr"), ("spearman", "spearman")]
)
@pytest.mark.parametrize("count", [2, 5])
def test_subject_ceilings_are_rsatoolbox_s(comparison, theirs, count):
    """Lower and upper bounds pool in the comparison's own normalisation, as rsatoolbox does."""
    from rsatoolbox.inference.noise_ceiling import boot_noise_ceiling
    from rsatoolbox.rdm import RDMs

    held = subjects(count)
    vectors = np.stack([squareform(each) for each in held.values[:, 0]])
    lower, upper = boot_noise_ceiling(RDMs(vectors), theirs)
    found = noise_ceiling(held, "subjects", comparison=comparison, interval=None)
    np.testing.assert_allclose([found.lower[0], found.upper[0]], [lower, upper], atol=1e-10)


def test_subject_ceilings_have_intervals_over_stimuli():
    """Both bounds lie within intervals of resampled stimuli."""
    found = noise_ceiling(subjects(n=25), "subjects", resamples=200)
    for bound in ("lower", "upper"):
        low, high = found[f"{bound}_low"][0], found[f"{bound}_high"][0]
        assert low < found[bound][0] < high
    assert int(found.subjects[0]) == 4
    assert found.attrs["wording"] == "estimated ceiling (subjects), not a bound"


@pytest.mark.parametrize("dims", ["with subject", "without"])
def test_one_rdm_has_no_subject_ceiling(dims):
    """One subject is not estimable: never [1, 1]."""
    held = subjects(1) if dims == "with subject" else subjects(1).isel(subject=0, drop=True)
    found = noise_ceiling(held, "subjects", resamples=20)
    assert np.isnan([found.lower[0], found.upper[0], found.lower_low[0]]).all()
    assert "RDMs of 1 subject;" in json.loads(found.attrs["not_estimable"])["IT"]


def test_responses_of_subjects_are_split_by_their_coordinate():
    """Neuroids' coordinate ``subject`` makes an RDM each; a region of one has no ceiling."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 60))
    made = assembly(
        true + rng.normal(size=true.shape),
        stimulus_id=[f"s{k}" for k in range(30)],
        region=np.repeat(["IT", "V4"], [40, 20]),
        subject=("neuroid", np.repeat(["a", "b", "a"], 20)),
    )
    found = noise_ceiling(made, "subjects", resamples=20)
    assert list(found.subjects.values) == [2, 1]
    assert 0 < found.lower[0] <= found.upper[0] < 1
    assert list(json.loads(found.attrs["not_estimable"])) == ["V4"]
    alone = [rdms(made.isel(neuroid=slice(*ends))).sel(region="IT") for ends in ((0, 20), (20, 40))]
    upper = np.triu_indices(30, 1)
    expected = np.corrcoef(alone[0].values[upper], alone[1].values[upper])[0, 1]
    np.testing.assert_allclose(found.lower[0], expected, atol=1e-6)


def test_responses_of_subjects_may_be_presentations():
    """Coordinate ``subject`` on presentation makes an RDM each, of the same stimuli."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 20))
    ids = np.array([f"s{k}" for k in range(30)])
    orders = [np.arange(30), rng.permutation(30), rng.permutation(30)]
    parts = [true[rows] + rng.normal(size=true.shape) for rows in orders]
    who = np.repeat(["a", "b", "c"], 30)
    apart = assembly(
        np.concatenate(parts),
        stimulus_id=np.concatenate([ids[rows] for rows in orders]),
        region="IT",
        subject=("presentation", who),
    )
    beside = assembly(
        np.concatenate(
            [part[np.argsort(rows)] for part, rows in zip(parts, orders, strict=True)], 1
        ),
        stimulus_id=ids,
        region="IT",
        subject=("neuroid", np.repeat(["a", "b", "c"], 20)),
    )
    found, expected = (noise_ceiling(each, "subjects", resamples=20) for each in (apart, beside))
    assert int(found.subjects[0]) == 3
    for name in ("lower", "upper", "lower_low"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-6)
    with pytest.raises(InputError, match="subjects have different stimuli: one has 30"):
        noise_ceiling(apart.isel(presentation=slice(0, 85)), "subjects")
    apart.subject.values[:] = "a"
    assert "1 subject;" in noise_ceiling(apart, "subjects").attrs["not_estimable"]
    lacking = np.array(["a"] * 89 + [None], object)
    with pytest.raises(InputError, match="1 of 90 presentations have no subject"):
        noise_ceiling(apart.assign_coords(subject=("presentation", lacking)), "subjects")


def repeated(noise, n=60, p=30, counts=5, seed=0):
    """Make repeated responses with structure."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=(n, 5)) @ rng.normal(size=(5, p))
    values = np.repeat(true, counts, 0)
    values = values + noise * rng.normal(size=values.shape)
    ids = [f"s{k}" for k in range(n)]
    made = assembly(values, stimulus_id=np.repeat(ids, counts), region="V4")
    return made, assembly(true, stimulus_id=ids, region="V4")


def test_the_ceiling_is_what_the_true_rdm_reaches():
    """With equal noise, the root of the reliability is the similarity of the noise-free RDM."""
    found, truth = [], []
    for seed in range(4):
        made, true = repeated(2.0, n=100, seed=seed)
        upper = np.triu_indices(100, 1)
        truth.append(np.corrcoef(rdms(made)[0].values[upper], rdms(true)[0].values[upper])[0, 1])
        found.append(float(noise_ceiling(made, "trials", splits=20, interval=None).ceiling[0]))
    assert abs(np.mean(found) - np.mean(truth)) < 0.03


@pytest.mark.parametrize("kind", ["trials", "sites"])
def test_ceilings_are_roots_of_the_reliability(kind):
    """Ceiling and interval are roots of those of the reliability, and say of which kind."""
    made, _ = repeated(1.0)
    how = {"splits": 5, "resamples": 50}
    found, whole = noise_ceiling(made, kind, **how), rdm_reliability(made, kind, **how)
    np.testing.assert_allclose(found.ceiling**2, whole.reliability)
    np.testing.assert_allclose(found.low**2, whole.low)
    np.testing.assert_allclose(found.high**2, whole.high)
    assert found.attrs["wording"] == f"estimated ceiling ({kind}), not a bound"


def test_no_reliability_has_no_ceiling():
    """A reliability of 0 or less has no root: not estimable, and it is said why."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        made = assembly(
            rng.normal(size=(60, 12)),
            stimulus_id=np.repeat([f"s{k}" for k in range(15)], 4),
            region="V4",
        )
        found = noise_ceiling(made, splits=3, resamples=20)
        if found.reliability[0] <= 0:
            assert np.isnan([found.ceiling[0], found.low[0], found.high[0]]).all()
            assert "not above 0" in json.loads(found.attrs["not_estimable"])["V4"]
            return
    raise AssertionError("no recording of noise had a reliability of 0 or less")


def test_arguments_are_checked():
    """Unknown kinds and comparisons are named."""
    with pytest.raises(InputError, match="unknown kind of ceiling 'animals'"):
        noise_ceiling(subjects(), "animals")
    with pytest.raises(InputError, match="by comparison pearson"):
        noise_ceiling(subjects(), "subjects", comparison="kendall")
    with pytest.raises(InputError, match="splits must be a whole number of 1 or more, not -4"):
        noise_ceiling(subjects(), "subjects", splits=-4)
    with pytest.raises(InputError, match="resamples"):
        noise_ceiling(subjects(), "subjects", resamples=-5, interval=None)
    with pytest.raises(InputError, match="'euclidean' distance"):
        noise_ceiling(
            subjects().assign_attrs(distance="euclidean"), "subjects", distance="correlation"
        )
