"""Similarity of many layers to many regions, beside rsatoolbox, in turn in one run.

8 layers × 1000 units against 3 regions × 100 sites over 5000 stimuli, correlation distance,
Pearson comparison. Ours is one call of `neurosage.similarity`, checks and alignment included;
theirs is `calc_rdm` eleven times and one `compare` of 8 RDMs with 3. Times are medians over
rounds; the first call of each is warm-up for time, but counts for memory. Exits 1 where a
figure is not reached.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import psutil
import rsatoolbox
import torch
import xarray as xr

import neurosage as ns

FASTER, EQUAL, MEGABYTES = 15.0, 1e-5, 500.0


@dataclass
class Timed:
    """What the calls of one way took."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: float = 0.0  # MB above what was held before
    result: np.ndarray | None = None

    def run(self, call: Callable[[], np.ndarray], *, warm_up: bool = False) -> None:
        gc.collect()
        with PeakMemory() as peak:
            wall, cpu = time.perf_counter(), time.process_time()
            self.result = call()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.memory = max(self.memory, peak.extra)
        if not warm_up:
            self.wall.append(wall)
            self.cpu.append(cpu)


class PeakMemory:
    """The largest resident size seen while a call runs, above the size before it, in MB."""

    def __enter__(self) -> PeakMemory:
        self._process, self._stop = psutil.Process(), threading.Event()
        self._before = self._peak = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.extra = (self._peak - self._before) / 1e6


def recording(names: list[str], width: int, latent: np.ndarray, dtype: str, seed: int):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(latent.shape[1], len(names) * width))
    values = latent @ mixing + 3.0 * rng.normal(size=(len(latent), len(names) * width)) + 2.0
    ids = [f"image-{i}" for i in range(len(latent))]
    region = np.repeat(names, width)
    return ns.assembly(values.astype(dtype), stimulus_id=ids, region=region)


def by_neurosage(candidate: xr.DataArray, teacher: xr.DataArray) -> np.ndarray:
    return ns.similarity(candidate, teacher, "correlation", "pearson").values


def matrices(side: xr.DataArray) -> list[np.ndarray]:
    return [ns.select(side, region=name).values for name in dict.fromkeys(side.region.values)]


def by_rsatoolbox(candidate: list[np.ndarray], teacher: list[np.ndarray]) -> np.ndarray:
    sides = []
    for side in (candidate, teacher):
        datasets = [rsatoolbox.data.Dataset(matrix) for matrix in side]
        rdms = [rsatoolbox.rdm.calc_rdm(each, method="correlation") for each in datasets]
        sides.append(rsatoolbox.rdm.concat(rdms))
    return np.asarray(rsatoolbox.rdm.compare(*sides, method="corr"))


def measure(arguments: argparse.Namespace, dtype: str, rounds: int) -> bool:
    latent = np.random.default_rng(0).normal(size=(arguments.stimuli, 20))
    layers = [f"layer{i}" for i in range(8)]
    candidate = recording(layers, 1000, latent, dtype, seed=1)
    teacher = recording(["V4", "pIT", "aIT"], 100, latent, dtype, seed=2)
    apart = matrices(candidate), matrices(teacher)
    ours, theirs = Timed(), Timed()
    ours.run(lambda: by_neurosage(candidate, teacher), warm_up=True)
    for _ in range(rounds):
        for _ in range(arguments.repeat):
            ours.run(lambda: by_neurosage(candidate, teacher))
        theirs.run(lambda: by_rsatoolbox(*apart))
    return table(dtype, ours, theirs)


def table(dtype: str, ours: Timed, theirs: Timed) -> bool:
    wall = [statistics.median(way.wall) for way in (ours, theirs)]
    cpu = [statistics.median(way.cpu) for way in (ours, theirs)]
    apart = float(np.abs(ours.result - theirs.result).max())
    print(f"\n{dtype} patterns{'neurosage':>22}{'rsatoolbox':>13}{'ratio':>9}")
    print(f"{'wall seconds, median':28}{wall[0]:>10.2f}{wall[1]:>13.2f}{wall[1] / wall[0]:>9.1f}")
    print(f"{'CPU seconds, median':28}{cpu[0]:>10.2f}{cpu[1]:>13.2f}{cpu[1] / cpu[0]:>9.1f}")
    print(f"{'peak extra memory, MB':28}{ours.memory:>10.0f}{theirs.memory:>13.0f}")
    print(f"{'largest difference':28}{apart:>10.1e}")
    print(f"{'calls':28}{len(ours.wall):>10}{len(theirs.wall):>13}")
    reached = [wall[1] / wall[0] >= FASTER, apart <= EQUAL, ours.memory < MEGABYTES]
    named = (f"{FASTER:g}x faster", f"equal to {EQUAL}", f"< {MEGABYTES:g} MB")
    print(
        "; ".join(
            f"{name}: {'yes' if each else 'NO'}" for name, each in zip(named, reached, strict=True)
        ),
        flush=True,
    )
    return all(reached)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stimuli", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3, help="calls of rsatoolbox, float64")
    parser.add_argument("--repeat", type=int, default=3, help="calls of ours beside each of theirs")
    arguments = parser.parse_args()
    print(
        f"8 layers x 1000 units to 3 regions x 100 sites, {arguments.stimuli} stimuli; "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, numpy {np.__version__}"
    )
    reached = measure(arguments, "float64", arguments.rounds)
    measure(arguments, "float32", max(1, arguments.rounds - 1))  # reported, not required
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
