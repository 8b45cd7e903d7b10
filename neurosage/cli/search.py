"""``neurosage search``."""

from __future__ import annotations

import json
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurosage.cli.live import screen
from neurosage.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pandas as pd

    from neurosage.nas.config import SearchConfig
    from neurosage.nas.progress import Status
    from neurosage.nas.run import Run

app = typer.Typer()

ROWS = 20
WIDE_TERMINAL = 110
WIDE = 2000


@app.command()
def search(
    config: Annotated[Path | None, typer.Argument(help="The search's TOML file.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a search that was stopped or killed.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: training.epochs=1."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The run's folder is made in here.")] = Path("runs"),
    example: Annotated[
        bool, typer.Option("--example", help="Print a commented TOML file to start from.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")] = False,
) -> None:
    """Search for architectures, guided by a teacher; Ctrl-C loses nothing."""
    from neurosage.nas.config import example_config, load_config

    if example:
        typer.echo(example_config(), nl=False)
        return
    if config is None:
        raise InputError("which search? Give its TOML file; --example prints one to start from.")
    chosen = load_config(config, settings or ())
    folder = out / chosen.search.name
    try:
        with screen() as shown:
            run = _run(chosen, folder, resume, shown.status)
    except KeyboardInterrupt:
        _print_interrupted(folder, _again(config, out, settings or ()), as_json)
        raise typer.Exit(130) from None
    _print(run, as_json)
    if run.best is None:
        raise typer.Exit(1)


def _run(config: SearchConfig, folder: Path, resume: bool, show: Callable[[Status], None]) -> Run:
    from neurosage.nas import search as searches

    engine = config.engine.name or "local"
    if resume:
        total = config.search.candidates
        return searches.resume(folder, total, config=config, engine=engine, progress=show)
    return searches.search(config, out=folder.parent, engine=engine, progress=show)


# ---- what came out, on standard output -------------------------------------------------


def _again(config: Path, out: Path, settings: Sequence[str]) -> str:
    words = ["neurosage", "search", str(config), "--resume"]
    words += [] if out == Path("runs") else ["--out", str(out)]
    return shlex.join(words + [word for setting in settings for word in ("--set", setting)])


def _print_interrupted(folder: Path, again: str, as_json: bool) -> None:
    from neurosage.errors import RunError
    from neurosage.nas.run import Run

    try:
        run = Run(folder)
    except RunError:
        typer.echo("interrupted before the search began", err=True)
        return
    _print(run, as_json)
    typer.echo(f"interrupted; go on with: {again}", err=True)


def _print(run: Run, as_json: bool) -> None:
    frame = run.to_frame()
    if as_json:
        rows = json.loads(frame.to_json(orient="records", double_precision=15))
        for row in rows:
            row["architecture"] = json.loads(row["architecture"])
        document = {"run": str(run.folder), "name": run.name, "candidates": rows}
        typer.echo(json.dumps(document, ensure_ascii=False))
        return
    from rich.console import Console

    # Piped, a table is not squeezed to 80 columns.
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    finished = frame[frame["state"] == "finished"]
    if len(finished):
        table, best = _table(run, finished.head(ROWS), wide=console.width >= WIDE_TERMINAL)
        console.print(table)
        if best:
            console.print(f"the best: {best}", markup=False)
    for line in _footnotes(run, frame, finished):
        console.print(line, markup=False, soft_wrap=True)


def _table(run: Run, rows: pd.DataFrame, *, wide: bool) -> tuple[Any, str]:
    """Tabulate; on a narrow terminal the best architecture is told apart."""
    from rich.markup import escape
    from rich.table import Table

    from neurosage.nas.catalogue import make_space
    from neurosage.nas.outline import outline

    settings = run.config
    space = make_space(settings.space.name, settings.space.options)
    table = Table(title=_title(settings), title_justify="left", expand=sys.stdout.isatty())
    names = ("rank", "k", "P", "TG", "P+TG", "parameters", "MACs", "examples")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    # In a terminal this one takes what the numbers leave.
    ratio = 1 if sys.stdout.isatty() else None
    if wide:
        table.add_column("architecture", no_wrap=True, overflow="ellipsis", ratio=ratio)
    outlines = [outline(space, json.loads(each)) for each in rows["architecture"]]
    for (_, row), drawn in zip(rows.iterrows(), outlines, strict=True):
        table.add_row(
            *(str(row["rank"]), str(row["k"])),
            *(_number(row[name]) for name in ("P", "TG", "P+TG")),
            *(f"{row[name]:,}" for name in ("parameters", "macs", "examples")),
            *([escape(drawn)] if wide else []),
        )
    return table, "" if wide else outlines[0]


def _title(settings: SearchConfig) -> str:
    weights = settings.search
    return f"{weights.name}: P+TG = {weights.performance_weight:g} P + {weights.alpha:g} TG"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _footnotes(run: Run, frame: pd.DataFrame, finished: pd.DataFrame) -> Iterator[str]:
    if len(finished) > ROWS:
        yield f"… and {len(finished) - ROWS} more"
    failed = frame[frame["state"] == "failed"].sort_values("k")
    for _, row in failed.head(ROWS).iterrows():
        yield f"candidate {row['k']} failed: {row['reason']}"
    if len(failed) > ROWS:
        yield f"… and {len(failed) - ROWS} more failed"
    if len(finished):
        numbers = [evaluation.numbers for evaluation in run.evaluations().values()]
        spent = sum(n["seconds"] for n in numbers)
        analysis = sum(n["seconds_record"] + n["seconds_similarity"] for n in numbers)
        yield (
            f"{len(finished)} candidates saw {finished['examples'].sum():,} examples; recording "
            f"and similarity took {analysis / spent:.0%} of their time"
        )
    open_ = len(frame) - len(finished) - len(failed)
    yield f"{run.folder}" + (f": {open_} candidates are not finished" if open_ else "")
