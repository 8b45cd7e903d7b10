"""The ceilings of a teacher's regions, of every kind that can be estimated from it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.teacher import Teacher
from neurosage.errors import NeurosageError
from neurosage.rsa.ceilings.ceiling import ceiling_of, noise_ceiling
from neurosage.rsa.reliability.rdm_estimate import COMPARISONS, KINDS
from neurosage.rsa.reliability.rdm_estimate import Settings as Reliability
from neurosage.rsa.reliability.rdm_halves import DISTANCES
from neurosage.rsa.reliability.regions import estimate_regions
from neurosage.scoring.settings import Progress, Settings, quiet

SPLITS = 50
WORDING = "estimated ceiling ({kind}), not a bound"
BOUNDS = ("lower", "upper")
OVER_STIMULI = (
    "ceilings over subjects have no interval over groups of stimuli ({by}); "
    "neurosage.noise_ceiling(teacher, 'subjects') gives it over single stimuli."
)


def teacher_ceilings(
    teacher: Teacher, distance: str, settings: Settings, progress: Progress = quiet
) -> xr.Dataset:
    """Estimate the ceilings of a teacher's regions, of kinds trials, sites and subjects.

    Parameters
    ----------
    teacher : Teacher
        With responses or RDMs; of kind ``subjects`` only where it holds several.
    distance : str
        Of its RDMs.
    settings : Settings
        Comparison, normalisation, interval and what is drawn for it.
    progress : callable
        Called with what is estimated, 0 when it begins and 1 when it is done, and 1.

    Returns
    -------
    xarray.Dataset
        Dim ``region``: ``ceiling_trials`` and ``ceiling_sites``, and where there are several
        subjects ``ceiling_subjects_lower`` and ``ceiling_subjects_upper``; each with ``…_low``
        and ``…_high``. NaN where not estimable; why is in attribute ``not_estimable`` (a dict of
        reasons by region for each), what not to believe in ``warnings`` (a list).

    Examples
    --------
    >>> from neurosage.data.registry import load_teacher
    >>> found = teacher_ceilings(load_teacher("simulated-macaque"), "correlation",
    ...                          Settings(interval=None))
    >>> bool((found.ceiling_trials > found.ceiling_sites).all())
    True
    """
    kinds = (*KINDS, "subjects") if several_subjects(teacher) else KINDS
    parts = []
    for kind in kinds:
        what = f"ceiling ({kind})"
        progress(what, 0, 1)
        parts.append(_ceiling(teacher, kind, distance, settings))
        progress(what, 1, 1)
    joined = xr.merge(parts, combine_attrs="drop")
    reasons = {name: why for part in parts for name, why in part.attrs["not_estimable"].items()}
    warnings = [note for part in parts for note in part.attrs["warnings"]]
    return joined.assign_attrs(not_estimable=reasons, warnings=list(dict.fromkeys(warnings)))


def several_subjects(teacher: Teacher) -> bool:
    """Tell whether a teacher holds responses or RDMs of more than one subject.

    Examples
    --------
    >>> from neurosage.data.registry import load_teacher
    >>> several_subjects(load_teacher("simulated-macaque"))
    False
    """
    held = teacher.assembly if teacher.assembly is not None else teacher.stored_rdms
    if held is None or "subject" not in held.coords:
        return False
    return len(pd.unique(held["subject"].values.ravel())) > 1


def _ceiling(teacher: Teacher, kind: str, distance: str, settings: Settings) -> xr.Dataset:
    reason = _no_ceilings(distance, settings)
    if not reason:
        try:
            return _named(kind, _estimated(teacher, kind, distance, settings), settings)
        except NeurosageError as error:  # a score stands without its ceiling
            reason = str(error).rstrip(".")
    names = _names(kind)
    empty = np.full(len(teacher.regions), np.nan)
    return xr.Dataset(
        {column: ("region", empty) for name in names for column in _columns(name)},
        coords={"region": np.array(teacher.regions, object)},
        attrs={
            "not_estimable": {name: dict.fromkeys(teacher.regions, reason) for name in names},
            "warnings": [],
        },
    )


def _no_ceilings(distance: str, settings: Settings) -> str:
    """Say why this similarity has no ceilings, or nothing."""
    kinds = {
        "comparison": (settings.comparison, COMPARISONS),
        "distance": (distance, DISTANCES),
    }
    for what, (value, known) in kinds.items():
        if value not in known:
            return f"there are ceilings for {what} {', '.join(known)}, not {value}"
    if settings.nan == "pairwise":
        return "with nan='pairwise' there are no halves to compare; try nan='drop-neuroid'"
    if settings.precision is not None and not isinstance(settings.precision, str):
        return "the halves of a recording cannot take a precision that is given"
    return ""


def _estimated(teacher: Teacher, kind: str, distance: str, settings: Settings) -> xr.Dataset:
    shared: dict[str, Any] = {
        "distance": distance,
        "comparison": settings.comparison,
        "normalise": settings.normalise,
        "seed": settings.seed,
        "nan": settings.nan,
        "precision": str(settings.precision or "none"),
    }
    drawn: dict[str, Any] = {"resamples": settings.resamples, "interval": settings.interval}
    if kind == "subjects":
        if settings.by != "stimulus_id":
            drawn["interval"] = None
        return noise_ceiling(teacher, kind, **shared, **drawn)
    how = Reliability(kind, splits=SPLITS, **shared)
    return ceiling_of(estimate_regions(teacher, how, by=settings.by, **drawn))


def _named(kind: str, found: xr.Dataset, settings: Settings) -> xr.Dataset:
    """Give the estimates of one kind the names that they have in a score."""
    columns: dict[str, Any] = {}
    for name in _names(kind):
        bound = name.rpartition("_")[2] if kind == "subjects" else ""
        own = [bound, f"{bound}_low", f"{bound}_high"] if bound else ["ceiling", "low", "high"]
        for column, source in zip(_columns(name), own, strict=True):
            columns[column] = ("region", found[source].values)
    reasons = json.loads(found.attrs["not_estimable"])
    warnings = list(json.loads(found.attrs["warnings"]))
    if kind == "subjects" and settings.interval and settings.by != "stimulus_id":
        warnings.append(OVER_STIMULI.format(by=settings.by))
    return xr.Dataset(
        columns,
        coords={"region": found["region"].values.astype(object)},
        attrs={
            "not_estimable": {name: reasons for name in _names(kind) if reasons},
            "warnings": warnings,
        },
    )


def _names(kind: str) -> list[str]:
    if kind == "subjects":
        return [f"ceiling_{kind}_{bound}" for bound in BOUNDS]
    return [f"ceiling_{kind}"]


def _columns(name: str) -> tuple[str, str, str]:
    return name, f"{name}_low", f"{name}_high"
