"""Numbers in names count as numbers, whatever their size; all else stays letter by letter."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neurosage.data.image_order import by_number, moved


@given(st.lists(st.integers(0, 10**30), unique=True))
def test_plain_numbers_are_sorted_as_numbers(values):
    """With one text around them, names sort as their numbers do."""
    names = [f"im_{value}.png" for value in values]
    assert by_number(names) == [f"im_{value}.png" for value in sorted(values)]


@given(st.lists(st.text("a1-0_.", max_size=8), unique=True))
def test_the_order_is_one_whatever_came_first(names):
    """Sorting again, or from the other end, changes nothing; nothing is lost."""
    assert by_number(by_number(names)) == by_number(names[::-1]) == by_number(names)
    assert sorted(by_number(names)) == sorted(names)


def test_padded_names_have_one_order():
    """Where digits are padded, nothing would change place."""
    assert moved([f"s{k:03}.png" for k in np.random.default_rng(0).permutation(120)]) == []
    assert len(moved([f"s{k}.png" for k in range(1, 13)])) == 11
