"""A search as a table."""

from __future__ import annotations

import json

import pandas as pd

from neurosage.nas.space import to_json
from neurosage.nas.tracker.record import SearchRecord

COLUMNS = (
    "rank", "k", "state", "P", "TG", "P+TG", "parameters", "macs", "examples", "seconds",
    "layers", "attempts", "reason", "key", "architecture",
)  # fmt: skip


def to_frame(record: SearchRecord) -> pd.DataFrame:
    """Tabulate the candidates of a search, the best first.

    Parameters
    ----------
    record : SearchRecord
        The search.

    Returns
    -------
    pandas.DataFrame
        A row per candidate: ``rank`` from 1 (missing unless finished), ``k``,
        ``state``; ``P`` in [0, 1], ``TG`` in [-1, 1], ``P+TG`` the score as weighted
        in this search; ``parameters``, ``macs`` per image, ``examples`` seen in
        training, ``seconds``, ``layers`` recorded; ``attempts`` started, ``reason`` of
        a failure, graph ``key``, ``architecture`` as JSON.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from neurosage.nas.tracker.store import create
    >>> tracker = create(Path(tempfile.mkdtemp()) / "search.db", "toy", {})
    >>> len(to_frame(tracker))
    0
    """
    documents = {k: json.loads(text) for k, text in record.documents().items()}
    numbers = {k: document.get("numbers", {}) for k, document in documents.items()}
    rows = [
        {
            "k": c.k,
            "state": c.state,
            "P": c.P,
            "TG": c.TG,
            "P+TG": c.score,
            **{n: numbers.get(c.k, {}).get(n) for n in COLUMNS[6:10]},
            "layers": len(documents[c.k].get("layers", ())) if c.k in documents else None,
            "attempts": c.attempts,
            "reason": c.reason,
            "key": c.key,
            "architecture": to_json(c.architecture),
        }
        for c in record.candidates()
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        dict.fromkeys(("P", "TG", "P+TG", "seconds"), "float64")
        | dict.fromkeys(("rank", "parameters", "macs", "examples", "layers"), "Int64")
    )
    frame = frame.sort_values("P+TG", ascending=False, kind="stable", na_position="last")
    frame["rank"] = frame["P+TG"].rank(method="first", ascending=False).astype("Int64")
    return frame.reset_index(drop=True)
