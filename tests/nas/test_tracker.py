"""The tracker: candidates, attempts, leases."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time

import pytest

from neurosage.errors import RunError
from neurosage.nas.tracker import lease
from neurosage.nas.tracker.export import to_frame, write_csv
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
    (seen,) = record.observations()
    assert (seen.architecture, seen.key, seen.score) == ({"width": 8}, "a", 0.75)
    assert record.config == {"seed": 0}


def test_a_failed_candidate_is_observed_without_score(tracker):
    """Explorers see failures, so as not to propose them again; the reason is kept."""
    with tracker.hold():
        k = tracker.propose({}, "a")
        assert tracker.fail(k, tracker.submit(k), "its loss became NaN")
    assert [o.score for o in tracker.observations()] == [None]
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
    """A process that stood still longer than its lease cannot write any more."""
    with tracker.hold():
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE searches SET lease_expires = 0")
        connection.close()
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


def test_a_reused_process_id_does_not_hold_a_lease():
    """A process is told by its id and its beginning."""
    here = lease.Holder.here()
    assert not here.is_gone()
    assert lease.Holder("t", here.host, here.pid, here.pid_started - 100).is_gone()
    assert not lease.Holder("t", "elsewhere", 1, 0.0).is_gone()


def test_a_search_is_written_once(tracker, path):
    """A search is never overwritten."""
    with pytest.raises(RunError, match=r"already holds the search 'toy'.*--resume"):
        create(path, "toy", {})


def test_what_is_no_search_is_refused(tmp_path):
    """A missing file, an empty one and another database are told apart from a search."""
    with pytest.raises(RunError, match="there is no search at"):
        SearchRecord(tmp_path / "search.db")
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_text("no database, whatever it is called" * 50)
    for name in ("empty.db", "text.db"):
        with pytest.raises(RunError, match="does not hold a search"):
            SearchRecord(tmp_path / name)
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
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE searches SET format = 99")
    connection.close()
    with pytest.raises(RunError, match="later version"):
        SearchRecord(path)


def test_the_table_ranks_finished_candidates(tracker, tmp_path):
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
    assert write_csv(tracker, tmp_path / "out.csv").read_text().count("\n") == 4
