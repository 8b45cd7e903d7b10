"""1000 bootstrap samples of 8 layers × 3 regions over 1000 stimuli, beside rsatoolbox.

Theirs is `eval_bootstrap_pattern` without noise ceiling, the regions in one `RDMs`, from RDMs made
beforehand and with fewer samples, whose time is scaled up; ours is one call of
`neurosage.bootstrap_similarity` on the recordings, whose RDMs it makes. (That both find the same
in the same samples is a test's matter.) Exits 1 where the goal is not reached.
"""

from __future__ import annotations

import argparse
import sys

import rsatoolbox
from bench_similarity import LAYERS, REGIONS, both_sides, matrices
from side_by_side import Goal, in_turn, measure_machine, report

import neurosage as ns


def rdms_of(side) -> rsatoolbox.rdm.RDMs:
    datasets = [rsatoolbox.data.Dataset(matrix) for matrix in matrices(side)]
    return rsatoolbox.rdm.concat(
        [rsatoolbox.rdm.calc_rdm(each, method="correlation") for each in datasets]
    )


def resampled(stimuli: int, comparison: str, least: float | None, arguments, machine) -> Goal:
    candidate, teacher = both_sides(stimuli, "float64")
    layers, data = rdms_of(candidate), rdms_of(teacher)
    models = [rsatoolbox.model.ModelFixed(f"layer{i}", layers[i]) for i in range(LAYERS)]
    method = {"pearson": "corr"}.get(comparison, comparison)
    ours, peer = in_turn(
        lambda: ns.bootstrap_similarity(
            candidate, teacher, comparison=comparison, resamples=arguments.resamples
        ),
        lambda: rsatoolbox.inference.eval_bootstrap_pattern(
            models, data, method=method, N=arguments.peer, boot_noise_ceil=False
        ),
        1,
        repeat=3 if comparison == "pearson" else 1,
    )
    forms = LAYERS * len(REGIONS) + 2 * (LAYERS + len(REGIONS))
    products = 1e-9 * forms * arguments.resamples * stimuli**2
    limit = machine.seconds(products, 0.0) if comparison == "pearson" else None
    work = (
        f"{arguments.resamples} resamples, {LAYERS} x {len(REGIONS)}, n = {stimuli}, {comparison}"
    )
    scale = arguments.resamples / arguments.peer
    return Goal(work, ours, peer, least, limit=limit, scale=scale)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stimuli", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--peer", type=int, default=100, help="samples of rsatoolbox")
    arguments = parser.parse_args()
    machine = measure_machine()
    goals = [
        resampled(arguments.stimuli, "pearson", 100.0, arguments, machine),
        resampled(arguments.stimuli, "spearman", None, arguments, machine),
    ]
    return report(goals, machine)


if __name__ == "__main__":
    sys.exit(main())
