"""RDMs in netCDF: what is written is read; what is no such file is named."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from neurosage.data.formats.netcdf import read_rdms, write_rdms
from neurosage.data.hashes import hash_dataarray
from neurosage.data.teacher import RDM_DIMS, SUBJECT_DIMS
from neurosage.errors import InputError


def rdms(subjects=0, **coords):
    square = np.random.default_rng(0).random((2, 3, 3))
    values = np.stack([square + k for k in range(subjects)]) if subjects else square
    ids = np.array(["a", "é b", "10"], object)
    held = {
        "region": ("region", np.array(["V4", "IT"], object)),
        "stimulus_id_i": ("stimulus_i", ids),
        "stimulus_id_j": ("stimulus_j", ids),
        "voxels": ("region", [316, 20]),
        **({"subject": ("subject", np.array(["1", "2"], object))} if subjects else {}),
        **coords,
    }
    attrs = {"distance": "correlation", "n_stimuli": 3, "gain": 0.5, "dropped": "{}"}
    return xr.DataArray(
        values, dims=SUBJECT_DIMS if subjects else RDM_DIMS, coords=held, attrs=attrs
    )


@pytest.mark.parametrize(
    "made",
    [
        rdms(),
        rdms(2),
        rdms().astype(np.float32),
        rdms(2, age=("subject", [31.5, np.nan])),
        rdms(seen=("stimulus_i", np.array([True, False, True]))),
        rdms(note="one for all"),
        rdms().where(rdms() > 0.5),
    ],
    ids=["plain", "subjects", "float32", "NaN beside", "booleans", "scalar", "NaN"],
)
def test_every_field_comes_back(tmp_path, made):
    """Values, type, dims, coordinates and attributes."""
    write_rdms(made, tmp_path / "r.nc")
    again = read_rdms(tmp_path / "r.nc")
    assert hash_dataarray(again) == hash_dataarray(made)
    assert again.attrs == made.attrs
    assert again.dims == made.dims
    assert [path.name for path in tmp_path.iterdir()] == ["r.nc"]


def test_what_cannot_be_held_is_listed(tmp_path):
    """Every field that netCDF would change is named at once, and nothing is written."""
    odd = rdms(mixed=("region", np.array(["a", 1], object))).assign_attrs(good=True, when=None)
    with pytest.raises(InputError, match=r"attribute 'good', attribute 'when', coordinate 'mixed'"):
        write_rdms(odd, tmp_path / "r.nc")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong", [rdms().isel(region=0), "rdms", rdms().T], ids=["2-D", "text", "T"]
)
def test_other_dims_are_refused(tmp_path, wrong):
    """Only RDMs are written."""
    with pytest.raises(InputError, match="RDMs have dims"):
        write_rdms(wrong, tmp_path / "r.nc")


def test_a_file_of_one_rdm_needs_names(tmp_path):
    """One matrix, without region or ids, is read once the card gives them."""
    bare = xr.DataArray(rdms().values[0], dims=("stimulus_i", "stimulus_j"), name="d")
    bare.to_netcdf(tmp_path / "r.nc")
    with pytest.raises(InputError, match="does not say the regions of its 1 RDMs"):
        read_rdms(tmp_path / "r.nc")
    with pytest.raises(InputError, match=r"does not name its 3 stimuli .*, and 2 ids were given"):
        read_rdms(tmp_path / "r.nc", region="IT", stimulus_id=["a", "b"])
    found = read_rdms(tmp_path / "r.nc", region="IT", stimulus_id=["a", "b", "c"])
    assert found.dims == RDM_DIMS
    assert list(found["stimulus_id_j"].values) == ["a", "b", "c"]


def test_names_of_others_are_translated(tmp_path):
    """Dims and coordinates may be called otherwise in the file."""
    theirs = rdms().rename(region="area", stimulus_i="row", stimulus_j="column")
    theirs.to_netcdf(tmp_path / "r.nc")
    ours = {"region": "area", "stimulus_i": "row", "stimulus_j": "column"}
    assert read_rdms(tmp_path / "r.nc", coordinates=ours).equals(rdms())
    with pytest.raises(
        InputError, match=r"unknown coordinate in r\.nc 'aera'; did you mean 'area'"
    ):
        read_rdms(tmp_path / "r.nc", coordinates={"region": "aera"})


def test_several_variables_need_a_key(tmp_path):
    """Where two fit, one must be named; where none fits, what there is is said."""
    xr.Dataset({"a": rdms(), "b": rdms() + 1}).to_netcdf(tmp_path / "r.nc")
    with pytest.raises(InputError, match=r"has 2 variables with the dims of RDMs"):
        read_rdms(tmp_path / "r.nc")
    assert read_rdms(tmp_path / "r.nc", key="b").equals(rdms() + 1)
    with pytest.raises(InputError, match=r"unknown variable of RDMs in r\.nc 'c'"):
        read_rdms(tmp_path / "r.nc", key="c")


@pytest.mark.parametrize(
    "spoil",
    [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"PK\x03\x04", lambda b: b"\x80\x04."],
    ids=["cut short", "empty", "zip", "pickle"],
)
def test_damaged_files_are_one_error(tmp_path, spoil):
    """The file is named, what was expected, and the next step."""
    path = tmp_path / "r.nc"
    write_rdms(rdms(), path)
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=r"r\.nc cannot be read as a netCDF file of RDMs"):
        read_rdms(path)
    with pytest.raises(InputError, match="there is no file"):
        read_rdms(tmp_path / "none.nc")
