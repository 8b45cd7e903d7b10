"""Pearson similarity of 50,000 stimuli, where one RDM would take 10 GB: memory and growth.

8 layers × 1000 units against 3 regions × 100 sites, float32, held in memory; extra memory is what
one call of `neurosage.similarity` takes above that. Exits 1 where a goal is not reached: less
than 500 MB, and less than 12 times the time of 5,000 stimuli.
"""

from __future__ import annotations

import argparse
import sys

from bench_similarity import LAYERS, REGIONS, SITES, UNITS, both_sides
from side_by_side import Timed, measure_machine

import neurosage as ns

MEGABYTES, GROWTH = 500.0, 12.0


def measure(stimuli: int, calls: int) -> Timed:
    candidate, teacher = both_sides(stimuli, "float32")
    timed = Timed()
    timed.run(lambda: ns.similarity(candidate, teacher), warm_up=True)
    for _ in range(calls):
        timed.run(lambda: ns.similarity(candidate, teacher))
    return timed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stimuli", type=int, default=50_000)
    parser.add_argument("--calls", type=int, default=5)
    arguments = parser.parse_args()
    n, machine = arguments.stimuli, measure_machine()
    # The large one first: memory that a call took before would hide what it takes.
    many = measure(n, arguments.calls)
    few = measure(n // 10, arguments.calls)
    wide = len(REGIONS) * SITES
    products = 1e-9 * n * LAYERS * UNITS * (2 * wide + UNITS)
    limit = machine.seconds(products, 4e-9 * n * (LAYERS * UNITS + wide))
    growth = many.seconds / few.seconds
    print(f"{machine}\n")
    print(f"{'stimuli':>10}{'seconds':>10}{'CPU':>10}{'extra MB':>10}")
    for count, timed in ((n // 10, few), (n, many)):
        print(f"{count:>10}{timed.seconds:>10.2f}{timed.cpu_seconds:>10.2f}{timed.memory:>10.0f}")
    print(f"growth {growth:.1f} times; {many.seconds / limit:.1f} times the machine's least")
    reached = many.memory < MEGABYTES and growth < GROWTH
    print(f"< {MEGABYTES:g} MB and < {GROWTH:g} times: {'yes' if reached else 'NO'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
