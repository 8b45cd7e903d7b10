"""``neurosage demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurosage.cli.live import screen

app = typer.Typer()


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder of the run and the page.")] = Path(
        "neurosage-demo"
    ),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: search.candidates=8."),
    ] = None,
) -> None:
    """Search guided by a simulated brain, offline, in minutes; ends in one page to read."""
    from neurosage.demo import run_demo

    try:
        with screen() as shown:
            done = run_demo(
                out,
                settings=tuple(settings or ()),
                engine="local",
                on_status=shown.status,
                on_count=shown.count,
            )
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command goes on where it stopped", err=True)
        raise typer.Exit(130) from None
    from neurosage.report.demo_page import verdict

    if done.predictivity is None:
        typer.echo("Too few candidates finished to say what foretells their final accuracy.")
    else:
        typer.echo(verdict(done.predictivity))
    typer.echo(f"{done.seconds:.0f} s. Open this page in a browser: {done.page.resolve()}")
