"""Feature folders as thingsvision writes them, and damaged ones."""

import pickle

import h5py
import numpy as np
import pytest
import scipy.io
import torch

from neurosage.data.formats.thingsvision import read
from neurosage.errors import InputError

NAMES = ["n01/img10.jpg", "n01/img2.jpg", "n02/img1.jpg"]
IDS = ["img10", "img2", "img1"]
SAVE = {
    "npy": np.save,
    "hdf5": lambda path, x: h5py.File(path, "w").create_dataset("features", data=x).file.close(),
    "mat": lambda path, x: scipy.io.savemat(path, {"features": x}),
    "pt": lambda path, x: torch.save(torch.from_numpy(x), path),
    "txt": np.savetxt,
    "csv": lambda path, x: np.savetxt(path, x, delimiter=","),
}


def name(folder, names=NAMES):
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "file_names.txt").write_text("".join(f"{n}\n" for n in names))
    return folder


@pytest.mark.parametrize("kind", list(SAVE))
def test_every_format_is_one_assembly(tmp_path, kind):
    """Features in any format, their file names beside them, give the same assembly."""
    values = np.random.default_rng(0).normal(size=(3, 4))
    SAVE[kind](name(tmp_path) / f"features.{kind}", values)
    a = read(tmp_path, region="conv1", stimulus_id=sorted(IDS), unit="activation")
    assert list(a["stimulus_id"].values) == IDS
    assert list(a["neuroid_id"].values) == [f"conv1.{k}" for k in range(4)]
    np.testing.assert_allclose(a.values, values)
    assert a.attrs == {"unit": "activation"}
    assert list(read(tmp_path)["stimulus_id"].values) == NAMES


def test_a_variable_a_stimulus(tmp_path):
    """MAT-files with a variable a stimulus are ordered by file_names.txt, not by the file."""
    values = np.arange(12.0).reshape(3, 4)
    rows = {n.removesuffix(".jpg"): row for n, row in zip(NAMES, values, strict=True)}
    scipy.io.savemat(name(tmp_path) / "features.mat", dict(reversed(rows.items())))
    np.testing.assert_array_equal(read(tmp_path, stimulus_id=IDS).values, values)
    name(tmp_path, NAMES[:2])
    with pytest.raises(InputError, match=r"features of \['n02/img1'\], which file_names.txt"):
        read(tmp_path)
    name(tmp_path, [*NAMES, "more.jpg"])
    with pytest.raises(InputError, match=r"features of 3 stimuli, but file_names.txt names 4"):
        read(tmp_path)


@pytest.mark.parametrize(
    "pieces",
    [
        ["features_0-2", "features_2-12", "features_12-13"],
        ["features_01", "features_02", "features_03"],
    ],
    ids=["ranges", "numbers"],
)
def test_pieces_are_joined_in_order(tmp_path, pieces):
    """Pieces are ordered by number, not by name; one that is missing is noticed."""
    values = np.random.default_rng(0).normal(size=(13, 2, 3)).astype("f4")
    names = [f"{k}.png" for k in range(13)]
    for stem, part in zip(pieces, np.split(values, [2, 12]), strict=True):
        np.save(name(tmp_path, names) / f"{stem}.npy", part)
    a = read(tmp_path, region="x")
    np.testing.assert_array_equal(a.values, values.reshape(13, 6))
    assert a.dtype == np.float32
    (tmp_path / f"{pieces[1]}.npy").rename(tmp_path / "kept")
    with pytest.raises(InputError, match="pieces are missing or overlap"):
        read(tmp_path)
    (tmp_path / "kept").rename(tmp_path / f"{pieces[1]}.npy")
    (tmp_path / f"{pieces[0]}.npy").unlink()
    with pytest.raises(InputError, match=r"the pieces before .* are missing"):
        read(tmp_path)


def test_subfolders_are_layers(tmp_path):
    """A subfolder a layer is a region; only those selected are read."""
    name(tmp_path)
    for layer, shape in (("features.0", (3, 2, 2, 2)), ("block/conv2", (3, 5))):
        (tmp_path / layer).mkdir(parents=True)
        np.save(tmp_path / layer / "features.npy", np.ones(shape))
    a = read(tmp_path, stimulus_id=IDS)
    assert a["region"].values.tolist() == ["block/conv2"] * 5 + ["features.0"] * 8
    (tmp_path / "features.0" / "features.npy").write_bytes(b"broken")
    only = read(tmp_path, select={"region": ["block/conv2"]})
    assert only.shape == (3, 5)
    with pytest.raises(InputError, match="cannot be read as features"):
        read(tmp_path)
    with pytest.raises(InputError, match="unknown region 'conv2'"):
        read(tmp_path, select={"region": "conv2"})
    with pytest.raises(InputError, match=r"holds the layers .*leave region = 'V4' out"):
        read(tmp_path, region="V4")


def test_layers_must_agree(tmp_path):
    """Layers with other rows or other names are refused."""
    for layer, rows in (("a", 3), ("b", 2)):
        (tmp_path / layer).mkdir()
        np.save(tmp_path / layer / "features.npy", np.ones((rows, 4)))
    with pytest.raises(InputError, match=r"differ in their number of rows: .*'a': 3, 'b': 2"):
        read(tmp_path, stimulus_id=IDS)
    name(tmp_path / "a"), name(tmp_path / "b", NAMES[:2])
    with pytest.raises(InputError, match="do not name the same stimuli"):
        read(tmp_path)


def test_several_kinds_need_a_key(tmp_path):
    """Train and test features in one folder are told apart by key; twice the same is refused."""
    for stem in ("features_train_0-3", "features_val_0-2"):
        np.save(tmp_path / f"{stem}.npy", np.ones((3 if "train" in stem else 2, 4)))
    with pytest.raises(InputError, match="several kinds of features: features_train, features_val"):
        read(tmp_path, stimulus_id=IDS)
    assert read(tmp_path, key="features_train", stimulus_id=IDS).shape == (3, 4)
    np.savetxt(tmp_path / "features_train.txt", np.ones((3, 4)))
    with pytest.raises(InputError, match="the same features more than once"):
        read(tmp_path, key="features_train", stimulus_id=IDS)


def test_without_names_the_order_must_be_given(tmp_path):
    """Without file_names.txt, ids in order are needed, as many as rows."""
    np.save(tmp_path / "features.npy", np.ones((3, 4)))
    assert list(read(tmp_path / "features.npy", stimulus_id=IDS)["stimulus_id"].values) == IDS
    for ids in (None, IDS[:2]):
        with pytest.raises(
            InputError, match=r"no file_names.txt beside .* 3 rows, and (no|2) stim"
        ):
            read(tmp_path, stimulus_id=ids)


def _cut(path):
    np.save(path, np.ones((3, 4)))
    path.write_bytes(path.read_bytes()[:-40])


BAD = {
    "features.npy": [_cut, lambda p: p.write_bytes(b""), lambda p: p.write_bytes(pickle.dumps([1])),
                     lambda p: np.save(p, np.array([{}], object), allow_pickle=True),
                     lambda p: np.save(p, np.ones(3)), lambda p: np.save(p, np.array([["a"]]))],
    "features.pt": [lambda p: torch.save({"x": 1}, p), lambda p: torch.save(Exception, p),
                    lambda p: p.write_bytes(b"no")],
    "features.txt": [lambda p: p.write_text("1 2\n3\n"), lambda p: p.write_text(""),
                     lambda p: p.write_text("a b\n")],
    "features.hdf5": [lambda p: p.write_bytes(b"\x89HDF"), lambda p: h5py.File(p, "w").close()],
    "features.mat": [lambda p: p.write_bytes(b"no"), lambda p: p.write_bytes(b"")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("file", "make"), [(f, m) for f, each in BAD.items() for m in each], ids=lambda x: str(x)[:12]
)
def test_damaged_features_are_named(tmp_path, file, make):
    """Cut, empty, textual and pickled features are one error each; nothing is executed."""
    make(name(tmp_path) / file)
    with pytest.raises(InputError, match=r"features\.") as caught:
        read(tmp_path)
    assert "allow_pickle" not in str(caught.value)


class Trap:
    """Whose unpickling would leave a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("kind", ["pt", "npy"])
def test_nothing_is_executed(tmp_path, kind):
    """A pickle within features is refused without being opened."""
    trap, file = Trap(tmp_path / "sprung"), name(tmp_path) / f"features.{kind}"
    if kind == "pt":
        torch.save(trap, file)
    else:
        np.save(file, np.array([[trap]], object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot be read as features"):
        read(tmp_path)
    assert not (tmp_path / "sprung").exists()


def test_folders_without_features_are_named(tmp_path):
    """A folder that is not there or holds none says what was expected."""
    with pytest.raises(InputError, match=r"holds no features of thingsvision: files features.npy"):
        read(name(tmp_path))
    with pytest.raises(InputError, match="there is no"):
        read(tmp_path / "gone")
