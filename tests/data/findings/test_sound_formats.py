"""Sound data is found sound, in whatever format its folder holds it."""

from __future__ import annotations

import datetime
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from neurosage.data.assembly import assembly
from neurosage.data.findings.folders import load_and_find

STIMULI, NEUROIDS, REPETITIONS = 30, 12, 3
IDS = [f"im{k:02}" for k in range(STIMULI)]
UNIT = 'unit = "spikes / 100 ms"'


@pytest.fixture
def recorded():
    """Single trials of a dozen tuned neuroids."""
    rng = np.random.default_rng(0)
    rates = 4 * rng.gamma(3.0, 1 / 3, (STIMULI, NEUROIDS))
    made = assembly(
        rng.poisson(np.repeat(rates, REPETITIONS, axis=0)).astype(float),
        stimulus_id=np.repeat(IDS, REPETITIONS),
        region="IT",
    )
    return made.assign_attrs(unit="spikes / 100 ms")


@pytest.fixture
def folder(tmp_path):
    """A folder with images; the file of responses and the card are to be written."""
    rng = np.random.default_rng(1)
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name in IDS:
            stream = io.BytesIO()
            pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(stream, "png")
            archive.writestr(f"{name}.png", stream.getvalue())
    return tmp_path


def cube(recorded):
    """The same responses, stimulus × repetition × neuroid."""
    return recorded.values.reshape(STIMULI, REPETITIONS, NEUROIDS)


def is_sound(folder, responses, kind="recorded", neuroids='neuroids = { region = "IT" }'):
    """Write the card, load, and look for errors and warnings."""
    (folder / "card.toml").write_text(
        f'schema = 1\nid = "lab"\nkind = "{kind}"\nnormalise = "zscore"\n[part.all]\n'
        f'{neuroids}\nimages = {{ file = "images.zip" }}\n'
        f"responses = {{ {responses} }}\n"
    )
    teacher, findings = load_and_find(folder)
    assert teacher is not None, findings
    assert teacher.assembly.sizes["neuroid"] == NEUROIDS
    assert [finding for finding in findings if finding.severity != "note"] == []


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_arrays(folder, recorded, suffix):
    """A cube with ragged repetitions, padded with NaN."""
    values = cube(recorded).transpose(2, 0, 1)
    values[:, 3, 2] = np.nan
    path = folder / f"r.{suffix}"
    np.save(path, values) if suffix == "npy" else np.savez(path, rates=values)
    dims = 'dims = ["neuroid", "stimulus", "repetition"]'
    is_sound(folder, f'file = "{path.name}", {dims}, {UNIT}')


def test_csv(folder, recorded):
    """A table with a header, a row a presentation."""
    lines = ["stimulus_id," + ",".join(f"n{k}" for k in range(NEUROIDS))]
    lines += [f"{name}," + ",".join(map(str, row)) for name, row in
              zip(recorded.stimulus_id.values, recorded.values, strict=True)]  # fmt: skip
    (folder / "r.csv").write_text("\n".join(lines) + "\n")
    is_sound(folder, f'file = "r.csv", {UNIT}')


def test_brainio(folder, recorded):
    """A netCDF file in BrainIO's layout."""
    from neurosage.data.formats import brainio

    brainio.write(recorded, folder / "assy_lab.nc", identifier="lab", drop="all")
    is_sound(folder, f'file = "assy_lab.nc", format = "brainio", {UNIT}')


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_matlab(folder, recorded, version):
    """A MATLAB file, old and new."""
    values = cube(recorded).transpose(2, 0, 1)
    if version == "5":
        from scipy.io import savemat

        savemat(folder / "r.mat", {"rates": values})
    else:
        import h5py

        with h5py.File(folder / "r.mat", "w", userblock_size=512) as file:
            file["rates"] = values.T  # MATLAB writes columns first
            file["rates"].attrs["MATLAB_class"] = np.bytes_("double")
        with (folder / "r.mat").open("r+b") as stream:
            stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    dims = 'dims = ["neuroid", "stimulus", "repetition"]'
    is_sound(folder, f'file = "r.mat", format = "matlab", key = "rates", {dims}, {UNIT}')


def test_nwb(folder, recorded):
    """Spikes counted after each onset."""
    pynwb = pytest.importorskip("pynwb")
    rng = np.random.default_rng(2)
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    nwb = pynwb.NWBFile("made for a test", "id", start)
    onsets = np.arange(len(recorded)) * 0.5
    for column in recorded.values.T:
        times = [t + 0.07 + 0.1 * rng.random(int(n)) for t, n in zip(onsets, column, strict=True)]
        nwb.add_unit(spike_times=np.sort(np.concatenate(times)))
    nwb.add_trial_column("stimulus", "what was shown")
    for onset, name in zip(onsets, recorded.stimulus_id.values, strict=True):
        nwb.add_trial(onset, onset + 0.2, stimulus=name)
    with pynwb.NWBHDF5IO(str(folder / "r.nwb"), "w") as stream:
        stream.write(nwb)
    named = 'coordinates = { stimulus_id = "stimulus" }'
    is_sound(folder, f'file = "r.nwb", format = "nwb", window = [70, 170], {named}')


def test_rsatoolbox(folder, recorded):
    """A Dataset in HDF5."""
    from neurosage.data.formats import rsatoolbox

    rsatoolbox.write(recorded, folder / "r.h5")
    is_sound(folder, 'file = "r.h5", format = "rsatoolbox"', neuroids="")


def test_thingsvision(folder, recorded):
    """A network's features: no unit, no repetitions, units that are often 0."""
    features = np.maximum(cube(recorded).mean(1) - 3, 0)
    np.save(folder / "features.npy", features)
    (folder / "file_names.txt").write_text("".join(f"{name}.png\n" for name in IDS))
    is_sound(folder, 'file = "features.npy", format = "thingsvision"', kind="network")
