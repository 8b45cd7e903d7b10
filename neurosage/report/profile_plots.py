"""Pictures of scores by depth: how similarity changes from a network's first layer to its last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neurosage.errors import InputError
from neurosage.report.labels import cut, cut_path, thinned
from neurosage.report.plots import BLUE, GREEN, GRID, INK, MUTED, ORANGE, PURPLE, as_written
from neurosage.scoring.showing import ceiling_kinds

if TYPE_CHECKING:
    from neurosage.scoring.result import Score

SERIES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PURPLE, ":"), ("#56b4e9", (0, (5, 1))),
          (INK, (0, (1, 1))))  # fmt: skip
DASHES = {"trials": "-", "sites": (0, (5, 2)), "subjects": (0, (1, 1.5))}
SAME = ("teacher", "teacher_hash", "distance", "comparison", "normalise_teacher")
COLUMNS, PANEL = 3, (3.3, 3.1)  # panels side by side; inches of one
ALONE = (7.4, 4.0)
BAND = 0.17  # opacity of an interval
FEW = 24  # layers that each have a dot
RING: dict[str, Any] = {"marker": "o", "mfc": "white", "mew": 2, "ms": 8}
DIAMOND: dict[str, Any] = {"marker": "D", "ms": 4}


def plot_profiles(scores: Score | Mapping[str, Score] | Sequence[Score]) -> Figure:
    """Draw similarity by depth, a line a network and a panel a region.

    Parameters
    ----------
    scores : Score, mapping of str to Score, or sequence of Score
        Of one teacher, made alike; the keys name the lines, else model and weights do.

    Returns
    -------
    matplotlib.figure.Figure
        Bands are intervals; rings mark the best layer of each line, a max over its layers;
        diamonds at the right are the similarity of layers chosen on other stimuli
        (cross-fitted). Grey lines and bands are ceilings. Networks with the same layers share
        an axis of their names; others one of depth, from the first layer (0) to the last (1).

    Raises
    ------
    InputError
        If there is no score, if the teacher or how similarity was made differ, or the regions.

    Examples
    --------
    >>> from neurosage.scoring.network import score
    >>> made = score("pixels", "simulated-macaque", interval=None, ceilings=False)
    >>> [axis.get_title(loc="left") for axis in plot_profiles({"pixels": made}).axes]
    ['V4', 'pIT', 'aIT']
    """
    lines = _checked(_named(scores))
    regions = [str(name) for name in next(iter(lines.values()))["region"].values]
    figure, axes = _panels(len(regions))
    layers = [tuple(data["layer"].values) for data in lines.values()]
    shared = len(set(layers)) == 1
    crossed = any("cross_fitted" in data for data in lines.values())
    marks: dict[str, Artist] = {}
    ceilings: dict[str, Artist] = {}
    for axis, region in zip(axes, regions, strict=True):
        own = {name: data.sel(region=region) for name, data in lines.items()}
        marks |= _lines(axis, own, shared=shared)
        ceilings |= _ceilings(axis, own)
        _frame(axis, region, list(layers[0]) if shared else None, len(regions))
    marks |= ceilings | _legend_marks(max(map(len, layers)) > 1, crossed=crossed)
    comparison = next(iter(lines.values())).attrs.get("comparison", "")
    figure.supylabel(f"similarity {comparison and f'({comparison})'}", fontsize=10, color=INK)
    # By handle: a name that begins with _ would be left out.
    figure.legend(list(marks.values()), list(marks), loc="outside upper left",
                  ncols=min(len(regions) + 1, 4), frameon=False, fontsize=9)  # fmt: skip
    return as_written(figure)


def _named(scores: Score | Mapping[str, Score] | Sequence[Score]) -> dict[str, xr.Dataset]:
    if isinstance(scores, Mapping):
        return {str(name): score.data for name, score in scores.items()}
    listed = list(scores) if isinstance(scores, Sequence) else [scores]
    found: dict[str, xr.Dataset] = {}
    for place, score in enumerate(listed):
        name = _name(score.data.attrs)
        found[name if name not in found else f"{name}, {place + 1}"] = score.data
    return found


def _name(made: Mapping[str, Any]) -> str:
    parts = [str(made[key]).rpartition("/")[2] for key in ("model", "weights") if made.get(key)]
    parts = [part.removeprefix("file ") for part in parts]
    return cut(", ".join(parts) or "network", 44)


def _checked(lines: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    if not lines:
        raise InputError("there is no score to draw; give one, or several of one teacher.")
    (first, data), *others = lines.items()
    for name, other in others:
        for key in SAME:
            if data.attrs.get(key) != other.attrs.get(key):
                raise InputError(
                    f"scores {first!r} and {name!r} are not of one scale: {key} is "
                    f"{data.attrs.get(key)!r} and {other.attrs.get(key)!r}; draw them apart."
                )
        if list(data["region"].values) != list(other["region"].values):
            raise InputError(f"scores {first!r} and {name!r} are of different regions.")
    return lines


def _panels(number: int) -> tuple[Figure, list[Axes]]:
    columns, rows = min(number, COLUMNS), -(-number // COLUMNS)
    size = ALONE if number == 1 else (PANEL[0] * columns, PANEL[1] * rows + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axis in grid[number:]:
        axis.remove()
    return figure, list(grid[:number])


def _depth(count: int, *, shared: bool) -> npt.NDArray[np.float64]:
    if shared:
        return np.arange(count, dtype=float)
    return np.linspace(0, 1, count) if count > 1 else np.array([1.0])


def _lines(axis: Axes, own: Mapping[str, xr.Dataset], *, shared: bool) -> dict[str, Artist]:
    marks: dict[str, Artist] = {}
    for place, (name, data) in enumerate(own.items()):
        colour, dash = SERIES[place % len(SERIES)]
        values = data["similarity"].values
        depth = _depth(len(values), shared=shared)
        end = depth[-1] if shared else 1.0
        dot = "o" if len(values) <= FEW else None
        (marks[name],) = axis.plot(depth, values, marker=dot, color=colour, ls=dash, lw=1.8, ms=4)
        if "low" in data:
            low, high = data["low"].values, data["high"].values
            axis.fill_between(depth, low, high, color=colour, alpha=BAND, lw=0)
            if len(values) == 1:
                axis.vlines(depth, low, high, color=colour, lw=1.6)
        if np.isfinite(values).any() and len(values) > 1:
            best = int(np.nanargmax(values))
            axis.plot(depth[best], values[best], color=colour, **RING)
        if "cross_fitted" in data:
            step = (end or 1.0) * (0.045 + 0.03 * place)
            _crossed(axis, data, end + step, colour)
    return marks


def _crossed(axis: Axes, data: xr.Dataset, x: float, colour: str) -> None:
    value = float(data["cross_fitted"])
    low, high = (float(data.get(f"cross_fitted_{end}", np.nan)) for end in ("low", "high"))
    if np.isfinite([low, high]).all():
        axis.vlines(x, low, high, color=colour, lw=1.6)
    axis.plot(x, value, color=colour, **DIAMOND)


def _legend_marks(several: bool, *, crossed: bool) -> dict[str, Artist]:
    marks: dict[str, Artist] = {}
    if several:
        marks["best layer (a max)"] = Line2D([], [], ls="", color=MUTED, **RING)
    if crossed:
        marks["layer chosen on other stimuli"] = Line2D([], [], ls="", color=MUTED, **DIAMOND)
    return marks


def _ceilings(axis: Axes, own: Mapping[str, xr.Dataset]) -> dict[str, Artist]:
    marks: dict[str, Artist] = {}
    for data in own.values():
        for name, words in ceiling_kinds(data).items():
            title = f"estimated ceiling ({words})"
            if title in marks or np.isnan(float(data[name])):
                continue
            kind = words.split(",")[0]
            marks[title] = axis.axhline(
                float(data[name]), color=INK, lw=1.3, ls=DASHES.get(kind, "-"), alpha=0.8
            )
            low, high = (float(data.get(f"{name}_{end}", np.nan)) for end in ("low", "high"))
            if np.isfinite([low, high]).all():
                axis.axhspan(low, high, color=MUTED, alpha=BAND, lw=0, zorder=0)
    return marks


def _frame(axis: Axes, region: str, names: list[Any] | None, panels: int) -> None:
    axis.set_title(cut(region, 30), fontsize=10.5, color=INK, loc="left")
    axis.axhline(0, color=MUTED, lw=1)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(MUTED)
    axis.tick_params(colors=INK, labelsize=9, length=3, labelleft=True)
    axis.set_axisbelow(True)
    axis.grid(color=GRID, linewidth=0.7, axis="y")
    if names is None:
        axis.set_xlabel("depth, first layer (0) to last (1)", fontsize=9.5, color=INK)
        axis.set_xticks(np.linspace(0, 1, 6))
    else:
        room = 29 if panels == 1 else 12
        places = thinned(len(names), room)
        upright = len(names) > 6 or max(len(str(name)) for name in names) > 8
        shown = [cut_path(str(names[k]), 22) for k in places]
        axis.set_xticks(places, shown, fontsize=8, rotation=90 if upright else 0)
