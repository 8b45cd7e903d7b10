"""Arrays are read by named dims, whatever their order, and never unpickled."""

from __future__ import annotations

import contextlib
import io
import itertools
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.data.average import average_repetitions
from neurosage.data.formats.arrays import read
from neurosage.errors import InputError

IDS = ["img10", "img2", "img1"]


def save(folder, values, name="r.npy"):
    np.save(folder / name, values)
    return folder / name


@pytest.mark.parametrize(
    "dims", list(itertools.permutations(["stimulus", "repetition", "neuroid", "time_bin"])), ids=str
)
def test_order_of_dims_does_not_matter(tmp_path, dims):
    """Any order of dims gives the same assembly."""
    sizes = {"stimulus": 3, "repetition": 2, "neuroid": 4, "time_bin": 5}
    base = np.random.default_rng(0).normal(size=tuple(sizes.values()))
    turned = base.transpose([list(sizes).index(d) for d in dims])
    edges = {"time_bin_start": np.arange(5), "time_bin_end": np.arange(1, 6)}
    a = read(save(tmp_path, turned), dims, stimulus_id=IDS, region="V4", **edges)
    assert list(a["stimulus_id"].values) == [i for i in IDS for _ in range(2)]
    np.testing.assert_array_equal(a.values, base.reshape(6, 4, 5))


def test_nan_padding_is_left_out(tmp_path):
    """Repetitions that no neuroid saw are not presentations; single gaps stay NaN."""
    values = np.arange(24.0).reshape(2, 3, 4)
    values[:, 1, 2:] = np.nan
    values[0, 2, 0] = np.nan
    a = read(
        save(tmp_path, values),
        ("neuroid", "stimulus", "repetition"),
        stimulus_id=IDS,
        region="V4",
        unit="spikes / 100 ms",
    )
    assert list(a["repetition"].values) == [0, 1, 2, 3, 0, 1, 0, 1, 2, 3]
    assert int(np.isnan(a.values).sum()) == 1
    assert a.attrs["unit"] == "spikes / 100 ms"
    np.testing.assert_allclose(average_repetitions(a).values, np.nanmean(values, axis=2).T)


@pytest.mark.parametrize(
    ("shape", "dims", "message"),
    [
        ((2, 3), ("stimulus", "neuroid"), r"has 2 along stimulus, but there are 3 stimulus ids .*"),
        ((3, 2), ("stimulus", "neuron"), "dims .* are not understood"),
        ((3, 2), ("stimulus", "presentation"), "are not understood"),
        ((3, 2), ("stimulus", "neuroid", "repetition"), r"shape \(3, 2\), but its dims are"),
    ],
    ids=["count", "name", "no neuroid", "number of dims"],
)
def test_dims_that_do_not_fit_are_named(tmp_path, shape, dims, message):
    """Shape and dims that disagree are refused with both."""
    with pytest.raises(InputError, match=message):
        read(save(tmp_path, np.zeros(shape)), dims, stimulus_id=IDS, region="V4")


def test_words_are_no_responses(tmp_path):
    """An array of text is refused by its type, before anything is computed."""
    path = tmp_path / "r.npy"
    np.save(path, np.array([["fast", "slow"]]))
    with pytest.raises(InputError, match="<U4 values, but responses must be numbers"):
        read(path, ("neuroid", "stimulus"), stimulus_id=["a", "b"], region="V4")


def test_pickle_is_never_read(tmp_path):
    """An array of objects, which would be unpickled, is refused."""
    path = tmp_path / "r.npy"
    np.save(path, np.array([[{}]], object), allow_pickle=True)
    with pytest.raises(InputError, match="without pickle: it holds Python objects"):
        read(path, stimulus_id=["a"], region="V4")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"not an array"])
def test_a_damaged_file_is_named(tmp_path, content):
    """What is no array is an error with the file's name."""
    (tmp_path / "r.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"r\.npy cannot be read") as caught:
        read(tmp_path / "r.npy", stimulus_id=["a"], region="V4")
    assert "unsafely" not in str(caught.value)


def test_npz_needs_a_key_where_there_are_several(tmp_path):
    """A single array is taken; of several, the one named."""
    np.savez(tmp_path / "one.npz", r=np.zeros((3, 2)))
    assert read(tmp_path / "one.npz", stimulus_id=IDS, region="V4").shape == (3, 2)
    np.savez(tmp_path / "two.npz", r=np.ones((3, 2)), s=np.zeros((3, 2)))
    assert read(tmp_path / "two.npz", stimulus_id=IDS, region="V4", key="r").values.all()
    with pytest.raises(InputError, match=r"unknown array in two\.npz None.* Choices: r, s"):
        read(tmp_path / "two.npz", stimulus_id=IDS, region="V4")


def test_csv_with_ids_is_matched_by_them(tmp_path):
    """A headed table brings ids of stimuli and neuroids; repeats are presentations."""
    path = tmp_path / "r.csv"
    path.write_text("stimulus_id,n1,n2\nimg1,1,2\nimg10,3,4\nimg2,5,6\nimg1,7,8\n")
    a = read(path, stimulus_id=IDS, region="V4")
    assert list(a["neuroid_id"].values) == ["n1", "n2"]
    assert list(a["stimulus_id"].values) == ["img1", "img10", "img2", "img1"]
    assert list(a["repetition"].values) == [0, 0, 0, 1]
    with pytest.raises(InputError, match=r"responses to 3 stimuli, but 2 were shown: 1 have none"):
        read(path, stimulus_id=["img1", "cat"], region="V4")


def test_csv_of_numbers_is_a_plain_array(tmp_path):
    """A table of numbers needs ids from elsewhere; words in it are refused."""
    path = tmp_path / "r.csv"
    path.write_text("1,2\n3,4\n5,6\n")
    assert read(path, stimulus_id=IDS, region="V4").values.sum() == 21
    with pytest.raises(InputError, match="holds no stimulus ids"):
        read(path, region="V4")
    path.write_text("1,2\n3,many\n")
    with pytest.raises(InputError, match="neither a table of numbers"):
        read(path, stimulus_id=["a", "b"], region="V4")


def test_other_files_are_unknown(tmp_path):
    """A format that this is not names those that are."""
    with pytest.raises(InputError, match=r"unknown format of arrays '.mat'.*\.npy"):
        read(tmp_path / "r.mat", stimulus_id=IDS, region="V4")


@pytest.mark.parametrize(
    "content",
    ["stimulus_id,né\na,1\n".encode("latin-1"), b"stimulus_id,n\n\xe9,1\n", b"\xff\xfe1,2\n"],
    ids=["header", "body", "utf-16"],
)
def test_a_table_in_another_encoding_is_named(tmp_path, content):
    """Text that is not UTF-8 is one clear error, wherever in the file it stands."""
    (tmp_path / "r.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"r\.csv is not text in UTF-8"):
        read(tmp_path / "r.csv", stimulus_id=["a"], region="V4")


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    """Tables saved by spreadsheets are read like others."""
    (tmp_path / "r.csv").write_text("stimulus_id,n\na,1\n", encoding="utf-8-sig")
    a = read(tmp_path / "r.csv", region="V4")
    assert list(a["stimulus_id"].values) == ["a"]


def test_a_table_that_is_not_there_is_named(tmp_path):
    """A missing file is the user's error in every format."""
    for name in ("r.csv", "r.npy", "r.npz"):
        with pytest.raises(InputError, match=name):
            read(tmp_path / name, stimulus_id=["a"], region="V4")


def _files():
    array, stream = np.arange(6.0).reshape(3, 2), io.BytesIO()
    np.save(stream, array)
    packed = io.BytesIO()
    np.savez_compressed(packed, r=array)
    headed = b"stimulus_id,n1,n2\nimg10,0,1\nimg2,2,3\nimg1,4,5\n"
    return [(".npy", stream.getvalue()), (".npz", packed.getvalue()),
            (".csv", headed), (".csv", b"0,1\n2,3\n4,5\n")]  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # numpy's and pandas' about what they read nevertheless
@settings(max_examples=200, deadline=None)
@given(file=st.sampled_from(_files()), data=st.data())
def test_any_damage_is_read_or_refused(file, data):
    """Whatever bytes are changed or cut, of any format: an assembly, or InputError."""
    suffix, content = file[0], bytearray(file[1])
    changes = st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(changes, min_size=1, max_size=4)):
        content[place] = value
    length = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"r{suffix}")
        path.write_bytes(content[:length])
        with contextlib.suppress(InputError):
            assert read(path, stimulus_id=IDS, region="V4").dims == ("presentation", "neuroid")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stimulus_id;a;b\nx;1,5;2,5\n", "parted by ';'; save it with commas"),
        ("1,5;2,5\n1,5;2,5\n", "parted by ';'; save it with commas"),
        ('stimulus_id,a\nx,"1,5"\n', "'1,5' has a decimal comma; write 1.5"),
        ("Stimulus_ID,a\nx,1\n", "rename 'Stimulus_ID', capitals count"),
    ],
    ids=["semicolons", "no header", "decimal commas", "capitals"],
)
def test_what_is_wrong_with_a_csv_is_what_is_said(tmp_path, text, message):
    """Semicolons, decimal commas and other spellings of stimulus_id are each named."""
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "r.csv", region="V4", stimulus_id=["x"])


def test_older_tables_say_image_id(tmp_path):
    """A column image_id is that of the stimuli where there is no stimulus_id."""
    (tmp_path / "r.csv").write_text("image_id, n1\ny, 1\nx, 2\n")
    a = read(tmp_path / "r.csv", region="V4", stimulus_id=["x", "y"])
    assert list(a["stimulus_id"].values) == ["y", "x"]
    assert list(a["neuroid_id"].values) == ["n1"]


@pytest.mark.parametrize("name", ["r.npy", "r.npz"])
def test_arrays_that_promise_more_than_there_is(tmp_path, name):
    """A header that says a huge shape is refused before memory is taken."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
    )
    (tmp_path / "r.npy").write_bytes(head.getvalue())
    if name == "r.npz":
        with zipfile.ZipFile(tmp_path / "r.npz", "w") as archive:
            archive.write(tmp_path / "r.npy", "r.npy")
    with pytest.raises(InputError, match="is cut off: it says shape"):
        read(tmp_path / name, region="V4", stimulus_id=["x"])


def test_an_npz_s_own_ids_are_followed(tmp_path):
    """Arrays that bear our names are what they say, whatever the order of the stimuli."""
    names = ["s2", "s0", "s1", "s3"]
    values = np.array([[[int(name[1])] * 2] * 3 for name in names], float)
    held = {"stimulus_id": np.array(names), "neuroid_id": np.array(["n0", "n1", "n2"])}
    np.savez(tmp_path / "r.npz", values=values, **held)
    a = read(
        tmp_path / "r.npz",
        ("stimulus", "neuroid", "repetition"),
        stimulus_id=["s0", "s1", "s2", "s3"],
        region="V4",
    )
    assert a.values[:, 0].tolist() == [float(name[1]) for name in a.stimulus_id.values]
    assert a.neuroid_id.values.tolist() == ["n0", "n1", "n2"]
    with pytest.raises(InputError, match="s9"):
        read(
            tmp_path / "r.npz",
            ("stimulus", "neuroid", "repetition"),
            region="V4",
            stimulus_id=["s0", "s1", "s2", "s9"],
        )
