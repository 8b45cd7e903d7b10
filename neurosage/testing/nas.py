"""What spaces and explorers must hold."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from neurosage.nas.macs import count_macs
from neurosage.nas.space import (
    Architecture,
    Choice,
    Explorer,
    Observation,
    Option,
    Space,
    assign,
    check_architecture,
    draw,
    to_json,
)
from neurosage.nas.spaces.convnet import convnet_5

if TYPE_CHECKING:
    from torch import nn


class SpaceCase:
    """What every space must hold; define `make_space`.

    `image` and `classes` say what is built, `samples` how many random architectures
    each law is tried on.
    """

    image: ClassVar[tuple[int, int, int]] = (3, 16, 16)
    classes: ClassVar[int] = 7
    samples: ClassVar[int] = 12

    def make_space(self) -> Space:
        """Return the space under test, a new object each time."""
        raise NotImplementedError("define make_space")

    def draws(self) -> Iterator[tuple[Space, Architecture]]:
        """Random architectures of the space, the same in every run."""
        space, rng = self.make_space(), np.random.default_rng(0)
        for _ in range(self.samples):
            yield space, draw(space, rng)

    def build(self, space: Space, architecture: Architecture) -> nn.Module:
        """Build with the case's image and classes, from a fixed seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return space.build(architecture, classes=self.classes, image=self.image)

    def images(self) -> torch.Tensor:
        """Four images of noise."""
        return torch.randn((4, *self.image), generator=torch.Generator().manual_seed(1))

    def test_choices_are_sound(self) -> None:
        """Names are unique, options differ, steps never fall, links point backwards."""
        seen: dict[str, Choice] = {}
        step = 0
        for choice in self.make_space().choices:
            assert choice.name not in seen
            assert choice.options
            assert len(set(choice.options)) == len(choice.options)
            assert choice.step >= step
            assert choice.source is None or choice.source < choice.step
            assert choice.source is None or choice.options == (False, True)
            if choice.requires is not None:
                name, options = choice.requires
                assert name in seen, f"{choice.name} requires {name}, which stands after it"
                assert set(options) <= set(seen[name].options)
            seen[choice.name], step = choice, choice.step

    def test_kinds_share_options(self) -> None:
        """Within a kind, the options of one choice are a prefix of the other's."""
        kinds: dict[str, list[Choice]] = {}
        for choice in self.make_space().choices:
            kinds.setdefault(choice.kind, []).append(choice)
        for alike in kinds.values():
            longest = max((c.options for c in alike), key=len)
            assert all(c.options == longest[: len(c.options)] for c in alike)

    def test_architectures_are_documents(self) -> None:
        """An architecture survives JSON, with its key."""
        for space, architecture in self.draws():
            back = json.loads(to_json(architecture))
            assert check_architecture(space, back) == architecture
            assert space.graph(back).key() == space.graph(architecture).key()

    def test_spaces_pickle(self) -> None:
        """A space goes to another process and means the same there."""
        for space, architecture in self.draws():
            other = pickle.loads(pickle.dumps(space))
            assert other.choices == space.choices
            assert other.graph(architecture).key() == space.graph(architecture).key()

    def test_networks_answer(self) -> None:
        """Every architecture builds a network that gives finite logits (n, classes)."""
        for space, architecture in self.draws():
            logits = self.build(space, architecture)(self.images())
            assert logits.shape == (4, self.classes)
            assert bool(torch.isfinite(logits).all())

    def test_networks_train(self) -> None:
        """Every parameter gets a gradient: no layer is unused."""
        for space, architecture in self.draws():
            network = self.build(space, architecture)
            network(self.images()).square().sum().backward()
            unused = [name for name, p in network.named_parameters() if p.grad is None]
            assert not unused, f"{unused} are not used"

    def test_networks_are_seeded(self) -> None:
        """Building twice from one seed gives equal parameters."""
        for space, architecture in self.draws():
            one, two = (self.build(space, architecture).state_dict() for _ in range(2))
            assert list(one) == list(two)
            assert all(torch.equal(one[name], two[name]) for name in one)

    def test_layers_are_recorded_once_in_order(self) -> None:
        """The named layers exist, and run once each in the order they are named."""
        for space, architecture in self.draws():
            network, names = self.build(space, architecture), space.layers(architecture)
            called: list[str] = []
            for name in names:
                network.get_submodule(name).register_forward_hook(partial(_note, called, name))
            network(self.images())
            assert called == list(names)
            assert called

    def test_networks_are_counted_unbuilt(self) -> None:
        """Multiplications and parameters are known without making weights."""
        for space, architecture in self.draws():
            cost = count_macs(self.build(space, architecture), self.image)
            assert self.cost(space, architecture) == cost

    def cost(self, space: Space, architecture: Architecture) -> tuple[int, int]:
        """Multiply-accumulates and parameters of a network that is never made."""
        with torch.device("meta"):
            network = space.build(architecture, classes=self.classes, image=self.image)
        return count_macs(network, self.image)

    def twins(self) -> Iterator[tuple[Space, Architecture, Architecture]]:
        """Architectures that differ in a choice, but whose graphs have one key."""
        for space, architecture in self.draws():
            key = space.graph(architecture).key()
            alike = (
                other for other in _changed(space, architecture) if space.graph(other).key() == key
            )
            for other in itertools.islice(alike, self.samples):
                yield space, architecture, other

    def test_equal_keys_have_equal_cost(self) -> None:
        """Architectures of one key build networks of one cost; skipped where there are none."""
        found = 0
        for space, architecture, other in self.twins():
            assert self.cost(space, other) == self.cost(space, architecture), f"{other}"
            found += 1
        if not found:
            import pytest

            pytest.skip("no two of the architectures tried have one key")


def _changed(space: Space, architecture: Architecture) -> Iterator[Architecture]:
    for choice in space.choices:
        for option in choice.options if choice.name in architecture else ():
            if option != architecture[choice.name]:
                yield assign(space, _first_option, {**architecture, choice.name: option})


def _first_option(choice: Choice) -> Option:
    return choice.options[0]


def _note(called: list[str], name: str, *_: object) -> None:
    called.append(name)


class ExplorerCase:
    """What every explorer must hold; define `make_explorer`.

    `repeats` says how many proposals of `proposals` in a row may build a network seen
    before.
    """

    proposals: ClassVar[int] = 40
    repeats: ClassVar[int] = 0

    def make_explorer(self) -> Explorer:
        """Return the explorer under test, a new object each time."""
        raise NotImplementedError("define make_explorer")

    def make_space(self) -> Space:
        """Return the space to explore; override to try another."""
        return convnet_5((8, 16, 32))

    def explore(self, explorer: Explorer, space: Space, count: int) -> list[Observation]:
        """Propose `count` candidates one after the other; more layers score higher."""
        history: list[Observation] = []
        for k in range(count):
            architecture = explorer.propose(space, tuple(history), (), seed=k)
            check_architecture(space, architecture)
            failed = k % 7 == 3
            score = None if failed else len(space.layers(architecture)) + 0.01 * (k % 5)
            key = space.graph(architecture).key()
            history.append(Observation(architecture, key, score))
        return history

    def test_proposals_are_sound_and_seldom_repeat(self) -> None:
        """Every proposal is an architecture of the space; repeats are as few as said."""
        space = self.make_space()
        keys = [past.key for past in self.explore(self.make_explorer(), space, self.proposals)]
        assert len(keys) - len(set(keys)) <= self.repeats

    def test_proposals_are_pure(self) -> None:
        """A new explorer, given the history, proposes what the used one does."""
        space, used = self.make_space(), self.make_explorer()
        history = self.explore(used, space, self.proposals)
        for count in (0, 1, self.proposals // 2, self.proposals):
            past = history[:count]
            expected = used.propose(space, past, (), seed=99)
            assert self.make_explorer().propose(space, past, (), seed=99) == expected
            if count < len(history):
                again = self.make_explorer().propose(space, past, (), seed=count)
                assert again == history[count].architecture

    def test_arguments_are_left_alone(self) -> None:
        """History and pending candidates are not changed."""
        space, explorer = self.make_space(), self.make_explorer()
        history = self.explore(explorer, space, 8)
        pending = [history.pop().architecture]
        before = pickle.dumps((history, pending))
        explorer.propose(space, history, pending, seed=5)
        assert pickle.dumps((history, pending)) == before

    def test_seed_decides(self) -> None:
        """With nothing known, other seeds propose other networks."""
        space, explorer = self.make_space(), self.make_explorer()
        first = [to_json(explorer.propose(space, (), (), seed=seed)) for seed in range(8)]
        assert len(set(first)) > 1

    def test_running_candidates_differ(self) -> None:
        """Candidates proposed at once, each seeing the others pending, are not the same."""
        space, explorer = self.make_space(), self.make_explorer()
        history = self.explore(explorer, space, self.proposals)
        pending: list[Architecture] = []
        for seed in range(4):
            pending.append(explorer.propose(space, history, tuple(pending), seed=seed))
        assert 4 - len({space.graph(each).key() for each in pending}) <= self.repeats

    def test_failures_are_survived(self) -> None:
        """A history of nothing but failures still leads to a proposal."""
        space, explorer = self.make_space(), self.make_explorer()
        failed = [
            Observation(past.architecture, past.key, None)
            for past in self.explore(explorer, space, self.proposals)
        ]
        check_architecture(space, explorer.propose(space, failed, (), seed=1))
