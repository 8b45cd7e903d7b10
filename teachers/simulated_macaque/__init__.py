"""SIMULATED populations of V4, pIT and aIT; no animal was recorded. README.md says how."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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
    recorded = simulate(_rates(stimuli), REPETITIONS, seed=SEED)
    return Teacher("simulated-macaque", stimuli, recorded, normalise="zscore", kind="simulated")


def true_rates() -> xr.DataArray:
    """Return the rates that the spikes are drawn from; their RDMs are the true RDMs.

    Returns
    -------
    xarray.DataArray
        Assembly, 360 stimuli × 200 neuroids, spikes/s.
    """
    return _rates(_shown())


def _shown() -> StimulusSet:
    digits = load_stimuli("digits")
    return digits.take(digits.stimulus_ids[-SHOWN:])


def _rates(stimuli: StimulusSet) -> xr.DataArray:
    images = np.stack([stimuli.image(k) for k in range(len(stimuli))])
    energy = oriented_energy(images)
    labels = stimuli.table["label"].to_numpy()
    made = []
    for k, population in enumerate(POPULATIONS):
        seeds = [int(s) for s in np.random.SeedSequence([SEED, k]).generate_state(4)]
        made.append(
            tuned_rates(
                _drive(population, energy, labels, seeds),
                stimulus_id=stimuli.stimulus_ids,
                region=population.region,
                mean_rate=20
                * np.random.default_rng(seeds[3]).lognormal(0, 0.5, population.neuroids),
            )
        )
    return xr.concat(
        made, "neuroid", coords="minimal", compat="override", join="exact", combine_attrs="override"
    )


def _drive(population: Population, energy: Floats, labels: Floats, seeds: list[int]) -> Floats:
    local = local_drive(energy, population.neuroids, population.width, seeds[0])
    if population.conjunction:
        other = local_drive(energy, population.neuroids, population.width, seeds[1])
        local = np.sqrt(local * other)
    category = category_drive(labels, population.neuroids, seeds[2])
    share = population.category
    mixed = np.sqrt(1 - share) * _standard(local) + np.sqrt(share) * _standard(category)
    return np.asarray(mixed)


def _standard(drive: Floats) -> Floats:
    return np.asarray((drive - drive.mean(axis=0)) / drive.std(axis=0))
