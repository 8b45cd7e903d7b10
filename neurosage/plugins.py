"""Entry points: ids, packages, and loading. No other module calls importlib.metadata."""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint
from pathlib import Path

from neurosage.errors import InputError, unknown

__all__ = [
    "EntryPoint",
    "distribution",
    "entry_points",
    "load",
    "load_point",
    "package_folder",
    "version",
]


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
    except Exception as error:  # a third party's code may raise anything
        raise InputError(
            f"the {kind} {point.name!r} of the distribution {distribution(point)} "
            f"({point.value}) cannot be loaded: {type(error).__name__}: {error}"
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

    Raises
    ------
    InputError
        If one of the interpreter's finders fails; the distribution is named.

    Examples
    --------
    >>> package_folder(entry_points("neurosage.teachers")["macaque-v4"]).name
    'macaque_v4'
    """
    if point.attr:
        return None
    places: list[str] | None = None
    steps = point.module.split(".")
    try:
        for depth in range(1, len(steps) + 1):
            places = _places(".".join(steps[:depth]), places)
            if not places:
                return None
    except Exception as error:  # finders of editable installs and others are code, too
        raise InputError(
            f"the package {point.module!r} of the distribution {distribution(point)} cannot be "
            f"looked for: {type(error).__name__}: {error}"
        ) from error
    return Path(places[0]) if places else None


def _places(name: str, within: Sequence[str] | None) -> list[str]:
    """The folders of a package in its parent's, importing neither."""
    if name in sys.modules:
        return list(getattr(sys.modules[name], "__path__", ()))
    tail = name.rpartition(".")[2]
    try:
        spec = _spec(name, within)
    except KeyError:
        # A namespace in a package that is not loaded: its folders are all that it is.
        return [str(path) for place in within or () if (path := Path(place, tail)).is_dir()]
    return list(spec.submodule_search_locations or ()) if spec is not None else []


def _spec(name: str, within: Sequence[str] | None) -> ModuleSpec | None:
    # importlib.util.find_spec would import the parents of a name with dots.
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = None if find is None else find(name, within)
        if spec is not None:
            return spec
    return None


def version(package: str) -> str:
    """Return the installed version of a distribution.

    Parameters
    ----------
    package : str
        Its name, such as ``"numpy"``.

    Returns
    -------
    str
        Such as ``"2.1.0"``; ``"(unknown)"`` for one that is not installed as such.

    Examples
    --------
    >>> version("numpy").count(".") >= 1
    True
    """
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(unknown)"
