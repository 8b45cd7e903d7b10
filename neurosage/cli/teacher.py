"""``neurosage teacher new``: a card to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurosage.errors import NeurosageError

app = typer.Typer()
teacher = typer.Typer(no_args_is_help=True, help="Make a folder of recordings a teacher.")
app.add_typer(teacher, name="teacher")


@teacher.callback()
def _teacher() -> None:
    """Make a folder of recordings a teacher."""


@teacher.command()
def new(
    folder: Annotated[
        Path, typer.Argument(help="With responses and images; made if it is not there.")
    ],
    id_: Annotated[
        str | None, typer.Option("--id", help="Of the teacher; after the folder if omitted.")
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Where all neuroids lie, if the files do not say it.")
    ] = None,
) -> None:
    """Look at what lies in a folder and write a commented card.toml to start from."""
    from neurosage.data.cards.new_card import write_card

    draft = write_card(folder, id_, region=region)
    typer.echo(f"{folder / 'card.toml'} is written:\n")
    typer.echo(draft.text)
    if draft.missing:
        typer.echo(f"Next: fill in {', '.join(draft.missing)}; then `neurosage check {folder}`.")
        return
    typer.echo(f"{_loaded(folder)}\nNext: `neurosage check {folder}`.")


def _loaded(folder: Path) -> str:
    from neurosage.data.registry import load_teacher

    try:
        return f"It loads: {load_teacher(folder)!r}"
    except NeurosageError as error:  # the card is there to be corrected
        return f"It does not load yet: {error}"
