"""Rules about neuroids: constant, dead, recorded twice, saturated, drifting; too few of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.findings.facts import ResponseFacts, stimulus_means
from neurosage.data.findings.finding import Finding, count, listed
from neurosage.data.findings.units import is_rate

FEW_SITES, TOO_FEW_SITES = 10, 3  # Pearson over 2 values is always -1 or 1
TWICE, EVENTS = 0.999, 10  # so many stimuli must differ from the others in both
MANY_TWICE = 0.1  # of a region: then it is the RDM that changes, not a detail
TOP_SHARE, TOP_VALUES = 0.05, 20  # fewer different values pile up at the top by themselves
SPARSE = 0.01
DRIFT, DRIFT_ERRORS, MANY_DRIFT = 0.3, 5.0, 0.2
LEAVE_OUT = (
    "leave them out of the file, or keep the others by select = { neuroid_id = […] } in the card"
)


@dataclass(frozen=True)
class Examined:
    """Responses, and what the rules need to judge them.

    Parameters
    ----------
    responses : xarray.DataArray
        An assembly.
    facts : ResponseFacts
        About it.
    normalise, kind : str
        The teacher's.
    """

    responses: xr.DataArray
    facts: ResponseFacts
    normalise: str = "none"
    kind: str = "recorded"

    @property
    def unit(self) -> str | None:
        """Unit of the responses, None where it is not said."""
        unit = self.responses.attrs.get("unit")
        return str(unit) if unit else None

    def named(self, chosen: Any) -> str:
        """Name the chosen neuroids."""
        return listed("neuroids", self.facts.neuroids["neuroid_id"].to_numpy()[np.asarray(chosen)])


def neuroid_findings(examined: Examined) -> Iterator[Finding]:
    """Yield what is found in the neuroids.

    Parameters
    ----------
    examined : Examined
        The responses.

    Yields
    ------
    Finding
        In no order.
    """
    yield from _infinite(examined)
    yield from _constant(examined)
    yield from _sparse(examined)
    yield from _saturated(examined)
    yield from _twice(examined)
    yield from _drifting(examined)
    yield from _few(examined)
    yield from _flat_patterns(examined)


def _infinite(examined: Examined) -> Iterator[Finding]:
    table = examined.facts.neuroids
    chosen = table["infinite"].to_numpy() > 0
    if chosen.any():
        yield Finding(
            "infinite",
            "error",
            examined.named(chosen),
            f"{int(table['infinite'].sum())} responses are infinite, so nothing can be computed.",
            "Look for a division by 0 where they were made; write NaN for what was not recorded.",
        )


def _constant(examined: Examined) -> Iterator[Finding]:
    table = examined.facts.neuroids
    flat = table["flat"].to_numpy()
    dead = flat & (table["low"] == 0) & (table["high"] == 0)
    serious = examined.normalise == "zscore"
    severity = "error" if serious else "note" if examined.kind == "network" else "warning"
    effect = (
        "cannot be z-scored, and every RDM is refused"
        if serious
        else "tell no stimuli apart, and count in every distance over neuroids"
    )
    for rule, chosen, words in (
        ("dead-neuroid", dead, "never responded (0 throughout)"),
        ("constant-neuroid", flat & ~dead, "gave the same mean response to every stimulus"),
    ):
        if chosen.any():
            yield Finding(
                rule,
                severity,  # type: ignore[arg-type]  # one of the three
                examined.named(chosen),
                f"{count(int(chosen.sum()), 'neuroids')} {words}: such neuroids {effect}.",
                f"If no channel was swapped or switched off, {LEAVE_OUT}.",
            )


def _sparse(examined: Examined) -> Iterator[Finding]:
    table = examined.facts.neuroids
    if not is_rate(examined.unit):
        return
    chosen = ((table["active"] < SPARSE) & (table["active"] > 0) & ~table["flat"]).to_numpy()
    if chosen.any():
        yield Finding(
            "sparse-neuroid",
            "warning",
            examined.named(chosen),
            f"They fired in fewer than {SPARSE:.0%} of presentations; z-scored, their few spikes "
            "weigh as much as another neuroid's whole tuning.",
            f"Select by reliability, or {LEAVE_OUT}.",
        )


def _saturated(examined: Examined) -> Iterator[Finding]:
    table = examined.facts.neuroids
    full = (table["at_top"] >= TOP_SHARE) & (table["distinct"] >= TOP_VALUES)
    chosen = (full & ~table["flat"]).to_numpy()
    if chosen.any():
        tops = pd.unique(table["high"][chosen])
        value = f"{tops[0]:g}" + (" and others" if len(tops) > 1 else "")
        yield Finding(
            "saturated-neuroid",
            "warning",
            examined.named(chosen),
            f"Their highest value ({value}) is that of {table['at_top'][chosen].max():.0%} of "
            "presentations at most: clipped by the amplifier, the digitiser or a limit of counts?",
            "Look at their histograms, and go back to data before the clipping, or leave them out.",
        )


def _twice(examined: Examined) -> Iterator[Finding]:
    pairs = _equal_pairs(examined)
    if not pairs:
        return
    table = examined.facts.neuroids
    ids, regions = table["neuroid_id"].to_numpy(), table["region"].to_numpy()
    second = sorted({b for _, b, _ in pairs})
    shares = [(regions[second] == name).mean() * len(second) / (regions == name).sum()
              for name in pd.unique(regions[second])]  # fmt: skip
    exact = sum(r >= 1 - 1e-12 for _, _, r in pairs)
    yield Finding(
        "neuroid-twice",
        "error" if max(shares) > MANY_TWICE else "warning",
        listed("pairs", [f"{ids[a]} = {ids[b]}" for a, b, _ in pairs]),
        f"Their mean responses correlate above {TWICE} over stimuli ({exact} of {len(pairs)} "
        "exactly): one cell or channel twice. It counts twice in every distance, and lifts the "
        "reliability over sites, where a copy falls into each half.",
        "Keep one of each pair; look for a file read twice, shared channels, or one unit sorted "
        "on two electrodes.",
    )


def _equal_pairs(examined: Examined) -> list[tuple[int, int, float]]:
    """Pairs of neuroids whose means over stimuli are equal but for scale and offset."""
    sketch = examined.facts.sketch
    lively = np.flatnonzero(sketch.any(1))
    if len(examined.facts.ids) < EVENTS or len(lively) < 2:
        return []
    found = []
    for start in range(0, len(lively), 512):
        rows = lively[start : start + 512]
        near = _distances(sketch[rows], sketch[lively]) < 6 * (1 - TWICE)
        left, right = np.nonzero(near)
        found += [(int(rows[a]), int(lively[b])) for a, b in zip(left, right, strict=True)]
    return _verified(examined, [(a, b) for a, b in found if a < b])


def _distances(x: Any, y: Any) -> Any:
    return (x * x).sum(1)[:, None] + (y * y).sum(1) - 2 * x @ y.T


def _verified(examined: Examined, pairs: list[tuple[int, int]]) -> list[tuple[int, int, float]]:
    kept = []
    for start in range(0, len(pairs), 256):
        some = pairs[start : start + 256]
        columns = sorted({place for pair in some for place in pair})
        means = stimulus_means(examined.responses, columns)
        for a, b in some:
            two = means[:, [columns.index(a), columns.index(b)]]
            two = two[np.isfinite(two).all(1)]
            # Two neuroids with a spike or two at the same stimuli are no copies.
            if min(map(_events, two.T)) >= EVENTS and (r := _pearson(two)) > TWICE:
                kept.append((a, b, r))
    return kept


def _events(means: Any) -> int:
    """How many stimuli have another response than the most frequent one."""
    return len(means) - int(np.unique(means, return_counts=True)[1].max(initial=0))


def _pearson(two: Any) -> float:
    correlations: Any = np.corrcoef(two.T)
    return float(correlations[0, 1])


def _drifting(examined: Examined) -> Iterator[Finding]:
    drift = examined.facts.neuroids["drift"].to_numpy()
    limit = max(DRIFT, DRIFT_ERRORS / np.sqrt(len(examined.facts.stimulus)))
    chosen = np.abs(drift) > limit
    if chosen.any():
        share = chosen.mean()
        yield Finding(
            "drift",
            "warning" if share > MANY_DRIFT else "note",
            examined.named(chosen),
            f"{count(int(chosen.sum()), 'neuroids')} of {len(drift)} changed over repetitions "
            f"(|r| with the repetition's number up to {np.nanmax(np.abs(drift)):.2f}): adaptation, "
            "or an electrode that moved. Drift counts as noise, and lowers reliability.",
            "If repetitions are numbered in time, plot these neuroids over it; leave out the part "
            "where the unit was lost, or take the trend off before averaging.",
        )


def _few(examined: Examined) -> Iterator[Finding]:
    regions = examined.facts.neuroids["region"]
    for name, number in regions.value_counts(sort=False).items():
        if number < TOO_FEW_SITES:
            message = (
                f"It has {count(number, 'neuroids')}; a correlation over so few has no meaning."
            )
        elif number < FEW_SITES:
            message = f"It has {number} neuroids: its RDM hangs on each of them."
        else:
            continue
        yield Finding(
            "few-sites",
            "error" if number < TOO_FEW_SITES else "warning",
            f"region {name}",
            message,
            "Pool it with a neighbouring region, leave it out, or use distance='euclidean'; the "
            "reliability over sites says how well these stand for the region.",
        )


def _flat_patterns(examined: Examined) -> Iterator[Finding]:
    if examined.normalise != "none":
        return
    sizes = examined.facts.neuroids["region"].value_counts()
    for name, flat in examined.facts.flat_patterns.items():
        if flat.any() and sizes[name] >= TOO_FEW_SITES:
            yield Finding(
                "flat-pattern",
                "error",
                f"region {name}, {listed('stimuli', examined.facts.ids[flat])}",
                "All its neuroids gave one and the same response, so these stimuli have no "
                "correlation distance, and the RDM is refused.",
                "Leave these stimuli out, or use distance='euclidean'; if responses are 0, look "
                "whether anything was recorded then.",
            )
