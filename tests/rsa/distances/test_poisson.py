"""Poisson distances against rsatoolbox, its last-fold defect, their bias, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import squareform

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.distances.poisson import Prior, poisson_square
from neurosage.rsa.rdm import rdms, usable_rdms
from neurosage.rsa.similarity import prepare, similarity, similarity_to

PRIORS = [(1.0, 0.1), (3.0, 0.5)]


def spikes(counts, neuroids=7, seed=0, fold=False):
    """Make Poisson counts, presentations scrambled, with their true rates."""
    rng = np.random.default_rng(seed)
    rates = rng.gamma(2.0, 2.0, size=(len(counts), neuroids))
    values = rng.poisson(np.repeat(rates, counts, axis=0)).astype(float)
    ids = np.repeat([f"s{k}" for k in range(len(counts))], counts)
    repetition = np.concatenate([np.arange(count) for count in counts])
    order = rng.permutation(len(ids))
    shared = {"fold": repetition[order]} if fold else {}
    return assembly(values[order], stimulus_id=ids[order], region="V4", **shared), rates


def dataset(a):
    """Make rsatoolbox's, rows numbered in our order."""
    from rsatoolbox.data.dataset import Dataset

    names = list(dict.fromkeys(a.stimulus_id.values))
    described = {"stimulus": [float(names.index(name)) for name in a.stimulus_id.values]}
    if "fold" in a.coords:
        described["fold"] = a.fold.values.astype(float)
    return Dataset(a.values.copy(), obs_descriptors=described)


@pytest.mark.parametrize(("rate", "weight"), PRIORS)
def test_poisson_is_rsatoolbox_s(rate, weight):
    """The symmetrised divergence of mean rates, with its prior."""
    from rsatoolbox.rdm.calc import calc_rdm

    a, _ = spikes([3] * 9)
    mine = rdms(a, "poisson", prior_lambda=rate, prior_weight=weight)
    theirs = calc_rdm(
        dataset(a), "poisson", "stimulus", prior_lambda=rate, prior_weight=weight
    ).dissimilarities[0]
    np.testing.assert_allclose(mine[0], squareform(theirs), rtol=1e-10, atol=1e-12)
    assert (mine.attrs["prior_lambda"], mine.attrs["prior_weight"]) == (rate, weight)


def test_poisson_keeps_its_digits_at_high_rates():
    """Small differences of large rates are not rounded away."""
    rates = 1e6 + np.random.default_rng(0).random((5, 20))
    exact = np.array([[np.sum((x - y) * np.log1p((x - y) / y)) / 20 for y in rates] for x in rates])
    np.testing.assert_allclose(poisson_square(rates, Prior(weight=0.0)), exact, rtol=1e-6)


def folds_by_hand(a, rate=1.0, weight=0.1):
    """Return rsatoolbox's formula of each fold, shape (folds, pairs)."""
    found = []
    names = list(dict.fromkeys(a.stimulus_id.values))
    for fold in np.unique(a.fold.values):
        means = []
        for inside in (a.fold.values != fold, a.fold.values == fold):
            rows = [inside & (a.stimulus_id.values == name) for name in names]
            mean = np.array([a.values[row].mean(0) for row in rows])
            means.append((mean + rate * weight) / (1 + weight))
        kernel = means[0] @ np.log(means[1]).T
        own = kernel.diagonal()
        found.append(squareform(own[:, None] + own - kernel - kernel.T, checks=False) / a.shape[1])
    return np.array(found)


@pytest.mark.parametrize(("rate", "weight"), PRIORS)
def test_poisson_cv_is_the_mean_over_all_folds(rate, weight):
    """rsatoolbox 0.3.2 returns the last fold only; ours is its formula's mean over them."""
    from rsatoolbox.rdm.calc import calc_rdm

    a, _ = spikes([5] * 8, fold=True)
    by_hand = folds_by_hand(a, rate, weight)
    theirs = calc_rdm(
        dataset(a), "poisson_cv", "stimulus", None, "fold", rate, weight
    ).dissimilarities[0]
    np.testing.assert_allclose(theirs, by_hand[-1], rtol=1e-10, atol=1e-12)
    assert abs(theirs - by_hand.mean(0)).max() > 0.1
    mine = rdms(a, "poisson_cv", prior_lambda=rate, prior_weight=weight)
    np.testing.assert_allclose(mine[0], squareform(by_hand.mean(0)), rtol=1e-9, atol=1e-11)


def apart_by_hand(a):
    """Return all products of different presentations, one pair of stimuli at a time."""
    names = list(dict.fromkeys(a.stimulus_id.values))
    rates = [(a.values[a.stimulus_id.values == name] + 0.1) / 1.1 for name in names]
    kernel = np.zeros((len(names), len(names)))
    for i, first in enumerate(rates):
        for j, second in enumerate(rates):
            pairs = [
                x @ np.log(y)
                for r, x in enumerate(first)
                for s, y in enumerate(second)
                if i != j or r != s
            ]
            kernel[i, j] = np.mean(pairs)
    own = kernel.diagonal()
    return (own[:, None] + own - kernel - kernel.T) / a.shape[1]


def test_ragged_repetitions_are_independent():
    """Without folds every two presentations are multiplied, but one with itself."""
    a, _ = spikes([2, 5, 3, 4])
    np.testing.assert_allclose(rdms(a, "poisson_cv")[0], apart_by_hand(a), rtol=1e-9, atol=1e-11)
    order = np.random.default_rng(3).permutation(len(a))
    other = rdms(a.isel(presentation=order), "poisson_cv")
    place = [list(other.stimulus_id_i.values).index(name) for name in rdms(a).stimulus_id_i.values]
    np.testing.assert_allclose(
        other[0].values[np.ix_(place, place)], rdms(a, "poisson_cv")[0], atol=1e-10
    )


def test_missing_single_responses_are_left_out_of_their_own_products():
    """A neuroid's lost trial changes what that neuroid adds, and nothing else."""
    a, _ = spikes([4, 4, 4, 3])
    lost = a.copy(deep=True)
    lost.values[2, 3] = np.nan
    kept = [k for k in range(7) if k != 3]
    whole = rdms(lost.isel(neuroid=kept), "poisson_cv")[0] * 6
    alone = rdms(lost.isel(neuroid=[3], presentation=[*range(2), *range(3, 15)]), "poisson_cv")[0]
    ids = rdms(lost.isel(neuroid=kept)).stimulus_id_i.values
    others = lost.isel(presentation=[*range(2), *range(3, 15)]).stimulus_id.values
    place = [list(dict.fromkeys(others)).index(name) for name in ids]
    expected = (whole + alone.values[np.ix_(place, place)]) / 7
    np.testing.assert_allclose(rdms(lost, "poisson_cv")[0], expected, rtol=1e-9, atol=1e-11)


def test_ragged_folds_with_single_fold_products():
    """Folds that lack stimuli leave out their products only; complete ones are the same."""
    a, _ = spikes([4, 4, 3, 4], fold=True)
    made = rdms(a, "poisson_cv")
    complete = a.isel(presentation=np.flatnonzero(a.stimulus_id.values != "s2"))
    expected = rdms(complete, "poisson_cv")
    place = [list(made.stimulus_id_i.values).index(name) for name in expected.stimulus_id_i.values]
    np.testing.assert_allclose(made[0].values[np.ix_(place, place)], expected[0], atol=1e-10)
    assert made.attrs["products"] == "of different folds"


def test_noise_adds_to_poisson_and_not_to_poisson_cv():
    """Of equal stimuli the plain distance is above 0; the cross-validated one about it."""
    found = {"poisson": [], "poisson_cv": []}
    for seed in range(60):
        rng = np.random.default_rng(seed)
        values = rng.poisson(5.0, size=(16, 10)).astype(float)
        a = assembly(values, stimulus_id=np.repeat(list("abcd"), 4), region="V4")
        for distance, gaps in found.items():
            gaps.append(rdms(a, distance)[0].values[np.triu_indices(4, 1)].mean())
    error = np.std(found["poisson_cv"]) / np.sqrt(60)
    assert abs(np.mean(found["poisson_cv"])) < 3 * error
    assert np.mean(found["poisson"]) > 20 * error


def test_similarity_takes_the_plain_distance_without_repetitions():
    """A network's side of poisson_cv is poisson; both are compared as RDMs."""
    brain, rates = spikes([3] * 8)
    ids = list(dict.fromkeys(brain.stimulus_id.values))
    rows = [int(name[1:]) for name in ids][::-1]
    model = assembly(rates[rows], stimulus_id=ids[::-1], region="layer1")
    found = similarity(model, brain, "poisson_cv")
    assert (found.attrs["distance"], found.attrs["distance_a"]) == ("poisson_cv", "poisson")
    upper = np.triu_indices(8, 1)
    x = rdms(model, "poisson")[0].values[::-1, ::-1][upper]
    y = rdms(brain, "poisson_cv")[0].values[upper]
    np.testing.assert_allclose(found, [[np.corrcoef(x, y)[0, 1]]], atol=1e-6)
    np.testing.assert_allclose(
        similarity_to(prepare(brain, distance="poisson_cv"), model), found, atol=1e-9
    )
    assert similarity(model, brain, "poisson").attrs["distance_a"] == "poisson"


def test_responses_below_zero_are_named():
    """They are no rates; where asked for, such a region is left out with the reason."""
    a, _ = spikes([3] * 5)
    a = a.assign_coords(region=("neuroid", ["V4"] * 4 + ["IT"] * 3))
    a.values[2, 5] = -50.0
    for distance in ("poisson", "poisson_cv"):
        with pytest.raises(InputError, match=r"'IT'.*1 of 3 neuroids are below 0.*'V4.5'.*euclid"):
            rdms(a, distance)
    made, reasons = usable_rdms(a, "poisson")
    assert list(made.region.values) == ["V4"]
    assert "below 0" in reasons["IT"]
    good, _ = spikes([3] * 5)
    found = similarity(a, good, "poisson", undefined="nan")
    assert np.isnan(found.sel(region_a="IT")).all()
    assert np.isfinite(found.sel(region_a="V4")).all()
    assert "below 0" in found.attrs["undefined"]


def test_arguments_are_checked():
    """Normalised responses, priors below 0, silence without a prior, categories of poisson_cv."""
    a, _ = spikes([3] * 5)
    with pytest.raises(InputError, match="rates as recorded, and normalise='zscore'"):
        rdms(a, "poisson", normalise="zscore")
    with pytest.raises(InputError, match="rates as recorded, and normalise='centre'"):
        rdms(a, "poisson_cv", normalise="centre")
    with pytest.raises(InputError, match="prior_weight is a number of 0 or more, not -1"):
        rdms(a, "poisson", prior_weight=-1.0)
    with pytest.raises(InputError, match="no logarithm without a prior"):
        rdms(a * 0, "poisson", prior_lambda=0.0)
    labelled = a.assign_coords(label=("presentation", a.stimulus_id.values))
    with pytest.raises(InputError, match="of single stimuli, not by='label'"):
        rdms(labelled, "poisson_cv", by="label")
    assert rdms(labelled, "poisson", by="label").shape == (1, 5, 5)
    once, _ = spikes([3, 1, 3])
    with pytest.raises(InputError, match=r"poisson_cv needs 2 repetitions.*distance='poisson'"):
        rdms(once, "poisson_cv")
