"""Similarities of all regions and layers with one another: what a picture of them starts from."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from neurosage.errors import InputError
from neurosage.rsa.responses.patterns import Source
from neurosage.rsa.similarity import similarity


def mutual_similarity(
    sources: Mapping[str, Source],
    distance: str | None = None,
    comparison: str = "pearson",
    *,
    normalise: Mapping[str, str] | None = None,
    backend: str = "torch",
    nan: str = "raise",
) -> xr.DataArray:
    """Compare every region of several recordings with every other, and with its own.

    Parameters
    ----------
    sources : mapping of str to Teacher or xarray.DataArray
        Responses (of brains or of a network's layers) or RDMs, all of the same stimuli.
    distance, comparison, backend, nan : str
        As in :func:`neurosage.rsa.similarity.similarity`.
    normalise : mapping of str to str, optional
        By source; its own, if omitted.

    Returns
    -------
    xarray.DataArray
        Dims ``region_a × region_b``, the same regions on both, symmetric, with coordinates
        ``source_a`` and ``source_b``; a region whose name two sources have is called
        ``source/region``.

    Raises
    ------
    InputError
        If there is no source, or `normalise` names another; else as `similarity` does.

    Examples
    --------
    >>> from neurosage.data.registry import load_teacher
    >>> found = mutual_similarity({"macaque": load_teacher("simulated-macaque")})
    >>> found.dims, found.shape, found.source_a.values.tolist()
    (('region_a', 'region_b'), (3, 3), ['macaque', 'macaque', 'macaque'])
    """
    chosen = dict(normalise or {})
    if not sources:
        raise InputError("there is nothing to compare; give responses or RDMs by name.")
    if extra := sorted(set(chosen) - set(sources)):
        raise InputError(f"normalise names {extra}, which are none of {sorted(sources)}.")
    names = list(sources)
    blocks: dict[tuple[str, str], xr.DataArray] = {}
    for place, a in enumerate(names):
        for b in names[place:]:
            blocks[a, b] = similarity(
                sources[a], sources[b], distance, comparison, backend=backend, nan=nan,
                normalise=(chosen.get(a), chosen.get(b)),
            )  # fmt: skip
    return _joined(names, blocks)


def _joined(names: list[str], blocks: Mapping[tuple[str, str], xr.DataArray]) -> xr.DataArray:
    first = blocks[names[0], names[0]]
    regions = {name: [str(r) for r in blocks[name, name]["region_a"].values] for name in names}
    every = [(name, region) for name in names for region in regions[name]]
    plain = [region for _, region in every]
    shown = [r if plain.count(r) == 1 else f"{name}/{r}" for name, r in every]
    values = np.block(
        [
            [blocks[a, b].values if (a, b) in blocks else blocks[b, a].values.T for b in names]
            for a in names
        ]
    )
    held = [name for name, _ in every]
    return xr.DataArray(
        values,
        dims=("region_a", "region_b"),
        coords={
            "region_a": shown,
            "region_b": shown,
            "source_a": ("region_a", held),
            "source_b": ("region_b", held),
        },
        attrs={k: first.attrs[k] for k in ("distance", "comparison", "n_stimuli", "nan")
               if k in first.attrs},
    )  # fmt: skip
