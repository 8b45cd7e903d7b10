"""What a user's mistake is answered with, before the network runs."""

from __future__ import annotations

import numpy as np
import pytest

from neurosage.errors import InputError
from neurosage.models.record import record
from neurosage.scoring.network import score


@pytest.mark.parametrize("given", ["assembly", "stimuli", None])
def test_a_teacher_is_needed(net, teacher, given) -> None:
    """Responses alone have no stimuli to show."""
    other = None if given is None else getattr(teacher, given)
    with pytest.raises(InputError, match=r"neurosage\.Teacher\(id, stimuli, assembly\), not"):
        score(net, other)


def test_layers_are_text(net, teacher) -> None:
    """Numbers are names in text."""
    with pytest.raises(InputError, match=r"names of layers are text: '1', not 1"):
        score(net, teacher, layers=[1])
    with pytest.raises(InputError, match=r"names of layers are text: '1', not 1"):
        record(net, teacher, layers=[1])
    with pytest.raises(InputError, match=r"layers is a list of names, not 1"):
        score(net, teacher, layers=1)


@pytest.mark.parametrize("wrong", ["10", 10.5, None, True, 0])
@pytest.mark.parametrize("name", ["units", "batch_size"])
def test_counts_are_whole_numbers(net, teacher, name, wrong) -> None:
    """Text and halves are none."""
    said = rf"{name} must be a whole number of 1 or more, not {wrong!r}"
    with pytest.raises(InputError, match=said):
        score(net, teacher, **{name: wrong})
    with pytest.raises(InputError, match=said):
        record(net, teacher, **{name: wrong})


def test_numbers_of_numpy_are_whole(net, teacher) -> None:
    """As those of Python."""
    assert record(net, teacher, units=np.int64(3)).shape == (40, 3 * 4)


def test_by_is_one_name(net, teacher) -> None:
    """A list of one name is none."""
    with pytest.raises(InputError, match=r"by is one name, such as 'object', not \['object'\]"):
        score(net, teacher, by=["object"])


def test_layers_below_0(net, teacher) -> None:
    """One full stop, and what a network can do about it."""
    positive = teacher.assembly.clip(min=0)
    rates = type(teacher)("rates", teacher.stimuli, positive)
    with pytest.raises(InputError, match=r"after its ReLU\.$") as caught:
        score(net, rates, layers=["1"], distance="poisson", interval=None, ceilings=False)
    assert ".." not in str(caught.value)
