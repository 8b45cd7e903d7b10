"""Arrays are written whole: an npz carries all, a csv and an npy say what they cannot."""

from __future__ import annotations

import contextlib
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosage as ns
from neurosage.data.formats import arrays_npz, memory
from neurosage.data.formats.arrays import read, write
from neurosage.errors import InputError

TEXT = st.text(max_size=6)  # without surrogates, with NUL and line ends
IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)


def objects(values):
    return np.array([*values, None], object)[:-1]


@pytest.fixture
def recorded():
    """Time bins, NaN, coordinates and attributes of each type."""
    values = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    values[1, 2] = np.nan
    made = ns.assembly(
        values,
        ("presentation", "neuroid", "time_bin"),
        stimulus_id=["b", "a", "b", "ü"],
        region=["V4", "IT", "V4"],
        time_bin_start=[70, 120],
        time_bin_end=[120, 170],
        name="lab.it",
        depth=("neuroid", np.array([0.5, np.nan, 2])),
        when=("presentation", np.array(["2020-01-01", "NaT"] * 2, "M8[ns]")),
        fixed=("presentation", np.array(["x", "yy", "", "z"])),
        mixed=("neuroid", objects(["a", None, 1.5])),
        nul=("neuroid", objects(["a\0", "b", "c"])),
        correct=("presentation", np.array([True, False] * 2)),
        rig=7,
    )
    made = made.assign_coords(square=(("presentation", "neuroid"), np.arange(12).reshape(4, 3)))
    made["depth"].attrs["unit"] = "mm"
    nested = {"list": [1, 2.5, None, True], "text": "é\0"}
    return made.assign_attrs(unit="Hz", n=3, nested=nested, array=np.arange(3, dtype="i2"), e=[])


def test_an_npz_gives_all_of_it_back(recorded, tmp_path):
    """Values, dtypes, coordinates of each kind, attributes, name; nothing else is needed."""
    write(recorded, tmp_path / "deep" / "a.npz")
    back = read(tmp_path / "deep" / "a.npz")
    xr.testing.assert_identical(back, recorded)
    for key in recorded.coords:
        assert back[key].dtype == recorded[key].dtype, key
    np.testing.assert_array_equal(back["mixed"].values, recorded["mixed"].values)
    assert repr(back.attrs) == repr(recorded.attrs)
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["a.npz"]
    with np.load(tmp_path / "deep" / "a.npz", allow_pickle=False) as plain:
        assert list(plain["coord.region"]) == ["V4", "IT", "V4"]


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_any_assembly_survives_an_npz(data):
    """Whatever its sizes, dtype, words and attributes."""
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    dtype = data.draw(st.sampled_from(["f2", "f4", "f8", "i8", "u1", "?"]))
    words = st.lists(TEXT, min_size=columns, max_size=columns)
    made = ns.assembly(
        np.arange(rows * columns).reshape(rows, columns).astype(dtype),
        stimulus_id=data.draw(st.lists(TEXT, min_size=rows, max_size=rows)),
        region=objects(data.draw(words)),
        label=("neuroid", objects(data.draw(words))),
        name=data.draw(st.none() | TEXT),
    )
    scalar = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
    attrs = data.draw(st.dictionaries(TEXT, scalar | st.lists(scalar, max_size=3), max_size=3))
    made.attrs = attrs
    with tempfile.TemporaryDirectory() as folder:
        write(made, Path(folder, "a.npz"))
        back = read(Path(folder, "a.npz"))
    assert repr(back.attrs) == repr(attrs)
    back.attrs = made.attrs = {}
    xr.testing.assert_identical(back, made)
    assert back.dtype == made.dtype


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_what_a_csv_carries_survives(data):
    """Any finite float64 to the last bit, NaN, and any ids that a table can hold."""
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    cell = st.floats(allow_infinity=True, allow_nan=True)
    values = data.draw(st.lists(cell, min_size=rows * columns, max_size=rows * columns))
    name = IDS.filter(
        lambda text: text == text.strip() and text not in ("stimulus_id", "repetition")
    )
    made = ns.assembly(
        np.reshape(values, (rows, columns)),
        stimulus_id=data.draw(st.lists(IDS, min_size=rows, max_size=rows)),
        region="V4",
        neuroid_id=objects(
            data.draw(st.lists(name, min_size=columns, max_size=columns, unique=True))
        ),
        repetition=data.draw(st.lists(st.integers(0, 99), min_size=rows, max_size=rows)),
    )
    with tempfile.TemporaryDirectory() as folder:
        write(made, Path(folder, "a.csv"), drop=["region"])
        back = read(Path(folder, "a.csv"), region="V4")
    xr.testing.assert_identical(back, made)


def test_what_a_format_cannot_carry_is_listed(recorded, tmp_path):
    """Every such field at once, and what would carry it; nothing is written."""
    flat = recorded.isel(time_bin=0, drop=True)
    with pytest.raises(InputError, match=r"a csv cannot carry: .*; an \.npz carries all") as caught:
        write(flat, tmp_path / "a.csv")
    lost = {*flat.coords, *flat.attrs, "name"} - {"stimulus_id", "repetition", "neuroid_id"}
    assert all(f"{name} (" in str(caught.value) for name in lost)
    assert not any(f"{name} (" in str(caught.value) for name in ("stimulus_id", "neuroid_id"))
    with pytest.raises(InputError, match=r"an .npy cannot carry: .*stimulus_id \(a coordinate\)"):
        write(recorded, tmp_path / "a.npy")
    odd = recorded.assign_attrs(call=print, when=np.datetime64("2020"), pair=(1, 2))
    odd = odd.assign_coords(things=("neuroid", objects([{1}, 2, 3])))
    with pytest.raises(InputError, match=r"an .npz cannot carry: things .*call .*when .*pair"):
        write(odd, tmp_path / "a.npz")
    with pytest.raises(InputError, match="so no time bins: average them first"):
        write(recorded, tmp_path / "a.csv", drop="all")
    assert not list(tmp_path.iterdir())


def test_what_is_dropped_by_name_is_gone(recorded, tmp_path):
    """Named or all: the rest is written, and read with what is then needed."""
    flat = recorded.isel(time_bin=1, drop=True)
    write(flat, tmp_path / "a.csv", drop="all")
    a = read(tmp_path / "a.csv", region="cortex", unit="Hz")
    np.testing.assert_array_equal(a.values, flat.values.astype(float))
    assert list(a["repetition"].values) == [0, 0, 1, 0]
    write(recorded, tmp_path / "a.npy", drop=["all"])
    dims = ("presentation", "neuroid", "time_bin")
    edges = {"time_bin_start": [70, 120], "time_bin_end": [120, 170]}
    b = read(tmp_path / "a.npy", dims, stimulus_id=["b", "a", "b", "ü"], region="V4", **edges)
    np.testing.assert_array_equal(b.values, recorded.values)
    odd = recorded.assign_attrs(call=print)
    write(odd, tmp_path / "a.npz", drop=["call"])
    xr.testing.assert_identical(read(tmp_path / "a.npz"), recorded)
    same_name = recorded.assign_attrs(depth=print)  # of a coordinate, which stays
    write(same_name, tmp_path / "a.npz", drop=["depth"])
    xr.testing.assert_identical(read(tmp_path / "a.npz"), recorded)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"neuroid_id": ("neuroid", objects(["a", "b ", "c"]))},
            "names stimuli and neuroids by text that a table can",
        ),
        ({"neuroid_id": ("neuroid", objects(["a", "repetition", "c"]))}, "text that a table can"),
        ({"neuroid_id": ("neuroid", [1, 2, 3])}, "text that a table can"),
        ({"stimulus_id": ("presentation", [1, 2, 3, 4])}, "text that a table can"),
        ({"stimulus_id": ("presentation", objects(["a\0", "b", "c", "d"]))}, "text that a table"),
    ],
    ids=["space", "repetition", "numbers", "numbered stimuli", "NUL"],
)
def test_ids_that_a_table_would_change_are_refused(recorded, tmp_path, change, message):
    """A csv gives ids back as they are, or is not written."""
    flat = recorded.isel(time_bin=0, drop=True).assign_coords(change)
    with pytest.raises(InputError, match=message):
        write(flat, tmp_path / "a.csv", drop="all")


def test_stimuli_and_regions_given_are_held_against_the_npz(recorded, tmp_path):
    """An npz that holds an assembly is still checked against its card."""
    path = tmp_path / "a.npz"
    write(recorded, path)
    a = read(path, stimulus_id=["ü", "a", "b"], region="cortex", unit="mV")
    assert set(a["region"].values) == {"cortex"}
    assert list(a["region_as_stored"].values) == ["V4", "IT", "V4"]
    assert a.attrs["unit"] == "mV"
    b = read(path, coordinates={"region": "nul"})
    assert list(b["region"].values) == ["a\0", "b", "c"]
    for keys, message in (
        ({"stimulus_id": ["a", "b"]}, "1 were not shown"),
        ({"region": ["a", "b"]}, r"region has shape \(2,\), but .* has 3 neuroids"),
        ({"dims": ("neuroid", "presentation")}, "leave dims out"),
        ({"coordinates": {"region": "area"}}, r"unknown coordinate of a\.npz 'area'"),
        ({"key": "value"}, r"unknown array in a\.npz 'value'.*'values'"),
    ):
        with pytest.raises(InputError, match=message):
            read(path, **keys)


def test_an_npz_of_several_arrays_gives_its_columns(tmp_path):
    """What a lab saved beside the responses is named by coordinates."""
    np.savez(tmp_path / "a.npz", r=np.ones((2, 3)), ids=[11, 12], areas=["V4", "V4", "IT"])
    names = {"stimulus_id": "ids", "region": "areas"}
    a = read(tmp_path / "a.npz", coordinates=names)
    assert list(a["stimulus_id"].values) == ["11", "12"]
    assert list(a["region"].values) == ["V4", "V4", "IT"]
    with pytest.raises(InputError, match=r"unknown array in a\.npz 'area'.*did you mean 'areas'"):
        read(tmp_path / "a.npz", coordinates={**names, "region": "area"}, key="r")


def test_a_csv_gives_columns_of_presentations(tmp_path):
    """Repetition, and whatever coordinates name; the others are neuroids."""
    path = tmp_path / "r.csv"
    path.write_text("day,image,n1,n2,repetition\nmon,a,1,2,3\ntue,NA,,nan,0\n")
    a = read(path, region="V4", coordinates={"stimulus_id": "image", "day": "day"})
    assert list(a["neuroid_id"].values) == ["n1", "n2"]
    assert list(a["stimulus_id"].values) == ["a", "NA"]
    assert list(a["repetition"].values) == [3, 0]
    assert list(a["day"].values) == ["mon", "tue"]
    np.testing.assert_array_equal(a.values, [[1, 2], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("stimulus_id,n\n", "has a header and no row"),
        ("stimulus_id\na\n", "no column of a neuroid"),
        ("stimulus_id,n,n\na,1,2\n", r"columns that repeat: \['n'\]"),
        ("stimulus_id,,n\na,1,2\n", "column 2 .* has no name"),
        ("stimulus_id,n,m\na,1,2\nb,3\n", "row 3 .* has 2 cells, but the first has 3; .*cut off"),
        ("stimulus_id,n\na,1\nb,2,3\n", "row 3 .* has 3 cells"),
        ("stimulus_id,n\na,one\n", "row 2 .* is not all numbers"),
        ("stimulus_id,n\na,1_000\n", "row 2 .* is not all numbers"),
        ("stimulus_id,n,repetition\na,1,x\n", "repetitions in .* are whole numbers"),
        ('stimulus_id,n\n"a,1\n', "not a CSV table"),
        ("1,2\n3\n", "neither a table of numbers"),
    ],
    ids=lambda value: value[-12:],
)
def test_a_wrong_table_names_its_row(tmp_path, text, message):
    """What a spreadsheet or a cut connection does to a table is one error with its place."""
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path / "r.csv", region="V4")
    assert "r.csv" in str(caught.value)


def test_pickles_in_an_npz_are_never_read(tmp_path):
    """Neither responses nor a column of an assembly is unpickled."""
    np.savez(tmp_path / "a.npz", r=np.array([[{}]], object))
    with pytest.raises(InputError, match="without pickle: it holds Python objects"):
        read(tmp_path / "a.npz", stimulus_id=["a"], region="V4")
    made = ns.assembly([[1.0]], stimulus_id=["a"], region="V4")
    write(made, tmp_path / "b.npz")
    with np.load(tmp_path / "b.npz") as held:
        parts = dict(held)
    np.savez(tmp_path / "b.npz", **parts | {"coord.region": np.array([print], object)})
    with pytest.raises(InputError, match=r"b\.npz cannot be read .*it holds Python objects"):
        read(tmp_path / "b.npz")


def test_an_npz_that_unpacks_to_more_than_the_memory_is_refused(tmp_path, monkeypatch):
    """Its size is known before anything is unpacked."""
    np.savez_compressed(tmp_path / "a.npz", r=np.zeros((1000, 1000)))
    assert (tmp_path / "a.npz").stat().st_size < 100_000

    class Little:
        available = 1_000_000

    monkeypatch.setattr("psutil.virtual_memory", Little)
    with pytest.raises(InputError, match=r"a\.npz takes 0\.0 GB, but 0\.0 GB of memory are free"):
        read(tmp_path / "a.npz", stimulus_id=["a"], region="V4")
    assert memory.check_free(10.0, "ten bytes") is None


def _whole_npz() -> bytes:
    made = ns.assembly([[1.0, 2.0]], stimulus_id=["a"], region=["V4", "IT"]).assign_attrs(unit="Hz")
    with tempfile.TemporaryDirectory() as folder:
        write(made, Path(folder, "a.npz"))
        return Path(folder, "a.npz").read_bytes()


@pytest.mark.filterwarnings("ignore")  # numpy's about what it reads nevertheless
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_damage_to_a_whole_npz_is_read_or_refused(data):
    """Whatever bytes are changed or cut: an assembly, or InputError."""
    content = bytearray(_whole_npz())
    changes = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(changes, min_size=1, max_size=4)):
        content[place] = value
    length = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.npz")
        path.write_bytes(content[:length])
        with contextlib.suppress(InputError):
            assert read(path).dims == ("presentation", "neuroid")


@settings(max_examples=150, deadline=None)
@given(
    about=st.text(max_size=40) | st.from_regex(r"\{\"version\": 1(, \"[a-z]+\": [\[\]{}0-9]+)*\}")
)
def test_any_words_about_an_assembly_are_read_or_refused(about):
    """What the file says of itself is JSON, checked, and never run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.npz")
        np.savez(path, values=np.ones((1, 1)), **{arrays_npz.ABOUT: np.array(about)})
        with pytest.raises(InputError, match=r"a\.npz"):
            read(path)


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.sampled_from('stimulus_id,repetition,n1\n\r"0123456789.eE+-_naNA inf\0é;\t'))
    | st.lists(st.lists(TEXT, max_size=3).map(",".join)).map("stimulus_id,n1,n2\n{}".format)
)
def test_any_text_is_a_table_or_refused(text):
    """Whatever stands in a .csv: an assembly, or InputError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "r.csv")
        path.write_text(text, encoding="utf-8", newline="")
        for keys in ({}, {"stimulus_id": ["1"]}):
            with contextlib.suppress(InputError):
                assert read(path, region="V4", **keys).dims == ("presentation", "neuroid")


def test_a_failure_leaves_nothing_behind(recorded, tmp_path, monkeypatch):
    """A disk that is full, or a call cut short: no file, whole or in part."""

    def full(part, *_, **__):
        Path(part).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="No space"):
        write(recorded, tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match=r"unknown format of arrays '\.mat'"):
        write(recorded, tmp_path / "a.mat")


def test_a_zip_of_something_else_is_no_npz(tmp_path):
    """A zip file of images is named as what it is not."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.png", b"x")
    with pytest.raises(InputError, match=r"a\.npz"):
        read(tmp_path / "a.npz", stimulus_id=["a"], region="V4")
