"""How sure a score is: intervals of its similarities, and layers chosen on other stimuli."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from neurosage.data.teacher import Teacher
from neurosage.errors import NeurosageError
from neurosage.rsa.inference.cross_fitted import cross_fit
from neurosage.rsa.inference.draws import Together, drawn_by
from neurosage.rsa.inference.labelled import placed
from neurosage.rsa.inference.redrawn import interval_warnings, resample
from neurosage.rsa.inference.resampled import RECOMPUTED
from neurosage.rsa.inference.sides import Sides, read_sides
from neurosage.rsa.reliability.drawing import interval_over
from neurosage.scoring.settings import Progress, Settings, quiet

CROSS_FITTED = 200  # resamples at most: each takes four times what one for an interval takes
STIMULI = 10_000  # at most: time grows with their square


def drawn(teacher: Teacher, stimulus_ids: Any, settings: Settings) -> Together:
    """Read what is drawn together, before anything is recorded.

    Parameters
    ----------
    teacher : Teacher
        Whose stimuli they are.
    stimulus_ids : sequence of str
        Of its RDMs, in order.
    settings : Settings
        By what stimuli are drawn.

    Returns
    -------
    Together
        Stimuli, or groups of them.

    Raises
    ------
    InputError
        If the stimuli have no such groups, or too few to speak for others.
    """
    together = drawn_by(teacher, settings.by, np.array(stimulus_ids, object))
    together.resamples(settings.resamples, settings.seed)  # refuses groups that are too few
    return together


def uncertainty(
    recorded: xr.DataArray,
    teacher: Teacher,
    together: Together,
    settings: Settings,
    progress: Progress = quiet,
) -> xr.Dataset:
    """Resample the stimuli: intervals of similarities, and layers chosen on others.

    RDMs are made once for both.

    Parameters
    ----------
    recorded : xarray.DataArray
        Of the network: regions are its layers.
    teacher : Teacher
        Whose stimuli they are.
    together : Together
        From `drawn`.
    settings : Settings
        How RDMs are made and compared, and how many resamples are drawn.
    progress : callable
        Called with what is done, 0 when it begins and 1 when it is done, and 1.

    Returns
    -------
    xarray.Dataset
        ``low`` and ``high`` (region × layer); ``cross_fitted`` (region) with ``…_low`` and
        ``…_high``, and ``chosen`` (region × layer). What cannot be had is not there, or NaN,
        with the reason in attribute ``not_estimable`` (for ``interval``, ``cross_fitted`` and
        ``cross_fitted_interval`` a dict of reasons by region); what not to believe in
        ``warnings`` (a list).
    """
    made = xr.Dataset(attrs={"not_estimable": {}, "warnings": []})
    steps: tuple[tuple[str, str, Callable[..., xr.Dataset]], ...] = (
        ("interval", "intervals", _intervals),
        ("cross_fitted", "cross-fitted layers", _cross_fitted),
    )
    sides, reason = None, _too_long(len(together.member), settings.comparison)
    if not reason:
        progress("RDMs of all layers", 0, 1)
        sides, reason = _sides(recorded, teacher, settings)
        progress("RDMs of all layers", 1, 1)
    for name, what, step in steps:
        progress(what, 0, 1)
        if sides is not None:
            try:
                found = step(sides, together, settings)
                made = _with(made, found)
                reason = ""
            except NeurosageError as error:  # a score stands without
                reason = str(error)
        if reason:
            made.attrs["not_estimable"][name] = dict.fromkeys(teacher.regions, reason.rstrip("."))
        progress(what, 1, 1)
    return made


def _with(made: xr.Dataset, found: xr.Dataset) -> xr.Dataset:
    """Put what a step found, its reasons and warnings, beside what others found."""
    reasons = made.attrs["not_estimable"] | found.attrs["not_estimable"]
    warnings = list(dict.fromkeys([*made.attrs["warnings"], *found.attrs["warnings"]]))
    kept = {**made.attrs, **found.attrs, "not_estimable": reasons, "warnings": warnings}
    return made.merge(found, combine_attrs="drop").assign_attrs(kept)


def _too_long(stimuli: int, comparison: str) -> str:
    """Say why it is not to be had without being asked for, or nothing."""
    why = ""
    if comparison in RECOMPUTED:
        why = f"{comparison} is computed anew for every resample"
    elif stimuli > STIMULI:
        why = f"time grows with the square of the stimuli, which are {stimuli:,}"
    return f"{why}, which takes long; neurosage.bootstrap_similarity does it" if why else ""


def _sides(
    recorded: xr.DataArray, teacher: Teacher, settings: Settings
) -> tuple[Sides | None, str]:
    try:
        sides = read_sides(
            recorded,
            teacher,
            settings.distance,
            settings.comparison,
            normalise=(settings.normalise_layers, settings.normalise),
            nan=settings.nan,
            precision=settings.precision,
            undefined="nan",
        )
    except NeurosageError as error:
        return None, str(error)
    return sides, ""


def _intervals(sides: Sides, together: Together, settings: Settings) -> xr.Dataset:
    how = settings.comparison, settings.resamples, settings.seed
    found = resample(sides, together, *how)
    low, high = found.ends(settings.interval or 0.95)
    dims = ("layer", "region")
    reasons: dict[str, str] = {}
    for k, j in np.argwhere(np.isnan(low) & ~np.isnan(found.estimate)):
        reason = f"{found.why_not((k, j))} (first layer: {sides.names_a[k]})"
        reasons.setdefault(sides.names_b[j], reason)
    return xr.Dataset(
        {"low": (dims, placed(sides, low)[1]), "high": (dims, placed(sides, high)[1])},
        coords={"layer": list(sides.regions_a), "region": list(sides.names_b)},
        attrs={
            "interval_over": interval_over(settings.by),
            "interval_method": found.method,
            "not_estimable": {"interval": reasons} if reasons else {},
            "warnings": interval_warnings(together, settings.comparison),
        },
    )


def _cross_fitted(sides: Sides, together: Together, settings: Settings) -> xr.Dataset:
    resamples = min(settings.resamples, CROSS_FITTED)
    found = cross_fit(
        sides,
        together,
        settings.comparison,
        resamples=resamples,
        interval=settings.interval,
        seed=settings.seed,
        undefined="nan",
    )
    renamed = found.rename(
        similarity="cross_fitted", low="cross_fitted_low", high="cross_fitted_high"
    )
    reasons: dict[str, dict[str, str]] = {}
    for region, reason in json.loads(found.attrs["not_estimable"]).items():
        lost = np.isnan(found["similarity"].sel(region=region).item())
        reasons.setdefault("cross_fitted" if lost else "cross_fitted_interval", {})[region] = reason
    renamed.attrs = {
        "cross_fitted_method": found.attrs["method"],
        "cross_fitted_resamples": resamples,
        "not_estimable": reasons,
        "warnings": json.loads(found.attrs["warnings"]),
    }
    return renamed
