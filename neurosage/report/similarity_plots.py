"""Picture of a score: every layer against every region, the ceilings below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from neurosage.report.drawable import checked_score
from neurosage.report.labels import cut, cut_path, named_places
from neurosage.report.plots import INK, MUTED, ORANGE, as_written
from neurosage.scoring.showing import ceiling_kinds

if TYPE_CHECKING:
    from neurosage.scoring.result import Score

ROW, TALL, TALLEST = 0.19, 8.6, 11.4  # inches of a row; of all; and where each is to be named
LOW = 1.6  # inches of a matrix too low for a bar of colours beside it
NAMED = 0.15  # inches that a layer's name needs
WIDE, NARROW, CROWDED = 1.0, 0.42, 10  # inches of a region's column, beyond so many regions
BELOW = 0.36  # inches of a row below the matrix
LIGHT = 0.5  # luminance above which text is dark
EMPTY = "#eef1f4"


def plot_similarity(score: Score) -> Figure:
    """Draw the similarity of each layer to each region, the best of a region framed.

    Parameters
    ----------
    score : Score
        A row a layer, in its order; a column a region. Cross-fitted similarity and ceilings
        stand below, with their intervals, where it holds them.

    Returns
    -------
    matplotlib.figure.Figure
        Colours run from 0 (or the least, where that is below) to the greatest similarity;
        hatched is undefined. Of more than 76 layers, the names of the best and of others
        evenly chosen, and no numbers. It is no figure of pyplot: write it by
        ``figure.savefig("score.png")``.

    Raises
    ------
    InputError
        If it is no score.

    Examples
    --------
    >>> from neurosage.scoring.network import score
    >>> len(plot_similarity(score("pixels", "simulated-macaque", interval=None)).axes)
    3
    """
    score = checked_score(score, "plot_similarity")
    data = score.data
    values = score.similarity.transpose("layer", "region").values
    layers, regions = values.shape
    row = min(ROW, max(TALL / layers, NAMED), TALLEST / layers)
    column = WIDE if regions <= CROWDED else NARROW
    below = _below(data)
    heights = [max(row * layers, 0.3), BELOW * max(len(below), 1)]
    names = [cut_path(str(name)) for name in data["layer"].values]
    titles = [title for title, *_ in below]
    margin = 0.07 * max(map(len, [*names, *titles])) + 0.3
    low = heights[0] < LOW
    size = (max(column * regions + margin + 1.1, 3.6), sum(heights) + (1.7 if low else 1.0))
    figure = Figure(figsize=size, layout="constrained")
    matrix, table = figure.subplots(2, 1, height_ratios=heights, sharex=True)
    known = [*values[np.isfinite(values)], 0.0]
    scale = Normalize(float(min(known)), float(max(known)) or 1e-9)
    _matrix(matrix, values, scale, numbers=row >= NAMED and column == WIDE)
    _name_rows(matrix, names, row, _best(values))
    shown = [cut(str(name), 16) for name in data["region"].values]
    matrix.set_xticks(range(regions), shown, fontsize=10, rotation=90 if column == NARROW else 0)
    matrix.xaxis.tick_top()
    matrix.tick_params(labeltop=True)  # which shared axes have turned off
    _table(table, below, regions, intervals=column == WIDE)
    comparison = str(data.attrs.get("comparison", ""))
    _bar(figure, [matrix, table] if low else [matrix], scale, comparison)
    words = f"Framed: the best of {layers} layers." if layers > 1 else "One layer."
    words += "\nCeilings are estimates, not bounds." if ceiling_kinds(data) else ""
    figure.supxlabel(words, fontsize=8.5, color=INK)
    return as_written(figure)


def _below(data: xr.Dataset) -> list[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]]:
    """Title, values (region) and intervals (region × 2) of each row below the matrix."""
    named = {"cross_fitted": "cross-fitted"} if "cross_fitted" in data else {}
    named |= {name: f"ceiling ({kind})" for name, kind in ceiling_kinds(data).items()}
    rows = []
    for name, title in named.items():
        values = data[name].values
        ends = [data[key].values if (key := f"{name}_{end}") in data else values * np.nan
                for end in ("low", "high")]  # fmt: skip
        rows.append((title, values, np.stack(ends, axis=1)))
    return rows


def _matrix(axis: Axes, values: npt.NDArray[Any], scale: Normalize, *, numbers: bool) -> None:
    colours = colormaps["cividis"]
    axis.imshow(np.ma.masked_invalid(values), colours, scale, aspect="auto")
    axis.set_facecolor(EMPTY)
    axis.spines[:].set_visible(False)
    axis.tick_params(colors=INK, length=0)
    for j, i in np.ndindex(values.shape):
        if np.isnan(values[j, i]):
            axis.add_patch(_cell(i, j, hatch="////", edgecolor=MUTED, lw=0))
        elif numbers:
            red, green, blue, _ = colours(scale(values[j, i]))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < LIGHT
            text = f"{values[j, i]:.3f}"
            axis.text(i, j, text, ha="center", va="center", fontsize=8,
                      color="white" if dark else "black")  # fmt: skip
    for i, best in _best(values).items():
        axis.add_patch(_cell(i, best, edgecolor=ORANGE, lw=2.4, zorder=3, clip_on=False))


def _best(values: npt.NDArray[Any]) -> dict[int, int]:
    """The row of the greatest similarity, by column; none where all are undefined."""
    known = np.flatnonzero(~np.isnan(values).all(axis=0))
    return {int(i): int(np.nanargmax(values[:, i])) for i in known}


def _cell(column: int, row: int, **look: Any) -> Rectangle:
    return Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, **look)


def _name_rows(axis: Axes, names: list[str], row: float, best: Mapping[int, int]) -> None:
    room = max(int(row * len(names) / NAMED), 2)
    if row >= NAMED:
        room = len(names)
    places = named_places(len(names), room, best.values())
    told = ["\n".join(names[k] for k in members) for _, members in places]
    axis.set_yticks([at for at, _ in places], told, fontsize=8)
    for label, (_, members) in zip(axis.get_yticklabels(), places, strict=True):
        label.set_fontweight("bold" if set(members) & set(best.values()) else "normal")


def _table(
    axis: Axes,
    rows: list[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]],
    regions: int,
    *,
    intervals: bool,
) -> None:
    axis.spines[:].set_visible(False)
    axis.tick_params(colors=INK, length=0, labelbottom=False, labeltop=False)
    axis.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axis.set_yticks(range(len(rows)), [title for title, *_ in rows], fontsize=8.5)
    for y, (_, values, ends) in enumerate(rows):
        for x in range(regions):
            value, (low, high) = values[x], ends[x]
            if np.isnan(value):
                words = "not\nestimable" if intervals else "–"
                axis.text(x, y, words, ha="center", va="center", fontsize=7, color=INK)
                continue
            two = intervals and bool(np.isfinite([low, high]).all())
            place = "bottom" if two else "center"
            size = 9 if intervals else 7.5
            axis.text(x, y, f"{value:.3f}"[: 5 if intervals else 4], ha="center", va=place,
                      fontsize=size, color=INK)  # fmt: skip
            if two:
                axis.text(x, y + 0.05, f"[{low:.2f}, {high:.2f}]", ha="center", va="top",
                          fontsize=7, color=INK)  # fmt: skip


def _bar(figure: Figure, axes: list[Axes], scale: Normalize, comparison: str) -> None:
    """Beside the matrix; below all, where that is too low for the bar's words."""
    from matplotlib.cm import ScalarMappable

    shades = ScalarMappable(scale, "cividis")
    if len(axes) > 1:
        bar = figure.colorbar(shades, ax=axes, location="bottom", aspect=25, shrink=0.9, pad=0.04)
    else:
        bar = figure.colorbar(shades, ax=axes, pad=0.03, aspect=25, fraction=0.06)
    words = f"similarity ({comparison})" if comparison else "similarity"
    bar.set_label(words, fontsize=9, color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=8, length=3)
