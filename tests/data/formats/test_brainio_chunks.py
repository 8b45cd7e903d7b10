"""Large chunks are unpacked piece by piece, to the very values that netCDF gives."""

from __future__ import annotations

import zlib

import netCDF4
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.data.formats import brainio, brainio_chunks
from neurosage.data.formats.brainio_chunks import unpack
from neurosage.errors import InputError

DIMS = ("presentation", "neuroid", "time_bin")


def shuffle(values: np.ndarray) -> bytes:
    """As HDF5 does: the first bytes of all values, then the second ones."""
    return values.reshape(-1).view(np.uint8).reshape(values.size, -1).T.tobytes()


@settings(deadline=None)
@given(data=st.data())
def test_any_selection_of_a_chunk_is_that_of_the_whole(data):
    """Shuffled or not, whatever the dtype and the size of the pieces."""
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    dtype = np.dtype(data.draw(st.sampled_from(["f4", "f8", ">f4", "i2", "u1"])))
    values = np.random.default_rng(0).integers(0, 99, shape).astype(dtype)
    shuffled = data.draw(st.booleans())
    content = zlib.compress(shuffle(values) if shuffled else values.tobytes())
    numbers = [st.sets(st.integers(0, n - 1), min_size=1) for n in shape]
    indices = [np.array(sorted(data.draw(each))) for each in numbers]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brainio_chunks, "PIECE", data.draw(st.integers(1, 9)))
        patch.setattr(brainio_chunks, "FEED", data.draw(st.integers(1, 9)))
        found = unpack(content, shape, dtype, indices, shuffled=shuffled)
    np.testing.assert_array_equal(found, values[np.ix_(*indices)])
    with pytest.raises((OSError, zlib.error)):
        unpack(content[:-7], shape, dtype, indices, shuffled=shuffled)


def stored(path, values, *, data="data", **options):
    """A temporal file of those values in chunks of 4 × 3 × 2."""
    with netCDF4.Dataset(path, "w") as file:
        for dim, size in zip(DIMS, values.shape, strict=True):
            file.createDimension(dim, size)
        for name, dim, column in (
            ("stimulus_id", 0, [f"s{i}" for i in range(len(values))]),
            ("region", 1, ["V4", "IT", "V4", "V4", "IT"]),
            ("time_bin_start", 2, range(70, 70 + 10 * values.shape[2], 10)),
            ("time_bin_end", 2, range(80, 80 + 10 * values.shape[2], 10)),
        ):
            kind = str if dim < 2 else "i8"
            entries = np.array([*column], object if dim < 2 else None)
            file.createVariable(name, kind, (DIMS[dim],))[:] = entries
        dtype = options.pop("dtype", values.dtype)
        made = file.createVariable(data, dtype, DIMS, chunksizes=(4, 3, 2), **options)
        made[:8] = values[:8]
    return path


@pytest.mark.parametrize(
    "options",
    [
        {"zlib": True},
        {"zlib": True, "shuffle": False},
        {"zlib": True, "fletcher32": True},
        {"zlib": True, "fill_value": np.nan},
        {"zlib": True, "fill_value": -5.0},
        {"zlib": True, "dtype": ">f8", "endian": "big"},
        {},
    ],
    ids=str,
)
def test_files_are_read_alike_with_and_without(tmp_path, monkeypatch, options):
    """Chunks never written, at the edge, filled: what netCDF says of them holds."""
    values = np.random.default_rng(0).normal(size=(10, 5, 5))
    path = stored(tmp_path / "a.nc", values, **options)
    keys = [{}, {"select": {"region": "V4", "stimulus_id": ["s0", "s5", "s9"]}}]
    keys += [{**key, "window": (80, 110)} for key in keys]
    usual = [brainio.read(path, **key).values for key in keys]
    monkeypatch.setattr(brainio_chunks, "LARGE", 1)
    for key, expected in zip(keys, usual, strict=True):
        np.testing.assert_array_equal(brainio.read(path, **key).values, expected)
    np.testing.assert_array_equal(usual[0][:8], values[:8])


def test_the_large_path_is_the_one_taken(tmp_path, monkeypatch):
    """BrainIO's packing is unpacked here, other packing by netCDF."""
    calls = []
    monkeypatch.setattr(brainio_chunks, "LARGE", 1)
    monkeypatch.setattr(
        brainio_chunks, "unpack", lambda *a, **k: calls.append(a) or unpack(*a, **k)
    )
    values = np.zeros((8, 5, 4))
    for options, number in (({"zlib": True}, 8), ({}, 0), ({"zlib": True, "fletcher32": True}, 0)):
        calls.clear()
        brainio.read(stored(tmp_path / "a.nc", values, **options))
        assert len(calls) == number, options


def test_a_damaged_chunk_is_named(tmp_path, monkeypatch):
    """Bytes that do not unpack are an error with the file's name, on either path."""
    values = np.random.default_rng(0).normal(size=(8, 5, 4))
    path = stored(tmp_path / "a.nc", values, zlib=True)
    content = bytearray(path.read_bytes())
    place = content.rindex(b"\x78\x5e") if b"\x78\x5e" in content else len(content) - 400
    content[place : place + 40] = bytes(40)
    path.write_bytes(content)
    for large in (1, 2**40):
        monkeypatch.setattr(brainio_chunks, "LARGE", large)
        with pytest.raises(InputError, match=r"a\.nc cannot be read"):
            brainio.read(path)
