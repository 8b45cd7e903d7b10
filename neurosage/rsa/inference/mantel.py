"""The Mantel test: is a similarity more than chance pairing of the stimuli gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from neurosage.rsa.backends.base import Floats, check_memory
from neurosage.rsa.inference.labelled import flat_regions, placed, region_coords
from neurosage.rsa.inference.sides import Sides, read_sides
from neurosage.rsa.inference.unit_squares import check_dot, unit_square
from neurosage.rsa.resampling import check_sampling, check_whole
from neurosage.rsa.responses.patterns import Source

MOVED = 1 << 22  # numbers looked up at a time, 16 MB: threads of a busy machine seldom wait
LAYERS_BYTES = 512 << 20  # of layers permuted together
EXACT_STIMULI = 300  # up to which sums are float64: only with few stimuli do draws tie
TIE = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 1e-6}


def mantel_test(
    a: Source,
    b: Source,
    distance: str | None = None,
    comparison: str = "pearson",
    *,
    normalise: tuple[str | None, str | None] = (None, None),
    nan: str = "raise",
    precision: Any = None,
    permutations: int = 1000,
    seed: int = 0,
    undefined: str = "raise",
) -> xr.Dataset:
    """Test every similarity against no relation, by permuting the stimuli of `b`.

    Rows and columns of an RDM are permuted together, the same for all regions. A small p says
    that the geometries are related, no more: not that one layer or model is better than
    another (`compare_models`), nor how large the similarity is in other stimuli
    (`bootstrap_similarity`). Where stimuli come in groups that both sides tell apart, such as
    categories, that alone gives a small p.

    Parameters
    ----------
    a, b : Teacher or xarray.DataArray
        Responses, or RDMs, of the same stimuli; a network's layers are its regions.
    distance, normalise, nan, precision, undefined
        As in `similarity`.
    comparison : {"pearson", "spearman", "cosine", "rho-a", "corr_cov", "cosine_cov", "cka", \
"cka_unbiased"}
        Those that are dot products of two RDMs.
    permutations : int
        How many random orders; the smallest p is ``1 / (1 + permutations)``.
    seed : int
        Of the orders.

    Returns
    -------
    xarray.Dataset
        Dims ``region_a × region_b``: ``similarity``; ``p`` in (0, 1], the share of orders, the
        observed one counted, that reach it; ``p_best``, the share in which the best of all
        regions of `a` reaches it, which is the p of a layer chosen because it is the best (and
        a correction for all layers, within one region of `b`). Attributes as in `similarity`,
        and permutations, seed, tail, undefined (JSON).

    Raises
    ------
    InputError
        As `similarity`; if the comparison is no dot product, or permutations are fewer than 20.

    References
    ----------
    Mantel 1967, "The detection of disease clustering and a generalized regression approach";
    Phipson, Smyth 2010, "Permutation p-values should never be zero".

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> values, ids = np.random.default_rng(0).normal(size=(20, 8)), [f"s{k}" for k in range(20)]
    >>> v4 = assembly(values, stimulus_id=ids, region="V4")
    >>> mantel_test(v4, v4, permutations=99).p.item()
    0.01
    """
    check_dot(comparison)
    check_whole("permutations", permutations, 20)
    check_sampling(seed=seed)
    sides = read_sides(
        a,
        b,
        distance,
        comparison,
        normalise=normalise,
        nan=nan,
        precision=precision,
        undefined=undefined,
    )
    observed, p, p_best = _tested(sides, comparison, permutations, seed)
    reasons = flat_regions(sides, observed, undefined)
    values = {"similarity": observed, "p": p, "p_best": p_best}
    return xr.Dataset(
        {name: placed(sides, each) for name, each in values.items()},
        coords=region_coords(sides),
        attrs={
            **sides.attrs,
            "method": "Mantel test: stimuli of b permuted, rows and columns together",
            "tail": "greater",
            "permutations": permutations,
            "seed": seed,
            "undefined": json.dumps(reasons),
        },
    )


def _tested(
    sides: Sides, comparison: str, permutations: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    n, count_b = len(sides.stimulus_ids), len(sides.names_b)
    if not sides.names_a:
        empty = np.empty((0, count_b))
        return empty, empty, empty
    together = max(1, min(LAYERS_BYTES // (8 * n * n), len(sides.names_a)))
    check_memory(
        8 * n * n * (2 * together + 2 * count_b + 4),
        f"permuting RDMs of {n} stimuli",
        "Take fewer stimuli with select.",
    )
    rng = np.random.default_rng(seed)
    orders = np.stack([rng.permutation(n) for _ in range(permutations)])
    units_b = np.stack([unit_square(square, comparison) for square in sides.squares_b])
    observed = np.empty((len(sides.names_a), count_b))
    reached = np.zeros_like(observed, dtype=np.int64)
    best = np.full((permutations, count_b), -np.inf)
    for start in range(0, len(sides.names_a), together):
        block = slice(start, start + together)
        squares = sides.squares_a[block]
        units_a = np.stack([unit_square(square, comparison) for square in squares])
        observed[block] = np.einsum("aij,bij->ab", units_a, units_b, optimize=True)
        tie, found = permuted(units_a, units_b, orders)
        best = np.fmax(best, np.fmax.reduce(found, axis=1))
        reached[block] = (found >= observed[block] - tie).sum(0)
    undefined = np.isnan(observed)
    above = (best[:, None] >= observed - tie).sum(0)
    p, p_best = ((1.0 + count) / (1.0 + permutations) for count in (reached, above))
    observed = np.clip(observed, -1.0, 1.0)
    return observed, np.where(undefined, np.nan, p), np.where(undefined, np.nan, p_best)


def permuted(units_a: Floats, units_b: Floats, orders: Any) -> tuple[float, Floats]:
    """Compare one side's RDMs with the other's, its stimuli reordered.

    Parameters
    ----------
    units_a, units_b : array of float64, shapes (Ka, n, n) and (Kb, n, n)
        From `unit_square`.
    orders : array of int, shape (N, n)
        Permutations of the stimuli of b.

    Returns
    -------
    tuple of (float; array of float64, shape (N, Ka, Kb))
        By how much two similarities that are equal may differ, and the similarities. Sums are
        in float32 beyond 300 stimuli.

    Examples
    --------
    >>> x = unit_square(np.array([[0.0, 1, 2], [1, 0, 4], [2, 4, 0]]), "pearson")
    >>> permuted(x[None], x[None], [[0, 1, 2], [2, 1, 0]])[1].round(3).ravel()
    array([ 1.   , -0.929])
    """
    import torch

    n, count = units_a.shape[-1], len(units_b)
    kind = np.dtype(np.float64 if n <= EXACT_STIMULI else np.float32)
    squares = torch.from_numpy(units_b.astype(kind))
    every = torch.as_tensor(np.asarray(orders))
    found = np.zeros((len(units_a), count, len(every)))
    together = max(1, min(len(every), int(np.sqrt(MOVED / count / n))))
    for rows, tile in _tiles(units_a, max(1, MOVED // (count * n * together)), kind):
        for start in range(0, len(every), together):
            block = every[start : start + together]
            # Row by row, then within rows: the second look-up stays in the cache.
            moved = squares.index_select(1, block[:, rows].reshape(-1))
            moved = moved.reshape(count, len(block), -1, n)
            within = block[:, None, rows.start :].expand(*moved.shape[:3], -1)
            moved = moved.gather(3, within).reshape(count * len(block), -1)
            product = (tile @ moved.T).numpy()
            found[:, :, start : start + together] += product.reshape(-1, count, len(block))
    return TIE[kind], np.moveaxis(found, 2, 0)


def _tiles(units: Floats, height: int, kind: Any) -> Iterator[tuple[slice, Any]]:
    """Yield tiles of the upper triangles: rows, and shape (Ka, rows × columns from there on)."""
    import torch

    count, n = units.shape[:2]
    for start in range(0, n, height):
        rows = slice(start, min(start + height, n))
        # Each pair stands twice in a square: counted twice here, and once on the diagonal.
        tile = 2.0 * np.triu(units[:, rows, start:])
        own = np.arange(rows.stop - start)
        tile[:, own, own] *= 0.5
        yield rows, torch.from_numpy(tile.reshape(count, -1).astype(kind))
