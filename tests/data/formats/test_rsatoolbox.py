"""rsatoolbox's Dataset, TemporalDataset and RDMs, both ways, in memory and in files."""

import pickle

import h5py
import numpy as np
import pytest
import xarray as xr

from neurosage.data.assembly import assembly, check_assembly
from neurosage.data.formats import rsatoolbox as ours
from neurosage.data.teacher import RDM_DIMS, SUBJECT_DIMS
from neurosage.errors import InputError


@pytest.fixture(scope="module")
def theirs():
    """The real package, by its absolute name, from beside a module of the same name."""
    import rsatoolbox.data.dataset
    import rsatoolbox.rdm.rdms

    assert "site-packages" in rsatoolbox.__file__
    return rsatoolbox


def responses(time=False, dtype="f8"):
    """An assembly with every kind of field that rsatoolbox holds."""
    rng = np.random.default_rng(0)
    dims = ("presentation", "neuroid", "time_bin")[: 3 if time else 2]
    edges = {"time_bin_start": [70.0, 120.0], "time_bin_end": [120.0, 170.0]} if time else {}
    a = assembly(
        rng.normal(size=(5, 3, 2)[: len(dims)]).astype(dtype),
        dims,
        stimulus_id=["b", "a", "b", "c", "a"],
        region=["V4", "IT", "IT"],
        neuroid_id=["x", "y", "z"],
        name="lab-it",
        category=np.array(["cat", "dog", "cat", "", "dog"]),
        depth=np.array([1.5, np.nan, 3.0]),
        good=("neuroid", np.array([True, False, True])),
        block=("presentation", np.arange(5, dtype="i2")),
        **edges,
    )
    return a.assign_attrs(unit="spikes / 100 ms", rate=1.5, count=3, sound=True)


def same(a, b):
    """Every field is equal: values, dtypes, coordinates, attributes, name."""
    assert a.name == b.name
    assert set(a.coords) == set(b.coords)
    assert a.dtype == b.dtype
    for name in a.coords:
        assert a[name].dtype == b[name].dtype, name
    assert set(a.attrs) == set(b.attrs)
    for key in a.attrs:
        np.testing.assert_array_equal(a.attrs[key], b.attrs[key])
        assert type(a.attrs[key]) is type(b.attrs[key])
    xr.testing.assert_equal(a, b)
    assert set(a.indexes) == set(b.indexes)


@pytest.mark.parametrize("time", [False, True], ids=["plain", "temporal"])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i4"])
def test_an_assembly_comes_back_whole(tmp_path, theirs, time, dtype):
    """Through rsatoolbox's object and its file, by its reader and ours, nothing changes."""
    a = responses(time, dtype)
    dataset = ours.to_dataset(a)
    assert type(dataset).__name__ == ("TemporalDataset" if time else "Dataset")
    same(a, check_assembly(ours.from_dataset(dataset)))
    ours.write(a, tmp_path / "ours.h5")
    same(a, ours.read(tmp_path / "ours.h5"))
    same(a, ours.from_dataset(theirs.data.dataset.load_dataset(str(tmp_path / "ours.h5"))))
    dataset.save(str(tmp_path / "theirs.h5"), file_type="hdf5")
    same(a, ours.read(tmp_path / "theirs.h5"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours.h5", "theirs.h5"]


@pytest.mark.filterwarnings("ignore:invalid value")  # theirs, where a descriptor is of integers
def test_the_measurements_stand_where_rsatoolbox_has_them(theirs):
    """An RDM by rsatoolbox of the Dataset is that of the assembly's rows."""
    from rsatoolbox.rdm.calc import calc_rdm

    a = responses()
    rdms = calc_rdm(ours.to_dataset(a), method="correlation", descriptor="stimulus_id")
    b = ours.from_rdms(rdms, region="IT")
    means = np.array([a.values[a["stimulus_id"].values == k].mean(axis=0) for k in "bac"])
    own = 1 - np.corrcoef(means)
    order = [list("bac").index(k) for k in b["stimulus_id_i"].values]
    np.testing.assert_allclose(b.values[0], own[np.ix_(order, order)], atol=1e-12)
    assert b.attrs["distance"] == "correlation"


def test_a_dataset_of_others_names_its_descriptors(theirs, tmp_path, caplog):
    """Descriptors by any name become coordinates; those that are no column are listed."""
    made = theirs.data.dataset.Dataset(
        np.arange(6.0).reshape(3, 2),
        descriptors={"roi": "V4", "session": 7},
        obs_descriptors={"conds": np.array([2, 1, 2]), "xy": np.zeros((3, 2))},
        channel_descriptors={"voxel": ["v1", "v2"]},
    )
    named = {"stimulus_id": "conds", "region": "roi", "neuroid_id": "voxel"}
    made.save(str(tmp_path / "d.h5"))
    for a in (
        ours.from_dataset(made, coordinates=named, stimulus_id=["1", "2"]),
        ours.read(tmp_path / "d.h5", coordinates=named, stimulus_id=["1", "2"], unit="Hz"),
    ):
        assert list(a["stimulus_id"].values) == ["2", "1", "2"]
        assert list(a["repetition"].values) == [0, 0, 1]
        assert list(a["region"].values) == ["V4", "V4"]
        assert list(a["neuroid_id"].values) == ["v1", "v2"]
        assert a.attrs["session"] == 7
    assert a.attrs["unit"] == "Hz"
    assert "no column are left out: ['xy']" in caplog.text
    only = ours.from_dataset(made, coordinates=named, select={"conds": 2})
    np.testing.assert_array_equal(only.values, [[0, 1], [4, 5]])


def test_time_points_need_their_unit(theirs):
    """Points of time become bins half a step around them, once the unit is said."""
    made = theirs.data.dataset.TemporalDataset(
        np.arange(12.0).reshape(2, 2, 3),
        obs_descriptors={"stimulus_id": ["a", "b"]},
        time_descriptors={"time": np.array([0.05, 0.1, 0.15])},
    )
    with pytest.raises(InputError, match=r"time_s = \"time\" \} or \{ time_ms"):
        ours.from_dataset(made, region="V4")
    a = ours.from_dataset(made, region="V4", coordinates={"time_s": "time"})
    np.testing.assert_allclose(a["time_bin_start"].values, [25, 75, 125])
    np.testing.assert_allclose(a["time_bin_end"].values, [75, 125, 175])
    b = ours.from_dataset(made, region="V4", coordinates={"time_s": "time"}, window=(70, 180))
    np.testing.assert_array_equal(b.values, a.values[..., 1:].mean(axis=2))
    made.time_descriptors["time"] = np.array([0.05, 0.1, 0.4])
    with pytest.raises(InputError, match="not in equal steps"):
        ours.from_dataset(made, region="V4", coordinates={"time_s": "time"})


def test_what_a_file_cannot_hold_is_listed(tmp_path):
    """Every field that is lost is named with its reason; only what is agreed to is dropped."""
    a = responses().assign_coords(
        day=("presentation", np.array(["2024-01-01"] * 5, "M8[ns]")),
        who=("neuroid", np.array(["Zoë", "b", "c"], object)),
        mixed=("neuroid", np.array(["a", None, 3], object)),
        session=3,
    )
    a = a.assign_attrs(tags=["x"], more={"a": 1}, w=np.zeros(3))
    with pytest.raises(InputError) as caught:
        ours.write(a, tmp_path / "a.h5")
    lost = ["day (datetime64[ns] values)", "who (text beyond ASCII)", "mixed (NoneType among"]
    lost += ["session (not on one dim)", "tags (a list)", "more (a dict)", "w (a ndarray)"]
    for field in lost:
        assert field in str(caught.value)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"cannot carry: who \(text beyond ASCII\)\. Name"):
        ours.write(a, tmp_path / "a.h5", drop=["day", "mixed", "session", "tags", "more", "w"])
    ours.write(a, tmp_path / "a.h5", drop="all")
    same(responses(), ours.read(tmp_path / "a.h5"))


def squares(subjects=0, regions=("V4", "IT")):
    """RDMs with every kind of field that rsatoolbox holds."""
    shape = (subjects, len(regions), 4, 4) if subjects else (len(regions), 4, 4)
    values = np.random.default_rng(1).random(shape)
    values = values + np.swapaxes(values, -1, -2)
    values[..., range(4), range(4)] = 0
    text = lambda *words: np.array(words, object)  # noqa: E731
    coords = {"region": ("region", text(*regions)), "neuroids": ("region", np.arange(len(regions)))}
    for side in "ij":
        coords[f"stimulus_id_{side}"] = (f"stimulus_{side}", text("d", "a", "c", "b"))
        coords[f"label_{side}"] = (f"stimulus_{side}", np.array([1, 0, 1, 0]))
    if subjects:
        coords["subject"] = ("subject", text(*[f"s{k}" for k in range(subjects)]))
        coords["age"] = ("subject", np.full(subjects, 4.5))
        coords["n"] = (("subject", "region"), np.arange(subjects * len(regions)).reshape(shape[:2]))
    made = xr.DataArray(values, dims=SUBJECT_DIMS if subjects else RDM_DIMS, coords=coords)
    return made.rename("rdm").assign_attrs(distance="euclidean", normalise="zscore", n_stimuli=4)


@pytest.mark.parametrize("subjects", [0, 1, 3])
@pytest.mark.parametrize("regions", [("V4", "IT"), ("IT",)], ids=len)
def test_rdms_come_back_whole(tmp_path, theirs, subjects, regions):
    """Through rsatoolbox's object and its file, by its reader and ours, nothing changes."""
    a = squares(subjects, regions)
    made = ours.to_rdms(a)
    assert made.dissimilarity_measure == "squared euclidean"
    np.testing.assert_allclose(made.get_matrices(), a.values.reshape(-1, 4, 4))
    same(a, ours.from_rdms(made))
    ours.write_rdms(a, tmp_path / "ours.h5")
    same(a, ours.read_rdms(tmp_path / "ours.h5"))
    same(a, ours.from_rdms(theirs.rdm.rdms.load_rdm(str(tmp_path / "ours.h5"))))
    made.save(str(tmp_path / "theirs.h5"))
    same(a, ours.read_rdms(tmp_path / "theirs.h5"))


def test_rdms_of_others_name_their_descriptors(theirs):
    """Descriptors by any name; stimuli in order or by name; regions that repeat are refused."""
    made = theirs.rdm.rdms.RDMs(
        np.arange(12.0).reshape(4, 3),
        dissimilarity_measure="euclidean",
        rdm_descriptors={"roi": ["V4", "IT", "V4", "IT"], "who": ["a", "a", "b", "b"]},
        pattern_descriptors={"conds": ["z.png", "x.png", "y.png"]},
    )
    named = {"region": "roi", "stimulus_id": "conds", "subject": "who"}
    a = ours.from_rdms(made, coordinates=named, stimulus_id=["x", "y", "z"])
    assert a.dims == SUBJECT_DIMS
    assert list(a["stimulus_id_i"].values) == ["z", "x", "y"]
    assert a.isel(subject=1, region=0).values[0, 1] == 6
    assert a.attrs["distance"] == "euclidean (not squared)"
    assert ours.to_rdms(a).dissimilarity_measure == "euclidean"
    for less, message in (
        ({"subject": None}, "4 RDMs, but region are 2; .* one each. Give coordinates = { subject"),
        ({"region": None}, "does not say the region of its 4 RDMs"),
        ({"stimulus_id": None}, "does not name its 3 stimuli, and no ids were given"),
        ({"stimulus_id": "cond"}, "unknown descriptor in the RDMs 'cond'; did you mean 'conds'"),
    ):
        kept = {key: value for key, value in {**named, **less}.items() if value}
        with pytest.raises(InputError, match=message):
            ours.from_rdms(made, coordinates=kept)


def test_rdms_in_any_order_find_their_place(theirs):
    """RDMs of regions and subjects are placed by their descriptors, not by their order."""
    made = theirs.rdm.rdms.RDMs(
        np.repeat(np.arange(4.0)[:, None], 3, axis=1),
        rdm_descriptors={"region": ["V4", "IT", "IT", "V4"], "subject": ["a", "a", "b", "b"]},
        pattern_descriptors={"stimulus_id": ["x", "y", "z"]},
    )
    a = ours.from_rdms(made)
    assert a.values[:, :, 0, 1].tolist() == [[0, 1], [3, 2]]


def test_what_rdms_cannot_hold_is_listed(tmp_path):
    """A diagonal, an asymmetry, and coordinates of one side only are named."""
    a = squares()
    a.values[0, 1, 1], a.values[1, 0, 2] = 1.0, 9.0
    a = a.assign_coords(only=("stimulus_i", np.arange(4))).assign_attrs(dropped=[1])
    with pytest.raises(InputError) as caught:
        ours.write_rdms(a, tmp_path / "a.h5")
    for field in (
        "asymmetry (only pairs",
        "diagonal (only pairs",
        "only (rows and",
        "dropped (a list",
    ):
        assert field in str(caught.value)
    with pytest.raises(InputError, match=r"RDMs are an xarray.DataArray with dims"):
        ours.to_rdms(responses())


@pytest.mark.parametrize("reader", ["read", "read_rdms"])
def test_other_files_are_named(tmp_path, reader):
    """Missing, empty, cut and foreign files, and pickles, are one error; nothing is executed."""
    read = getattr(ours, reader)
    (tmp_path / "p.pkl").write_bytes(pickle.dumps({"measurements": np.zeros((2, 2))}))
    (tmp_path / "e.h5").write_bytes(b"")
    for name in ("p.pkl", "e.h5"):
        with pytest.raises(InputError, match=r"no HDF5 file; pickles are never opened"):
            read(tmp_path / name)
    ours.write(responses(), tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.h5 cannot be read: .* Is it whole"):
        read(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = np.zeros(3)
        file["away"] = h5py.ExternalLink("a.h5", "/measurements")
    with pytest.raises(InputError, match="is a link to elsewhere"):
        read(tmp_path / "other.h5")
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(InputError, match="of rsatoolbox, but 'x'"):
        read(tmp_path / "plain.h5")
    with pytest.raises(InputError, match="there is no file"):
        read(tmp_path / "gone.h5")


def test_a_dataset_is_no_rdm(tmp_path):
    """A file of the other kind says which it is."""
    ours.write(responses(), tmp_path / "a.h5")
    ours.write_rdms(squares(), tmp_path / "b.h5")
    with pytest.raises(InputError, match="holds no dissimilarities of rsatoolbox, but Dataset"):
        ours.read_rdms(tmp_path / "a.h5")
    with pytest.raises(InputError, match="holds no measurements of rsatoolbox, but RDMs"):
        ours.read(tmp_path / "b.h5")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"coordinates": {"stimulus_id": "cond"}}, "unknown descriptor in .* 'cond'"),
        ({"stimulus_id": ["a", "b"]}, "responses to 3 stimuli, but 2 were shown"),
        ({"select": {"colour": 1}}, "unknown coordinate 'colour'"),
        ({"coordinates": {"site": "region"}}, "no channel_descriptor 'region'"),
        ({"coordinates": {"shown": "stimulus_id"}}, "no obs_descriptor 'stimulus_id'"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(tmp_path, extra, message):
    """Descriptors and ids that are not there are each one sentence."""
    ours.write(responses(), tmp_path / "a.h5")
    with pytest.raises(InputError, match=message):
        ours.read(tmp_path / "a.h5", **extra)
