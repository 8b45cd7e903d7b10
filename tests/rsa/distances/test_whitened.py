"""Mahalanobis distance against its definition and rsatoolbox, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.data.average import average_repetitions
from neurosage.errors import InputError
from neurosage.rsa.backends.torch import TorchBackend
from neurosage.rsa.distances.noise_precision import precision_root
from neurosage.rsa.distances.presentations import Repeated
from neurosage.rsa.distances.whitened import Whitened, WhitenedRows, whiten
from neurosage.rsa.rdm import rdms
from neurosage.rsa.responses.patterns import read_patterns
from neurosage.rsa.similarity import prepare, similarity, similarity_to

EXACT = TorchBackend(dtype="float64")


def trials(n=10, repetitions=4, neuroids=6, seed=0, offset=50.0, regions=("V4",)):
    """Make repetitions whose noise is correlated over neuroids, presentations scrambled."""
    rng = np.random.default_rng(seed)
    width = neuroids * len(regions)
    mixing = np.eye(width) + 0.4 * rng.normal(size=(width, width))
    values = np.repeat(rng.normal(size=(n, width)) + offset, repetitions, axis=0)
    values = values + rng.normal(size=values.shape) @ mixing
    order = rng.permutation(len(values))
    ids = np.repeat([f"s{k}" for k in range(n)], repetitions)
    return assembly(values[order], stimulus_id=ids[order], region=np.repeat(regions, neuroids))


def random_precision(p, seed=0):
    """Make a symmetric positive definite matrix."""
    root = np.random.default_rng(seed).normal(size=(p, p + 3))
    return root @ root.T


def by_definition(f, precision):
    """Return ``(F_i - F_j) P (F_i - F_j)ᵀ / p``."""
    gaps = f[:, None] - f[None]
    return np.einsum("ijp,pq,ijq->ij", gaps, precision, gaps) / f.shape[1]


def test_a_given_precision_is_rsatoolbox_s():
    """With a precision given, distances are rsatoolbox's, whatever the offset."""
    from rsatoolbox.data.dataset import Dataset
    from rsatoolbox.rdm.calc import calc_rdm
    from scipy.spatial.distance import squareform

    a, matrix = trials(repetitions=1), random_precision(6)
    mine = rdms(a, "mahalanobis", precision={"V4": matrix}, backend=EXACT)
    expected = calc_rdm(Dataset(a.values - 50.0), method="mahalanobis", noise=matrix)
    np.testing.assert_allclose(mine[0], squareform(expected.dissimilarities[0]), rtol=1e-9)
    np.testing.assert_allclose(mine[0], by_definition(a.values, matrix), rtol=1e-9)
    assert mine.attrs["precision"] == "given"


@pytest.mark.parametrize("normalise", ["none", "zscore", "noise"])
@pytest.mark.parametrize("precision", [None, "diagonal", "shrinkage"])
def test_precision_comes_from_residuals_within_stimulus(precision, normalise):
    """Means are weighed by the inverse noise covariance, so a neuroid's unit changes nothing."""
    a = trials()
    root = precision_root(Repeated(a).region("V4"), precision or "shrinkage")
    matrix = np.diag(root**2) if root.ndim == 1 else root @ root.T
    mine = rdms(a, "mahalanobis", precision=precision, normalise=normalise, backend=EXACT)
    expected = by_definition(average_repetitions(a).values, matrix)
    np.testing.assert_allclose(mine[0], expected, rtol=1e-9, atol=1e-12)
    assert mine.attrs["precision"] == (precision or "shrinkage")
    scaled = a * np.logspace(-6, 6, 6)
    again = rdms(scaled, "mahalanobis", precision=precision, backend=EXACT)
    np.testing.assert_allclose(again[0], expected, rtol=1e-7)


def test_a_given_precision_is_for_neuroids_as_normalised():
    """It weighs z-scored neuroids, where these are asked for."""
    a, matrix = trials(repetitions=1), random_precision(6)
    z = (a.values - a.values.mean(0)) / a.values.std(0)
    mine = rdms(a, "mahalanobis", normalise="zscore", precision={"V4": matrix}, backend=EXACT)
    np.testing.assert_allclose(mine[0], by_definition(z, matrix), rtol=1e-9)


def test_categories_are_averaged_before_the_distance():
    """The precision is of residuals within stimulus, not within category."""
    a = trials()
    number = np.array([int(name[1:]) for name in a.stimulus_id.values])
    a = a.assign_coords(category=("presentation", np.array(["x", "y", "z"])[number % 3]))
    root = precision_root(Repeated(a).region("V4"), "shrinkage")
    mine = rdms(a, "mahalanobis", by="category", backend=EXACT)
    means = average_repetitions(a, "category")
    expected = by_definition(means.values, root @ root.T)
    np.testing.assert_allclose(mine[0], expected, rtol=1e-9)


def test_each_region_has_its_own_precision_and_what_is_dropped_is_dropped():
    """Regions are whitened apart; neuroids left out of patterns are left out of residuals."""
    a = trials(regions=("V4", "IT"))
    alone = rdms(a.isel(neuroid=slice(6, 12)), "mahalanobis", backend=EXACT)
    np.testing.assert_allclose(rdms(a, "mahalanobis", backend=EXACT)[1], alone[0], rtol=1e-9)
    lacking = a.copy(deep=True)
    lacking.values[lacking.stimulus_id.values == "s3", 2] = np.nan
    found = rdms(lacking, "mahalanobis", nan="drop-neuroid", backend=EXACT)
    kept = a.isel(neuroid=[0, 1, 3, 4, 5, *range(6, 12)])
    np.testing.assert_allclose(found, rdms(kept, "mahalanobis", backend=EXACT), rtol=1e-9)
    found = rdms(lacking, "mahalanobis", nan="drop-stimulus", backend=EXACT)
    kept = a.isel(presentation=np.flatnonzero(a.stimulus_id.values != "s3"))
    np.testing.assert_allclose(found, rdms(kept, "mahalanobis", backend=EXACT), rtol=1e-9)


def test_similarity_whitens_the_side_with_repetitions():
    """A side without has euclidean distance, and the attributes say so."""
    brain, other = trials(seed=1), trials(seed=2)
    model = average_repetitions(trials(seed=3)).drop_vars("repetitions")[::-1]
    for a, name in ((model, "euclidean"), (other, "mahalanobis")):
        found = similarity(a, brain, "mahalanobis", backend=EXACT)
        second = rdms(brain, "mahalanobis", backend=EXACT)
        expected = similarity(
            rdms(a, name, backend=EXACT).assign_attrs(distance="mahalanobis"), second
        )
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert (found.attrs["distance"], found.attrs["distance_a"]) == ("mahalanobis", name)
        assert found.attrs["precision"] == "shrinkage"
        prepared = prepare(brain, distance="mahalanobis", backend=EXACT)
        np.testing.assert_allclose(similarity_to(prepared, a), found)
    with pytest.raises(InputError, match="mahalanobis needs repetitions of b"):
        similarity(brain, model, "mahalanobis")


def test_similarity_takes_given_precisions_of_either_side():
    """Matrices are found by region; without its own, the first side is euclidean."""
    brain = average_repetitions(trials(seed=1))
    model = average_repetitions(trials(seed=2, regions=("layer1",)))
    given = {"V4": random_precision(6), "layer1": random_precision(6, seed=1)}
    rows = by_definition(brain.values, given["V4"])
    ids = list(model.stimulus_id.values)
    order = [ids.index(name) for name in brain.stimulus_id.values]
    upper = np.triu_indices(10, 1)
    for precision, matrix in ((given, given["layer1"]), ({"V4": given["V4"]}, np.eye(6))):
        other = by_definition(model.values[order], matrix)
        expected = np.corrcoef(rows[upper], other[upper])[0, 1]
        found = similarity(model, brain, "mahalanobis", precision=precision, backend=EXACT)
        np.testing.assert_allclose(found, [[expected]], atol=1e-9)
        assert found.attrs["precision"] == "given"
        assert found.attrs["distance_a"] == ("mahalanobis" if precision is given else "euclidean")


def test_crossnobis_takes_a_given_precision():
    """It weighs neuroids as an estimated one of the same numbers does."""
    a = trials()
    root = precision_root(Repeated(a).region("V4"), "shrinkage")
    expected = rdms(a, "crossnobis", precision="shrinkage")
    found = rdms(a, "crossnobis", precision={"V4": root @ root.T})
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def broken(change):
    """Make a precision that breaks one rule."""
    matrix = random_precision(6)
    change(matrix)
    return {"V4": matrix}


@pytest.mark.parametrize(
    ("precision", "message"),
    [
        (np.eye(6), "a mapping from region to its matrix"),
        ("full", "unknown precision 'full'"),
        ("none", "it is distance='euclidean'"),
        ({"IT": np.eye(6)}, "no matrix of region 'V4', only of \\['IT'\\]"),
        ({"V4": np.eye(5)}, r"shape \(6, 6\).*this one has shape \(5, 5\)"),
        ({"V4": "much"}, "not numeric"),
        (broken(lambda m: m.__setitem__((0, 1), 99.0)), "differ from their mirror image"),
        (broken(lambda m: m.__setitem__((0, 0), -1.0)), "directions without precision"),
        (broken(lambda m: m.__setitem__((2, 2), np.nan)), "missing or infinite"),
    ],
)
def test_what_is_no_precision_is_refused(precision, message):
    """A matrix must be symmetric positive definite, and stand under its region's name."""
    with pytest.raises(InputError, match=message):
        rdms(trials(), "mahalanobis", precision=precision)


def test_precisions_that_cannot_be_had_are_refused():
    """Without repetitions, or with neuroids that are copies in noise, there is no inverse."""
    with pytest.raises(InputError, match=r"two from every neuroid of region 'V4'.*precision="):
        rdms(trials(repetitions=1), "mahalanobis")
    with pytest.raises(InputError, match="belongs to distance='crossnobis' or 'mahalanobis'"):
        rdms(trials(), "cosine", precision={"V4": np.eye(6)})
    flat = trials()
    flat.values[:, 1] = 3.0
    with pytest.raises(InputError, match=r"constant over repetitions \(first: \['V4.1'\]\)"):
        rdms(flat, "mahalanobis")


def test_rows_are_whitened_as_they_are_read():
    """Patterns that come in blocks of rows give the same blocks as the whole, whitened."""
    a = trials()
    patterns = read_patterns(a)
    whole = whiten(patterns, a, "shrinkage")
    assert isinstance(whole, Whitened)
    rows = WhitenedRows(average_repetitions(a).values, whole.roots["V4"])
    assert rows.shape == (10, 6)
    together = np.concatenate([rows[0:4], rows[4:10]])
    np.testing.assert_allclose(together, whole.matrix("V4"), atol=1e-12)
    np.testing.assert_allclose(np.asarray(rows), together, atol=1e-12)
