"""RsatoolboxBackend: the reference that the others are held to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from neurosage import plugins
from neurosage.rsa.backends.base import Floats, Patterns

COMPARISONS = {"pearson": "corr", "spearman": "spearman", "cosine": "cosine"}


@dataclass(frozen=True, eq=False)
class Side:
    """RDMs as rsatoolbox made them, shape (K, m)."""

    rdms: Floats


class RsatoolboxBackend:
    """RDMs and comparisons by rsatoolbox, in float64.

    Slow and large for many stimuli; it offers what rsatoolbox offers, by our names:
    comparison ``pearson`` is its ``corr``.

    Examples
    --------
    >>> RsatoolboxBackend().distances
    ('correlation', 'euclidean')
    """

    name = "rsatoolbox"
    distances = ("correlation", "euclidean")
    comparisons = tuple(COMPARISONS)

    @property
    def version(self) -> str:
        """Package, version and precision."""
        return f"rsatoolbox {plugins.version('rsatoolbox')} float64"

    def rdm(self, patterns: Patterns, distance: str) -> Floats:
        """Return the upper triangle of one RDM; see `Backend.rdm`."""
        from rsatoolbox.data.dataset import Dataset
        from rsatoolbox.rdm.calc import calc_rdm

        rdms: Any = cast(Any, calc_rdm)(
            cast(Any, Dataset)(np.asarray(patterns, dtype=np.float64)), method=distance
        )
        return np.asarray(rdms.dissimilarities[0], np.float64)

    def prepare(  # the same side serves every comparison
        self,
        patterns: Iterable[Patterns],
        distance: str,
        comparison: str,  # noqa: ARG002
    ) -> Side:
        """Return one side of a comparison; see `Backend.prepare`."""
        return Side(np.stack([self.rdm(each, distance) for each in patterns]))

    def path(self, side_a: Side, side_b: Side) -> str:  # noqa: ARG002
        """Name the way taken: always ``pairwise``."""
        return "pairwise"

    def similarity(self, side_a: Side, side_b: Side, comparison: str) -> Floats:
        """Return the similarities of all regions; see `Backend.similarity`."""
        return self.compare(side_a.rdms, side_b.rdms, comparison)

    def compare(self, rdms_a: Floats, rdms_b: Floats, comparison: str) -> Floats:
        """Return the similarities of RDMs; see `Backend.compare`."""
        from rsatoolbox.rdm.compare import compare
        from rsatoolbox.rdm.rdms import RDMs

        make = cast(Any, RDMs)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = compare(make(rdms_a), make(rdms_b), method=COMPARISONS[comparison])
        result = np.clip(np.asarray(values, np.float64), -1.0, 1.0)
        result[_flat(rdms_a, comparison)] = np.nan
        result[:, _flat(rdms_b, comparison)] = np.nan
        return result


def _flat(rdms: Floats, comparison: str) -> Any:
    return ~rdms.any(1) if comparison == "cosine" else np.ptp(rdms, axis=1) == 0
