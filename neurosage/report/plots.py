"""Pictures. Matplotlib is imported here and nowhere else, without touching its global state."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator

INK, GRID, MUTED = "#22303c", "#dde3e8", "#8a98a5"
BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#8d5fa8"


def as_written(figure: Figure) -> Figure:
    """Take all text of a figure as it is written: names may hold ``$``, and are no formulas.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn, with all its names set.

    Returns
    -------
    matplotlib.figure.Figure
        The same.
    """
    for text in figure.findobj(Text):
        assert isinstance(text, Text)  # as asked for
        text.set_parse_math(False)
    return figure


def _figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(1, columns)))
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(MUTED)
        axis.tick_params(colors=INK, labelsize=9, length=3)
        axis.set_axisbelow(True)
        axis.grid(color=GRID, linewidth=0.7)
    return figure, axes


def _label(axis: Axes, x: str, y: str, title: str = "") -> None:
    axis.set_xlabel(x, color=INK, fontsize=10)
    axis.set_ylabel(y, color=INK, fontsize=10)
    if title:
        axis.set_title(title, color=INK, fontsize=10.5, loc="left")


def plot_predictivity(table: pd.DataFrame, outcome: str) -> Figure:
    """Draw rank correlations with their intervals, a row per signal.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`neurosage.nas.study.predictivity`.
    outcome : str
        What the signals foretell, for the axis.

    Returns
    -------
    matplotlib.figure.Figure
        One panel.
    """
    figure, (axis,) = _figure(6.4, 0.75 + 0.45 * len(table))
    rows = np.arange(len(table))[::-1]
    values = table["spearman"].to_numpy(float)
    spread = np.abs(np.stack([values - table["low"], table["high"] - values]))
    axis.errorbar(values, rows, xerr=spread, fmt="o", color=BLUE, ms=7, capsize=3, lw=1.6)
    axis.axvline(0, color=MUTED, lw=1)
    axis.set_yticks(rows, list(table.index))
    axis.set_ylim(-0.6, len(table) - 0.4)
    axis.set_xlim(min(-0.1, float(np.nanmin(table["low"])) - 0.05), 1.02)
    axis.grid(visible=False, axis="y")
    _label(axis, f"Spearman correlation with {outcome} (95% interval)", "")
    return as_written(figure)


def plot_progress(scores: npt.ArrayLike, random_starts: int, ylabel: str = "P + α·TG") -> Figure:
    """Draw the score of each candidate in order, and the best so far.

    Parameters
    ----------
    scores : array_like, shape (candidates,)
        In the order of proposal; NaN where a candidate failed.
    random_starts : int
        How many of the first were drawn at random.
    ylabel : str
        Name of the score.

    Returns
    -------
    matplotlib.figure.Figure
        One panel.
    """
    values = np.asarray(scores, float)
    order = np.arange(len(values))
    figure, (axis,) = _figure(6.4, 3.2)
    groups = (("random", order < random_starts, MUTED), ("proposed", order >= random_starts, BLUE))
    for name, chosen, colour in groups:
        if np.isfinite(values[chosen]).any():
            axis.plot(order[chosen], values[chosen], "o", color=colour, ms=5.5, label=name)
    best = np.fmax.accumulate(values)
    axis.step(order, best, where="post", color=ORANGE, lw=1.8, label="best so far")
    if (failed := ~np.isfinite(values)).any():
        floor = np.full(failed.sum(), np.nanmin(values) if np.isfinite(values).any() else 0.0)
        axis.plot(order[failed], floor, "x", color=ORANGE, ms=6, label="failed")
    axis.set_xlim(-0.6, len(values) - 0.4)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(frameon=False, fontsize=9, ncols=4, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
    _label(axis, "candidate", ylabel)
    return as_written(figure)


def plot_trade(
    performance: npt.ArrayLike,
    guidance: npt.ArrayLike,
    colour: npt.ArrayLike | None = None,
    colour_label: str = "",
) -> Figure:
    """Draw premature performance P against teacher guidance TG, a dot per candidate.

    Parameters
    ----------
    performance, guidance : array_like, shape (candidates,)
        P in [0, 1] and TG in [-1, 1].
    colour : array_like, shape (candidates,), optional
        A third value, such as the final accuracy.
    colour_label : str
        Its name.

    Returns
    -------
    matplotlib.figure.Figure
        One panel.
    """
    figure, (axis,) = _figure(6.4, 3.8)
    p, tg = np.asarray(performance, float), np.asarray(guidance, float)
    if colour is None:
        axis.scatter(p, tg, color=BLUE, s=38, edgecolor="white", linewidth=0.6)
    else:
        dots = axis.scatter(
            p, tg, c=np.asarray(colour, float), cmap="viridis", s=44, edgecolor=INK, linewidth=0.4
        )
        bar = figure.colorbar(dots, ax=axis, pad=0.02)
        bar.set_label(colour_label, color=INK, fontsize=10)
        bar.outline.set_visible(False)
    _label(axis, "P, accuracy after the short training", "TG, similarity to the teacher")
    return as_written(figure)


def plot_rdm_pairs(
    pairs: Sequence[tuple[str, npt.ArrayLike, str, npt.ArrayLike]], labels: npt.ArrayLike
) -> Figure:
    """Draw RDMs in pairs, the teacher's region above the network's layer.

    Each RDM is shown in ranks of its own entries (0 to 1), because only their order
    and spacing is compared, never their absolute size.

    Parameters
    ----------
    pairs : sequence of (str, array_like, str, array_like)
        Name and RDM (n, n) above, name and RDM (n, n) below; stimuli in the same order.
    labels : array_like, shape (n,)
        Category of each stimulus; stimuli are sorted by it and its blocks are marked.

    Returns
    -------
    matplotlib.figure.Figure
        Two rows, a column per pair.
    """
    names = np.asarray(labels)
    order = np.argsort(names, kind="stable")
    edges = np.flatnonzero(names[order][1:] != names[order][:-1]) + 1
    figure = Figure(figsize=(2.5 * len(pairs) + 0.6, 5.4), layout="constrained")
    grid = figure.subplots(2, len(pairs), squeeze=False)
    for column, (top_name, top, bottom_name, bottom) in enumerate(pairs):
        for row, (name, rdm) in enumerate(((top_name, top), (bottom_name, bottom))):
            _draw_rdm(grid[row][column], np.asarray(rdm)[np.ix_(order, order)], edges)
            grid[row][column].set_title(name, fontsize=9.5, color=INK, loc="left")
    blocks = [0, *edges, len(order)]
    middles = [(a + b) / 2 for a, b in itertools.pairwise(blocks)]
    if len(middles) <= 12:
        for row in range(2):
            names_at = [str(names[order][int(m)]) for m in middles]
            grid[row][0].set_yticks(middles, names_at, fontsize=8)
    return as_written(figure)


def _draw_rdm(axis: Axes, rdm: npt.NDArray[np.float64], edges: npt.NDArray[np.int64]) -> None:
    upper = np.triu_indices(len(rdm), 1)
    ranks = np.zeros_like(rdm)
    ranks[upper] = rdm[upper].argsort().argsort() / max(len(upper[0]) - 1, 1)
    axis.imshow(ranks + ranks.T, cmap="magma", vmin=0, vmax=1, interpolation="nearest")
    for edge in edges:
        axis.axhline(edge - 0.5, color="white", lw=0.4)
        axis.axvline(edge - 0.5, color="white", lw=0.4)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
