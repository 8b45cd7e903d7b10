"""The contracts as tests: subclass a case, say how yours is made, run pytest.

Each case has one ``make_…`` method to define; pytest then collects its tests::

    class TestMySpace(SpaceCase):
        def make_space(self):
            return MySpace()
"""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from scipy import stats
from scipy.spatial import distance as spatial

from neurosage.data.assembly import check_assembly
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.nas.macs import count_macs
from neurosage.nas.space import (
    Architecture,
    Choice,
    Explorer,
    Observation,
    Space,
    check_architecture,
    draw,
    to_json,
)
from neurosage.nas.spaces.convnet import convnet_5
from neurosage.rsa.backends.base import Backend

if TYPE_CHECKING:
    from torch import nn

# the definitions, by SciPy: what BackendCase holds backends to
_DISTANCES: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "correlation": lambda f: np.asarray(spatial.pdist(f, "correlation")),
    "cosine": lambda f: np.asarray(spatial.pdist(f, "cosine")),
    "euclidean": lambda f: np.asarray(spatial.pdist(f, "sqeuclidean")) / f.shape[1],
}
_COMPARISONS: dict[str, Callable[[npt.NDArray[Any], npt.NDArray[Any]], float]] = {
    "pearson": lambda x, y: float(stats.pearsonr(x, y).statistic),
    "spearman": lambda x, y: float(stats.spearmanr(x, y).statistic),
    "cosine": lambda x, y: float(1 - spatial.cosine(x, y)),
}


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
        """Cost is known without weights, and equal keys have equal cost."""
        costs: dict[str, tuple[int, int]] = {}
        for space, architecture in self.draws():
            with torch.device("meta"):
                network = space.build(architecture, classes=self.classes, image=self.image)
            cost = count_macs(network, self.image)
            assert cost == count_macs(self.build(space, architecture), self.image)
            assert costs.setdefault(space.graph(architecture).key(), cost) == cost


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


class StimulusSetCase:
    """What every stimulus set must hold; define `make_stimuli`."""

    def make_stimuli(self) -> StimulusSet:
        """Return the stimuli under test, loaded anew each time."""
        raise NotImplementedError("define make_stimuli")

    def test_images_are_rgb(self) -> None:
        """There is an image a row, uint8, height × width × 3."""
        stimuli = self.make_stimuli()
        assert len(stimuli.images) == len(stimuli) == len(set(stimuli.stimulus_ids)) > 0
        for i in range(len(stimuli)):
            image = stimuli.image(i)
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3

    def test_content_is_fixed(self) -> None:
        """Loading twice, and sending to another process, gives the same content."""
        stimuli = self.make_stimuli()
        assert self.make_stimuli().content_hash() == stimuli.content_hash()
        assert pickle.loads(pickle.dumps(stimuli)).content_hash() == stimuli.content_hash()

    def test_take_follows_ids(self) -> None:
        """Taking ids gives their images, in that order."""
        stimuli = self.make_stimuli()
        some = stimuli.take(list(stimuli.stimulus_ids[::-1][:3]))
        for i in range(len(some)):
            assert some.stimulus_ids[i] == stimuli.stimulus_ids[-1 - i]
            np.testing.assert_array_equal(some.image(i), stimuli.image(len(stimuli) - 1 - i))


class TeacherCase(StimulusSetCase):
    """What every teacher must hold, its stimuli included; define `make_teacher`."""

    def make_teacher(self) -> Teacher:
        """Return the teacher under test, loaded anew each time."""
        raise NotImplementedError("define make_teacher")

    def make_stimuli(self) -> StimulusSet:
        """Return the teacher's stimuli."""
        return self.make_teacher().stimuli

    def test_responses_keep_the_contract(self) -> None:
        """Responses are a sound assembly without NaN, or RDMs were stored."""
        teacher = self.make_teacher()
        assert teacher.id
        assert teacher.regions
        if teacher.assembly is not None:
            check_assembly(teacher.assembly)
            assert np.isfinite(teacher.assembly.values).any(axis=0).all()
        else:
            assert teacher.stored_rdms is not None
            rdms = teacher.stored_rdms.values
            np.testing.assert_allclose(rdms, rdms.swapaxes(-1, -2))

    def test_responses_match_stimuli(self) -> None:
        """Every stimulus has a response, every response a stimulus."""
        teacher = self.make_teacher()
        if teacher.assembly is not None:
            shown = set(teacher.assembly["stimulus_id"].values)
            assert shown == set(teacher.stimuli.stimulus_ids)

    def test_teacher_is_fixed(self) -> None:
        """Loading twice gives the same responses."""
        assert self.make_teacher().content_hash() == self.make_teacher().content_hash()


class BackendCase:
    """What every RSA backend must hold against plain NumPy; define `make_backend`.

    `tolerance` is absolute, for similarities and for distances relative to the largest.
    """

    tolerance: ClassVar[float] = 1e-5

    def make_backend(self) -> Backend:
        """Return the backend under test."""
        raise NotImplementedError("define make_backend")

    def sides(self) -> tuple[list[npt.NDArray[Any]], list[npt.NDArray[Any]]]:
        """Return patterns of 30 stimuli: three regions, and two that resemble them."""
        rng = np.random.default_rng(0)
        common = rng.normal(size=(30, 6))
        a = [common @ rng.normal(size=(6, p)) + rng.normal(size=(30, p)) for p in (5, 40, 90)]
        b = [common @ rng.normal(size=(6, p)) + 100 + rng.normal(size=(30, p)) for p in (12, 70)]
        return a, b

    def test_rdms(self) -> None:
        """RDMs of the known distances equal their definitions."""
        backend, (patterns, _) = self.make_backend(), self.sides()
        for distance, f in itertools.product(set(backend.distances) & set(_DISTANCES), patterns):
            expected = _DISTANCES[distance](f)
            found = backend.rdm(f, distance)
            np.testing.assert_allclose(
                found, expected, atol=self.tolerance * expected.max(), err_msg=distance
            )

    def test_similarities(self) -> None:
        """Similarities of prepared sides equal those of the RDMs."""
        backend, (a, b) = self.make_backend(), self.sides()
        offered = itertools.product(
            set(backend.distances) & set(_DISTANCES), set(backend.comparisons) & set(_COMPARISONS)
        )
        for distance, comparison in offered:
            rdms = [[_DISTANCES[distance](f) for f in side] for side in (a, b)]
            expected = [[_COMPARISONS[comparison](x, y) for y in rdms[1]] for x in rdms[0]]
            sides = [backend.prepare(side, distance, comparison) for side in (a, b)]
            for found in (
                backend.similarity(sides[0], sides[1], comparison),
                backend.compare(np.array(rdms[0]), np.array(rdms[1]), comparison),
            ):
                what = f"{distance}, {comparison}"
                np.testing.assert_allclose(found, expected, atol=self.tolerance, err_msg=what)

    def test_offers(self) -> None:
        """It offers something, by names that are text."""
        backend = self.make_backend()
        assert backend.name
        assert all(isinstance(each, str) for each in (*backend.distances, *backend.comparisons))
        assert {"correlation"} <= set(backend.distances)
        assert {"pearson"} <= set(backend.comparisons)
