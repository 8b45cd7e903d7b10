"""Teachers are found by id, part or folder; what is not found is named with its neighbours."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neurosage import plugins
from neurosage.data import registry
from neurosage.data.assembly import assembly
from neurosage.data.listing import list_stimuli, list_teachers
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError

from .conftest import lay_out


def made(id_="made", kind="recorded"):
    stimuli = StimulusSet("s", pd.DataFrame({"stimulus_id": ["a"]}), np.zeros((1, 2, 2, 3), "u1"))
    return Teacher(id_, stimuli, assembly([[1.0]], stimulus_id=["a"], region="IT"), kind=kind)


def plugin(folder, monkeypatch, code, card=None, name="lab-plugin"):
    """Install a distribution whose package offers the teacher ``lab-plugin``."""
    package = folder / "lab_plugin_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(code)
    if card:
        (package / "card.toml").write_text(card)
    info = folder / "lab_dist-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-dist\nVersion: 1.0\n")
    lines = f"[neurosage.teachers]\n{name} = lab_plugin_package\n"
    (info / "entry_points.txt").write_text(lines)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "lab_plugin_package", raising=False)
    return package


@pytest.mark.parametrize("form", ["{}", "{}/", "{}/card.toml", "{}/first"])
def test_a_folder_is_a_teacher(lab, form):
    """A folder, its card, and folder/part all load."""
    assert registry.load_teacher(form.format(lab)).id == "lab-it"
    assert registry.load_teacher(Path(form.format(lab))).id == "lab-it"


@pytest.mark.parametrize("whole", [True, False], ids=["folder of teachers", "teacher"])
def test_folders_of_the_environment_are_listed_and_load(tmp_path, monkeypatch, lab, whole):
    """NEUROSAGE_TEACHERS takes folders of teachers, and teachers, several at once."""
    other = lay_out(tmp_path / "more" / "second", "lab-v4")
    named = [lab.parent if whole else lab, other.parent]
    monkeypatch.setenv("NEUROSAGE_TEACHERS", os.pathsep.join(map(str, named)))
    rows = list_teachers().set_index("id")
    assert rows.loc["lab-it", "species"] == "Felis catus"
    assert rows.loc["lab-v4", "available"]
    assert rows.loc["lab-v4", "origin"] == str(other)
    assert registry.load_teacher("lab-v4").regions == ("IT",)


def test_a_folder_with_a_taken_id_is_refused(tmp_path, monkeypatch):
    """Two sources with one id are an error for who asks for it, and hinder nobody else."""
    folder = lay_out(tmp_path / "mine", "macaque-v4")
    monkeypatch.setenv("NEUROSAGE_TEACHERS", str(folder))
    with pytest.raises(InputError, match=r"'macaque-v4': neurosage and .*mine"):
        registry.load_teacher("macaque-v4")
    assert "two sources" in list_teachers().set_index("id").loc["macaque-v4", "problem"]
    assert registry.load_teacher("simulated-macaque").regions
    assert registry.load_teacher(folder).id.startswith("macaque-v4")


@pytest.mark.parametrize("path", ["./nothere", "nothere/", Path("nothere")])
def test_a_folder_that_is_not_there_is_said(path):
    """A path is no misspelt id."""
    with pytest.raises(InputError, match=r"there is no folder '.*nothere/?' to load a teacher"):
        registry.load_teacher(path)


def test_a_broken_card_is_listed_and_hinders_no_other(monkeypatch, lab):
    """A misspelt key stands in the listing; other teachers load as before."""
    card = lab / "card.toml"
    card.write_text(card.read_text().replace("species", "speces"))
    monkeypatch.setenv("NEUROSAGE_TEACHERS", str(lab))
    row = list_teachers().set_index("id").loc["lab-it"]
    assert not row["available"]
    assert "did you mean 'species'" in row["problem"]
    assert registry.load_teacher("simulated-macaque")
    with pytest.raises(InputError, match="did you mean 'species'"):
        registry.load_teacher("lab-it")


def test_a_folder_that_does_not_exist_is_named(monkeypatch, tmp_path):
    """A misspelt NEUROSAGE_TEACHERS is not silently empty."""
    monkeypatch.setenv("NEUROSAGE_TEACHERS", str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match=r"NEUROSAGE_TEACHERS names .*nowhere"):
        list_teachers()


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("macaque-v5", r"unknown teacher 'macaque-v5'; did you mean 'macaque-v4'"),
        ("macaque-v4/20125", r"unknown part of macaque-v4 '20125'; did you mean '201025'"),
        ("macaque-v4/../../secret", r"'../../secret' of 'macaque-v4' has a path in it"),
        ("macaque-v4//etc", "has a path in it"),
        ("simulated-macaque/two", r"unknown part of simulated-macaque 'two'.* Choices: all"),
        ("nowhere/at/all", "unknown teacher 'nowhere/at/all'"),
    ],
)
def test_what_is_not_there_is_named(asked, message, tmp_path, monkeypatch):
    """Unknown teachers and parts: choices and close matches; paths in parts: refused."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        registry.load_teacher(asked)


def test_a_folder_without_a_card_is_no_teacher(tmp_path):
    """A folder that is there, but is none, says what is missing."""
    with pytest.raises(InputError, match=r"holds no card\.toml, so it is no teacher"):
        registry.load_teacher(tmp_path)


def test_registered_loaders_get_the_part():
    """A loader is called anew each time, with the part where one is asked for."""
    registry.register_teacher("lab", lambda part="whole": made(f"lab/{part}"))
    assert registry.load_teacher("lab").id == "lab/whole"
    assert registry.load_teacher("lab/half").id == "lab/half"
    assert "lab" in set(list_teachers()["id"])


@pytest.mark.parametrize(
    ("id_", "loader", "message"),
    [
        ("a/b", made, "no plain name"),
        ("macaque-v4", made, "taken by neurosage"),
        ("lab", made(), "must be callable"),
    ],
)
def test_what_cannot_be_registered(id_, loader, message):
    """Ids with paths, taken ids and what is no loader are refused."""
    with pytest.raises(InputError, match=message):
        registry.register_teacher(id_, loader)


def test_a_loader_that_gives_no_teacher_is_named():
    """A loader's wrong result is not passed on."""
    registry.register_teacher("lab", lambda: "a teacher")
    with pytest.raises(InputError, match="'lab' of this process gave str"):
        registry.load_teacher("lab")


def test_a_plugin_is_listed_without_running_it(tmp_path, monkeypatch):
    """A third party's plugin is found by its card; its code runs on loading only."""
    card = 'schema = 1\nid = "lab-plugin"\nkind = "recorded"\n'
    plugin(tmp_path, monkeypatch, "raise ImportError('no driver')", card)
    row = list_teachers().set_index("id").loc["lab-plugin"]
    assert row["origin"] == "lab-dist"
    assert "lab_plugin_package" not in sys.modules
    with pytest.raises(InputError, match=r"'lab-plugin' of the distribution lab-dist.*no driver"):
        registry.load_teacher("lab-plugin")


def test_a_plugin_with_neither_card_nor_load(tmp_path, monkeypatch):
    """A plugin that says nothing is one clear error."""
    plugin(tmp_path, monkeypatch, "")
    with pytest.raises(InputError, match=r"neither a card\.toml nor a function load"):
        registry.load_teacher("lab-plugin")


def test_a_card_and_its_entry_point_agree(tmp_path, monkeypatch):
    """A card with another id than its entry point is refused."""
    plugin(tmp_path, monkeypatch, "", 'schema = 1\nid = "other"\nkind = "recorded"\n')
    with pytest.raises(InputError, match=r"says id = 'other'.*lab-dist is named 'lab-plugin'"):
        registry.load_teacher("lab-plugin")


def test_counts_hold_for_plugins_that_load(tmp_path, monkeypatch):
    """What load() returns is checked against the card."""
    code = (
        "import numpy as np, pandas as pd\n"
        "from neurosage.data.assembly import assembly\n"
        "from neurosage.data.stimuli import StimulusSet\n"
        "from neurosage.data.teacher import Teacher\n"
        "def load(part=None):\n"
        "    table = pd.DataFrame({'stimulus_id': ['a']})\n"
        "    shown = StimulusSet('s', table, np.zeros((1, 2, 2, 3), 'u1'))\n"
        "    return Teacher('x', shown, assembly([[1.0]], stimulus_id=['a'], region='IT'))\n"
    )
    card = (
        'schema = 1\nid = "lab-plugin"\nkind = "recorded"\n[part.all]\ncounts = { stimulus = 2 }\n'
    )
    package = plugin(tmp_path, monkeypatch, code, card)
    with pytest.raises(InputError, match=r"has 1 of stimulus .* card says 2"):
        registry.load_teacher("lab-plugin")
    (package / "card.toml").write_text(card.replace("= 2", "= 1"))
    assert registry.load_teacher("lab-plugin").card.id == "lab-plugin"


def test_a_simulated_teacher_says_so_loudly(caplog):
    """Loading a simulated teacher warns, once; its kind, repr, card and listing say it."""
    registry._warn_simulated.cache_clear()
    with caplog.at_level(logging.WARNING, logger="neurosage"):
        teacher = registry.load_teacher("simulated-macaque")
    assert "SIMULATED" in caplog.text
    assert (teacher.kind, teacher.card.kind) == ("simulated", "simulated")
    assert "SIMULATED" in repr(teacher)
    assert teacher.assembly.attrs["simulated"] == 1
    row = list_teachers().set_index("id").loc["simulated-macaque"]
    assert (row["kind"], row["neuroids"], row["regions"]) == ("simulated", 200, "V4, pIT, aIT")
    caplog.clear()
    registry.register_teacher("lab", made)
    registry.load_teacher("lab")
    assert not caplog.records


def test_stimuli_of_a_teacher_are_listed_with_its_files():
    """The V4 images are parts as in the teacher, with the same default."""
    teachers, stimuli = list_teachers().set_index("id"), list_stimuli().set_index("id")
    parts = [i for i in stimuli.index if i.startswith("macaque-v4/")]
    assert parts == [i for i in teachers.index if i.startswith("macaque-v4/")]
    assert len(parts) == 12
    assert [i for i in parts if stimuli["default"][i]] == ["macaque-v4/201025"]


def test_unknown_stimuli_are_named():
    """Stimuli have choices of their own."""
    with pytest.raises(InputError, match=r"unknown stimuli 'digit'; did you mean 'digits'"):
        registry.load_stimuli("digit")
    with pytest.raises(InputError, match="unknown part of digits 'x'"):
        registry.load_stimuli("digits/x")


def test_fetch_gives_verified_files(lab):
    """Fetching returns every file of every part, and nothing for what is made here."""
    assert [p.name for p in registry.fetch(lab)] == ["responses.npy", "images.zip"]
    assert registry.fetch("simulated-macaque") == []
    with pytest.raises(InputError, match="unknown teacher or stimulus set 'digitss'"):
        registry.fetch("digitss")


def test_a_plugin_whose_code_raises_is_listed_with_its_card(tmp_path, monkeypatch):
    """A third party's package that cannot be imported is listed, and spoils no other's loading."""
    lay_out(tmp_path / "card", "lab-plugin")
    card = (tmp_path / "card" / "card.toml").read_text()
    plugin(tmp_path / "site", monkeypatch, "raise ZeroDivisionError('bad day')\n", card)
    table = list_teachers().set_index("id")
    assert table.loc["lab-plugin", "kind"] == "recorded"
    assert registry.load_teacher("simulated-macaque").regions
    with pytest.raises(InputError, match=r"'lab-plugin'.*lab-dist.*ZeroDivisionError: bad day"):
        registry.load_teacher("lab-plugin")


def test_a_plugin_that_cannot_be_looked_for_is_listed_with_the_problem(tmp_path, monkeypatch):
    """Where even finding a plugin's package fails, its row says why, and loading it, too."""
    plugin(tmp_path / "site", monkeypatch, "")

    def refuse(name, within):
        raise RuntimeError("no hook")

    monkeypatch.setattr(plugins, "_spec", refuse)
    rows = list_teachers().set_index("id")
    assert "RuntimeError: no hook" in rows.loc["lab-plugin", "problem"]
    assert not rows.loc["lab-plugin", "available"]
    with pytest.raises(InputError, match=r"lab-dist.*RuntimeError: no hook"):
        registry.load_teacher("lab-plugin")


def test_a_loader_that_raises_is_named(tmp_path, monkeypatch):
    """What a third party's load raises is one clear error, its cause kept."""
    plugin(tmp_path / "site", monkeypatch, "def load(part=None): return {}['key']\n")
    with pytest.raises(InputError, match=r"loading 'lab-plugin' of lab-dist failed: KeyError"):
        registry.load_teacher("lab-plugin")


@pytest.mark.parametrize("asked", [None, "", 3])
@pytest.mark.parametrize("load", [registry.load_teacher, registry.load_stimuli, registry.fetch])
def test_what_is_no_name_is_refused(load, asked):
    """Nothing, and what is neither text nor path, is not looked for in the working folder."""
    with pytest.raises(InputError, match=f"by an id or a folder, not {asked!r}"):
        load(asked)


def test_fetch_offers_teachers_and_stimuli():
    """It takes either, so a misspelt one is named beside both."""
    message = r"unknown teacher or stimulus set 'digts'; did you mean 'digits'.*simulated-macaque"
    with pytest.raises(InputError, match=message):
        registry.fetch("digts")
