"""Laws of scoring."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from torch import nn

from neurosage.data.assembly import assembly
from neurosage.data.images import ArrayImages
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.models.record import record
from neurosage.models.source import Model, load_model
from neurosage.rsa.similarity import similarity
from neurosage.scoring import network
from neurosage.scoring.result import Score, teacher_guidance

EXAMPLE = Path(__file__).parents[1] / "examples" / "cifar_resnet.py"


# Of similarities alone: what goes with them has tests of its own.
score = partial(network.score, interval=None, ceilings=False)


def matrix(values: object) -> xr.DataArray:
    return xr.DataArray(np.array(values, float), dims=("region", "layer"))


class Dead(nn.Module):
    """Answers 0 to everything."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(x), 4)


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    conv = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten())
    return nn.Sequential(conv, nn.Linear(8 * 36, 6))


@pytest.fixture
def teacher() -> Teacher:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (30, 8, 8, 3), np.uint8)
    table = pd.DataFrame({"stimulus_id": [f"s{i}" for i in range(30)]})
    stimuli = StimulusSet("noise", table, ArrayImages(images))
    rates = images.reshape(30, -1)[:, ::9] + generator.normal(0, 40, (30, 22))
    responses = assembly(rates, stimulus_id=table.stimulus_id, region=["V4"] * 12 + ["IT"] * 10)
    return Teacher("lab", stimuli, responses, normalise="zscore")


def test_guidance_is_the_mean_over_regions_of_the_max_over_layers() -> None:
    """Whatever the order of dims; layers without a similarity are passed over."""
    similarities = matrix([[0.1, 0.5, np.nan], [0.3, 0.2, -0.4]])
    assert teacher_guidance(similarities) == pytest.approx(0.4)
    assert teacher_guidance(similarities.transpose()) == pytest.approx(0.4)
    assert teacher_guidance(matrix([[-0.2, -0.1]])) == pytest.approx(-0.1)


@pytest.mark.parametrize(
    ("similarities", "message"),
    [
        (matrix([[np.nan, np.nan], [0.1, 0.2]]).assign_coords(region=["V4", "IT"]), r"\['V4'\]"),
        (matrix(np.empty((1, 0))), "no layer"),
        (xr.DataArray([0.1], dims="layer"), "region × layer"),
    ],
    ids=["undefined", "empty", "dims"],
)
def test_guidance_without_similarities_is_refused(similarities: xr.DataArray, message: str) -> None:
    """Never a silent NaN."""
    with pytest.raises(InputError, match=message):
        teacher_guidance(similarities)


def test_a_score_is_the_similarity_of_the_recording(net: nn.Module, teacher: Teacher) -> None:
    """The teacher's own normalisation on its side, none on the network's."""
    found = score(net, teacher, ["0.0", "1"], units=50, seed=2)
    recorded = record(net, teacher.stimuli, ["0.0", "1"], units=50, seed=2)
    expected = similarity(recorded, teacher, normalise=("none", None))
    np.testing.assert_allclose(found.similarity.values, expected.values.T)
    assert list(found.similarity.region.values) == ["V4", "IT"]
    assert list(found.data.units.values) == [50, 6]
    assert found.tg == pytest.approx(expected.values.max(0).mean())
    assert found.data.attrs["normalise_teacher"] == "zscore"
    assert found.data.attrs["normalise_layers"] == "none"


def test_a_stimulus_without_some_response_is_left_out_on_both_sides(
    net: nn.Module, teacher: Teacher
) -> None:
    """As if it had never been shown, though the network has seen all; by default an error."""
    assert teacher.assembly is not None
    holed = teacher.assembly.astype(float).copy()
    holed[4, 2] = np.nan
    gappy = Teacher("gappy", teacher.stimuli, holed, normalise="zscore")
    with pytest.raises(InputError, match="drop-stimulus"):
        score(net, gappy, ["1"])
    found = score(net, gappy, ["1"], nan="drop-stimulus")
    kept = np.flatnonzero(np.arange(30) != 4)
    recorded = record(net, teacher.stimuli, ["1"])[kept]
    expected = similarity(recorded, holed[kept], normalise=("none", "zscore"))
    np.testing.assert_allclose(found.similarity.values, expected.values.T)
    assert found.data.attrs["n_stimuli"] == 29
    assert found.data.attrs["nan"] == "drop-stimulus"
    assert json.loads(found.data.attrs["dropped"])["b"] == {"stimuli": ["s4"]}


def test_a_neuroid_missing_everywhere_is_left_out(net: nn.Module, teacher: Teacher) -> None:
    """The score is that of the others; leaving out stimuli instead would leave none."""
    assert teacher.assembly is not None
    holed = teacher.assembly.astype(float).copy()
    holed[:, 2] = np.nan
    gappy = Teacher("gappy", teacher.stimuli, holed, normalise="zscore")
    found = score(net, gappy, ["1"], nan="drop-neuroid")
    others = Teacher("others", teacher.stimuli, teacher.assembly[:, np.arange(22) != 2])
    expected = score(net, others, ["1"], normalise="zscore")
    np.testing.assert_allclose(found.similarity.values, expected.similarity.values)
    assert found.data.attrs["n_stimuli"] == 30
    with pytest.raises(InputError, match="try nan='drop-neuroid'"):
        score(net, gappy, ["1"], nan="drop-stimulus")


def test_a_network_that_answers_as_the_teacher_scores_1(teacher: Teacher) -> None:
    """Pixels against a recording of pixels, to rounding."""
    pixels = load_model("pixels")
    own = Teacher("pixels", teacher.stimuli, record(pixels, teacher.stimuli))
    found = score(pixels, own)
    assert found.tg == pytest.approx(1, abs=1e-5)
    assert found.best.layer.tolist() == ["pixels"]


def test_best_names_the_winning_layer_of_each_region(net: nn.Module, teacher: Teacher) -> None:
    """One row a region, equal to the max of the matrix; the frame has them all."""
    found = score(net, teacher)
    assert list(found.similarity.layer.values) == ["0.0", "0.1", "0.2", "1"]
    for row in found.best.itertuples():
        values = found.similarity.sel(region=row.region)
        assert row.similarity == values.max()
        assert row.layer == values.layer.values[np.argmax(values.values)]
    assert len(found.to_frame()) == 8
    assert list(found.to_frame().columns[:3]) == ["region", "layer", "similarity"]
    assert "max over 4 layers" in repr(found)
    assert "lab" in found._repr_html_()


def test_a_dead_layer_is_undefined_and_says_why(teacher: Teacher) -> None:
    """NaN with its reason; the others count; all dead is an error."""
    half = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), Dead())
    found = score(half, teacher)
    assert found.similarity.sel(layer="2").isnull().all()
    assert found.similarity.sel(layer="1").notnull().all()
    assert found.data.undefined.sel(layer="2").item()
    assert not found.data.undefined.sel(layer="1").item()
    assert np.isfinite(found.tg)
    with pytest.raises(InputError, match=r"none of 1 layers has a defined similarity"):
        score(half, teacher, ["2"])


def test_a_score_says_how_it_was_made(net: nn.Module, teacher: Teacher) -> None:
    """Names, content hashes, settings, formula, versions; and they reach the disk."""
    made = score(Model(net, id="mine"), teacher, comparison="cosine", units=9, seed=4).data.attrs
    expected = {"model": "mine", "teacher": "lab", "comparison": "cosine", "units": 9, "seed": 4}
    assert expected.items() <= made.items()
    assert made["teacher_hash"] == teacher.content_hash()
    assert made["weights_hash"] == Model(net).weights_hash
    assert "max_j" in made["formula"]
    assert json.loads(made["preprocessing"])["interpolation"] == "bicubic"


def test_crossnobis_says_that_the_network_is_euclidean(net: nn.Module, teacher: Teacher) -> None:
    """The network has no noise to take out; a teacher's averages have none to be known by."""
    assert teacher.assembly is not None
    noise = np.random.default_rng(1).normal(0, 9, (60, 22))
    twice = assembly(
        np.repeat(teacher.assembly.values, 2, 0) + noise,
        stimulus_id=np.repeat(teacher.assembly["stimulus_id"].values, 2),
        region=teacher.assembly["region"].values,
    )
    repeated = Teacher("twice", teacher.stimuli, twice, normalise="zscore")
    made = score(net, repeated, ["1"], distance="crossnobis").data.attrs
    assert (made["distance"], made["distance_layers"]) == ("crossnobis", "euclidean")
    with pytest.raises(InputError, match="single repetitions"):
        score(net, teacher, ["1"], distance="crossnobis")


def test_the_distance_of_a_teacher_of_rdms_is_taken(net: nn.Module, teacher: Teacher) -> None:
    """As if it had been asked for; normalising what has no responses is refused."""
    from neurosage.rsa.rdm import rdms

    made = rdms(teacher, "euclidean")
    published = Teacher("published", teacher.stimuli, None, made, kind="rdm")
    found = score(net, published, ["1"])
    expected = score(net, teacher, ["1"], distance="euclidean")
    np.testing.assert_allclose(found.similarity, expected.similarity, atol=1e-5)
    assert found.data.attrs["distance"] == "euclidean"
    with pytest.raises(InputError, match="normalise='centre' acts on responses"):
        score(net, published, ["1"], normalise="centre")


def test_a_saved_score_loads_as_it_was(net: nn.Module, teacher: Teacher, tmp_path: Path) -> None:
    """Values, coordinates and attributes; no other file is left beside it."""
    found = score(net, teacher, units=20)
    path = found.save(tmp_path / "deep" / "score.nc")
    assert Score.load(path).data.identical(found.data)
    assert [p.name for p in path.parent.iterdir()] == ["score.nc"]
    found.save(path)
    with pytest.raises(InputError, match=r"must end in \.nc"):
        found.save(tmp_path / "score.csv")


def test_files_that_hold_no_score_are_refused(tmp_path: Path) -> None:
    """Missing, no netCDF, or another netCDF."""
    with pytest.raises(InputError, match="there is no file"):
        Score.load(tmp_path / "score.nc")
    (tmp_path / "text.nc").write_text("hello")
    with pytest.raises(InputError, match="no netCDF"):
        Score.load(tmp_path / "text.nc")
    xr.Dataset({"other": ("x", [1])}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(InputError, match="holds no score"):
        Score.load(tmp_path / "other.nc")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layers": ["0.9"]}, "unknown layer '0.9'"),
        ({"distance": "corelation"}, "did you mean 'correlation'.*crossnobis"),
        ({"comparison": "pearsn"}, "did you mean 'pearson'"),
        ({"normalise": "z"}, "zscore"),
        ({"nan": "drop-stimuli"}, "did you mean 'drop-stimulus'"),
        ({"normalise_layers": "z"}, "zscore"),
        ({"normalise_layers": "noise"}, "needs repetitions"),
        ({"teacher": "macaque-v5"}, "did you mean 'macaque-v4'"),
        ({"teacher": "macaque-v4/19092"}, "did you mean '190929'.*Choices: 190923"),
        ({"model": "torchvison:resnet18"}, "is not understood"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_input_is_named_before_anything_is_recorded(
    net: nn.Module, teacher: Teacher, wrong: dict[str, object], message: str
) -> None:
    """The value and the choices; the network has not run."""
    runs: list[int] = []
    net.register_forward_pre_hook(lambda _m, inputs: runs.append(1))
    with pytest.raises(InputError, match=message):
        score(**({"model": net, "teacher": teacher} | wrong))  # type: ignore[arg-type]
    assert not runs


@pytest.mark.realdata
@pytest.mark.slow
def test_trained_is_more_like_v4_than_untrained_and_that_than_pixels(mirror: Path) -> None:
    """ResNet-56, correlation distance, the card's z-scoring, session 201025.

    Published with the data: trained .24 .25 .23, pixels .12.
    """
    (weights,) = mirror.rglob("resnet56-4bfd9763.th")
    layers = ["layer1", "layer2", "layer3"]
    trained = score(load_model(f"{EXAMPLE}:resnet56", weights), "macaque-v4", layers)
    untrained = score(f"{EXAMPLE}:resnet56", "macaque-v4", layers)
    network = load_model(f"{EXAMPLE}:resnet56")
    pixels = score("pixels", "macaque-v4", preprocessing=network.preprocessing)
    assert trained.data.attrs["normalise_teacher"] == "zscore"
    np.testing.assert_allclose(trained.similarity.values[0], [0.24, 0.25, 0.23], atol=0.015)
    assert pixels.tg == pytest.approx(0.12, abs=0.01)
    assert trained.tg > untrained.tg + 0.05
    assert untrained.tg > pixels.tg
