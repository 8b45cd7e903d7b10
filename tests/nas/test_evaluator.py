"""The evaluator: an architecture in, P, similarities, TG and costs out."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from neurosage.data.registry import load_teacher, register_teacher
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.models.record import record
from neurosage.nas import evaluator
from neurosage.nas.batches import preprocessing_of
from neurosage.nas.catalogue import make_space
from neurosage.nas.datasets import DataSpec, load_data
from neurosage.nas.engine import run_task
from neurosage.nas.evaluator import (
    CandidateFailed,
    Evaluation,
    Progress,
    Task,
    TeacherSpec,
    evaluate,
    pin,
)
from neurosage.nas.recipes import get_recipe
from neurosage.nas.seeds import derive_seed
from neurosage.nas.space import assign
from neurosage.rsa.similarity import similarity

pytestmark = pytest.mark.filterwarnings("ignore:.*SIMULATED")
SPACE = make_space("convnet-5", {"filters": [4, 8]})


def architecture(seed: int, **fixed: Any) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return assign(SPACE, lambda c: c.options[rng.integers(len(c.options))], fixed)


def make_task(**changes: Any) -> Task:
    task = Task(
        k=3,
        architecture=architecture(1, layers=2),
        space="convnet-5",
        space_options={"filters": [4, 8]},
        data=DataSpec("digits", train=128, valid=100),
        recipe=get_recipe("digits"),
        steps=3,
        teachers=(TeacherSpec("simulated-macaque"),),
        units=100,
        seed=7,
    )
    return replace(task, **changes)


@pytest.fixture(scope="module")
def task() -> Task:
    return pin(make_task())


@pytest.fixture(scope="module")
def evaluation(task: Task) -> Evaluation:
    return evaluate(task)


def test_the_same_task_gives_the_same_bits(task: Task, evaluation: Evaluation) -> None:
    """P, losses and the whole matrix, whatever was evaluated between, and after pickling."""
    evaluate(replace(task, k=4, architecture=architecture(2, layers=1)))
    torch.manual_seed(12345)
    again = evaluate(pickle.loads(pickle.dumps(task)))
    assert (again.P, again.TG, again.score) == (evaluation.P, evaluation.TG, evaluation.score)
    np.testing.assert_array_equal(again.data["loss"], evaluation.data["loss"])
    np.testing.assert_array_equal(again.similarity, evaluation.similarity)


def test_a_retry_repeats_and_another_candidate_does_not(task: Task, evaluation: Evaluation) -> None:
    """Seeds come from the search's seed and k, not from the attempt."""
    assert evaluate(replace(task, attempt=2)).score == evaluation.score
    assert evaluate(replace(task, k=5)).score != evaluation.score
    assert evaluate(replace(task, seed=8)).score != evaluation.score


def test_the_score_is_p_plus_alpha_tg(task: Task, evaluation: Evaluation) -> None:
    """TG is the mean over regions of the best layer; α and P's weight are the task's."""
    assert evaluation.similarity.dims == ("region", "layer")
    assert list(evaluation.similarity.region.values) == ["V4", "pIT", "aIT"]
    assert list(evaluation.similarity.layer.values) == ["layer1", "layer2"]
    best = evaluation.similarity.max("layer").mean().item()
    assert math.isclose(evaluation.TG, best)
    assert evaluation.score == pytest.approx(evaluation.P + evaluation.TG)
    weighted = evaluate(replace(task, alpha=5.0, performance_weight=0.5))
    assert weighted.score == pytest.approx(0.5 * evaluation.P + 5 * evaluation.TG)


def test_similarity_is_that_of_the_public_functions(task: Task) -> None:
    """An untrained candidate, recorded and compared step by step, gives the same matrix."""
    untrained = evaluate(replace(task, steps=0))
    teacher = load_teacher("simulated-macaque")
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(7, 3, "initialise"))
        net = SPACE.build(task.architecture, classes=10, image=(3, 16, 16))
    recorded = record(
        net,
        teacher.stimuli,
        ["layer1", "layer2"],
        units=100,
        seed=derive_seed(7, 3, "units"),
        preprocessing=preprocessing_of(task.recipe, (16, 16)),
    )
    expected = similarity(recorded, teacher, normalise=("none", None))
    np.testing.assert_allclose(untrained.similarity, expected.values.T, atol=1e-5)


def test_a_search_for_alignment_alone(task: Task, evaluation: Evaluation) -> None:
    """No steps and no weight on P: P is not measured, the score is α·TG."""
    alone = evaluate(replace(task, steps=0, performance_weight=0.0))
    assert math.isnan(alone.P)
    assert alone.score == alone.TG
    assert alone.numbers["examples"] == 0
    assert alone.TG != evaluation.TG


def test_costs_are_counted(task: Task, evaluation: Evaluation) -> None:
    """Parameters, MACs, examples and the seconds of each part."""
    n = evaluation.numbers
    net = SPACE.build(task.architecture, classes=10, image=(3, 16, 16))
    assert n["parameters"] == sum(p.numel() for p in net.parameters())
    assert n["macs"] > 0
    assert (n["examples"], n["steps"]) == (192 - 64 + 64, 3)
    parts = sum(value for name, value in n.items() if name.startswith("seconds_"))
    assert 0.8 * n["seconds"] < parts <= n["seconds"]
    assert 0 < evaluation.analysis_share < 1


def test_provenance_says_how_the_numbers_were_made(task: Task, evaluation: Evaluation) -> None:
    """Teacher, normalisation of each side, hashes, seed, versions."""
    attrs = evaluation.data.attrs
    (teacher,) = json.loads(attrs["teachers"])
    assert teacher["normalise"] == "zscore"
    assert teacher["content_hash"] == load_teacher("simulated-macaque").content_hash()
    assert json.loads(attrs["data"])["content_hash"] == task.data.content_hash
    assert evaluation.architecture == task.architecture
    assert (attrs["seed"], attrs["distance"], attrs["comparison"]) == (7, "correlation", "pearson")
    assert "torch" in attrs["versions"]


def test_progress_tells_when_training_will_be_done(task: Task) -> None:
    """From the first step on there is an estimate; at the end it is zero."""
    seen: list[Progress] = []
    evaluate(task, seen.append)
    assert [(p.k, p.step, p.steps) for p in seen] == [(3, i, 3) for i in range(4)]
    assert math.isnan(seen[0].eta)
    assert seen[1].eta == pytest.approx(2 * seen[1].seconds)
    assert seen[3].eta == 0


def test_several_teachers_each_on_its_own_stimuli(task: Task, evaluation: Evaluation) -> None:
    """TG is the mean over the regions of all; a region may have one name in two teachers."""
    whole = load_teacher("simulated-macaque")
    half = whole.stimuli.take(whole.stimuli.stimulus_ids[:100])
    keep = np.isin(whole.assembly.stimulus_id.values, half.stimulus_ids)
    register_teacher(
        "half-macaque", lambda part=None: Teacher("half-macaque", half, whole.assembly[keep])
    )
    both = pin(
        replace(
            task,
            teachers=(
                TeacherSpec("simulated-macaque", regions=["V4"]),  # type: ignore[arg-type]
                TeacherSpec("half-macaque", regions=("V4", "aIT"), normalise="zscore"),
            ),
        )
    )
    found = evaluate(both)
    assert list(found.data.region.values) == ["V4", "V4", "aIT"]
    assert list(found.data.teacher.values) == ["simulated-macaque"] + ["half-macaque"] * 2
    np.testing.assert_allclose(found.similarity[0], evaluation.similarity[0], atol=1e-12)
    assert not np.array_equal(found.similarity[1], found.similarity[0])
    best = found.similarity.max("layer").mean().item()
    assert math.isclose(found.TG, best)


@pytest.mark.parametrize("nan", ["drop-stimulus", "drop-neuroid"])
def test_missing_responses_of_a_teacher_are_left_out_as_it_says(task: Task, nan: str) -> None:
    """One missing response costs its stimulus or its neuroid; by default the search."""
    whole = load_teacher("simulated-macaque")
    assert whole.assembly is not None
    holed = whole.assembly.astype(float).copy()
    shown = holed.stimulus_id.values == holed.stimulus_id.values[0]
    holed[shown, 0] = np.nan
    rest = holed[~shown] if nan == "drop-stimulus" else holed[:, 1:]
    stimuli = whole.stimuli.take(list(dict.fromkeys(rest.stimulus_id.values)))
    register_teacher("holed", lambda part=None: Teacher("holed", whole.stimuli, holed))
    register_teacher("rest", lambda part=None: Teacher("rest", stimuli, rest))
    with pytest.raises(InputError, match="missing"):
        evaluate(pin(replace(task, teachers=(TeacherSpec("holed"),))))
    found = evaluate(pin(replace(task, teachers=(TeacherSpec("holed", nan=nan),))))
    expected = evaluate(pin(replace(task, teachers=(TeacherSpec("rest"),))))
    np.testing.assert_allclose(found.similarity.values, expected.similarity.values, atol=1e-5)
    with pytest.raises(InputError, match="did you mean 'drop-"):
        TeacherSpec("holed", nan=f"{nan}s")


def test_too_many_macs_fail_before_anything_is_built(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even a network that could never be allocated."""
    monkeypatch.setattr(evaluator, "train", None)
    with pytest.raises(CandidateFailed, match=r"needs [\d,]{5,} .* more than max_macs = 10\."):
        evaluate(replace(task, max_macs=10))
    huge = replace(task, space_options={"filters": [2_000_000]}, max_macs=1e9)
    filters = {name: 2_000_000 for name in task.architecture if name.endswith("filters")}
    with pytest.raises(CandidateFailed, match=r"more than max_macs = 1,000,000,000\."):
        evaluate(replace(huge, architecture={**task.architecture, **filters}))


def _stumble() -> None:
    raise ValueError("Expected more than 1 value per channel when training")


def _break() -> None:
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


class BrokenSpace:
    """A space whose networks fail in one way or another."""

    name = "broken"
    choices = ()

    def __init__(self, how: str) -> None:
        self.how = how

    def build(self, architecture: Any, *, classes: int, image: tuple[int, int, int]) -> nn.Module:
        if self.how == "build":
            raise ValueError("a kernel of size 0")
        width = image[0] * image[1] * image[2] + (self.how == "run")
        net = nn.Sequential(nn.Flatten(), nn.Linear(width, classes))
        if self.how == "diverge" and net[1].weight.device.type != "meta":
            nn.init.constant_(net[1].weight, math.inf)
        if self.how == "constant":
            nn.init.zeros_(net[1].weight)
        if self.how == "unsound":
            net[1].register_buffer("_nan", torch.full((), math.nan))
            net[1].register_forward_hook(lambda m, _, out: out if m.training else out * m._nan)
        if self.how == "stumble":
            net.register_forward_pre_hook(lambda m, _: _stumble() if m.training else None)
        if self.how == "accelerator":
            net[1].register_forward_hook(lambda *_: _break() if net.training else None)
        return net

    def layers(self, architecture: Any) -> tuple[str, ...]:
        return ("1",)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("build", "cannot be built: a kernel of size 0"),
        ("run", "cannot run"),
        ("diverge", "the loss became nan"),
        ("stumble", "training failed: Expected more than 1 value"),
        ("unsound", "not sound: layer '1' gives NaN or infinity"),
        ("constant", "no layer has a defined similarity"),
    ],
)
def test_a_candidate_that_cannot_be_evaluated_fails_with_its_reason(
    task: Task, monkeypatch: pytest.MonkeyPatch, how: str, reason: str
) -> None:
    """The failure is the candidate's own, survives pickling, and threads are restored."""
    monkeypatch.setattr(evaluator, "make_space", lambda *_: BrokenSpace(how))
    threads = torch.get_num_threads()
    steps = 0 if how == "constant" else 2
    with pytest.raises(CandidateFailed, match=reason) as caught:
        evaluate(replace(task, architecture={}, steps=steps, threads=1))
    assert torch.get_num_threads() == threads
    assert pickle.loads(pickle.dumps(caught.value)).reason == caught.value.reason


def test_an_error_of_the_accelerator_is_not_the_candidates(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even inside its forward pass: a broken driver would use up every candidate."""
    monkeypatch.setattr(evaluator, "make_space", lambda *_: BrokenSpace("accelerator"))
    outcome = run_task(evaluate, replace(task, architecture={}))
    assert (outcome.state, outcome.fault) == ("failed", True)
    assert "illegal memory access" in (outcome.reason or "")


@pytest.mark.parametrize("where", ["stimulus", "comparison", "image", "backward"])
def test_an_error_around_the_candidate_is_not_its_own(
    task: Task, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """An unreadable stimulus or image, a bug in a backend: faults, whatever their kind."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("cannot identify image file")

    def batches(*_: Any) -> Iterator[torch.Tensor]:
        yield torch.zeros(2, 3, 16, 16)
        broken()

    match where:
        case "stimulus":
            monkeypatch.setattr("neurosage.nas.inputs.Inputs.batches", batches)
        case "comparison":
            monkeypatch.setattr("neurosage.nas.listening.similarity_to", broken)
        case "image":
            monkeypatch.setattr("neurosage.nas.batches.Batches.next", broken)
        case "backward":
            monkeypatch.setattr(torch.optim.SGD, "step", broken)
    outcome = run_task(evaluate, task)
    assert (outcome.state, outcome.fault) == ("failed", True)
    assert outcome.reason == "ValueError: cannot identify image file"


def test_a_refused_candidate_is_told_from_a_failed_one(task: Task) -> None:
    """The search's own limit says nothing about the installation."""
    assert run_task(evaluate, replace(task, max_macs=10)).refused


def test_a_teacher_that_changed_is_refused(task: Task) -> None:
    """A worker compares with what the search process saw, or not at all."""
    changed = (TeacherSpec("simulated-macaque", content_hash="0" * 64),)
    with pytest.raises(InputError, match="has changed"):
        evaluate(replace(task, teachers=changed))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "convnet-11"}, "unknown space 'convnet-11'; did you mean"),
        ({"teachers": (TeacherSpec("simulated-macaqe"),)}, "did you mean 'simulated-macaque'"),
        ({"teachers": (TeacherSpec("simulated-macaque", ("V5",)),)}, "Choices: V4, pIT, aIT"),
        ({"distance": "corelation"}, "did you mean 'correlation'"),
        ({"comparison": "person"}, "did you mean 'pearson'"),
        ({"backend": "troch"}, "did you mean 'torch'"),
        ({"device": "cpuu"}, "did you mean 'cpu'"),
        ({"data": DataSpec("digits", train=2000)}, "has 1437 images"),
        (
            {"teachers": (TeacherSpec("simulated-macaque", normalise="zscor"),)},
            "did you mean 'zscore'",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_there_is_not_is_refused_before_the_search(
    changes: dict[str, Any], message: str
) -> None:
    """With the close matches."""
    with pytest.raises(InputError, match=message):
        pin(make_task(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": None}, {"epochs": 1}, {"steps": -1}, {"units": 1}, {"threads": 0},
        {"teachers": ()}, {"seed": -1}, {"performance_weight": -1.0},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_tasks_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    """When they are made."""
    with pytest.raises(InputError):
        make_task(**changes)


def test_a_pinned_task_is_read_once(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second evaluation in a process loads neither data nor teacher."""
    monkeypatch.setattr("neurosage.nas.listening.load_teacher", None)
    monkeypatch.setattr("neurosage.nas.datasets.resize", None)
    evaluate(replace(task, k=9))


def test_an_evaluation_survives_json_and_netcdf(evaluation: Evaluation, tmp_path: Path) -> None:
    """Every number to the last bit, NaN too."""
    data = evaluation.data.copy(deep=True)
    data["similarity"][0, 0] = np.nan
    data["P"] = np.nan
    for copy in (
        Evaluation.from_json(Evaluation(data).to_json()),
        Evaluation.load(Evaluation(data).save(tmp_path / "deep" / "e.nc")),
    ):
        for name in data.variables:
            np.testing.assert_array_equal(copy.data[name].values, data[name].values)
        assert copy.architecture == evaluation.architecture
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["e.nc"]
    assert json.loads(Evaluation(data).to_json())["numbers"]["P"] is None


def test_an_evaluation_as_a_table(evaluation: Evaluation) -> None:
    """One row for each teacher, region and layer; the numbers repeat."""
    frame = evaluation.to_frame()
    assert len(frame) == 6
    assert set(frame.region) == {"V4", "pIT", "aIT"}
    assert (frame.TG == evaluation.TG).all()
    assert "TG" in repr(evaluation)
    assert "<table" in evaluation._repr_html_()


def test_a_file_that_holds_no_evaluation_is_refused(tmp_path: Path) -> None:
    """A missing one, one of another format, one of something else: a sentence each."""
    (tmp_path / "text.nc").write_text("no netCDF")
    xr.Dataset({"P": 0.5}).to_netcdf(tmp_path / "other.nc")
    for name, message in {
        "none.nc": "there is no file", "text.nc": "is no netCDF", "other.nc": "no evaluation"
    }.items():  # fmt: skip
        with pytest.raises(InputError, match=message):
            Evaluation.load(tmp_path / name)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 99}', "null"])
def test_other_json_is_refused(text: str) -> None:
    """With a sentence, not a traceback of the parser."""
    with pytest.raises(InputError):
        Evaluation.from_json(text)


@pytest.mark.realdata
def test_a_candidate_is_guided_by_macaque_v4(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CIFAR-100 and V4: an untrained network is more like V4 than not, as published values say."""
    path = str(next(mirror.rglob("cifar100_test.zip")))
    task = pin(
        make_task(
            data=DataSpec("cifar-100", path, train=200, valid=200),
            recipe=get_recipe("paper-convnet"),
            teachers=(TeacherSpec("macaque-v4"),),
            steps=1,
        )
    )
    found = evaluate(task)
    assert 0.05 < found.TG < 0.3
    assert len(load_data(task.data).classes) == 100
