"""The page of the demonstration: what the paper claims, and what came out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from neurosage.data.registry import load_teacher
from neurosage.data.teacher import Teacher
from neurosage.errors import RunError
from neurosage.nas.evaluator import record_again
from neurosage.nas.plan import Plan
from neurosage.nas.run import Run
from neurosage.report.page import figure_html, paragraph, section, table_html, write_page
from neurosage.report.plots import plot_predictivity, plot_rdm_pairs
from neurosage.report.run_sections import (
    best_section,
    made_section,
    progress_section,
    trade_section,
)
from neurosage.rsa.rdm import rdms

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr


def write_demo_page(
    path: Path, run: Run, final: pd.Series, table: pd.DataFrame | None, mature_steps: int
) -> Path:
    """Write the page.

    Parameters
    ----------
    path : pathlib.Path
        Where.
    run : Run
        The search.
    final : pandas.Series
        Final accuracy, by candidate number.
    table : pandas.DataFrame, optional
        From :func:`neurosage.nas.study.predictivity`; left out where too few
        candidates are complete.
    mature_steps : int
        Steps of training that gave the final accuracy.

    Returns
    -------
    pathlib.Path
        The file.
    """
    lead = (
        f"{len(run.candidates())} small networks, each trained {run.config.training.steps} steps "
        "on images of digits and compared with the answers of a simulated macaque, then trained "
        f"{mature_steps} steps to see what became of it."
    )
    sections = [
        _warning(),
        *([] if table is None else [_claim(table, mature_steps)]),
        progress_section(run),
        trade_section(run, final),
        *([] if run.best is None else [_rdms(run)]),
        best_section(run, final),
        made_section(run),
        _next_steps(run),
    ]
    return write_page(path, "A brain-guided search, in miniature", lead, sections)


def _warning() -> str:
    return section(
        "The teacher is simulated",
        paragraph(
            "Its V4, pIT and aIT are populations of model neurons with Poisson spikes; aIT is "
            "told the digit's class. So what is shown here is how the method works, not what a "
            "brain knows. For real recordings: neurosage search with teacher macaque-v4."
        ),
        warn=True,
    )


def _claim(table: pd.DataFrame, mature_steps: int) -> str:
    figure = plot_predictivity(table, "final accuracy")
    alt = ", ".join(f"{name} {value:.2f}" for name, value in table["spearman"].items())
    names = {"low": "95% from", "high": "to", "gain": "more than P", "gain_low": "95% from "}
    shown = table.reset_index().rename(columns={**names, "gain_high": "to "})
    return section(
        "Do early signals foretell the final accuracy?",
        paragraph(verdict(table)),
        figure_html(figure, f"Spearman with the final accuracy: {alt}."),
        table_html(shown, digits=2),
        paragraph(
            f"Final accuracy: on the same validation images as P, after {mature_steps} steps from "
            "the same initial weights. Intervals: bootstrap over candidates, taken as independent; "
            "those that the explorer chose are not quite, and were chosen for a high P + TG, which "
            "narrows the range that a correlation feeds on.",
            note=True,
        ),
    )


def verdict(table: pd.DataFrame) -> str:
    """Say in words what a table of predictivity shows, whatever it is.

    Parameters
    ----------
    table : pandas.DataFrame
        With rows P, TG, P+TG and TG before training.

    Returns
    -------
    str
        Two or three sentences.

    Examples
    --------
    >>> names = ["P", "TG", "P+TG", "TG before training"]
    >>> table = pd.DataFrame({"spearman": [0.5, 0.2, 0.6, 0.1], "low": [0.2, -0.1, 0.3, -0.2],
    ...     "high": [0.7, 0.5, 0.8, 0.4],
    ...     "gain": [0, -0.3, 0.1, -0.4], "gain_low": [0, -0.6, -0.1, -0.7],
    ...     "gain_high": [0, 0.1, 0.3, 0.0]}, index=names)
    >>> print(verdict(table))
    The paper claims that P + TG foretells the final accuracy better than P alone. Here P + TG has \
a rank correlation of .60 with it and P of .50: a difference of +.10, 95% interval -.10 to +.30, \
which so few candidates do not tell from none. The highest of the four has P+TG. Not told from \
chance: TG, TG before training.
    """
    value = table["spearman"]
    row = table.loc["P+TG", ["gain", "gain_low", "gain_high"]].to_numpy(float)
    gain, start, end = (float(each) for each in row)
    sure = "which so few candidates do not tell from none" if start <= 0 <= end else "beyond chance"
    opposite = [str(name) for name in table.index[table["high"] < 0]]
    surely = {str(name) for name in table.index[table["low"] > 0]} | {*opposite}
    chance = [str(name) for name in table.index if str(name) not in surely]
    last = f" Not told from chance: {', '.join(chance)}." if chance else ""
    last += f" Foretelling the opposite: {', '.join(opposite)}." if opposite else ""
    return (
        "The paper claims that P + TG foretells the final accuracy better than P alone. Here P + "
        f"TG has a rank correlation of {_short(value['P+TG'])} with it and P of "
        f"{_short(value['P'])}: a difference of {_short(gain, '+')}, 95% interval "
        f"{_short(start, '+')} to {_short(end, '+')}, {sure}. The highest of the four has "
        f"{value.idxmax()}.{last}"
    )


def _short(value: float, sign: str = "") -> str:
    return f"{value:{sign}.2f}".replace("0.", ".", 1)


def _rdms(run: Run) -> str:
    pairs, labels = best_rdms(run)
    caption = (
        "Above: the teacher's RDM of each region, from its recording. Below: the layer of the "
        "best candidate (highest P + TG, after its short training) most like it. Stimuli are "
        "sorted by digit; bright is unlike."
    )
    alt = "RDMs: " + "; ".join(f"{top} beside {bottom}" for top, _, bottom, _ in pairs) + "."
    figure = plot_rdm_pairs(pairs, labels)
    return section(
        "The teacher's geometry, and the best candidate's", figure_html(figure, alt, caption)
    )


def best_rdms(
    run: Run,
) -> tuple[list[tuple[str, npt.ArrayLike, str, npt.ArrayLike]], npt.ArrayLike]:
    """Return the RDMs of the first teacher's regions and of the best candidate's best layers.

    Parameters
    ----------
    run : Run
        A search with a finished candidate.

    Returns
    -------
    pairs : list of (str, array, str, array)
        A region's name and RDM (n, n), a layer's name and RDM (n, n), in order.
    labels : array, shape (n,)
        Each stimulus' label; its number where there is none.
    """
    best = run.best
    if best is None:
        raise RunError(f"no candidate of {run.folder} has finished: there is none to draw.")
    task = replace(
        Plan.of(run.config).task, k=int(best.data.attrs["k"]), architecture=best.architecture
    )
    spec = task.teachers[0]
    teacher = load_teacher(spec.id)
    theirs = _by_name(rdms(teacher, task.distance, normalise=spec.normalise, nan=spec.nan))
    ours = _by_name(rdms(record_again(task)[0], task.distance))
    pairs: list[tuple[str, npt.ArrayLike, str, npt.ArrayLike]] = []
    similarity = best.similarity.isel(region=best.data["teacher"].values == spec.id)
    for region, values in zip(similarity["region"].values, similarity, strict=True):
        top = values.isel(layer=int(values.argmax("layer")))
        layer = str(top["layer"].item())
        name = f"{layer}  (r = {float(top):.2f})"
        pairs.append((str(region), theirs[str(region)], name, ours[layer]))
    return pairs, _labels(teacher, next(iter(theirs.values())))


def _by_name(all_rdms: xr.DataArray) -> dict[str, xr.DataArray]:
    return {str(r): rdm for r, rdm in zip(all_rdms["region"].values, all_rdms, strict=True)}


def _labels(teacher: Teacher, rdm: xr.DataArray) -> npt.ArrayLike:
    table = teacher.stimuli.table.set_index("stimulus_id").loc[list(rdm["stimulus_id_i"].values)]
    labels = table["label"] if "label" in table else pd.Series(range(len(table)))
    return labels.to_numpy()


def _next_steps(run: Run) -> str:
    return section(
        "Where to go from here",
        paragraph(f"The run lies in {run.folder}; neurosage report shows any run like this."),
        paragraph(
            "neurosage teachers lists what a search can listen to; neurosage search --example "
            "prints a commented configuration to start from."
        ),
    )
