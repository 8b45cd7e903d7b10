"""Hashes follow content and nothing else."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import xarray as xr

from neurosage.data.hashes import hash_array, hash_dataarray, hash_file, hash_parts


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_a_changed_file_has_another_hash(tmp_path, algorithm):
    """The hash is that of the bytes, also after the file has changed."""
    path = tmp_path / "f"
    for content in (b"one", b"three"):
        path.write_bytes(content)
        assert hash_file(path, algorithm) == hashlib.new(algorithm, content).hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        np.array([[1.0], [2.0]]),
        np.array([1.0, 2.0], np.float32),
        np.array([2.0, 1.0]),
        np.array(["1.0", "2.0"], object),
    ],
    ids=["shape", "dtype", "values", "text"],
)
def test_different_arrays_differ(other):
    """Shape, dtype and values all count."""
    assert hash_array(np.array([1.0, 2.0])) != hash_array(other)


def test_layout_in_memory_does_not_count():
    """Byte order and strides do not change an array's hash."""
    a = np.arange(6.0).reshape(2, 3)
    assert hash_array(a) == hash_array(np.asfortranarray(a)) == hash_array(a.astype(">f8"))


def test_texts_are_told_apart():
    """Neighbouring texts never run into each other."""
    assert hash_parts("a", "") != hash_parts("", "a")
    assert hash_array(np.array(["ab", "c"], object)) != hash_array(np.array(["a", "bc"], object))


def test_coordinates_count_but_not_names():
    """An assembly's hash follows values and coordinates, not name and attrs."""
    a = xr.DataArray([1.0], dims="neuroid", coords={"region": ("neuroid", ["V4"])})
    assert hash_dataarray(a) == hash_dataarray(a.rename("x").assign_attrs(seed=1))
    assert hash_dataarray(a) != hash_dataarray(a.assign_coords(region=("neuroid", ["IT"])))
