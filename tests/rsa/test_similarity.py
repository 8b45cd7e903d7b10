"""Similarities of assemblies, teachers and RDMs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.data.assembly import assembly, select
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.rsa.backends.torch import TorchBackend
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.neuroids import reliability
from neurosage.rsa.similarity import prepare, similarity, similarity_to

EXACT = TorchBackend(dtype="float64")


def teacher(a, **settings):
    table = pd.DataFrame({"stimulus_id": list(dict.fromkeys(a["stimulus_id"].values))})
    images = np.zeros((len(table), 4, 4, 3), np.uint8)
    return Teacher("lab", StimulusSet("pets", table, images), a, **settings)


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "cosine"])
@pytest.mark.parametrize("distance", ["correlation", "euclidean"])
@pytest.mark.parametrize("normalise", [("none", "none"), ("zscore", "centre")])
def test_equals_rsatoolbox(recording, distance, comparison, normalise):
    """Both backends agree on assemblies, with and without normalisation."""
    a, b = recording(seed=1), recording(seed=2, regions=(("x", 7), ("y", 30)))
    found, expected = (
        similarity(a, b, distance, comparison, normalise=normalise, backend=backend)
        for backend in (EXACT, "rsatoolbox")
    )
    np.testing.assert_allclose(found, expected, atol=1e-10)
    assert (found.attrs["normalise_a"], found.attrs["normalise_b"]) == normalise


def test_rows_are_as_named(recording):
    """Rows are regions of a, columns those of b, in order, interleaved neuroids or not."""
    a, b = recording(seed=1), recording(seed=2, regions=(("x", 7), ("y", 11), ("z", 6)))
    found = similarity(a, b)
    assert found.dims == ("region_a", "region_b")
    alone = similarity(select(a, region="IT"), select(b, region="y"))
    assert float(found.sel(region_a="IT", region_b="y")) == pytest.approx(float(alone[0, 0]))
    order = np.random.default_rng(0).permutation(21)
    mixed = similarity(a.isel(neuroid=order), b)
    np.testing.assert_allclose(mixed.sel(region_a=["V4", "IT"]), found, atol=1e-6)


def test_aligned_by_id_never_by_position(recording):
    """Any order of presentations gives the same similarity."""
    a, b = recording(seed=1), recording(seed=2)
    order = np.random.default_rng(0).permutation(40)
    moved = similarity(a.isel(presentation=order), b, backend=EXACT)
    np.testing.assert_allclose(moved, similarity(a, b, backend=EXACT), atol=1e-12)


def test_mismatch_is_refused(recording):
    """Stimuli that differ are refused with the counts and first ids."""
    a, b = recording(n=12), recording(n=10)
    with pytest.raises(InputError, match=r"12 with responses, 10 wanted.*'img10'"):
        similarity(a, b)
    with pytest.raises(InputError, match=r"12 on one side, 10 on the other.*'img10'"):
        similarity(rdms(a), rdms(b))


def test_numbers_as_ids(recording):
    """Stimulus ids need not be text."""
    a = recording(n=10).assign_coords(stimulus_id=("presentation", np.arange(10)))
    a.values[3, 0] = np.nan
    found = similarity(a, a, nan="drop-stimulus", backend=EXACT)
    assert found.attrs["n_stimuli"] == 9
    np.testing.assert_allclose(np.diag(found), 1.0)


@given(st.integers(0, 2**32 - 1), st.integers(4, 30), st.integers(2, 12))
@settings(max_examples=25, deadline=None)
def test_laws(seed, n, p):
    """Symmetric, 1 with itself, within [-1, 1], blind to scale and shift of all responses."""
    rng = np.random.default_rng(seed)
    ids = [str(i) for i in range(n)]
    a, b = (assembly(rng.normal(size=(n, p + 1)), stimulus_id=ids, region=r) for r in "ab")
    for distance in ("correlation", "euclidean"):
        found = float(similarity(a, b, distance, backend=EXACT)[0, 0])
        assert -1 <= found <= 1
        assert found == pytest.approx(
            float(similarity(b, a * 3 + 2, distance, backend=EXACT)[0, 0])
        )
        assert float(similarity(a, a, distance, backend=EXACT)[0, 0]) == pytest.approx(1)


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "cosine"])
def test_rdms_and_assemblies_mix(recording, comparison):
    """RDMs on either side, or both, give what the assemblies give."""
    a, b = recording(seed=1), recording(seed=2)
    expected = similarity(a, b, comparison=comparison, backend=EXACT)
    made_a, made_b = rdms(a, backend=EXACT), rdms(b, backend=EXACT)
    order = np.random.default_rng(0).permutation(40)
    made_a = made_a.isel(stimulus_i=order, stimulus_j=order)
    for side_a, side_b in ((made_a, b), (a, made_b), (made_a, made_b)):
        found = similarity(side_a, side_b, comparison=comparison, backend=EXACT)
        np.testing.assert_allclose(found, expected, atol=1e-12)
        assert found.attrs["path"] == "rdms"


def test_teacher_of_rdms_only(recording):
    """A teacher that holds only RDMs is compared like any other."""
    b = recording(seed=2)
    published = rdms(b, backend=EXACT)
    held = teacher(b)
    only = Teacher("published", held.stimuli, None, stored_rdms=published, kind="rdm")
    a = recording(seed=1)
    prepared = prepare(only, backend=EXACT)
    np.testing.assert_allclose(
        similarity_to(prepared, a), similarity(a, b, backend=EXACT), atol=1e-12
    )
    with pytest.raises(InputError, match="holds only RDMs that are of 'correlation'"):
        prepare(only, distance="euclidean")


def test_normalisation_of_the_teacher(recording):
    """None means the teacher's own; the default of similarity is none on both sides."""
    a, b = recording(seed=1), recording(seed=2)
    held = teacher(b, normalise="zscore")
    own = similarity_to(prepare(held, backend=EXACT), a)
    assert own.attrs["normalise_b"] == "zscore"
    for normalise in (("none", "zscore"), ("none", None)):
        found = similarity(a, held, normalise=normalise, backend=EXACT)
        np.testing.assert_allclose(found, own, atol=1e-12)
    assert similarity(a, held).attrs["normalise_b"] == "zscore"
    raw = similarity(a, held, normalise=("none", "none"), backend=EXACT)
    assert raw.attrs["normalise_b"] == "none"
    assert abs(raw - own).max() > 1e-6
    with pytest.raises(InputError, match="a pair such as"):
        similarity(a, b, normalise="zscore")


def test_stimulus_dropped_on_both_sides(recording):
    """A stimulus that one side lacks is left out on both, and named."""
    a, b = recording(seed=1), recording(seed=2)
    kept = [i for i in range(40) if i not in (3, 7)]
    expected = similarity(a.isel(presentation=kept), b.isel(presentation=kept), backend=EXACT)
    a.values[3, 0], b.values[7, 20] = np.nan, np.nan
    found = similarity(a, b, nan="drop-stimulus", backend=EXACT)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found.attrs["n_stimuli"] == 38
    assert sorted(json.loads(found.attrs["dropped"])["b"]["stimuli"]) == ["img3", "img7"]
    made = similarity(a, rdms(b, nan="drop-stimulus"), nan="drop-stimulus", backend=EXACT)
    np.testing.assert_allclose(made, expected, atol=1e-6)
    assert made.attrs["n_stimuli"] == 38


def test_neuroid_dropped(recording):
    """Neuroids that miss a stimulus are left out of their own side."""
    a, b = recording(seed=1), recording(seed=2)
    expected = similarity(a.isel(neuroid=range(1, 21)), b, backend=EXACT)
    a.values[3, 0] = np.nan
    found = similarity(a, b, nan="drop-neuroid", backend=EXACT)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    with pytest.raises(InputError, match="unknown policy"):
        similarity(a, b, nan="drop")


def test_dead_layer_does_not_kill_a_candidate(recording):
    """With undefined="nan", a layer without RDM is NaN with its reason, the rest is kept."""
    layers = (("first", 5), ("dead", 4), ("single", 1), ("diverged", 3), ("last", 6))
    a, b = recording(seed=1, regions=layers), recording(seed=2)
    a.values[:, 5:9] = 0.0
    a.values[0, 10] = np.inf
    prepared = prepare(b)
    found = similarity_to(prepared, a, undefined="nan")
    assert np.isnan(found.sel(region_a=["dead", "single", "diverged"])).all()
    assert not np.isnan(found.sel(region_a=["first", "last"])).any()
    reasons = json.loads(found.attrs["undefined"])
    assert set(reasons) == {"dead", "single", "diverged"}
    assert "constant" in reasons["dead"]
    assert "infinite" in reasons["diverged"]
    with pytest.raises(InputError, match=r"'dead'.*40 of 40 stimuli.*Likewise.*single"):
        similarity_to(prepared, a)


def test_distances_that_do_not_vary(recording):
    """An RDM without variation is undefined with its reason."""
    flat = assembly(np.eye(40), stimulus_id=[f"img{i}" for i in range(40)], region="one-hot")
    found = similarity_to(prepare(recording()), flat, undefined="nan")
    assert np.isnan(found).all()
    with pytest.raises(InputError, match="'one-hot': its distances"):
        similarity(flat, recording())


def test_by_category_with_other_stimuli(recording):
    """By category, the two sides may hold different stimuli of the same categories."""
    labels = ("presentation", np.repeat(list("abcdefgh"), 5))
    a = recording(seed=1).assign_coords(category=labels)
    b = recording(seed=2, prefix="other").assign_coords(category=labels)
    found = similarity(a, b, by="category", backend=EXACT)
    made = [rdms(side, by="category", backend=EXACT) for side in (a, b)]
    np.testing.assert_allclose(found, similarity(*made, backend=EXACT), atol=1e-12)
    assert found.attrs["n_stimuli"] == 8


def test_bad_calls_are_refused_early(recording):
    """Unknown names are refused with the choices, too few stimuli with the rule."""
    a = recording()
    with pytest.raises(InputError, match="did you mean 'pearson'"):
        similarity(a, a, comparison="pearsn")
    with pytest.raises(InputError, match="unknown backend"):
        similarity(a, a, backend="jax")
    with pytest.raises(InputError, match="unknown value of undefined"):
        similarity(a, a, undefined="ignore")
    with pytest.raises(InputError, match="at least 3 stimuli"):
        similarity(a[:2], a[:2])
    with pytest.raises(InputError, match=r"a recording is a teacher, or an assembly"):
        similarity(np.eye(3), a)


def test_saves_to_netcdf(recording, tmp_path):
    """A similarity and its provenance go to netCDF."""
    found = similarity(recording(), recording(seed=1))
    found.to_netcdf(tmp_path / "similarity.nc")
    assert {"distance", "comparison", "path", "backend", "neurosage"} <= set(found.attrs)


def test_missing_responses_are_found_within_categories(recording):
    """By category, a missing response on either side is refused, or its stimulus dropped."""
    labels = ("presentation", list("xyzw") * 10)
    a, b = (recording(seed=seed).assign_coords(label=labels) for seed in (0, 1))
    holed = a.copy(deep=True)
    holed.values[3, 0] = np.nan
    for sides in ((holed, b), (b, holed)):
        with pytest.raises(InputError, match=r"1 of 40 stimuli .*'img3'"):
            similarity(*sides, by="label")
        found = similarity(*sides, by="label", nan="drop-stimulus", backend=EXACT)
        less = [side.isel(presentation=[i for i in range(40) if i != 3]) for side in sides]
        np.testing.assert_allclose(found, similarity(*less, by="label", backend=EXACT))
        assert "img3" in found.attrs["dropped"]
        assert found.attrs["n_stimuli"] == 4


def test_categories_shown_by_other_images_lose_their_own_stimuli(recording):
    """Where the sides saw other images of the categories, each drops its own incomplete ones."""
    labels = ("presentation", list("xyzw") * 10)
    a, b = (recording(prefix=p).assign_coords(label=labels) for p in ("left", "right"))
    a.values[3, 0], b.values[5, 1] = np.nan, np.nan
    found = similarity(a, b, by="label", nan="drop-stimulus", backend=EXACT)
    less = [side.isel(presentation=[i for i in range(40) if i != k])
            for side, k in ((a, 3), (b, 5))]  # fmt: skip
    np.testing.assert_allclose(found, similarity(*less, by="label", backend=EXACT))
    assert found.attrs["n_stimuli"] == 4


@pytest.mark.parametrize("call", [rdms, reliability, prepare, lambda name: similarity(name, name)])
def test_a_name_is_no_recording(call):
    """Nothing is loaded behind the user's back; the error says how to."""
    with pytest.raises(InputError, match=r"load it first: neurosage\.load_teacher\('macaque-v4'\)"):
        call("macaque-v4")
