"""Crossnobis against rsatoolbox, its bias against truth, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import squareform

from neurosage.data.assembly import assembly
from neurosage.data.average import average_repetitions
from neurosage.errors import InputError
from neurosage.rsa.distances.crossnobis import crossnobis_squares, products_of
from neurosage.rsa.distances.noise_precision import precision_root, shrunk_covariance
from neurosage.rsa.distances.presentations import Repeated
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.rdm_halves import trial_halves
from neurosage.rsa.reliability.regions import rdm_reliability
from neurosage.rsa.similarity import prepare, similarity, similarity_to


def trials(counts, neuroids=7, noise=1.0, seed=0, offset=100.0):
    """Make ragged repetitions of stimuli in a scrambled order, with their true patterns."""
    rng = np.random.default_rng(seed)
    counts = np.asarray(counts)
    true = rng.normal(size=(len(counts), neuroids)) + offset
    values = np.repeat(true, counts, axis=0)
    mixing = np.eye(neuroids) + 0.3 * rng.normal(size=(neuroids, neuroids))
    values = values + noise * rng.normal(size=values.shape) @ mixing
    names = np.repeat([f"s{k}" for k in range(len(counts))], counts)
    repetition = np.concatenate([np.arange(count) for count in counts])
    order = rng.permutation(len(names))
    made = assembly(
        values[order], stimulus_id=names[order], region="V4", repetition=repetition[order]
    )
    return made, true


def theirs(responses, ids, fold, noise=None, method="crossnobis"):
    """Compute rsatoolbox's crossnobis RDM, rows in the order of `ids`."""
    from rsatoolbox.data.dataset import Dataset
    from rsatoolbox.rdm.calc import calc_rdm
    from rsatoolbox.rdm.calc_unbalanced import calc_rdm_unbalanced

    number = {name: k for k, name in enumerate(ids)}
    # As floats: rsatoolbox writes NaN into arrays of the descriptors' own type.
    stimulus = [float(number[name]) for name in responses.stimulus_id.values]
    descriptors = {"stimulus": stimulus, "fold": [float(each) for each in fold]}
    data = Dataset(responses.values.copy(), obs_descriptors=descriptors)
    calc = calc_rdm_unbalanced if method == "ragged" else calc_rdm
    made = calc(data, method="crossnobis", descriptor="stimulus", cv_descriptor="fold", noise=noise)
    return squareform(made.dissimilarities[0])


def precision_matrix(responses, precision):
    """Return the precision used, shape (p, p)."""
    root = precision_root(Repeated(responses).region("V4"), precision)
    return np.diag(root**2) if root.ndim == 1 else root @ root.T


@pytest.mark.parametrize("precision", ["none", "diagonal", "shrinkage"])
def test_balanced_repetitions_are_rsatoolbox_s_leave_one_out(precision):
    """With each fold once per stimulus, the closed form is the mean over leave-one-out."""
    responses, _ = trials([5] * 12)
    responses = in_folds(responses)
    mine = rdms(responses, "crossnobis", precision=precision)
    noise = None if precision == "none" else precision_matrix(responses, precision)
    expected = theirs(responses, mine.stimulus_id_i.values, responses.repetition.values, noise)
    np.testing.assert_allclose(mine.values[0], expected, rtol=1e-9, atol=1e-10)


def in_folds(responses):
    """Declare that repetitions are folds: their noise is shared by stimuli."""
    return responses.assign_coords(fold=("presentation", responses.repetition.values))


def test_ragged_folds_are_rsatoolbox_s_unbalanced():
    """With folds that lack stimuli, only products of different folds are averaged.

    About the mean pattern, which rsatoolbox does not take out.
    """
    responses = in_folds(trials([2, 3, 5, 4, 2, 7])[0])
    responses = responses - average_repetitions(responses).values.mean(0)
    mine = rdms(responses, "crossnobis")
    fold = responses.fold.values
    expected = theirs(responses, mine.stimulus_id_i.values, fold, method="ragged")
    np.testing.assert_allclose(mine.values[0], expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("shared", [False, True], ids=["apart", "in folds"])
def test_the_order_of_presentations_does_not_matter(shared):
    """Labels that `assembly` counts in order of appearance are no folds."""
    responses, _ = trials([3] * 8)
    order = np.random.default_rng(1).permutation(len(responses))
    if shared:
        one = in_folds(responses)
        other = one.isel(presentation=order)
    else:
        one, other = (
            assembly(responses.values[rows], stimulus_id=responses.stimulus_id.values[rows],
                     region="V4")
            for rows in (np.arange(len(order)), order)
        )  # fmt: skip
    names = list(rdms(other, "crossnobis").stimulus_id_i.values)
    place = [names.index(name) for name in rdms(one, "crossnobis").stimulus_id_i.values]
    found = rdms(other, "crossnobis")[0].values[np.ix_(place, place)]
    np.testing.assert_allclose(rdms(one, "crossnobis")[0], found, atol=1e-9)
    assert products_of(one).startswith("of different folds") == shared


def test_noise_shared_by_stimuli_needs_folds():
    """A run's own noise, the same for a group of its stimuli, makes these look alike."""
    gaps = {"apart": [], "in folds": []}
    for seed in range(60):
        rng = np.random.default_rng(1000 + seed)
        responses, true = trials([6] * 6, noise=0.2, seed=seed, offset=0.0)
        number = np.array([int(name[1:]) for name in responses.stimulus_id.values])
        drift = 2.0 * rng.normal(size=(6, 2, 7))
        responses.values[:] += drift[responses.repetition.values, number % 2]
        for name, each in (("apart", responses), ("in folds", in_folds(responses))):
            made = rdms(each, "crossnobis")
            rows = [int(s[1:]) for s in made.stimulus_id_i.values]
            gap = made[0].values - rdms(true_of(true[rows]), "euclidean")[0].values
            alike = (np.array(rows)[:, None] - np.array(rows)) % 2 == 0
            gaps[name].append(gap[alike & ~np.eye(6, dtype=bool)].mean())
    error = np.std(gaps["in folds"]) / np.sqrt(60)
    assert abs(np.mean(gaps["in folds"])) < 3 * error
    assert np.mean(gaps["apart"]) < -5 * error
    assert np.mean(gaps["apart"]) == pytest.approx(-2 * 4 / 6, rel=0.2)


def test_halves_of_trials_are_whole_folds():
    """RDMs of halves, as of the whole, are of the folds' products; c is r's estimator."""
    responses, _ = trials([6] * 10, noise=2.0)
    found = Repeated(in_folds(responses)).region("V4")
    for pair in trial_halves(found, "crossnobis", 100, 0):
        assert pair.inverse == pytest.approx((1 / 3, 1 / 3))
    pairs = list(trial_halves(found, "crossnobis", 100, 0))
    assert len(pairs) == 10  # 6 folds in halves of 3
    chosen = in_folds(responses).isel(
        presentation=np.flatnonzero(np.isin(responses.repetition.values, [0, 1, 2]))
    )
    own, squares = crossnobis_squares(chosen)
    place = [list(own.stimulus_ids).index(name) for name in rdms(responses).stimulus_id_i.values]
    expected = squares[0][np.ix_(place, place)]
    halves = [half for pair in pairs for half in (pair.first, pair.second)]
    assert min(abs(half - expected).max() for half in halves) < 1e-9
    made = rdm_reliability(in_folds(responses), distance="crossnobis", interval=None)
    assert int(made.splits_taken[0]) == 10


def test_folds_that_cannot_be_used_are_refused():
    """Missing labels, and stimuli in one fold only, are named; ragged folds sit splits out."""
    responses, _ = trials([4] * 6)
    lacking = responses.assign_coords(fold=("presentation", np.array([None, *[1] * 23], object)))
    with pytest.raises(InputError, match="1 of 24 presentations have no fold"):
        rdms(lacking, "crossnobis")
    one = in_folds(responses)
    one.fold.values[one.stimulus_id.values == "s2"] = 1
    with pytest.raises(InputError, match=r"first: \['s2'\]"):
        rdms(one, "crossnobis")
    ragged = in_folds(trials([6, 6, 6, 6, 6, 5])[0])
    found = rdm_reliability(ragged, distance="crossnobis", interval=None, splits=20)
    assert np.isfinite(found.reliability[0])


@pytest.mark.parametrize("precision", ["none", "diagonal", "shrinkage"])
def test_ragged_repetitions_are_rsatoolbox_s_unbalanced(precision):
    """Ragged repetitions are independent: only a presentation with itself is left out."""
    responses, _ = trials([2, 3, 5, 4, 2, 7])
    mine = rdms(responses, "crossnobis", precision=precision)
    noise = None if precision == "none" else precision_matrix(responses, precision)
    fold = np.arange(len(responses))
    expected = theirs(responses, mine.stimulus_id_i.values, fold, noise, "ragged")
    np.testing.assert_allclose(mine.values[0], expected, rtol=1e-8, atol=1e-9)


def test_shrunk_covariance_is_rsatoolbox_s():
    """The covariance of residuals is shrunk by the same share as rsatoolbox's shrinkage_diag."""
    from rsatoolbox.data.noise import cov_from_residuals

    residuals = np.random.default_rng(3).normal(size=(60, 5)) @ np.triu(np.ones((5, 5)))
    residuals -= residuals.mean(0)
    expected = cov_from_residuals(residuals, dof=48, method="shrinkage_diag")
    np.testing.assert_allclose(shrunk_covariance(residuals, 48), expected, rtol=1e-12)


def test_noise_adds_nothing_on_average():
    """The mean over recordings is the true squared distance; plain distances are too large."""
    made = [trials([4, 2, 6, 3], noise=2.0, seed=seed, offset=0.0) for seed in range(30)]
    gaps = {}
    for distance in ("crossnobis", "euclidean"):
        found = [
            rdms(each, distance)[0] - rdms(true_of(true), "euclidean")[0] for each, true in made
        ]
        gaps[distance] = np.array(found)[:, *np.triu_indices(4, 1)].mean(1)
    error = gaps["crossnobis"].std() / np.sqrt(len(made))
    assert abs(gaps["crossnobis"].mean()) < 3 * error
    assert gaps["euclidean"].mean() > 5 * error


def true_of(true):
    """Make an assembly of true patterns."""
    return assembly(true, stimulus_id=[f"s{k}" for k in range(len(true))], region="V4")


def test_normalise_noise_is_the_diagonal_precision():
    """Neuroids divided by their pooled SD over repetitions are weighed by its precision."""
    responses, _ = trials([3, 4, 5, 4])
    expected = rdms(responses, "crossnobis", precision="diagonal")
    np.testing.assert_allclose(rdms(responses, "crossnobis", normalise="noise"), expected)


def test_categories_average_stimuli_without_taking_their_differences_for_noise():
    """A category's pattern is the mean of its stimuli; with no noise, euclidean is the same."""
    responses, _ = trials([3] * 6, noise=0.0)
    number = np.array([int(name[1:]) for name in responses.stimulus_id.values])
    responses = responses.assign_coords(category=("presentation", np.array(["x", "y"])[number % 2]))
    mine = rdms(responses, "crossnobis", by="category")
    expected = rdms(responses, "euclidean", by="category")
    order = [list(expected.stimulus_id_i.values).index(name) for name in mine.stimulus_id_i.values]
    np.testing.assert_allclose(mine[0], expected[0].values[np.ix_(order, order)], atol=1e-9)


def test_missing_single_responses_count_neuroid_by_neuroid():
    """A neuroid's lost trial is left out of its own products; distances stay unbiased."""
    responses, _ = trials([4, 4, 4], noise=0.0)
    lost = responses.copy(deep=True)
    lost.values[2, 3] = np.nan
    np.testing.assert_allclose(rdms(lost, "crossnobis"), rdms(responses, "crossnobis"), atol=1e-9)
    with pytest.raises(InputError, match="precision='diagonal'"):
        rdms(trials_with_gap(), "crossnobis", precision="shrinkage")


def trials_with_gap():
    """Make noisy repetitions, one response missing."""
    responses, _ = trials([4, 4, 4])
    responses.values[2, 3] = np.nan
    return responses


def test_a_stimulus_shown_once_is_named_and_refused():
    """Where R is 1 there is no product of different repetitions."""
    responses, _ = trials([3, 1, 2, 4])
    with pytest.raises(InputError, match=r"1 of 4 have one \(first: \['s1'\]\)"):
        rdms(responses, "crossnobis")
    left = rdms(responses, "crossnobis", nan="drop-stimulus")
    assert sorted(left.stimulus_id_i.values) == ["s0", "s2", "s3"]
    assert '"s1"' in left.attrs["dropped"]


def test_constant_neuroids_have_no_precision():
    """A neuroid that does not vary over repetitions is named."""
    responses, _ = trials([3, 3, 3])
    responses.values[:, 2] = 1.0
    with pytest.raises(InputError, match=r"constant over repetitions \(first: \['V4.2'\]\)"):
        rdms(responses, "crossnobis", precision="diagonal")


def test_arguments_are_checked():
    """Unknown precision, and precision without crossnobis, are refused."""
    responses, _ = trials([2, 2, 2])
    with pytest.raises(InputError, match="unknown precision 'full'"):
        rdms(responses, "crossnobis", precision="full")
    with pytest.raises(InputError, match="belongs to distance='crossnobis'"):
        rdms(responses, "euclidean", precision="diagonal")


def test_similarity_takes_crossnobis_on_the_side_with_repetitions():
    """A side without repetitions has euclidean distance; both RDMs are compared as such."""
    responses, true = trials([3, 4, 5, 4, 3, 6, 4])
    model = true_of(true)[::-1]
    found = similarity(model, responses, "crossnobis")
    first, second = rdms(model, "euclidean"), rdms(responses, "crossnobis")
    rows = [list(second.stimulus_id_i.values).index(name) for name in first.stimulus_id_i.values]
    upper = np.triu_indices(7, 1)
    x, y = first.values[0][upper], second.values[0][np.ix_(rows, rows)][upper]
    np.testing.assert_allclose(found, [[np.corrcoef(x, y)[0, 1]]], atol=1e-6)
    assert (found.attrs["distance"], found.attrs["distance_a"]) == ("crossnobis", "euclidean")
    prepared = prepare(responses, distance="crossnobis", comparison="spearman")
    expected = similarity(model, second, "crossnobis", "spearman")
    np.testing.assert_allclose(similarity_to(prepared, model), expected)
    both = similarity(responses, responses, "crossnobis")
    assert both.attrs["distance_a"] == "crossnobis"
    np.testing.assert_allclose(both, [[1.0]], atol=1e-6)


def test_similarity_needs_repetitions_of_the_second_side():
    """Crossnobis of a teacher that was averaged is refused in one sentence."""
    responses, true = trials([3, 4, 5, 4])
    with pytest.raises(InputError, match="crossnobis needs repetitions of b"):
        similarity(responses, true_of(true), "crossnobis")


def test_rdms_say_which_products_were_taken():
    """Of different folds where they are declared, of different presentations otherwise."""
    values = np.random.default_rng(0).normal(size=(12, 5))
    ids = np.repeat(["a", "b", "c", "d"], 3)
    free = assembly(values, stimulus_id=ids, region="V4")
    folds = free.assign_coords(fold=("presentation", np.tile([0, 1, 2], 4)))
    assert rdms(free, "crossnobis").attrs["products"].startswith("of different presentations")
    assert rdms(folds, "crossnobis").attrs["products"] == "of different folds"
