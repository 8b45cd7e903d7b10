"""The shipped cases: what is ours passes them, what breaks a contract does not."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from neurosage.data.assembly import assembly
from neurosage.data.registry import load_stimuli, load_teacher
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.nas.explorers.random import RandomExplorer
from neurosage.nas.explorers.tpe import TPEExplorer
from neurosage.nas.graph import Graph
from neurosage.nas.space import draw
from neurosage.nas.spaces.convnet import ConvNetSpace, convnet_5, convnet_10, convnet_20
from neurosage.rsa.backends.base import get_backend
from neurosage.rsa.backends.torch import TorchBackend
from neurosage.testing import (
    BackendCase,
    ExplorerCase,
    SpaceCase,
    StimulusSetCase,
    TeacherCase,
)


class TestConvnet5(SpaceCase):
    def make_space(self):
        return convnet_5((4, 8))


class TestConvnet10(SpaceCase):
    image = (1, 9, 14)
    samples = 5

    def make_space(self):
        return convnet_10((4, 8, 16))


class TestConvnet20(SpaceCase):
    samples = 2

    def make_space(self):
        return convnet_20((2, 4))


class TestRandom(ExplorerCase):
    def make_explorer(self):
        return RandomExplorer()


class TestTPE(ExplorerCase):
    proposals = 26

    def make_explorer(self):
        return TPEExplorer(random_starts=10)


class TestDigits(StimulusSetCase):
    def make_stimuli(self):
        return load_stimuli("digits")


class TestSimulatedMacaque(TeacherCase):
    def make_teacher(self):
        return load_teacher("simulated-macaque")


def made_teacher():
    """Five stimuli of noise and a region of four neuroids, two repetitions."""
    rng = np.random.default_rng(0)
    ids = [f"image-{i}" for i in range(5)]
    images = rng.integers(0, 255, (5, 6, 8, 3), dtype=np.uint8)
    stimuli = StimulusSet("noise", pd.DataFrame({"stimulus_id": ids}), images)
    values = rng.normal(size=(10, 4))
    return Teacher("made", stimuli, assembly(values, stimulus_id=ids * 2, region="IT"))


class TestMadeTeacher(TeacherCase):
    def make_teacher(self):
        return made_teacher()


@pytest.mark.realdata
class TestMacaqueV4(TeacherCase):
    @pytest.fixture(autouse=True)
    def _needs_mirror(self, mirror):
        pass

    def make_teacher(self):
        return load_teacher("macaque-v4/210325")


class TestTorch(BackendCase):
    def make_backend(self):
        return TorchBackend(dtype="float32")


class TestTorchDouble(BackendCase):
    tolerance = 1e-11

    def make_backend(self):
        return TorchBackend(dtype="float64")


class TestRsatoolbox(BackendCase):
    tolerance = 1e-11

    def make_backend(self):
        return get_backend("rsatoolbox")


def broken_space(**changes):
    """A space case whose convnet-5 has some of its methods replaced."""
    kind = type("Broken", (ConvNetSpace,), changes)

    class Case(SpaceCase):
        samples: ClassVar[int] = 4

        def make_space(self):
            return kind("broken", 3, (4, 8))

    return Case()


def reordered(self):
    return tuple(reversed(convnet_5((4, 8)).choices))


def doubled(self):
    choices = convnet_5((4, 8)).choices
    return (*choices, choices[-1])


def unlike(self):
    choices = convnet_5((4, 8)).choices
    return (*choices, replace(choices[1], name="other", options=(8, 4), step=5))


class Wasteful(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Conv2d(3, 4, 1)
        self.unused = nn.Conv2d(3, 4, 1)
        self.classifier = nn.Linear(4, 7)

    def forward(self, images):
        return self.classifier(self.layer1(images).mean((2, 3)))


def unseeded(self, architecture, **kwargs):
    module = ConvNetSpace.build(self, architecture, **kwargs)
    with torch.no_grad():
        next(module.parameters()).add_(random.random())
    return module


def two_faced(self, architecture, **kwargs):
    filters = 4 if torch.get_default_device().type == "meta" else 8
    return ConvNetSpace.build(self, {**architecture, "layer1.filters": filters}, **kwargs)


@pytest.mark.parametrize(
    ("law", "changes"),
    [
        ("choices_are_sound", {"choices": property(reordered)}),
        ("choices_are_sound", {"choices": property(doubled)}),
        ("kinds_share_options", {"choices": property(unlike)}),
        ("networks_answer", {"build": lambda *_, **__: nn.Flatten()}),
        ("networks_train", {"build": lambda *_, **__: Wasteful()}),
        ("networks_are_seeded", {"build": unseeded}),
        (
            "layers_are_recorded_once_in_order",
            {"layers": lambda self, a: (*ConvNetSpace.layers(self, a), "layer1")},
        ),
        (
            "networks_are_counted_unbuilt",
            {"build": two_faced},
        ),
        (
            "equal_keys_have_equal_cost",
            {"graph": lambda *_: Graph(("", ""), ((0, 1, "net"),), (0,), (1,))},
        ),
    ],
    ids=["order", "twice", "kinds", "shape", "unused", "seed", "layers", "cost", "key"],
)
def test_broken_spaces_fail(law, changes):
    """Each law of spaces catches what breaks it."""
    with pytest.raises(AssertionError):
        getattr(broken_space(**changes), f"test_{law}")()


@pytest.mark.parametrize("case", [TestConvnet5, TestConvnet10, TestConvnet20])
def test_equal_keys_are_found(case):
    """The law of equal keys is held to different architectures, not to none."""
    found = list(case().twins())
    assert len(found) >= 3
    assert all(architecture != other for _, architecture, other in found)


class Stateful:
    """Proposes by a counter of its own, and so is not a function of its arguments."""

    def __init__(self):
        self.calls = 0

    def propose(self, space, history, pending, seed):
        self.calls += 1
        return draw(space, np.random.default_rng(self.calls))


class Stubborn:
    """Always proposes the same."""

    def propose(self, space, history, pending, seed):
        return draw(space, np.random.default_rng(0))


class Greedy:
    """Changes the history that it is given, and needs a score."""

    def propose(self, space, history, pending, seed):
        if pending:
            pending.clear()
        if history:
            max(past.score for past in history if past.score is not None)
        return draw(space, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("law", "make", "error"),
    [
        ("proposals_are_pure", Stateful, AssertionError),
        ("proposals_are_sound_and_seldom_repeat", Stubborn, AssertionError),
        ("seed_decides", Stubborn, AssertionError),
        ("running_candidates_differ", Stubborn, AssertionError),
        ("arguments_are_left_alone", Greedy, AssertionError),
        ("failures_are_survived", Greedy, ValueError),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_broken_explorers_fail(law, make, error):
    """Each law of explorers catches what breaks it."""

    class Case(ExplorerCase):
        def make_explorer(self):
            return make()

    with pytest.raises(error):
        getattr(Case(), f"test_{law}")()


def broken_backend(breaks):
    """A case whose backend has some of its methods replaced."""

    class Case(BackendCase):
        def make_backend(self):
            backend = TorchBackend(dtype="float64")
            breaks(backend)
            return backend

    return Case()


def scaled(backend):
    """Distances are off by a percent."""
    right = backend.rdm
    backend.rdm = lambda patterns, distance: 1.01 * right(patterns, distance)


def shifted(backend):
    """Similarities are off by a constant."""
    right = backend.similarity

    def similarity(a, b, comparison):
        found = right(a, b, comparison)
        return replace(found, values=found.values + 1e-3)

    backend.similarity = similarity


def certain(backend):
    """What is undefined becomes 0."""
    right = backend.similarity

    def similarity(a, b, comparison):
        found = right(a, b, comparison)
        return replace(found, values=np.nan_to_num(found.values))

    backend.similarity = similarity


def hungry(backend):
    """Single columns of the patterns are read."""
    right = backend.prepare

    def prepare(patterns, distance, comparison):
        return right([f[:, :-1] if f[:, 0] is None else f for f in patterns], distance, comparison)

    backend.prepare = prepare


@pytest.mark.parametrize(
    ("law", "breaks", "error"),
    [
        ("rdms", scaled, AssertionError),
        ("similarities", shifted, AssertionError),
        ("representations", shifted, AssertionError),
        ("undefined_is_nan", certain, AssertionError),
        ("patterns_are_read_by_rows", hungry, TypeError),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_wrong_backends_fail(law, breaks, error):
    """Each law of backends catches what breaks it."""
    with pytest.raises(error):
        getattr(broken_backend(breaks), f"test_{law}")()


def test_changing_teachers_fail():
    """A teacher that is another on every loading does not pass."""

    class Case(TeacherCase):
        def make_teacher(self):
            teacher = made_teacher()
            noise = np.random.default_rng().normal(size=teacher.assembly.shape)
            return replace(teacher, assembly=teacher.assembly + noise)

    with pytest.raises(AssertionError):
        Case().test_teacher_is_fixed()


def gapped(rows):
    """A teacher case whose responses of some presentations are missing."""
    teacher = made_teacher()
    values = teacher.assembly.copy(deep=True)
    values.values[rows, 1] = np.nan

    class Case(TeacherCase):
        def make_teacher(self):
            return replace(teacher, assembly=values)

    return Case()


def test_teachers_without_an_answer_fail():
    """A stimulus that a neuroid never answered does not pass, a missing repetition does."""
    gapped([2]).test_responses_keep_the_contract()
    for rows in ([2, 7], slice(None)):
        with pytest.raises(AssertionError, match=r"image-"):
            gapped(rows).test_responses_keep_the_contract()
