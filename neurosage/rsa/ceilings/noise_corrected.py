"""Similarity divided by what the noise of a recording allows, its uncertainty propagated."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.errors import InputError, unknown
from neurosage.rsa.arguments import check_recording
from neurosage.rsa.backends.base import Floats, check_memory, check_stimulus_count
from neurosage.rsa.between_rdms import holds_rdms_only, shared_rows
from neurosage.rsa.distances.crossnobis import DISTANCE as CROSSNOBIS
from neurosage.rsa.distances.own_distances import side_distance
from neurosage.rsa.given import one_a_side, own_distance
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.drawing import drawn_groups, drawn_weights
from neurosage.rsa.reliability.neuroids import inflated_attrs
from neurosage.rsa.reliability.rdm_estimate import Estimate, Estimator, Settings, ranked
from neurosage.rsa.reliability.rdm_warnings import warnings_of, without_estimate
from neurosage.rsa.reliability.regions import provenance
from neurosage.rsa.resampling import check_sampling, percentile_interval, weighted_similarity
from neurosage.rsa.responses.missing import leave_out
from neurosage.rsa.responses.patterns import Patterns, Source, responses_of

logger = logging.getLogger(__name__)

FORMULAE: dict[str, Callable[[Floats, Floats], Floats]] = {
    "r/sqrt(c)": lambda r, c: r / np.sqrt(c),
    "r/c": lambda r, c: r / c,
    "r^2/c": lambda r, c: np.sign(r) * r * r / c,
}


def noise_corrected(
    a: Source,
    b: Source,
    kind: str = "trials",
    formula: str = "r/sqrt(c)",
    *,
    distance: str | None = None,
    comparison: str = "pearson",
    normalise: tuple[str | None, str | None] = (None, None),
    splits: int = 50,
    resamples: int = 1000,
    interval: float | None = 0.95,
    seed: int = 0,
    nan: str = "raise",
    precision: str = "none",
    by: str = "stimulus_id",
) -> xr.Dataset:
    """Compare the RDMs of two recordings, corrected for the noise of the second.

    At low rates it overshoots: there the reliability (``trials``) that it divides by is too
    low. A network whose true similarity is .81 comes out at .95 with 2.3 spikes/s and 8
    repetitions, correlation distance. With ``euclidean`` distance it is too low instead. The
    warnings say so; report the similarity as measured beside it. The interval is over stimuli
    and knows nothing of this: at c of .94 a perfect model comes out at .99, often just outside.

    Parameters
    ----------
    a : Teacher or xarray.DataArray
        What is compared and taken for free of noise, such as a network's recording, or RDMs.
    b : Teacher or xarray.DataArray
        Responses whose noise limits the similarity and is corrected for, such as a brain's;
        with single repetitions for ``trials``.
    kind : {"trials", "sites"}, default "trials"
        Of the RDM reliability c, as in `rdm_reliability`.
    formula : {"r/sqrt(c)", "r/c", "r^2/c"}, default "r/sqrt(c)"
        With r the similarity: relative to a noise-free RDM; relative to another such
        measurement; explained share of the explainable variance (it keeps the sign of r).
    distance, comparison, splits, resamples, interval, seed, nan, precision, by
        As in `rdm_reliability`. With ``crossnobis``, a side without repetitions has
        ``euclidean`` distance, which crossnobis estimates.
    normalise : tuple of two str or None
        Of `a` and `b`, as in `similarity`.

    Returns
    -------
    xarray.Dataset
        Dims ``region_a × region_b`` (a network's layers are its regions): ``corrected``, which
        may pass 1, with ``low`` and ``high`` (r and c resampled together), and ``similarity``;
        dim ``region_b``: ``reliability``, ``reliability_low``, ``reliability_high``,
        ``stimuli_used``, ``stimuli_left_out``, ``splits_taken``. r is of the stimuli that c
        is of, those used (of all, where there is no c). ``corrected`` is NaN where c, or the
        low end of its interval, is not above 0 or cannot be had; reasons by region of b in
        attribute ``not_estimable`` (JSON), in words in ``reason``, which is logged as
        ``warnings`` are. A resample with c of 0 or less counts as infinite, with the sign of
        r: where an end of the interval would be so, it is not estimable (NaN).

    Raises
    ------
    InputError
        If an argument is unknown, the stimuli differ, `b` holds RDMs only or lacks the
        repetitions that `a` has, or as `rdms`.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 30))
    >>> ids = [f"s{k}" for k in range(40)]
    >>> noisy = np.repeat(true, 4, 0) + 2 * rng.normal(size=(160, 30))
    >>> found = noise_corrected(assembly(true, stimulus_id=ids, region="model"),
    ...                         assembly(noisy, stimulus_id=np.repeat(ids, 4), region="V4"))
    >>> bool(found.similarity.item() < found.corrected.item())
    True
    """
    if formula not in FORMULAE:
        raise unknown("formula", formula, FORMULAE)
    check_recording(a, b)
    check_sampling(resamples=resamples, interval=interval)
    own_a, own_b = one_a_side(normalise)
    settings = Settings(
        kind, own_distance(distance, a), comparison, own_b, splits, seed, nan, precision
    ).checked()
    _check_sides(a, b, kind)
    estimator = Estimator(b, settings)
    patterns = estimator.patterns
    estimator.check_memory(resamples if interval else 0)
    many = resamples if interval else None
    weights = drawn_weights(b, by, patterns.stimulus_ids, many, seed)
    member = drawn_groups(b, by, patterns.stimulus_ids)
    estimates = {n: estimator.estimate(n, weights, member) for n in patterns.regions}
    made_a = _rdms_of_a(a, own_a, settings)
    made_b = _rdms_of_b(b, patterns, settings)
    how_drawn = {"comparison": comparison, "member": member}
    similar = _similarities(made_a, made_b, patterns, estimates, weights, **how_drawn)
    found = _table(similar, estimates, formula, interval, len(patterns.stimulus_ids))
    notes = warnings_of(b, settings, estimates, len(patterns.stimulus_ids))
    said = without_estimate(settings, json.loads(found.attrs["not_estimable"]))
    for note in [*notes, *filter(None, [said])]:
        logger.warning(note)
    how = {"resamples": resamples, "interval": interval} if interval else {}
    made = {**provenance(settings, patterns, estimates, by), **how}
    return found.assign_coords(
        region_a=made_a["region"].values, region_b=made_b["region"].values
    ).assign_attrs(
        **(made | {"formula": formula, "reliability_formula": made["formula"]}),
        distance_a=str(made_a.attrs.get("distance", settings.distance)),
        normalise_a=str(made_a.attrs.get("normalise", "unknown")),
        normalise_b=patterns.normalise,
        reason=said,
        warnings=json.dumps(notes),
        **inflated_attrs(b),
    )


def _rdms_of_a(a: Source, normalise: str | None, settings: Settings) -> xr.DataArray:
    distance = side_distance(a, settings.distance)
    weighed = settings.precision if distance == CROSSNOBIS and not holds_rdms_only(a) else "none"
    return rdms(a, distance, normalise=normalise, nan=settings.nan, precision=weighed)


def _rdms_of_b(b: Source, patterns: Patterns, settings: Settings) -> xr.DataArray:
    """Return RDMs of the neuroids and stimuli that the reliability is of."""
    kept = leave_out(responses_of(b), patterns.dropped)
    how: dict[str, Any] = {"nan": settings.nan, "precision": settings.precision}
    made = rdms(kept, settings.distance, normalise=patterns.normalise, **how)
    dropped = json.loads(made.attrs.get("dropped", "{}"))
    for name, lost in patterns.dropped.items():
        dropped[name] = [*dropped.get(name, []), *map(str, lost)]
    return made.assign_attrs(dropped=json.dumps(dropped))


def _check_sides(a: Source, b: Source, kind: str) -> None:
    """Refuse sides that look swapped, or a second side that cannot be reliable or not."""
    side = "b is the side whose noise is corrected for, such as a brain's recording"
    if holds_rdms_only(b):
        swapped = "" if holds_rdms_only(a) else ", with these RDMs as a"
        raise InputError(
            f"{side}, but b holds RDMs only, so its reliability cannot be estimated: give "
            f"responses as b{swapped}, as in noise_corrected(network, recording)."
        )
    if kind == "trials" and _is_repeated(a) and not _is_repeated(b):
        raise InputError(
            f"{side}, but b has no repetitions and a has: if the sides are swapped, call "
            "noise_corrected(network, recording); kind='sites' needs no repetitions."
        )


def _is_repeated(source: Source) -> bool:
    if holds_rdms_only(source):
        return False
    ids = responses_of(source)["stimulus_id"].values
    return len(set(ids)) < len(ids)


def _similarities(
    made_a: xr.DataArray,
    made_b: xr.DataArray,
    patterns: Patterns,
    estimates: dict[str, Estimate],
    weights: Floats,
    *,
    comparison: str,
    member: Any,
) -> Floats:
    """Return similarities over the stimuli of each estimate, shape (regions a, b, 1 + B)."""
    *rows, _ = shared_rows(made_a, made_b)
    n = len(rows[1])
    check_stimulus_count(n)
    check_memory(8 * 8 * n * n, f"RDMs of {n} stimuli", "Take fewer stimuli with select.")
    names = made_b["stimulus_id_i"].values[rows[1]]
    places = pd.Index(patterns.stimulus_ids).get_indexer(names)
    every = np.vstack([np.ones((1, weights.shape[1])), weights])[:, places]
    groups = None if member is None else member[places]
    form = "pearson" if comparison == "spearman" else comparison
    similar = np.empty((len(made_a), len(made_b), len(every)))
    sides: dict[bytes, list[Floats]] = {}
    for column, each in enumerate(estimates.values()):
        kept = np.full(n, True) if each.reason else np.isin(places, each.used)
        taken, key = [own[kept] for own in rows], kept.tobytes()
        if key not in sides:  # most regions have the same stimuli; keep the last's only
            sides = {key: [_pairs(square, taken[0], comparison) for square in made_a.values]}
        y = _pairs(made_b.values[column], taken[1], comparison)
        for row, x in enumerate(sides[key]):
            own = None if groups is None else groups[kept]
            similar[row, column] = weighted_similarity(x, y, every[:, kept], form, own)
    return similar


def _pairs(square: Floats, rows: Any, comparison: str) -> Floats:
    return ranked(square[np.ix_(rows, rows)], comparison)


def _table(
    similar: Floats,
    estimates: dict[str, Estimate],
    formula: str,
    interval: float | None,
    count: int,
) -> xr.Dataset:
    corrected, low, high = (np.full(similar.shape[:2], np.nan) for _ in range(3))
    found = list(estimates.values())
    ends = [_ends(each.resampled, interval) for each in found]
    reasons = {}
    for column, (name, each, end) in enumerate(zip(estimates, found, ends, strict=True)):
        if reason := each.reason or _not_above_zero(each.point, end[0], interval):
            reasons[name] = reason
            continue
        for row, r in enumerate(similar[:, column]):
            corrected[row, column] = FORMULAE[formula](r[:1], np.array([each.point]))[0]
            resampled = _resampled(r[1:], each.resampled, formula)
            low[row, column], high[row, column] = _ends(resampled, interval)
    both = ("region_a", "region_b")
    return xr.Dataset(
        {
            "corrected": (both, corrected),
            "low": (both, low),
            "high": (both, high),
            "similarity": (both, similar[:, :, 0]),
            "reliability": ("region_b", [each.point for each in found]),
            "reliability_low": ("region_b", [end[0] for end in ends]),
            "reliability_high": ("region_b", [end[1] for end in ends]),
            "stimuli_used": ("region_b", [each.stimuli for each in found]),
            "stimuli_left_out": ("region_b", [count - each.stimuli for each in found]),
            "splits_taken": ("region_b", [each.splits for each in found]),
        },
        attrs={"not_estimable": json.dumps(reasons)},
    )


def _not_above_zero(point: float, low: float, interval: float | None) -> str:
    if not point > 0:
        return f"RDM reliability is {point:.3f}, not above 0"
    if interval is None or low > 0:
        return ""
    if np.isnan(low):
        return f"more than one in ten resamples lack an RDM reliability: no {interval:.0%} interval"
    return f"the {interval:.0%} interval of RDM reliability reaches {low:.3g}, not above 0"


def _resampled(r: Floats, c: Floats, formula: str) -> Floats:
    """Return the ratio in every resample; infinite with r's sign where c is not above 0.

    Few are: the interval of c stays above 0. Leaving them out would cut the long tail.
    """
    above = c > 0
    ratio = np.full(len(r), np.nan)
    ratio[above] = FORMULAE[formula](r[above], c[above])
    below = ~above & ~np.isnan(c) & ~np.isnan(r)
    ratio[below] = np.copysign(np.inf, r[below])
    return ratio


def _ends(resampled: Floats, interval: float | None) -> tuple[float, float]:
    """Return the ends of an interval, NaN where there is none or an end is infinite."""
    if interval is None:
        return float("nan"), float("nan")
    with np.errstate(invalid="ignore"):
        low, high = percentile_interval(resampled, interval)
    return low if np.isfinite(low) else float("nan"), high if np.isfinite(high) else float("nan")
