"""Data sets: what is read, how it is split, what is refused."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurosage.data.registry import load_stimuli
from neurosage.errors import InputError
from neurosage.nas import image_files
from neurosage.nas.class_folders import resize
from neurosage.nas.datasets import DataSpec, load_data, pin_data, stratified_order


def picture(seed: int, size: tuple[int, int] = (8, 8)) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8))


def class_folders(root: Path, classes: str, count: int, first: int = 0) -> Path:
    for c, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for i in range(count):
            picture(first + 100 * c + i).save(root / name / f"{first + i:03d}.png")
    return root


def zipped(folder: Path, target: Path, prefix: str = "") -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*.png"), reverse=True):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return target


def images(*paths: Path, **options: int) -> DataSpec:
    return DataSpec("image-folders", tuple(map(str, paths)), **options)


def test_digits_are_split_without_overlap_and_without_the_teacher_s() -> None:
    """Train and validation are disjoint, together the first 1437: the last 360 are a teacher's."""
    split = load_data(DataSpec("digits"))
    assert (len(split.train), len(split.valid), split.train.shape) == (1078, 359, (3, 16, 16))
    stimuli = load_stimuli("digits")
    expected = sorted(stimuli.image(i).tobytes() for i in range(1437))
    both = np.concatenate([split.train.images, split.valid.images]).transpose(0, 2, 3, 1)
    assert sorted(image.tobytes() for image in both) == expected


def test_labels_stay_with_their_images() -> None:
    """Each image has the label that the stimulus set gives it."""
    stimuli = load_stimuli("digits")
    truth = {stimuli.image(i).tobytes(): stimuli.table["label"][i] for i in range(1437)}
    train = load_data(DataSpec("digits", train=50)).train
    found = [truth[image.tobytes()] for image in train.images.transpose(0, 2, 3, 1)]
    assert found == train.labels.tolist()


def test_a_smaller_train_set_is_part_of_a_larger_and_validation_stays() -> None:
    """P of two searches with other `train` is measured on the same images."""
    small = load_data(DataSpec("digits", train=40, valid=100, seed=3))
    large = load_data(DataSpec("digits", train=80, valid=100, seed=3))
    np.testing.assert_array_equal(small.valid.images, large.valid.images)
    np.testing.assert_array_equal(small.train.images, large.train.images[:40])
    other = load_data(DataSpec("digits", train=40, valid=100, seed=4))
    assert (other.train.images != small.train.images).any()


@pytest.mark.parametrize("n", [10, 25, 60])
def test_every_stretch_holds_each_class_in_its_share(n: int) -> None:
    """The first n of the order hold n · share of each class, to one image."""
    labels = np.repeat(np.arange(4), [100, 50, 30, 20])
    order = stratified_order(labels, 0)
    assert sorted(order) == list(range(200))
    counts = np.bincount(labels[order[:n]], minlength=4)
    assert (np.abs(counts - n * np.array([0.5, 0.25, 0.15, 0.1])) <= 1).all()


def test_sources_are_merged_by_class_name(tmp_path: Path) -> None:
    """Two zips and a folder, with or without a folder around the classes, are one set."""
    a = zipped(class_folders(tmp_path / "a", "xy", 3), tmp_path / "a.zip", "train/")
    b = zipped(class_folders(tmp_path / "b", "yz", 3, first=10), tmp_path / "b.zip")
    c = class_folders(tmp_path / "c", "xz", 3, first=20)
    split = load_data(images(a, b, c, valid=3))
    assert split.classes == ("x", "y", "z")
    assert (len(split.train), len(split.valid)) == (15, 3)
    labels = np.concatenate([split.train.labels, split.valid.labels])
    assert np.bincount(labels).tolist() == [6, 6, 6]


def test_a_folder_and_its_zip_hold_the_same_images(tmp_path: Path) -> None:
    """The order of a zip's members does not matter."""
    folder = class_folders(tmp_path / "a", "xy", 4)
    archive = zipped(folder, tmp_path / "a.zip")
    one, other = (load_data(images(path, valid=2)) for path in (folder, archive))
    np.testing.assert_array_equal(one.train.images, other.train.images)


def test_decoded_images_come_from_the_cache_by_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes elsewhere are not decoded again; other bytes under the name are."""
    monkeypatch.setenv("NEUROSAGE_CACHE", str(tmp_path / "cache"))
    folder = class_folders(tmp_path / "a", "xy", 4)
    archive = zipped(folder, tmp_path / "a.zip")
    first = load_data(images(archive, valid=2))
    moved = archive.rename(tmp_path / "moved.zip")
    with monkeypatch.context() as patch:
        patch.setattr(image_files, "read_source", None)
        again = load_data(images(moved, valid=2))
    np.testing.assert_array_equal(first.train.images, again.train.images)
    picture(999).save(folder / "x" / "new.png")
    zipped(folder, archive)
    assert len(load_data(images(archive, valid=2)).train) == 7


def test_data_that_changed_since_it_was_pinned_is_refused(tmp_path: Path) -> None:
    """A worker never trains on other images than the search process saw."""
    folder = class_folders(tmp_path / "a", "xy", 4, first=31)
    pinned = pin_data(images(folder, valid=2, seed=11))
    picture(998).save(folder / "x" / "new.png")
    with pytest.raises(InputError, match="has changed"):
        load_data(pinned)


def test_images_are_brought_to_one_size(tmp_path: Path) -> None:
    """With a size, images of any shape are scaled and cropped; without, they are refused."""
    folder = class_folders(tmp_path / "a", "xy", 3)
    picture(7, (12, 20)).save(folder / "x" / "wide.png")
    assert load_data(images(folder, valid=1, size=6)).train.shape == (3, 6, 6)
    with pytest.raises(InputError, match=r"differ in size.*set the data's size"):
        load_data(images(folder, valid=1))


def test_resize_keeps_a_uniform_image_uniform() -> None:
    """Scaling invents no contrast."""
    assert (resize(np.full((1, 8, 12, 3), 77, np.uint8), 4) == 77).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda r: r / "nothing", "does not exist"),
        (lambda r: class_folders(r / "both" / "train", "x", 1).parent, None),
        (lambda r: zipped(class_folders(r / "a", "x", 1), r / "a.zip").parent / "a.zip", None),
    ],
    ids=["missing", "one-inside", "zip"],
)
def test_paths_are_looked_at_first(tmp_path: Path, make: object, message: str | None) -> None:
    """A missing path is refused when the data are pinned, before any decoding."""
    path = make(tmp_path)  # type: ignore[operator]
    if message is None:
        assert pin_data(images(path)).content_hash
    else:
        with pytest.raises(InputError, match=message):
            pin_data(images(path))


def test_a_train_and_a_test_set_are_not_merged_unasked(tmp_path: Path) -> None:
    """Class folders in several places of one source are refused, naming the places."""
    class_folders(tmp_path / "all" / "train", "xy", 2)
    class_folders(tmp_path / "all" / "test", "xy", 2, first=50)
    with pytest.raises(InputError, match=r"several places: \['test', 'train'\]"):
        load_data(images(tmp_path / "all"))


def test_a_folder_of_zips_names_them(tmp_path: Path) -> None:
    """The next step is in the message."""
    zipped(class_folders(tmp_path / "a", "x", 1), tmp_path / "set.zip")
    (tmp_path / "only").mkdir()
    (tmp_path / "set.zip").rename(tmp_path / "only" / "set.zip")
    with pytest.raises(InputError, match=r"name those meant, of \['set.zip'\]"):
        load_data(images(tmp_path / "only"))


def test_images_outside_of_class_folders_are_refused(tmp_path: Path) -> None:
    """An image without a class is named."""
    picture(0).save(tmp_path / "stray.png")
    with pytest.raises(InputError, match=r"outside of any class folder.*stray.png"):
        load_data(images(tmp_path))


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    """File and source are in the message."""
    folder = class_folders(tmp_path / "a", "xy", 2)
    (folder / "y" / "broken.png").write_bytes(b"\x89PNG nothing")
    with pytest.raises(InputError, match=r"y/broken.png.*cannot be decoded as an image"):
        load_data(images(folder))


def test_the_same_source_twice_is_refused(tmp_path: Path) -> None:
    """Copies would stand in train and validation at once."""
    folder = class_folders(tmp_path / "a", "xy", 2)
    with pytest.raises(InputError, match="hold the same images"):
        pin_data(images(folder, folder))


def test_too_few_images_are_refused_with_the_counts() -> None:
    """Before training."""
    with pytest.raises(InputError, match="has 1437 images, but 1400 to train on and 100"):
        load_data(DataSpec("digits", train=1400, valid=100))


def test_cifar_100_has_100_classes(tmp_path: Path) -> None:
    """Another set of images under its name is refused."""
    folder = class_folders(tmp_path / "a", "xy", 2)
    with pytest.raises(InputError, match=r"2 classes.*image-folders"):
        load_data(DataSpec("cifar-100", str(folder)))


def test_specs_that_name_nothing_are_refused() -> None:
    """Names, paths and counts."""
    with pytest.raises(InputError, match="did you mean 'cifar-100'"):
        DataSpec("cifar100")
    with pytest.raises(InputError, match="needs a path"):
        DataSpec("cifar-100")
    with pytest.raises(InputError, match="takes no path"):
        DataSpec("digits", "somewhere")
    with pytest.raises(InputError, match="valid = 0"):
        DataSpec("digits", valid=0)


def torchvision_files(folder: Path) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    train = {
        "data": rng.integers(0, 256, (200, 3072), dtype=np.uint8),
        "fine_labels": [i % 100 for i in range(200)],
    }
    (folder / "train").write_bytes(pickle.dumps(train, protocol=2))
    names = {"fine_label_names": [f"class-{i:02d}" for i in range(100)]}
    (folder / "meta").write_bytes(pickle.dumps(names, protocol=2))
    return folder


def test_torchvision_s_own_files_are_read(tmp_path: Path) -> None:
    """The folder or the one above it; channels come first in the file."""
    folder = torchvision_files(tmp_path / "cifar-100-python")
    for path in (folder, tmp_path):
        split = load_data(DataSpec("cifar-100", str(path), valid=100))
        assert (len(split.train), split.classes[3]) == (100, "class-03")
    raw = np.random.default_rng(0).integers(0, 256, (200, 3072), dtype=np.uint8)
    stored = {image.tobytes() for image in raw.reshape(-1, 3, 32, 32)}
    assert all(image.tobytes() in stored for image in split.train.images)


class Trap:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('executed')",))


def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    """Data is never executed."""
    folder = torchvision_files(tmp_path / "cifar-100-python")
    (folder / "train").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match="data is never executed"):
        load_data(DataSpec("cifar-100", str(folder)))


@pytest.mark.parametrize("content", [b"", b"nothing", pickle.dumps({"data": [1]})])
def test_files_that_are_not_torchvision_s_are_refused(tmp_path: Path, content: bytes) -> None:
    """With their folder in the message."""
    folder = torchvision_files(tmp_path / "cifar-100-python")
    (folder / "train").write_bytes(content)
    with pytest.raises(InputError, match="torchvision's CIFAR-100"):
        load_data(DataSpec("cifar-100", str(folder)))


@pytest.mark.realdata
def test_cifar_100_is_read_from_a_zip_of_class_folders(mirror: Path) -> None:
    """2000 train images, 20 of each class, of a zip with 100 of each."""
    path = next(mirror.rglob("cifar100_test.zip"))
    split = load_data(DataSpec("cifar-100", str(path), train=2000, valid=500))
    assert np.bincount(split.train.labels).tolist() == [20] * 100
    assert np.bincount(split.valid.labels).tolist() == [5] * 100
    assert split.classes[0] == "apple"
    assert split.train.shape == (3, 32, 32)


def test_more_validation_than_images_leaves_none_to_train_on() -> None:
    """Nothing is counted below 0."""
    with pytest.raises(InputError, match=r"5000 for validation leave 0 to train on .*data.valid"):
        load_data(DataSpec("digits", valid=5000))
