"""Similarities and RDMs beside rsatoolbox, in turn in one run.

8 layers × 1000 units against 3 regions × 100 sites over 5000 stimuli, by Pearson and by Spearman
of correlation RDMs; one correlation RDM; one crossnobis RDM. Ours is one call of the public
function, checks and alignment included; theirs is `calc_rdm` of each region and one `compare`.
Times are medians; the first call of ours is warm-up for time, but counts for memory. Exits 1
where a goal is not reached.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import rsatoolbox
import torch
import xarray as xr
from side_by_side import Goal, in_turn, measure_machine, report

import neurosage as ns

LAYERS, UNITS, REGIONS, SITES = 8, 1000, ("V4", "pIT", "aIT"), 100


def recording(names, width: int, latent: np.ndarray, dtype: str, seed: int) -> xr.DataArray:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(latent.shape[1], len(names) * width))
    values = latent @ mixing + 3.0 * rng.normal(size=(len(latent), len(names) * width)) + 2.0
    ids = [f"image-{i}" for i in range(len(latent))]
    return ns.assembly(values.astype(dtype), stimulus_id=ids, region=np.repeat(names, width))


def both_sides(stimuli: int, dtype: str) -> tuple[xr.DataArray, xr.DataArray]:
    latent = np.random.default_rng(0).normal(size=(stimuli, 20))
    layers = [f"layer{i}" for i in range(LAYERS)]
    candidate = recording(layers, UNITS, latent, dtype, seed=1)
    return candidate, recording(REGIONS, SITES, latent, dtype, seed=2)


def matrices(side: xr.DataArray) -> list[np.ndarray]:
    return [ns.select(side, region=name).values for name in dict.fromkeys(side.region.values)]


def by_rsatoolbox(candidate: list[np.ndarray], teacher: list[np.ndarray], method: str):
    sides = []
    for side in (candidate, teacher):
        datasets = [rsatoolbox.data.Dataset(matrix) for matrix in side]
        rdms = [rsatoolbox.rdm.calc_rdm(each, method="correlation") for each in datasets]
        sides.append(rsatoolbox.rdm.concat(rdms))
    return np.asarray(rsatoolbox.rdm.compare(*sides, method=method))


def compared(stimuli: int, dtype: str, comparison: str, rounds: int, least: float | None, machine):
    candidate, teacher = both_sides(stimuli, dtype)
    apart = matrices(candidate), matrices(teacher)
    theirs = {"pearson": "corr"}.get(comparison, comparison)
    ours, peer = in_turn(
        lambda: ns.similarity(candidate, teacher, "correlation", comparison).values,
        lambda: by_rsatoolbox(*apart, theirs),
        rounds,
    )
    n, p, q = stimuli, UNITS, len(REGIONS) * SITES
    read = 1e-9 * (candidate.nbytes + teacher.nbytes)
    if comparison == "pearson":  # the products of the factored path, and reading the input
        limit = machine.seconds(1e-9 * n * (2 * LAYERS * p * q + LAYERS * p * p + q * SITES), read)
    else:  # the products of all RDMs, each distance written once and read once
        pairs = n * (n - 1) / 2
        products = 2e-9 * pairs * (LAYERS * p + q)
        limit = machine.seconds(products, read + 1.6e-8 * pairs * (LAYERS + len(REGIONS)))
    gap = float(np.abs(ours.result - peer.result).max())
    work = f"{LAYERS} x {UNITS} to {len(REGIONS)} x {SITES}, n = {n}, {comparison}, {dtype}"
    return Goal(work, ours, peer, least, gap, limit=limit)


def one_rdm(stimuli: int, rounds: int, machine) -> Goal:
    latent = np.random.default_rng(0).normal(size=(stimuli, 20))
    region = recording(("V4",), UNITS, latent, "float64", seed=3)
    data = rsatoolbox.data.Dataset(region.values)
    ours, peer = in_turn(
        lambda: ns.rdms(region, "correlation").values[0],
        lambda: rsatoolbox.rdm.calc_rdm(data, method="correlation").dissimilarities[0],
        rounds,
    )
    gap = float(np.abs(ours.result[np.triu_indices(stimuli, 1)] - peer.result).max())
    limit = machine.seconds(1e-9 * stimuli**2 * UNITS, 1e-9 * (region.nbytes + 8 * stimuli**2))
    return Goal(
        f"one correlation RDM, n = {stimuli}, p = {UNITS}", ours, peer, 5.0, gap, limit=limit
    )


def crossnobis(rounds: int, machine, n: int = 500, width: int = 300, repetitions: int = 10) -> Goal:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(n, width))
    values = np.tile(signal, (repetitions, 1)) + rng.normal(size=(repetitions * n, width))
    ids = np.tile([f"image-{i}" for i in range(n)], repetitions)
    labels = np.repeat(np.arange(repetitions), n)
    region = ns.assembly(values, stimulus_id=ids, region="V4", fold=labels)
    data = rsatoolbox.data.Dataset(
        values, obs_descriptors={"stimulus": np.tile(np.arange(n), repetitions), "run": labels}
    )
    ours, peer = in_turn(
        lambda: ns.rdms(region, "crossnobis").values[0],
        lambda: rsatoolbox.rdm.calc_rdm(
            data, method="crossnobis", descriptor="stimulus", cv_descriptor="run"
        ).dissimilarities[0],
        rounds,
    )
    gap = float(np.abs(ours.result[np.triu_indices(n, 1)] - peer.result).max())
    products = 1e-9 * n * n * width * (repetitions + 1)
    limit = machine.seconds(products, 1e-9 * values.nbytes, "float64")
    work = f"crossnobis, {repetitions} repetitions, n = {n}, p = {width}"
    return Goal(work, ours, peer, 5.0, gap, limit=limit)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stimuli", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3, help="calls of rsatoolbox")
    arguments = parser.parse_args()
    n, rounds = arguments.stimuli, arguments.rounds
    machine = measure_machine()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, numpy {np.__version__}")
    goals = [
        compared(n, "float64", "pearson", rounds, 25.0, machine),
        compared(n, "float32", "pearson", max(1, rounds - 1), None, machine),
        compared(n, "float64", "spearman", max(1, rounds - 1), 4.0, machine),
        one_rdm(n, rounds, machine),
        crossnobis(rounds, machine),
    ]
    return report(goals, machine)


if __name__ == "__main__":
    sys.exit(main())
