"""Entry points: ids, packages, and loading. No other module calls importlib.metadata."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from importlib.metadata import EntryPoint
from pathlib import Path

from neurosage.errors import InputError, unknown


def entry_points(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group, without loading any.

    Parameters
    ----------
    group : str
        Such as ``"neurosage.spaces"``.

    Returns
    -------
    dict of str to EntryPoint
        By id, sorted.

    Raises
    ------
    InputError
        If two distributions offer one id; both are named.

    Examples
    --------
    >>> "random" in entry_points("neurosage.explorers")
    True
    """
    found: dict[str, EntryPoint] = {}
    for point in sorted(importlib.metadata.entry_points(group=group), key=lambda p: p.name):
        if point.name in found:
            first, second = distribution(found[point.name]), distribution(point)
            raise InputError(
                f"two plugins of {group} have the id {point.name!r}: one of the distribution "
                f"{first}, one of {second}; uninstall one of them, or rename its entry point."
            )
        found[point.name] = point
    return found


def distribution(point: EntryPoint) -> str:
    """Return the name of the distribution that offers an entry point.

    Parameters
    ----------
    point : EntryPoint
        As found by `entry_points`.

    Returns
    -------
    str
        Such as ``"neurosage"``; ``"(unknown)"`` for one made by hand.

    Examples
    --------
    >>> distribution(entry_points("neurosage.explorers")["random"])
    'neurosage'
    """
    return point.dist.name if point.dist is not None else "(unknown)"


def load(group: str, id: str, kind: str) -> object:  # noqa: A002  # id is the field's word
    """Import what an entry point names.

    Parameters
    ----------
    group : str
        Such as ``"neurosage.explorers"``.
    id : str
        The entry point's name.
    kind : str
        What it is called in messages, such as ``"explorer"``.

    Returns
    -------
    object
        A module, class or function.

    Raises
    ------
    InputError
        If there is none of that name, or importing it fails.

    Examples
    --------
    >>> load("neurosage.explorers", "random", "explorer").__name__
    'RandomExplorer'
    """
    points = entry_points(group)
    if id not in points:
        raise unknown(kind, id, points)
    return load_point(points[id], kind)


def load_point(point: EntryPoint, kind: str) -> object:
    """Import what this entry point names.

    Parameters
    ----------
    point : EntryPoint
        As found by `entry_points`.
    kind : str
        What it is called in messages.

    Returns
    -------
    object
        A module, class or function.

    Raises
    ------
    InputError
        If importing it fails; the distribution is named.
    """
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"the {kind} {point.name!r} of the distribution {distribution(point)} "
            f"({point.value}) cannot be loaded: {error}"
        ) from error


def package_folder(point: EntryPoint) -> Path | None:
    """Return the folder of the package that an entry point names, running none of its code.

    Parameters
    ----------
    point : EntryPoint
        One that names a package, such as ``neurosage.teachers.macaque_v4``.

    Returns
    -------
    Path or None
        None where it names a callable, a single module, or nothing that exists.

    Examples
    --------
    >>> package_folder(entry_points("neurosage.teachers")["macaque-v4"]).name
    'macaque_v4'
    """
    if point.attr:
        return None
    try:
        spec = importlib.util.find_spec(point.module)
    except ImportError:
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
