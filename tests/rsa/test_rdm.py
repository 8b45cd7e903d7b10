"""RDMs of assemblies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.spatial.distance import pdist, squareform

from neurosage.data.assembly import assembly, select
from neurosage.data.average import average_repetitions
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.rsa.backends.torch import TorchBackend
from neurosage.rsa.rdm import check_rdms, condensed_rdms, rdms
from neurosage.rsa.similarity import similarity


@pytest.mark.parametrize("distance", ["correlation", "euclidean", "cosine"])
def test_equals_scipy(recording, distance):
    """Distances equal scipy's; euclidean is squared and divided by the neuroids."""
    a = recording()
    found = rdms(a, distance, backend=TorchBackend(dtype="float64"))
    for region in ("V4", "IT"):
        f = select(a, region=region).values
        metric = {"euclidean": "sqeuclidean"}.get(distance, distance)
        expected = squareform(pdist(f, metric)) / (f.shape[1] if distance == "euclidean" else 1)
        np.testing.assert_allclose(found.sel(region=region), expected, atol=1e-12)
    assert found["neuroids"].values.tolist() == [12, 9]
    assert found.attrs["distance"] == distance


def test_order_is_declared_order(recording):
    """Rows keep the order of first appearance: img10 never moves before img2."""
    found = rdms(recording(n=12))
    assert list(found["stimulus_id_i"].values) == [f"img{i}" for i in range(12)]
    np.testing.assert_array_equal(found.values, found.values.transpose(0, 2, 1))


def test_categories_average_patterns_first(recording):
    """By category, patterns are averaged before the distance, neuroids scaled before both."""
    a = recording(n=12).assign_coords(category=("presentation", np.repeat(["x", "y", "z"], 4)))
    found = rdms(a, "euclidean", by="category", normalise="zscore")
    f = select(a, region="V4").values
    f = ((f - f.mean(0)) / f.std(0)).reshape(3, 4, -1).mean(1)
    expected = squareform(pdist(f, "sqeuclidean")) / f.shape[1]
    np.testing.assert_allclose(found.sel(region="V4"), expected, atol=1e-6)
    assert list(found["stimulus_id_i"].values) == ["x", "y", "z"]


def test_repetitions_are_averaged(repeated):
    """RDMs are of the means over repetitions."""
    a = repeated(n=10)
    np.testing.assert_array_equal(rdms(a).values, rdms(average_repetitions(a)).values)


def test_constant_pattern_is_named(recording):
    """A pattern that is constant over neuroids is refused with region and stimulus."""
    a = recording(n=6)
    a.values[2, :12] = 0.5
    with pytest.raises(InputError, match=r"'V4'.*1 of 6 stimuli.*constant.*'img2'"):
        rdms(a)
    assert rdms(a, "euclidean").shape == (2, 6, 6)


def test_one_neuroid_has_no_correlation():
    """With a single neuroid every pattern is constant."""
    a = assembly([[1.0], [2.0], [4.0]], stimulus_id=list("abc"), region="V4")
    with pytest.raises(InputError, match="3 of 3 stimuli"):
        rdms(a)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_responses_are_named(recording, bad):
    """NaN and infinite responses are refused with neuroids and stimuli."""
    a = recording(n=6)
    a.values[4, 13] = bad
    with pytest.raises(InputError, match=r"'IT'.*1 of 6 stimuli .*'img4'.*'IT.1'"):
        rdms(a)


def test_drop_neuroid_and_stimulus(recording):
    """What is dropped is left out everywhere, and named in the result."""
    a = recording(n=8)
    a.values[4, 13] = np.nan
    less = rdms(a, nan="drop-neuroid")
    assert less["neuroids"].values.tolist() == [12, 8]
    assert '"IT.1"' in less.attrs["dropped"]
    fewer = rdms(a, nan="drop-stimulus")
    assert fewer.shape == (2, 7, 7)
    assert '"img4"' in fewer.attrs["dropped"]
    np.testing.assert_array_equal(
        fewer.values, rdms(a.isel(presentation=[0, 1, 2, 3, 5, 6, 7])).values
    )


def test_time_bins_are_refused():
    """An assembly with time bins is answered with how to choose a window."""
    a = assembly(
        np.ones((3, 2, 2)),
        dims=("presentation", "neuroid", "time_bin"),
        stimulus_id=list("abc"),
        region="V4",
        time_bin_start=[0, 10],
        time_bin_end=[10, 20],
    )
    with pytest.raises(InputError, match="2 time bins; choose a window"):
        rdms(a)


def test_unknown_distance(recording):
    """A misspelt distance is answered with the close one and the choices."""
    with pytest.raises(InputError, match=r"'corelation'; did you mean 'correlation'.*euclidean"):
        rdms(recording(), "corelation")
    with pytest.raises(InputError, match=r"unknown distance 'cosine'.*rsatoolbox"):
        rdms(recording(), "cosine", backend="rsatoolbox")


def test_rdms_are_kept_as_they_are(recording):
    """RDMs given for RDMs are checked and returned; another distance is refused."""
    made = rdms(recording())
    assert rdms(made) is made
    with pytest.raises(InputError, match="of 'correlation' distance; 'euclidean' was asked for"):
        rdms(made, "euclidean")
    broken = made.copy(deep=True)
    broken.values[0, 0, 1] = 7
    with pytest.raises(InputError, match="not symmetric"):
        check_rdms(broken)


def of_subjects(recording):
    """Three subjects' RDMs of one recording, each with noise of its own."""
    made = rdms(recording(n=8))
    noise = np.random.default_rng(0).random((3, *made.shape)) * 0.1
    every = xr.DataArray(noise + noise.swapaxes(-1, -2), dims=("subject", *made.dims)) + made
    every = every.assign_coords(subject=("subject", ["S1", "S2", "S3"]))
    return every.assign_attrs(made.attrs)


def test_subjects_are_averaged(recording):
    """RDMs of several subjects are their mean, and say so; a teacher's likewise."""
    every = of_subjects(recording)
    found = rdms(every)
    assert found.dims == ("region", "stimulus_i", "stimulus_j")
    np.testing.assert_allclose(found.values, every.values.mean(0))
    assert found.attrs["averaged_over"] == "3 subjects"
    assert found.attrs["distance"] == "correlation"
    ids = list(every["stimulus_id_i"].values)
    shown = StimulusSet("s", pd.DataFrame({"stimulus_id": ids}), np.zeros((8, 2, 2, 3), np.uint8))
    teacher = Teacher("human-it", shown, None, every, kind="rdm")
    np.testing.assert_array_equal(rdms(teacher).values, found.values)
    assert repr(teacher).endswith("RDMs of V4, IT, 3 subjects>")


def test_subjects_rdms_are_compared_by_their_mean(recording):
    """A similarity to a teacher of several subjects is that to their mean, on either side."""
    every, other = of_subjects(recording), recording(n=8, seed=1)
    expected = similarity(other, rdms(every)).values
    np.testing.assert_allclose(similarity(other, every).values, expected)
    np.testing.assert_allclose(similarity(every, other).values, expected.T)
    np.testing.assert_allclose(
        similarity(every, every).values, similarity(rdms(every), rdms(every))
    )


def test_one_subject_that_is_not_symmetric_is_refused(recording):
    """Each subject's RDM is checked."""
    every = of_subjects(recording)
    every.values[1, 0, 2, 3] += 1
    with pytest.raises(InputError, match="the RDM of 'V4' is not symmetric"):
        rdms(every)


def test_condensed_order(recording):
    """Upper triangles come in the order of numpy.triu_indices, for any order of stimuli."""
    made = rdms(recording(n=5))
    order = [3, 0, 4]
    square = made.values[1][np.ix_(order, order)]
    np.testing.assert_array_equal(condensed_rdms(made, order)[1], square[np.triu_indices(3, 1)])


def test_saves_to_netcdf(recording, tmp_path):
    """RDMs go to netCDF and come back."""
    made = rdms(recording(n=5))
    made.to_netcdf(tmp_path / "rdms.nc")
    with xr.open_dataarray(tmp_path / "rdms.nc") as back:
        np.testing.assert_array_equal(back.values, made.values)
        assert back.attrs["distance"] == "correlation"


def _two_labels(recording):
    a = recording(n=8).assign_coords(label=("presentation", list("xyzw") * 2))
    a.values[4, 13] = np.nan
    return a


def test_missing_responses_are_looked_for_before_categories_are_averaged(recording):
    """One missing response is refused by category just as by stimulus, never averaged away."""
    a = _two_labels(recording)
    with pytest.raises(InputError, match=r"'IT'.*1 of 8 stimuli .*'img4'.*'IT.1'"):
        rdms(a, by="label")


@pytest.mark.parametrize(
    ("nan", "kept"),
    [
        ("drop-stimulus", {"presentation": [0, 1, 2, 3, 5, 6, 7]}),
        ("drop-neuroid", {"neuroid": [n for n in range(21) if n != 13]}),
    ],
)
def test_dropping_acts_on_stimuli_not_on_categories(recording, nan, kept):
    """By category, what lacks a response is left out of its category's mean, and named."""
    a = _two_labels(recording)
    found = rdms(a, by="label", nan=nan)
    np.testing.assert_array_equal(found.values, rdms(a.isel(kept), by="label").values)
    assert list(found["stimulus_id_i"].values) == list("xyzw")
    assert "img4" in found.attrs["dropped"] or "IT.1" in found.attrs["dropped"]


def test_categories_of_a_teacher_are_those_of_its_stimuli(recording):
    """A column of the stimuli serves as a coordinate does; missing and unknown ones are named."""
    a = recording(n=12)
    ids = list(dict.fromkeys(a["stimulus_id"].values))
    labels = ["face", "hand", "house"] * 4
    table = pd.DataFrame({"stimulus_id": ids[::-1], "label": labels, "gap": [None, *labels[1:]]})
    teacher = Teacher("t", StimulusSet("s", table, np.zeros((12, 2, 2, 3), np.uint8)), a)
    of = dict(zip(ids[::-1], labels, strict=True))
    column = np.array([of[name] for name in a["stimulus_id"].values], object)
    found = rdms(teacher, by="label")
    expected = rdms(a.assign_coords(label=("presentation", column)), by="label")
    assert list(found["stimulus_id_i"].values) == list(expected["stimulus_id_i"].values)
    np.testing.assert_array_equal(found.values, expected.values)
    with pytest.raises(InputError, match=r"1 of 12 stimuli .* have no 'gap'"):
        rdms(teacher, by="gap")
    with pytest.raises(InputError, match=r"'labels'; did you mean 'label'"):
        rdms(teacher, by="labels")
