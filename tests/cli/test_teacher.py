"""``neurosage teacher new``: what it found, and what to do next."""

from __future__ import annotations

import zipfile
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from neurosage.cli.teacher import app
from neurosage.errors import InputError

runner = CliRunner()


@pytest.fixture
def lab(tmp_path):
    """Two images and the responses of three neuroids."""
    (tmp_path / "lab").mkdir()
    stream = BytesIO()
    Image.new("RGB", (2, 2)).save(stream, "png")
    with zipfile.ZipFile(tmp_path / "lab" / "images.zip", "w") as archive:
        for name in ("a.png", "b.png"):
            archive.writestr(name, stream.getvalue())
    np.save(tmp_path / "lab" / "responses.npy", np.arange(6.0).reshape(2, 3))
    return tmp_path / "lab"


def test_what_is_left_is_the_next_step(lab):
    """The card is shown, and the keys to fill in are named."""
    result = runner.invoke(app, ["teacher", "new", str(lab), "--id", "lab-it"])
    assert result.exit_code == 0
    assert 'id = "lab-it"' in result.stdout
    assert 'dims = ["stimulus", "neuroid"]' in result.stdout
    assert "Next: fill in part.all.neuroids.region; then" in result.stdout
    assert (lab / "card.toml").is_file()


def test_a_whole_card_loads_at_once(lab):
    """With the region given the teacher is loaded and shown."""
    result = runner.invoke(app, ["teacher", "new", str(lab), "--region", "IT"])
    assert "It loads: <Teacher lab (recorded): 2 stimuli, IT 3 neuroids" in result.stdout
    again = runner.invoke(app, ["teacher", "new", str(lab)])
    assert isinstance(again.exception, InputError)


def test_what_does_not_load_says_why(lab):
    """A card that is whole but does not fit the files is written, with the reason."""
    rows = "stimulus_id,filename\n1,a.png\n2,b.png\n3,c.png\n"
    (lab / "stimuli.csv").write_text(rows)
    np.save(lab / "responses.npy", np.arange(6.0).reshape(3, 2))
    result = runner.invoke(app, ["teacher", "new", str(lab), "--region", "IT"])
    assert result.exit_code == 0
    assert "It does not load yet: 1 of 3 stimuli have no image" in result.stdout
