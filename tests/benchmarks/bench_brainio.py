"""Peak memory of selecting one region and one window of a temporal BrainIO file.

The file holds 2 GB of float32 in the paper's proportions: 50,000 presentations × 256 neuroids
(V4 88, pIT 60, cIT 48, aIT 60, in turns, so that no region is one run) × 39 bins of 10 ms.
Layouts: contiguous; chunked and compressed as `brainio.write` does it; by netCDF's own choice of
chunks (up to 16 MB), as Brain-Score's files; the same with time first; one time bin a chunk.
V4 from 70 to 170 ms is read bin by bin (the selection itself, 176 MB) and averaged over the
window. Each read has a process of its own; what is counted is the highest resident size above
that before the read, a small file having been read before. Exits 1 where it is 1.2 times the
selection or more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from neurosage.data.formats import brainio, brainio_writing

BOUND = 1.2  # times the selected values
DIMS = ("presentation", "neuroid", "time_bin")
LAYOUTS = ("contiguous", "as written", "netCDF's chunks", "time first", "one bin a chunk")
SIZES = {"presentation": 50_000, "neuroid": 256, "time_bin": 39}
SITES = {"V4": 88, "pIT": 60, "cIT": 48, "aIT": 60}
WINDOW = (70, 170)


def make(path: Path, layout: str, sizes: dict[str, int]) -> None:
    """Write it in blocks of presentations; never hold it."""
    import netCDF4

    dims = ("time_bin", "presentation", "neuroid") if layout == "time first" else DIMS
    chunks = None
    if layout == "one bin a chunk":
        chunks = (min(2000, sizes["presentation"]), sizes["neuroid"], 1)
    elif layout == "as written":
        chunks = brainio_writing._chunks(tuple(sizes[dim] for dim in DIMS), 4)
    options = {"contiguous": True} if layout == "contiguous" else {"zlib": True, "complevel": 1}
    rng = np.random.default_rng(0)
    with netCDF4.Dataset(path, "w") as file:
        for dim in DIMS:
            file.createDimension(dim, sizes[dim])
        columns(file, sizes)
        file.identifier = "bench.temporal"
        data = file.createVariable("data", "f4", dims, chunksizes=chunks, **options)
        block = 2000
        for start in range(0, sizes["presentation"], block):
            shape = (min(block, sizes["presentation"] - start), *(sizes[d] for d in DIMS[1:]))
            values = rng.poisson(3.0, shape).astype(np.float32)
            rows = slice(start, start + block)
            if layout == "time first":
                data[:, rows] = values.transpose(2, 0, 1)
            else:
                data[rows] = values


def columns(file, sizes: dict[str, int]) -> None:
    stimuli = [f"stimulus-{i % 1000:06d}" for i in range(sizes["presentation"])]
    turns = [(k / count, name) for name, count in SITES.items() for k in range(count)]
    region = [name for _, name in sorted(turns)]
    starts = 10 * np.arange(sizes["time_bin"]) - 100
    for name, dim, values in (
        ("stimulus_id", "presentation", np.array(stimuli, object)),
        ("neuroid_id", "neuroid", np.array([f"n{i}" for i in range(len(region))], object)),
        ("subregion", "neuroid", np.array(region, object)),
        ("time_bin_start", "time_bin", starts),
        ("time_bin_end", "time_bin", starts + 10),
    ):
        file.createVariable(name, str if values.dtype == object else "i8", (dim,))[:] = values


def read(path: Path, averaged: bool):
    keys = {"coordinates": {"region": "subregion"}, "select": {"region": "V4"}}
    if averaged:
        return brainio.read(path, window=WINDOW, **keys)
    keys["select"]["time_bin_start"] = list(range(*WINDOW, 10))
    return brainio.read(path, **keys)


def high_water() -> float:
    """The highest resident size since the last reset, MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e6


def child(path: Path, small: Path, averaged: bool) -> None:
    read(small, averaged)
    Path("/proc/self/clear_refs").write_text("5")  # begins the high-water mark anew
    before, start = high_water(), time.perf_counter()
    values = read(path, averaged)
    print(high_water() - before, time.perf_counter() - start, values.nbytes / 1e6)


def measure(path: Path, small: Path, averaged: bool) -> list[float]:
    call = [sys.executable, __file__, "--child", str(path), str(small), str(int(averaged))]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    return [float(each) for each in done.stdout.split()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presentations", type=int, default=SIZES["presentation"])
    parser.add_argument("--layouts", nargs="*", default=LAYOUTS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        path, small, averaged = arguments.child
        child(Path(path), Path(small), averaged == "1")
        return 0
    sizes = SIZES | {"presentation": arguments.presentations}
    selection = sizes["presentation"] * SITES["V4"] * 10 * 4 / 1e6
    print(f"{np.prod(list(sizes.values())) * 4 / 1e9:.1f} GB; selected: {selection:.0f} MB")
    print(f"{'layout':18}{'read':10}{'result MB':>11}{'peak MB':>9}{'of it':>7}{'seconds':>9}")
    reached = True
    for layout in arguments.layouts:
        with tempfile.TemporaryDirectory() as folder:
            path, small = Path(folder, "large.nc"), Path(folder, "small.nc")
            make(path, layout, sizes)
            make(small, layout, sizes | {"presentation": 100})
            for averaged in (False, True):
                peak, seconds, result = measure(path, small, averaged)
                reached &= peak < BOUND * selection
                print(
                    f"{layout:18}{'averaged' if averaged else 'bins':10}{result:>11.1f}"
                    f"{peak:>9.1f}{peak / selection:>7.2f}{seconds:>9.1f}",
                    flush=True,
                )
    print(f"below {BOUND} times the selection: {'yes' if reached else 'NO'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
