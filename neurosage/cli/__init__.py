"""The command line: a command parses, calls one public function, prints.

Exit status: 0 done, 1 the work failed, 2 the call was wrong, 130 interrupted.
"""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from neurosage.cli import catalogue, check, demo, report, score, search, teacher
from neurosage.cli.live import errors
from neurosage.errors import InputError, NeurosageError

app = typer.Typer(
    name="neurosage",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _room in (demo, catalogue, check, score, search, report, teacher):
    app.add_typer(_room.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from neurosage import __version__

        typer.echo(f"neurosage {__version__}")
        raise typer.Exit


@app.callback()
def _neurosage(
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Say more; twice for debugging.")
    ] = 0,
    version: Annotated[  # noqa: ARG001  # its callback prints it
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say the version."),
    ] = False,
) -> None:
    """Register recordings as a teacher, score networks against it, search guided by it."""
    from rich.logging import RichHandler

    handler = RichHandler(console=errors(), show_path=False, show_time=False, markup=False)
    logger = logging.getLogger("neurosage")
    logger.handlers = [handler]
    logger.setLevel((logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)])


def main() -> None:
    """Run the command line; a user's error is one sentence, not a traceback."""
    try:
        app()
    except NeurosageError as error:
        _say(str(error))
        sys.exit(2 if isinstance(error, InputError) else 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _say(f"{where}{error.strerror or error}.")
        sys.exit(1)


def _say(text: str) -> None:
    console = errors()
    console.print("[bold red]Error:[/]", end=" ")
    console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)
