"""Distances over the neuroids that both stimuli of a pair answered."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import distance as spatial

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.backends.torch import TorchBackend
from neurosage.rsa.rdm import rdms, usable_rdms
from neurosage.rsa.similarity import prepare, similarity, similarity_to

DISTANCES = ["correlation", "euclidean", "cosine"]
EXACT = TorchBackend(dtype="float64")


def incomplete(recording, share=0.2, seed=0, **how):
    """Make a recording in which a share of the responses is missing."""
    a = recording(**how)
    a.values[np.random.default_rng(seed).random(a.shape) < share] = np.nan
    return a


def by_pairs(f, distance):
    """Return the distances, each by SciPy from its own neuroids."""
    n = len(f)
    found = np.zeros((n, n))
    for i in range(n):
        for j in range(i):
            both = ~np.isnan(f[i]) & ~np.isnan(f[j])
            x, y = f[i, both], f[j, both]
            if distance == "euclidean":
                found[i, j] = np.mean((x - y) ** 2)
            else:
                found[i, j] = getattr(spatial, distance)(x, y)
    return found + found.T


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("distance", DISTANCES)
def test_each_distance_is_over_the_neuroids_that_both_answered(recording, distance, offset):
    """Four matrix products give what a loop over pairs does, whatever the offset."""
    a = incomplete(recording, n=15, offset=offset)
    made = rdms(a, distance, nan="pairwise")
    for region, columns in (("V4", slice(0, 12)), ("IT", slice(12, 21))):
        expected = by_pairs(a.values[:, columns], distance)
        atol = 1e-7 if offset else 1e-12
        np.testing.assert_allclose(made.sel(region=region), expected, atol=atol)
    present = ~np.isnan(a.values)
    fewest = min(
        (present[:, c].astype(int) @ present[:, c].T.astype(int)).min()
        for c in (slice(0, 12), slice(12, 21))
    )
    assert made.attrs["shared_neuroids"] == fewest
    assert made.attrs["nan"] == "pairwise"


@pytest.mark.parametrize("distance", DISTANCES)
def test_nothing_missing_is_no_policy(recording, distance):
    """Complete responses have the backend's distances, as without the policy."""
    a = recording(n=10)
    made = rdms(a, distance, nan="pairwise")
    np.testing.assert_array_equal(made, rdms(a, distance))
    assert "shared_neuroids" not in made.attrs


@pytest.mark.parametrize("normalise", ["centre", "zscore", "noise"])
def test_neuroids_are_normalised_over_the_stimuli_they_answered(repeated, normalise):
    """The mean, and the SD over stimuli or repetitions, leave missing responses out."""
    a = repeated(n=12, neuroids=8)
    lost = np.isin(a.stimulus_id.values, ["img2", "img7"])
    a.values[lost, 3] = np.nan
    made = rdms(a, "euclidean", normalise=normalise, nan="pairwise")
    kept = a.isel(presentation=np.flatnonzero(~lost))
    names = list(made.stimulus_id_i.values)
    place = [names.index(name) for name in rdms(kept).stimulus_id_i.values]
    # The neuroid alone, without the stimuli that it did not answer.
    alone = rdms(kept.isel(neuroid=[3]), "euclidean", normalise=normalise, backend=EXACT)
    others = [k for k in range(8) if k != 3]
    whole = rdms(a.isel(neuroid=others), "euclidean", normalise=normalise, backend=EXACT)
    both = np.ix_(place, place)
    expected = (whole[0].values[both] * 7 + alone[0].values) / 8
    np.testing.assert_allclose(made[0].values[both], expected, atol=1e-9)
    row = names.index("img2")
    np.testing.assert_allclose(made[0].values[row], whole[0].values[row], atol=1e-9)


@pytest.mark.parametrize("distance", DISTANCES)
def test_similarity_compares_such_rdms(recording, distance):
    """Either side may miss responses; stimuli are matched by id."""
    a, b = incomplete(recording, n=15, seed=1), incomplete(recording, n=15, seed=2)
    upper = np.triu_indices(15, 1)
    columns = (slice(0, 12), slice(12, 21))
    vectors = [[by_pairs(each.values[:, c], distance)[upper] for c in columns] for each in (a, b)]
    expected = np.corrcoef(*map(np.array, vectors))[:2, 2:]
    found = similarity(a[::-1], b, distance, nan="pairwise")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.attrs["nan"] == "pairwise"
    prepared = prepare(b, distance=distance, nan="pairwise")
    np.testing.assert_allclose(similarity_to(prepared, a), found, atol=1e-12)


def test_pairs_that_share_too_few_are_named(recording):
    """So is a stimulus without any response, and a neuroid without any."""
    a = recording(n=6, regions=(("V4", 6),))
    a.values[1, :3], a.values[4, 3:] = np.nan, np.nan
    for distance, fewest in (("correlation", 2), ("euclidean", 1), ("cosine", 1)):
        message = rf"1 of 15 pairs.*fewer than {fewest} neuroids.*\('img1', 'img4'\)"
        with pytest.raises(InputError, match=message):
            rdms(a, distance, nan="pairwise")
    a.values[1] = np.nan
    with pytest.raises(InputError, match=r"5 of 15 pairs.*\('img0', 'img1'\)"):
        rdms(a, "correlation", nan="pairwise")
    a.values[:, 2] = np.nan
    with pytest.raises(InputError, match=r"1 of 6 neuroids have no response at all.*'V4.2'"):
        rdms(a, "correlation", nan="pairwise")


def test_patterns_constant_over_what_is_shared_are_named(recording):
    """A pattern may vary over its own neuroids and not over those that another answered."""
    a = recording(n=6, regions=(("V4", 6),))
    a.values[2] = [0.1, 0.1, 0.1, 5.0, 6.0, 7.0]
    a.values[3, 3:] = np.nan
    with pytest.raises(InputError, match=r"constant over the neuroids.*\('img2', 'img3'\)"):
        rdms(a, "correlation", nan="pairwise")
    assert np.isfinite(rdms(a, "euclidean", nan="pairwise")).all()
    a.values[2, :3] = 0
    with pytest.raises(InputError, match=r"zero over the neuroids.*\('img2', 'img3'\)"):
        rdms(a, "cosine", nan="pairwise")


def test_nearly_constant_patterns_keep_their_digits():
    """Where sums would cancel, a pair is taken by itself."""
    rng = np.random.default_rng(0)
    f = rng.normal(size=(6, 12))
    f[1, :6] = 1e3 + 1e-4 * rng.normal(size=6)
    f[4, 6:] = np.nan
    a = assembly(f, stimulus_id=list("abcdef"), region="V4")
    made = rdms(a, "correlation", nan="pairwise")
    np.testing.assert_allclose(made[0], by_pairs(f, "correlation"), atol=1e-6)


def test_regions_without_rdm_are_left_out_where_asked_for(recording):
    """Infinite responses are no missing ones."""
    a = incomplete(recording, n=10)
    a.values[3, 15] = np.inf
    made, reasons = usable_rdms(a, nan="pairwise")
    assert list(made.region.values) == ["V4"]
    assert "infinite for 1 of 10 stimuli (first: ['img3'])" in reasons["IT"]
    other = recording(n=10)
    found = similarity(a, other, nan="pairwise", undefined="nan")
    assert np.isnan(found.sel(region_a="IT")).all()
    assert np.isfinite(found.sel(region_a="V4")).all()


def test_what_needs_complete_patterns_is_refused(recording):
    """Other distances and categories say what to use instead."""
    a = incomplete(recording, n=10)
    for distance in ("crossnobis", "mahalanobis", "poisson", "poisson_cv"):
        with pytest.raises(InputError, match=rf"not '{distance}', which needs complete"):
            rdms(a, distance, nan="pairwise")
        with pytest.raises(InputError, match=rf"not '{distance}', which needs complete"):
            similarity(a, a, distance, nan="pairwise")
    labelled = a.assign_coords(label=("presentation", list("xy") * 5))
    with pytest.raises(InputError, match="does not average by 'label'"):
        rdms(labelled, nan="pairwise", by="label")
