"""How far a similarity may move with other stimuli, or other stimuli and subjects."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.distances.noise_precision import Precision
from neurosage.rsa.inference.draws import drawn_by
from neurosage.rsa.inference.labelled import flat_regions, placed, region_coords
from neurosage.rsa.inference.redrawn import Resampled, interval_warnings, resample
from neurosage.rsa.inference.sides import Sides, read_sides
from neurosage.rsa.inference.subjects import subject_interval
from neurosage.rsa.reliability.drawing import interval_over
from neurosage.rsa.resampling import check_sampling
from neurosage.rsa.responses.patterns import Source


def bootstrap_similarity(
    a: Source,
    b: Source,
    distance: str | None = None,
    comparison: str = "pearson",
    *,
    normalise: tuple[str | None, str | None] = (None, None),
    nan: str = "raise",
    precision: Precision = None,
    by: str = "stimulus_id",
    subjects: bool = False,
    resamples: int = 1000,
    interval: float = 0.95,
    seed: int = 0,
    undefined: str = "raise",
) -> xr.Dataset:
    """Estimate similarities with intervals that speak for other stimuli.

    Stimuli are drawn with replacement, pairs of a stimulus with itself left out. Where a
    comparison is not defined for stimuli drawn twice (whitened ones, CKA, Kendall's taus),
    halves of the stimuli are drawn without, and their spread put about the estimate: at least
    the standard error, and more with few stimuli (see `half_samples`). The interval knows
    nothing of other neuroids or, without `subjects`, of other subjects; nor that a best layer
    was chosen: see `cross_fitted_similarity`.

    Parameters
    ----------
    a, b : Teacher or xarray.DataArray
        Responses, or RDMs, of the same stimuli, as in `similarity`.
    distance, normalise, nan, precision
        As in `similarity`.
    comparison : str
        Between RDMs. pearson, cosine, the whitened ones and CKA take seconds for some 30 pairs
        of regions and 1000 stimuli; spearman and rho-a about a minute; kendall and tau-a, which
        are computed anew for each half, many minutes. svcca and procrustes make no RDM and
        have no interval.
    by : str
        What is drawn together: a coordinate on presentation, or a column of a teacher's
        stimuli, such as the object where images of one object are not independent. A group
        that is drawn w times is w groups: pairs within it count w times, not w² times as in
        rsatoolbox, which would move intervals towards what holds within groups.
    subjects : bool
        Whether to draw the subjects of `b` as well, as in `subject_interval`, which
        this then is. That changes the estimate too: see Returns.
    resamples : int
        How many, 20 or more.
    interval : float
        How much the intervals cover, between 0 and 1.
    seed : int
        Of the draws, given the order of the teacher's stimuli.
    undefined : {"raise", "nan"}
        What becomes of a region of `a` that has no RDM, as in `similarity`.

    Returns
    -------
    xarray.Dataset
        Dims ``region_a × region_b``: ``similarity``, ``low`` and ``high`` (percentiles), and
        ``standard_error`` (SD over resamples). These are NaN with fewer than 10 stimuli, and
        where more than one in ten resamples leave no distances that vary: why is in attribute
        ``not_estimable`` (JSON, by pair of regions, "layer1 × V4"). Attribute ``warnings`` (a
        JSON list) says what not to believe: groups of very unequal size, half-samples of fewer
        than 30 stimuli. Other attributes: ``method``, ``interval_over``, ``interval``,
        ``resamples``, ``seed``, and those of `similarity`.
        With ``subjects=True`` ``similarity`` is the mean over subjects of that to each one's
        RDM, which is lower than that to their mean RDM.

    Raises
    ------
    InputError
        As `similarity`; if the comparison cannot be resampled, or groups of stimuli are too
        few.

    References
    ----------
    Nili et al. 2014, "A toolbox for representational similarity analysis".

    Examples
    --------
    >>> import numpy as np
    >>> from neurosage.data.assembly import assembly
    >>> rng, ids = np.random.default_rng(0), [f"s{k}" for k in range(40)]
    >>> shared = rng.normal(size=(40, 10))
    >>> v4 = assembly(shared + rng.normal(size=(40, 10)), stimulus_id=ids, region="V4")
    >>> model = assembly(shared, stimulus_id=ids, region="layer1")
    >>> found = bootstrap_similarity(model, v4)
    >>> bool(found.low.item() < found.similarity.item() < found.high.item())
    True
    """
    check_sampling(resamples=resamples, interval=interval, seed=seed)
    how: dict[str, Any] = {"nan": nan, "precision": precision, "undefined": undefined}
    how["normalise"] = normalise
    if subjects:
        drawing: dict[str, Any] = {"by": by, "resamples": resamples, "seed": seed}
        return subject_interval(a, b, distance, comparison, interval=interval, **drawing, **how)
    sides = read_sides(a, b, distance, comparison, **how)
    drawn = drawn_by(b, by, sides.stimulus_ids, a)
    found = resample(sides, drawn, comparison, resamples, seed)
    reasons = flat_regions(sides, found.estimate, undefined)
    low, high = found.ends(interval)
    parts = {
        "similarity": found.estimate,
        "low": low,
        "high": high,
        "standard_error": found.standard_error(),
    }
    return xr.Dataset(
        {name: placed(sides, values) for name, values in parts.items()},
        coords=region_coords(sides),
        attrs={
            **sides.attrs,
            "method": found.method,
            "interval_over": interval_over(by),
            "interval": interval,
            "resamples": resamples,
            "seed": seed,
            "undefined": json.dumps(reasons),
            "not_estimable": json.dumps(_without_interval(sides, found, low, reasons)),
            "warnings": json.dumps(interval_warnings(drawn, comparison)),
        },
    )


def _without_interval(
    sides: Sides, found: Resampled, low: Floats, reasons: dict[str, str]
) -> dict[str, str]:
    """Say of every pair of regions without interval why."""
    why = {(a, b): reasons[a] for a in sides.undefined for b in sides.names_b}
    for k, j in np.argwhere(np.isnan(low)):
        name = sides.names_a[k]
        flat = reasons.get(name, "") if np.isnan(found.estimate[k, j]) else ""
        why[name, sides.names_b[j]] = flat or found.why_not((int(k), int(j)))
    return {f"{a} × {b}": reason for (a, b), reason in why.items()}
