"""The HvM recordings: from the card, over HTTP, to RDMs; files of that layout are made here."""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image
from typer.testing import CliRunner

import neurosage as ns
from neurosage.cli.catalogue import app
from neurosage.data import fetch
from neurosage.data.assembly import assembly
from neurosage.data.cards.card import read_card
from neurosage.data.formats import brainio
from neurosage.data.registry import load_stimuli, load_teacher
from neurosage.errors import FetchError, InputError
from neurosage.plugins import entry_points, package_folder

FOLDER = package_folder(entry_points("neurosage.teachers")["macaque-hvm"])
STIMULI_FOLDER = package_folder(entry_points("neurosage.stimuli")["macaque-hvm"])
CARD = read_card(FOLDER)
AVERAGED, TEMPORAL = (CARD.part[name].responses.file for name in ("both", "temporal"))
CSV, ZIP = CARD.part["both"].stimuli.file, CARD.part["both"].images.file
SITES = {  # as in the source, only Chabo has sites in aIT
    "Chabo": {"cIT": 2, "pIT": 3, "aIT": 3, "V4": 2},
    "Tito": {"V4": 4, "pIT": 3, "cIT": 2},
}
REPETITIONS = {0: 3, 3: 5}  # by variation; there they are 28 and 51
OBJECTS = {"face0": "Faces", "car_astra": "Cars"}


def png(k):
    """The k-th image file; the colour says which."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 4), (10 * k, 0, 255 - 10 * k)).save(stream, "png")
    return stream.getvalue()


def make_table():
    """Stimuli as in the source's CSV: the older names, and ids that say nothing."""
    rows = [
        {"object_name": name, "category_name": category, "variation": variation, "s": 1.25}
        for variation in REPETITIONS
        for name, category in OBJECTS.items()
        for _ in range(2 + variation)
    ]
    table = pd.DataFrame(rows)
    ids = [hashlib.sha1(bytes([k])).hexdigest() for k in range(len(table))]
    table.insert(0, "id", range(1, len(table) + 1))
    table.insert(1, "image_id", ids)
    shown = zip(table["object_name"], ids, strict=True)
    table["filename"] = [f"{name}_rx+00.000_{id_}_256x256.png" for name, id_ in shown]
    table["image_file_name"] = [f"somewhere/else/{id_}.png" for id_ in ids]
    return table


def make_recording(table, edges):
    """Responses as the source stores them: neuroid first, one variable, flat coordinates."""
    generator = np.random.default_rng(0)
    sites = [(a, r) for a, regions in SITES.items() for r, n in regions.items() for _ in range(n)]
    rows = np.repeat(np.arange(len(table)), table["variation"].map(REPETITIONS))
    generator.shuffle(rows)
    rates = generator.standard_normal((len(sites), len(table), 1))
    noise = generator.standard_normal((len(sites), len(rows), len(edges)))
    animals, regions = zip(*sites, strict=True)
    presented = table.iloc[rows]
    return xr.DataArray(
        (rates[:, rows] + 0.3 * noise).astype(np.float32),
        dims=("neuroid", "presentation", "time_bin"),
        coords={
            "neuroid_id": ("neuroid", [f"{a}_L_M_{k}" for k, a in enumerate(animals)]),
            "animal": ("neuroid", list(animals)),
            "subregion": ("neuroid", list(regions)),
            "region": ("neuroid", ["V4" if region == "V4" else "IT" for region in regions]),
            "x": ("neuroid", generator.random(len(sites))),
            "image_id": ("presentation", presented["image_id"].tolist()),
            "repetition": ("presentation", presented.groupby("image_id").cumcount().to_numpy()),
            "object_name": ("presentation", presented["object_name"].tolist()),
            "variation": ("presentation", presented["variation"].to_numpy()),
            "time_bin_start": ("time_bin", [start for start, _ in edges]),
            "time_bin_end": ("time_bin", [end for _, end in edges]),
        },
    )


def write_old(recording, path, identifier):
    """As the source's files are: the variable has the assembly's name."""
    attrs = {"identifier": identifier, "stimulus_set_identifier": "dicarlo.hvm-public"}
    dataset = recording.assign_attrs(attrs).to_dataset(name=identifier).reset_coords()
    dataset.to_netcdf(path)


def write_new(recording, path, identifier):
    """As `brainio.write` has it, the layout of today."""
    names = {"image_id": "stimulus_id"}
    coords = {names.get(k, k): v.values for k, v in recording.coords.items()}
    values = assembly(recording.values, recording.dims, **coords)
    brainio.write(values, path, identifier=identifier, stimulus_set_identifier="hvm-public")


BINS = [(start, start + 20) for start in range(10, 250, 20)]  # 70 to 170 is five of them


@pytest.fixture(params=[write_old, write_new], ids=["old layout", "new layout"])
def source(request, served):
    """The source's four files on a server of this machine."""
    table = make_table()
    table.to_csv(served.folder / CSV, index=False)
    with zipfile.ZipFile(served.folder / ZIP, "w") as archive:
        for k, name in enumerate(table["filename"][::-1]):
            archive.writestr(name, png(k))
    for name, edges in ((AVERAGED, [(70, 170)]), (TEMPORAL, BINS)):
        request.param(make_recording(table, edges), served.folder / name, name.split(".")[0])
    return served


@pytest.fixture
def hvm(source, tmp_path, monkeypatch):
    """The teacher's card and that of its stimuli, pointed at that server; an empty cache."""
    monkeypatch.setenv("NEUROSAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NEUROSAGE_MIRROR", raising=False)
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.001)
    monkeypatch.setenv("NEUROSAGE_TEACHERS", str(tmp_path / "cards"))
    for folder, id_ in ((FOLDER, "made-hvm"), (STIMULI_FOLDER, "made-stimuli")):
        (tmp_path / "cards" / id_).mkdir(parents=True)
        text = re.sub('id = ".*"', f'id = "{id_}"', point(folder, source), count=1)
        (tmp_path / "cards" / id_ / "card.toml").write_text(text)
    return source


def point(folder, source):
    """The card's own text with the server's address, and the hashes and counts of its files."""
    text = (folder / "card.toml").read_text()
    text = re.sub('base_url = ".*"', f'base_url = "{source.url}"', text)
    for path in source.folder.iterdir():
        digest = hashlib.sha1(path.read_bytes()).hexdigest()
        text = re.sub(rf'(file = "{path.name}", hash = "sha1:)\w+', rf"\g<1>{digest}", text)
    shown = make_table()
    counts = {"3200": len(shown), "2560": (shown["variation"] == 3).sum()}
    text = re.sub("stimulus = ([0-9]+)", lambda found: f"stimulus = {counts[found[1]]}", text)
    return text.replace("neuroid = 256", "neuroid = 19")


def cached():
    folder = fetch.cache_folder()
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_the_card_is_that_of_the_source():
    """Address, sha1, size on the screen; every part reads the 70 to 170 ms window."""
    assert CARD.base_url == "https://brainscore-storage.s3.amazonaws.com/brainio-brainscore/"
    hashes = {entry.file: entry.hash for part in CARD.part.values() for entry in part.files}
    name = "assy_dicarlo_MajajHong2015"
    assert hashes == {
        f"{name}_public.nc": "sha1:13d28ca0ce88ee550b54db3004374ae19096e9b9",
        f"{name}_temporal_public.nc": "sha1:093ac35b3e8464c676d24cf38238415d4d6a9448",
        "stimulus_hvm-public.csv": "sha1:5ca7a3da00d8e9c694a9cd725df5ba0ad6d735af",
        "stimulus_hvm-public.zip": "sha1:8aa44e038d7b551efa8077467622f9d48d72e473",
    }
    kept = {(part.degrees, part.responses.window) for part in CARD.part.values()}
    assert kept == {(8, (70, 170))}
    shown = read_card(STIMULI_FOLDER).part["all"]
    assert (shown.stimuli, shown.images) == (CARD.part["both"].stimuli, CARD.part["both"].images)


def test_from_the_server_to_rdms(hvm):
    """Fetched once, verified; regions, monkeys, trials and labels are those of the files."""
    teacher = load_teacher("made-hvm")
    assert sorted(hvm.asked) == sorted([AVERAGED, CSV, ZIP])
    assert teacher.id == "made-hvm/both"
    assert set(teacher.regions) == {"V4", "pIT", "aIT"}
    responses = teacher.assembly
    assert responses.dims == ("presentation", "neuroid")
    counts = pd.Series(responses["region"].values).value_counts().to_dict()
    assert counts == {"V4": 6, "pIT": 6, "aIT": 3}
    assert set(responses["subject"].values) == {"Chabo", "Tito"}
    repeated = pd.Series(responses["stimulus_id"].values).value_counts()
    assert sorted(set(repeated)) == [3, 5]
    assert teacher.stimuli.degrees == 8
    rdms = ns.rdms(teacher)
    assert rdms.shape == (3, 14, 14)
    load_teacher("made-hvm")
    assert len(hvm.asked) == 3


def test_each_response_stays_with_its_image(hvm):
    """Presentations are shuffled, images are in another order in the zip: ids decide."""
    teacher, table = load_teacher("made-hvm/with-cit"), make_table()
    recording = make_recording(table, [(70, 170)])
    assert list(teacher.stimuli.stimulus_ids) == table["image_id"].tolist()
    assert set(teacher.regions) == {"V4", "pIT", "cIT", "aIT"}
    for k in (0, len(table) - 1):
        id_ = table["image_id"][k]
        mine = teacher.assembly.values[teacher.assembly["stimulus_id"].values == id_]
        np.testing.assert_array_equal(
            mine, recording.values[:, recording["image_id"].values == id_, 0].T
        )
        assert teacher.stimuli.image(k)[0, 0, 0] == 10 * (len(table) - 1 - k)
    assert teacher.stimuli.table["object_name"].tolist() == table["object_name"].tolist()


@pytest.mark.parametrize(("part", "subject"), [("chabo", "Chabo"), ("tito", "Tito")])
def test_one_monkey(hvm, part, subject):
    """All sites of that monkey, in every region it has."""
    responses = load_teacher(f"made-hvm/{part}").assembly
    assert set(responses["subject"].values) == {subject}
    assert pd.Series(responses["region"].values).value_counts().to_dict() == SITES[subject]


def test_one_variation(hvm):
    """Stimuli that are left out are not the teacher's."""
    teacher = load_teacher("made-hvm/variation-3")
    assert set(teacher.stimuli.table["variation"]) == {3}
    assert len(teacher.assembly) == 5 * len(teacher.stimuli)


def test_selecting_regions_excuses_no_stimulus(hvm):
    """A stimulus that was never shown is named, though sites were selected."""
    keys = {"coordinates": {"region": "subregion"}, "select": {"region": "aIT"}}
    ids = [*make_table()["image_id"], "absent"]
    with pytest.raises(InputError, match=r"1 have none \(first: \['absent'\]\)"):
        brainio.read(hvm.folder / AVERAGED, stimulus_id=ids, **keys)


def test_the_temporal_variant_is_averaged_in_the_window(hvm):
    """Five bins lie within 70 to 170 ms; their mean is the response."""
    responses = load_teacher("made-hvm/temporal").assembly
    assert responses.dims == ("presentation", "neuroid")
    recording = make_recording(make_table(), BINS)
    recording = recording.isel(neuroid=recording["subregion"].values != "cIT")
    inside = [start >= 70 and end <= 170 for start, end in BINS]
    assert sum(inside) == 5
    np.testing.assert_allclose(
        responses.values, recording.values[..., inside].mean(-1).T, rtol=1e-5, atol=1e-6
    )
    assert TEMPORAL in hvm.asked
    assert AVERAGED not in hvm.asked


def test_stimuli_without_responses(hvm):
    """The images alone need two of the files."""
    stimuli = load_stimuli("made-stimuli")
    assert sorted(hvm.asked) == sorted([CSV, ZIP])
    assert stimuli.content_hash() == load_teacher("made-hvm").stimuli.content_hash()


def test_a_cut_connection_is_mended(hvm):
    """Each file is cut once, the server fails once: fetched all the same."""
    hvm.faults = {AVERAGED: ["cut", 503], CSV: [500], ZIP: ["cut"]}
    teacher = load_teacher("made-hvm")
    assert len(hvm.asked) == 3 + 4
    assert len(cached()) == 3
    assert len(teacher.stimuli) == 14


@pytest.mark.parametrize("fault", ["cut", 500, 404], ids=str)
def test_what_cannot_be_fetched_leaves_nothing(hvm, fault):
    """A sentence with the file and the next step, no half file, and the next try succeeds."""
    hvm.faults = {AVERAGED: [fault] * fetch.ATTEMPTS}
    with pytest.raises(FetchError, match=rf"{AVERAGED} of 'made-hvm/both' cannot be fetched"):
        load_teacher("made-hvm")
    assert not any(AVERAGED in name or name.startswith("part-") for name in cached())
    hvm.faults = {}
    assert load_teacher("made-hvm").regions


def test_a_wrong_hash_is_refused(hvm):
    """The source changed a file: it is neither loaded nor kept."""
    (hvm.folder / AVERAGED).write_bytes(b"another file")
    with pytest.raises(FetchError, match=r"expected sha1:\w+, found sha1:\w+ .*Nothing was kept"):
        load_teacher("made-hvm")
    assert not any(AVERAGED in name for name in cached())


def test_the_command_line_fetches_and_lists(hvm):
    """`neurosage fetch` brings each file once; then `neurosage teachers` calls it available."""
    runner = CliRunner()

    def rows():
        listed = json.loads(runner.invoke(app, ["teachers", "--json"]).stdout)
        return {row["id"]: row for row in listed if row["id"].startswith("made-hvm")}

    assert not any(row["available"] for row in rows().values())
    one = json.loads(runner.invoke(app, ["fetch", "made-hvm/both", "--json"]).stdout)
    assert len(one["files"]) == 3
    available = {id_: row["available"] for id_, row in rows().items()}
    assert available == {f"made-hvm/{part}": part != "temporal" for part in CARD.part}
    every = json.loads(runner.invoke(app, ["fetch", "made-hvm", "--json"]).stdout)
    assert len(set(every["files"])) == len(every["files"]) == 4
    assert sorted(hvm.asked) == sorted([AVERAGED, TEMPORAL, CSV, ZIP])
    assert {row["hash"] for row in rows().values()} == {"sha1"}
