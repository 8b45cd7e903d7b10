"""The tables of a tracker: searches, candidates, attempts, evaluations.

One database may hold several searches, each under its own name; a search run in
a folder has a SQLite file for itself. Times are Unix seconds.
"""

from __future__ import annotations

import sqlalchemy as sa

FORMAT = 1

PROPOSED, RUNNING, FINISHED, FAILED = "proposed", "running", "finished", "failed"
SUBMITTED, LOST, INTERRUPTED, LATE = "submitted", "lost", "interrupted", "late"
FAULTY = "faulty"  # ended by an error that is hardly the candidate's own
CANDIDATE_STATES = (PROPOSED, RUNNING, FINISHED, FAILED)
ATTEMPT_STATES = (SUBMITTED, RUNNING, FINISHED, FAILED, LOST, INTERRUPTED, FAULTY, LATE)

metadata = sa.MetaData()

searches = sa.Table(
    "searches",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
    sa.Column("format", sa.Integer, nullable=False),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("version", sa.String(50), nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("lease_token", sa.String(32)),
    sa.Column("lease_host", sa.String(255)),
    sa.Column("lease_pid", sa.Integer),
    sa.Column("lease_process", sa.String(200)),
    sa.Column("lease_expires", sa.Float),
)

# A graph key stands once in a search, so no network can be evaluated twice.
candidates = sa.Table(
    "candidates",
    metadata,
    sa.Column("search", sa.ForeignKey("searches.id"), primary_key=True),
    sa.Column("k", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("architecture", sa.Text, nullable=False),
    sa.Column("key", sa.String(200), nullable=False),
    sa.Column("state", sa.String(20), sa.CheckConstraint(f"state IN {CANDIDATE_STATES}")),
    sa.Column("reason", sa.Text),
    sa.Column("proposed", sa.Float, nullable=False),
    sa.Column("ended", sa.Float),
    sa.UniqueConstraint("search", "key"),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("search", sa.Integer, primary_key=True),
    sa.Column("k", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.String(20), sa.CheckConstraint(f"state IN {ATTEMPT_STATES}")),
    sa.Column("token", sa.String(32), nullable=False),
    sa.Column("worker", sa.String(255)),
    sa.Column("reason", sa.Text),
    sa.Column("submitted", sa.Float, nullable=False),
    sa.Column("started", sa.Float),
    sa.Column("ended", sa.Float),
    sa.ForeignKeyConstraint(["search", "k"], ["candidates.search", "candidates.k"]),
)

evaluations = sa.Table(
    "evaluations",
    metadata,
    sa.Column("search", sa.Integer, primary_key=True),
    sa.Column("k", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("P", sa.Float),
    sa.Column("TG", sa.Float),
    sa.Column("score", sa.Float),
    sa.Column("document", sa.Text, nullable=False),
    sa.ForeignKeyConstraint(["search", "k"], ["candidates.search", "candidates.k"]),
)
