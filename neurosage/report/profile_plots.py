"""Pictures of scores by depth: how similarity changes from a network's first layer to its last."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neurosage.errors import InputError
from neurosage.report.drawable import checked_score
from neurosage.report.labels import cut, cut_path, named_places
from neurosage.report.plots import BLUE, GREEN, GRID, INK, MUTED, ORANGE, PURPLE, as_written
from neurosage.scoring.showing import ceiling_kinds

if TYPE_CHECKING:
    from neurosage.scoring.result import Score

SERIES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PURPLE, ":"), ("#56b4e9", (0, (5, 1))),
          (INK, (0, (1, 1))))  # fmt: skip
DASHES = {"trials": "-", "sites": (0, (5, 2)), "subjects": (0, (1, 1.5))}
SAME = ("teacher", "teacher_hash", "distance", "comparison", "normalise_teacher")
PICTURE = "plot_profiles"
COLUMNS, PANEL, ALONE = 3, (3.3, 2.9), (7.4, 3.8)  # panels side by side; inches, without names
NAME, LETTER, MARGIN = 0.155, 0.07, 0.75  # inches of names on the axis, and of that of numbers
LONGEST = 22  # letters of a layer's name
LEGEND = 0.0785, 0.75, 0.2  # inches of a letter, of a mark, and of a line
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
        an axis of their names, on which the best are never left out; others one of depth, from
        the first layer (0) to the last (1). It is no figure of pyplot: write it by
        ``figure.savefig("profiles.png")``.

    Raises
    ------
    InputError
        If there is no score or it is something else, if the teacher or how similarity was made
        differ, or the regions.

    Examples
    --------
    >>> from neurosage.scoring.network import score
    >>> made = score("pixels", "simulated-macaque", interval=None, ceilings=False)
    >>> [axis.get_title(loc="left") for axis in plot_profiles({"pixels": made}).axes]
    ['V4', 'pIT', 'aIT']
    """
    lines = _checked(_named(scores))
    regions = [str(name) for name in next(iter(lines.values()))["region"].values]
    layers = [tuple(str(name) for name in data["layer"].values) for data in lines.values()]
    shared = list(layers[0]) if len(set(layers)) == 1 else None
    figure, axes = _panels(len(regions), shared or [])
    crossed = any("cross_fitted" in data for data in lines.values())
    marks: dict[str, Artist] = {}
    ceilings: dict[str, Artist] = {}
    for axis, region in zip(axes, regions, strict=True):
        own = {name: data.sel(region=region) for name, data in lines.items()}
        marks |= _lines(axis, own, shared=shared is not None)
        ceilings |= _ceilings(axis, own)
        _frame(axis, region)
        if shared is None:
            axis.set_xlabel("depth, first layer (0) to last (1)", fontsize=9.5, color=INK)
            axis.set_xticks(np.linspace(0, 1, 6))
        else:
            best = {_best(data) for data in own.values()} - {None}
            _name_layers(axis, shared, best, (PANEL if len(regions) > 1 else ALONE)[0])
    marks |= ceilings | _legend_marks(max(map(len, layers)) > 1, crossed=crossed)
    comparison = next(iter(lines.values())).attrs.get("comparison", "")
    figure.supylabel(f"similarity {comparison and f'({comparison})'}", fontsize=10, color=INK)
    _legend(figure, marks)
    return as_written(figure)


def _legend(figure: Figure, marks: Mapping[str, Artist]) -> None:
    """Above the panels, in as many columns as there is room for, higher by its lines."""
    letter, mark, line = LEGEND
    width, height = (float(inches) for inches in figure.get_size_inches())
    shown = [cut(name, int((width - mark) / letter)) for name in marks]
    columns = max(int(width / (letter * max(map(len, shown)) + mark)), 1)
    figure.set_size_inches(width, height + line * -(-len(shown) // columns))
    # By handle: a name that begins with _ would be left out.
    figure.legend(list(marks.values()), shown, loc="outside upper left", ncols=columns,
                  frameon=False, fontsize=9)  # fmt: skip


def _named(scores: Score | Mapping[str, Score] | Sequence[Score]) -> dict[str, xr.Dataset]:
    if isinstance(scores, Mapping):
        given = {str(name): checked_score(score, PICTURE) for name, score in scores.items()}
        return {name: score.data for name, score in given.items()}
    listed = list(scores) if isinstance(scores, list | tuple) else [scores]
    found: dict[str, xr.Dataset] = {}
    for place, one in enumerate(listed):
        data = checked_score(one, PICTURE).data
        name = _name(data.attrs)
        found[name if name not in found else f"{name}, {place + 1}"] = data
    return found


def _name(made: Mapping[str, Any]) -> str:
    parts = [str(made[key]).rpartition("/")[2] for key in ("model", "weights") if made.get(key)]
    parts = [part.removeprefix("file ") for part in parts]
    return ", ".join(parts) or "network"


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


def _panels(number: int, names: Sequence[str]) -> tuple[Figure, list[Axes]]:
    columns, rows = min(number, COLUMNS), -(-number // COLUMNS)
    width, height = ALONE if number == 1 else PANEL
    if _upright(names):  # names stand below the panel, which stays as high
        height += LETTER * min(max(map(len, names)), LONGEST)
    size = (width * columns, height * rows)
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
        if (best := _best(data)) is not None and len(values) > 1:
            axis.plot(depth[best], values[best], color=colour, **RING)
        if "cross_fitted" in data:
            step = (end or 1.0) * (0.045 + 0.03 * place)
            _crossed(axis, data, end + step, colour)
    return marks


def _best(data: xr.Dataset) -> int | None:
    values = data["similarity"].values
    return int(np.nanargmax(values)) if np.isfinite(values).any() else None


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


def _frame(axis: Axes, region: str) -> None:
    axis.set_title(cut(region, 30), fontsize=10.5, color=INK, loc="left")
    axis.axhline(0, color=MUTED, lw=1)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(MUTED)
    axis.tick_params(colors=INK, labelsize=9, length=3, labelleft=True)
    axis.set_axisbelow(True)
    axis.grid(color=GRID, linewidth=0.7, axis="y")


def _upright(names: Sequence[str]) -> bool:
    return len(names) > 6 or max(map(len, names), default=0) > 8


def _name_layers(axis: Axes, names: list[str], best: Collection[Any], wide: float) -> None:
    """Name layers as far as there is room; the best, in bold, always."""
    room = int((wide - MARGIN) / NAME)
    places = named_places(len(names), room, best)
    told = ["\n".join(cut_path(names[k], LONGEST) for k in members) for _, members in places]
    turned = 90 if _upright(names) else 0
    axis.set_xticks([at for at, _ in places], told, fontsize=8, rotation=turned)
    for label, (_, members) in zip(axis.get_xticklabels(), places, strict=True):
        label.set_fontweight("bold" if set(members) & set(best) else "normal")
