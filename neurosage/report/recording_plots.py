"""Pictures of a recording: reliability of neuroids and RDMs, and its curves."""

from __future__ import annotations

from collections.abc import Mapping

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
COLUMNS = 3  # panels side by side


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
