"""BrainIO files are read as they are, only what is selected, and written in exactly that layout."""

from __future__ import annotations

import itertools
import json
import logging

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import neurosage as ns
from neurosage.data.assembly import assembly as ns_assembly
from neurosage.data.average import average_time
from neurosage.data.formats import brainio, brainio_slabs
from neurosage.data.hashes import hash_dataarray
from neurosage.data.stimuli import StimulusSet
from neurosage.errors import InputError

DIMS = ("presentation", "neuroid", "time_bin")
REGIONS = ["V4", "IT", "IT", "V4", "IT"]


def objects(values):
    return np.array([*values, None], object)[:-1]


@pytest.fixture
def recorded():
    """Six presentations of three stimuli, five neuroids of two regions, four bins."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(6, 5, 4)).astype("float32")
    values[1, 2, 1] = np.nan
    values[2, 0, :] = np.nan
    made = ns.assembly(
        values,
        DIMS,
        stimulus_id=["b", "a", "ü", "b", "a", "ü"],
        region=REGIONS,
        time_bin_start=[70, 80, 90, 100],
        time_bin_end=[80, 90, 100, 110],
        animal=("neuroid", objects("xxyyx")),
        depth=("neuroid", np.array([0.5, np.nan, 1.5, 2, 3])),
        column=("neuroid", np.arange(5, dtype="int16")),
        when=("presentation", np.array(["2020-01-01T10:00:01", "NaT"] * 3, "M8[ns]")),
        correct=("presentation", np.array([True, False] * 3)),
        label=("presentation", objects(["", "né", "猫", "a b", 'q"', "x\n"])),
    )
    made["depth"].attrs["unit"] = "mm"
    return made.assign_attrs(unit="Hz", number=3, rate=0.5, names=["a", "b"], text="é")


def same(a, b):
    """Equal values, dtypes and attributes of each field, missing where missing."""
    assert a.dims == b.dims
    assert a.dtype == b.dtype
    assert set(a.coords) == set(b.coords)
    np.testing.assert_array_equal(a.values, b.values)
    for key in a.coords:
        assert a[key].dims == b[key].dims, key
        assert a[key].dtype == b[key].dtype, key
        assert a[key].attrs == b[key].attrs, key
        np.testing.assert_array_equal(a[key].values, b[key].values, err_msg=key)
    assert hash_dataarray(a) == hash_dataarray(b)


def test_what_is_written_is_read(recorded, tmp_path):
    """Every field comes back: values, coordinates of each type, attributes, identifiers."""
    path = tmp_path / "deep" / "assy_lab_it.nc"
    brainio.write(recorded, path, identifier="lab.it", stimulus_set_identifier="lab.pets")
    back = brainio.read(path)
    same(back, recorded)
    assert back.name == "lab.it"
    assert back.attrs == {**recorded.attrs, "stimulus_set_identifier": "lab.pets"}
    json.dumps(back.attrs)
    brainio.write(back, path, identifier=back.name)  # over itself, from itself
    same(brainio.read(path), recorded)
    assert brainio.read(path).attrs == back.attrs
    assert [p.name for p in path.parent.iterdir()] == ["assy_lab_it.nc"]


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i2", "u1", "bool"])
def test_every_dtype_of_responses_is_kept(tmp_path, dtype):
    """Whole numbers stay whole, and truths truths."""
    values = np.arange(6).reshape(3, 2) % 2
    made = ns.assembly(values.astype(dtype), stimulus_id=list("abc"), region="V4")
    brainio.write(made, tmp_path / "a.nc", identifier="x")
    same(brainio.read(tmp_path / "a.nc"), made)


def test_the_layout_is_brain_scores(recorded, tmp_path):
    """Dims only, flat coordinates, text of variable length, ints, one variable, attributes."""
    path = tmp_path / "a.nc"
    brainio.write(recorded, path, identifier="lab.it", stimulus_set_identifier="lab.pets")
    with netCDF4.Dataset(path) as file:
        assert file.data_model == "NETCDF4"
        assert not file.groups
        assert {k: len(v) for k, v in file.dimensions.items()} == dict(recorded.sizes)
        assert not set(file.variables) & set(file.dimensions)
        assert set(file.variables) == {"data", *recorded.coords}
        for key, coordinate in recorded.coords.items():
            assert file[key].dimensions == coordinate.dims
        for key in ("stimulus_id", "neuroid_id", "region", "animal", "label"):
            assert file[key].dtype is str
        assert {file[key].dtype.kind for key in ("repetition", "column", "time_bin_start")} == {"i"}
        assert file["when"].units.startswith("days since") or " since " in file["when"].units
        data = file["data"]
        assert data.dimensions == DIMS
        assert data.dtype == np.float32
        assert data.filters()["zlib"]
        assert set(data.coordinates.split()) == set(recorded.coords)
        for held in (file, data):
            assert held.identifier == "lab.it"
            assert held.stimulus_set_identifier == "lab.pets"
    with xr.open_dataarray(path) as opened:  # as Brain-Score does
        assert not opened.indexes
        assert set(opened.coords) == set(recorded.coords)


def old_file(path, *, name="__xarray_dataarray_variable__", group=None, dims=DIMS, **more):
    """A file as Brain-Score's older ones: image_id, no identifiers, no region."""
    sizes = {"presentation": 6, "neuroid": 4, "time_bin": 3}
    values = np.arange(72.0).reshape(6, 4, 3)
    columns = {
        "image_id": ("presentation", ["i1", "i2", "i3", "i1", "i2", "i3"]),
        "subregion": ("neuroid", ["pIT", "aIT", "pIT", "V4"]),
        "time_bin_start": ("time_bin", [70, 80, 90]),
        "time_bin_end": ("time_bin", [80, 90, 100]),
    } | more
    with netCDF4.Dataset(path, "w") as root:
        file = root.createGroup(group) if group else root
        for dim in dims:
            file.createDimension(dim, sizes[dim])
        for key, (dim, column) in columns.items():
            kind = str if isinstance(column[0], str) else np.asarray(column).dtype
            made = file.createVariable(key, kind, (dim,) if isinstance(dim, str) else dim)
            made[:] = np.array(column, object) if kind is str else column
        data = file.createVariable(name, "f8", dims)
        data[:] = values.transpose([DIMS.index(dim) for dim in dims])
    return path, values


def test_older_files_are_read(tmp_path):
    """image_id, the older name of the variable, no neuroid_id, no repetition, no identifier."""
    path, values = old_file(tmp_path / "a.nc")
    a = brainio.read(path, coordinates={"region": "subregion"})
    np.testing.assert_array_equal(a.values, values)
    assert list(a["stimulus_id"].values) == ["i1", "i2", "i3"] * 2
    assert list(a["repetition"].values) == [0, 0, 0, 1, 1, 1]
    assert list(a["region"].values) == ["pIT", "aIT", "pIT", "V4"]
    assert list(a["neuroid_id"].values) == ["pIT.0", "aIT.0", "pIT.1", "V4.0"]
    assert a.name is None
    assert a.attrs == {}


@pytest.mark.parametrize("dims", list(itertools.permutations(DIMS)), ids=str)
def test_order_of_dims_does_not_matter(tmp_path, dims):
    """Files hold dims in any order; an assembly in one, averaged or not."""
    path, values = old_file(tmp_path / "a.nc", dims=dims)
    np.testing.assert_array_equal(brainio.read(path, region="IT").values, values)
    averaged = brainio.read(path, region="IT", window=(70, 90))
    np.testing.assert_allclose(averaged.values, values[:, :, :2].mean(2))


def test_groups_are_named_and_read(tmp_path):
    """A further assembly lies in a group; a wrong name lists those there are."""
    path, values = old_file(tmp_path / "a.nc", group="trials/late", name="data")
    assert brainio.groups(path) == ("trials", "trials/late")
    a = brainio.read(path, group="trials/late", region="IT")
    np.testing.assert_array_equal(a.values, values)
    with pytest.raises(InputError, match=r"unknown group of a\.nc 'trails'.*trials/late"):
        brainio.read(path, group="trails", region="IT")
    with pytest.raises(InputError, match=r"holds no responses.*Its groups: trials, trials/late"):
        brainio.read(path, region="IT")


def test_the_files_own_region_is_kept_aside(tmp_path):
    """Ours from another column; what stood under our name is not lost."""
    own = {"region": ("neuroid", ["IT", "IT", "IT", "V4"])}
    path, _ = old_file(tmp_path / "a.nc", **own)
    a = brainio.read(path, coordinates={"region": "subregion"}, select={"region": "pIT"})
    assert list(a["region"].values) == ["pIT", "pIT"]
    assert list(a["region_as_stored"].values) == ["IT", "IT"]
    assert "subregion" not in a.coords
    b = brainio.read(path, region="cortex", select={"region_as_stored": "V4"})
    assert list(b["region"].values) == ["cortex"]
    assert list(b["neuroid_id"].values) == ["cortex.3"]
    brainio.write(a, tmp_path / "b.nc", identifier="x")
    with pytest.raises(InputError, match="both 'region' and 'region_as_stored'"):
        brainio.read(tmp_path / "b.nc", coordinates={"region": "neuroid_id"})


def test_selection_is_by_either_name_and_before_ids_are_made(tmp_path):
    """Ids made are those of the whole file, whatever is selected of it."""
    path, values = old_file(tmp_path / "a.nc")
    keys = {"coordinates": {"region": "subregion"}}
    for key in ("region", "subregion"):
        a = brainio.read(path, select={key: ["V4", "pIT"]}, **keys)
        assert list(a["neuroid_id"].values) == ["pIT.0", "pIT.1", "V4.0"]
        np.testing.assert_array_equal(a.values, values[:, [0, 2, 3]])
    b = brainio.read(path, select={"repetition": 1, "image_id": "i2", "time_bin_end": 90}, **keys)
    assert (b.shape, float(b[0, 0, 0]), int(b["repetition"][0])) == ((1, 4, 1), values[4, 0, 1], 1)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"select": {"region": "V2"}}, r"unknown region 'V2'.*pIT, aIT, V4"),
        ({"select": {"array": 1}}, r"unknown coordinate of a\.nc 'array'"),
        ({"select": {"region": "V4", "neuroid_id": "pIT.0"}}, r"is left along \['neuroid'\]"),
        ({"select": {"region": []}}, r"nothing .* is left along \['neuroid'\]"),
        ({"coordinates": {"region": "area"}}, r"unknown coordinate of a\.nc 'area'.*subregion"),
        ({"coordinates": {"region": "image_id"}}, r"'image_id' has dims .*region is a column on"),
        ({"coordinates": {}}, r"region of its neuroids: .* of neuroids: subregion\."),
        ({"window": (75, 85)}, "no time bin of .* lies within 75 to 85 ms; bins run from 70 to"),
        ({"region": ["a", "b"]}, r"region has shape \(2,\), but .* has 4 neuroids"),
        ({"stimulus_id": ["i1", "i4"]}, "1 have none .*i4"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_wrong_keys_are_named(tmp_path, keys, message):
    """What is asked for and not there is one error, with what there is."""
    path, _ = old_file(tmp_path / "a.nc")
    with pytest.raises(InputError, match=message):
        brainio.read(path, **{"coordinates": {"region": "subregion"}, **keys})


def test_a_window_needs_time_bins(tmp_path):
    """Where responses are not resolved in time, a window is refused, not ignored."""
    made = ns.assembly([[1.0]], stimulus_id=["a"], region="V4")
    brainio.write(made, tmp_path / "a.nc", identifier="x")
    with pytest.raises(InputError, match=r"has no time bins .* leave window out"):
        brainio.read(tmp_path / "a.nc", window=(70, 170))


def test_edges_are_ms(tmp_path):
    """Edges that the file gives in seconds are converted; other units are refused."""
    path, values = old_file(
        tmp_path / "a.nc",
        time_bin_start=("time_bin", [0.07, 0.08, 0.09]),
        time_bin_end=("time_bin", [0.08, 0.09, 0.1]),
    )
    for unit in ("s", "parsec"):
        with netCDF4.Dataset(path, "a") as file:
            file["time_bin_start"].units = file["time_bin_end"].units = unit
        if unit == "s":
            a = brainio.read(path, region="IT", select={"time_bin_start": [80, 90]})
            assert list(a["time_bin_end"].values) == [90, 100]
            assert a["time_bin_end"].attrs == {"units": "ms"}
            b = brainio.read(path, region="IT", window=(70, 90))
            np.testing.assert_allclose(b.values, values[:, :, :2].mean(2))
    with pytest.raises(InputError, match=r"unknown unit of time_bin_start in a\.nc 'parsec'"):
        brainio.read(path, region="IT")


@pytest.mark.parametrize("limit", [1, 200, 2**20])
@pytest.mark.parametrize("layout", ["contiguous", (2, 2, 3), (6, 1, 4), (1, 5, 1), (6, 5, 4)])
def test_slabs_and_chunks_change_nothing(recorded, tmp_path, monkeypatch, limit, layout):
    """Whatever the chunks and the slab, values are those of reading all at once."""
    path = tmp_path / "a.nc"
    brainio.write(recorded, path, identifier="x")
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("data", "whole")
        chunks = {"contiguous": True} if layout == "contiguous" else {"chunksizes": layout}
        file.createVariable("data", "f4", DIMS, **chunks)[:] = recorded.values
    monkeypatch.setattr(brainio_slabs, "LIMIT", limit)
    monkeypatch.setattr(brainio_slabs, "PAGE", limit)
    wanted = {"region": "IT", "correct": True}
    part = ns.select(recorded, **wanted)
    np.testing.assert_array_equal(brainio.read(path, select=wanted).values, part.values)
    averaged = brainio.read(path, select=wanted, window=(70, 100))
    expected = average_time(part, 70, 100)
    np.testing.assert_allclose(averaged.values, expected.values, rtol=1e-5, atol=1e-6)
    assert averaged.dtype == expected.dtype
    assert (averaged.attrs["window_start"], averaged.attrs["window_end"]) == (70, 100)
    assert set(averaged.coords) == set(expected.coords)


def test_what_the_file_marks_as_missing_is_nan(tmp_path):
    """Fill values and scaled whole numbers are read as what they mean, averages too."""
    path, _ = old_file(tmp_path / "a.nc")
    stored = np.arange(72, dtype="i2").reshape(6, 4, 3)
    stored[0, 0, 0] = -1
    with netCDF4.Dataset(path, "a") as file:
        file.renameVariable("__xarray_dataarray_variable__", "old")
        data = file.createVariable("data", "i2", DIMS, fill_value=-1)
        data.set_auto_maskandscale(False)
        data.scale_factor, data.add_offset = 0.5, 10.0
        data[:] = stored
    a = brainio.read(path, region="IT")
    expected = np.where(stored == -1, np.nan, stored * 0.5 + 10)
    np.testing.assert_array_equal(a.values, expected)
    averaged = brainio.read(path, region="IT", window=(70, 90)).values
    np.testing.assert_allclose(averaged, np.nanmean(expected[:, :, :2], axis=2))


def test_index_variables_and_whatever_else_stands_there(tmp_path, caplog):
    """An index variable becomes plain; columns of two dims stay; foreign dims are told of."""
    path, _ = old_file(
        tmp_path / "a.nc",
        neuroid=("neuroid", [3, 4, 5, 6]),
        quality=(("presentation", "neuroid"), np.arange(24).reshape(6, 4)),
    )
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("sample", 9)
        file.createVariable("wave", "f4", ("sample",))
        file.createVariable("rig", "i4", ())[...] = 7
    with caplog.at_level(logging.WARNING, "neurosage"):
        a = brainio.read(path, coordinates={"region": "subregion"}, select={"region": "pIT"})
    assert "wave" in caplog.text
    assert not a.indexes
    assert list(a["neuroid_index"].values) == [3, 5]
    assert int(a["rig"]) == 7
    np.testing.assert_array_equal(a["quality"].values, np.arange(24).reshape(6, 4)[:, [0, 2]])


def test_labels_of_stimuli_are_merged_by_id(tmp_path):
    """Left-merged by stimulus_id; what the file has stays; names on other dims are parted."""
    path, _ = old_file(tmp_path / "a.nc", size=("presentation", [1, 2, 3, 4, 5, 6]))
    table = pd.DataFrame(
        {
            "stimulus_id": ["i2", "i3", "i1"],
            "legs": [2, 3, 1],
            "size": [0] * 3,
            "region": list("xyz"),
        }
    )
    stimuli = StimulusSet("pets", table, np.zeros((3, 2, 2, 3), np.uint8))
    a = brainio.read(path, coordinates={"region": "subregion"}, stimuli=stimuli)
    assert list(a["legs"].values) == [1, 2, 3, 1, 2, 3]
    assert list(a["size"].values) == [1, 2, 3, 4, 5, 6]
    assert list(a["stimulus_region"].values) == list("zxyzxy")
    assert list(a["region"].values) == ["pIT", "aIT", "pIT", "V4"]
    few = brainio.read(path, region="IT", stimuli=stimuli.take(["i1"]))
    np.testing.assert_array_equal(few["legs"].values, [1, np.nan, np.nan] * 2)


def test_numbered_ids_become_text_beside_stimuli(tmp_path):
    """Ids of stimuli are text; a file's numbers are matched as such, and kept without them."""
    path, _ = old_file(tmp_path / "a.nc", image_id=("presentation", [1, 2, 3, 1, 2, 3]))
    a = brainio.read(path, region="IT", stimulus_id=["3", "1", "2"])
    assert list(a["stimulus_id"].values) == ["1", "2", "3"] * 2
    assert brainio.read(path, region="IT")["stimulus_id"].dtype.kind == "i"


def test_what_netcdf_cannot_carry_is_listed(recorded, tmp_path):
    """All such fields at once, nothing written; those named, or all, are left out."""
    odd = recorded.assign_coords(
        scalar=1,
        mixed=("neuroid", objects(["a", None, "b", "c", "d"])),
        square=(("presentation", "neuroid"), np.zeros((6, 5))),
        nul=("neuroid", objects(["a\0", "b", "c", "d", "e"])),
        data=("neuroid", np.arange(5)),
    ).assign_attrs(
        nothing=None, truth=True, table={"a": 1}, one=[1], mixture=[1, "a"], coordinates="x"
    )
    odd.attrs["a/b"] = 1
    odd.attrs["_FillValue"] = 5.0
    bad = ["scalar", "mixed", "square", "nul", "data", "nothing", "truth", "table", "one",
           "mixture", "coordinates", "a/b", "_FillValue"]  # fmt: skip
    path = tmp_path / "a.nc"
    with pytest.raises(InputError, match="cannot carry") as caught:
        brainio.write(odd, path, identifier="x")
    assert all(f"{name} (" in str(caught.value) for name in bad)
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"cannot carry: _FillValue \("):
        brainio.write(odd, path, identifier="x", drop=bad[:-1])
    for drop in (bad, "all", ["all"]):
        brainio.write(odd, path, identifier="x", drop=drop)
        same(brainio.read(path), recorded)
        assert brainio.read(path).attrs == recorded.attrs
    half = recorded.astype("float16")
    with pytest.raises(InputError, match="netCDF holds no float16 values"):
        brainio.write(half, path, identifier="x")


def damaged(tmp_path):
    good, _ = old_file(tmp_path / "good.nc", name="data")
    return good.read_bytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda good: b"", "is no netCDF file .it is empty"),
        (lambda good: b"stimulus_id,n1\na,1\n", "is no netCDF file"),
        (lambda good: b"\x80\x04\x95cos\nsystem\n", "is no netCDF file"),
        (
            lambda good: good[: len(good) // 2],
            "cannot be read as a BrainIO file.*cut off or damaged",
        ),
        (lambda good: good[:20], "cannot be read as a BrainIO file"),
        (lambda good: b"CDF\x01\0\0", "cannot be read as a BrainIO file"),
    ],
    ids=["empty", "csv", "pickle", "half", "start", "netcdf 3"],
)
def test_a_damaged_file_is_named(tmp_path, content, message):
    """One error that names the file and the next step."""
    (tmp_path / "bad.nc").write_bytes(content(damaged(tmp_path)))
    with pytest.raises(InputError, match=rf"bad\.nc {message}"):
        brainio.read(tmp_path / "bad.nc", region="IT")


def test_what_is_not_there_is_named(tmp_path):
    """No file, and a folder, are the user's errors."""
    with pytest.raises(InputError, match=r"there is no file .*a\.nc"):
        brainio.read(tmp_path / "a.nc")
    with pytest.raises(InputError, match="cannot be read"):
        brainio.read(tmp_path)
    (tmp_path / "file").touch()
    made = ns.assembly([[1.0]], stimulus_id=["a"], region="V4")
    with pytest.raises(InputError, match="cannot be written"):
        brainio.write(made, tmp_path / "file" / "a.nc", identifier="x")


def test_a_file_of_something_else_says_what_it_holds(tmp_path):
    """Words, other dims and no presentations are told with what is there."""
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as file:
        file.createDimension("event", 3)
        file.createVariable("data", "f8", ("event",))
    with pytest.raises(InputError, match=r"of presentation × neuroid .* has data \('event',\)"):
        brainio.read(tmp_path / "a.nc")
    with netCDF4.Dataset(tmp_path / "b.nc", "w") as file:
        file.createDimension("presentation", 2)
        file.createDimension("neuroid", None)
        file.createVariable("data", str, ("presentation", "neuroid"))
        file.createVariable("other", "f8", ("presentation", "neuroid"))
    with pytest.raises(InputError, match="values, but responses must be numbers"):
        brainio.read(tmp_path / "b.nc")
    with netCDF4.Dataset(tmp_path / "b.nc", "a") as file:
        file.renameVariable("data", "words")
    with pytest.raises(InputError, match="holds no responses"):
        brainio.read(tmp_path / "b.nc")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((2, 3, 10**13), r"a column of .*vast\.nc takes 640000\.0 GB"),
        ((10**5, 10**5, 10**3), r"selected of .*vast\.nc takes 80000\.0 GB, .* select a region"),
    ],
    ids=["long", "large"],
)
def test_more_than_the_memory_is_refused_before_it_is_read(tmp_path, sizes, message):
    """A small file may claim to be vast: its size is looked at before its values."""
    path = tmp_path / "vast.nc"
    with netCDF4.Dataset(path, "w") as file:
        for dim, size in zip(DIMS, sizes, strict=True):
            file.createDimension(dim, size)
        file.createVariable("data", "f8", DIMS, chunksizes=(1, 1, 1), zlib=True)
        if max(sizes) < 10**6:
            for name, dim in (("stimulus_id", 0), ("time_bin_start", 2), ("time_bin_end", 2)):
                file.createVariable(name, "i4", DIMS[dim], zlib=True)
    with pytest.raises(InputError, match=message):
        brainio.read(path, region="V4")


def test_a_presentation_without_name_is_refused(tmp_path):
    """An empty stimulus_id names nothing; the presentation can be left out."""
    ids = ("presentation", np.array(["a", ""], object))
    a = ns_assembly([[1.0], [2.0]], stimulus_id=["a", "b"], region="V4").assign_coords(
        stimulus_id=ids
    )
    brainio.write(a, tmp_path / "a.nc", identifier="x")
    with pytest.raises(InputError, match=r"1 of 2 presentations .* empty .*presentation 2"):
        brainio.read(tmp_path / "a.nc")
    assert brainio.read(tmp_path / "a.nc", select={"stimulus_id": "a"}).shape == (1, 1)
