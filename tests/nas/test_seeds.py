"""Seeds are derived, repeatable and apart."""

from __future__ import annotations

import pytest

from neurosage.errors import InputError
from neurosage.nas.seeds import STREAMS, derive_seed


def test_candidates_and_streams_have_seeds_of_their_own() -> None:
    """No two of 3 searches × 100 candidates × all streams share one."""
    seeds = {derive_seed(s, k, each) for s in range(3) for k in range(100) for each in STREAMS}
    assert len(seeds) == 3 * 100 * len(STREAMS)


def test_seeds_stay_what_they_are() -> None:
    """Runs of earlier versions can be repeated: the derivation is part of the contract."""
    assert [derive_seed(7, 3, each) for each in STREAMS] == [
        2234724314,
        3976707960,
        4014525388,
        1226050200,
    ]


def test_an_unknown_stream_is_refused() -> None:
    """With the streams that there are."""
    with pytest.raises(InputError, match="did you mean 'order'"):
        derive_seed(0, 0, "orders")
