"""Channels-last against contiguous: training and evaluating networks of the convnet space.

    python tests/benchmarks/bench_channels_last.py [--networks 8] [--device cpu]

The two layouts take turns on each network, one thread, seconds for 1000 images;
on the CPU, processor time, so that a busy machine matters less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from neurosage.nas.catalogue import make_space
from neurosage.nas.space import assign

LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


def best(work: Callable[[], None], device: str, repeats: int = 3) -> float:
    def now() -> float:
        if device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    work()
    seconds = []
    for _ in range(repeats):
        started = now()
        work()
        seconds.append(now() - started)
    return min(seconds)


def measure(model: torch.nn.Module, images: torch.Tensor, device: str) -> tuple[float, float]:
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-4)
    labels = torch.zeros(128, dtype=torch.long, device=device)

    def train() -> None:
        model.train()
        for batch in images.split(128):
            optimiser.zero_grad()
            functional.cross_entropy(model(batch), labels[: len(batch)]).backward()
            optimiser.step()

    def evaluate() -> None:
        model.eval()
        with torch.inference_mode():
            for batch in images.split(64):
                model(batch)

    return tuple(1000 / len(images) * best(work, device) for work in (train, evaluate))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    space = make_space("convnet-10", {"filters": [8, 16, 32]})
    images = torch.randn(256, 3, 32, 32, device=options.device)
    totals = {name: np.zeros(2) for name in LAYOUTS}
    for seed in range(options.networks):
        rng = np.random.default_rng(seed)
        architecture = assign(space, lambda c, r=rng: c.options[r.integers(len(c.options))])
        model = space.build(architecture, classes=100, image=(3, 32, 32)).to(options.device)
        for name, layout in LAYOUTS.items():
            model.to(memory_format=layout)
            totals[name] += measure(model, images.to(memory_format=layout), options.device)
    for name, (train, evaluate) in totals.items():
        print(f"{name:14s} train {train:7.3f} s   evaluate {evaluate:7.3f} s   per 1000 images")
    ratio = totals["contiguous"] / totals["channels-last"]
    print(
        f"channels-last is {ratio[0]:.2f} times as fast in training, {ratio[1]:.2f} in evaluation"
    )


if __name__ == "__main__":
    main()
