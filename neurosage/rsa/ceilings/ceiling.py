"""The best similarity that the noise of a recording allows, as far as it can be estimated."""

from __future__ import annotations

import json
import logging
from typing import Any

import numpy as np
import xarray as xr

from neurosage import __version__
from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.ceilings.noise_corrected import noise_corrected
from neurosage.rsa.ceilings.subject_ceiling import Bounds, reasons, subject_bounds, subject_rdms
from neurosage.rsa.given import own_distance
from neurosage.rsa.reliability.neuroids import inflated_attrs
from neurosage.rsa.reliability.offered import check_form
from neurosage.rsa.reliability.rdm_estimate import KINDS as SPLIT_KINDS
from neurosage.rsa.reliability.rdm_estimate import Settings
from neurosage.rsa.reliability.rdm_warnings import without_estimate
from neurosage.rsa.reliability.regions import rdm_reliability
from neurosage.rsa.resampling import check_sampling, multiplicities, percentile_interval
from neurosage.rsa.responses.patterns import Source

__all__ = ["noise_ceiling", "noise_corrected"]

logger = logging.getLogger(__name__)

KINDS = (*SPLIT_KINDS, "subjects")
WORDING = "estimated ceiling ({kind}), not a bound"


def noise_ceiling(
    source: Source,
    kind: str = "trials",
    *,
    distance: str | None = None,
    comparison: str = "pearson",
    normalise: str | None = None,
    splits: int = 50,
    resamples: int = 1000,
    interval: float | None = 0.95,
    seed: int = 0,
    nan: str = "raise",
    precision: str = "none",
    by: str = "stimulus_id",
) -> xr.Dataset:
    """Estimate the similarity that a noise-free RDM would have with each region's.

    Of kinds ``trials`` and ``sites`` it is the square root of that RDM reliability. Of kind
    ``subjects``, each subject's RDM is compared with the mean of the others (``lower``) and
    with the mean of all (``upper``).

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses; for ``subjects``, RDMs with dim ``subject``, a teacher that holds such, or
        responses with coordinate ``subject`` on neuroid or presentation.
    kind : {"trials", "sites", "subjects"}
        What noise is meant: of these sites' trials, of the choice of sites, or of subjects.
    distance, comparison, normalise, splits, resamples, interval, seed, nan, precision, by
        As in `rdm_reliability`; ``splits`` is not used for ``subjects``,
        ``by`` is refused.

    Returns
    -------
    xarray.Dataset
        Dim ``region``. ``trials`` and ``sites``: ``ceiling`` with ``low`` and ``high``, and
        ``reliability``. ``subjects``: ``lower`` and ``upper``, each with ``…_low`` and
        ``…_high``, and ``subjects``. NaN where not estimable, with the reason by region in
        attribute ``not_estimable`` (JSON): one subject's RDM has no ceiling over subjects, a
        reliability of 0 or less has no root. Attribute ``wording`` says what it may be called;
        ``reason``, ``warnings`` and ``inflated`` are as in `rdm_reliability`.

    Raises
    ------
    InputError
        As `rdm_reliability`.

    References
    ----------
    Nili et al. 2014, "A toolbox for representational similarity analysis" (subjects).

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 40))
    >>> a = assembly(shared + rng.normal(size=shared.shape), region="V4",
    ...              stimulus_id=[f"s{k}" for k in range(30)])
    >>> found = noise_ceiling(a, "sites", interval=None)
    >>> bool(np.isclose(found.ceiling.item() ** 2, found.reliability.item()))
    True
    >>> noise_ceiling(a, "trials").attrs["not_estimable"]
    '{"V4": "0 of 30 stimuli have 2 or more single repetitions; at least 3 are needed"}'
    """
    if kind not in KINDS:
        raise unknown("kind of ceiling", kind, KINDS)
    if kind == "subjects":
        if by != "stimulus_id":
            raise InputError(f"by={by!r} belongs to kinds 'trials' and 'sites', not 'subjects'.")
        distance = own_distance(distance, source)
        settings = Settings(
            "subjects", distance, comparison, normalise, splits, seed, nan, precision
        )
        found = _over_subjects(source, settings, resamples, interval)
        for note in [*json.loads(found.attrs["warnings"]), *filter(None, [found.attrs["reason"]])]:
            logger.warning(note)
        return found
    return ceiling_of(
        rdm_reliability(
            source,
            kind,
            distance=distance,
            comparison=comparison,
            normalise=normalise,
            splits=splits,
            resamples=resamples,
            interval=interval,
            seed=seed,
            nan=nan,
            precision=precision,
            by=by,
        )
    )


def ceiling_of(found: xr.Dataset) -> xr.Dataset:
    """Return the ceiling that a reliability allows: its square root.

    Parameters
    ----------
    found : xarray.Dataset
        From `rdm_reliability`.

    Returns
    -------
    xarray.Dataset
        As `noise_ceiling` of that kind.
    """
    reason = json.loads(found.attrs["not_estimable"])
    for name, value in zip(found["region"].values, found["reliability"].values, strict=True):
        if value <= 0:
            reason[str(name)] = f"RDM reliability is {value:.3f}, not above 0"
    kind = found.attrs["kind"]
    ends = {
        "ceiling": _sqrt(found["reliability"].values),
        "low": _sqrt(found["low"].values, floor=True),
        "high": _sqrt(found["high"].values),
    }
    made = found.assign({name: ("region", values) for name, values in ends.items()})
    made["low"], made["high"] = (made[k].where(made["ceiling"].notnull()) for k in ("low", "high"))
    return made.assign_attrs(
        formula=f"square root of the reliability: {found.attrs['formula']}",
        wording=WORDING.format(kind=kind),
        not_estimable=json.dumps(reason),
    )


def _sqrt(values: Floats, floor: bool = False) -> Floats:
    """Return square roots; below 0, NaN, or 0 where an interval is to end there."""
    root: Floats = np.sqrt(np.maximum(values, 0.0))
    return root if floor else np.where(values > 0, root, np.nan)


def _over_subjects(
    source: Source, settings: Settings, resamples: int, interval: float | None
) -> xr.Dataset:
    comparison, seed = settings.comparison, settings.seed
    check_form(comparison)
    check_sampling(splits=settings.splits, seed=seed, resamples=resamples, interval=interval)
    squares, count, made = subject_rdms(source, settings)
    weights = multiplicities(count, resamples, seed) if interval else np.empty((0, count))
    found = {name: subject_bounds(each, comparison, weights) for name, each in squares.items()}
    lacking = reasons(found)
    return _subject_table(found, interval).assign_attrs(
        **made,
        **inflated_attrs(source),
        kind="subjects",
        formula="each subject with the mean of the others (lower) and of all (upper)",
        wording=WORDING.format(kind="subjects"),
        comparison=comparison,
        n_stimuli=count,
        interval_over="stimuli",
        not_estimable=lacking,
        reason=without_estimate(settings, json.loads(lacking), "Noise ceiling"),
        warnings=json.dumps(list(inflated_attrs(source).values())),
        **({"resamples": resamples, "interval": interval, "seed": seed} if interval else {}),
        neurosage=__version__,
    )


def _subject_table(found: dict[str, Bounds], interval: float | None) -> xr.Dataset:
    columns: dict[str, list[Any]] = {"subjects": [each.subjects for each in found.values()]}
    for bound in ("lower", "upper"):
        values = [getattr(each, bound) for each in found.values()]
        columns[bound] = [each[0] for each in values]
        ends = [_ends(each[1:], interval) for each in values]
        columns[f"{bound}_low"], columns[f"{bound}_high"] = ([e[k] for e in ends] for k in (0, 1))
    return xr.Dataset(
        {name: ("region", np.array(values)) for name, values in columns.items()},
        coords={"region": np.array(list(found), object)},
    )


def _ends(resampled: Floats, interval: float | None) -> tuple[float, float]:
    if interval is None:
        return float("nan"), float("nan")
    return percentile_interval(resampled, interval)
