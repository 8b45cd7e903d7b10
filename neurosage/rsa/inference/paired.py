"""Models compared on the same resamples, the choice of layer repeated inside each."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import xarray as xr

from neurosage.errors import InputError, unknown
from neurosage.rsa.inference.choosing import Chosen, best_of, cross_fitted_of
from neurosage.rsa.inference.cross_fitted import SPLITS
from neurosage.rsa.inference.differences import difference_table
from neurosage.rsa.inference.draws import drawn_by
from neurosage.rsa.inference.halving import fit_across
from neurosage.rsa.inference.holm import resamples_needed
from neurosage.rsa.inference.labelled import not_estimable
from neurosage.rsa.inference.redrawn import drawn_for, interval_warnings, resample
from neurosage.rsa.inference.sides import Sides, read_sides
from neurosage.rsa.reliability.drawing import interval_over
from neurosage.rsa.resampling import check_sampling
from neurosage.rsa.responses.missing import first_names
from neurosage.rsa.responses.patterns import Source

logger = logging.getLogger(__name__)

NO_VALUE = "one of them has no similarity there: see attributes undefined and warnings"
MEAN = "mean over regions"
BEST, CROSS_FITTED = CHOOSE = ("best", "cross-fitted")
WAYS = {
    BEST: "the best layer of each model, chosen again in each resample",
    CROSS_FITTED: "layers chosen on one half of the stimuli, compared on the other",
}
UNEQUAL = (
    "models have {fewest} to {most} layers: the best of more is luckier, so a difference may be "
    "no more than that; choose='cross-fitted' is fair to both."
)
TOO_FEW = (
    "with {resamples} resamples no p_holm over {made} comparisons can be {level:g} or less; draw "
    "{needed} or more."
)


def compare_models(
    models: Mapping[str, Source],
    teacher: Source,
    distance: str | None = None,
    comparison: str = "pearson",
    *,
    normalise: tuple[str | None, str | None] = (None, None),
    nan: str = "raise",
    precision: Any = None,
    choose: str = BEST,
    splits: int = SPLITS,
    by: str = "stimulus_id",
    resamples: int = 1000,
    interval: float = 0.95,
    seed: int = 0,
    undefined: str = "raise",
) -> xr.Dataset:
    """Ask which of several models is more like a teacher, in its best layer.

    All models see the same resamples of the stimuli, and the layer is chosen again in each, so
    that the interval holds what choosing adds.

    Parameters
    ----------
    models : mapping of str to Teacher or xarray.DataArray
        Recordings by name, two or more, on the teacher's stimuli; layers are regions. To
        compare one layer with another, give each as a model.
    teacher : Teacher or xarray.DataArray
        What they are compared with.
    distance, comparison, nan, precision, undefined
        As in `similarity`; comparisons as in `bootstrap_similarity`.
    normalise : tuple of two str or None
        Of the models, and of the teacher.
    choose : {"best", "cross-fitted"}
        Each model's best layer; or layers chosen on one half of the stimuli and compared on the
        other, as in `cross_fitted_similarity`.
    splits : int
        How many halvings, cross-fitted.
    by, resamples, interval, seed
        As in `bootstrap_similarity`.

    Returns
    -------
    xarray.Dataset
        Dims ``pair × region`` (the teacher's, and "mean over regions" where it has several),
        coordinates ``model_a`` and ``model_b`` on pair: ``difference`` (of a less b), ``low``,
        ``high``, ``p`` (two-sided, of no difference) and ``p_holm``, corrected for all of this
        table. Dims ``model × region``: ``similarity`` of the layer chosen,
        ``best_layer`` (cross-fitted: the most often chosen). Dim
        ``model``: ``layers``, how many there were to choose from. Attributes (JSON)
        ``not_estimable``, why differences or intervals are NaN; ``warnings``, which are logged.

    Raises
    ------
    InputError
        As `similarity`; if there are fewer than two models, names that read alike, a region
        named "mean over regions" beside others, or nan='drop-stimulus' leaves the models
        different stimuli.

    Notes
    -----
    The best of more layers is luckier. In simulations of equally good models (60 stimuli), p of
    ``best`` is below .05 in none of 300 with 20 unrelated layers each (careful: its power is
    less for it), but in 55 of 100 with 20 layers against 1, and 13 of 100 where the layers
    share most of their noise. ``cross-fitted`` gives 1 to 3 of 100 in all of these. Where
    numbers of layers differ, which ``warnings`` says, take that. The smallest p is
    ``2 / (1 + resamples)``, ``p_holm`` that times the number of comparisons.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> import numpy as np
    >>> rng, ids = np.random.default_rng(0), [f"s{k}" for k in range(60)]
    >>> v4 = assembly(rng.normal(size=(60, 8)), stimulus_id=ids, region="V4")
    >>> near = v4.copy(data=v4.values + 0.5 * rng.normal(size=v4.shape))
    >>> far = v4.copy(data=v4.values + 2.0 * rng.normal(size=v4.shape))
    >>> found = compare_models({"near": near, "far": far}, v4)
    >>> bool(found.low.item() > 0)
    True
    """
    check_sampling(splits=splits, resamples=resamples, interval=interval, seed=seed)
    if choose not in CHOOSE:
        raise unknown("way to choose layers", choose, CHOOSE)
    if not isinstance(models, Mapping) or len(models) < 2:
        raise InputError(
            "comparing models needs two or more of them by name, such as {'trained': a, "
            f"'untrained': b}}, not {_said(models)}."
        )
    _check_names(models)
    found: dict[str, Chosen] = {}
    first: Sides | None = None
    for name, model in models.items():
        sides = read_sides(
            model,
            teacher,
            distance,
            comparison,
            normalise=normalise,
            nan=nan,
            precision=precision,
            undefined=undefined,
        )
        if first is None:
            first = sides
            _check_regions(sides.names_b)
            drawn = drawn_by(teacher, by, sides.stimulus_ids, model)
        _check_same(first, sides, name)
        # One seed: the same splits and draws for every model.
        if choose == BEST:
            resampled = resample(sides, drawn, comparison, resamples, seed)
            found[str(name)] = best_of(sides, resampled, undefined)
        else:
            how = {"splits": splits, "resamples": resamples, "seed": seed}
            fitted = fit_across(sides, drawn, comparison, **how)
            found[str(name)] = cross_fitted_of(sides, fitted, undefined)
    assert first is not None  # two models or more
    regions = [*first.names_b, *([MEAN] if len(first.names_b) > 1 else [])]
    table = difference_table(found, regions, interval, splits)
    made = int(table["p"].notnull().sum())
    warnings = [f"{name}: {each}" for name, model in found.items() for each in model.warnings]
    warnings += _unequal(found) if choose == BEST else []
    warnings += interval_warnings(drawn, comparison)
    warnings += _too_few(made, resamples, interval)
    for warning in warnings:
        logger.warning(warning)
    return table.assign_attrs(
        **{key: value for key, value in first.attrs.items() if key not in _OWN},
        method=f"paired {drawn_for(drawn, comparison, resamples, seed).method}",
        choose=WAYS[choose],
        correction=f"Holm over {made} comparison{'' if made == 1 else 's'}",
        interval_over=interval_over(by),
        interval=interval,
        resamples=resamples,
        seed=seed,
        undefined=json.dumps({name: each.undefined for name, each in found.items()}),
        not_estimable=json.dumps(_lacking(table, drawn.units)),
        warnings=json.dumps(warnings),
    )


def _check_names(models: Mapping[str, Source]) -> None:
    names = [str(name) for name in models]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"two models are named {twice[0]!r}; give each a name of its own.")


def _check_regions(names: tuple[str, ...]) -> None:
    if len(names) > 1 and MEAN in names:
        raise InputError(
            f"the teacher has a region named {MEAN!r}, as the mean over its regions is named "
            "here; rename it, or leave it out with select."
        )


def _too_few(made: int, resamples: int, interval: float) -> list[str]:
    """Say that Holm leaves nothing to be found, whatever the models are."""
    level = 1.0 - interval
    needed = resamples_needed(max(made, 1), level)
    said = TOO_FEW.format(resamples=resamples, made=made, level=level, needed=needed)
    return [said] if resamples < needed else []


def _lacking(table: xr.Dataset, units: int) -> dict[str, str]:
    """Say which differences or intervals are NaN, and why."""
    found: dict[str, str] = {}
    for row in range(table.sizes["pair"]):
        of = table.isel(pair=row)
        names = [f"{of.model_a.item()} - {of.model_b.item()}, {each}" for each in of.region.values]
        without = [NO_VALUE] * len(names)
        ends = of["difference"].values, of["low"].values
        found |= not_estimable(names, *ends, without, units)
    return found


def _unequal(found: Mapping[str, Chosen]) -> list[str]:
    counts = [each.count for each in found.values()]
    fewest, most = min(counts), max(counts)
    return [UNEQUAL.format(fewest=fewest, most=most)] if fewest < most else []


_OWN = ("distance_a", "normalise_a", "dropped")  # of the first model, maybe not of the others


def _said(models: object) -> str:
    return f"{list(models)}" if isinstance(models, Mapping) else type(models).__name__


def _check_same(first: Sides, sides: Sides, name: str) -> None:
    ids, own = list(first.stimulus_ids), list(sides.stimulus_ids)
    if ids == own:
        return
    lost = first_names([each for each in (*ids, *own) if (each in ids) != (each in own)])
    raise InputError(
        f"model {name!r} has {len(own)} stimuli, the first model {len(ids)} (first that differ: "
        f"{lost}); models are compared on the same ones: leave those out with select, or use "
        "nan='drop-neuroid'."
    )
