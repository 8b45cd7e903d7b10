"""RsatoolboxBackend: the reference that the others are held to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from neurosage import plugins
from neurosage.rsa.backends.base import Compared, Floats, Patterns

COMPARISONS = {
    "pearson": "corr",
    "spearman": "spearman",
    "cosine": "cosine",
    "kendall": "kendall",
    "tau-a": "tau-a",
    "rho-a": "rho-a",
    "corr_cov": "corr_cov",
    "cosine_cov": "cosine_cov",
    "cka": "cosine_cov",
}
OF_ZERO = ("cosine", "cosine_cov", "cka")  # defined for distances that do not vary, unless 0


@dataclass(frozen=True, eq=False)
class Side:
    """RDMs as rsatoolbox made them, shape (K, m)."""

    rdms: Floats


class RsatoolboxBackend:
    """RDMs and comparisons by rsatoolbox, in float64.

    Slow and large for many stimuli; it offers what rsatoolbox offers, by our names:
    comparison ``pearson`` is its ``corr``, ``kendall`` its tau-b, ``cka`` its ``cosine_cov``.

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

        values = np.asarray(patterns, dtype=np.float64)
        if distance == "euclidean":
            # Which no distance depends on; a large one would cost rsatoolbox all digits.
            values = values - values[0]
        rdms: Any = cast(Any, calc_rdm)(cast(Any, Dataset)(values), method=distance)
        return np.asarray(rdms.dissimilarities[0], np.float64)

    def prepare(  # the same side serves every comparison
        self,
        patterns: Iterable[Patterns],
        distance: str,
        comparison: str,  # noqa: ARG002
    ) -> Side:
        """Return one side of a comparison; see `Backend.prepare`."""
        return Side(np.stack([self.rdm(each, distance) for each in patterns]))

    def similarity(self, side_a: Side, side_b: Side, comparison: str) -> Compared:
        """Compare all regions; see `Backend.similarity`."""
        return Compared(self.compare(side_a.rdms, side_b.rdms, comparison), "pairwise")

    def compare(self, rdms_a: Floats, rdms_b: Floats, comparison: str) -> Floats:
        """Return the similarities of RDMs; see `Backend.compare`."""
        from rsatoolbox.rdm.compare import compare
        from rsatoolbox.rdm.rdms import RDMs

        make = cast(Any, RDMs)
        result = np.full((len(rdms_a), len(rdms_b)), np.nan)
        kept = [~_flat(rdms, comparison) for rdms in (rdms_a, rdms_b)]
        if not (kept[0].any() and kept[1].any()):
            return result
        # Only RDMs that vary: one that does not makes rsatoolbox 0.3.2 misplace the others'.
        values = compare(
            make(rdms_a[kept[0]]), make(rdms_b[kept[1]]), method=COMPARISONS[comparison]
        )
        result[np.ix_(*kept)] = np.clip(np.asarray(values, np.float64), -1.0, 1.0)
        return result


def _flat(rdms: Floats, comparison: str) -> Any:
    return ~rdms.any(1) if comparison in OF_ZERO else np.ptp(rdms, axis=1) == 0
