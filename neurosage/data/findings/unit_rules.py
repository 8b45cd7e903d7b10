"""Rules about units: negative rates, magnitudes that do not fit, rates that are not normalised."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from neurosage.data.findings.finding import Finding, listed
from neurosage.data.findings.neuroid_rules import Examined
from neurosage.data.findings.units import is_rate, spikes_per_second

FASTEST, SLOWEST = 500.0, 0.05  # spikes/s, of a site's mean and of the median site's
MEANS_MATTER = 0.25  # variance of mean rates, in that of responses over stimuli


def unit_findings(examined: Examined) -> Iterator[Finding]:
    """Yield what is found in the unit and the size of responses.

    Parameters
    ----------
    examined : Examined
        The responses.

    Yields
    ------
    Finding
        In no order; none for a network's, whose responses have no unit.
    """
    if examined.kind == "network":
        return
    yield from _missing(examined)
    yield from _negative(examined)
    yield from _magnitude(examined)
    yield from _fractions(examined)
    yield from _raw(examined)


def _missing(examined: Examined) -> Iterator[Finding]:
    if examined.unit is None:
        yield Finding(
            "unit",
            "note",
            "responses",
            "Their unit is not said, so it cannot be checked whether their size makes sense.",
            'Say it in the card, responses = { …, unit = "spikes / 100 ms" }, or in '
            'assembly.attrs["unit"].',
        )


def _negative(examined: Examined) -> Iterator[Finding]:
    low = examined.facts.neuroids["low"]
    if is_rate(examined.unit) and (low < 0).any():
        yield Finding(
            "negative-rate",
            "warning",
            examined.named(low < 0),
            f"The unit is {examined.unit!r}, but responses go down to {low.min():.3g}: they are no "
            "counts or rates any more; was a baseline taken off, or were they z-scored?",
            'Say in unit what was done, such as "spikes/s above baseline" or "z-scored"; if they '
            'are normalised, set normalise = "none".',
        )


def _magnitude(examined: Examined) -> Iterator[Finding]:
    table = examined.facts.neuroids
    factor = spikes_per_second(examined.unit)
    if factor is None or (table["low"] < 0).any():
        return
    rates = table["mean"].to_numpy() * factor
    if not np.isfinite(rates).any():
        return  # nobody answered
    fast = rates > FASTEST
    if fast.any():
        yield Finding(
            "too-fast",
            "warning",
            examined.named(fast),
            f"Mean responses of up to {np.nanmax(rates):,.0f} spikes/s, if {examined.unit!r} is "
            "right, are more than sites fire.",
            "Check the unit: are these spikes/s, called counts in a window, or another signal?",
        )
    elif np.nanmedian(rates) < SLOWEST:
        yield Finding(
            "too-slow",
            "warning",
            "responses",
            f"The median site fires {np.nanmedian(rates):.2g} spikes/s, if {examined.unit!r} is "
            "right: almost never.",
            "Check the unit (spikes/ms, or rates scaled to 1?) and the window of counting.",
        )


def _fractions(examined: Examined) -> Iterator[Finding]:
    factor = spikes_per_second(examined.unit)
    averaged = "repetitions" in examined.responses.attrs or examined.facts.shown.max() < 2
    counts = is_rate(examined.unit) and factor != 1.0
    fractional = ~examined.facts.neuroids["whole"].to_numpy(bool)
    if counts and not averaged and fractional.any():
        yield Finding(
            "fractional-count",
            "note",
            examined.named(fractional),
            f"Single trials in {examined.unit!r} should be whole numbers, but some are not: "
            "smoothed, scaled, or averaged already?",
            "Say in unit what was done; averaged responses make no repetitions.",
        )


def _raw(examined: Examined) -> Iterator[Finding]:
    table = examined.facts.neuroids
    unsigned = examined.unit is None and bool((table["low"] >= 0).all())
    if examined.normalise != "none" or not (is_rate(examined.unit) or unsigned):
        return
    shares = {str(name): _of_means(own) for name, own in table.groupby("region", sort=False)}
    concerned = [name for name, share in shares.items() if share > MEANS_MATTER]
    if concerned:
        yield Finding(
            "raw-rates",
            "warning",
            listed("regions", concerned),
            'Raw rates with normalise = "none": the neuroids\' mean rates vary up to '
            f"{max(shares.values()):.1f} times as much as their responses over stimuli, and "
            "dominate correlation distance (similarity to a network can even change its sign).",
            'Set normalise = "zscore" in the card, or pass normalise="zscore".',
        )


def _of_means(own: pd.DataFrame) -> float:
    tuning = float((own["spread"] ** 2).mean())
    return float(own["mean"].var(ddof=1)) / tuning if tuning > 0 and len(own) > 1 else 0.0
