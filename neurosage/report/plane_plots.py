"""What pictures of points on a plane share: panels of equal scale, colours and legends."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurosage.report.labels import cut, in_order
from neurosage.report.plots import BLUE, GREEN, INK, MUTED, ORANGE
from neurosage.report.scaling import Scaled

# Okabe and Ito's, told apart by all, and three of Tol's.
COLOURS = (BLUE, ORANGE, GREEN, "#cc79a7", "#56b4e9", "#e69f00", INK, "#882255", "#999933",
           "#8a98a5")  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X")  # of no common factor with the colours
COLUMNS, PANEL, ALONE = 2, 4.4, 6.2  # panels side by side; inches of one, and of one alone
MOST_NAMES = 21  # in a legend


def planes(number: int) -> tuple[Figure, list[Axes], float]:
    """Lay out panels of points.

    Parameters
    ----------
    number : int
        Of panels.

    Returns
    -------
    tuple of (matplotlib.figure.Figure, list of matplotlib.axes.Axes, float)
        And about how many inches a panel is wide.
    """
    columns, rows = min(number, COLUMNS), -(-number // COLUMNS)
    size = ALONE if number == 1 else PANEL
    figure = Figure(figsize=(size * columns, (size + 0.35) * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis in grid[number:]:
        axis.remove()
    return figure, list(grid[:number]), size


def frame_plane(axis: Axes, points: npt.NDArray[np.float64], found: Scaled, name: str = "") -> None:
    """Set limits of equal scale around points, and say what the plane holds.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
        A panel.
    points : array of float64, shape (n, 2)
        As drawn: those found, perhaps turned.
    found : Scaled
        Share and stress are told.
    name : str
        Of what is drawn.
    """
    share = f"{100 * found.share:.0f}% of the variance"
    said = f"{share}, stress {found.stress:.2f}".replace(" 0.", " .")
    title = f"{cut(name, 22)}: {said}" if name else said
    axis.set_title(title, fontsize=9.5, color=INK, loc="left")
    middle = (points.max(0) + points.min(0)) / 2
    half = 0.56 * float((points.max(0) - points.min(0)).max())
    axis.set_xlim(middle[0] - half, middle[0] + half)
    axis.set_ylim(middle[1] - half, middle[1] + half)
    axis.set_aspect("equal")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_color(MUTED)
    axis.spines[:].set_linewidth(0.6)


def look(place: int) -> tuple[str, str]:
    """Return the colour and the marker of the k-th group; 70 differ, neighbours in both.

    Examples
    --------
    >>> look(0), look(1), look(10)
    (('#0072b2', 'o'), ('#d55e00', 's'), ('#0072b2', 'D'))
    """
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def name_groups(figure: Figure, marks: Mapping[str, Artist]) -> None:
    """Write a legend below the panels, of at most 21 groups, and how many more there are.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Of constrained layout.
    marks : mapping of str to matplotlib.artist.Artist
        By name; the one of no name is left out.
    """
    every = [name for name in in_order(marks) if name]
    if not every:
        return
    names = every[:MOST_NAMES]
    shown = [cut(name) for name in names]
    if more := len(every) - len(names):
        shown[-1] += f", … ({more} more)"
    width = float(figure.get_size_inches()[0])
    columns = max(int(width / (0.075 * max(map(len, shown)) + 0.45)), 1)
    figure.legend(
        [marks[name] for name in names], shown, loc="outside lower left", fontsize=8.5,
        ncols=min(columns, len(names)), frameon=False,
    )  # fmt: skip
