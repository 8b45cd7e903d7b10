"""MAT-files of every version that laboratories send, and damaged ones."""

import contextlib
import itertools
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.data.average import average_repetitions
from neurosage.data.formats.matlab import read, read_variable
from neurosage.data.formats.matlab_files import opened
from neurosage.errors import InputError

IDS = ["img10", "img2", "img1"]
CLASSES = {"f8": "double", "f4": "single", "b1": "logical", "u1": "uint8", "i2": "int16"}


def cell(*items, shape=None):
    """A MATLAB cell array, a row unless shape says otherwise."""
    held = np.empty(len(items), object)
    for k, item in enumerate(items):
        held[k] = item
    return held.reshape(shape or (1, len(items)))


def structs(rows):
    """A 1 × n struct array."""
    held = np.zeros((1, len(rows)), [(name, object) for name in rows[0]])
    for k, row in enumerate(rows):
        for name, value in row.items():
            held[0, k][name] = value
    return held


class MatlabWriter:
    """HDF5 exactly as MATLAB's save -v7.3 lays it out."""

    def __init__(self, path):
        self.file = h5py.File(path, "w", userblock_size=512)
        self.path, self.number = path, 0

    def close(self):
        self.file.close()
        with open(self.path, "r+b") as stream:
            header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  1 00:00:00 2024"
            stream.write(header.ljust(124) + b"\x00\x02IM")

    def _reference(self, value):
        refs = self.file.require_group("#refs#")
        self.number += 1
        name = f"r{self.number}"
        self.put(refs, name, value)
        return refs[name].ref

    def _references(self, values):
        held = np.empty(values.shape, h5py.ref_dtype)
        for place in np.ndindex(values.shape):
            held[place] = self._reference(values[place])
        return held.T

    def put(self, group, name, value):
        if isinstance(value, dict):
            inner = group.create_group(name)
            inner.attrs["MATLAB_class"] = np.bytes_("struct")
            for field, each in value.items():
                self.put(inner, field, each)
            return
        if isinstance(value, str):
            value = np.array([value])
        value = np.asarray(value)
        if value.dtype.names:  # a struct array: each field a dataset of references, without class
            inner = group.create_group(name)
            inner.attrs["MATLAB_class"] = np.bytes_("struct")
            for field in value.dtype.names:
                inner.create_dataset(
                    field, data=self._references(value[field]), dtype=h5py.ref_dtype
                )
            return
        if value.dtype == object:
            self._dataset(group, name, "cell", self._references(value), value.shape, h5py.ref_dtype)
        elif value.dtype.kind == "U":
            rows = np.array([[ord(c) for c in row.ljust(max(map(len, value)))] for row in value])
            made = self._dataset(group, name, "char", rows.T.astype("u2"), rows.shape)
            made.attrs["MATLAB_int_decode"] = np.int32(2)
        else:
            value = np.atleast_2d(value)
            stored = value.astype("u1") if value.dtype == bool else value
            kind = CLASSES[value.dtype.str[1:]]
            made = self._dataset(group, name, kind, stored.T, value.shape)
            if value.dtype == bool:
                made.attrs["MATLAB_int_decode"] = np.int32(1)

    def _dataset(self, group, name, kind, stored, shape, dtype=None):
        if 0 in shape:
            made = group.create_dataset(name, data=np.array(shape, "u8"))
            made.attrs["MATLAB_empty"] = np.int32(1)
        else:
            made = group.create_dataset(name, data=stored, dtype=dtype)
        made.attrs["MATLAB_class"] = np.bytes_(kind)
        return made


def save(path, version, **variables):
    """Write variables as that version of MATLAB would."""
    if version == "7.3":
        writer = MatlabWriter(path)
        for name, value in variables.items():
            writer.put(writer.file, name, value)
        writer.close()
    else:
        scipy.io.savemat(path, variables, do_compression=version == "7", format="5")
    return path


@pytest.fixture(params=["5", "7", "7.3"])
def version(request):
    return request.param


@pytest.mark.parametrize(
    "dims", list(itertools.permutations(["stimulus", "repetition", "neuroid"])), ids=str
)
def test_dims_are_as_size_says(tmp_path, version, dims):
    """Dims named in the order of MATLAB's size() give one assembly in every version."""
    sizes = {"stimulus": 3, "repetition": 2, "neuroid": 4}
    base = np.random.default_rng(0).normal(size=tuple(sizes.values()))
    base[1, 1] = np.nan  # a repetition that was not shown
    turned = base.transpose([list(sizes).index(d) for d in dims])
    path = save(tmp_path / "r.mat", version, rate=turned)
    a = read(path, dims, stimulus_id=IDS, region="V4", unit="Hz")
    assert list(a["stimulus_id"].values) == ["img10", "img10", "img2", "img1", "img1"]
    assert list(a["repetition"].values) == [0, 1, 0, 0, 1]
    np.testing.assert_array_equal(a.values, base.reshape(6, 4)[[0, 1, 2, 4, 5]])
    assert a.attrs == {"unit": "Hz"}


@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "u1", "?"])
def test_every_class_of_numbers_is_kept(tmp_path, version, dtype):
    """A double stays a double even where MATLAB stored bytes; other classes stay theirs."""
    values = np.array([[1, 0], [0, 1], [1, 1]]).astype(dtype)
    a = read(save(tmp_path / "r.mat", version, r=values), stimulus_id=IDS, region="V4")
    assert a.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(a.values, values)


def test_structs_name_everything(tmp_path, version):
    """Nested structs, cellstr, a char matrix, and numbers become coordinates."""
    data = {
        "resp": {"rate": np.arange(12.0).reshape(4, 3), "when": np.arange(3.0)[:, None]},
        "stim": {"names": cell("b.png", "c.png", "a.png", shape=(3, 1))},
    }
    area = np.array(["V4 ", "V4 ", "PIT", "AIT"])
    path = save(tmp_path / "r.mat", version, data=data, area=area)
    a = read(
        path,
        ("neuroid", "stimulus"),
        key="data.resp.rate",
        coordinates={"stimulus_id": "data.stim.names", "region": "area", "when": "data.resp.when"},
        stimulus_id=["a", "b", "c"],
    )
    assert list(a["stimulus_id"].values) == ["b", "c", "a"]
    assert list(a["region"].values) == ["V4", "V4", "PIT", "AIT"]
    assert list(a["neuroid_id"].values) == ["V4.0", "V4.1", "PIT.0", "AIT.0"]
    assert a["when"].dims == ("presentation",)
    np.testing.assert_array_equal(a.values, np.arange(12.0).reshape(4, 3).T)


def test_trials_with_numbered_stimuli(tmp_path, version):
    """A list of trials with numbers for stimuli: numbers are names, repeats are counted."""
    path = save(
        tmp_path / "r.mat",
        version,
        r=np.arange(10.0).reshape(5, 2),
        stim=np.array([[3, 1, 3, 2, 1.0]]),
    )
    named = {"stimulus_id": "stim"}
    a = read(path, ("presentation", "neuroid"), key="r", coordinates=named, region="IT")
    assert list(a["stimulus_id"].values) == ["3", "1", "3", "2", "1"]
    assert list(a["repetition"].values) == [0, 0, 1, 0, 1]
    only = read(
        path,
        ("presentation", "neuroid"),
        key="r",
        coordinates=named,
        region="IT",
        select={"stim": [1, 3]},
        stimulus_id=["1", "3"],
    )
    assert list(only["stimulus_id"].values) == ["3", "1", "3", "1"]
    with pytest.raises(InputError, match="give a table of stimuli whose stimulus_id are the num"):
        read(
            path,
            ("presentation", "neuroid"),
            key="r",
            coordinates=named,
            region="IT",
            stimulus_id=IDS,
        )


def test_a_struct_array_puts_its_dims_first(tmp_path, version):
    """A field of 1 × n structs is n × the field; one of them is named by its index."""
    rows = [{"name": f"n{k}", "rate": np.full((3, 2), float(k)), "area": "V4"} for k in range(4)]
    path = save(tmp_path / "r.mat", version, units=structs(rows))
    a = read(
        path,
        ("neuroid", "stimulus", "repetition"),
        key="units.rate",
        coordinates={"neuroid_id": "units.name", "region": "units.area"},
        stimulus_id=IDS,
    )
    assert list(a["neuroid_id"].values) == ["n0", "n1", "n2", "n3"]
    np.testing.assert_array_equal(a.values, np.tile(np.arange(4.0), (6, 1)))
    assert read_variable(path, "units(3).rate").tolist() == [[2, 2]] * 3
    with pytest.raises(InputError, match=r"index \(9,\) is not within the size \(1, 4\)"):
        read_variable(path, "units(9).rate")
    with pytest.raises(InputError, match=r"names a struct in .*; name one of its fields: "):
        read_variable(path, "units(1)" if version == "7.3" else "units")


def test_cells_of_arrays_are_stacked(tmp_path, version):
    """A cell a neuron, each stimulus × repetition; an empty cell of scalars is missing."""
    path = save(
        tmp_path / "r.mat",
        version,
        r=cell(*(np.full((3, 2), float(k)) for k in range(4))),
        s=cell(1.0, 2.0, np.zeros((0, 0)), 4.0, 5.0, 6.0, shape=(3, 2)),
    )
    a = read(path, ("neuroid", "stimulus", "repetition"), key="r", stimulus_id=IDS, region="V4")
    assert a.shape == (6, 4)
    b = read(path, key="s", stimulus_id=IDS, region="V4")
    np.testing.assert_array_equal(b.values, [[1, 2], [np.nan, 4], [5, 6]])
    assert read_variable(path, "r{2}").tolist() == [[1, 1]] * 3
    assert [read_variable(path, f"s{{{k}}}").tolist() for k in (2, 4)] == [[], [[2]]]
    assert read_variable(path, "s{3, 2}") == 6


@pytest.mark.parametrize(("unit", "factor"), [("s", 1.0), ("ms", 1000.0)])
def test_cells_of_spike_times_are_counted(tmp_path, version, unit, factor):
    """Spikes relative to onset are counted in the window; none is 0, NaN not recorded."""
    times = [[0.08, 0.1, 0.3], [], [0.069, 0.07], [0.1699, 0.17], [np.nan], [0.1]]
    cells = cell(*(np.array([each]) * factor for each in times), shape=(2, 3))
    path = save(tmp_path / "r.mat", version, spikes=cells)
    a = read(
        path,
        ("neuroid", "stimulus"),
        stimulus_id=IDS,
        region="V4",
        window=(70, 170),
        unit=unit,
    )
    np.testing.assert_array_equal(a.values, [[2, 1], [0, np.nan], [1, 1]])
    assert a.attrs["unit"] == "spikes / 100 ms"
    with pytest.raises(InputError, match="say their unit, 's' or 'ms', not 'Hz'"):
        read(path, stimulus_id=IDS, region="V4", window=(70, 170), unit="Hz")
    with pytest.raises(InputError, match=r"give window = \[70, 170\]"):
        read(path, ("neuroid", "stimulus"), stimulus_id=IDS, region="V4")


def test_nested_cells_of_spike_times(tmp_path, version):
    """A cell a neuron that holds a cell a trial is one array of trials."""
    neurons = cell(*(cell(np.array([[0.1] * k]), np.zeros((0, 0))) for k in (1, 2, 3)))
    path = save(tmp_path / "r.mat", version, n=neurons)
    a = read(
        path,
        ("neuroid", "presentation"),
        stimulus_id=["a", "b"],
        region="V4",
        window=(70, 170),
        unit="s",
    )
    np.testing.assert_array_equal(a.values, [[1, 2, 3], [0, 0, 0]])


def test_time_bins_are_averaged_in_the_window(tmp_path, version):
    """Time bins come with their edges in ms; a window averages those within it."""
    values = np.arange(24.0).reshape(2, 3, 4)
    path = save(
        tmp_path / "r.mat",
        version,
        r=values,
        t0=np.arange(4.0) * 50 + 20,
        t1=np.arange(4.0) * 50 + 70,
    )
    dims, named = (
        ("neuroid", "stimulus", "time_bin"),
        {"time_bin_start": "t0", "time_bin_end": "t1"},
    )
    kept = {"key": "r", "coordinates": named, "stimulus_id": IDS, "region": "V4"}
    a = read(path, dims, **kept)
    assert a.shape == (3, 2, 4)
    b = read(path, dims, window=(70, 170), **kept)
    np.testing.assert_array_equal(b.values, values[:, :, 1:3].mean(axis=2).T)
    flat = save(tmp_path / "f.mat", version, r=values[..., 0])
    with pytest.raises(InputError, match="needs time bins or cells of spike times"):
        read(flat, dims[:2], stimulus_id=IDS, region="V4", window=(70, 170))


def test_trailing_dims_that_matlab_drops(tmp_path, version):
    """One repetition is stored as a matrix; its dims may still be named."""
    path = save(tmp_path / "r.mat", version, r=np.ones((2, 3)))
    a = read(path, ("neuroid", "stimulus", "repetition"), stimulus_id=IDS, region="V4")
    assert a.shape == (3, 2)


def test_version_4(tmp_path):
    """MAT-files of the oldest version hold plain matrices."""
    scipy.io.savemat(tmp_path / "r.mat", {"r": np.arange(6.0).reshape(3, 2)}, format="4")
    a = read(tmp_path / "r.mat", stimulus_id=IDS, region="V4")
    np.testing.assert_array_equal(a.values, np.arange(6.0).reshape(3, 2))


def test_sparse_counts(tmp_path):
    """Sparse matrices are filled, in both layouts."""
    dense = np.array([[0, 2.0], [1, 0], [0, 3]])
    sparse = scipy.sparse.csc_matrix(dense)
    scipy.io.savemat(tmp_path / "five.mat", {"r": sparse})
    writer = MatlabWriter(tmp_path / "seven.mat")
    group = writer.file.create_group("r")
    group.attrs["MATLAB_class"], group.attrs["MATLAB_sparse"] = np.bytes_("double"), np.uint64(3)
    for name, each in (("data", sparse.data), ("ir", sparse.indices), ("jc", sparse.indptr)):
        group.create_dataset(name, data=each)
    writer.close()
    for name in ("five.mat", "seven.mat"):
        a = read(tmp_path / name, stimulus_id=IDS, region="V4")
        np.testing.assert_array_equal(a.values, dense)


def test_what_is_no_number_is_named(tmp_path, version):
    """Complex numbers, text, unknown variables and fields are each one sentence."""
    writer_safe = {"word": "fast", "r": np.zeros((3, 2)), "s": {"rate": np.zeros((3, 2))}}
    path = save(tmp_path / "r.mat", version, **writer_safe)
    for key, message in (
        (None, r"holds 3 variables \((r, s, word|word, r, s)\); say which"),
        ("rr", "unknown variable in .* 'rr'; did you mean 'r'"),
        ("s.rates", "unknown field in .* 'rates'; did you mean 'rate'"),
        ("s", "names a struct"),
        ("word", "<U4 values, but responses must be numbers"),
        ("r(1)", "is no cell or struct array to be indexed"),
        ("r..s", "is not understood at ''; write it as in MATLAB"),
    ):
        with pytest.raises(InputError, match=message):
            read(path, key=key, stimulus_id=IDS, region="V4")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"region": None}, "does not say the region of its neuroids"),
        ({"coordinates": {"depth": "d"}}, "depth of .* has 5 values, which fit no dim"),
        ({"coordinates": {"depth": "r"}}, r"a coordinate is one list of numbers or text"),
        ({"stimulus_id": ["a"]}, "has 3 along stimulus, but there are 1 stimulus ids"),
        ({"stimulus_id": None}, "holds no stimulus ids"),
        ({"dims": ("neuroid", "presentation")}, "has 2 along presentation, but there are 3"),
        ({"dims": ("stimulus", "neuroid", "time_bin")}, "no coordinate 'time_bin_start'"),
        ({"dims": ("stimulus", "cell")}, "dims .* are not understood"),
        ({"select": {"depth": 1}}, "unknown coordinate 'depth'"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(tmp_path, version, extra, message):
    """Lengths and names that disagree are refused with what is there."""
    path = save(
        tmp_path / "r.mat", version, r=np.zeros((3, 2)), area=cell("V4", "IT"), d=np.arange(5.0)
    )
    with pytest.raises(InputError, match=message):
        read(path, **{"key": "r", "stimulus_id": IDS, "region": "V4", **extra})


def test_objects_and_foreign_hdf5_are_refused(tmp_path):
    """MATLAB objects, complex numbers and HDF5 of others are refused, with what to save."""
    writer = MatlabWriter(tmp_path / "o.mat")
    made = writer.file.create_dataset("r", data=np.zeros(6, "u4"))
    made.attrs["MATLAB_class"] = np.bytes_("string")
    made.attrs["MATLAB_object_decode"] = np.int32(3)
    writer.file.create_dataset("z", data=np.zeros(2, [("real", "f8"), ("imag", "f8")])).attrs[
        "MATLAB_class"
    ] = np.bytes_("double")
    writer.file.create_dataset("plain", data=np.zeros((2, 3)))
    writer.file["away"] = h5py.ExternalLink("other.h5", "/r")
    writer.close()
    for key, message in (
        ("r", r"MATLAB object \(string\).*cellstr"),
        ("z", "complex numbers"),
        ("plain", "was not written by MATLAB"),
        ("away", "unknown variable .*Choices: plain, r, z"),
    ):
        with pytest.raises(InputError, match=message):
            read(tmp_path / "o.mat", key=key, stimulus_id=IDS, region="V4")


@pytest.mark.parametrize(
    "content", [b"", b"not a mat-file at all" * 9, b"\x80\x04K\x01.", b"PK\x03\x04"]
)
def test_other_files_are_named(tmp_path, content):
    """Empty files, text, pickles and zips are no MAT-files, whatever their name."""
    (tmp_path / "r.mat").write_bytes(content)
    with pytest.raises(InputError, match=r"r\.mat (is empty|is no MAT-file|cannot be read)"):
        read(tmp_path / "r.mat", stimulus_id=IDS, region="V4")
    with pytest.raises(InputError, match="there is no file"):
        read(tmp_path / "gone.mat", stimulus_id=IDS, region="V4")


def _files():
    with tempfile.TemporaryDirectory() as folder:
        rows = {"rate": np.arange(6.0).reshape(3, 2), "names": cell(*IDS)}
        return [
            save(Path(folder, f"{v}.mat"), v, data=rows).read_bytes() for v in ("5", "7", "7.3")
        ]


@settings(max_examples=300, deadline=None)
@given(content=st.sampled_from(_files()), data=st.data())
def test_any_damage_is_read_or_refused(content, data):
    """Whatever bytes are changed or cut, of any version: an assembly, or InputError.

    HDF5 is only cut: its library itself may end the process where bytes were changed.
    """
    damaged = bytearray(content)
    changes = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    most = 0 if content[512:516] == b"\x89HDF" else 4
    for place, value in data.draw(st.lists(changes, min_size=0, max_size=most)):
        damaged[place] = value
    length = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "r.mat")
        path.write_bytes(damaged[:length])
        with contextlib.suppress(InputError):
            read(path, key="data.rate", coordinates={"stimulus_id": "data.names"}, region="V4")


def _shipped():
    return sorted(Path(scipy.io.__file__).parent.glob("matlab/tests/data/*.mat"))


@pytest.mark.skipif(not _shipped(), reason="this scipy ships no MAT-files")
@pytest.mark.filterwarnings("ignore")  # of scipy's, about what its own tests are for
def test_files_of_matlab_are_sound():
    """Files that MATLAB 4 to 8 wrote on several machines are not taken for damaged ones."""
    seen = 0
    for path in _shipped():
        try:
            held = scipy.io.loadmat(path, mat_dtype=True)
        except Exception:  # kept there because it is damaged
            with contextlib.suppress(InputError), opened(path) as source:
                assert source.names() is not None
            continue
        with opened(path) as source:
            for name in source.names():
                with contextlib.suppress(InputError):  # objects, functions, structs
                    assert source.value(source.top(name)).shape == held[name].shape
                    seen += 1
    assert seen > 50


@pytest.mark.parametrize("family", [0, 18, 255])
def test_an_unknown_class_does_not_reach_scipy(tmp_path, family):
    """A class or type that is none would end the process in scipy; it is an error here."""
    content = bytearray(save(tmp_path / "r.mat", "5", r=np.arange(3.0)).read_bytes())
    content[144] = family
    (tmp_path / "r.mat").write_bytes(content)
    with pytest.raises(InputError, match=f"damaged: an array has the class {family}"):
        read(tmp_path / "r.mat", stimulus_id=IDS, region="V4")
    content[144], content[176] = 6, 200
    (tmp_path / "r.mat").write_bytes(content)
    with pytest.raises(InputError, match="damaged: numbers or text have the type 200"):
        read(tmp_path / "r.mat", stimulus_id=IDS, region="V4")


@pytest.mark.realdata
def test_real_structs(mirror):
    """Published MAT-files: struct arrays of RDMs, labels and images."""
    folder = mirror / "monkey_it_92"
    file = folder / "Kriegeskorte_Neuron2008_supplementalData.mat"
    monkey = read_variable(file, "RDMs_mIT_hIT_fig1(1).RDM")
    human = read_variable(file, "RDMs_mIT_hIT_fig1(2).RDM")
    assert monkey.shape == (1, 4186)
    assert np.corrcoef(monkey, human)[0, 1] == pytest.approx(0.491, abs=5e-4)
    assert read_variable(file, "stimuli_92objs.category").ravel()[0] == "human bodypart"
    assert read_variable(file, "stimuli_92objs(92).image").shape == (175, 175, 3)
    assert read_variable(folder / "92_brainRDMs.mat", "RDMs.RDM").shape == (4, 2, 92, 92)
    name = read_variable(folder / "92_brainRDMs.mat", "RDMs(1, 1, 2).name")
    assert name.tolist() == ["hIT | BE | Session: 2"]


@pytest.mark.realdata
def test_real_recording_through_matlab(mirror, tmp_path, version):
    """A real recording sent through a MAT-file is the recording."""
    raw = np.load(mirror / "macaque_v4" / "responses_raw_210325.npy")[:, :40]
    path = save(tmp_path / "r.mat", version, r=raw)
    dims = ("neuroid", "stimulus", "repetition")
    a = read(path, dims, stimulus_id=[f"i{k}" for k in range(40)], region="V4")
    np.testing.assert_allclose(average_repetitions(a).values, np.nanmean(raw, axis=2).T)
