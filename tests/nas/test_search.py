"""The loop of a search: what it proposes, records and survives."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass

import pytest

from neurosage import demo
from neurosage.errors import InputError, RunError
from neurosage.nas.config import parse_config
from neurosage.nas.engine import DebugEngine, Outcome
from neurosage.nas.evaluation import Evaluation
from neurosage.nas.graph import Graph
from neurosage.nas.loop import Loop
from neurosage.nas.plan import Plan
from neurosage.nas.run import DATABASE, Run, has_begun
from neurosage.nas.search import resume, search
from neurosage.nas.space import Choice, to_json
from neurosage.nas.task import CandidateFailed, CandidateRefused, Progress
from neurosage.nas.tracker.store import create

DOCUMENT = {
    "search": {"name": "toy", "candidates": 6},
    "space": {"name": "convnet-5", "options": {"filters": [8, 16]}},
    "explorer": {"name": "random"},
    "data": {"name": "digits"},
    "training": {"recipe": "digits", "steps": 3},
    "teacher": [{"id": "simulated-macaque"}],
}


def settings(candidates=6, **sections):
    document = {**DOCUMENT, "search": {"name": "toy", "candidates": candidates}, **sections}
    return parse_config(document)


def fake(task, progress=None):
    """A score that depends on the architecture and nothing else."""
    digest = hashlib.sha256(to_json(task.architecture).encode()).digest()
    score = digest[0] / 255
    return Evaluation.from_parts(
        [[score]], regions=["V4"], teachers=["t"], layers=["l"],
        numbers={"P": 0.0, "TG": score, "score": score, "seconds": 1.0},
        attrs={"architecture": to_json(task.architecture)},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def unpinned(monkeypatch):
    """The loop does not look at data or teachers; its plan need not either."""
    monkeypatch.setattr("neurosage.nas.plan.pin", lambda task: task)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "runs"


def architectures(run):
    return [dict(c.architecture) for c in run.candidates()]


def standing(run):
    return [(c.k, c.state, c.attempts) for c in run.candidates()]


def test_a_search_evaluates_as_many_candidates_as_it_was_told(out):
    """Each once, all different; the best is that with the highest score."""
    run = search(settings(), out=out, engine=DebugEngine(fake))
    assert standing(run) == [(k, "finished", 1) for k in range(6)]
    assert len({c.key for c in run.candidates()}) == 6
    frame = run.to_frame()
    assert frame["P+TG"].is_monotonic_decreasing
    assert run.best.score == frame.loc[0, "P+TG"]
    assert run.best.architecture == dict(run.candidates()[frame.loc[0, "k"]].architecture)
    assert "6 finished" in repr(run)


@pytest.mark.parametrize(
    "explorer", [{"name": "random"}, {"name": "tpe", "options": {"random_starts": 4}}]
)
def test_a_resumed_search_is_the_unbroken_one(out, tmp_path, explorer):
    """A search of 6 resumed for 6 more has the very candidates of a search of 12."""
    whole = search(settings(12, explorer=explorer), out=tmp_path, engine=DebugEngine(fake))
    search(settings(6, explorer=explorer), out=out, engine=DebugEngine(fake))
    parts = resume(out / "toy", 12, engine=DebugEngine(fake))
    assert architectures(parts) == architectures(whole)
    assert parts.config.search.candidates == 12


def test_resuming_what_is_done_does_nothing(out):
    """Not even starting an engine."""
    search(settings(), out=out, engine=DebugEngine(fake))
    assert len(resume(out / "toy", engine="local").candidates()) == 6


def test_a_search_is_not_shortened(out):
    """Fewer candidates than there are is refused, and nothing is lost."""
    run = search(settings(), out=out, engine=DebugEngine(fake))
    with pytest.raises(InputError, match=r"holds 6 candidates already.*cannot have 3"):
        resume(run, 3, engine=DebugEngine(fake))
    assert len(run.candidates()) == 6


KILLED = """
import os, signal, sys
sys.path.insert(0, {folder!r})
import test_search as t
import neurosage.nas.plan
neurosage.nas.plan.pin = lambda task: task
def evaluate(task, progress):
    if task.k == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return t.fake(task)
t.search(t.settings(), out={out!r}, engine=t.DebugEngine(evaluate))
"""


def test_a_search_killed_by_force_goes_on(out, tmp_path):
    """kill -9: no candidate lost, none evaluated twice, the same ones as unbroken."""
    folder = os.path.dirname(__file__)
    script = KILLED.format(folder=folder, out=str(out))
    killed = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert standing(Run(out / "toy")) == [(k, "finished", 1) for k in range(3)] + [
        (3, "running", 1)
    ]
    seen = []
    run = resume(out / "toy", engine=DebugEngine(lambda task, p: seen.append(task.k) or fake(task)))
    assert seen == [3, 4, 5]
    assert standing(run)[3] == (3, "finished", 2)
    whole = search(settings(), out=tmp_path, engine=DebugEngine(fake))
    assert architectures(run) == architectures(whole)


def test_a_search_stopped_before_its_first_candidate_is_begun_anew(out):
    """Nothing was lost, so nothing is to be resumed; its settings may be others."""
    create(out / "toy" / DATABASE, "toy", Plan.of(settings(2)).document())
    run = search(settings(3), out=out, engine=DebugEngine(fake))
    assert len(run.candidates()) == run.config.search.candidates == 3


def test_a_process_being_started_does_not_search(out, monkeypatch):
    """A script without a main guard says what it lacks, in one sentence."""
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)
    for call in (lambda: search(settings(), out=out), lambda: resume(out / "toy")):
        with pytest.raises(RunError, match="__main__"):
            call()


def test_ctrl_c_lets_the_running_candidate_finish(out):
    """The first Ctrl-C begins no more candidates; --resume does the rest."""
    news = []

    def evaluate(task, progress):
        if task.k == 2:
            signal.raise_signal(signal.SIGINT)
        progress(Progress(task.k, 1, 2, 0.1))
        return fake(task)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        search(settings(), out=out, engine=DebugEngine(evaluate), progress=news.append)
    assert signal.getsignal(signal.SIGINT) is before
    assert standing(Run(out / "toy")) == [(k, "finished", 1) for k in range(3)]
    assert any("stopping: 1 running" in status.news for status in news)
    run = resume(out / "toy", engine=DebugEngine(fake))
    assert standing(run) == [(k, "finished", 1) for k in range(6)]


def test_a_second_ctrl_c_stops_at_once(out):
    """What ran is interrupted, and run anew on resuming."""

    def evaluate(task, progress):
        if task.k == 2:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return fake(task)

    with pytest.raises(KeyboardInterrupt):
        search(settings(), out=out, engine=DebugEngine(evaluate))
    assert standing(Run(out / "toy"))[2] == (2, "proposed", 1)
    assert standing(resume(out / "toy", engine=DebugEngine(fake)))[2] == (2, "finished", 2)


def test_a_search_runs_outside_the_main_thread(out):
    """Where no signal can be caught, none is."""
    runs = []
    work = threading.Thread(
        target=lambda: runs.append(search(settings(2), out=out, engine=DebugEngine(fake)))
    )
    work.start()
    work.join()
    assert len(runs[0].candidates()) == 2


def test_a_second_process_is_refused(out):
    """While one runs the search, another can neither resume nor restart it."""
    refused = []

    def evaluate(task, progress):
        for again in (
            lambda: resume(out / "toy", engine=DebugEngine(fake)),
            lambda: search(settings(), out=out, engine=DebugEngine(fake)),
        ):
            with pytest.raises(RunError) as error:
                again()
            refused.append(str(error.value))
        return fake(task)

    search(settings(1), out=out, engine=DebugEngine(evaluate))
    assert f"being run by process {os.getpid()}" in refused[0]
    assert "already holds a search" in refused[1]


def test_a_failed_candidate_is_recorded_and_the_search_goes_on(out):
    """With its reason, without a score, and never tried again."""

    def evaluate(task, progress):
        if task.k in (1, 4):
            raise CandidateFailed("its loss became NaN")
        return fake(task)

    run = search(settings(), out=out, engine=DebugEngine(evaluate))
    assert [c.state for c in run.candidates()].count("finished") == 4
    assert {c.reason for c in run.candidates() if c.state == "failed"} == {"its loss became NaN"}
    assert list(run.to_frame()["k"].tail(2)) == [1, 4]


def full(task, progress=None):
    raise OSError("no space left on device")


def test_a_fault_uses_up_no_candidate(out, tmp_path):
    """A full disk stops the search; once there is room, the same search goes on unharmed."""
    with pytest.raises(RunError, match=r"5 candidates in a row.*no space left.*--resume"):
        search(settings(20), out=out, engine=DebugEngine(full))
    assert Counter(c.state for c in Run(out / "toy").candidates()) == {"proposed": 5}
    with pytest.raises(RunError, match="5 candidates in a row"):
        resume(out / "toy", engine=DebugEngine(full))
    run = resume(out / "toy", 8, engine=DebugEngine(fake))
    assert standing(run) == [(k, "finished", 3 if k < 5 else 1) for k in range(8)]
    whole = search(settings(8), out=tmp_path, engine=DebugEngine(fake))
    assert architectures(run) == architectures(whole)


def test_a_search_killed_amid_faults_loses_nothing(out):
    """A fault is in the database as one before any count is full."""
    seen = []

    def evaluate(task, progress):
        seen.append(Counter(c.state for c in Run(out / "toy").candidates()))
        raise OSError("no space left on device")

    with pytest.raises(RunError):
        search(settings(20), out=out, engine=DebugEngine(evaluate))
    assert all(states["failed"] == 0 for states in seen)
    assert seen[-1] == {"proposed": 4, "running": 1}


def test_refusals_and_failures_do_not_excuse_a_fault(out):
    """They come before what may be broken; only a finished evaluation shows that it works."""

    def evaluate(task, progress):
        if task.k % 2:
            raise OSError("no space left on device")
        raise CandidateRefused(f"{task.k} is too dear") if task.k % 4 else CandidateFailed("NaN")

    with pytest.raises(RunError, match=r"5 candidates in a row.*no space left"):
        search(settings(40), out=out, engine=DebugEngine(evaluate))
    assert {c.k % 2 for c in Run(out / "toy").candidates() if c.state == "failed"} == {0}


def test_a_candidate_that_alone_has_faults_fails_at_the_third(out):
    """Others finish between: it is tried again after each, and then it is its own fault."""
    tried = []

    def evaluate(task, progress):
        tried.append(task.k)
        return full(task) if task.k == 1 else fake(task)

    run = search(settings(), out=out, engine=DebugEngine(evaluate))
    assert tried == [0, 1, 2, 1, 3, 1, 4, 5]
    assert run.candidates()[1].reason.startswith("it failed 3 times, others did not (OSError: no")
    assert [c.k for c in run.candidates() if c.state == "failed"] == [1]


def test_a_fault_at_the_end_is_said_and_tried_again(out):
    """Nothing is left that could excuse it; the third resumption ends the search."""

    def evaluate(task, progress):
        return full(task) if task.k == 2 else fake(task)

    with pytest.raises(RunError, match="candidate 2 failed for a reason that is hardly"):
        search(settings(3), out=out, engine=DebugEngine(evaluate))
    assert standing(Run(out / "toy"))[2] == (2, "proposed", 1)
    with pytest.raises(RunError, match="candidate 2 failed"):
        resume(out / "toy", engine=DebugEngine(evaluate))
    assert standing(resume(out / "toy", engine=DebugEngine(evaluate)))[2] == (2, "failed", 3)


def test_failures_that_are_all_alike_stop_the_search(out):
    """Ten in a row with one reason are hardly their own fault; they are tried again."""

    def evaluate(task, progress):
        raise CandidateFailed("no layer has a defined similarity")

    with pytest.raises(RunError, match=r"10 candidates in a row.*no layer has a defined"):
        search(settings(20), out=out, engine=DebugEngine(evaluate))
    assert Counter(c.state for c in Run(out / "toy").candidates()) == {"proposed": 10}
    run = resume(out / "toy", 12, engine=DebugEngine(fake))
    assert Counter(c.state for c in run.candidates()) == {"finished": 12}


@pytest.mark.parametrize("kind", ["refused", "finished between", "other reasons"])
def test_failures_that_are_their_own_do_not_stop_the_search(out, kind):
    """A limit that refuses many, one that succeeds, or reasons that differ."""

    def evaluate(task, progress):
        if kind == "refused":
            raise CandidateRefused("more than max_macs")
        if kind == "finished between" and task.k % 9 == 8:
            return fake(task)
        raise CandidateFailed(f"NaN at step {task.k if kind == 'other reasons' else 1}")

    run = search(settings(25), out=out, engine=DebugEngine(evaluate))
    assert len([c for c in run.candidates() if c.state == "failed"]) >= 23


def test_a_search_cut_short_at_its_creation_had_not_begun(out):
    """An empty file is no search to go on with, nor one in the way, of the demonstration too."""
    (out / "toy").mkdir(parents=True)
    (out / "toy" / DATABASE).touch()
    assert not has_begun(out / "toy")
    with pytest.raises(RunError, match="there is no search"):
        resume(out / "toy", engine=DebugEngine(fake))
    demo._search(out, settings(2), DebugEngine(fake), None)
    assert has_begun(out / "toy")
    assert len(demo._search(out, settings(3), DebugEngine(fake), None).candidates()) == 3


def test_an_unknown_engine_leaves_nothing_behind(out):
    """A misspelt name is refused before the run's folder is made."""
    with pytest.raises(InputError, match="did you mean 'local'"):
        search(settings(), out=out, engine="loca")
    assert not out.exists()


def test_a_place_that_holds_no_folder_is_refused_before_any_work(out, monkeypatch):
    """Where a file stands: at once, and not after the teacher was loaded."""
    out.touch()
    monkeypatch.setattr("neurosage.nas.plan.pin", None)
    with pytest.raises(InputError, match="runs is no folder"):
        search(settings(), out=out, engine=DebugEngine(fake))


@dataclass
class Unreliable:
    """Two slots; loses what `loses` says, and delivers everything twice."""

    loses: object
    starts: bool = True
    slots = 2

    def __post_init__(self):
        self.tasks = []

    def submit(self, task):
        self.tasks.append(task)
        assert len(self.tasks) <= self.slots

    def wait(self, timeout, progress=None):
        if not self.tasks:
            return []
        task = self.tasks.pop()  # the last first: candidates end out of order
        begun = Outcome(task.k, task.attempt, "started", worker="w") if self.starts else None
        if self.loses(task):
            ends = [Outcome(task.k, task.attempt, "lost", reason="its worker died")]
        else:
            ends = [Outcome(task.k, task.attempt, "finished", evaluation=fake(task))] * 2
        return [begun, *ends] if begun else ends

    def close(self):
        raise AssertionError("an engine that was given is not closed")


def test_a_lost_candidate_is_tried_again_as_the_next_attempt(out):
    """And counted once, even if a result comes twice and out of order."""
    run = search(settings(), out=out, engine=Unreliable(lambda t: t.k == 2 and t.attempt < 3))
    assert standing(run) == [(k, "finished", 3 if k == 2 else 1) for k in range(6)]


def test_a_candidate_that_kills_its_workers_fails(out):
    """After three attempts that had started."""
    run = search(settings(), out=out, engine=Unreliable(lambda t: t.k == 2))
    assert standing(run)[2] == (2, "failed", 3)
    assert run.candidates()[2].reason == "its worker died 3 times (its worker died)"


def test_workers_that_die_before_they_start_stop_the_search(out):
    """It is not the candidate's fault, and it must not go on forever."""
    with pytest.raises(RunError, match="workers die before candidate"):
        search(settings(), out=out, engine=Unreliable(lambda t: True, starts=False))
    assert {c.state for c in Run(out / "toy").candidates()} == {"proposed"}


class ThreeNetworks:
    """Twelve architectures, three networks."""

    name = "three"
    choices = (Choice("width", (1, 2, 3), "width"), Choice("noise", (0, 1, 2, 3), "noise"))

    def graph(self, architecture):
        return Graph(("", ""), ((0, 1, str(architecture["width"])),), (0,), (1,))


def test_a_network_is_never_evaluated_twice(out, monkeypatch):
    """Where the space holds no more networks, the search ends early and says so."""
    monkeypatch.setattr("neurosage.nas.plan.make_space", lambda name, options: ThreeNetworks())
    news = []
    run = search(settings(8), out=out, engine=DebugEngine(fake), progress=news.append)
    assert sorted(c.architecture["width"] for c in run.candidates()) == [1, 2, 3]
    assert any("no new network" in status.news for status in news)


def test_a_search_is_resumed_under_its_own_settings(out):
    """Another seed is another search."""
    search(settings(2), out=out, engine=DebugEngine(fake))
    other = settings(4, training={"recipe": "digits", "steps": 4})
    with pytest.raises(InputError, match=r"training\.steps = 3 then, 4 now"):
        resume(out / "toy", config=other, engine=DebugEngine(fake))
    more = resume(out / "toy", config=settings(4), engine=DebugEngine(fake))
    assert len(more.candidates()) == 4


def test_a_search_is_resumed_on_its_own_data(out, monkeypatch):
    """A teacher that changed since is noticed."""
    from dataclasses import replace

    def pin_as(content):
        return lambda task: replace(task, data=replace(task.data, content_hash=content))

    monkeypatch.setattr("neurosage.nas.plan.pin", pin_as("a"))
    search(settings(2), out=out, engine=DebugEngine(fake))
    monkeypatch.setattr("neurosage.nas.plan.pin", pin_as("b"))
    with pytest.raises(RunError, match="the data of search 'toy' are not those"):
        resume(out / "toy", 3, engine=DebugEngine(fake))


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"space": {"name": "convnet-7"}}, "unknown space 'convnet-7'; did you mean"),
        ({"space": {"options": {"filter": [8]}}}, "did you mean 'filters'"),
        ({"explorer": {"name": "tp"}}, "unknown explorer 'tp'; did you mean 'tpe'"),
        ({"data": {"name": "digit"}}, "unknown data set 'digit'"),
        ({"training": {"recipe": "digit", "steps": 1}}, "unknown recipe 'digit'"),
    ],
)
def test_what_does_not_exist_is_named_before_anything_is_done(out, section, message):
    """And no run is left behind."""
    with pytest.raises(InputError, match=message):
        search(settings(**section), out=out, engine=DebugEngine(fake))
    assert not out.exists()


def test_a_status_says_how_far_and_how_long(out):
    """Counts, the best, the part done of those that run, and in the end no time left."""
    seen = []

    def evaluate(task, progress):
        progress(Progress(task.k, 1, 4, 0.5))
        return fake(task)

    search(settings(3), out=out, engine=DebugEngine(evaluate), progress=seen.append)
    assert seen[-1].finished == seen[-1].total == 3
    assert seen[-1].eta == 0
    assert seen[-1].best.score == Run(out / "toy").best.score
    assert seen[-1].running == {}
    assert [s.finished for s in seen] == sorted(s.finished for s in seen)


@pytest.mark.parametrize(
    ("regions", "refused"),
    [((None, None), True), ((None, ["V4"]), True), ((["V4", "pIT"], ["V4"]), True),
     ((["V4"], ["pIT"]), False)],
)  # fmt: skip
def test_no_region_of_a_teacher_counts_twice(regions, refused):
    """Regions of one teacher may be listed apart, but each of them once."""
    teachers = [{"id": "simulated-macaque", "regions": each} for each in regions]
    if not refused:
        assert len(Plan.of(settings(teacher=teachers)).task.teachers) == 2
        return
    with pytest.raises(InputError, match="'simulated-macaque' would count twice"):
        Plan.of(settings(teacher=teachers))


def test_a_score_that_is_always_0_is_refused():
    """Without weight of TG and of P nothing would be searched for."""
    weights = {"name": "toy", "candidates": 2, "alpha": 0, "performance_weight": 0}
    with pytest.raises(InputError, match="make every score 0: give one"):
        Plan.of(parse_config({**DOCUMENT, "search": weights}))


def test_a_search_opens_its_engine_for_what_is_left(out, monkeypatch):
    """Candidates that have ended need no worker."""
    search(settings(4), out=out, engine=DebugEngine(fake))
    asked = []

    def make(name, *, most, **_):
        asked.append((name, most))
        return DebugEngine(fake)

    monkeypatch.setattr("neurosage.nas.engine.make_engine", make)
    resume(out / "toy", 6, engine="local")
    assert asked == [("local", 2)]


@pytest.mark.parametrize(("running", "said"), [(1, "1 running candidate finishes"),
                                               (2, "2 running candidates finish")])  # fmt: skip
def test_stopping_counts_in_grammatical_english(out, running, said):
    """One finishes, two finish."""
    news = []
    plan = Plan.of(settings())
    tracker = create(out / "toy" / DATABASE, "toy", plan.document())
    loop = Loop(tracker, plan, DebugEngine(fake), lambda status: news.append(status.news))
    loop.stopping, loop._running = True, dict.fromkeys(range(running), 1)
    loop._tell()
    assert any(said in each for each in news)


@pytest.mark.parametrize("config", [{"a": 1}, None])
def test_settings_that_are_neither_file_nor_config_are_refused(out, config):
    """A dict is not taken for one, and the message says what to make of it."""
    with pytest.raises(InputError, match=r"parse_config makes of a dict; not (dict|NoneType)"):
        search(config, out=out)
