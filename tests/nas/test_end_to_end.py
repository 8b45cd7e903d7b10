"""The whole way by its command, with worker processes, killed and resumed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from neurosage.errors import RunError
from neurosage.nas.run import DATABASE, Run
from neurosage.nas.tracker.record import SearchRecord

TOML = """
[search]
candidates = 500
[space]
name = "convnet-5"
options = { filters = [2, 4] }
[explorer]
name = "random"
[data]
name = "digits"
train = 200
valid = 50
[training]
recipe = "digits"
steps = 10
[[teacher]]
id = "simulated-macaque"
[record]
units = 50
[engine]
name = "local"
workers = 2
"""


def command(*words):
    return [sys.executable, "-m", "neurosage", "search", "toy.toml", *words]


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)
    return found


def finished(folder):
    try:
        return [c for c in Run(folder).candidates() if c.state == "finished"]
    except RunError:  # not there yet
        return []


@pytest.mark.slow
def test_a_search_on_workers_outlives_kill_9(tmp_path):
    """No candidate lost, none evaluated twice, no worker left, no second process meanwhile."""
    (tmp_path / "toy.toml").write_text(TOML)
    folder = tmp_path / "runs" / "toy"
    quiet = {"cwd": tmp_path, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command(), **quiet)
    try:
        wait_for(lambda: process.poll() is not None or finished(folder))
        assert process.poll() is None, process.stderr.read().decode()
        second = subprocess.run(command("--resume"), check=False, **quiet)
        assert second.returncode == 1
        assert f"being run by process {process.pid}" in " ".join(second.stderr.decode().split())
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len(workers) >= 2
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    _, left = psutil.wait_procs(workers, timeout=20)
    assert not left, "workers outlive their search"

    before = Run(folder).candidates()
    done = {c.k: Run(folder).evaluation(c.k).to_json() for c in before if c.state == "finished"}
    total = len(before) + 2
    resumed = subprocess.run(
        command("--resume", "--set", f"search.candidates={total}"), check=False, **quiet
    )
    assert resumed.returncode == 0, resumed.stderr.decode()
    after = Run(folder).candidates()
    assert [c.key for c in after[: len(before)]] == [c.key for c in before]
    assert len({c.key for c in after}) == len(after) == total
    assert {c.state for c in after} <= {"finished", "failed"}
    attempts = SearchRecord(folder / DATABASE).attempts()
    assert set(Counter(a["k"] for a in attempts if a["state"] == "finished").values()) == {1}
    assert all(max(a["attempt"] for a in attempts if a["k"] == k) == 1 for k in done)
    assert {k: Run(folder).evaluation(k).to_json() for k in done} == done
