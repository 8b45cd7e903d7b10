"""Candidates evaluated again: what is kept, what of it is served, and who may work."""

from __future__ import annotations

import json
import multiprocessing
import shutil

import pytest

from neurosage.errors import InputError, RunError
from neurosage.nas.config import parse_config
from neurosage.nas.engine import DebugEngine
from neurosage.nas.evaluation import Evaluation
from neurosage.nas.kept import Kept
from neurosage.nas.reevaluate import reevaluate
from neurosage.nas.run import DATABASE
from neurosage.nas.search import search
from neurosage.nas.task import CandidateFailed
from neurosage.nas.tracker.store import Tracker


def settings(seed=0, **training):
    return parse_config(
        {
            "search": {"name": "toy", "candidates": 4, "seed": seed},
            "space": {"name": "convnet-5", "options": {"filters": [8, 16]}},
            "explorer": {"name": "random"},
            "data": {"name": "digits"},
            "training": {"recipe": "digits", "steps": 3, **training},
            "teacher": [{"id": "simulated-macaque"}],
        }
    )


class Counting:
    """Evaluates at once, and remembers what it was asked."""

    def __init__(self):
        self.tasks = []

    def __call__(self, task, progress=None):
        self.tasks.append(task)
        numbers = {"P": task.seed + task.k / 10, "TG": 0.0, "score": 0.0}
        return Evaluation.from_parts(
            [[0.0]], regions=["V4"], teachers=["t"], layers=["l"], numbers=numbers
        )

    @property
    def engine(self):
        return DebugEngine(self)

    @property
    def seen(self):
        return [task.k for task in self.tasks]


@pytest.fixture(autouse=True)
def unpinned(monkeypatch):
    """Neither data nor teachers are looked at."""
    monkeypatch.setattr("neurosage.nas.plan.pin", lambda task: task)


@pytest.fixture
def run(tmp_path):
    return search(settings(), out=tmp_path, engine=Counting().engine)


def test_what_is_done_is_not_done_again(run):
    """Another call serves all from the file; another budget is another evaluation."""
    count = Counting()
    first = reevaluate(run, steps=9, engine=count.engine)
    again = reevaluate(run, steps=9, engine=count.engine)
    assert {k: e.P for k, e in again.items()} == {k: e.P for k, e in first.items()}
    assert count.seen == [0, 1, 2, 3]
    assert {(task.attempt, task.steps) for task in count.tasks} == {(1, 9)}
    reevaluate(run, epochs=9, engine=count.engine)
    assert count.seen == [0, 1, 2, 3] * 2


@pytest.mark.parametrize("changed", [settings(seed=5), settings(options={"batch": 32})])
def test_a_search_begun_anew_is_not_served_the_old_ones_evaluations(run, tmp_path, changed):
    """The file's name and k are the same; the seed or the recipe is not."""
    reevaluate(run, steps=9, engine=Counting().engine)
    kept = tmp_path / "kept.jsonl"
    shutil.move(run.folder / "steps-9.jsonl", kept)
    shutil.rmtree(run.folder)
    anew = search(changed, out=tmp_path, engine=Counting().engine)
    shutil.copy(kept, anew.folder / "steps-9.jsonl")
    count = Counting()
    found = reevaluate(anew, steps=9, engine=count.engine)
    assert count.seen == [0, 1, 2, 3]
    assert [e.P for e in found.values()] == [changed.search.seed + k / 10 for k in range(4)]


@pytest.mark.parametrize("what", ["key", "content", "versions", "task"])
def test_every_part_of_a_stamp_is_checked(run, what):
    """Another network, other data, other versions, other settings: evaluated anew."""
    reevaluate(run, steps=9, engine=Counting().engine)
    file = run.folder / "steps-9.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[2]["stamp"][what] = "another"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    count = Counting()
    assert len(reevaluate(run, steps=9, engine=count.engine)) == 4
    assert count.seen == [2]


@pytest.mark.parametrize("cut", [1, 60])
def test_a_line_cut_short_spoils_no_other(run, cut):
    """Without its end, or only its newline: what is written next stands on its own line."""
    reevaluate(run, steps=9, engine=Counting().engine)
    file = run.folder / "steps-9.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    lines = file.read_bytes().split(b"\n")
    Kept(file, {}).append({"k": 9}, None)
    assert file.read_bytes().split(b"\n")[:-1] == [
        *lines,
        b'{"stamp": {"k": 9}, "evaluation": null}',
    ]
    count = Counting()
    reevaluate(run, steps=9, engine=count.engine)
    reevaluate(run, steps=9, engine=count.engine)
    assert count.seen == ([] if cut == 1 else [3])


def _hold(folder, held, done):
    with Tracker(folder / DATABASE).hold():
        held.set()
        done.wait(60)


def test_a_second_process_is_refused(run):
    """Two would do the same work, and write to the same file."""
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(run.folder, held, done))
    process.start()
    try:
        assert held.wait(60)
        count = Counting()
        with pytest.raises(RunError, match=f"run by process {process.pid}"):
            reevaluate(run, steps=9, engine=count.engine)
        assert not count.tasks
    finally:
        done.set()
        process.join()
    assert len(reevaluate(run, steps=9, engine=count.engine)) == 4


def test_a_candidate_that_fails_is_left_out_and_a_fault_stops(run):
    """The first is kept as failed; after the second, what was done before it is kept."""

    def fail(task, progress=None):
        if task.k == 1:
            raise CandidateFailed("its loss became NaN")
        if task.k == 3:
            raise OSError("no space left on device")
        return Counting()(task)

    with pytest.raises(RunError, match="no space left"):
        reevaluate(run, steps=9, engine=DebugEngine(fail))
    count = Counting()
    assert list(reevaluate(run, steps=9, engine=count.engine)) == [0, 2, 3]
    assert count.seen == [3]


def test_an_unknown_engine_is_refused(run):
    """By its name, before anything is done."""
    with pytest.raises(InputError, match="did you mean 'local'"):
        reevaluate(run, steps=9, engine="loca")
