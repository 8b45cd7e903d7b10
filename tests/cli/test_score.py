"""Laws of ``neurosage score``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from neurosage.cli.score import app
from neurosage.data.assembly import assembly
from neurosage.data.registry import load_stimuli
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.scoring.result import Score

NET = """
import torch
from torch import nn
def make(): return nn.Sequential(nn.Conv2d(3, 2, 3, stride=2), nn.ReLU(), nn.Flatten())
"""
SIMULATED = ("--teacher", "simulated-macaque")
ALONE = ("--no-interval", "--no-ceilings")  # similarities, without what goes with them


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET)
    return f"{tmp_path / 'net.py'}:make"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_the_tables_name_the_best_layer_of_each_region(model: str, tmp_path: Path) -> None:
    """With intervals, cross-fitted, ceilings and their wording; the score and a page are saved."""
    shorter = ("--size", "8x8", "--resamples", 30)
    done = call(model, *SIMULATED, *shorter, "--out", tmp_path / "out")
    assert done.exit_code == 0
    saved = Score.load(tmp_path / "out" / "score.nc")
    for row in saved.best.itertuples():
        assert f"{row.similarity:.3f} [{row.low:.3f}, {row.high:.3f}]" in done.stdout
        assert f"{row.cross_fitted:.3f} [" in done.stdout
        assert f"{row.ceiling_trials:.3f} [" in done.stdout
        assert str(row.region) in done.stdout
    assert "max over 3 layers" in done.stdout
    assert "estimated ceiling (trials and sites), not a bound" in done.stdout
    assert "<html" in (tmp_path / "out" / "score.html").read_text(encoding="utf-8")
    assert "SIMULATED" in done.stdout
    assert '"size": [8, 8]' in saved.data.attrs["preprocessing"]


def test_the_footer_says_which_side_has_which_distance(model: str) -> None:
    """Of crossnobis the network's side is euclidean; of others both sides are the same."""
    done = call(
        model, *SIMULATED, *ALONE, "--layers", "0", "--units", 20, "--distance", "crossnobis"
    )
    assert "pearson of crossnobis RDMs (the network's: euclidean, without noise)" in done.stdout
    done = call(model, *SIMULATED, *ALONE, "--layers", "0", "--units", 20)
    assert "pearson of correlation RDMs over" in done.stdout
    assert "crossnobis" in call("--help").stdout


def test_json_is_the_only_thing_on_standard_output(model: str) -> None:
    """Machine-readable: TG, best layers, all layers, provenance."""
    done = call(model, *SIMULATED, *ALONE, "--layers", "0, 1", "--units", 20, "--json")
    document = json.loads(done.stdout)
    assert {row["layer"] for row in document["layers"]} == {"0", "1"}
    assert document["tg"] == pytest.approx(
        sum(row["similarity"] for row in document["best"]) / 3, abs=1e-8
    )
    assert document["made"]["units"] == 20


def test_progress_is_shown_on_standard_error(model: str) -> None:
    """How many stimuli are recorded, of how many; standard output has the score alone."""
    done = call(model, *SIMULATED, *ALONE, "--batch-size", 50, "--nan", "drop-stimulus", "--json")
    made = json.loads(done.stdout)["made"]
    assert f"stimuli recorded: {made['n_stimuli']} of {made['n_stimuli']}" in done.stderr
    assert made["nan"] == "drop-stimulus"


def test_what_goes_with_similarities_can_be_left_out(model: str) -> None:
    """Neither intervals nor ceilings; what is computed is named on standard error."""
    done = call(model, *SIMULATED, *ALONE, "--layers", "0")
    assert "[" not in done.stdout
    assert "ceiling" not in done.stdout
    assert "intervals" not in done.stderr
    shown = call(model, *SIMULATED, "--layers", "0", "--resamples", 20, "--json")
    best = json.loads(shown.stdout)["best"][0]
    assert best["low"] < best["similarity"] < best["high"]
    for step in ("intervals", "cross-fitted layers", "ceiling (trials)", "ceiling (sites)"):
        assert f"{step} …" in shown.stderr


def test_what_a_policy_left_out_is_named(model: str, tmp_path: Path) -> None:
    """A neuroid without a response to one stimulus: how many, which, why."""
    stimuli = load_stimuli("digits").take([f"digit-{k:04}" for k in range(12)])
    values = np.random.default_rng(0).normal(size=(12, 9))
    values[4, 2] = np.nan
    responses = assembly(values, stimulus_id=stimuli.stimulus_ids, region="V4")
    Teacher("holed", stimuli, responses).save(tmp_path / "holed")
    done = call(model, "--teacher", tmp_path / "holed", "--nan", "drop-neuroid", "--layers", "0")
    assert "1 neuroid left out for missing responses: V4.2" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "32px"), "--size is a number of pixels"),
        (("--size", "0"), "at least 1"),
        (("--layers", "5"), "unknown layer '5'"),
        (("--weights", "nowhere.pt"), "there is no file of weights nowhere.pt"),
        (("--out", __file__), "cannot be made a folder"),
        (("--distance", "manhattan"), "unknown distance 'manhattan'"),
        (("--nan", "skip"), "unknown policy for missing responses .* 'skip'"),
        (("--units", "0"), "1 or more"),
        (("--device", "gpu"), "unknown device 'gpu'.*Choices: cpu"),
        (("--device", "cuda:99"), "unknown device 'cuda:99'"),
        (("--interval", "95"), "between 0 and 1"),
        (("--by", "colour"), "unknown .*'colour'"),
        (("--resamples", "3"), "20 or more"),
        (("--seed", "-1"), "a seed is a whole number, at least 0, not -1"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_wrong_calls_are_named(model: str, arguments: tuple[str, str], message: str) -> None:
    """An error of the user's input, which the command line turns into one sentence."""
    with pytest.raises(InputError, match=message):
        call(model, *SIMULATED, *arguments)


@pytest.mark.parametrize("wrong", [("--device", "gpu"), ("--seed", "-1"), ("--batch-size", "0")])
def test_how_it_runs_is_checked_before_anything_is_loaded(wrong: tuple[str, str]) -> None:
    """Neither the network nor the teacher is looked at, or there would be another error."""
    with pytest.raises(InputError, match=r"unknown device|seed|batch_size"):
        call("nowhere.py:make", "--teacher", "nobody", *wrong)
