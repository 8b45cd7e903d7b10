"""What a unit of responses says: spike counts and rates, or something else."""

from __future__ import annotations

import re

SPIKES = re.compile(r"\b(spikes?|spks?|sp|impulses?|imp|events?|counts?)\b", re.IGNORECASE)
HERTZ = re.compile(r"\b(hz|hertz)\b", re.IGNORECASE)
CHANGED = re.compile(  # no longer a rate, and free to be negative
    r"z[- ]?scor|normali[sz]|baseline|evoked|\bz\b|%|\bper\s?cent|\blog|sqrt|\bdb\b|Δ|delta",
    re.IGNORECASE,
)
WINDOW = re.compile(
    r"(?:/|\bper\b|\bin\b|⋅|·|\*)\s*(?P<number>\d+(?:\.\d+)?)?\s*"
    r"(?P<time>ms|msec|milliseconds?|s|sec|seconds?|bin)\b",
    re.IGNORECASE,
)
INVERSE = re.compile(r"\b(?:s|sec)\s*(?:\^?-1|⁻¹)", re.IGNORECASE)


def is_rate(unit: str | None) -> bool:
    """Tell whether a unit is that of spike counts or rates, which are never negative.

    Parameters
    ----------
    unit : str or None
        As the card gives it.

    Returns
    -------
    bool
        False where unknown, and for rates that were normalised or had a baseline taken off.

    Examples
    --------
    >>> is_rate("spikes / 100 ms"), is_rate("Hz"), is_rate("z-scored spikes/s"), is_rate(None)
    (True, True, False, False)
    """
    if not unit or CHANGED.search(unit):
        return False
    return bool(SPIKES.search(unit) or HERTZ.search(unit))


def spikes_per_second(unit: str | None) -> float | None:
    """Return what turns values of this unit into spikes per second.

    Parameters
    ----------
    unit : str or None
        As the card gives it.

    Returns
    -------
    float or None
        None where the unit is no rate, or does not say in what time spikes are counted.

    Examples
    --------
    >>> spikes_per_second("spikes / 100 ms"), spikes_per_second("sp/s"), spikes_per_second("counts")
    (10.0, 1.0, None)
    """
    if not is_rate(unit):
        return None
    assert unit is not None  # held by is_rate
    if HERTZ.search(unit) or INVERSE.search(unit):
        return 1.0
    found = WINDOW.search(unit)
    if found is None or found["time"].lower() == "bin":
        return None
    seconds = float(found["number"] or 1) * (1e-3 if found["time"].lower().startswith("m") else 1)
    return 1.0 / seconds if seconds else None
