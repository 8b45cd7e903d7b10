"""Pictures of likeness: stimuli, or layers and regions, near each other where they are alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from neurosage.data.stimuli import StimulusSet
from neurosage.errors import InputError
from neurosage.report.drawable import Labels, as_groups, checked_rdms, is_mutual
from neurosage.report.labels import in_order
from neurosage.report.plane_plots import frame_plane, look, name_groups, planes
from neurosage.report.plots import as_written
from neurosage.report.region_plots import plot_regions
from neurosage.report.scaling import classical_mds, turned_towards

Images: TypeAlias = StimulusSet | Sequence[npt.NDArray[Any]] | None
Floats = npt.NDArray[np.float64]

MOST_PANELS = 12
THUMB = 0.36  # inches of an image


def plot_mds(
    rdms_or_matrix: xr.DataArray | npt.NDArray[Any],
    labels: Labels = None,
    images: Images = None,
) -> Figure:
    """Draw classical multidimensional scaling, with what two dimensions hold of the whole.

    Parameters
    ----------
    rdms_or_matrix : xarray.DataArray or array_like
        RDMs, dims ``region × stimulus_i × stimulus_j`` (of several ``subject`` their mean): a
        panel a region, a point a stimulus. Or similarities of regions and layers with one
        another, dims ``region_a × region_b`` over the same names
        (:func:`neurosage.report.mutual.mutual_similarity`): a point a region or layer, each
        source's joined by a line in its order. Or squared distances, shape (n, n).
    labels : sequence, shape (n,), optional
        Category of each point in the RDMs' order, such as ``teacher.stimuli.table["label"]``,
        shown by colour and marker; of layers and regions, their source if omitted.
    images : StimulusSet, or sequence of array of uint8, shape (height, width, 3), optional
        Drawn at the stimuli's places as far as they do not hide one another, framed in their
        category's colour; other stimuli stay dots.

    Returns
    -------
    matplotlib.figure.Figure
        Axes are of equal scale; panels are turned and mirrored towards the first. It is no
        figure of pyplot: write it by ``figure.savefig("mds.png")``.

    Raises
    ------
    InputError
        If it is none of these, labels or images are of another number, or there are more
        regions or points than a picture can show.

    Examples
    --------
    >>> x = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
    >>> figure = plot_mds(((x[:, None] - x) ** 2).sum(-1), labels=["a", "a", "b"])
    >>> figure.axes[0].get_title(loc="left")
    '100% of the variance, stress .00'
    """
    if is_mutual(rdms_or_matrix):
        return plot_regions(rdms_or_matrix, labels)
    squares, ids = _squares(rdms_or_matrix)
    number = len(next(iter(squares.values())))
    groups = as_groups(labels, number)
    pictures = _pictures(images, ids, number)
    scaled = {name: classical_mds(square) for name, square in squares.items()}
    first = next(iter(scaled.values())).points
    figure, axes, size = planes(len(scaled))
    marks: dict[str, Artist] = {}
    for axis, (name, found) in zip(axes, scaled.items(), strict=True):
        points = turned_towards(found.points, first)
        frame_plane(axis, points, found, name)
        marks |= _dots(axis, points, groups)
        if pictures:
            _images(axis, points, pictures, groups, size)
    name_groups(figure, marks)
    return as_written(figure)


def _squares(value: Any) -> tuple[dict[str, Floats], list[str]]:
    """Squared distances by region, and the stimuli's ids where they are told."""
    if isinstance(value, list | tuple | np.ndarray) and (square := _matrix(value)) is not None:
        return {"": square}, []
    value = checked_rdms(value, "plot_mds")
    own = value.mean("subject") if "subject" in value.dims else value
    if own.sizes["region"] > MOST_PANELS:
        raise InputError(
            f"RDMs of {own.sizes['region']} regions: a picture has 1 to {MOST_PANELS} panels; "
            "choose some (rdms.sel(region=[…])), or draw regions by their mutual similarity."
        )
    names = [str(name) for name in own["region"].values]
    ids = [str(k) for k in own["stimulus_id_i"].values] if "stimulus_id_i" in own.coords else []
    return {name: own.values[place] for place, name in enumerate(names)}, ids


def _matrix(value: Any) -> Floats | None:
    """Numbers, or None where there are others too, or rows of different lengths."""
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError):
        return None


def _pictures(images: Images, ids: list[str], number: int) -> list[npt.NDArray[Any]]:
    if images is None:
        return []
    if isinstance(images, StimulusSet):
        places = {str(name): k for k, name in enumerate(images.stimulus_ids)}
        lost = [name for name in ids if name not in places]
        if lost or not ids:
            why = f"has none of {lost[:3]}" if lost else "needs RDMs that name their stimuli"
            raise InputError(f"stimulus set {images.id!r} {why}; give a list of arrays instead.")
        return [images.image(places[name]) for name in ids]
    if len(images) != number:
        raise InputError(f"there are {len(images)} images for {number} points; give one for each.")
    return [np.asarray(image) for image in images]


def _dots(axis: Axes, points: Floats, groups: npt.NDArray[Any]) -> dict[str, Artist]:
    marks: dict[str, Artist] = {}
    area = float(np.clip(9000 / len(points), 8, 42))
    for place, name in enumerate(in_order(groups)):
        colour, marker = look(place)
        own = points[groups == name]
        marks[name] = axis.scatter(
            own[:, 0], own[:, 1], s=area, c=colour, marker=marker,
            edgecolors="white", linewidths=0.4, zorder=2,
        )  # fmt: skip
    return marks


def _images(
    axis: Axes,
    points: Floats,
    pictures: list[npt.NDArray[Any]],
    groups: npt.NDArray[Any],
    size: float,
) -> None:
    """Draw the images that hide none drawn before."""
    limits = (*axis.get_xlim(), *axis.get_ylim())
    half = 0.5 * THUMB / size * (limits[1] - limits[0])
    colours = {name: look(place)[0] for place, name in enumerate(in_order(groups))}
    drawn = np.full((1, 2), np.inf)
    for point, picture, group in zip(points, pictures, groups, strict=True):
        if np.abs(drawn - point).max(axis=1).min() < 2.1 * half:
            continue
        drawn = np.vstack([drawn, point])
        height, width = np.array(picture.shape[:2]) / max(picture.shape[:2]) * half
        (x, y), grey = point, "gray" if picture.ndim == 2 else None
        axis.imshow(picture, grey, extent=(x - width, x + width, y - height, y + height), zorder=3)
        frame = Rectangle(
            (x - width, y - height), 2 * width, 2 * height, fill=False, zorder=4,
            lw=1.6 if group else 0.5, edgecolor=colours[group],
        )  # fmt: skip
        axis.add_patch(frame)
    axis.set_xlim(limits[:2])
    axis.set_ylim(limits[2:])
