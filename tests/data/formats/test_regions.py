"""A region given in two places: one rule for every format."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.io

from neurosage.data.assembly import assembly
from neurosage.data.formats import arrays, brainio, matlab, rsatoolbox

FILES = {"npz": arrays, "nc": brainio, "mat": matlab, "h5": rsatoolbox}


def made(folder, kind):
    """A file that says the regions V4 and IT, and how it is read."""
    a = assembly([[1.0, 2.0], [3.0, 4.0]], stimulus_id=["a", "b"], region=["V4", "IT"])
    path, keys = folder / f"r.{kind}", {}
    if kind == "mat":
        areas = np.array(["V4", "IT"], object)
        scipy.io.savemat(
            path, {"r": a.values, "area": areas, "names": np.array(["a", "b"], object)}
        )
        keys = {"key": "r", "coordinates": {"region": "area", "stimulus_id": "names"}}
    elif kind == "nc":
        brainio.write(a, path, identifier="x")
    else:
        FILES[kind].write(a, path)
    return path, keys


@pytest.mark.parametrize("kind", FILES)
def test_the_region_given_wins(tmp_path, kind):
    """Where the file's differs it is kept as region_as_stored."""
    path, keys = made(tmp_path, kind)
    a = FILES[kind].read(path, region="cortex", **keys)
    assert list(a["region"].values) == ["cortex", "cortex"]
    assert list(a["region_as_stored"].values) == ["V4", "IT"]


@pytest.mark.parametrize("kind", ["nc", "mat", "h5"])
def test_select_of_neuroids_does_not_excuse_stimuli(tmp_path, kind):
    """A stimulus without response is refused where no presentation was left out."""
    path, keys = made(tmp_path, kind)
    keys["stimulus_id"] = ["a", "b", "c"]
    with pytest.raises(Exception, match="3 were shown: 1 have none"):
        FILES[kind].read(path, select={"region": "V4"}, **keys)
    a = FILES[kind].read(path, select={"stimulus_id": "a"}, **keys)
    assert list(a["stimulus_id"].values) == ["a"]
