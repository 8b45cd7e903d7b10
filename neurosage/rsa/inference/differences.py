"""Differences of models, with their intervals and p values."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import xarray as xr

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.inference.choosing import Chosen
from neurosage.rsa.inference.halving import about_cross_fit
from neurosage.rsa.inference.holm import holm
from neurosage.rsa.resampling import percentile_interval


def difference_table(
    found: dict[str, Chosen], regions: list[str], interval: float, splits: int
) -> xr.Dataset:
    """Put the differences of every two models into the form of `compare_models`.

    Parameters
    ----------
    found : dict of str to Chosen
        The models, of the same draws.
    regions : list of str
        What their estimates are of.
    interval : float
        How much the intervals cover.
    splits : int
        How many a cross-fitted estimate is the mean of.

    Returns
    -------
    xarray.Dataset
        Without attributes.
    """
    pairs = list(combinations(found, 2))
    shape = (len(pairs), len(regions))
    difference, low, high, p = (np.full(shape, np.nan) for _ in range(4))
    for row, (a, b) in enumerate(pairs):
        difference[row] = found[a].estimate - found[b].estimate
        draws = found[a].draws - found[b].draws
        for column, each in enumerate(draws):
            crossed = draws.ndim == 3
            values = about_cross_fit(each, difference[row, column], splits) if crossed else each
            low[row, column], high[row, column] = percentile_interval(values, interval)
            p[row, column] = two_sided(values)
    both = ("pair", "region")
    values = {"difference": difference, "low": low, "high": high, "p": p, "p_holm": holm(p)}
    models = list(found.values())
    return xr.Dataset(
        {
            **{name: (both, each) for name, each in values.items()},
            "similarity": (("model", "region"), np.array([m.estimate for m in models])),
            "best_layer": (("model", "region"), np.array([m.layers for m in models], object)),
            "layers": ("model", [m.count for m in models]),
        },
        coords={
            "region": np.array(regions, object),
            "model": np.array(list(found), object),
            "model_a": ("pair", np.array([a for a, _ in pairs], object)),
            "model_b": ("pair", np.array([b for _, b in pairs], object)),
        },
    )


def two_sided(resampled: Floats) -> float:
    """Return the two-sided p of no difference, from a difference in every resample.

    Parameters
    ----------
    resampled : array of float64, shape (B,)
        NaN where there is none.

    Returns
    -------
    float
        Twice the smaller share, the observed one counted, of resamples at or beyond 0, at most
        1; NaN where more than one in ten resamples has no difference.

    Examples
    --------
    >>> two_sided(np.arange(1.0, 200.0))
    0.01
    """
    found = resampled[~np.isnan(resampled)]
    if not len(found) or len(found) < 0.9 * len(resampled):
        return float("nan")
    fewer = min((found <= 0).sum(), (found >= 0).sum())
    return float(min(1.0, 2.0 * (1.0 + fewer) / (1.0 + len(found))))
