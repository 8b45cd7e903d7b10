"""Reliability as a function of how much is recorded, and what more would bring."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.errors import InputError, unknown
from neurosage.rsa.between_rdms import holds_rdms_only
from neurosage.rsa.distances.presentations import MINIMUM_STIMULI, Presentations, Repeated
from neurosage.rsa.reliability.mean_similarity import MeanSimilarity
from neurosage.rsa.reliability.neuroid_curve import (
    Curve,
    finite,
    neuroid_curve,
    predicted_reliability,
)
from neurosage.rsa.reliability.neuroids import reliability
from neurosage.rsa.reliability.rdm_estimate import Estimator, Settings, ranked
from neurosage.rsa.reliability.rdm_halves import (
    Pair,
    least_repetitions,
    least_sites,
    pair_of_sites,
    pair_of_trials,
)
from neurosage.rsa.reliability.regions import RDMS_ONLY
from neurosage.rsa.reliability.subsets import repetition_sets, site_sets
from neurosage.rsa.resampling import check_whole
from neurosage.rsa.responses.patterns import Source

OVER = ("repetitions", "sites")
OF = ("neuroids", "rdm")
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)

OVERPREDICTS = (
    "the formula overpredicts at small k, for the noise of an RDM is not additive; what is "
    "extrapolated is the formula's"
)


def reliability_curve(
    source: Source,
    over: str = "repetitions",
    of: str = "rdm",
    *,
    sizes: Sequence[int] | None = None,
    distance: str = "correlation",
    comparison: str = "pearson",
    normalise: str | None = None,
    splits: int = 20,
    seed: int = 0,
    nan: str = "raise",
) -> xr.Dataset:
    """Estimate reliability against the number of repetitions, or of sites.

    Measured: the agreement of two disjoint sets of k, which is the reliability of k, so it
    needs 2 k. Predicted: from the reliability ρ of all N, ``k ρ / (k ρ + N (1 - ρ))``.

    Of RDMs the formula overpredicts at small k, for their noise is not additive: with
    correlation distance, 3 sites measured .11 where it said .34. Believe what is measured; what
    is extrapolated is the formula's.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses; with single repetitions for ``over="repetitions"``.
    over : {"repetitions", "sites"}
        What more is recorded of.
    of : {"neuroids", "rdm"}
        What is to be reliable; of neuroids it is the region's median, over repetitions.
    sizes : sequence of int, optional
        The k wanted, whole numbers; by default steps up to half of what was recorded, all,
        twice and four times that.
    distance, comparison, normalise, nan
        As in `rdm_reliability`; not used for neuroids, but for `nan`.
    splits : int
        Draws of two sets at each size; also those that ρ is estimated from.
    seed : int
        Of the draws.

    Returns
    -------
    xarray.Dataset
        Dims ``region × size``: ``measured``; ``predicted`` up to what was recorded;
        ``extrapolated``, the same formula from there on. Dim ``region``: ``recorded``.
        NaN where it cannot be had; reasons in attribute ``not_estimable`` (JSON). A ρ of 0 or
        less is reported as it is and not extrapolated; ``warnings`` (a JSON list) names it.

    Raises
    ------
    InputError
        If an argument is unknown, neuroids are asked for over sites, or as `rdms`.

    References
    ----------
    Spearman 1910, Brown 1910 (the formula, in repetitions or sites).

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 48))
    >>> a = assembly(shared + rng.normal(size=shared.shape), region="V4",
    ...              stimulus_id=[f"s{k}" for k in range(40)])
    >>> found = reliability_curve(a, "sites", sizes=[6, 24, 48, 96])
    >>> bool((found.measured[0, :2].diff("size") > 0).all()), found.measured.isnull().sum().item()
    (True, 2)
    """
    kind = _check(over, of, sizes)
    settings = Settings(kind, distance, comparison, normalise, splits, seed, nan).checked()
    if holds_rdms_only(source):
        raise InputError(f"{RDMS_ONLY}, so there is no curve over {over}.")
    if of == "neuroids":
        held: Any = Repeated(source, "none", nan)
        own = reliability(source, splits=splits, seed=seed)
    else:
        held, own = Estimator(source, settings), None
        held.check_memory(0)
    regions = held.patterns.regions
    amounts = {name: _amount(held, name, settings, of) for name in regions}
    least = 1 if of == "neuroids" else least_size(settings)
    wanted = _sizes(sizes, least, [amount for amount, _ in amounts.values()])
    curves = {}
    for name, (amount, reason) in amounts.items():
        if reason:
            empty = np.full(len(wanted), np.nan)
            curves[name] = Curve(empty, empty, np.nan, reason)
        elif own is not None:
            curves[name] = neuroid_curve(held, name, own, wanted, settings)
        else:
            curves[name] = _of_rdm(held, name, amount, wanted)
    how = {} if of == "neuroids" else {"distance": distance, "comparison": comparison}
    how |= {} if of == "neuroids" else {"caution": OVERPREDICTS}
    return _table(curves, wanted).assign_attrs(
        **how,
        over=over,
        of=of,
        kind=settings.kind,
        n_stimuli=len(held.patterns.stimulus_ids),
        dropped=json.dumps(held.patterns.dropped, default=str),
        backend=f"numpy {np.__version__} float64",
        normalise=held.patterns.normalise,
        splits=splits,
        seed=seed,
        formula="k ρ / (k ρ + N (1 - ρ)), ρ the reliability of all N",
        neurosage=__version__,
    )


def _check(over: str, of: str, sizes: Sequence[int] | None) -> str:
    if over not in OVER:
        raise unknown("thing to vary (over)", over, OVER)
    if of not in OF:
        raise unknown("thing whose reliability is asked for (of)", of, OF)
    if (over, of) == ("sites", "neuroids"):
        raise InputError(
            "a neuroid's reliability does not depend on the number of sites; use of='rdm', or "
            "over='repetitions'."
        )
    if sizes is not None and not len(sizes):
        raise InputError("sizes must be whole numbers of 1 or more, not an empty list.")
    for size in [] if sizes is None else sizes:
        check_whole("each of sizes", size, 1)
    return "sites" if over == "sites" else "trials"


def _amount(held: Any, region: str, settings: Settings, of: str) -> tuple[float, str]:
    """Return how much was recorded of a region, and why that is too little, or nothing."""
    if of == "neuroids":
        found = held.region(region)
        reason = held.too_few(found, 2)
    else:
        found, reason = held.held(region)
    if reason:
        return float("nan"), reason
    if settings.kind == "sites":
        return float(_values(found).shape[1]), ""
    return float(1.0 / (1.0 / found.counts).mean()), ""


def least_size(settings: Settings) -> int:
    """Return the smallest set of repetitions, or of sites, that has this distance."""
    least = least_sites if settings.kind == "sites" else least_repetitions
    return least(settings.distance) // 2


def _values(found: Any) -> Any:
    return found.values if isinstance(found, Presentations) else found


def _sizes(sizes: Sequence[int] | None, least: int, amounts: list[float]) -> Any:
    if sizes is not None:
        return np.unique(np.asarray(sizes, np.int64))
    wanted: set[int] = set()
    for amount in (round(each) for each in amounts if not np.isnan(each)):
        wanted |= {step for step in STEPS if 2 * least <= 2 * step <= amount}
        wanted |= {amount, 2 * amount, 4 * amount}
    return np.array(sorted(wanted) or [1], np.int64)


def _of_rdm(estimator: Estimator, region: str, amount: float, sizes: Any) -> Curve:
    settings = estimator.settings
    found, _ = estimator.held(region)
    whole = estimator.estimate(region, np.empty((0, len(estimator.patterns.stimulus_ids))))
    if whole.reason:
        empty = np.full(len(sizes), np.nan)
        return Curve(empty, empty, amount, whole.reason)
    measured = [_mean_similarity(_pairs(found, int(k), settings), settings) for k in sizes]
    predicted = finite(predicted_reliability(whole.point, amount, sizes))
    return Curve(np.array(measured), predicted, amount, at_all=whole.point)


def _pairs(found: Any, k: int, settings: Settings) -> Any:
    """Yield RDMs of two sets of size k; none where that leaves no distance."""
    distance, splits, seed = settings.distance, settings.splits, settings.seed
    if k < least_size(settings):
        return
    if settings.kind == "sites":
        for chosen in site_sets(_values(found).shape[1], k, splits, seed):
            yield pair_of_sites(found, chosen, distance, (1.0 / k, 1.0 / k))
    else:
        half = len(found.starts) / 2
        for first, second in repetition_sets(found, k, splits, seed):
            if len(first.starts) >= max(half, MINIMUM_STIMULI):
                yield pair_of_trials(first, second, distance)


def _mean_similarity(pairs: Any, settings: Settings) -> float:
    form = "cosine" if settings.comparison == "cosine" else "pearson"
    total: list[float] = []
    pair: Pair
    for pair in pairs:
        n = len(pair.used)
        if n < MINIMUM_STIMULI:
            continue
        mean = MeanSimilarity(np.empty((0, n)), form)
        x, y = (ranked(each, settings.comparison) for each in (pair.first, pair.second))
        mean.add(x, y, np.arange(n))
        total.append(float(mean.result()[0][0]))
    return float(np.mean(total)) if total else float("nan")


def _table(curves: dict[str, Curve], sizes: Any) -> xr.Dataset:
    recorded = np.array([each.recorded for each in curves.values()])
    measured = np.array([each.measured for each in curves.values()])
    predicted = np.array([each.predicted for each in curves.values()])
    both = ("region", "size")
    # Rounded: a harmonic mean of 8.97 repetitions is recorded up to 9.
    beyond = sizes[None] >= np.round(recorded)[:, None]
    within = sizes[None] <= np.round(recorded)[:, None]
    return xr.Dataset(
        {
            "measured": (both, measured),
            "predicted": (both, np.where(within, predicted, np.nan)),
            "extrapolated": (both, np.where(beyond, predicted, np.nan)),
            "recorded": ("region", recorded),
        },
        coords={"region": np.array(list(curves), object), "size": sizes},
        attrs={
            "not_estimable": json.dumps(
                {n: each.reason for n, each in curves.items() if each.reason}
            ),
            "warnings": json.dumps(
                [
                    f"region {n!r}: reliability of all that was recorded is {each.at_all:.3f}, "
                    "not above 0; nothing is extrapolated from it."
                    for n, each in curves.items()
                    if each.at_all <= 0
                ]
            ),
        },
    )
