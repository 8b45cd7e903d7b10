"""Evaluations kept in a file, a line each, with what they were made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from neurosage.nas.provenance import fingerprint, versions
from neurosage.nas.task import Task

Stamp: TypeAlias = Mapping[str, Any]


class Kept:
    """Evaluations by candidate, served only where all that decides them is the same.

    The file's name says nothing that is relied on: it may hold lines of another search
    that had its folder before, of other versions or another teacher. They stay, unused.

    Parameters
    ----------
    file : Path
        Lines of JSON; made when first written to.
    content : mapping
        Hashes of data and teachers, as :meth:`neurosage.nas.plan.Plan.document` has them.
    """

    def __init__(self, file: Path, content: Mapping[str, Any]) -> None:
        self._file, self._content = file, dict(content)

    def stamp(self, task: Task, key: str) -> dict[str, Any]:
        """Return what an evaluation of a task is made from.

        Parameters
        ----------
        task : Task
            Pinned.
        key : str
            The candidate's graph key.
        """
        made = {"task": fingerprint(task), "content": self._content, "versions": versions()}
        return {"k": task.k, "key": key, **made}

    def read(self, stamps: Mapping[int, Stamp]) -> dict[int, str | None]:
        """Return the evaluations there are, as JSON; None for a candidate that failed.

        Parameters
        ----------
        stamps : mapping of int to dict
            Those wanted, by candidate.
        """
        known: dict[int, str | None] = {}
        lines = self._file.read_bytes().splitlines() if self._file.is_file() else []
        for line in lines:
            try:
                row = json.loads(line)
                k, stamp, evaluation = row["stamp"]["k"], row["stamp"], row["evaluation"]
            except (ValueError, KeyError, TypeError):  # cut short when the process was killed
                continue
            if stamps.get(k) == stamp:
                known[k] = evaluation
        return known

    def append(self, stamp: Stamp, text: str | None) -> None:
        """Write an evaluation, on a line of its own even after one that was cut short."""
        line = json.dumps({"stamp": dict(stamp), "evaluation": text}).encode()
        with self._file.open("ab+") as stream:
            if stream.tell():
                stream.seek(-1, 2)
                line = line if stream.read(1) == b"\n" else b"\n" + line
            stream.write(line + b"\n")
