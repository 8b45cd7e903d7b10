"""A map of layers and regions: near each other where their RDMs are alike."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurosage.report.drawable import Labels, as_groups, checked_mutual
from neurosage.report.labels import cut_path, thinned
from neurosage.report.plane_plots import frame_plane, look, name_groups, planes
from neurosage.report.plots import as_written
from neurosage.report.scaling import as_squares, classical_mds

NAMED = 12  # along a source's line
PLACES = ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1))  # of a name about its point
LETTER, LINE, GAP = 0.068, 0.14, 0.07  # inches
Box = tuple[float, float, float, float]


def plot_regions(similarity: xr.DataArray, labels: Labels = None) -> Figure:
    """Draw layers and regions on a plane by their similarities with one another.

    Parameters
    ----------
    similarity : xarray.DataArray
        Dims ``region_a × region_b`` over the same names, as
        :func:`neurosage.report.mutual.mutual_similarity` gives it; squared distances are
        2 (1 - similarity).
    labels : sequence, shape (regions,), optional
        Groups, in a colour each and joined by a line in their order; the coordinate
        ``source_a`` if omitted.

    Returns
    -------
    matplotlib.figure.Figure
        One panel. Of many layers some are named: the first, the last and evenly between, as
        far as names do not hide one another. It is no figure of pyplot: write it by
        ``figure.savefig("regions.png")``.

    Raises
    ------
    InputError
        If these are no such similarities, the names of the two dims differ, labels are of
        another number, a similarity is NaN.

    Examples
    --------
    >>> names = ["V4", "IT", "layer1"]
    >>> s = xr.DataArray([[1, 0.2, 0.4], [0.2, 1, 0.1], [0.4, 0.1, 1]],
    ...                  {"region_a": names, "region_b": names}, ("region_a", "region_b"))
    >>> [text.get_text() for text in plot_regions(s).axes[0].texts]
    ['V4', 'IT', 'layer1']
    """
    similarity = checked_mutual(similarity, "plot_regions")
    names = [str(name) for name in similarity["region_a"].values]
    if labels is None and "source_a" in similarity.coords:
        labels = similarity["source_a"].values
    groups = as_groups(labels, len(names), "regions and layers")
    found = classical_mds(as_squares(similarity.values))
    figure, (axis,), size = planes(1)
    frame_plane(axis, found.points, found)
    unit = (axis.get_xlim()[1] - axis.get_xlim()[0]) / size  # of data, an inch
    marks, taken = {}, [_around(point, unit) for point in found.points]
    # The smallest group first: its names matter most, and there is room.
    for place, group in enumerate(sorted(dict.fromkeys(groups), key=list(groups).count)):
        rows, colour = np.flatnonzero(groups == group), look(place)[0]
        marks[group] = _draw(axis, found.points[rows], place)
        few = [int(rows[k]) for k in thinned(len(rows), NAMED)]
        # The colour says whose it is.
        where = {names[k].removeprefix(f"{group}/"): found.points[k] for k in few}
        _name_points(axis, where, colour, unit, taken)
    name_groups(figure, marks)
    return as_written(figure)


def _draw(axis: Axes, points: npt.NDArray[np.float64], place: int) -> Artist:
    colour, marker = look(place)
    x, y = points.T
    axis.plot(x, y, color=colour, lw=1.1, alpha=0.5, zorder=1)
    area = 60 if len(points) < NAMED else 24
    return axis.scatter(x, y, s=area, c=colour, marker=marker, edgecolors="white", linewidths=0.5)


def _around(point: npt.NDArray[np.float64], unit: float) -> Box:
    x, y, half = float(point[0]), float(point[1]), 0.03 * unit
    return x - half, y - half, x + half, y + half


def _name_points(
    axis: Axes,
    where: Mapping[str, npt.NDArray[np.float64]],
    colour: str,
    unit: float,
    taken: list[Box],
) -> None:
    """Write names beside their points, where no point and no name stands already."""
    for name, (x, y) in where.items():
        shown = cut_path(name, 20)
        width, half = LETTER * len(shown) * unit, LINE * unit / 2
        for side, lift in PLACES:
            start, level = float(x + side * GAP * unit), float(y + lift * LINE * unit)
            left = min(start, start + side * width)
            box = (left, level - half, left + width, level + half)
            if _inside(box, axis) and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                align = "left" if side > 0 else "right"
                axis.text(start, level, shown, fontsize=8, color=colour, va="center", ha=align)
                break


def _inside(box: Box, axis: Axes) -> bool:
    (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
    return left < box[0] and box[2] < right and low < box[1] and box[3] < high


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
