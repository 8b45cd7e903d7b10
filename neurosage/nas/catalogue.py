"""Spaces and explorers by name, as a search's TOML file names them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

from neurosage.errors import InputError, unknown
from neurosage.nas.space import Explorer, Space
from neurosage.plugins import entry_points, load


def list_spaces() -> tuple[str, ...]:
    """Return the ids of the registered spaces.

    Examples
    --------
    >>> "convnet-10" in list_spaces()
    True
    """
    return tuple(sorted(entry_points("neurosage.spaces")))


def list_explorers() -> tuple[str, ...]:
    """Return the ids of the registered explorers.

    Examples
    --------
    >>> "tpe" in list_explorers()
    True
    """
    return tuple(sorted(entry_points("neurosage.explorers")))


def make_space(id: str, options: Mapping[str, Any] | None = None) -> Space:  # noqa: A002  # the field's word
    """Make a registered space.

    Parameters
    ----------
    id : str
        One of `list_spaces`.
    options : mapping, optional
        What the space can be told, such as ``{"filters": [8, 16, 32]}``.

    Returns
    -------
    Space
        With those options.

    Raises
    ------
    InputError
        If there is no such space or option, or an option has a wrong value.

    Examples
    --------
    >>> make_space("convnet-5", {"filters": [8, 16]}).choices[1].options
    (8, 16)
    """
    return cast(Space, _make("neurosage.spaces", "space", id, options or {}))


def make_explorer(id: str, options: Mapping[str, Any] | None = None) -> Explorer:  # noqa: A002  # the field's word
    """Make a registered explorer.

    Parameters
    ----------
    id : str
        One of `list_explorers`.
    options : mapping, optional
        What the explorer can be told, such as ``{"random_starts": 10}``.

    Returns
    -------
    Explorer
        With those options.

    Raises
    ------
    InputError
        If there is no such explorer or option, or an option has a wrong value.

    Examples
    --------
    >>> make_explorer("tpe", {"random_starts": 10}).random_starts
    10
    """
    return cast(Explorer, _make("neurosage.explorers", "explorer", id, options or {}))


def _make(group: str, kind: str, name: str, options: Mapping[str, Any]) -> object:
    make = load(group, name, kind)
    if not callable(make):
        raise InputError(f"the {kind} {name!r} is not callable: its entry point names {make!r}.")
    _check_options(make, f"{kind} {name}", options)
    return make(**options)


def _check_options(make: Callable[..., object], what: str, options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(make).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    known = [p.name for p in named]
    for option in options:
        if option not in known:
            raise unknown(f"option of {what}", option, known)
    if missing := [p.name for p in named if p.default is p.empty and p.name not in options]:
        raise InputError(f"{what} needs the options {missing}, which are not given.")
