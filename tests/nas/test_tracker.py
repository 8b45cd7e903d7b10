"""The tracker: candidates, attempts, leases."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time
from dataclasses import replace

import psutil
import pytest
import sqlalchemy as sa

from neurosage.errors import InputError, RunError
from neurosage.nas.tracker.export import to_frame
from neurosage.nas.tracker.process import Process
from neurosage.nas.tracker.record import SearchRecord
from neurosage.nas.tracker.store import Tracker, create

NUMBERS = {"P": 0.5, "TG": 0.25, "score": 0.75}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "toy" / "search.db"


@pytest.fixture
def tracker(path):
    return create(path, "toy", {"seed": 0})


def states(record):
    return [(c.k, c.state, c.attempts) for c in record.candidates()]


def change(path, what):
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE searches SET {what}")
    connection.close()


def attempt_states(record):
    return [(a["k"], a["attempt"], a["state"]) for a in record.attempts()]


def test_a_candidate_goes_from_proposed_to_finished(tracker, path):
    """proposed → running → finished; a reader sees each step, and explorers the score."""
    record = SearchRecord(path)
    with tracker.hold():
        assert tracker.propose({"width": 8}, "a") == 0
        assert states(record) == [(0, "proposed", 0)]
        assert tracker.submit(0) == 1
        assert states(record) == [(0, "running", 0)]
        tracker.start(0, 1, "process 7")
        assert states(record) == [(0, "running", 1)]
        assert tracker.finish(0, 1, '{"numbers": {"macs": 3}}', NUMBERS)
    assert states(record) == [(0, "finished", 1)]
    seen = record.candidate(0)
    assert (seen.architecture, seen.key, seen.score) == ({"width": 8}, "a", 0.75)
    assert record.config == {"seed": 0}


def test_a_failed_candidate_has_no_score(tracker):
    """It stays among the candidates, so as not to be proposed again; the reason is kept."""
    with tracker.hold():
        k = tracker.propose({}, "a")
        assert tracker.fail(k, tracker.submit(k), "its loss became NaN")
    assert tracker.candidate(0).score is None
    assert tracker.candidate(0).reason == "its loss became NaN"
    with pytest.raises(RunError, match="no finished evaluation"):
        tracker.document(0)


def test_a_graph_key_stands_once(tracker):
    """No network can be a candidate twice."""
    with tracker.hold():
        tracker.propose({"width": 8}, "a")
        with pytest.raises(RunError, match=r"candidate 0 .* already has the key a"):
            tracker.propose({"width": 9}, "a")


def test_only_a_waiting_candidate_is_submitted(tracker):
    """Two attempts at one candidate never run side by side."""
    with tracker.hold():
        tracker.propose({}, "a")
        tracker.submit(0)
        with pytest.raises(RunError, match="is running, not waiting"):
            tracker.submit(0)


def test_a_lost_attempt_is_followed_by_the_next(tracker):
    """A late result of a lost attempt is noted as late, and never counted."""
    with tracker.hold():
        tracker.propose({}, "a")
        first = tracker.submit(0)
        tracker.start(0, first, "process 7")
        assert tracker.lose(0, first, "its worker died")
        second = tracker.submit(0)
        assert (first, second) == (1, 2)
        assert not tracker.finish(0, first, "{}", NUMBERS)
        assert not tracker.fail(0, first, "late too")
        assert tracker.finish(0, second, "{}", NUMBERS)
        assert not tracker.finish(0, second, "{}", NUMBERS), "the same result twice"
        assert not tracker.finish(0, 9, "{}", NUMBERS), "an attempt that never was"
    assert attempt_states(tracker) == [(0, 1, "late"), (0, 2, "finished")]
    assert len(tracker.documents()) == 1


@pytest.mark.parametrize(("started", "end"), [(True, "failed"), (False, "proposed")])
def test_only_attempts_that_started_count_against_a_candidate(tracker, started, end):
    """A worker that died before it began says nothing about the candidate."""
    with tracker.hold():
        tracker.propose({}, "a")
        for _ in range(3):
            attempt = tracker.submit(0)
            if started:
                tracker.start(0, attempt, "process 7")
            tracker.lose(0, attempt, "killed")
        assert tracker.candidate(0).state == end


def test_what_a_stopped_search_left_running_is_proposed_again(tracker, path):
    """The next holder finds interrupted attempts, and candidates that wait."""
    with tracker.hold():
        tracker.propose({}, "a")
        tracker.start(0, tracker.submit(0), "process 7")
    assert states(tracker) == [(0, "proposed", 1)]
    assert attempt_states(tracker) == [(0, 1, "interrupted")]
    with Tracker(path).hold() as again:
        assert again.submit(0) == 2


def _leave_running(path):
    tracker = create(path, "toy", {})
    with tracker.hold():
        tracker.propose({}, "a")
        tracker.start(0, tracker.submit(0), "process 7")
        os._exit(9)  # no clean-up whatever, as by kill -9


def test_the_lease_of_a_dead_process_is_taken_at_once(path):
    """Nobody waits for the lease of a killed search to run out."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_exit_holding, args=(str(path),))
    process.start()
    process.join()
    assert process.exitcode == 9
    with Tracker(path).hold() as tracker:
        assert states(tracker) == [(0, "proposed", 1)]


def _exit_holding(path):
    from pathlib import Path

    _leave_running(Path(path))


def test_a_second_holder_is_refused(tracker, path):
    """Two processes never run one search; the refusal names the first."""
    second = Tracker(path)
    second.refuse_second()
    with tracker.hold():
        for refused in (second.refuse_second, second.hold().__enter__):
            with pytest.raises(RunError, match=f"run by process {os.getpid()}"):
                refused()
    with second.hold():
        pass


def test_nobody_writes_without_the_lease(tracker):
    """Reading is free, writing needs hold()."""
    with pytest.raises(RunError, match="holds its lease"):
        tracker.propose({}, "a")


def test_a_holder_that_lost_the_lease_is_fenced(tracker, path):
    """A process of another machine that stood still longer than its lease cannot write any more."""
    with tracker.hold():
        change(path, "lease_expires = 0, lease_host = 'elsewhere'")
        with Tracker(path).hold() as other:
            other.propose({"width": 1}, "a")
            with pytest.raises(RunError, match="taken over"):
                tracker.propose({"width": 2}, "b")
    assert [c.key for c in tracker.candidates()] == ["a"]


def test_a_held_lease_is_renewed(tracker, path):
    """However long an evaluation takes in this process, the lease stays."""
    with tracker.hold(seconds=0.4):
        time.sleep(0.8)
        with pytest.raises(RunError, match="being run"):
            Tracker(path).refuse_second()
        tracker.propose({}, "a")


def test_a_living_process_of_this_machine_keeps_its_lease(tracker, path):
    """However long it was suspended: it will go on, and must not be joined by a second."""
    with tracker.hold():
        change(path, "lease_expires = 0")
        with pytest.raises(RunError, match="being run"):
            Tracker(path).hold().__enter__()
        with pytest.raises(RunError, match="being run"):
            Tracker(path).refuse_second()


def test_a_process_is_told_by_its_id_and_its_beginning():
    """A reused id is another process; of another machine, boot or container nothing is known."""
    here = Process.here()
    place, _, start = here.identity.rpartition(" ")
    assert here.fate() == "alive"
    assert replace(here, identity=f"{place} {start}0").fate() == "gone"
    assert replace(here, pid=2**22 + 1).fate() == "gone"
    assert replace(here, identity=f"another boot {start}").fate() == "unknown"
    assert replace(here, host="elsewhere").fate() == "unknown"


def test_a_stepped_clock_makes_no_process_another(monkeypatch):
    """psutil's time of birth moves with the machine's clock; an identity does not."""
    here = Process.here()
    born = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: born(self) + 3600)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert here.fate() == "alive"
    assert Process.here() == here


def test_what_the_database_refuses_is_said_in_a_sentence(tracker, path):
    """A locked database, and a broken one: no SQL, no document, no traceback of a library."""
    sa.event.listen(tracker._database, "connect", lambda c, _: c.execute("PRAGMA busy_timeout = 1"))
    other = sqlite3.connect(path, isolation_level=None)
    with tracker.hold():
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RunError) as locked:
            tracker.propose({"width": 8}, "a")
        other.execute("ROLLBACK")
    other.execute("DROP TABLE evaluations")
    other.close()
    with pytest.raises(RunError) as broken:
        tracker.candidates()
    assert str(locked.value) == "the search cannot be written: database is locked."
    assert str(broken.value) == "search 'toy' cannot be read: no such table: evaluations."


def test_a_path_is_not_read_as_a_url(tmp_path):
    """A question mark, a percent sign or a hash in a folder's name are a name's."""
    path = tmp_path / "why? 100%20#1" / "search.db"
    create(path, "toy", {})
    assert path.is_file()
    assert SearchRecord(path).name == "toy"


def test_a_folder_that_cannot_be_made_is_a_wrong_input(tmp_path):
    """Where a file stands, there can be no run."""
    (tmp_path / "runs").touch()
    with pytest.raises(InputError, match=r"the folder .*runs/toy cannot be made: "):
        create(tmp_path / "runs" / "toy" / "search.db", "toy", {})


def test_a_suspended_candidate_waits_and_its_faults_are_counted(tracker):
    """Also one that had been recorded as failed; what is given up has failed."""
    with tracker.hold():
        tracker.propose({}, "a")
        assert tracker.suspend(0, tracker.submit(0), "no space left") == 1
        second = tracker.submit(0)
        tracker.fail(0, second, "no space left")
        assert tracker.suspend(0, second, "no space left") == 2
        assert states(tracker) == [(0, "proposed", 0)]
        assert tracker.candidate(0).reason is None
        assert tracker.suspend(0, 9, "an attempt that never was") == 2
        tracker.give_up(0, "it failed 2 times")
    assert (tracker.candidate(0).state, tracker.candidate(0).reason) == (
        "failed",
        "it failed 2 times",
    )
    assert attempt_states(tracker) == [(0, 1, "faulty"), (0, 2, "faulty")]


def test_a_search_is_written_once(tracker, path):
    """A search is never overwritten."""
    with pytest.raises(RunError, match=r"already holds the search 'toy'.*--resume"):
        create(path, "toy", {})


def test_what_is_no_search_is_refused(tmp_path):
    """A missing file and one cut short at its creation hold none; another file is no database."""
    (tmp_path / "empty.db").touch()
    sqlite3.connect(tmp_path / "bare.db").execute("PRAGMA user_version = 1").connection.close()
    for name in ("search.db", "empty.db", "bare.db"):
        with pytest.raises(RunError, match="there is no search at"):
            SearchRecord(tmp_path / name)
    (tmp_path / "text.db").write_text("no database, whatever it is called" * 50)
    with pytest.raises(RunError, match="does not hold a search: file is not a database"):
        SearchRecord(tmp_path / "text.db")
    with pytest.raises(RunError, match="no search can be written"):
        create(tmp_path / "text.db", "toy", {})


def test_a_database_may_hold_several_searches(tracker, path):
    """They are told apart by name, and do not see each other's candidates."""
    other = create(path, "other", {"seed": 1})
    with tracker.hold(), other.hold():
        assert tracker.propose({}, "a") == 0
        assert other.propose({}, "a") == 0
    with pytest.raises(RunError, match="none or several"):
        SearchRecord(path)
    assert SearchRecord(path, "other").config == {"seed": 1}


def test_a_later_format_is_refused(tracker, path):
    """A database of a later version is not misread."""
    change(path, "format = 99")
    with pytest.raises(RunError, match="later version"):
        SearchRecord(path)


def test_the_table_ranks_finished_candidates(tracker):
    """Best first, then the failed ones without rank; numbers come from the evaluations."""
    document = '{"numbers": {"parameters": 5, "macs": 7, "examples": 9}, "layers": ["a"]}'
    with tracker.hold():
        for k, score in enumerate((0.1, 0.9, None)):
            tracker.propose({"k": k}, str(k))
            attempt = tracker.submit(k)
            if score is None:
                tracker.fail(k, attempt, "no")
            else:
                numbers = {"P": float("nan"), "TG": 0.1, "score": score}
                tracker.finish(k, attempt, document, numbers)
    frame = to_frame(tracker)
    assert list(frame["k"]) == [1, 0, 2]
    assert list(frame["rank"].fillna(0)) == [1, 2, 0]
    assert frame["P"].isna().all()
    assert list(frame.loc[0, ["parameters", "macs", "examples", "layers"]]) == [5, 7, 9, 1]
    assert frame.loc[2, "reason"] == "no"
