"""Keeping the neuroids that answer reliably, without flattering those kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.teacher import Teacher
from neurosage.errors import InputError, unknown
from neurosage.rsa.reliability.neuroid_curve import predicted_reliability
from neurosage.rsa.reliability.neuroids import MINIMUM_STIMULI, reliability
from neurosage.rsa.reliability.splits import halves
from neurosage.rsa.reliability.trials import trials_of
from neurosage.rsa.resampling import check_sampling
from neurosage.rsa.responses.normalise import group_starts
from neurosage.rsa.responses.patterns import responses_of

Given = TypeVar("Given", Teacher, xr.DataArray)

TRIALS = ("other", "same")
SELECTING = ("split-half", "variance")
LEAST = 4  # repetitions of a stimulus that are halved: 2 choose, 2 say how reliable the rest is
INFLATED = (
    "neuroids were selected on these very trials: their reliability and every ceiling from "
    "them are too high, and normalised scores too low"
)


@dataclass(frozen=True)
class Selection:
    """What a selection of neuroids by reliability kept, and on what grounds.

    Parameters
    ----------
    threshold : float
        The lowest reliability kept, of the mean over all repetitions.
    trials : {"other", "same"}
        Whether neuroids were chosen on other trials than those returned.
    chosen_by : xarray.DataArray
        What was compared with the threshold: reliability of all neuroids, estimated on the
        trials that chose and, where these are half of all, stepped up to all (attribute
        ``target`` says so); dim ``neuroid``.
    reliability : xarray.DataArray
        Reliability of the neuroids kept, on the trials returned: not inflated where these
        are other trials, marked ``inflated`` where they are the same. Coordinate
        ``of_all_trials`` is the same stepped up, to be compared with `chosen_by`.
    rests_on : pandas.DataFrame
        What either rests on, rows ``chosen_by`` and ``reliability``: ``stimuli`` repeated
        there, ``presentations`` of them, and ``stimuli_left_out``, shown there once or not.
    """

    threshold: float
    trials: str
    chosen_by: xr.DataArray
    reliability: xr.DataArray
    rests_on: pd.DataFrame

    @property
    def kept(self) -> int:
        """How many neuroids were kept."""
        return int(self.reliability.sizes["neuroid"])

    @property
    def inflated(self) -> bool:
        """Whether reliability and ceilings of those kept are too high."""
        return self.trials == "same"

    def to_frame(self) -> pd.DataFrame:
        """Return counts a region: neuroids, kept, below, not estimable, and medians.

        Medians are of reliabilities of all trials: of all neuroids where they were chosen,
        and of those kept on the trials returned.
        """
        all_of = self.chosen_by.to_series().set_axis(self.chosen_by["region"].values)
        own = pd.Series(self.reliability["of_all_trials"].values, self.reliability["region"].values)
        rows = {
            str(region): {
                "neuroids": len(values),
                "kept": int((values >= self.threshold).sum()),
                "below": int((values < self.threshold).sum()),
                "not_estimable": int(values.isna().sum()),
                "median_of_all": values.median(),
                "median_of_kept": own[own.index == region].median(),
            }
            for region, values in all_of.groupby(level=0, sort=False)
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("region")

    def __str__(self) -> str:
        count = self.chosen_by.sizes["neuroid"]
        where = "other trials" if self.trials == "other" else "the same trials (inflated)"
        return (
            f"{self.kept} of {count} neuroids have a reliability of {self.threshold:g} or more "
            f"({self.chosen_by.attrs['method']}; of {self.chosen_by.attrs['target']}), "
            f"chosen on {where}: {self._side('chosen_by')}; the reliability of those kept is of "
            f"{self._side('reliability')}"
        )

    def _side(self, name: str) -> str:
        side = self.rests_on.loc[name]
        left = f" ({side.stimuli_left_out} left out)" if side.stimuli_left_out else ""
        return f"{side.presentations} presentations of {side.stimuli} stimuli{left}"


def select_reliable(
    teacher_or_assembly: Given,
    threshold: float,
    *,
    method: str = "split-half",
    trials: str = "other",
    splits: int = 100,
    seed: int = 0,
) -> tuple[Given, Selection]:
    """Keep the neuroids whose reliability reaches a threshold.

    Chosen on the trials that are scored, some neuroids are kept for the luck of their noise:
    their reliability is inflated. So the repetitions of each stimulus that has 4 or more are
    halved, neuroids are chosen on one half, and the other is returned, with all repetitions of
    the stimuli that have fewer, which choose nothing.

    Parameters
    ----------
    teacher_or_assembly : Teacher or xarray.DataArray
        Assembly with its single repetitions, dims ``presentation × neuroid``.
    threshold : float
        The lowest reliability kept, at most 1, of the mean over all repetitions. With
        ``other`` it is estimated on half of them and stepped up to all, so that a threshold
        means the same with either choice of trials.
    method : {"split-half", "variance"}, default "split-half"
        Of `neurosage.reliability`; Brain-Score's ``internal-consistency`` takes repetitions by
        their numbers, which halves do not keep, and is refused.
    trials : {"other", "same"}, default "other"
        ``other`` returns what did not choose. It drops coordinate ``true_reliability`` of a
        simulated recording, which is of all repetitions. ``same`` chooses on all trials and
        returns them all, with attribute ``inflated``, which results computed from them carry on.
    splits : int, default 100
        Of ``split-half``.
    seed : int, default 0
        Of the halving and of the splits.

    Returns
    -------
    kept : Teacher or xarray.DataArray
        As given, of the neuroids kept; the assembly's attribute ``selected`` (JSON) says how.
        A teacher keeps its stimuli (but those without a response left) and normalisation; its
        id ends in ``-reliable``, and it has no card, which describes all neuroids.
    selection : Selection
        Threshold, counts, and the reliabilities on either side.

    Raises
    ------
    InputError
        If an argument is unknown or out of range, no reliability can be estimated on the
        trials that choose (``other`` takes 4 repetitions of 3 stimuli, ``same`` 2), or no
        neuroid reaches the threshold.

    References
    ----------
    Spearman 1910, Brown 1910 (stepping up).

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[i + 0.1 * r, (i * r) % 3] for i in range(9) for r in range(4)],
    ...              stimulus_id=[f"image{i}" for i in range(9) for r in range(4)], region="V4")
    >>> kept, selection = select_reliable(a, 0.8)
    >>> kept.shape, selection.kept, selection.inflated
    ((18, 1), 1, False)
    """
    if trials not in TRIALS:
        raise unknown("choice of trials", trials, TRIALS)
    if method not in SELECTING:
        raise unknown("method of reliability to select by", method, SELECTING)
    check_sampling(splits=splits, seed=seed)
    if not threshold <= 1:
        raise InputError(f"threshold must be a reliability, at most 1, not {threshold!r}.")
    responses = responses_of(teacher_or_assembly)
    choosing, returned = (
        _apart(responses, seed) if trials == "other" else (responses, _marked(responses))
    )
    chosen_by = _of_all(reliability(choosing, method, splits, seed), choosing, responses)
    wanted = _reached(chosen_by, threshold, trials)
    how = {"threshold": threshold, "method": method, "trials": trials, "seed": seed}
    kept = returned.isel(neuroid=wanted)
    counts = {"kept": len(wanted), "neuroids": chosen_by.sizes["neuroid"]}
    kept = kept.assign_attrs(selected=json.dumps(how | counts))
    own = reliability(kept, method, splits, seed)
    stepped = _of_all(own, kept, responses.isel(neuroid=wanted)).values
    own = own.assign_coords(of_all_trials=("neuroid", stepped))
    rests_on = pd.DataFrame(
        {"chosen_by": _counted(choosing, responses), "reliability": _counted(kept, responses)}
    )
    selection = Selection(threshold, trials, chosen_by, own, rests_on.T)
    given: Any = teacher_or_assembly
    made: Any = _taught(given, kept) if isinstance(given, Teacher) else kept
    return made, selection


def _taught(teacher: Teacher, kept: xr.DataArray) -> Teacher:
    """Return the teacher of the neuroids kept."""
    answered = set(kept["stimulus_id"].values)
    ids = [name for name in teacher.stimuli.stimulus_ids if name in answered]
    whole = len(ids) == len(teacher.stimuli)
    return replace(
        teacher,
        id=f"{teacher.id}-reliable",
        stimuli=teacher.stimuli if whole else teacher.stimuli.take(ids),
        assembly=kept,
        stored_rdms=None,
        card=None,
    )


def _of_all(found: xr.DataArray, part: xr.DataArray, whole: xr.DataArray) -> xr.DataArray:
    """Step reliabilities of some trials up to all; those not above 0 stay as they are."""
    if part.sizes["presentation"] == whole.sizes["presentation"]:
        return found
    with np.errstate(invalid="ignore"):
        values = predicted_reliability(found.values, _repetitions(part), _repetitions(whole))
    target = f"{found.attrs['target']}, stepped up from a part of them"
    return found.copy(data=np.where(found.values > 0, values, found.values)).assign_attrs(
        target=target
    )


def _repetitions(responses: xr.DataArray) -> Any:
    """Return the harmonic mean of repetitions of the stimuli repeated, shape (neuroid,)."""
    mean = np.full(responses.sizes["neuroid"], np.nan)
    for trials in trials_of(responses):
        if len(trials.counts):
            mean[trials.columns] = 1.0 / (1.0 / trials.counts).mean()
    return mean


def _marked(responses: xr.DataArray) -> xr.DataArray:
    return responses.assign_attrs(inflated=INFLATED)


def _apart(responses: xr.DataArray, seed: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Return a half of the repetitions of every stimulus with `LEAST`, and all that is left."""
    answered = np.flatnonzero(~np.isnan(responses.values).all(1))
    order, starts = group_starts(responses["stimulus_id"].values[answered])
    counts = np.diff(np.append(starts, len(order)))
    repeated = np.repeat(counts >= LEAST, counts)
    first = np.zeros(len(order), bool)
    if repeated.any():
        first[repeated] = next(halves(counts[counts >= LEAST], 1, seed))
    choosing, rest = (np.sort(answered[order[each]]) for each in (first, ~first))
    if (counts >= LEAST).sum() < MINIMUM_STIMULI:
        raise _too_few("other")
    # What the card says of repetitions is true of neither half, nor is what was simulated.
    responses = responses.drop_vars("true_reliability", errors="ignore")
    kept = {key: value for key, value in responses.attrs.items() if key != "repetitions"}
    responses = responses.drop_attrs(deep=False).assign_attrs(kept)
    return responses.isel(presentation=choosing), responses.isel(presentation=rest)


def _counted(part: xr.DataArray, whole: xr.DataArray) -> dict[str, int]:
    """Count the stimuli repeated in some trials, their presentations, and the stimuli left."""
    answered, every = (
        each["stimulus_id"].values[~np.isnan(each.values).all(1)] for each in (part, whole)
    )
    shown = pd.Series(answered).value_counts()
    repeated = shown[shown >= 2]
    return {
        "stimuli": len(repeated),
        "presentations": int(repeated.sum()),
        "stimuli_left_out": len(set(every)) - len(repeated),
    }


def _too_few(trials: str) -> InputError:
    need = "4 repetitions of at least 3 stimuli, 2 in each half" if trials == "other" else ""
    need = need or "2 repetitions of at least 3 stimuli"
    step = "; with 2 or 3 choose trials='same', which marks the result inflated"
    return InputError(
        "no neuroid's reliability can be estimated on the trials that should choose: this takes "
        f"{need}{step if trials == 'other' else ''}."
    )


def _reached(chosen_by: xr.DataArray, threshold: float, trials: str) -> Any:
    values = chosen_by.values
    if np.isnan(values).all():
        raise _too_few(trials)
    wanted = np.flatnonzero(values >= threshold)
    if not len(wanted):
        raise InputError(
            f"no neuroid reaches a reliability of {threshold:g}; the highest of "
            f"{len(values)} is {np.nanmax(values):.3f}. Choose a lower threshold."
        )
    return wanted
