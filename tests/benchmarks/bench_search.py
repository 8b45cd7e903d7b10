"""What part of a candidate's time recording and similarity take.

Two searches on local workers: the demonstration's, and the example's small run on CIFAR-100
and real V4, where NEUROSAGE_MIRROR names a folder that holds both. The part is of all
candidates together, what each worker prepares once included. Exits 1 where a figure is not
reached.
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import resources
from pathlib import Path

import neurosage as ns

DEMO, REAL = 0.25, 0.15
PARTS = ("prepare", "build", "train", "validate", "record", "similarity")
SMALL = (
    "search.candidates=12",
    "space.options.filters=[8,16,32]",
    "search.max_macs=2e8",
    "explorer.options.random_starts=6",
    "data.train=2000",
    "data.valid=2000",
    "training.epochs=1",
)


def measure(name: str, config: Path, settings: list[str], limit: float) -> bool:
    """Run a search and print where its candidates' time went."""
    with tempfile.TemporaryDirectory() as out:
        run = ns.search(config, out=out, settings=settings, engine="local")
        numbers = [evaluation.numbers for evaluation in run.evaluations().values()]
    seconds = sum(each["seconds"] for each in numbers)
    shares = {part: sum(each[f"seconds_{part}"] for each in numbers) / seconds for part in PARTS}
    print(f"\n{name}: {len(numbers)} candidates, {seconds / len(numbers):.1f} s each")
    print("  " + ", ".join(f"{part} {share:.1%}" for part, share in shares.items()))
    analysis = shares["record"] + shares["similarity"]
    print(f"  recording and similarity {analysis:.1%}, < {limit:.0%}: ", end="")
    print("yes" if analysis < limit else "NO", flush=True)
    return analysis < limit


def main() -> int:
    package = Path(str(resources.files("neurosage")))
    reached = measure("demonstration", package / "demo.toml", ["search.candidates=16"], DEMO)
    mirror = os.environ.get("NEUROSAGE_MIRROR", "")
    train = sorted(Path(mirror).rglob("cifar100_train_*.zip")) if mirror else []
    if not train:
        print("\nNo NEUROSAGE_MIRROR with CIFAR-100 and V4: the real run is left out.")
        return 0 if reached else 1
    paths = ", ".join(f'"{path}"' for path in train)
    settings = [*SMALL, f"data.path=[{paths}]"]
    real = measure("CIFAR-100 and V4, small", package / "example.toml", settings, REAL)
    return 0 if reached and real else 1


if __name__ == "__main__":
    sys.exit(main())
