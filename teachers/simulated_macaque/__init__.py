"""SIMULATED populations of V4, pIT and aIT; no animal was recorded. README.md says how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.data.registry import load_stimuli
from neurosage.data.simulate import simulate
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.data.tuning import (
    Floats,
    category_drive,
    local_drive,
    oriented_energy,
    tuned_rates,
)
from neurosage.errors import InputError

SHOWN = 360  # the last of the digits; the others stay free for training
REPETITIONS = 8
SEED = 4610


@dataclass(frozen=True)
class Population:
    """How a region is tuned.

    Parameters
    ----------
    region : str
        Its name.
    neuroids : int
        How many.
    width : float
        SD of receptive fields, in steps of 2 pixels; the image is 8 steps wide.
    conjunction : bool
        Whether a unit needs two local patterns at once.
    category : float
        Share of the drive's variance that is the category's, 0 to 1.
    """

    region: str
    neuroids: int
    width: float
    conjunction: bool
    category: float


POPULATIONS = (
    Population("V4", 60, width=1.0, conjunction=False, category=0.0),
    Population("pIT", 60, width=2.0, conjunction=True, category=0.3),
    Population("aIT", 80, width=4.0, conjunction=True, category=0.8),
)


def load(part: str | None = None) -> Teacher:  # noqa: ARG001  # there is only one
    """Return the teacher; its ``kind`` is ``"simulated"``.

    Parameters
    ----------
    part : str, optional
        There is only one, ``"all"``.

    Returns
    -------
    Teacher
        Counts of spikes in 100 ms, 8 repetitions of each of the last 360 digits.
    """
    stimuli = _shown()
    recorded = simulate(_rates(_seen(stimuli), len(stimuli)), REPETITIONS, seed=SEED)
    return Teacher("simulated-macaque", stimuli, recorded, normalise="zscore", kind="simulated")


def true_rates(stimuli: StimulusSet | None = None, neuroids: int | None = None) -> xr.DataArray:
    """Return the rates that the spikes are drawn from; their RDMs are the true RDMs.

    Parameters
    ----------
    stimuli : StimulusSet, optional
        Any of the digits; those that the teacher was shown if omitted. A neuroid answers to
        a digit alike, whatever the others are.
    neuroids : int, optional
        How many in each region; the teacher's own if omitted. Other numbers give other
        neuroids of the same populations.

    Returns
    -------
    xarray.DataArray
        Assembly, stimulus × neuroid (360 × 200 if nothing is given), spikes/s.

    Raises
    ------
    InputError
        If the stimuli have no labels from 0 to 9, or another size than the digits.
    """
    shown = _seen(_shown())
    if stimuli is None:
        return _rates(shown, SHOWN, neuroids)
    asked = _seen(stimuli)
    if asked.images.shape[1:] != shown.images.shape[1:]:
        size = "×".join(map(str, asked.images.shape[1:3]))
        raise InputError(f"the populations answer to digits of 16×16 pixels, not of {size}.")
    # The digits that the teacher was shown come first: they set each neuroid's mean and SD.
    both = _Seen(*(np.concatenate(pair) for pair in zip(shown, asked, strict=True)))
    return _rates(both, SHOWN, neuroids).isel(presentation=slice(SHOWN, None))


class _Seen(NamedTuple):
    ids: npt.NDArray[Any]
    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[Any]


def _shown() -> StimulusSet:
    digits = load_stimuli("digits")
    return digits.take(digits.stimulus_ids[-SHOWN:])


def _seen(stimuli: StimulusSet) -> _Seen:
    if "label" not in stimuli.table or not set(stimuli.table["label"]) <= set(range(10)):
        raise InputError(f"the stimuli {stimuli.id!r} have no labels from 0 to 9: give digits.")
    images = np.stack([stimuli.image(k) for k in range(len(stimuli))])
    return _Seen(stimuli.stimulus_ids, images, stimuli.table["label"].to_numpy())


def _rates(seen: _Seen, reference: int, neuroids: int | None = None) -> xr.DataArray:
    """Rates of all that is seen; the first `reference` stimuli set the drives' scale."""
    energy = oriented_energy(seen.images)
    made = []
    for k, own in enumerate(POPULATIONS):
        population = own if neuroids is None else replace(own, neuroids=neuroids)
        seeds = [int(s) for s in np.random.SeedSequence([SEED, k]).generate_state(4)]
        drive = _drive(population, energy, seen.labels, seeds, reference)
        lognormal = np.random.default_rng(seeds[3]).lognormal(0, 0.5, population.neuroids)
        made.append(
            tuned_rates(
                drive,
                stimulus_id=seen.ids,
                region=population.region,
                mean_rate=20 * lognormal,
                reference=drive[:reference],
            )
        )
    return xr.concat(
        made, "neuroid", coords="minimal", compat="override", join="exact", combine_attrs="override"
    )


def _drive(
    population: Population, energy: Floats, labels: Floats, seeds: list[int], reference: int
) -> Floats:
    local = local_drive(energy, population.neuroids, population.width, seeds[0])
    if population.conjunction:
        other = local_drive(energy, population.neuroids, population.width, seeds[1])
        local = np.sqrt(local * other)
    category = category_drive(labels, population.neuroids, seeds[2])
    share = population.category
    mixed = np.sqrt(1 - share) * _standard(local, reference)
    return np.asarray(mixed + np.sqrt(share) * _standard(category, reference))


def _standard(drive: Floats, reference: int) -> Floats:
    first = drive[:reference]
    return np.asarray((drive - first.mean(axis=0)) / first.std(axis=0))
