"""The command as a user calls it: one sentence, and an exit status that says whose fault it is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def call(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NEUROSAGE_MIRROR": "", "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", "neurosage", *arguments],
        capture_output=True, text=True, cwd=folder, env=environment, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("teachers", "--json"), 0, ""),
        (("--version",), 0, ""),
        (("score", "pixels", "--teacher", "macaque-v5"), 2, "did you mean 'macaque-v4'"),
        (("score", "pixels", "--teacher", "macaque-v4/../x"), 2, "part"),
        (("score", "pixels", "--teacher", "macaque-v4"), 1, "neurosage fetch macaque-v4/201025"),
        (("search", "nowhere.toml"), 2, "neurosage search --example"),
        (("search", "--reseume", "x.toml"), 2, "--resume"),
        (("report", "runs/nothing"), 1, "no search"),
        (("demo", "--set", "search.candidates=2"), 2, "at least 4"),
        (("demo", "--set", "search.candidats=9"), 2, "did you mean 'candidates'"),
        (("demo", "--out", "file/x"), 2, "file"),
    ],
    ids=lambda case: "-".join(case)[:40] if isinstance(case, tuple) else "",
)
def test_one_sentence(tmp_path: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    """A user's mistake ends in status 2, a failure in 1, each with the next step, no traceback."""
    (tmp_path / "file").write_text("in the way")
    done = call(*arguments, folder=tmp_path)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    words = " ".join(done.stderr.split())
    assert said in words
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
