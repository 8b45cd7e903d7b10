"""``neurosage score``."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurosage.errors import InputError

if TYPE_CHECKING:
    from neurosage.models.preprocess import Preprocessing
    from neurosage.scoring.result import Score

app = typer.Typer()


@app.command()
def score(
    model: Annotated[
        str,
        typer.Argument(
            help="torchvision:NAME, timm:NAME, FILE.py:FUNCTION, or pixels (the image itself)."
        ),
    ],
    teacher: Annotated[
        str, typer.Option(help="Id of a teacher, or of a part (macaque-v4/190923), or a folder.")
    ],
    weights: Annotated[
        str | None, typer.Option(help="File of weights, or the name of published ones (DEFAULT).")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Names with commas between; all leaf modules if omitted.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Pixels of the images, as 224 or 96x128 (height x width).")
    ] = None,
    units: Annotated[int, typer.Option(help="Units recorded of a layer, at most.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of these units, and of untrained weights.")] = 0,
    distance: Annotated[
        str | None,
        typer.Option(
            help="correlation (if omitted, or that of the teacher's RDMs), euclidean, cosine, "
            "crossnobis (from single repetitions; the network's side is then euclidean)."
        ),
    ] = None,
    comparison: Annotated[str, typer.Option(help="pearson, spearman or cosine.")] = "pearson",
    normalise: Annotated[
        str | None,
        typer.Option(
            help="Of the teacher's neuroids: none, centre, zscore, noise; as its card says."
        ),
    ] = None,
    backend: Annotated[str, typer.Option(help="torch or rsatoolbox.")] = "torch",
    nan: Annotated[
        str,
        typer.Option(help="Missing responses of it: raise, drop-stimulus or drop-neuroid."),
    ] = "raise",
    batch_size: Annotated[int, typer.Option(help="Stimuli in a batch.")] = 64,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, …")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to save score.nc in.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not tables.")] = False,
) -> None:
    """Score a network: similarity of its layers to each region of a teacher."""
    pixels = None if size is None else _read_size(size)
    names = None if layers is None else [name.strip() for name in layers.split(",")]
    if out is not None:
        _make_folder(out)

    from neurosage.cli.live import screen
    from neurosage.models.forward import check_run
    from neurosage.models.source import load_model
    from neurosage.scoring.network import score as score_network

    check_run(units=units, seed=seed, batch_size=batch_size, device=device)
    network = load_model(model, weights, seed=seed)
    preprocessing: Preprocessing = network.preprocessing
    if pixels is not None:
        preprocessing = replace(preprocessing, size=pixels)
    with screen() as shown:
        result = score_network(
            network,
            teacher,
            names,
            units=units,
            seed=seed,
            distance=distance,
            comparison=comparison,
            normalise=normalise,
            backend=backend,
            nan=nan,
            preprocessing=preprocessing,
            batch_size=batch_size,
            device=device,
            progress=partial(shown.count, "stimuli recorded"),
        )
    saved = None if out is None else result.save(out / "score.nc")
    if as_json:
        typer.echo(json.dumps(_document(result), ensure_ascii=False))
    else:
        _print(result)
    if saved is not None:
        typer.echo(f"saved {saved}", err=True)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out} cannot be made a folder: {error.strerror}.") from error


def _read_size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--size is a number of pixels, or HEIGHTxWIDTH, not {text!r}.")
    return int(parts[0]), int(parts[-1])


def _document(result: Score) -> dict[str, Any]:
    return {
        "tg": result.tg,
        "best": json.loads(result.best.to_json(orient="records")),
        "layers": json.loads(result.to_frame().to_json(orient="records")),
        "made": dict(result.data.attrs),
    }


def _print(result: Score) -> None:
    from rich.console import Console

    # Piped, a table is not squeezed to 80 columns.
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    made = result.data.attrs
    title = f"{made['model']} (weights: {made['weights']}) against {made['teacher']}"
    console.print(title, markup=False, style="bold")
    if made["teacher_kind"] == "simulated":
        console.print("This teacher is SIMULATED: it was measured in no animal.", style="yellow")
    console.print("Most similar layer of each region:")
    console.print(_best_table(result))
    console.print("All layers, in the order they were asked for or run:")
    console.print(_layer_table(result))
    console.print(_footnote(result), markup=False)


def _best_table(result: Score) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("region", "best layer")
    table.add_column("similarity", justify="right")
    for row in result.best.itertuples():
        table.add_row(escape(str(row.region)), escape(str(row.layer)), f"{row.similarity:.3f}")
    table.add_section()
    table.add_row("TG", "mean over regions", f"{result.tg:.3f}")
    return table


def _layer_table(result: Score) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("layer")
    table.add_column("units", justify="right")
    regions = [str(region) for region in result.similarity.region.values]
    for region in regions:
        table.add_column(region, justify="right")
    best = set(zip(result.best.region, result.best.layer, strict=True))
    for layer in result.data["layer"].values:
        part = result.data.sel(layer=layer)
        values = {region: float(part["similarity"].sel(region=region)) for region in regions}
        cells = [_cell(values[region], (region, layer) in best) for region in regions]
        table.add_row(escape(str(layer)), str(int(part["units"])), *cells)
    return table


def _cell(value: float, is_best: bool) -> str:
    shown = "undefined" if math.isnan(value) else f"{value:.3f}"
    return f"[bold]{shown}[/]" if is_best else shown


def _footnote(result: Score) -> str:
    from neurosage.data.findings.finding import count

    made, number = result.data.attrs, result.data.sizes["layer"]
    layers = made.get("distance_layers", made["distance"])
    other = "" if layers == made["distance"] else f" (the network's: {layers}, without noise)"
    note = (
        f"{made['comparison']} of {made['distance']} RDMs{other} over {made['n_stimuli']} stimuli; "
        f"neuroids {made['normalise_teacher']}, units {made['normalise_layers']}.\n"
    )
    if number > 1:
        note += (
            f"The best is a max over {number} layers on the scored stimuli: that is selection, it "
            "grows with the number of layers; no unbiased similarity.\n"
        )
    for what, left_out in json.loads(made["dropped"]).get("b", {}).items():  # b: the teacher
        first = ", ".join(map(str, left_out[:5])) + (", …" if len(left_out) > 5 else "")
        note += f"{count(len(left_out), what)} left out for missing responses: {first}\n"
    reasons = result.data["undefined"].to_series()
    for layer, reason in reasons[reasons != ""].items():
        note += f"{layer} is undefined: {reason}\n"
    return note.rstrip()
