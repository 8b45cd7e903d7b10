"""Tree-structured Parzen estimators, by HyperOpt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from neurosage.errors import InputError
from neurosage.nas.space import (
    Architecture,
    Choice,
    Observation,
    Option,
    Space,
    assign,
    draw,
    seen_keys,
)

_Document: TypeAlias = dict[str, Any]
_LAST_ASKS = 20
_RANDOM_TRIES = 100


@dataclass(frozen=True)
class TPEExplorer:
    """Proposes what the best candidates so far have more often than the others.

    Every choice is modelled by itself. The `gamma` · √N best of N candidates give l,
    the others g, both with a prior of one count an option; of `draws` samples of l the
    one with the largest l/g is taken. Candidates older than the last 25 weigh less
    (HyperOpt's linear forgetting, which cannot be set); failed and running ones count
    among the others. A proposal whose network was seen before is asked for again with
    the next seed and half the draws, since many draws make TPE nearly deterministic.

    Parameters
    ----------
    random_starts : int
        Candidates drawn uniformly first, finished, failed and running ones counted.
    gamma : float
        Sets how many are the best: ``min(⌈gamma √N⌉, 25)``.
    draws : int
        Samples of l of which the best is taken; 1 samples l itself.

    Raises
    ------
    InputError
        If a parameter is out of its range.

    References
    ----------
    Bergstra, Bardenet, Bengio & Kégl 2011, "Algorithms for hyper-parameter
    optimization"; Bergstra, Yamins & Cox 2013 (HyperOpt).
    """

    random_starts: int = 20
    gamma: float = 0.25
    draws: int = 24
    _documents: dict[str, _Known] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name, least in (("random_starts", 0), ("draws", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise InputError(f"{name} must be a whole number from {least}, not {value!r}.")
        if not isinstance(self.gamma, int | float) or not 0 < self.gamma < math.inf:
            raise InputError(f"gamma must be a number above 0, not {self.gamma!r}.")

    def propose(
        self,
        space: Space,
        history: Sequence[Observation],
        pending: Sequence[Architecture],
        seed: int,
    ) -> Architecture:
        """Return the next architecture.

        Parameters
        ----------
        space : Space
            Where to choose.
        history : sequence of Observation
            Past candidates, oldest first.
        pending : sequence of Architecture
            Running candidates.
        seed : int
            Fixes every draw; not negative.

        Returns
        -------
        mapping
            A new network, unless the space is nearly exhausted.
        """
        seen = seen_keys(space, history, pending)
        count = len(history) + len(pending)
        if count >= max(self.random_starts, 1):
            documents = self._convert(space, history, pending)
            for asked, draws in enumerate(_halving(self.draws)):
                proposal = _suggest(space, documents, seed + asked, draws, self.gamma)
                if space.graph(proposal).key() not in seen:
                    return proposal
        return _draw_new(space, seen, seed)

    def _convert(
        self, space: Space, history: Sequence[Observation], pending: Sequence[Architecture]
    ) -> list[_Document]:
        """Make HyperOpt's documents, those of past candidates only once."""
        if len(self._documents) > 2 * len(history) + 100:
            self._documents.clear()  # another search's
        documents = []
        for place, past in enumerate(history):
            known = self._documents.get(past.key)
            if known is None or not known.fits(space.choices, past, place):
                document = _document(space.choices, past.architecture, past.score, place)
                known = self._documents[past.key] = _Known(space.choices, past, place, document)
            documents.append(known.document)
        running = enumerate(pending, start=len(history))
        return documents + [_document(space.choices, each, None, i) for i, each in running]


@dataclass(frozen=True)
class _Known:
    """A document and what it was made from."""

    choices: tuple[Choice, ...]
    past: Observation
    place: int
    document: _Document

    def fits(self, choices: tuple[Choice, ...], past: Observation, place: int) -> bool:
        return (self.choices, self.past, self.place) == (choices, past, place)


def _halving(draws: int) -> list[int]:
    """Numbers of draws to ask with: halved down to 1, which is then repeated."""
    asks = [draws]
    while asks[-1] > 1:
        asks.append(asks[-1] // 2)
    return asks + [1] * _LAST_ASKS


def _draw_new(space: Space, seen: set[str], seed: int) -> Architecture:
    rng = np.random.default_rng(seed)
    for _ in range(_RANDOM_TRIES):
        architecture = draw(space, rng)
        if space.graph(architecture).key() not in seen:
            break
    return architecture


def _document(
    choices: Sequence[Choice], architecture: Architecture, score: float | None, place: int
) -> _Document:
    """Write one candidate as HyperOpt does; a choice that does not exist has no values."""
    decided = {
        c.name: [c.options.index(architecture[c.name])] if c.name in architecture else []
        for c in choices
    }
    loss = -score if score is not None and math.isfinite(score) else math.inf
    return {
        "tid": place,
        "state": 2,
        "spec": None,
        "result": {"status": "ok", "loss": loss},
        "misc": {
            "tid": place,
            "cmd": None,
            "idxs": {name: [place] * len(values) for name, values in decided.items()},
            "vals": decided,
        },
    }


@lru_cache(maxsize=4)
def _domain(sizes: tuple[tuple[str, int], ...]) -> Any:
    """Build HyperOpt's domain: every choice by itself, whether it exists decided after."""
    from hyperopt import hp
    from hyperopt.base import Domain

    return Domain(_never, {name: hp.randint(name, size) for name, size in sizes})


def _never(_: Mapping[str, int]) -> float:
    raise NotImplementedError("candidates are evaluated by the search, not by HyperOpt")


def _suggest(
    space: Space, documents: list[_Document], seed: int, draws: int, gamma: float
) -> dict[str, Option]:
    from hyperopt import tpe
    from hyperopt.base import trials_from_docs

    domain = _domain(tuple((c.name, len(c.options)) for c in space.choices))
    (proposal,) = tpe.suggest(
        [len(documents)],
        domain,
        trials_from_docs(documents, validate=False),
        seed,
        n_startup_jobs=0,
        n_EI_candidates=draws,
        gamma=gamma,
        verbose=False,
    )
    values = proposal["misc"]["vals"]
    return assign(space, lambda choice: choice.options[int(values[choice.name][0])])
