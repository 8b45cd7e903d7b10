"""Pictures of a recording: reliability of neuroids and RDMs, RDMs by category, curves."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neurosage.report.plots import as_written

BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#8d5fa8"  # told apart by all
INK, GRID, MUTED = "#22303c", "#dde3e8", "#8a98a5"
KINDS = {"trials": (BLUE, "o"), "sites": (ORANGE, "s"), "subjects": (GREEN, "D")}
TITLES = {"rdm": "RDM", "neuroids": "median neuroid"}
SERIES = (
    (BLUE, "o"), (ORANGE, "s"), (GREEN, "D"), (PURPLE, "^"), ("#56b4e9", "v"), (INK, "P"),
)  # fmt: skip
CELLS = 400  # rows of an RDM that a picture can show
LONGEST = 24  # letters of a category's name
COLUMNS = 3  # panels side by side
NAMED_BLOCKS = 14  # categories that find room on an axis


def plot_reliabilities(reliability: xr.DataArray) -> Figure:
    """Draw a histogram of the neuroids' reliability, a panel per region.

    Parameters
    ----------
    reliability : xarray.DataArray
        Dim ``neuroid``, with coordinate ``region``; at most 1. NaN is left out.

    Returns
    -------
    matplotlib.figure.Figure
        Panels share their axes; the line is the median.
    """
    values = {name: own[np.isfinite(own)] for name, own in _by_region(reliability).items()}
    known = np.concatenate([*values.values(), [0.0]])
    edges = np.arange(np.floor(min(known.min(), 0) * 20) / 20, 1.0 + 0.026, 0.05)
    figure, axes = _panels(len(values), 2.9, 2.5, sharex=True)
    for axis, (name, own) in zip(axes, values.items(), strict=True):
        axis.hist(own, bins=list(edges), color=BLUE, edgecolor="white", linewidth=0.6)
        title = f"{name}: none estimable"
        if len(own):
            middle = float(np.median(own))
            axis.axvline(middle, color=ORANGE, lw=1.8)
            title = f"{name}: median {_short(middle)}, n = {len(own)}"
        axis.set_title(title, fontsize=10, color=INK, loc="left")
        axis.set_xlim(edges[0], 1.0)
        axis.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    figure.supxlabel("reliability of the mean over all repetitions", fontsize=10, color=INK)
    figure.supylabel("neuroids", fontsize=10, color=INK)
    return as_written(figure)


def plot_rdms(rdms: xr.DataArray, labels: Sequence[Any] | npt.NDArray[Any] | None = None) -> Figure:
    """Draw the RDM of each region, stimuli sorted by category.

    Distances are shown as ranks (0 the most alike pair, 1 the least), for one outlier would
    hide all others. Of many stimuli, blocks of pairs are averaged first.

    Parameters
    ----------
    rdms : xarray.DataArray
        Dims ``region × stimulus_i × stimulus_j``.
    labels : sequence, shape (stimulus,), optional
        Each stimulus' category; the order of the RDMs is kept without.

    Returns
    -------
    matplotlib.figure.Figure
        A panel per region and one bar of colours.
    """
    count = rdms.sizes["stimulus_i"]
    names = None if labels is None else np.asarray([str(label) for label in labels], object)
    order = np.arange(count) if names is None else np.argsort(names, kind="stable")
    figure, axes = _panels(rdms.sizes["region"], 3.2, 3.8)
    image, step = None, -(-count // CELLS)
    for place, (axis, region) in enumerate(zip(axes, rdms["region"].values, strict=True)):
        square = _coarse(rdms.isel(region=place).values[np.ix_(order, order)], step)
        end = len(square) * step - 0.5  # ticks stay numbers of stimuli
        image = axis.imshow(
            *(_ranks(square, diagonal=step > 1), "cividis"),
            vmin=0,
            vmax=1,
            extent=(-0.5, end, end, -0.5),
        )
        axis.set_xlim(-0.5, count - 0.5)
        axis.set_ylim(count - 0.5, -0.5)
        axis.set_title(str(region), fontsize=10, color=INK, loc="left")
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
        if names is None:
            axis.set_xlabel(f"{count} stimuli, in their own order", fontsize=9, color=INK)
            axis.set_xticks([])
            axis.set_yticks([])
        else:
            _mark_blocks(axis, names[order], named=place % COLUMNS == 0)
    assert image is not None  # an array of RDMs has a region
    bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02, aspect=30)
    cells = "pairs" if step == 1 else f"means of {step} × {step} pairs"
    bar.set_label(f"distance, as rank among {cells}", fontsize=9, color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=9, length=3)
    return as_written(figure)


def _coarse(square: npt.NDArray[np.float64], step: int) -> npt.NDArray[np.float64]:
    """Average over blocks of step × step pairs, self-pairs left out; a screen shows no more."""
    if step == 1:
        return square
    count = len(square)
    size = -(-count // step)
    padded = np.full((size * step, size * step), np.nan)
    padded[:count, :count] = square
    padded[np.diag_indices(len(padded))] = np.nan
    blocks = padded.reshape(size, step, size, step)
    there = np.isfinite(blocks)
    number = there.sum((1, 3))
    total = np.where(there, blocks, 0.0).sum((1, 3))
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def _ranks(square: npt.NDArray[np.float64], *, diagonal: bool) -> npt.NDArray[np.float64]:
    from scipy.stats import rankdata

    upper = np.triu_indices(len(square), 0 if diagonal else 1)
    values = square[upper]
    ranks = np.full(len(values), np.nan)
    there = np.isfinite(values)
    if there.any():
        ranks[there] = (rankdata(values[there]) - 1) / max(there.sum() - 1, 1)
    shown = np.full(square.shape, np.nan)
    shown[upper] = ranks
    shown.T[upper] = ranks
    return shown


def _mark_blocks(axis: Axes, names: npt.NDArray[Any], *, named: bool) -> None:
    edges = np.flatnonzero(names[1:] != names[:-1]) + 1
    blocks = [0, *edges, len(names)]
    if len(blocks) - 1 <= 4 * NAMED_BLOCKS:
        for edge in edges:
            axis.axhline(edge - 0.5, color="white", lw=0.6)
            axis.axvline(edge - 0.5, color="white", lw=0.6)
    middles = [(a + b - 1) / 2 for a, b in itertools.pairwise(blocks)]
    shown = [_cut(str(names[int(m)])) for m in middles]
    longest = max(len(name) for name in shown)
    few = len(middles) <= NAMED_BLOCKS
    if few:
        axis.set_xticks(middles, shown, fontsize=8, rotation=0 if longest <= 2 else 90)
        axis.set_yticks(middles, shown if named else [""] * len(shown), fontsize=8)
    else:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_xlabel(f"{len(middles)} categories, by name", fontsize=9, color=INK)


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def plot_rdm_reliability(kinds: Mapping[str, xr.Dataset]) -> Figure:
    """Draw the reliability of each region's RDM with its interval, a colour per kind.

    Parameters
    ----------
    kinds : mapping of str to xarray.Dataset
        By kind, ``trials`` or ``sites``: dim ``region``, variables ``reliability``,
        ``low``, ``high``; NaN is drawn as "not estimable".

    Returns
    -------
    matplotlib.figure.Figure
        A row per region and kind.
    """
    regions = [str(name) for name in next(iter(kinds.values()))["region"].values]
    rows = [(region, kind) for region in regions for kind in kinds]
    figure, (axis,) = _panels(1, 6.4, 0.9 + 0.36 * len(rows))
    lowest = 0.0
    for place, (region, kind) in enumerate(rows):
        own = kinds[kind].isel(region=regions.index(region))
        value, low, high = (float(own[key]) for key in ("reliability", "low", "high"))
        colour, marker = KINDS[kind]
        y = len(rows) - 1 - place
        if np.isnan(value):
            axis.text(0.01, y, "not estimable", va="center", fontsize=9, color=INK, alpha=0.7)
            continue
        spread = np.nan_to_num([[max(value - low, 0.0)], [max(high - value, 0.0)]])
        axis.errorbar(value, y, xerr=spread, fmt=marker, color=colour, ms=7, capsize=3, lw=1.8)
        lowest = min(lowest, value, low if np.isfinite(low) else value)
    axis.axvline(0, color=MUTED, lw=1)
    axis.set_yticks(range(len(rows)), [f"{region}, {kind}" for region, kind in reversed(rows)])
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.set_xlim(lowest - 0.03, 1.02)
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("reliability of the RDM (95% interval over stimuli)", fontsize=10, color=INK)
    return as_written(figure)


def plot_curves(curves: Mapping[tuple[str, str], xr.Dataset]) -> Figure:
    """Draw reliability against the number of sites and of repetitions.

    Parameters
    ----------
    curves : mapping of (str, str) to xarray.Dataset
        By what is varied (``sites``, ``repetitions``) and what is reliable (``rdm``,
        ``neuroids``): dims ``region × size``, variables ``measured``, ``predicted``,
        ``extrapolated``, and ``recorded`` on region.

    Returns
    -------
    matplotlib.figure.Figure
        A panel per curve, a colour and a marker per region; the large mark is what was
        recorded.
    """
    figure, axes = _panels(len(curves), 3.1, 3.0)
    marks: dict[str, Line2D] = {}
    for axis, ((over, of), found) in zip(axes, curves.items(), strict=True):
        for place, region in enumerate(found["region"].values):
            mark = _draw_curve(axis, found.isel(region=place), SERIES[place % len(SERIES)])
            marks.setdefault(str(region), mark)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}")
        lowest = min(0.0, float(found["measured"].min(skipna=True).fillna(0.0)))
        axis.set_ylim(lowest - 0.02, 1.0)
        axis.set_xlabel(f"number of {over}", fontsize=10, color=INK)
        axis.set_title(f"{TITLES[of]}, by {over}", fontsize=10, color=INK, loc="left")
    axes[0].set_ylabel("reliability", fontsize=10, color=INK)
    # By handle: a name that begins with _ would be left out.
    figure.legend(
        list(marks.values()),
        list(marks),
        loc="outside upper left",
        ncols=6,
        frameon=False,
        fontsize=9.5,
    )
    return as_written(figure)


def _draw_curve(axis: Axes, own: xr.Dataset, look: tuple[str, str]) -> Line2D:
    (colour, marker), sizes = look, own["size"].values
    axis.plot(sizes, own["predicted"], color=colour, lw=1.6)
    axis.plot(sizes, own["extrapolated"], color=colour, lw=1.4, ls=(0, (4, 2)))
    (mark,) = axis.plot(sizes, own["measured"], marker, color=colour, ms=5)
    reached = np.flatnonzero(np.isfinite(own["extrapolated"].values))
    if len(reached):
        first = reached[0]
        axis.plot(
            sizes[first], own["extrapolated"].values[first], marker, color="white",
            markeredgecolor=colour, markeredgewidth=1.8, ms=8,
        )  # fmt: skip
    return mark


# ---- shared ------------------------------------------------------------------------------


def _panels(
    number: int, width: float, height: float, *, sharex: bool = False
) -> tuple[Figure, list[Axes]]:
    columns = min(number, COLUMNS)
    rows = -(-number // columns)
    figure = Figure(figsize=(max(width * columns + 0.5, 4.2), height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=sharex)
    for axis in grid.ravel():
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(MUTED)
        axis.tick_params(colors=INK, labelsize=9, length=3)
        axis.set_axisbelow(True)
        axis.grid(color=GRID, linewidth=0.7)
    for axis in grid.ravel()[number:]:
        axis.remove()
    return figure, list(grid.ravel()[:number])


def _by_region(values: xr.DataArray) -> dict[str, npt.NDArray[np.float64]]:
    names = np.asarray([str(name) for name in values["region"].values], object)
    return {name: values.values[names == name] for name in dict.fromkeys(names)}


def _short(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1)
