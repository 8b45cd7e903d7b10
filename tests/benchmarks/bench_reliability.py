"""Split-half reliability of many neuroids, beside plain loops over neuroids, in one run.

300 neuroids × 5760 stimuli × 28 repetitions, 100 splits, Poisson counts stored as float32 (the
stricter for memory) and then float64. Ours is one call of `neurosage.reliability`, checks and
splits included. The loops are numpy, one neuroid and one split at a time: `own halves` shuffles
each neuroid's repetitions for itself; `shared halves` is the leaner loop, given boolean masks
that were drawn once for all neuroids and at no cost to it. They are timed on a part of the
neuroids, between calls of ours, and scaled to all. Exits 1 where a figure is not reached.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time

import numpy as np
import psutil
import xarray as xr
from side_by_side import PeakMemory

import neurosage as ns
from neurosage.rsa.reliability.splits import padded_halves

FASTER, EQUAL, MEMORY = 10.0, 1e-9, 1.0  # memory: largest share of the data held beside it


def recording(arguments: argparse.Namespace, dtype: str) -> xr.DataArray:
    rng = np.random.default_rng(0)
    n, repetitions = arguments.stimuli, arguments.repetitions
    values = np.empty((n * repetitions, arguments.neuroids), dtype)
    for neuroid in range(arguments.neuroids):
        rate = np.exp(rng.normal(0.5, rng.uniform(0.05, 0.6), n))
        values[:, neuroid] = rng.poisson(np.repeat(rate, repetitions))
    ids = np.repeat([f"image-{i}" for i in range(n)], repetitions)
    return ns.assembly(values, stimulus_id=ids, region="IT")


def own_halves(trials: np.ndarray, splits: int, rng: np.random.Generator) -> float:
    half = trials.shape[1] // 2
    correlations = []
    for _ in range(splits):
        shuffled = rng.permuted(trials, axis=1)
        first, second = shuffled[:, :half].mean(1), shuffled[:, half:].mean(1)
        correlations.append(np.corrcoef(first, second)[0, 1])
    return corrected(correlations)


def shared_halves(trials: np.ndarray, masks: np.ndarray) -> float:
    half = trials.shape[1] // 2
    correlations = []
    for mask in masks:
        first, second = (trials * mask).sum(1) / half, (trials * ~mask).sum(1) / half
        correlations.append(np.corrcoef(first, second)[0, 1])
    return corrected(correlations)


def corrected(correlations: list[float]) -> float:
    mean = float(np.mean(correlations))
    return 2 * mean / (1 + mean)


def timed(call, *arguments):
    start = time.perf_counter()
    result = call(*arguments)
    return time.perf_counter() - start, result


def measure(arguments: argparse.Namespace, dtype: str) -> bool:
    recorded = recording(arguments, dtype)
    data = recorded.nbytes / 1e6
    shape = (arguments.stimuli, arguments.repetitions)
    masks = padded_halves(np.full(shape[0], shape[1]), arguments.splits, seed=0)
    rng = np.random.default_rng(1)
    with PeakMemory() as peak:
        found = ns.reliability(recorded, splits=arguments.splits)
    ours, loops, apart = [], {"own halves": [], "shared halves": []}, 0.0
    for neuroid in np.linspace(0, arguments.neuroids - 1, arguments.part).astype(int):
        ours.append(timed(lambda: ns.reliability(recorded, splits=arguments.splits))[0])
        trials = recorded.values[:, neuroid].reshape(shape).astype(np.float64)
        loops["own halves"].append(timed(own_halves, trials, arguments.splits, rng)[0])
        seconds, value = timed(shared_halves, trials, masks)
        loops["shared halves"].append(seconds)
        apart = max(apart, abs(value - float(found[neuroid])))
    return table(dtype, data, peak.extra, ours, loops, apart, arguments)


def table(dtype, data, extra, ours, loops, apart, arguments) -> bool:
    own = statistics.median(ours)
    print(f"\n{dtype}: {data:.0f} MB of data, beside it {extra:.0f} MB ({extra / data:.2f} of it)")
    print(f"{'neurosage, median of ' + str(len(ours)) + ' calls':44}{own:>9.2f} s")
    ratios = {}
    for name, seconds in loops.items():
        whole = statistics.median(seconds) * arguments.neuroids
        ratios[name] = whole / own
        label = f"loop, {name}, {arguments.part} neuroids scaled"
        print(f"{label:44}{whole:>9.1f} s{ratios[name]:>9.1f}x")
    print(f"{'largest difference (same halves)':44}{apart:>11.1e}")
    reached = {
        f"{FASTER:g}x faster than either loop": min(ratios.values()) >= FASTER,
        "less than the data held beside it": extra / data < MEMORY,
        f"equal to {EQUAL}": apart <= EQUAL,
    }
    print("; ".join(f"{name}: {'yes' if each else 'NO'}" for name, each in reached.items()))
    return all(reached.values())


def intervals(arguments: argparse.Namespace) -> None:
    recorded = recording(arguments, "float32")
    for method in ("variance", "split-half"):
        with PeakMemory() as peak:
            seconds, _ = timed(lambda how=method: ns.reliability(recorded, how, interval=0.95))
        share = peak.extra * 1e6 / recorded.nbytes
        print(f"with intervals, 1000 resamples, {method}: {seconds:.1f} s, {share:.2f} of the data")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neuroids", type=int, default=300)
    parser.add_argument("--stimuli", type=int, default=5760)
    parser.add_argument("--repetitions", type=int, default=28, help="even: the loops halve them")
    parser.add_argument("--splits", type=int, default=100)
    parser.add_argument("--part", type=int, default=5, help="neuroids that the loops are timed on")
    arguments = parser.parse_args()
    print(f"{vars(arguments)}; numpy {np.__version__}, {psutil.cpu_count()} cores")
    reached = [measure(arguments, dtype) for dtype in ("float32", "float64")]
    intervals(arguments)
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
