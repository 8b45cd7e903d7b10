"""Counting spikes in windows after stimulus onset."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosage.data.spikes import check_windows, count_relative, count_spikes
from neurosage.errors import InputError

TIMES = st.lists(st.integers(0, 2000), max_size=40)  # ms, so that edges are hit


@given(
    spikes=st.lists(TIMES, min_size=1, max_size=4),
    onsets=st.lists(st.integers(0, 1500), max_size=6),
    start=st.integers(-100, 200),
    length=st.integers(1, 300),
)
def test_counts_are_those_of_a_loop(spikes, onsets, start, length):
    """Counts in any order of spikes are those of counting one by one; the end is excluded."""
    window = (start, start + length)
    counts = count_spikes([np.array(s) / 1000 for s in spikes], np.array(onsets) / 1000, [window])
    inside = [
        [
            sum(o / 1000 + window[0] / 1000 <= t / 1000 < o / 1000 + window[1] / 1000 for t in s)
            for s in spikes
        ]
        for o in onsets
    ]
    np.testing.assert_array_equal(counts[..., 0], np.array(inside).reshape(counts.shape[:2]))


@given(spikes=TIMES, edges=st.lists(st.integers(-50, 400), min_size=3, max_size=6, unique=True))
def test_adjacent_windows_share_no_spike(spikes, edges):
    """Windows that touch count each spike once: their sum is the window around them."""
    edges, onsets = sorted(edges), [0.1, 0.5, 0.7]
    parts = count_spikes([np.array(spikes) / 1000], onsets, list(itertools.pairwise(edges)))
    whole = count_spikes([np.array(spikes) / 1000], onsets, [(edges[0], edges[-1])])
    np.testing.assert_array_equal(parts.sum(axis=2), whole[..., 0])


def test_overlapping_presentations_both_count():
    """A spike within the windows of two presentations is counted for both."""
    counts = count_spikes([[0.15]], [0.0, 0.05, 0.2])
    assert counts[:, 0, 0].tolist() == [1, 1, 0]


def test_windows_past_what_was_observed_are_nan():
    """A window not wholly observed is NaN; intervals that touch are one."""
    observed = [[[0.0, 1.0], [1.0, 2.0]], [[5.0, 6.0]], []]
    counts = count_spikes([[0.1, 1.02], [5.1], [0.1]], [0.0, 0.9, 1.95], observed=observed)[..., 0]
    np.testing.assert_array_equal(
        counts, [[1, np.nan, np.nan], [1, np.nan, np.nan], [np.nan, np.nan, np.nan]]
    )


def test_a_window_that_ends_past_what_was_observed_is_nan():
    """Both ends of the window must lie within one interval."""
    counts = count_spikes([[0.98]] * 2, [0.9], observed=[[[0.0, 1.0]], [[0.0, 1.07]]])
    np.testing.assert_array_equal(counts[0, :, 0], [np.nan, 1])
    early = count_spikes([[0.98]], [0.9], observed=[[[0.98, 2.0]]])
    assert np.isnan(early).all()


def test_nan_is_padding():
    """Spike times padded with NaN to one length count as if they were not."""
    padded = np.array([[0.1, np.nan, np.nan], [0.16, 0.08, 0.1]])
    assert count_spikes(padded, [0.0])[0, :, 0].tolist() == [1, 3]


def test_relative_times_agree_with_the_clock():
    """Times relative to onset, in s or ms, give the counts of times on the clock."""
    rng = np.random.default_rng(0)
    spikes, onsets = np.sort(rng.uniform(0, 10, 500)), np.arange(0, 9, 0.5)
    cells = np.empty(len(onsets), object)
    cells[:] = [list(spikes - onset) for onset in onsets]
    want = count_spikes([spikes], onsets)[:, 0]
    np.testing.assert_array_equal(count_relative(cells, [(70, 170)], unit="s"), want)
    cells[:] = [list(1000 * (spikes - onset)) for onset in onsets]
    np.testing.assert_array_equal(count_relative(cells, [(70, 170)], unit="ms"), want)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: count_spikes([[0.1]], [np.nan, 0.0]), "1 of 2 onsets are not finite .first: pres"),
        (lambda: count_spikes([[0.1]], [[0.0]]), "give one number a presentation"),
        (lambda: count_spikes([[[0.1]]], [0.0]), "spike times of neuroid 0 have shape"),
        (lambda: count_spikes([[0.1]], [0.0], observed=[[], []]), "observed intervals are given"),
        (lambda: count_spikes([[0.1]], [0.0], observed=[[[1, 0]]]), "with start <= end"),
        (lambda: check_windows([(170, 70)]), "start < end must hold"),
        (lambda: check_windows([(0, np.nan)]), "start < end must hold"),
        (lambda: check_windows((70, 170)), "are .start, end. pairs in ms"),
        (lambda: check_windows([("a", "b")]), "are .start, end. pairs in ms"),
        (lambda: count_relative(np.empty(0, object), [(0, 1)], unit="min"), "is 's' or 'ms'"),
    ],
    ids=str,
)
def test_what_cannot_be_counted_is_named(call, message):
    """Each wrong value is one sentence with the rule."""
    with pytest.raises(InputError, match=message):
        call()
