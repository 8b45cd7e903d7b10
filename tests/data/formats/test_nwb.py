"""NWB files as pynwb writes them, and damaged ones."""

import datetime
import logging
import sys

import h5py
import numpy as np
import pytest

from neurosage.data.formats.nwb import read
from neurosage.errors import InputError, MissingExtraError

pynwb = pytest.importorskip("pynwb")
SPIKES = [[0.1, 0.15, 1.1, 2.12, 3.1], [2.5, 0.08, 1.16, 1.17, 1.24], [3.12]]  # one unsorted
IMAGES = ["b", "a", "b", "a"]
ONSETS = [0.0, 1.0, 2.0, 3.0]


def make(path, *, electrodes=((0,), (1,), (1,)), trials=True, obs=None, extra=None, spikes=SPIKES):
    """Three units, two electrodes, four trials of two images."""
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    nwb = pynwb.NWBFile("made for a test", "id", start)
    device = nwb.create_device("probe")
    group = nwb.create_electrode_group("g", "a shank", "V4", device)
    nwb.add_electrode_column(name="depth", description="um")
    for location, depth in (("V4", 10.0), ("IT", 20.0)):
        nwb.add_electrode(location=location, group=group, depth=depth)
    nwb.add_unit_column("quality", "of the sorting")
    for k, times in enumerate(spikes):
        more = {"electrodes": list(electrodes[k])} if electrodes is not None else {}
        more |= {"obs_intervals": obs[k]} if obs is not None else {}
        nwb.add_unit(id=10 + k, spike_times=times, quality="good" if k else "mua", **more)
    if trials:
        nwb.add_trial_column("image", "what was shown")
        nwb.add_trial_column("block", "number")
        nwb.add_trial_column("correct", "or not")
        for k, (onset, image) in enumerate(zip(ONSETS, IMAGES, strict=True)):
            nwb.add_trial(onset, onset + 0.2, image=image, block=k // 2, correct=k != 1)
    if extra:
        extra(nwb)
    with pynwb.NWBHDF5IO(str(path), "w") as stream:
        stream.write(nwb)
    return path


NAMED = {"stimulus_id": "image"}


def test_spikes_are_counted_for_each_presentation(tmp_path):
    """Units × trials gives counts, with the electrodes' location as region."""
    a = read(make(tmp_path / "r.nwb"), coordinates=NAMED, window=(70, 170), stimulus_id=["a", "b"])
    assert a.dims == ("presentation", "neuroid")
    np.testing.assert_array_equal(a.values, [[2, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 1]])
    assert list(a["stimulus_id"].values) == IMAGES
    assert list(a["repetition"].values) == [0, 0, 1, 1]
    assert list(a["neuroid_id"].values) == ["10", "11", "12"]
    assert list(a["region"].values) == ["V4", "IT", "IT"]
    assert list(a["onset"].values) == ONSETS
    assert a.attrs == {"unit": "spikes / 100 ms"}


def test_columns_are_named_by_the_card(tmp_path):
    """Any column of presentations, units or electrodes becomes a coordinate."""
    named = {**NAMED, "region": "quality", "depth": "electrodes.depth", "block": "trials.block"}
    a = read(make(tmp_path / "r.nwb"), key="trials", coordinates=named, window=(70, 170))
    assert list(a["region"].values) == ["mua", "good", "good"]
    assert list(a["depth"].values) == [10, 20, 20]
    assert a["block"].dims == ("presentation",)


def test_selection_is_by_our_name_or_the_files(tmp_path):
    """Presentations and units are selected by their columns, text, numbers or bool."""
    kept = {"quality": "good", "correct": True, "stimulus_id": ["b"]}
    a = read(make(tmp_path / "r.nwb"), coordinates=NAMED, window=(70, 170), select=kept)
    np.testing.assert_array_equal(a.values, [[1, 0], [0, 0]])
    with pytest.raises(InputError, match=r"unknown quality in .* 'best'.* Choices: mua, good"):
        read(tmp_path / "r.nwb", coordinates=NAMED, window=(70, 170), select={"quality": "best"})


def test_several_windows_are_time_bins(tmp_path):
    """A list of windows resolves responses in time."""
    a = read(make(tmp_path / "r.nwb"), coordinates=NAMED, window=[(70, 120), (120, 170)])
    assert a.shape == (4, 3, 2)
    assert list(a["time_bin_start"].values) == [70, 120]
    assert a.attrs["unit"] == "spikes / 50 ms"
    assert a.values[0, 0].tolist() == [1, 1]


def test_units_without_electrodes_need_a_region(tmp_path):
    """Without electrodes, the region is said by the card or a column of units."""
    path = make(tmp_path / "r.nwb", electrodes=None)
    with pytest.raises(InputError, match=r"region is unknown: give region, .* one of id, quality"):
        read(path, coordinates=NAMED, window=(70, 170))
    assert set(read(path, coordinates=NAMED, window=(70, 170), region="V4")["region"].values) == {
        "V4"
    }
    both = read(path, coordinates={**NAMED, "region": "quality"}, window=(70, 170), region="V4")
    assert set(both["region"].values) == {"V4"}
    assert "good" in both["region_as_stored"].values


@pytest.mark.parametrize(
    "select", [{"region": "V4"}, {"neuroid_id": "11"}, {"electrodes.location": "V4"}], ids=str
)
def test_select_by_our_names_or_columns(tmp_path, select):
    """The region is the electrodes' location by either name; ids match as text."""
    a = read(make(tmp_path / "r.nwb"), coordinates=NAMED, window=(70, 170), select=select)
    assert set(a["region"].values) == {"V4"} or list(a["neuroid_id"].values) == ["11"]
    assert a.sizes["neuroid"] == 1


def test_select_of_neuroids_does_not_excuse_stimuli(tmp_path):
    """Stimuli may be without a response only where presentations were left out."""
    path = make(tmp_path / "r.nwb")
    stimuli = list(
        dict.fromkeys(read(path, coordinates=NAMED, window=(70, 170)).stimulus_id.values)
    )
    keys = {"coordinates": NAMED, "window": (70, 170), "stimulus_id": [*stimuli, "more"]}
    with pytest.raises(InputError, match="1 have none"):
        read(path, **keys, select={"region": "V4"})
    assert read(path, **keys, select={"image": stimuli[0]}).sizes["presentation"]


def test_a_unit_on_several_electrodes(tmp_path):
    """Electrodes of one unit that agree are one; those that differ are named."""
    path = make(tmp_path / "r.nwb", electrodes=((0, 0), (1,), (0, 1)))
    with pytest.raises(InputError, match="electrodes of unit 12 differ in 'location': V4, IT"):
        read(path, coordinates=NAMED, window=(70, 170))
    a = read(path, coordinates={**NAMED, "region": "quality"}, window=(70, 170))
    assert a.sizes["neuroid"] == 3
    with pytest.raises(InputError, match="unit 10 names no electrode"):
        read(
            make(tmp_path / "n.nwb", electrodes=((), (1,), (1,))),
            coordinates=NAMED,
            window=(70, 170),
        )


def test_what_was_not_observed_is_nan(tmp_path, caplog):
    """Outside obs_intervals a count is NaN; presentations that no unit saw are left out."""
    obs = [[[0.0, 2.5]], [[0.0, 1.5]], [[0.9, 2.5]]]
    path = make(tmp_path / "r.nwb", obs=obs)
    with caplog.at_level(logging.WARNING, "neurosage"):
        a = read(path, coordinates=NAMED, window=(70, 170))
    np.testing.assert_array_equal(a.values, [[2, 1, np.nan], [1, 1, 0], [1, np.nan, 0]])
    assert "1 of 4 presentations lie outside obs_intervals" in caplog.text


def test_presentations_after_the_last_spike_are_reported(tmp_path, caplog):
    """Without obs_intervals, presentations after all spikes are counted, with a warning."""
    path = make(tmp_path / "r.nwb", spikes=[[0.1], [1.1], []])
    with caplog.at_level(logging.WARNING, "neurosage"):
        a = read(path, coordinates=NAMED, window=(70, 170))
    assert a.values[2:].sum() == 0
    assert "2 of 4 presentations begin after the last spike" in caplog.text


def test_presentations_may_stand_in_an_interval_table(tmp_path):
    """A table of stimulus presentations with overlapping rows and number ids is taken by key."""

    def add(nwb):
        table = pynwb.epoch.TimeIntervals(name="images_presentations", description="shown")
        table.add_column("frame", "number of the image")
        for onset, frame in ((0.0, 7), (0.05, 3), (1.0, 7)):
            table.add_interval(onset, onset + 0.25, frame=frame)
        nwb.add_time_intervals(table)

    path = make(tmp_path / "r.nwb", extra=add, trials=False)
    a = read(path, coordinates={"stimulus_id": "frame"}, window=(70, 170), stimulus_id=["3", "7"])
    assert list(a["stimulus_id"].values) == ["7", "3", "7"]
    np.testing.assert_array_equal(a.values[:, 0], [2, 1, 1])
    with pytest.raises(InputError, match="3 were shown: 1 have none"):
        read(
            path,
            coordinates={"stimulus_id": "frame"},
            window=(70, 170),
            stimulus_id=["3", "7", "9"],
        )


def test_an_index_series_is_a_list_of_presentations(tmp_path):
    """Frames of an IndexSeries are presentations at their timestamps."""

    def add(nwb):
        pictures = [pynwb.image.GrayscaleImage(name=name, data=np.zeros((2, 2))) for name in "ab"]
        order = pynwb.base.ImageReferences(name="order_of_images", data=pictures)
        images = pynwb.base.Images(
            name="set", images=pictures, description="x", order_of_images=order
        )
        nwb.add_stimulus_template(images)
        nwb.add_stimulus(
            pynwb.image.IndexSeries(
                name="frames",
                data=np.array([1, 0, 1], "u4"),
                timestamps=[0.0, 1.0, 2.0],
                unit="N/A",
                indexed_images=images,
            )
        )

    path = make(tmp_path / "r.nwb", extra=add, trials=False)
    a = read(path, key="frames", window=(70, 170))
    assert list(a["stimulus_id"].values) == ["1", "0", "1"]
    np.testing.assert_array_equal(a.values[:, 0], [2, 1, 1])


def test_responses_counted_before(tmp_path):
    """A column with an array a row is taken as responses, by presentation or by unit."""
    rates = np.arange(12.0).reshape(4, 3)

    def add(nwb):
        nwb.add_trial_column("rate", "of each unit", data=rates)
        nwb.add_unit_column("mean_rate", "to each image", data=rates.T[:, :2])

    path = make(tmp_path / "r.nwb", extra=add)
    named = {**NAMED, "region": "location", "neuroid_id": "units.id"}
    a = read(path, key="trials.rate", coordinates=named, unit="Hz")
    np.testing.assert_array_equal(a.values, rates)
    assert list(a["region"].values) == ["V4", "IT", "IT"]
    b = read(
        path,
        ("neuroid", "stimulus"),
        key="units.mean_rate",
        coordinates={"region": "quality"},
        select={"quality": "good"},
        stimulus_id=["a", "b"],
    )
    np.testing.assert_array_equal(b.values, rates[:2, 1:])


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"window": None}, r"give window = \[70, 170\]"),
        ({"window": (170, 70)}, "start < end must hold"),
        ({"key": "trails"}, "unknown table in .* 'trails'; did you mean 'trials'"),
        (
            {"coordinates": {}},
            "0 tables of .* have a column 'stimulus_id'.* trials: id, start_time",
        ),
        ({"coordinates": {"stimulus_id": "img"}}, "0 tables of .* have a column 'img'"),
        ({"coordinates": {**NAMED, "x": "dept"}}, "unknown column in .* 'dept'"),
        ({"coordinates": {**NAMED, "x": "id"}}, "is not the only one: write trials.id or units.id"),
        ({"select": {"colour": 1}}, "unknown column in .* 'colour'"),
        ({"key": "trials.image", "region": "V4"}, "values, but responses must be numbers"),
        ({"key": "trials.rates"}, "unknown column in .* 'trials.rates'"),
    ],
    ids=str,
)
def test_what_is_not_there_is_named(tmp_path, extra, message):
    """Tables, columns and windows that are wrong are each one sentence with what is there."""
    path = make(tmp_path / "r.nwb")
    with pytest.raises(InputError, match=message):
        read(path, **{"coordinates": NAMED, "window": (70, 170), **extra})


def test_files_that_are_no_nwb_are_named(tmp_path, monkeypatch):
    """Missing, empty, cut, foreign and pickled files are one error; so is no pynwb."""
    whole = make(tmp_path / "r.nwb").read_bytes()
    for name, content in (
        ("empty", b""), ("text", b"no nwb" * 99), ("pickle", b"\x80\x04K\x01."),
        ("half", whole[: len(whole) // 2]), ("head", whole[:600]),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name} cannot be read as an NWB file"):
            read(tmp_path / name, coordinates=NAMED, window=(70, 170))
    with h5py.File(tmp_path / "other", "w") as file:
        file["r"] = np.zeros(3)
    with pytest.raises(InputError, match="other cannot be read as an NWB file"):
        read(tmp_path / "other", coordinates=NAMED, window=(70, 170))
    with pytest.raises(InputError, match="there is no file"):
        read(tmp_path / "gone", coordinates=NAMED, window=(70, 170))
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with pytest.raises(MissingExtraError, match=r"neurosage\[nwb\]"):
        read(tmp_path / "r.nwb", coordinates=NAMED, window=(70, 170))


def test_a_file_without_units_says_so(tmp_path):
    """Without units there is nothing to count, which is said with the way out."""
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    nwb = pynwb.NWBFile("made for a test", "id", start)
    nwb.add_trial_column("image", "what was shown")
    nwb.add_trial(0.0, 1.0, image="a")
    with pynwb.NWBHDF5IO(str(tmp_path / "r.nwb"), "w") as stream:
        stream.write(nwb)
    with pytest.raises(InputError, match=r"no units whose spikes .* key = \"TABLE.COLUMN\""):
        read(tmp_path / "r.nwb", coordinates=NAMED, window=(70, 170))
