"""``neurosage score``."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurosage.errors import InputError

if TYPE_CHECKING:
    from neurosage.models.preprocess import Preprocessing
    from neurosage.scoring.result import Score

app = typer.Typer()

COMPARISONS = (
    "Of two RDMs: pearson, spearman, cosine, kendall, tau-a, rho-a, corr_cov, cosine_cov, cka, "
    "cka_unbiased; of responses, without RDMs and distance: svcca, procrustes."
)
WIDE = 200
NARROW = 110  # terminals below show an interval under its number


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
            "poisson; from single repetitions mahalanobis, poisson_cv, crossnobis (the network's "
            "side is then euclidean)."
        ),
    ] = None,
    comparison: Annotated[str, typer.Option(help=COMPARISONS)] = "pearson",
    normalise: Annotated[
        str | None,
        typer.Option(
            help="Of the teacher's neuroids: none, centre, zscore, noise; as its card says."
        ),
    ] = None,
    backend: Annotated[str, typer.Option(help="torch or rsatoolbox.")] = "torch",
    nan: Annotated[
        str,
        typer.Option(help="Missing responses of it: raise, drop-stimulus, drop-neuroid, pairwise."),
    ] = "raise",
    precision: Annotated[
        str | None,
        typer.Option(help="Of mahalanobis and crossnobis: none, diagonal or shrinkage."),
    ] = None,
    interval: Annotated[float, typer.Option(help="How much the intervals cover.")] = 0.95,
    no_interval: Annotated[
        bool, typer.Option("--no-interval", help="Leave out intervals and cross-fitting.")
    ] = False,
    resamples: Annotated[int, typer.Option(help="Of the stimuli, for the intervals.")] = 1000,
    by: Annotated[
        str,
        typer.Option(help="Stimuli drawn together for them: a coordinate or column, as object."),
    ] = "stimulus_id",
    ceilings: Annotated[
        bool, typer.Option(help="Estimate the noise ceilings of the teacher's regions.")
    ] = True,
    batch_size: Annotated[int, typer.Option(help="Stimuli in a batch.")] = 64,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, …")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for score.nc and the page score.html.")
    ] = None,
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
            precision=precision,
            interval=None if no_interval else interval,
            resamples=resamples,
            by=by,
            ceilings=ceilings,
            preprocessing=preprocessing,
            batch_size=batch_size,
            device=device,
            progress=shown.count,
        )
    saved = [] if out is None else _save(result, out)
    if as_json:
        typer.echo(json.dumps(_document(result), ensure_ascii=False))
    else:
        _print(result)
    for path in saved:
        typer.echo(f"saved {path}", err=True)


def _save(result: Score, out: Path) -> list[Path]:
    from neurosage.report.score_page import write_score_page

    kept, page = result.save(out / "score.nc"), out / "score.html"
    write_score_page(result, page)
    return [kept, page]


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

    from neurosage.scoring.showing import notes

    # Piped, a table is not squeezed to 80 columns.
    console = Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)
    made, folded = result.data.attrs, console.width < NARROW
    title = f"{made['model']} (weights: {made['weights']}) against {made['teacher']}"
    console.print(title, markup=False, style="bold")
    if made["teacher_kind"] == "simulated":
        console.print("This teacher is SIMULATED: it was measured in no animal.", style="yellow")
    console.print("Most similar layer of each region:")
    console.print(_best_table(result, folded))
    console.print("All layers, in the order they were asked for or run:")
    console.print(_layer_table(result, folded))
    for note in notes(result.data):
        console.print(note, markup=False)


def _best_table(result: Score, folded: bool) -> Any:
    from rich.markup import escape
    from rich.table import Table

    from neurosage.scoring.showing import shown_best

    shown, table = shown_best(result.best, result.data), Table()
    for title in shown.columns:
        numbers = title not in ("region", "best layer")
        table.add_column(escape(title), justify="right" if numbers else "left", no_wrap=numbers)
    for row in shown.itertuples(index=False):
        table.add_row(*(escape(_folded(str(cell), folded)) for cell in row))
    table.add_section()
    table.add_row("TG", "mean over regions", f"{result.tg:.3f}")
    return table


def _layer_table(result: Score, folded: bool) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table("layer")
    table.add_column("units", justify="right")
    regions = [str(region) for region in result.similarity.region.values]
    for region in regions:
        table.add_column(escape(region), justify="right", no_wrap=True)
    best = set(zip(result.best.region, result.best.layer, strict=True))
    for layer in result.data["layer"].values:
        part = result.data.sel(layer=layer)
        cells = [_cell(part.sel(region=r), (r, layer) in best, folded) for r in regions]
        table.add_row(escape(str(layer)), str(int(part["units"])), *cells)
    return table


def _cell(found: Any, is_best: bool, folded: bool) -> str:
    from rich.markup import escape

    from neurosage.scoring.showing import with_interval

    value = float(found["similarity"])
    low, high = (float(found.get(name, math.nan)) for name in ("low", "high"))
    words = with_interval(value, low, high)
    shown = "undefined" if math.isnan(value) else escape(_folded(words, folded))
    return f"[bold]{shown}[/]" if is_best else shown


def _folded(words: str, folded: bool) -> str:
    """A number above its interval where there is no room beside it."""
    return words.replace(" [", "\n[") if folded else words
