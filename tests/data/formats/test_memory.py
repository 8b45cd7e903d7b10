"""Small files that promise large arrays are refused before they are read."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from neurosage.data.formats import matlab, rsatoolbox
from neurosage.errors import InputError

HUGE = {"shape": (10**6, 10**6), "dtype": "f8", "chunks": (1000, 1000), "compression": "gzip"}


def test_a_file_of_rsatoolbox(tmp_path):
    """8 TB of nothing, in a few kB."""
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("measurements", **HUGE)
    with pytest.raises(InputError, match=r"b\.h5 takes 8000\.0 GB"):
        rsatoolbox.read(tmp_path / "b.h5", region="V4")


def test_a_file_of_matlab(tmp_path):
    """A variable of version 7.3, and a sparse one."""
    with h5py.File(tmp_path / "b.mat", "w", userblock_size=512) as file:
        file.create_dataset("r", **HUGE).attrs["MATLAB_class"] = np.bytes_("double")
        group = file.create_group("s")
        group.attrs["MATLAB_sparse"] = np.uint64(10**9)
        group.attrs["MATLAB_class"] = np.bytes_("double")
        group["jc"] = np.zeros(10**5, np.uint64)
    for key in "rs":
        with pytest.raises(InputError, match="GB of memory are free"):
            matlab.read(tmp_path / "b.mat", key=key, region="V4", stimulus_id=["a"])
