"""Random search: the measure of every other explorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurosage.errors import InputError
from neurosage.nas.space import Architecture, Observation, Space, draw, seen_keys


@dataclass(frozen=True)
class RandomExplorer:
    """Draws every choice uniformly, again where the network was seen before.

    Parameters
    ----------
    tries : int
        Draws before a network seen before is proposed after all, as it must be in a
        space that is nearly exhausted.

    Raises
    ------
    InputError
        If `tries` is no whole number from 1.
    """

    tries: int = 100

    def __post_init__(self) -> None:
        if type(self.tries) is not int or self.tries < 1:
            raise InputError(f"tries must be a whole number from 1, not {self.tries!r}.")

    def propose(
        self,
        space: Space,
        history: Sequence[Observation],
        pending: Sequence[Architecture],
        seed: int,
    ) -> Architecture:
        """Return a random architecture.

        Parameters
        ----------
        space : Space
            Where to draw.
        history : sequence of Observation
            Past candidates; only their keys matter.
        pending : sequence of Architecture
            Running candidates.
        seed : int
            Fixes the draw.

        Returns
        -------
        mapping
            A new network unless `tries` draws found none.
        """
        rng = np.random.default_rng(seed)
        seen = seen_keys(space, history, pending)
        for _ in range(self.tries):
            architecture = draw(space, rng)
            if space.graph(architecture).key() not in seen:
                break
        return architecture
