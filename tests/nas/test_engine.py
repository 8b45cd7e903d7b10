"""Engines: what they report, and what they outlive."""

from __future__ import annotations

import os
import signal
import time

import pytest

from neurosage.errors import InputError
from neurosage.nas import local as local_engine
from neurosage.nas.config import EngineSection
from neurosage.nas.datasets import DataSpec
from neurosage.nas.engine import DebugEngine, check_engine, make_engine, run_task
from neurosage.nas.evaluation import Evaluation
from neurosage.nas.local import LocalEngine
from neurosage.nas.recipes import get_recipe
from neurosage.nas.task import CandidateFailed, Progress, Task, TeacherSpec

EVALUATION = Evaluation.from_parts(
    [[0.1]], regions=["V4"], teachers=["t"], layers=["l"], numbers={"P": 0.5, "score": 0.6}
)


def make_task(k, attempt=1, **architecture):
    teachers = (TeacherSpec("simulated-macaque"),)
    return Task(
        k=k, attempt=attempt, architecture=architecture, space="convnet-5", steps=0,
        data=DataSpec("digits"), recipe=get_recipe("digits"), teachers=teachers,
    )  # fmt: skip


def behave(task, progress):
    """Finish, fail or break, as the task says."""
    if task.architecture.get("do") == "fail":
        raise CandidateFailed("its loss became NaN")
    if task.architecture.get("do") == "break":
        raise KeyError("filters")
    return EVALUATION


def drain(engine, count, seen=None, limit=60):
    """Wait until `count` attempts have ended."""
    outcomes, end = [], time.monotonic() + limit
    while sum(o.state != "started" for o in outcomes) < count and time.monotonic() < end:
        outcomes += engine.wait(0.5, seen.append if seen is not None else None)
    return outcomes


def test_a_failure_of_the_candidate_is_told_from_a_fault():
    """CandidateFailed is the candidate's own; anything else may befall all."""
    failed = run_task(behave, make_task(3, do="fail"), lambda p: None)
    assert (failed.k, failed.state, failed.reason) == (3, "failed", "its loss became NaN")
    assert not failed.fault
    broken = run_task(behave, make_task(3, do="break"), lambda p: None)
    assert (broken.state, broken.reason, broken.fault) == ("failed", "KeyError: 'filters'", True)


def test_the_debug_engine_announces_a_task_then_runs_it():
    """The tracker knows that an attempt has started before it can do harm."""
    engine, ran = DebugEngine(lambda task, progress: ran.append(task.k) or EVALUATION), []
    engine.submit(make_task(4))
    assert [o.state for o in engine.wait(1)] == ["started"]
    assert ran == []
    (outcome,) = engine.wait(1)
    assert (outcome.state, outcome.evaluation, ran) == ("finished", EVALUATION, [4])
    assert engine.wait(1) == []
    engine.submit(make_task(5))
    engine.close()
    assert engine.wait(1) == []


def test_an_unknown_engine_is_refused():
    """With the engines that there are."""
    with pytest.raises(InputError, match="unknown engine 'loca'; did you mean 'local'"):
        make_engine("loca")


@pytest.fixture(scope="module")
def local():
    from neurosage.nas.local import LocalEngine

    # A function inside another travels by value: workers cannot import test modules.
    kinds = {"fail": CandidateFailed}
    evaluation, progress_kind = EVALUATION, Progress

    def act(task, progress):
        progress(progress_kind(task.k, 1, 2, 0.5))
        do = task.architecture.get("do")
        if do == "fail":
            raise kinds[do]("its loss became NaN")
        if do == "break":
            raise KeyError("filters")
        if do == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if do == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        if do == "threads":
            raise kinds["fail"](os.environ["OMP_NUM_THREADS"])
        return evaluation

    engine = LocalEngine(workers=2, threads=1, evaluate=act)
    yield engine
    engine.close()


def test_workers_report_start_progress_and_end(local):
    """Two slots run two tasks; each says where, how far, and what came out."""
    assert local.slots == 2
    seen = []
    local.submit(make_task(0))
    local.submit(make_task(1, do="fail"))
    outcomes = drain(local, 2, seen)
    started = [o for o in outcomes if o.state == "started"]
    assert {o.k for o in started} == {0, 1}
    assert all(o.worker.startswith("process ") for o in started)
    ended = {o.k: o for o in outcomes if o.state != "started"}
    assert ended[0].evaluation.to_json() == EVALUATION.to_json()
    assert (ended[1].state, ended[1].reason) == ("failed", "its loss became NaN")
    assert {(p.k, p.step, p.steps) for p in seen} == {(0, 1, 2), (1, 1, 2)}


def test_a_killed_worker_is_replaced_and_its_task_lost(local):
    """Nothing is retried but by the search; the replacement ignores SIGINT too."""
    local.submit(make_task(2, do="die"))
    outcomes = drain(local, 1)
    assert [(o.k, o.attempt, o.state) for o in outcomes if o.state != "started"] == [(2, 1, "lost")]
    for k in (3, 4):
        local.submit(make_task(k, attempt=2, do="interrupt"))
    again = [o for o in drain(local, 2) if o.state != "started"]
    assert {(o.k, o.attempt, o.state) for o in again} == {(3, 2, "finished"), (4, 2, "finished")}


def test_workers_have_the_threads_that_were_asked_for(local):
    """Set before the libraries load, since some read it only then."""
    local.submit(make_task(5, do="threads"))
    assert [o.reason for o in drain(local, 1) if o.state != "started"] == ["1"]


def test_a_fault_in_a_worker_comes_back(local):
    """An exception there is an outcome here."""
    local.submit(make_task(6, do="break"))
    (outcome,) = [o for o in drain(local, 1) if o.state != "started"]
    assert (outcome.state, outcome.reason, outcome.fault) == ("failed", "KeyError: 'filters'", True)


@pytest.mark.parametrize("workers", [100_000, -1])
def test_workers_beyond_the_cores_are_refused_before_any_starts(workers, monkeypatch):
    """From 1 to four a core: the message has the value, the rule and the next step."""
    monkeypatch.setattr(local_engine, "_cores", lambda: 2)
    message = rf"engine.workers = {workers}, but must be from 1 to 8.*2 cores; leave it out"
    with pytest.raises(InputError, match=message):
        LocalEngine(workers=workers)
    section = EngineSection.model_construct(name=None, workers=workers, threads=1)
    with pytest.raises(InputError, match=message):
        check_engine("local", section)
    check_engine("debug", section)


def test_no_more_workers_start_than_there_are_tasks():
    """Two workers are wanted, but one task is left: one slot."""
    engine = make_engine("local", workers=2, most=1)
    try:
        assert engine.slots == 1
    finally:
        engine.close()
