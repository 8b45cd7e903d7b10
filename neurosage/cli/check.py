"""``neurosage check``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from neurosage.data.findings.finding import Finding
    from neurosage.report.check import Check

app = typer.Typer()

WIDE_TERMINAL = 120
WIDE = 140
COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}


@app.command()
def check(
    teacher: Annotated[
        str,
        typer.Argument(
            metavar="PATH_OR_ID", help="A folder with a card.toml, or a teacher's id or id/part."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write a page with pictures, check.html, in here."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of splits and resamples.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not tables.")] = False,
) -> None:
    """Check a teacher: is it sound, how reliable is it? Each finding comes with a remedy.

    Exit status: 0 no error was found, 1 there are errors, 2 the call was wrong.
    """
    from functools import partial

    from neurosage.cli.live import screen
    from neurosage.report import check as checking

    with screen() as shown:
        checked = checking.check(teacher, out, seed=seed, progress=partial(shown.count))
    if as_json:
        typer.echo(json.dumps(_document(checked), ensure_ascii=False))
    else:
        _print(checked)
    if not checked.ok:
        raise typer.Exit(1)


def _document(checked: Check) -> dict[str, Any]:
    return {
        "id": checked.id,
        "ok": checked.ok,
        "counts": checked.counts,
        "findings": [finding.to_dict() for finding in checked.findings],
        "regions": json.loads(checked.regions.to_json(orient="records", double_precision=15)),
        "not_estimable": checked.measures.reasons,
        "page": None if checked.page is None else str(checked.page),
    }


def _print(checked: Check) -> None:
    from rich.console import Console

    # Piped, a table is not squeezed to 80 columns.
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    title = checked.id if checked.teacher is None else repr(checked.teacher)[1:-1]
    console.print(title, markup=False, style="bold")
    if checked.findings:
        wide = console.width >= WIDE_TERMINAL
        console.print(_wide(checked) if wide else _narrow(checked))
    _print_regions(console, checked)
    style = "bold red" if not checked.ok else "bold"
    console.print(f"{checked.id}: {checked.verdict}", markup=False, style=style)
    if checked.page is not None:
        console.print(f"page: {checked.page}", markup=False, soft_wrap=True)


def _wide(checked: Check) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_lines=False)
    table.add_column("")
    table.add_column("where", ratio=2, overflow="fold")
    table.add_column("what", ratio=4, overflow="fold")
    table.add_column("next step", ratio=3, overflow="fold")
    table.expand = True
    for row, finding in enumerate(checked.findings):
        if row:
            table.add_row()
        severity, place = _severity(finding), _text(finding.place)
        table.add_row(severity, place, _text(finding.message), _text(finding.remedy))
    return table


def _narrow(checked: Check) -> Any:
    from rich import box
    from rich.console import Group
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_header=False)
    table.add_column("")
    table.add_column("", ratio=1, overflow="fold")
    table.expand = True
    for row, finding in enumerate(checked.findings):
        if row:
            table.add_row()
        what = _text(finding.message)
        step = _text(f"→ {finding.remedy}")
        table.add_row(_severity(finding), Group(_text(finding.place, "bold"), what, step))
    return table


def _severity(finding: Finding) -> Any:
    return _text(finding.severity, COLOURS[finding.severity])


def _text(words: str, style: str = "") -> Any:
    from rich.text import Text

    return Text(words, style=style)


def _folded(cell: str) -> str:
    """A number above its interval or range, each bound on lines of its own."""
    for sign in ("[", "("):
        cell = cell.replace(f" {sign}", f"\n{sign}")
    return cell.replace("; ", "\n")


def _print_regions(console: Console, checked: Check) -> None:
    from rich import box
    from rich.table import Table

    table = checked.measures.shown()
    if len(table):
        if narrow := console.width < WIDE_TERMINAL:  # how many neuroids is said above
            table = table.drop(columns="neuroids")
        drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for column in table.columns:
            first = column == "region"
            head = str(column).replace(", ", "\n", 1)
            drawn.add_column(head, justify="left" if first else "right", no_wrap=not first)
        for row in table.itertuples(index=False):
            drawn.add_row(*(_text(_folded(str(cell)) if narrow else str(cell)) for cell in row))
        console.print(drawn)
        for line in checked.measures.footnotes:
            console.print(line, markup=False, style="dim")
    for what, reason in checked.measures.reasons.items():
        console.print(f"{what}: not estimable: {reason}", markup=False)
