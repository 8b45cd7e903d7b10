"""``neurosage report``: a page about a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="The folder of a run, such as runs/brain-guided.")],
    out: Annotated[
        Path | None, typer.Option(help="The page to write; report.html in the run if omitted.")
    ] = None,
) -> None:
    """Write a self-contained page about a run: progress, P against TG, the best candidates."""
    from neurosage.nas.run import Run
    from neurosage.report.run_sections import write_report

    typer.echo(f"Page: {write_report(Run(run), out)}")
