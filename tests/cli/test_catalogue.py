"""``teachers``, ``stimuli``, ``fetch``: a table for people, JSON for programs."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from neurosage.cli.catalogue import app
from neurosage.errors import InputError

runner = CliRunner()


@pytest.mark.parametrize(
    ("command", "ids"),
    [("teachers", {"simulated-macaque", "macaque-v4/190923"}), ("stimuli", {"digits"})],
)
def test_listings(command, ids):
    """Both forms list the same; the table is not squeezed when piped."""
    table = runner.invoke(app, [command])
    assert table.exit_code == 0
    rows = json.loads(runner.invoke(app, [command, "--json"]).stdout)
    assert ids <= {row["id"] for row in rows}
    assert all(row["id"] in table.stdout for row in rows)
    assert "macaque-v4/201025 (default)" in table.stdout


def test_regions_that_the_file_names_are_no_empty_cell():
    """Where a card leaves regions to its file, the listing says where they stand there."""
    rows = json.loads(runner.invoke(app, ["teachers", "--json"]).stdout)
    named = {row["id"]: row["regions"] for row in rows}
    assert named["macaque-hvm/chabo"] == named["macaque-hvm/tito"] == "in its file: subregion"
    assert named["macaque-hvm/both"] == "V4, pIT, aIT"


def test_simulated_teachers_stand_out():
    """The listing says SIMULATED."""
    assert "SIMULATED" in runner.invoke(app, ["teachers"]).stdout


def test_fetch_of_what_is_made_here():
    """Nothing to fetch is said, and is no failure."""
    result = runner.invoke(app, ["fetch", "simulated-macaque", "--json"])
    assert json.loads(result.stdout) == {"id": "simulated-macaque", "files": []}
    assert "nothing to fetch" in runner.invoke(app, ["fetch", "simulated-macaque"]).stderr


def test_fetch_of_an_unknown_id():
    """An unknown id is the user's error, with close matches."""
    result = runner.invoke(app, ["fetch", "simulated-macaqe"])
    assert isinstance(result.exception, InputError)
    assert "did you mean 'simulated-macaque'" in str(result.exception)
