"""Connections to a tracker's database, and the writing of a new search into one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from neurosage import __version__
from neurosage.errors import InputError, RunError
from neurosage.nas.tracker.schema import FORMAT, metadata, searches


def connect(where: Path | str) -> sa.Engine:
    """Open a database.

    Parameters
    ----------
    where : path or str
        A SQLite file, or the URL of a database.

    Returns
    -------
    sqlalchemy.Engine
        In SQLite, its transactions with the execution option ``write`` take the
        lock at their start, so that what they read stays true while they write.
    """
    # A path is no part of a URL's text: it may hold a question mark.
    path = sa.URL.create("sqlite", database=str(where))
    url = path if isinstance(where, Path) else sa.make_url(where)
    if url.get_backend_name() != "sqlite":
        return sa.create_engine(url)
    # NullPool: SQLite opens in microseconds, and no descriptor outlives its use.
    engine = sa.create_engine(url, connect_args={"timeout": 30.0}, poolclass=sa.pool.NullPool)

    @sa.event.listens_for(engine, "connect")
    def _no_driver_transactions(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # else the driver begins late, without the lock

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an error of the database into one sentence, without its SQL.

    Parameters
    ----------
    what : str
        What could not be done, such as ``"the search 'toy' cannot be read"``.

    Raises
    ------
    RunError
        If the database is locked, read only, full, gone or none.

    Examples
    --------
    >>> with explained("the search cannot be read"), connect("sqlite://").connect() as c:
    ...     c.exec_driver_sql("SELECT * FROM missing")
    Traceback (most recent call last):
    ...
    neurosage.errors.RunError: the search cannot be read: no such table: missing.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise RunError(f"{what}: {error.orig}.") from error


def holds_search(where: Path | str) -> bool:
    """Tell whether a database holds a search; a file cut short at its creation does not.

    Parameters
    ----------
    where : path or str
        A SQLite file, or the URL of a database.

    Raises
    ------
    RunError
        If the file is no database.
    """
    if isinstance(where, Path) and not where.is_file():
        return False
    with explained(f"{where} does not hold a search"), connect(where).connect() as connection:
        if not sa.inspect(connection).has_table(searches.name):
            return False
        return connection.execute(sa.select(searches.c.id)).first() is not None


def insert_search(where: Path | str, name: str, config: Mapping[str, Any]) -> None:
    """Write a new search into a database; all of it or, when killed, nothing.

    Parameters
    ----------
    where : path or str
        A SQLite file, made with its folder if missing, or the URL of a database.
    name : str
        The search's name.
    config : mapping
        Its settings, as JSON can hold them.

    Raises
    ------
    InputError
        If the folder cannot be made.
    RunError
        If the database has a search of this name, or is none.
    """
    if isinstance(where, Path):
        _make_folder(where.parent)
    row = {"name": name, "format": FORMAT, "version": __version__, "created": time.time()}
    document = json.dumps(dict(config), sort_keys=True)
    writing = connect(where).execution_options(write=True)
    with explained(f"no search can be written to {where}"), writing.begin() as connection:
        metadata.create_all(connection)
        taken = sa.select(searches.c.id).where(searches.c.name == name)
        if connection.execute(taken).first() is None:
            connection.execute(sa.insert(searches).values(**row, config=document))
            return
    raise RunError(
        f"{where} already holds the search {name!r}: go on with it by --resume, or give the "
        "new one another name (--set search.name=NAME)."
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be made: {error.strerror}.") from error


def find_search(where: Path | str, name: str | None = None) -> tuple[sa.Engine, int, str]:
    """Find a search.

    Parameters
    ----------
    where : path or str
        A SQLite file, or the URL of a database.
    name : str, optional
        Which search; needed only where there are several.

    Returns
    -------
    tuple of (sqlalchemy.Engine, int, str)
        The database, the search's id in it, and its name.

    Raises
    ------
    RunError
        If there is no such search, or it was written by a later version.
    """
    if not holds_search(where):
        raise RunError(f"there is no search at {where}: start one with neurosage search.")
    engine = connect(where)
    with explained(f"{where} does not hold a search"), engine.connect() as connection:
        rows = connection.execute(sa.select(searches)).all()
    found = [row for row in rows if name in (None, row.name)]
    if len(found) != 1:
        names = [row.name for row in rows]
        raise RunError(f"{where} holds the searches {names}, none or several called {name!r}.")
    if found[0].format > FORMAT:
        raise RunError(f"{where} was written by a later version of neurosage: upgrade to it.")
    return engine, found[0].id, found[0].name
