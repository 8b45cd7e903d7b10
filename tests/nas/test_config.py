"""The TOML file of a search."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurosage.errors import InputError
from neurosage.nas.config import check_same, example_config, load_config, parse_config

LEAST = """
[search]
candidates = 3
[data]
name = "digits"
[training]
recipe = "digits"
steps = 20
[[teacher]]
id = "simulated-macaque"
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "first-search.toml"
    path.write_text(LEAST)
    return path


def test_a_search_is_called_after_its_file(file):
    """What is not said has a default; the name is the file's."""
    config = load_config(file)
    assert config.search.name == "first-search"
    assert (config.explorer.name, config.record.units, config.engine.threads) == ("tpe", 1000, 1)


def test_settings_survive_json(file):
    """A stored search is read back as it was."""
    config = load_config(file, ["space.options.filters=[8, 16]", "search.max_macs=2e7"])
    assert parse_config(config.document()) == config


def test_the_example_is_what_the_command_prints():
    """examples/ and --example hold one text, and it is valid."""
    path = Path(__file__).parents[2] / "examples" / "brain_guided_search.toml"
    assert path.read_text(encoding="utf-8") == example_config()
    config = load_config(path)
    assert config.teacher[0].id == "macaque-v4"
    assert (config.space.name, config.explorer.name, config.training.epochs) == (
        "convnet-10", "tpe", 2,
    )  # fmt: skip


def test_the_small_run_of_the_example_is_valid(tmp_path):
    """The `--set` values that its comment gives can be copied."""
    text = example_config()
    settings = [
        word
        for line in text.splitlines()
        if line.startswith("#") and "--set" in line
        for word in line.removeprefix("#").replace("\\", "").split("--set")[1:]
        if "data.path" not in word
    ]
    path = tmp_path / "example.toml"
    path.write_text(text, encoding="utf-8")
    config = load_config(path, [setting.strip() for setting in settings])
    assert config.search.name == "small"
    assert config.search.candidates in range(8, 13)
    assert (config.data.train, config.training.epochs) == (2000, 1)


@pytest.mark.parametrize(
    ("setting", "section", "key", "value"),
    [
        ("search.seed=4", "search", "seed", 4),
        ("search.alpha = 2.5", "search", "alpha", 2.5),
        ("rsa.distance=euclidean", "rsa", "distance", "euclidean"),
        ('rsa.distance="euclidean"', "rsa", "distance", "euclidean"),
        ("space.options.filters=[4, 8]", "space", "options", {"filters": [4, 8]}),
        ("search.max_macs=5e6", "search", "max_macs", 5e6),
        ("search.max_macs=inf", "search", "max_macs", None),
        ("engine.workers=2", "engine", "workers", 2),
    ],
)
def test_set_changes_a_setting(file, setting, section, key, value):
    """Values are TOML's; a string needs no quotes."""
    assert getattr(getattr(load_config(file, [setting]), section), key) == value


def test_setting_one_budget_drops_the_other(file):
    """Epochs in place of steps, without having to unset steps."""
    training = load_config(file, ["training.epochs=2"]).training
    assert (training.epochs, training.steps) == (2, None)


def test_teachers_are_set_by_number_or_alone(file):
    """An only teacher needs no number; of several, one is named."""
    assert load_config(file, ["teacher.id=macaque-v4"]).teacher[0].id == "macaque-v4"
    file.write_text(LEAST + '[[teacher]]\nid = "b"\nregions = "V4"\n')
    config = load_config(file, ["teacher.1.id=c"])
    assert [teacher.id for teacher in config.teacher] == ["simulated-macaque", "c"]
    assert config.teacher[1].regions == ("V4",)
    for setting in ("teacher.id=x", "teacher.2.id=x", "teacher.0=x"):
        with pytest.raises(InputError, match="teacher"):
            load_config(file, [setting])


def test_paths_are_relative_to_who_says_them(file, tmp_path, monkeypatch):
    """Those of the file to its folder, those of --set to the working folder."""
    file.write_text(LEAST.replace('"digits"\n[training]', '"cifar-100"\npath = "c"\n[training]'))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert load_config(file).data.path == (str(tmp_path / "c"),)
    moved = load_config(file, ['data.path=["a.zip", "/b.zip"]', "teacher.id=./lab-it"])
    assert moved.data.path == (str(tmp_path / "here" / "a.zip"), "/b.zip")
    assert moved.teacher[0].id == str(tmp_path / "here" / "lab-it")
    assert load_config(file, ["teacher.id=macaque-v4/190923"]).teacher[0].id.startswith("macaque")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "search.candidats=3",
            r"\[search\] 'candidats'; did you mean 'candidates'\? Choices: name",
        ),
        ("serch.seed=3", "unknown section 'serch'; did you mean 'search'"),
        ("teacher.region=V4", r"\[teacher\] 'region'; did you mean 'regions'"),
        ("search.candidates=ten", "search.candidates = 'ten': input should be a valid integer"),
        ("search.candidates=0", "search.candidates = 0: .*greater than or equal to 1"),
        ("search.name=../x", "search.name = '../x'"),
        ("search.alpha=nan", "search.alpha = nan"),
        ("training.epochs=-1", "training.epochs = -1"),
        ("engine.name=slurm", "engine.name = 'slurm': input should be 'debug' or 'local'"),
        ("space.name.x=1", "space.name"),
        ("search.seed.x=1", "search.seed"),
        ("search.candidates.x=1", "search.candidates is a value, not a section"),
        ("seed=3", "is not a setting: write section.key=value"),
        ("search.seed", "is not a setting"),
    ],
)
def test_a_wrong_setting_is_named(file, setting, message):
    """The key, what is wrong, and what would be right."""
    with pytest.raises(InputError, match=message):
        load_config(file, [setting])


def test_a_budget_is_needed(file):
    """Neither a search without end nor one with two ends."""
    for text in ("", "steps = 1\nepochs = 1"):
        file.write_text(LEAST.replace("steps = 20", text))
        with pytest.raises(InputError, match="one of epochs and steps"):
            load_config(file)


def test_what_is_missing_is_named(file):
    """All that is missing, in one message."""
    file.write_text("[search]\nseed = 1\n")
    with pytest.raises(InputError, match=r"search\.candidates is missing; data is missing"):
        load_config(file)


def test_a_file_that_is_no_toml_is_named(tmp_path):
    """The file and the place in it; a missing one with the next step."""
    path = tmp_path / "broken.toml"
    path.write_text("[search\n")
    with pytest.raises(InputError, match=r"broken.toml is not TOML: .*line 1"):
        load_config(path)
    with pytest.raises(InputError, match="--example"):
        load_config(tmp_path / "missing.toml")


def test_a_resumed_search_keeps_its_settings(file):
    """More candidates, other workers, moved data; nothing else may change."""
    began = load_config(file)
    check_same(began, load_config(file, ["search.candidates=9", "engine.workers=7"]))
    with pytest.raises(InputError, match=r"search\.seed = 0 then, 1 now"):
        check_same(began, load_config(file, ["search.seed=1"]))


def teacher_id(file, id_, settings=()):
    file.write_text(LEAST.replace("simulated-macaque", id_))
    return load_config(file, settings).teacher[0].id


@pytest.mark.parametrize("form", ["lab-it/", "lab-it/card.toml", "labs/lab-it", "labs/lab-it/day1"])
def test_a_teacher_s_folder_is_looked_for_beside_the_file(file, tmp_path, monkeypatch, form):
    """`id = "lab-it/"` is the folder beside the TOML, wherever the search is started from."""
    for folder in (tmp_path / "lab-it", tmp_path / "labs" / "lab-it"):
        folder.mkdir(parents=True)
        (folder / "card.toml").write_text("schema = 1\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert teacher_id(file, form) == str((tmp_path / form).resolve())
    # What --set says is relative to the working folder instead.
    assert load_config(file, [f"teacher.id={form}"]).teacher[0].id == form


@pytest.mark.parametrize("id_", ["macaque-v4", "macaque-v4/190923", "macaque-v4/", "no/such"])
def test_a_registered_teacher_s_id_is_never_a_path(file, tmp_path, monkeypatch, id_):
    """An id with its part stays one, as in load_teacher, though a folder of that name is there."""
    (tmp_path / "macaque-v4" / "190923").mkdir(parents=True)
    for folder in (tmp_path / "macaque-v4", tmp_path / "macaque-v4" / "190923"):
        (folder / "card.toml").write_text("schema = 1\n")
    monkeypatch.chdir(tmp_path)
    assert teacher_id(file, id_) == id_


@pytest.mark.parametrize("settings", ["search.seed=1", [1]])
def test_settings_are_a_sequence_of_strings(file, settings):
    """One string is not read letter by letter."""
    with pytest.raises(InputError, match="settings are a sequence of strings, such as"):
        load_config(file, settings)


def test_a_bad_name_is_told_the_rule_in_words(file):
    """No regular expression in the message."""
    with pytest.raises(InputError, match=r"search.name = '../x': a name is letters") as caught:
        load_config(file, ["search.name=../x"])
    assert "pattern" not in str(caught.value)


def test_what_becomes_of_missing_responses_is_a_teachers_own_key(file):
    """An error by default; another policy than there are is refused with the choices."""
    assert load_config(file).teacher[0].nan == "raise"
    assert load_config(file, ["teacher.nan=drop-neuroid"]).teacher[0].nan == "drop-neuroid"
    with pytest.raises(InputError, match=r"'skip'.*'drop-stimulus'"):
        load_config(file, ["teacher.nan=skip"])
