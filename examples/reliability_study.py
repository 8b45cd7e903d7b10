"""Do the reliabilities and ceilings that neurosage reports come to the truth?

The rates of the simulated macaque's neuroids are known for all 1797 digits. Recordings are
simulated from them, and every estimate is put beside the truth:

    python examples/reliability_study.py             all of it: minutes on two cores
    python examples/reliability_study.py --quick     the same tables from few recordings
    python examples/reliability_study.py --write docs/reliability.md

Tables go to standard output, progress to standard error.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import logging
import multiprocessing
import os
import re
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from neurosage.teachers.simulated_macaque import true_rates

from neurosage.data.registry import load_stimuli
from neurosage.data.simulate import draw_stimuli, population_reliability, simulate
from neurosage.rsa.ceilings.attainable import attainable_similarity
from neurosage.rsa.ceilings.ceiling import noise_ceiling
from neurosage.rsa.ceilings.noise_corrected import noise_corrected
from neurosage.rsa.reliability.neuroids import reliability
from neurosage.rsa.reliability.regions import rdm_reliability
from neurosage.rsa.similarity import similarity

RATES = {23: 1.0, 5.7: 0.25, 2.3: 0.1, 1.1: 0.05}  # mean spikes/s, and of the teacher's own
RAGGED = {"2 to 10": (2, 10), "4 to 12": (4, 12)}
METHODS = ("split-half", "variance")
DISTANCES = ("correlation", "euclidean", "crossnobis")
Row = dict[str, Any]
Size = dict[str, int]
Cells = list[tuple[Any, ...]]
FULL = {"neuroids": 50, "rdms": 6, "intervals": 40, "splits": 20, "resamples": 400}
QUICK = {"neuroids": 2, "rdms": 2, "intervals": 2, "splits": 3, "resamples": 50}


@functools.cache
def rates_of(what: str, rate: float) -> xr.DataArray:
    """True rates: `population`, all digits; `shown`, 360 of them; `sites`, 600 a region."""
    if what == "population":
        rates = true_rates(load_stimuli("digits"))
    else:
        rates = true_rates(neuroids=600 if what == "sites" else None)
    return rates.copy(data=rates.values * RATES[rate])


def repetitions_of(kind: int | str, stimuli: int, seed: int) -> Any:
    low, high = RAGGED[kind] if isinstance(kind, str) else (kind, kind)
    return np.random.default_rng([seed, 1]).integers(low, high + 1, stimuli)


def seeds_of(count: int, *key: int) -> list[int]:
    return [int(state) for state in np.random.SeedSequence(key).generate_state(count)]


def drawn(rate: float, n: int, repetitions: int | str, own: int) -> tuple[xr.DataArray, Any]:
    """One recording of n stimuli drawn from the population, and its repetitions."""
    times = repetitions_of(repetitions, n, own)
    return simulate(draw_stimuli(rates_of("population", rate), n, own), times, seed=own), times


def neuroids(rate: float, repetitions: int | str, n: int, size: Size, seed: int) -> Row:
    errors, covered = ({method: [] for method in METHODS} for _ in range(2))
    for own in seeds_of(size["neuroids"], seed, n, int(10 * rate)):
        recorded, times = drawn(rate, n, repetitions, own)
        truth = population_reliability(rates_of("population", rate), times)[::3]
        for method in METHODS:
            how = {"splits": 20, "seed": own, "interval": 0.95, "resamples": size["resamples"]}
            found = reliability(recorded[:, ::3], method, **how)
            errors[method].append(found.values - truth)
            covered[method].append(within(truth, found["low"].values, found["high"].values))
    row: Row = {
        "spikes/s": f"{rate:g}",
        "R": repetitions,
        "n": n,
        "true": f"{np.median(truth):.2f}",
    }
    for method in METHODS:
        error = np.array(errors[method])
        bias, se = np.median(np.nanmean(error, 0)), standard_error(np.nanmedian(error, 1))
        row[f"{method}: bias"] = f"{bias:+.3f} ± {se:.3f}"
        row[f"{method}: SD"] = f"{np.median(np.nanstd(error, 0)):.3f}"
        row[f"{method}: covered"] = percent(covered[method])
    return row


def trials(rate: float, repetitions: int | str, size: Size, seed: int) -> Row:
    rates = rates_of("shown", rate)
    times = repetitions_of(repetitions, rates.sizes["presentation"], seed)
    made = [simulate(rates, times, seed=own) for own in seeds_of(size["rdms"], seed)]
    row: Row = {"spikes/s": f"{rate:g}", "R": repetitions}
    row["neuroids"] = f"{float(reliability(made[0], 'variance').mean()):.2f}"
    for distance in DISTANCES:
        row |= ceilings("trials", distance, made, rates, times, None, size, seed)
    return row


def sites(rate: float, count: int, size: Size, seed: int) -> Row:
    """Each recording is of some neuroids, drawn from the 600 that a region has."""
    rates, made = rates_of("sites", rate), []
    for own in seeds_of(size["rdms"], seed, count):
        rng = np.random.default_rng(own)
        chosen = [start + rng.choice(600, count, replace=False) for start in (0, 600, 1200)]
        made.append(simulate(rates[:, np.concatenate(chosen)], 8, seed=own))
    row: Row = {"spikes/s": f"{rate:g}", "sites": count}
    for distance in DISTANCES:
        row |= ceilings("sites", distance, made, rates, 8, count, size, seed)
    return row


def ceilings(
    kind: str,
    distance: str,
    made: list[xr.DataArray],
    rates: xr.DataArray,
    times: Any,
    count: int | None,
    size: Size,
    seed: int,
) -> Row:
    how = {"distance": distance, "normalise": "zscore"}
    found = [
        noise_ceiling(each, kind, splits=size["splits"], interval=None, **how) for each in made
    ]
    true = attainable_similarity(
        rates, times, sites=count, recordings=max(3, len(made)), seed=seed, **how
    )
    estimates = np.array([each.ceiling.values for each in found])
    return {
        f"{distance}: ceiling": spread(estimates),
        f"{distance}: true": f"{float(true.similarity.mean()):.2f}",
    }


def intervals(kind: str, rate: float, n: int, size: Size, seed: int) -> Row:
    """What all stimuli of the population would give should lie in the interval."""
    how = {"normalise": "zscore", "splits": size["splits"], "seed": seed}
    everything = simulate(rates_of("population", rate), 8, seed=seed)
    truth = rdm_reliability(everything, kind, interval=None, **how).reliability.values
    errors, covered = [], []
    for own in seeds_of(size["intervals"], seed, n):
        found = rdm_reliability(drawn(rate, n, 8, own)[0], kind, resamples=size["resamples"], **how)
        errors.append(found.reliability.values - truth)
        covered.append(within(truth, found.low.values, found.high.values))
    row: Row = {"kind": kind, "spikes/s": f"{rate:g}", "n": n, "true": f"{truth.mean():.2f}"}
    row["bias"] = f"{np.nanmean(errors):+.3f} ± {standard_error(np.nanmean(errors, 1)):.3f}"
    row["SD"] = f"{np.nanstd(errors, 0).mean():.3f}"
    return row | {"covered": percent(covered)}


def corrected(rate: float, repetitions: int | str, size: Size, seed: int) -> Row:
    """The network answers as 100 other neuroids of pIT would, without noise."""
    rates = rates_of("shown", rate)
    network = true_rates(neuroids=100)[:, 100:200]
    times = repetitions_of(repetitions, rates.sizes["presentation"], seed)
    made = [simulate(rates, times, seed=own) for own in seeds_of(size["rdms"], seed)]
    row: Row = {"spikes/s": f"{rate:g}", "R": repetitions}
    both = ("zscore", "zscore")
    for distance in DISTANCES:
        plain = "euclidean" if distance == "crossnobis" else distance
        how = {"splits": size["splits"], "resamples": 100, "seed": seed}
        found = [
            noise_corrected(network, a, distance=distance, normalise=both, **how) for a in made
        ]
        raw = np.mean([each.similarity.values for each in found])
        estimates = np.array([each.corrected.values[0] for each in found])
        true = similarity(network, rates, plain, normalise=both).values.mean()
        row |= {f"{distance}: r": f"{raw:.2f}", f"{distance}: corrected": spread(estimates)}
        row[f"{distance}: true"] = f"{true:.2f}"
    return row


def within(truth: Any, low: Any, high: Any) -> Any:
    inside = (low <= truth) & (truth <= high)
    return np.where(np.isnan(low), np.nan, inside)


def standard_error(by_recording: Any) -> float:
    return float(np.std(by_recording, ddof=1) / np.sqrt(len(by_recording)))


def percent(covered: Any) -> str:
    """Neuroids and regions of one recording share its stimuli: the error is over recordings."""
    by_recording = 100 * np.nanmean(covered, axis=1)
    return f"{by_recording.mean():.1f} ± {standard_error(by_recording):.1f}%"


def spread(estimates: Any) -> str:
    """Mean over regions and recordings, SD over recordings, and how many have none."""
    missing = int(np.isnan(estimates).sum())
    several = estimates[:, (~np.isnan(estimates)).sum(axis=0) > 1]
    over = f" ± {np.nanstd(several, axis=0, ddof=1).mean():.2f}" if several.size else ""
    lacking = f" ({missing} of {estimates.size} not estimable)" if missing else ""
    return f"{np.nanmean(estimates):.2f}{over}{lacking}" if missing < estimates.size else "–"


TABLES: dict[str, tuple[Callable[..., Row], Cells]] = {
    "neuroids": (
        neuroids,
        list(itertools.product((23, 5.7, 2.3), (2, 3, 8, "2 to 10"), (100, 300, 600))),
    ),
    "trials": (trials, list(itertools.product(RATES, (4, 8, "4 to 12")))),
    "sites": (sites, list(itertools.product((23, 5.7, 2.3), (20, 60)))),
    "intervals": (
        intervals,
        list(itertools.product(("trials", "sites"), (23, 2.3), (100, 300))),
    ),
    "corrected": (corrected, list(itertools.product(RATES, (4, 8, "4 to 12")))),
}


def work(table: str, cell: tuple[Any, ...], size: Size, seed: int) -> Row:
    logging.getLogger("neurosage").setLevel(logging.ERROR)  # thousands of expected warnings
    return TABLES[table][0](*cell, size, seed)


def run(cells: dict[str, Cells], size: Size, seed: int, workers: int) -> dict[str, pd.DataFrame]:
    """Every cell of every table in a pool of processes, with progress."""
    from rich.console import Console
    from rich.progress import track

    rows: dict[tuple[str, int], Row] = {}
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes share the cores
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as pool:
        jobs = {
            pool.submit(work, name, cell, size, seed): (name, k)
            for name, wanted in cells.items()
            for k, cell in enumerate(wanted)
        }
        console = Console(stderr=True)
        for job in track(as_completed(jobs), "cells", len(jobs), console=console):
            rows[jobs[job]] = job.result()
    return {name: pd.DataFrame([rows[name, k] for k in range(len(cells[name]))]) for name in cells}


def markdown(table: pd.DataFrame) -> str:
    lines = [list(table.columns), ["---"] * len(table.columns), *table.values.tolist()]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def place_of(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- table: {name} -->\n).*?(<!-- end -->)", re.DOTALL)


def write(page: Path, texts: dict[str, str]) -> None:
    """Put each table between ``<!-- table: NAME -->`` and ``<!-- end -->``."""
    text = page.read_text(encoding="utf-8")
    for name, table in texts.items():
        text = place_of(name).sub(rf"\g<1>\n{table}\n\n\g<2>", text)
    page.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", help=f"of {', '.join(TABLES)}; all if omitted")
    parser.add_argument("--quick", action="store_true", help="few recordings, fewer rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="put the tables there")
    asked = parser.parse_args()
    names = asked.tables or list(TABLES)
    if unknown := set(names) - set(TABLES):
        parser.error(f"unknown tables {sorted(unknown)}; there are {', '.join(TABLES)}")
    page = asked.write.read_text(encoding="utf-8") if asked.write else None
    if lacking := [n for n in names if page is not None and not place_of(n).search(page)]:
        parser.error(f"{asked.write} has no <!-- table: NAME --> … <!-- end --> for {lacking}")
    size = QUICK if asked.quick else FULL
    cells = {name: TABLES[name][1][:: 5 if asked.quick else 1] for name in names}
    started = time.perf_counter()
    tables = run(cells, size, asked.seed, asked.workers)
    texts = {name: markdown(table) for name, table in tables.items()}
    for name, text in texts.items():
        print(f"\n## {name}\n\n{text}")
    if asked.write:
        write(asked.write, texts)
    spent = time.perf_counter() - started
    processor = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    print(f"\nseed {asked.seed}, {size}; {spent:.0f} s, {processor:.0f} s of processor time")


if __name__ == "__main__":
    main()
