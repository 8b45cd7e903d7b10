"""The contracts of a search: choices, spaces, architectures, explorers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from neurosage.errors import InputError, unknown

if TYPE_CHECKING:
    from torch import nn

    from neurosage.nas.graph import Graph

Option: TypeAlias = str | int | float | bool
Architecture: TypeAlias = Mapping[str, Option]


@dataclass(frozen=True)
class Choice:
    """One categorical, nominal decision.

    Parameters
    ----------
    name : str
        Unique and stable: the key in the architecture's JSON document.
    options : tuple of Option
        Within a kind one is a prefix of the other, so index k means the same.
    kind : str
        Choices of one kind share an explorer's statistics or weights.
    step : int
        The part (layer, block, edge) decided here; never falls along the list.
    source : int, optional
        For a connection, the earlier step listened to; options are (False, True).
    requires : tuple of (str, tuple of Option), optional
        The choice exists only if that earlier choice took one of these options.
    """

    name: str
    options: tuple[Option, ...]
    kind: str
    step: int = 0
    source: int | None = None
    requires: tuple[str, tuple[Option, ...]] | None = None

    def exists(self, architecture: Architecture) -> bool:
        """Tell whether this choice exists, given the earlier ones."""
        if self.requires is None:
            return True
        name, options = self.requires
        return name in architecture and architecture[name] in options


class Space(Protocol):
    """What can be built: an ordered list of choices and what they make.

    `choices` is read by explorers before every proposal; `build`, `layers` and
    `graph` get an architecture that `check_architecture` has passed.
    """

    @property
    def name(self) -> str:
        """The registered id, such as ``convnet-10``."""

    @property
    def choices(self) -> tuple[Choice, ...]:
        """All choices; a required one stands before those that require it."""

    def build(
        self, architecture: Architecture, *, classes: int, image: tuple[int, int, int]
    ) -> nn.Module:
        """Build the network for `classes` classes of images (channels, height, width)."""

    def layers(self, architecture: Architecture) -> tuple[str, ...]:
        """Names of the modules to record, from input to output."""

    def graph(self, architecture: Architecture) -> Graph:
        """Return what `build` builds, pruned; its key tells equal networks."""


@dataclass(frozen=True)
class Observation:
    """One past candidate as explorers see it.

    `key` is its graph key; `score` (higher is better) is None where it failed.
    """

    architecture: Architecture
    key: str
    score: float | None


class Explorer(Protocol):
    """Proposes the next architecture from the history.

    Called once per candidate, in the search process; must be a pure function of
    its arguments, so that a resumed search proposes what an unbroken one would.
    """

    def propose(
        self,
        space: Space,
        history: Sequence[Observation],
        pending: Sequence[Architecture],
        seed: int,
    ) -> Architecture:
        """Return one architecture, given the finished and the running candidates."""


def assign(
    space: Space, pick: Callable[[Choice], Option], fixed: Architecture | None = None
) -> dict[str, Option]:
    """Make an architecture: every choice that exists, in order.

    Parameters
    ----------
    space : Space
        Where to choose.
    pick : callable
        Takes a `Choice`, returns one of its options: a random draw, a policy.
    fixed : mapping, optional
        Decisions already made; those on choices that do not exist are dropped, so
        that a changed architecture is mended by assigning again.

    Returns
    -------
    dict
        Choice name to option, exactly the choices that exist.

    Raises
    ------
    InputError
        If a picked or fixed option is none of the choice's.
    """
    fixed = fixed or {}
    architecture: dict[str, Option] = {}
    for choice in space.choices:
        if choice.exists(architecture):
            option = fixed[choice.name] if choice.name in fixed else pick(choice)
            architecture[choice.name] = _check_option(choice, option)
    return architecture


def draw(space: Space, rng: np.random.Generator) -> dict[str, Option]:
    """Draw an architecture, each choice uniformly over its options.

    Parameters
    ----------
    space : Space
        Where to draw.
    rng : numpy.random.Generator
        The source of chance, one number a choice that exists.

    Returns
    -------
    dict
        Choice name to option, exactly the choices that exist.
    """
    return assign(space, lambda choice: choice.options[int(rng.integers(len(choice.options)))])


def seen_keys(
    space: Space, history: Sequence[Observation], pending: Sequence[Architecture]
) -> set[str]:
    """Return the graph keys of all candidates so far, failed and running ones too.

    Parameters
    ----------
    space : Space
        Where the candidates come from.
    history : sequence of Observation
        The finished and the failed.
    pending : sequence of Architecture
        The running.

    Returns
    -------
    set of str
        What a proposal should not repeat.
    """
    return {past.key for past in history} | {space.graph(each).key() for each in pending}


def check_architecture(space: Space, architecture: Architecture) -> Architecture:
    """Return the architecture if it assigns exactly the choices that exist.

    Raises
    ------
    InputError
        If a choice is missing, unknown, should not exist, or has a wrong option.
    """
    known = {choice.name for choice in space.choices}
    for name in architecture:
        if name not in known:
            raise unknown(f"choice of {space.name}", name, sorted(known))
    expected: list[Choice] = []
    decided: dict[str, Option] = {}  # what hangs on a choice that does not exist, does not either
    for choice in space.choices:
        if choice.exists(decided):
            expected.append(choice)
            if choice.name in architecture:
                decided[choice.name] = architecture[choice.name]
    if missing := [c.name for c in expected if c.name not in architecture]:
        raise InputError(f"the architecture leaves {missing[:5]} of {space.name} undecided.")
    if extra := sorted(set(architecture) - {c.name for c in expected}):
        raise InputError(f"choices {extra[:5]} do not exist in this architecture of {space.name}.")
    for choice in expected:
        _check_option(choice, architecture[choice.name])
    return architecture


def _check_option(choice: Choice, option: Option) -> Option:
    for known in choice.options:
        if known == option and isinstance(known, bool) == isinstance(option, bool):
            return known
    raise unknown(f"option of {choice.name}", option, choice.options)


def to_json(architecture: Architecture) -> str:
    """Write an architecture as one line of JSON, keys sorted.

    Examples
    --------
    >>> to_json({"layers": 2, "filters_0": 32})
    '{"filters_0": 32, "layers": 2}'
    """
    return json.dumps(dict(architecture), sort_keys=True)
