"""``neurosage check``: findings with remedies, a table of reliabilities, exit status."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from neurosage.cli.check import _folded, app
from neurosage.errors import InputError

runner = CliRunner()


@pytest.fixture
def lab(tmp_path):
    """A folder with one dead neuroid, and repeats."""
    rng = np.random.default_rng(0)
    (tmp_path / "images").mkdir()
    for k in range(24):
        pixels = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"im{k:02}.png")
    rates = 20 * rng.gamma(3.0, 1 / 3, (12, 24, 1))
    values = rng.poisson(np.repeat(rates, 4, axis=2)).astype(float)
    values[3] = 0
    np.save(tmp_path / "responses.npy", values)
    (tmp_path / "card.toml").write_text(
        'schema = 1\nid = "lab-it"\nkind = "recorded"\nnormalise = "zscore"\n[part.all]\n'
        'neuroids = { region = "IT", subject = "M1" }\nimages = { file = "images/" }\n'
        'responses = { file = "responses.npy", dims = ["neuroid", "stimulus", "repetition"] }\n'
    )
    return tmp_path


def test_errors_exit_with_1(lab):
    """What is wrong is printed with its remedy; the table has what can be estimated."""
    result = runner.invoke(app, [str(lab)])
    assert result.exit_code == 1, result.output
    words = " ".join(result.stdout.split())
    assert "neuroid IT.3" in words
    assert "never responded" in words
    assert "leave them out" in words
    assert "1 error" in words


def test_sound_teachers_exit_with_0(lab):
    """Without the dead neuroid nothing but notes is left, and all is estimable."""
    np.save(lab / "responses.npy", np.delete(np.load(lab / "responses.npy"), 3, axis=0))
    result = runner.invoke(app, [str(lab), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["ok"]
    assert document["counts"]["error"] == document["counts"]["warning"] == 0
    assert {finding["severity"] for finding in document["findings"]} == {"note"}
    (region,) = document["regions"]
    assert region["region"] == "IT"
    assert 0.5 < region["rdm_trials_low"] <= region["rdm_trials"] <= region["rdm_trials_high"]
    assert region["ceiling_trials"] == pytest.approx(np.sqrt(region["rdm_trials"]))


def test_what_does_not_load_is_json_too(lab):
    """Findings and the reason why nothing is measured."""
    (lab / "responses.npy").write_bytes(b"nothing")
    result = runner.invoke(app, [str(lab), "--json"])
    document = json.loads(result.stdout)
    assert (result.exit_code, document["ok"], document["regions"]) == (1, False, [])


def test_a_wrong_call_is_raised():
    """An unknown id is the user's error, told before anything is done."""
    result = runner.invoke(app, ["simulated-macaqe"])
    assert isinstance(result.exception, InputError)
    assert "did you mean 'simulated-macaque'" in str(result.exception)


def test_out_is_a_page(lab, tmp_path):
    """The page is named, and holds everything."""
    result = runner.invoke(app, [str(lab), "--out", str(tmp_path / "new" / "page")])
    page = tmp_path / "new" / "page" / "check.html"
    assert "check.html" in result.stdout
    text = page.read_text(encoding="utf-8")
    assert "never responded" in text
    assert "http" not in text.split("</style>")[1].replace("http://www.w3.org", "")


@pytest.mark.parametrize("width", [80, 140])
def test_tables_fit_the_terminal(lab, width, monkeypatch):
    """No line is wider than the terminal, and no word is lost."""
    monkeypatch.setattr("neurosage.cli.check.WIDE", width)
    shown = runner.invoke(app, [str(lab)]).stdout
    assert max(map(len, shown.splitlines())) <= width
    document = json.loads(runner.invoke(app, [str(lab), "--json"]).stdout)
    for finding in document["findings"]:
        words = f"{finding['place']} {finding['message']} {finding['remedy']}".split()
        assert [word for word in words if word not in shown] == []


def test_long_steps_are_named_when_they_begin():
    """A step of one is said once, at its beginning; many are counted."""
    from rich.console import Console

    from neurosage.cli.live import Lines

    console = Console(record=True, width=80, file=io.StringIO())
    lines = Lines(console)
    lines.count("noise ceiling", 0, 1)
    assert console.export_text(clear=False).split() == ["noise", "ceiling", "…"]
    lines.count("noise ceiling", 1, 1)
    lines.count("images", 8, 8)
    assert console.export_text().splitlines()[1:] == ["images: 8 of 8"]


def test_a_narrow_terminal_folds_intervals():
    """A number stands above its interval, both bounds apart."""
    assert _folded("lower .39 [.32, .47]; upper .68 [.64, .71]").split("\n") == [
        "lower .39",
        "[.32, .47]",
        "upper .68",
        "[.64, .71]",
    ]
    assert _folded(".76 (.53 to .93)") == ".76\n(.53 to .93)"


@pytest.mark.realdata
def test_real_recording(mirror):
    """Session 210325: median .76, from .53 to .93; every RDM reliability is estimable."""
    result = runner.invoke(app, ["macaque-v4/210325", "--json"])
    (region,) = json.loads(result.stdout)["regions"]
    shown = [round(region[key], 2) for key in ("reliability", "lowest", "highest")]
    assert shown == [0.76, 0.53, 0.93]
    assert region["rdm_trials"] > region["rdm_sites"] > 0.4
