"""Choices, and the architectures they make."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosage.errors import InputError
from neurosage.nas.graph import Graph
from neurosage.nas.space import (
    Choice,
    Observation,
    assign,
    check_architecture,
    draw,
    seen_keys,
    to_json,
)
from neurosage.nas.spaces.convnet import convnet_5


@dataclass(frozen=True)
class Ladder:
    """One choice that hides another that hides a third."""

    name: str = "ladder"
    choices: tuple[Choice, ...] = (
        Choice("first", (0, 1, 2), "number"),
        Choice("second", (False, True), "switch", 1, requires=("first", (1, 2))),
        Choice("third", ("a", "b"), "letter", 2, requires=("second", (True,))),
    )

    def graph(self, architecture):
        edge = (0, 1, str(architecture["first"]))
        return Graph(("", ""), (edge,), (0,), (1,))


def pick_last(choice):
    return choice.options[-1]


def test_assign_decides_exactly_what_exists():
    """A choice is decided if and only if what it requires was chosen, at any depth."""
    assert assign(Ladder(), pick_last) == {"first": 2, "second": True, "third": "b"}
    assert assign(Ladder(), pick_last, {"first": 0}) == {"first": 0}
    assert assign(Ladder(), pick_last, {"second": False}) == {"first": 2, "second": False}


def test_assign_mends_a_changed_architecture():
    """Fixed decisions on choices that no longer exist are dropped, the rest kept."""
    whole = assign(Ladder(), pick_last)
    assert assign(Ladder(), pick_last, {**whole, "first": 0}) == {"first": 0}
    changed = {**whole, "third": "a"}
    assert assign(Ladder(), pick_last, changed) == changed


def test_assign_asks_in_order_and_only_for_what_is_free():
    """`pick` sees the choices that exist and are not fixed, in the space's order."""
    asked = []

    def pick(choice):
        asked.append(choice.name)
        return choice.options[-1]

    assign(Ladder(), pick, {"second": True})
    assert asked == ["first", "third"]


def test_assign_refuses_a_wrong_option():
    """An option that is none of the choice's is named, with the choices."""
    with pytest.raises(InputError, match=r"option of first 7.* Choices: 0, 1, 2"):
        assign(Ladder(), lambda choice: 7)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"first": 1}, r"leaves \['second'\] of ladder undecided"),
        ({"first": 0, "second": True}, r"choices \['second'\] do not exist"),
        ({"first": 0, "frist": 1}, r"unknown choice of ladder 'frist'; did you mean 'first'"),
        ({"first": 3}, r"unknown option of first 3"),
        ({"first": True, "second": False}, r"unknown option of first True"),
        ({"first": 1, "second": 1, "third": "a"}, r"unknown option of second 1"),
        ({}, r"leaves \['first'\]"),
    ],
    ids=["missing", "extra", "misspelt", "option", "bool-for-int", "int-for-bool", "empty"],
)
def test_check_refuses(architecture, message):
    """What is not exactly one assignment is refused, and the message says which choice."""
    with pytest.raises(InputError, match=message):
        check_architecture(Ladder(), architecture)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_draws_are_architectures(seed):
    """A draw passes the check, comes back from JSON, and is fixed by its seed."""
    space = convnet_5()
    architecture = draw(space, np.random.default_rng(seed))
    assert check_architecture(space, json.loads(to_json(architecture))) == architecture
    assert draw(space, np.random.default_rng(seed)) == architecture


def test_draws_are_uniform():
    """Each option of an unconditional choice comes equally often."""
    rng = np.random.default_rng(0)
    counts = np.bincount([draw(Ladder(), rng)["first"] for _ in range(3000)])
    np.testing.assert_allclose(counts, 1000, atol=100)


def test_json_does_not_depend_on_order():
    """One architecture has one line, whatever the order of its keys."""
    assert to_json({"b": 1, "a": 2}) == to_json({"a": 2, "b": 1})


def test_seen_keys_hold_all_candidates():
    """Finished, failed and running candidates all count as seen."""
    space = Ladder()
    history = [Observation({"first": 0}, "finished", 1.0), Observation({"first": 0}, "bad", None)]
    keys = seen_keys(space, history, [{"first": 0}])
    assert keys == {"finished", "bad", space.graph({"first": 0}).key()}
