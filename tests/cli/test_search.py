"""``neurosage search``, in full on tiny settings."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from typer.testing import CliRunner

from neurosage.cli.search import app
from neurosage.errors import InputError, RunError
from neurosage.nas.config import example_config
from neurosage.nas.run import Run

TOML = """
[search]
candidates = 3
max_macs = 1e6
[space]
name = "convnet-5"
options = { filters = [2, 4] }
[explorer]
name = "random"
[data]
name = "digits"
train = 100
valid = 50
[training]
recipe = "digits"
steps = 2
[[teacher]]
id = "simulated-macaque"
[record]
units = 50
[engine]
name = "debug"
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.toml"
    path.write_text(TOML)
    return path


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_search_ends_in_a_table(file, tmp_path):
    """Rank, P, TG, P+TG, parameters, MACs, examples, architecture; plain lines before it."""
    result = invoke(file)
    assert result.exit_code == 0, result.stderr
    for name in ("rank", "P", "TG", "P+TG", "parameters", "MACs", "examples", "architecture"):
        assert name in result.stdout
    assert "recording and similarity took" in result.stdout
    assert "candidate 0" in result.stderr
    assert "\x1b" not in result.stdout + result.stderr
    run = Run(tmp_path / "runs" / "tiny")
    assert {c.state for c in run.candidates()} <= {"finished", "failed"}
    assert run.best.similarity.sizes["region"] == 3

    again = invoke(file, "--resume", "--set", "search.candidates=4", "--json")
    assert again.exit_code == 0
    document = json.loads(again.stdout)
    assert {c["k"] for c in document["candidates"]} == {0, 1, 2, 3}
    assert isinstance(document["candidates"][0]["architecture"], dict)

    with pytest.raises(RunError, match="already holds a search"):
        invoke(file).exception and _raise(invoke(file))


def _raise(result):
    raise result.exception


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("teacher.id=simulated-macaq", "did you mean 'simulated-macaque'"),
        ("teacher.regions=V5", "unknown region"),
        ("rsa.distance=corelation", "did you mean 'correlation'"),
        ("explorer.name=tp", "did you mean 'tpe'"),
        ("space.options.filter=[2]", "did you mean 'filters'"),
        ("training.options.bach=3", "did you mean 'batch'"),
        ("data.name=cifar-100", "needs a path"),
        ("search.candidats=3", "did you mean 'candidates'"),
    ],
)
def test_what_is_wrong_is_named_before_costly_work(file, tmp_path, setting, message):
    """The choices and close matches; nothing is left behind."""
    with pytest.raises(InputError, match=message):
        _raise(invoke(file, "--set", setting))
    assert not (tmp_path / "runs").exists()


def test_a_search_of_which_nothing_finished_has_failed(file):
    """Exit status 1, with the reasons."""
    result = invoke(file, "--set", "search.max_macs=1")
    assert result.exit_code == 1
    assert result.stdout.count("more than max_macs") == 3


def test_the_example_is_printed():
    """As it is, to be redirected into a file."""
    result = invoke("--example")
    assert (result.exit_code, result.stdout) == (0, example_config())


def test_a_file_is_needed():
    """Without one, the next step is named."""
    with pytest.raises(InputError, match="--example"):
        _raise(invoke())


def test_nothing_to_resume_is_said(file):
    """A search that was never begun cannot go on."""
    with pytest.raises(RunError, match="there is no search at"):
        _raise(invoke(file, "--resume"))


def test_ctrl_c_exits_with_130_and_loses_nothing(file, tmp_path):
    """The running candidate finishes; the way to go on is printed."""
    command = [sys.executable, "-c", "from neurosage.cli.search import app; app()", str(file)]
    more = ["--set", "search.candidates=500", "--out", "here"]
    process = subprocess.Popen(
        command + more, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    database = tmp_path / "here" / "tiny" / "search.db"
    end = time.monotonic() + 60
    while time.monotonic() < end and not (database.is_file() and _finished(database.parent)):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "--resume --out here --set search.candidates=500" in stderr
    assert "P+TG" in stdout
    assert "running" not in {c.state for c in Run(database.parent).candidates()}


def _finished(folder):
    try:
        return any(c.state == "finished" for c in Run(folder).candidates())
    except RunError:
        return False
