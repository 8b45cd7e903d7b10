"""``neurosage teachers``, ``stimuli`` and ``fetch``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer()
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

TEACHER_COLUMNS = (
    *("id", "kind", "species", "regions", "neuroids"),
    *("stimuli", "repetitions", "licence", "available"),
)
LESS = ("kind", "species", "licence", "repetitions")  # first to go on a narrow terminal
WIDE = 130
STIMULI_COLUMNS = ("id", "stimuli", "licence", "available")


@app.command()
def teachers(as_json: Json = False) -> None:
    """List the teachers, and which are on this machine."""
    from neurosage.data.registry import list_teachers

    _print(list_teachers(), "teachers", TEACHER_COLUMNS, as_json)


@app.command()
def stimuli(as_json: Json = False) -> None:
    """List the stimulus sets, and which are on this machine."""
    from neurosage.data.registry import list_stimuli

    _print(list_stimuli(), "stimuli", STIMULI_COLUMNS, as_json)


@app.command()
def fetch(
    id_: Annotated[
        str,
        typer.Argument(metavar="ID", help="A teacher or stimuli; macaque-v4/190923 is one part."),
    ],
    as_json: Json = False,
) -> None:
    """Download and verify the files of a teacher or of stimuli."""
    from neurosage.data import registry

    files = [str(path) for path in registry.fetch(id_)]
    if as_json:
        typer.echo(json.dumps({"id": id_, "files": files}))
        return
    for path in files:
        typer.echo(path)
    there = f"{len(files)} files, verified" if files else "made on this machine, nothing to fetch"
    typer.echo(f"{id_}: {there}.", err=True)


def _print(table: pd.DataFrame, title: str, columns: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        typer.echo(table.to_json(orient="records", force_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    missing = "neurosage fetch ID brings what is not available"
    shown = Table(title=title, caption=None if table["available"].all() else missing)
    # Piped, a table is not squeezed to 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 200)
    if console.width < WIDE:
        columns = tuple(column for column in columns if column not in LESS)
    for column in columns:
        shown.add_column(column, no_wrap=column == "id", overflow="fold")
    for _, row in table.iterrows():
        shown.add_row(*[_cell(row, column) for column in columns])
    console.print(shown)
    for _, row in table[table["problem"] != ""].iterrows():
        console.print(f"{row['id']}: {row['problem']}", markup=False, highlight=False)


def _cell(row: pd.Series[Any], column: str) -> str:
    import pandas as pd

    value = row[column]
    if column == "id" and row.get("kind") == "simulated":
        return f"{value} (SIMULATED)"
    if column == "id" and row["default"] and "/" in value:
        return f"{value} (default)"
    if column == "available":
        return "yes" if value else "a problem" if row["problem"] else "no"
    if column == "kind" and value == "simulated":
        return "SIMULATED"
    return "" if pd.isna(value) else str(value)
