"""Laws of intervals and of layers chosen on other stimuli, as they stand in a score."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.models.record import record
from neurosage.rsa.inference.cross_fitted import cross_fitted_similarity
from neurosage.scoring.network import score
from neurosage.scoring.result import Score


def grouped(teacher: Teacher) -> Teacher:
    """The same, with the object shown on presentation."""
    assert teacher.assembly is not None
    objects = np.tile(teacher.stimuli.table["object"], 4)
    halves = np.tile(teacher.stimuli.table["half"], 4)
    labelled = teacher.assembly.assign_coords(
        object=("presentation", objects), half=("presentation", halves)
    )
    return Teacher("grouped", teacher.stimuli, labelled, normalise="zscore")


def test_intervals_are_those_of_the_bootstrap(net: nn.Module, teacher: Teacher) -> None:
    """As `bootstrap_similarity` gives them for the recording; each holds its similarity."""
    from neurosage.rsa.inference.bootstrap import bootstrap_similarity

    found = score(net, teacher, resamples=50, seed=4, ceilings=False)
    recorded = record(net, teacher.stimuli, seed=4)
    expected = bootstrap_similarity(
        recorded, teacher, normalise=("none", None), resamples=50, seed=4
    )
    for name in ("low", "high"):
        np.testing.assert_allclose(found.data[name], expected[name].T, atol=1e-5)
    assert bool((found.data.low < found.similarity).all())
    assert bool((found.similarity < found.data.high).all())
    made = found.data.attrs
    assert (made["interval"], made["resamples"], made["interval_over"]) == (0.95, 50, "stimuli")
    assert json.loads(made["not_estimable"]) == {}


def test_cross_fitted_is_that_of_the_recording(net: nn.Module, teacher: Teacher) -> None:
    """Values, ends and how often each layer was chosen; at most the best on all stimuli."""
    found = score(net, teacher, resamples=30, ceilings=False).data
    recorded = record(net, teacher.stimuli)
    expected = cross_fitted_similarity(recorded, teacher, normalise=("none", None), resamples=30)
    for name in ("similarity", "low", "high"):
        own = "cross_fitted" + ("" if name == "similarity" else f"_{name}")
        np.testing.assert_allclose(found[own], expected[name], atol=1e-5)
    np.testing.assert_allclose(found.chosen.sum("layer"), 1)
    assert bool((found.cross_fitted_low < found.cross_fitted_high).all())


def test_cross_fitting_takes_the_flattery_out_of_many_noise_layers(teacher: Teacher) -> None:
    """The best of 40 layers that know nothing is well above 0, cross-fitted it is not."""

    class Noise(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weights = nn.Linear(192, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.sin(1e4 * self.weights(x.flatten(1)))

    torch.manual_seed(1)
    net = nn.Sequential()
    for k in range(40):
        net.add_module(f"noise{k}", Parallel(Noise()))
    names = [f"noise{k}.branch" for k in range(40)]
    found = score(net, teacher, names, distance="euclidean", ceilings=False, resamples=20)
    assert bool((found.best.similarity > 0.08).all())
    assert bool((found.best.cross_fitted < 0.06).all())


class Parallel(nn.Module):
    """Runs a module beside the stream, and passes the stream on."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.branch(x)
        return x


def test_groups_are_drawn_together(net: nn.Module, teacher: Teacher) -> None:
    """By a coordinate of the teacher; the score says so."""
    found = score(net, grouped(teacher), ["1"], by="object", resamples=50, ceilings=False)
    alone = score(net, grouped(teacher), ["1"], resamples=50, ceilings=False)
    assert found.data.attrs["interval_over"] == "groups of stimuli (object)"
    assert bool((found.data.low != alone.data.low).all())


def test_a_layer_without_rdm_has_no_interval(teacher: Teacher) -> None:
    """NaN, as its similarity; the others have theirs."""

    class Dead(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), 4)

    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), Dead())
    found = score(net, teacher, resamples=30, ceilings=False).data
    assert found.low.sel(layer="2").isnull().all()
    assert found.low.sel(layer="1").notnull().all()
    assert found.chosen.sel(layer="2").max() == 0


@pytest.mark.parametrize(("comparison", "why"), [("svcca", "RDM"), ("kendall", "takes long")])
def test_a_comparison_without_bootstrap_says_so(
    net: nn.Module, teacher: Teacher, comparison: str, why: str
) -> None:
    """The similarity stands; the reason is in the score, nothing is raised."""
    found = score(net, teacher, ["1"], comparison=comparison, resamples=20)
    assert found.similarity.notnull().all()
    assert "low" not in found.data
    reasons = json.loads(found.data.attrs["not_estimable"])
    assert why in reasons["interval"]["V4"]
    assert reasons["interval"] == reasons["cross_fitted"]
    assert "Not estimable for V4, IT" in found._repr_html_()


def test_of_a_whitened_comparison_half_samples_are_drawn(net: nn.Module, teacher: Teacher) -> None:
    """Intervals from halves, as the score says, cross-fitted too."""
    found = score(net, teacher, ["0.0", "1"], comparison="cka", resamples=30, ceilings=False).data
    assert bool((found.low < found.high).all())
    assert "half-samples" in found.attrs["interval_method"]
    assert found.cross_fitted.notnull().all()
    assert bool((found.cross_fitted_low < found.cross_fitted).all())
    assert json.loads(found.attrs["not_estimable"]) == {}


@pytest.mark.parametrize(("comparison", "n"), [("cka_unbiased", 11), ("pearson", 8)])
def test_ends_that_are_lost_have_their_reason(
    net: nn.Module, teacher: Teacher, comparison: str, n: int
) -> None:
    """Of few stimuli there is a similarity, but no interval of it; the score says why."""
    ids = [f"s{i}" for i in range(n)]
    assert teacher.assembly is not None
    shown = teacher.assembly[np.isin(teacher.assembly["stimulus_id"].values, ids)]
    few = Teacher("few", teacher.stimuli.take(ids), shown, normalise="zscore")
    found = score(net, few, ["0.0", "1"], comparison=comparison, resamples=30, ceilings=False)
    reasons = json.loads(found.data.attrs["not_estimable"])
    assert found.data.cross_fitted_low.isnull().all()
    assert set(reasons["cross_fitted_interval"]) == {"V4", "IT"}
    assert ("interval" in reasons) == bool(found.data.low.isnull().any())
    assert "Not estimable for V4, IT: " in found._repr_html_()
    assert "cross-fitted interval" in found._repr_html_()


def test_more_stimuli_than_can_be_resampled_in_time_are_not(
    net: nn.Module, teacher: Teacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The score says why, and what does it nevertheless."""
    monkeypatch.setattr("neurosage.scoring.uncertainty.STIMULI", 39)
    found = score(net, teacher, ["1"], ceilings=False).data
    assert "which are 40" in found.attrs["not_estimable"]
    assert "low" not in found


def test_a_column_of_the_stimuli_is_as_good_as_a_coordinate(
    net: nn.Module, teacher: Teacher
) -> None:
    """Groups are the same, so the intervals are; of a teacher of RDMs too."""
    from neurosage.rsa.rdm import rdms

    how = {"by": "object", "resamples": 30, "ceilings": False}
    expected = score(net, grouped(teacher), ["1"], **how).data.low  # type: ignore[arg-type]
    published = Teacher("published", teacher.stimuli, None, rdms(teacher), kind="rdm")
    for held in (teacher, published):
        found = score(net, held, ["1"], **how).data.low  # type: ignore[arg-type]
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_interval_there_is_none(net: nn.Module, teacher: Teacher) -> None:
    """Neither ends nor cross-fitting, and no word of resamples."""
    found = score(net, teacher, ["1"], interval=None, ceilings=False).data
    assert set(found.data_vars) == {"similarity"}
    assert "resamples" not in found.attrs


def test_a_score_with_all_of_it_is_saved_and_loads(
    net: nn.Module, teacher: Teacher, tmp_path: Path
) -> None:
    """As it was; and a file from before there were intervals loads too."""
    found = score(net, teacher, ["1"], resamples=20)
    assert Score.load(found.save(tmp_path / "score.nc")).data.identical(found.data)
    old = Score(found.data[["similarity"]].assign_attrs(model="m", teacher="t"))
    again = Score.load(old.save(tmp_path / "old.nc"))
    assert list(again.best.columns) == ["region", "layer", "similarity"]
    assert again.tg == found.tg


def test_progress_names_each_step(net: nn.Module, teacher: Teacher) -> None:
    """Stimuli first, then what takes long, each begun and done."""
    seen: list[tuple[str, int, int]] = []
    score(net, teacher, ["1"], resamples=20, progress=lambda *step: seen.append(step))
    assert seen[0] == ("stimuli recorded", 40, 40)
    steps = [
        "similarities",
        "RDMs of all layers",
        "intervals",
        "cross-fitted layers",
        "ceiling (trials)",
        "ceiling (sites)",
    ]
    assert seen[1:] == [(what, done, 1) for what in steps for done in (0, 1)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"interval": 95}, "between 0 and 1"),
        ({"resamples": 5}, "resamples must be a whole number of 20 or more"),
        ({"by": "colour"}, "unknown .* 'colour'.*object"),
        ({"by": "half"}, "2 groups"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_settings_are_named_before_the_network_runs(
    net: nn.Module, teacher: Teacher, wrong: dict[str, object], message: str
) -> None:
    """The value and the rule; nothing was recorded."""
    runs: list[int] = []
    net.register_forward_pre_hook(lambda _m, _inputs: runs.append(1))
    with pytest.raises(InputError, match=message):
        score(net, grouped(teacher), **wrong)  # type: ignore[arg-type]
    assert not runs


def test_rdms_alone_have_intervals_too(net: nn.Module, teacher: Teacher) -> None:
    """A teacher of RDMs: the same draws, the same interval as with its responses."""
    from neurosage.rsa.rdm import rdms

    made = rdms(teacher)
    published = Teacher("published", teacher.stimuli, None, made, kind="rdm")
    found = score(net, published, ["1"], resamples=30, ceilings=False)
    expected = score(net, teacher, ["1"], resamples=30, ceilings=False)
    np.testing.assert_allclose(found.data.low, expected.data.low, atol=1e-5)


@pytest.mark.realdata
@pytest.mark.slow
def test_intervals_of_macaque_v4_hold_what_is_published(mirror: Path) -> None:
    """ResNet-56 on session 201025: .24 .25 .23 with a standard error of about .01, ceiling .76."""
    from neurosage.models.source import load_model

    (weights,) = mirror.rglob("resnet56-4bfd9763.th")
    example = Path(__file__).parents[2] / "examples" / "cifar_resnet.py"
    network = load_model(f"{example}:resnet56", weights)
    found = score(network, "macaque-v4", ["layer1", "layer2", "layer3"], resamples=200)
    data = found.data.sel(region="V4")
    assert bool(((data.low < data.similarity) & (data.similarity < data.high)).all())
    np.testing.assert_allclose(data.high - data.low, 0.04, atol=0.015)
    assert float(data.ceiling_sites) == pytest.approx(0.76, abs=0.01)
    assert np.isnan(data.ceiling_trials)
    assert "averaged over 12" in data.attrs["not_estimable"]
    assert float(data.cross_fitted) == pytest.approx(float(data.similarity.max()), abs=0.01)
