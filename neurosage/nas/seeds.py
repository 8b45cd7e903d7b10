"""Where randomness comes from: one seed per candidate and purpose, derived, never drawn."""

from __future__ import annotations

import numpy as np

from neurosage.errors import unknown

STREAMS = ("propose", "initialise", "order", "units")


def derive_seed(search_seed: int, candidate: int, stream: str) -> int:
    """Derive the seed of one candidate for one purpose.

    A retry of a candidate asks for the same seed and so repeats it exactly.

    Parameters
    ----------
    search_seed : int
        The seed of the search, at least 0.
    candidate : int
        The candidate's number k in the search, from 0.
    stream : {"propose", "initialise", "order", "units"}
        What the seed is for.

    Returns
    -------
    int
        In [0, 2**32), independent over candidates and streams.

    Raises
    ------
    InputError
        If the stream is none of these.

    Examples
    --------
    >>> derive_seed(0, 3, "order") == derive_seed(0, 3, "order")
    True
    >>> derive_seed(0, 3, "order") == derive_seed(0, 4, "order")
    False
    """
    if stream not in STREAMS:
        raise unknown("seed stream", stream, STREAMS)
    sequence = np.random.SeedSequence(search_seed, spawn_key=(candidate, STREAMS.index(stream)))
    return int(sequence.generate_state(1)[0])
