"""Similarity divided by what the noise of a recording allows, its uncertainty propagated."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import xarray as xr

from neurosage import __version__
from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats, check_memory, check_stimulus_count
from neurosage.rsa.between_rdms import holds_rdms_only, shared_rows
from neurosage.rsa.crossnobis import plain_or_crossnobis
from neurosage.rsa.patterns import Source
from neurosage.rsa.rdm import rdms
from neurosage.rsa.reliability.rdm_estimate import Estimate, Estimator, Settings, ranked
from neurosage.rsa.reliability.regions import RDMS_ONLY, warnings_of
from neurosage.rsa.resampling import (
    check_interval,
    multiplicities,
    percentile_interval,
    weighted_similarity,
)

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
    distance: str = "correlation",
    comparison: str = "pearson",
    normalise: tuple[str | None, str | None] = (None, None),
    splits: int = 50,
    resamples: int = 1000,
    interval: float = 0.95,
    seed: int = 0,
    nan: str = "raise",
) -> xr.Dataset:
    """Compare the RDMs of two recordings, corrected for the noise of the second.

    Parameters
    ----------
    a : Teacher or xarray.DataArray
        What is compared, such as a network's recording, or RDMs.
    b : Teacher or xarray.DataArray
        Responses whose noise limits the similarity, such as a brain's.
    kind : {"trials", "sites"}
        Of the RDM reliability c, as in `rdm_reliability`.
    formula : {"r/sqrt(c)", "r/c", "r^2/c"}
        With r the similarity: relative to a noise-free RDM; relative to another such
        measurement; explained share of the explainable variance (it keeps the sign of r).
    distance, comparison, splits, resamples, interval, seed, nan
        As in `rdm_reliability`. With ``crossnobis``, a side without repetitions has
        ``euclidean`` distance, which crossnobis estimates.
    normalise : tuple of two str or None
        Of `a` and `b`, as in `similarity`.

    Returns
    -------
    xarray.Dataset
        Dims ``region_a × region_b``: ``corrected`` with ``low`` and ``high`` (r and c
        resampled together over stimuli), and ``similarity``; dim ``region_b``:
        ``reliability``, ``reliability_low``, ``reliability_high``. It may pass 1. NaN where c,
        or its interval, reaches 0 or cannot be had; reasons by region of b in attribute
        ``not_estimable`` (JSON).

    Raises
    ------
    InputError
        If an argument is unknown, the stimuli differ, or as `rdms`.

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
    check_interval(interval)
    settings = Settings(kind, distance, comparison, normalise[1], splits, seed, nan).checked()
    if holds_rdms_only(b):
        raise InputError(f"b: {RDMS_ONLY}, so its reliability is not estimable.")
    estimator = Estimator(b, settings)
    count = len(estimator.patterns.stimulus_ids)
    estimator.check_memory(resamples)
    weights = multiplicities(count, resamples, seed)
    estimates = {name: estimator.estimate(name, weights) for name in estimator.patterns.regions}
    made_a = rdms(a, plain_or_crossnobis(a, distance), normalise=normalise[0], nan=nan)
    made_b = rdms(b, distance, normalise=normalise[1], nan=nan)
    similar = _similarities(made_a, made_b, estimator, weights, comparison)
    found = _table(similar, estimates, formula, interval)
    return found.assign_coords(
        region_a=made_a["region"].values, region_b=made_b["region"].values
    ).assign_attrs(
        formula=formula,
        kind=kind,
        distance=distance,
        distance_a=str(made_a.attrs.get("distance", distance)),
        comparison=comparison,
        normalise_a=str(made_a.attrs.get("normalise", "unknown")),
        normalise_b=estimator.patterns.normalise,
        splits=splits,
        resamples=resamples,
        interval=interval,
        interval_over="stimuli",
        seed=seed,
        warnings=json.dumps(warnings_of(b, settings, estimates)),
        neurosage=__version__,
    )


def _similarities(
    made_a: xr.DataArray,
    made_b: xr.DataArray,
    estimator: Estimator,
    weights: Floats,
    comparison: str,
) -> Floats:
    """Return similarities, shape (regions of a, regions of b, 1 + B)."""
    *rows, _ = shared_rows(made_a, made_b)
    n = len(rows[1])
    check_stimulus_count(n)
    check_memory(8 * 8 * n * n, f"RDMs of {n} stimuli", "Take fewer stimuli with select.")
    names = made_b["stimulus_id_i"].values[rows[1]]
    drawn = weights[:, pd.Index(estimator.patterns.stimulus_ids).get_indexer(names)]
    every = np.vstack([np.ones((1, n)), drawn])
    form = "pearson" if comparison == "spearman" else comparison
    sides = [
        [ranked(square[np.ix_(row, row)], comparison) for square in made.values]
        for made, row in zip((made_a, made_b), rows, strict=True)
    ]
    return np.array([[weighted_similarity(x, y, every, form) for y in sides[1]] for x in sides[0]])


def _table(
    similar: Floats, estimates: dict[str, Estimate], formula: str, interval: float
) -> xr.Dataset:
    shape = similar.shape[:2]
    corrected, low, high = (np.full(shape, np.nan) for _ in range(3))
    ends = [percentile_interval(each.resampled, interval) for each in estimates.values()]
    reasons = {}
    for column, ((name, each), end) in enumerate(zip(estimates.items(), ends, strict=True)):
        if reason := each.reason or _not_above_zero(each.point, end[0], interval):
            reasons[name] = reason
            continue
        for row in range(shape[0]):
            r = similar[row, column]
            corrected[row, column] = FORMULAE[formula](r[:1], np.array([each.point]))[0]
            resampled = _resampled(r[1:], each.resampled, formula)
            low[row, column], high[row, column] = percentile_interval(resampled, interval)
    both = ("region_a", "region_b")
    return xr.Dataset(
        {
            "corrected": (both, corrected),
            "low": (both, low),
            "high": (both, high),
            "similarity": (both, similar[:, :, 0]),
            "reliability": ("region_b", [each.point for each in estimates.values()]),
            "reliability_low": ("region_b", [end[0] for end in ends]),
            "reliability_high": ("region_b", [end[1] for end in ends]),
        },
        attrs={"not_estimable": json.dumps(reasons)},
    )


def _not_above_zero(point: float, low: float, interval: float) -> str:
    if not point > 0:
        return f"RDM reliability is {point:.3f}, not above 0"
    if not low > 0:
        return f"the {interval:.0%} interval of RDM reliability reaches {low:.3f}, not above 0"
    return ""


def _resampled(r: Floats, c: Floats, formula: str) -> Floats:
    """Return the ratio in every resample; where c is not above 0, the largest with r's sign.

    Few are: the interval of c stays above 0. Leaving them out would cut the long tail.
    """
    above = c > 0
    ratio = np.full(len(r), np.nan)
    ratio[above] = FORMULAE[formula](r[above], c[above])
    largest = np.nanmax(np.abs(ratio)) if above.any() else np.nan
    below = ~above & ~np.isnan(c)
    ratio[below] = np.sign(r[below]) * largest
    return ratio
