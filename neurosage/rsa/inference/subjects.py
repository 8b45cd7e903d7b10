"""Intervals that speak for new stimuli and new subjects at once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.given import one_a_side
from neurosage.rsa.inference.draws import drawn_by
from neurosage.rsa.inference.labelled import flat_regions, placed, region_coords
from neurosage.rsa.inference.redrawn import resample
from neurosage.rsa.inference.sides import read_sides
from neurosage.rsa.inference.subject_rdms import SEVERAL, rdms_of_subjects
from neurosage.rsa.patterns import Source
from neurosage.rsa.reliability.drawing import interval_over
from neurosage.rsa.resampling import check_sampling

STREAM = 2  # of the draws of subjects, apart from those of stimuli
FORMULA = "V = c_s V_subjects + c_n V_stimuli - c_s c_n (V_joint - V_subjects - V_stimuli), \
c_k = k/(k-1), kept between the larger of the first two and V_joint; mean -+ t SE"


@dataclass(frozen=True)
class Variances:
    """What the choice of subjects, of stimuli, and of both adds to a mean similarity.

    Parameters
    ----------
    subjects, stimuli, joint : array of float64, shape (K,)
        Of the mean over subjects, resampled over each.
    total : array of float64, shape (K,)
        From `dual_variance`.
    """

    subjects: Floats
    stimuli: Floats
    joint: Floats
    total: Floats


def subject_interval(
    a: Source,
    b: Source,
    distance: str | None = None,
    comparison: str = "pearson",
    *,
    normalise: tuple[str | None, str | None] = (None, None),
    nan: str = "raise",
    precision: Any = None,
    by: str = "stimulus_id",
    resamples: int = 1000,
    interval: float = 0.95,
    seed: int = 0,
    undefined: str = "raise",
) -> xr.Dataset:
    """Estimate the similarity to single subjects' RDMs, for other subjects and stimuli.

    The statistic is the mean over subjects of the similarity to each one's own RDM: lower than
    the similarity to their mean RDM, which has less noise. Drawing subjects and stimuli
    together counts what both share twice; the variance is corrected for that.

    Parameters
    ----------
    a : Teacher or xarray.DataArray
        What is compared with every subject, such as a network's recording, or RDMs.
    b : Teacher or xarray.DataArray
        RDMs with dim ``subject``, or responses with coordinate ``subject`` on neuroid or
        presentation.
    distance, comparison, normalise, nan, precision, undefined
        As in `similarity`; comparisons as in `bootstrap_similarity`.
    by, resamples, seed
        As in `bootstrap_similarity`.
    interval : float
        How much the interval covers; from Student's t, with one degree of freedom less than
        there are subjects (or stimuli, or groups of them, where those are fewer).

    Returns
    -------
    xarray.Dataset
        Dims ``region_a × region_b``: ``similarity``, ``low``, ``high``, ``standard_error``, and
        ``variance_subjects``, ``variance_stimuli``, ``variance_joint`` that it comes from; dim
        ``region_b``: ``subjects``. NaN but for the similarity where a region has one subject,
        with the reason in attribute ``not_estimable`` (JSON).

    Raises
    ------
    InputError
        As `similarity`; if no region has two subjects.

    References
    ----------
    Schütt, Kipnis, Diedrichsen, Kriegeskorte 2023, "Statistical inference on representational
    geometries".

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> rng, ids = np.random.default_rng(0), [f"s{k}" for k in range(20)]
    >>> shared = rng.normal(size=(20, 12))
    >>> brain = assembly(shared + rng.normal(size=(20, 12)), stimulus_id=ids, region="IT")
    >>> brain = brain.assign_coords(subject=("neuroid", np.repeat(list("xyz"), 4)))
    >>> model = assembly(shared, stimulus_id=ids, region="layer1")
    >>> found = subject_interval(model, brain)
    >>> bool(found.low.item() < found.similarity.item() < found.high.item())
    True
    """
    check_sampling(resamples=resamples, interval=interval, seed=seed)
    own_a, own_b = one_a_side(normalise)
    owned = rdms_of_subjects(b, distance, own_b, nan, precision)
    if max(owned.subjects.values()) < 2:
        raise InputError(
            f"the second side has one subject; an interval over subjects needs 2 or more: {SEVERAL}"
        )
    sides = read_sides(
        a,
        owned.rdms,
        distance,
        comparison,
        normalise=(own_a, None),
        nan=nan,
        precision=precision,
        undefined=undefined,
    )
    drawn = drawn_by(b, by, sides.stimulus_ids, a)
    found = resample(sides, drawn, comparison, resamples, seed)
    reasons = flat_regions(sides, found.estimate, undefined)
    columns: dict[str, list[Floats]] = {}
    for name in owned.columns:
        own = owned.columns[name]
        points, resampled = found.estimate[:, own], found.values[..., own]
        estimate = _estimate(points, resampled, drawn.units, interval, seed)
        for key, values in estimate.items():
            columns.setdefault(key, []).append(values)
    table = {key: placed(sides, np.stack(each, -1)) for key, each in columns.items()}
    names = tuple(owned.subjects)
    lacking = {name: "one subject" for name, count in owned.subjects.items() if count < 2}
    return xr.Dataset(
        {**table, "subjects": ("region_b", list(owned.subjects.values()))},
        coords=region_coords(sides, names),
        attrs={
            **sides.attrs,
            "normalise_b": owned.normalise,
            "method": f"{found.method}; subjects drawn as well, variance corrected",
            "formula": FORMULA,
            "interval_over": f"{interval_over(by)} and subjects",
            "interval": interval,
            "resamples": resamples,
            "seed": seed,
            "not_estimable": json.dumps(lacking),
            "undefined": json.dumps(reasons),
        },
    )


def _estimate(
    points: Floats, resampled: Floats, units: int, interval: float, seed: int
) -> dict[str, Floats]:
    """Return the columns of one region of b; points (Ka, S), resampled (B, Ka, S)."""
    from scipy.stats import t

    subjects = points.shape[-1]
    mean = points.mean(-1)
    if subjects < 2:
        empty = np.full_like(mean, np.nan)
        found = Variances(empty, empty, empty, empty)
        reach = np.nan
    else:
        found = variances(points, resampled, units, seed)
        reach = float(t.ppf(0.5 + interval / 2, min(subjects, units) - 1))
    error = np.sqrt(found.total)
    return {
        "similarity": mean,
        "low": np.maximum(mean - reach * error, -1.0),
        "high": np.minimum(mean + reach * error, 1.0),
        "standard_error": error,
        "variance_subjects": found.subjects,
        "variance_stimuli": found.stimuli,
        "variance_joint": found.joint,
    }


def variances(points: Floats, resampled: Floats, units: int, seed: int) -> Variances:
    """Return the variance of a mean over subjects, by what is drawn.

    Parameters
    ----------
    points : array of float64, shape (K, S)
        Similarity to each subject's RDM.
    resampled : array of float64, shape (B, K, S)
        The same in each resample of the stimuli.
    units : int
        How many stimuli, or groups of them, were drawn from.
    seed : int
        Of the draws of subjects.

    Returns
    -------
    Variances
        NaN where more than one resample in ten is not defined.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> stimuli, own = rng.normal(size=(500, 1, 1)), rng.normal(size=(1, 5))
    >>> found = variances(own, own + stimuli, 100, seed=0)
    >>> bool(np.isclose(found.subjects[0], own.var() / 5))
    True
    """
    subjects = points.shape[-1]
    rng = np.random.default_rng([seed, STREAM])
    even = np.full(subjects, 1.0 / subjects)
    times = rng.multinomial(subjects, even, size=len(resampled)) / subjects
    # Drawing subjects alone needs no draws: its variance has this form.
    of_subjects = points.var(-1) / subjects
    of_stimuli = _variance(resampled.mean(-1))
    joint = _variance(np.einsum("bks,bs->bk", resampled, times))
    total = dual_variance(of_subjects, of_stimuli, joint, subjects, units)
    return Variances(of_subjects, of_stimuli, joint, total)


def _variance(resampled: Floats) -> Floats:
    missing = np.isnan(resampled).mean(0)
    found: Floats = np.full(resampled.shape[1], np.nan)
    kept = missing <= 0.1
    found[kept] = np.nanvar(resampled[:, kept], axis=0, ddof=1)
    return found


def dual_variance(
    of_subjects: Floats, of_stimuli: Floats, joint: Floats, subjects: int, units: int
) -> Floats:
    """Correct the variance of drawing subjects and stimuli together.

    Parameters
    ----------
    of_subjects, of_stimuli, joint : array of float64, one shape
        Variances of the statistic when subjects, stimuli, and both are drawn.
    subjects, units : int
        How many there are of each.

    Returns
    -------
    array of float64, same shape
        Close to ``2 (V_subjects + V_stimuli) - V_joint`` where both are many; between the
        larger of the single variances, each corrected for its number, and the joint one.

    References
    ----------
    Schütt et al. 2023, "Statistical inference on representational geometries".

    Examples
    --------
    >>> dual_variance(np.array(1.0), np.array(2.0), np.array(3.5), 10**6, 10**6).round(3).item()
    2.5
    """
    c_s, c_n = subjects / (subjects - 1), units / (units - 1)
    shared = joint - of_subjects - of_stimuli
    corrected = c_s * of_subjects + c_n * of_stimuli - c_s * c_n * shared
    least = np.maximum(c_s * of_subjects, c_n * of_stimuli)
    return np.minimum(np.maximum(corrected, least), joint)
