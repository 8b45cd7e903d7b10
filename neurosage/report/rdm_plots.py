"""Pictures of RDMs: of each region, large, and of each subject, small beside it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from neurosage.report.drawable import Labels, as_groups, checked_rdms
from neurosage.report.labels import cut, in_order
from neurosage.report.plots import as_written
from neurosage.report.recording_plots import INK

CELLS = 400  # rows of an RDM that a picture can show
MARKED_BLOCKS = 56  # categories with lines between
LARGE = 4.6  # inches of an RDM
NAME, ROOM = 8, 230  # points of a name's height, and of an axis
COLUMNS = 2  # large ones side by side
SMALL_ROWS = 2  # of subjects' RDMs beside a large one
MOST_SUBJECTS = 8  # drawn


def plot_rdms(rdms: xr.DataArray, labels: Labels = None) -> Figure:
    """Draw the RDM of each region, stimuli sorted by category.

    Distances are shown as ranks (0 the most alike pair, 1 the least), for one outlier would
    hide all others. Of many stimuli, blocks of pairs are averaged first.

    Parameters
    ----------
    rdms : xarray.DataArray
        Dims ``region × stimulus_i × stimulus_j``, with or without ``subject`` before them:
        then the mean of subjects, and each of the first eight small beside it.
    labels : sequence, shape (stimulus,), optional
        Each stimulus' category in the RDMs' order, such as ``teacher.stimuli.table["label"]``;
        the order of the RDMs is kept without.

    Returns
    -------
    matplotlib.figure.Figure
        A panel per region, with subjects' beside it, and one bar of colours. It is no figure
        of pyplot: write it by ``figure.savefig("rdms.png")``.

    Raises
    ------
    InputError
        If these are no RDMs, or labels are of another number than stimuli.

    Examples
    --------
    >>> import neurosage as ns
    >>> a = ns.assembly([[0.0], [1.0], [3.0]], stimulus_id=["a", "b", "c"], region="V4")
    >>> figure = plot_rdms(ns.rdms(a, "euclidean"), labels=["face", "face", "house"])
    >>> [axis.get_title(loc="left") for axis in figure.axes][:1]
    ['V4']
    """
    rdms = checked_rdms(rdms, "plot_rdms")
    names = None if labels is None else as_groups(labels, rdms.sizes["stimulus_i"], "stimuli")
    own = rdms.mean("subject") if "subject" in rdms.dims else rdms
    subjects = rdms.isel(subject=slice(MOST_SUBJECTS)) if "subject" in rdms.dims else None
    regions = [str(name) for name in rdms["region"].values]
    figure, axes = _layout(regions, 0 if subjects is None else subjects.sizes["subject"])
    for place, region in enumerate(regions):
        image = _draw(axes[region], own.isel(region=place).values, names, large=True)
        axes[region].set_title(
            region if subjects is None else f"{region}, mean of {rdms.sizes['subject']} subjects",
            fontsize=10, color=INK, loc="left",
        )  # fmt: skip
        for k in range(0 if subjects is None else subjects.sizes["subject"]):
            assert subjects is not None  # held by the range
            axis = axes[f"{region}/{k}"]
            _draw(axis, subjects.isel(subject=k, region=place).values, names, large=False)
            name = str(subjects["subject"].values[k]) if "subject" in subjects.coords else str(k)
            axis.set_title(cut(name), fontsize=8, color=INK, loc="left")
    _bar(figure, list(axes.values()), image, -(-rdms.sizes["stimulus_i"] // CELLS))
    return as_written(figure)


def _layout(regions: list[str], subjects: int) -> tuple[Figure, dict[str, Axes]]:
    """Axes by region, and by region/k where subjects have theirs."""
    if not subjects:
        columns = min(len(regions), COLUMNS)
        rows = -(-len(regions) // columns)
        size = (LARGE * columns + 0.9, (LARGE + 0.3) * rows)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axis in grid[len(regions) :]:
            axis.remove()
        return figure, dict(zip(regions, grid, strict=False))
    across = -(-subjects // SMALL_ROWS)
    width = LARGE + across * LARGE / SMALL_ROWS + 0.9
    figure = Figure(figsize=(width, (LARGE + 0.3) * len(regions)), layout="constrained")
    ratios = [SMALL_ROWS] + [1] * across
    cells = figure.add_gridspec(SMALL_ROWS * len(regions), across + 1, width_ratios=ratios)
    axes = {}
    for place, region in enumerate(regions):
        top = SMALL_ROWS * place
        axes[region] = figure.add_subplot(cells[top : top + SMALL_ROWS, 0])
        for k in range(subjects):
            axes[f"{region}/{k}"] = figure.add_subplot(cells[top + k // across, 1 + k % across])
    return figure, axes


def _draw(axis: Axes, square: Any, names: npt.NDArray[Any] | None, *, large: bool) -> AxesImage:
    count = len(square)
    order = np.arange(count) if names is None else _sorted_by(names)
    step = -(-count // CELLS)
    coarse = _coarse(square[np.ix_(order, order)], step)
    end = len(coarse) * step - 0.5  # ticks stay numbers of stimuli
    ranks = _ranks(coarse, diagonal=step > 1)
    edges = (-0.5, end, end, -0.5)
    image = axis.imshow(ranks, "cividis", vmin=0, vmax=1, extent=edges)
    axis.set_xlim(-0.5, count - 0.5)
    axis.set_ylim(count - 0.5, -0.5)
    axis.spines[:].set_visible(False)
    axis.tick_params(colors=INK, labelsize=9, length=3)
    if names is None:
        axis.set_xticks([])
        axis.set_yticks([])
        if large:
            axis.set_xlabel(f"{count} stimuli, first to last", fontsize=9, color=INK)
    else:
        _mark_blocks(axis, names[order], named=large)
    return image


def _bar(figure: Figure, axes: list[Axes], image: AxesImage, step: int) -> None:
    bar = figure.colorbar(image, ax=axes, shrink=0.7, pad=0.02, aspect=30)
    cells = "pairs" if step == 1 else f"means of {step} × {step} pairs"
    bar.set_label(f"distance, as rank among {cells}", fontsize=9, color=INK)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=9, length=3)


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


def _sorted_by(names: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    places = {name: place for place, name in enumerate(in_order(names))}
    return np.argsort([places[name] for name in names], kind="stable")


def _mark_blocks(axis: Axes, names: npt.NDArray[Any], *, named: bool) -> None:
    edges = np.flatnonzero(names[1:] != names[:-1]) + 1
    blocks = [0, *(int(edge) for edge in edges), len(names)]
    if len(blocks) - 1 <= MARKED_BLOCKS:
        for edge in edges:
            axis.axhline(edge - 0.5, color="white", lw=0.6)
            axis.axvline(edge - 0.5, color="white", lw=0.6)
    axis.set_xticks([])
    axis.set_yticks([])
    if named:
        _name_blocks(axis, names, blocks)


def _name_blocks(axis: Axes, names: npt.NDArray[Any], blocks: list[int]) -> None:
    """Name the blocks that are high enough; where most are not, say how many there are."""
    least = 1.1 * NAME / ROOM * len(names)
    large = [(a, b) for a, b in itertools.pairwise(blocks) if b - a >= least]
    number = len(blocks) - 1
    if 2 * len(large) < number:
        axis.set_xlabel(f"{number} categories, by name", fontsize=9, color=INK)
        return
    middles = [(a + b - 1) / 2 for a, b in large]
    shown = [cut(str(names[a])) for a, _ in large]
    short = max(map(len, shown)) <= 2
    axis.set_xticks(middles, shown, fontsize=NAME, rotation=0 if short else 90)
    axis.set_yticks(middles, shown, fontsize=NAME)
    if len(large) < number:
        axis.set_xlabel(f"{number} categories, the larger named", fontsize=9, color=INK)
