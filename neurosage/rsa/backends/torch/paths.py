"""Which way similarities are computed: the factored path, all pairs, or a sample of them."""

from __future__ import annotations

from dataclasses import dataclass

from neurosage.errors import InputError, unknown
from neurosage.rsa.backends.torch import factored, representations, sampled
from neurosage.rsa.backends.torch.side import Region, Side

PATHS = ("auto", "factored", "pairwise", "sampled")
# A pass over a pair costs about as much as this many multiplications of a product.
PAIR_COST = 20


@dataclass(frozen=True)
class Paths:
    """The choice among paths, by cost or as asked for.

    Parameters
    ----------
    path, exact_pairs, sampled_pairs, seed
        As in `TorchBackend`.

    Raises
    ------
    InputError
        If one of them is none of those.

    Examples
    --------
    >>> str(Paths()), str(Paths("pairwise"))
    ('', ", path='pairwise'")
    """

    path: str = "auto"
    exact_pairs: int | None = None
    sampled_pairs: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check what was asked for."""
        if self.path not in PATHS:
            raise unknown("path", self.path, PATHS)
        for name in ("exact_pairs", "sampled_pairs"):
            value = getattr(self, name)
            if value is not None and not value >= 1:
                raise InputError(f"{name} is a number of pairs, at least 1, not {value!r}.")

    def __str__(self) -> str:
        asked = {"path": (self.path, "auto"), "seed": (self.seed, 0)}
        asked |= {
            "exact_pairs": (self.exact_pairs, None),
            "sampled_pairs": (self.sampled_pairs, None),
        }
        return "".join(f", {k}={value!r}" for k, (value, own) in asked.items() if value != own)

    def check(self, comparison: str) -> None:
        """Refuse a path that the comparison does not have.

        Raises
        ------
        InputError
            With the comparisons that have it.
        """
        if self.path == "factored" and comparison not in factored.COMPARISONS:
            raise InputError(
                f"comparison={comparison!r} has no factored path; those that have one are "
                f"{', '.join(factored.COMPARISONS)}. Use path='auto'."
            )
        if self.path != "auto" and comparison in representations.COMPARISONS:
            raise InputError(
                f"comparison={comparison!r} needs no RDM, so path={self.path!r} has no meaning; "
                "use path='auto'."
            )

    def choose(self, region: Region, side: Side) -> str:
        """Return the path by which a region is compared with those of a side."""
        if self.path != "auto":
            return self.path
        n, p, count = region.n, region.width, len(side.regions)
        if side.comparison in factored.COMPARISONS:
            factors = p * (p + 2 * sum(side.widths)) < n * (p + PAIR_COST * count)
            return "factored" if factors else "pairwise"
        return "pairwise" if n * (n - 1) // 2 <= self._exact(side.comparison) else "sampled"

    def sample_size(self, comparison: str, n: int) -> int:
        """Return how many pairs of n stimuli are sampled."""
        return sampled.sampled_pairs(n, self.sampled_pairs or self._exact(comparison))

    def _exact(self, comparison: str) -> int:
        return self.exact_pairs or sampled.default_pairs(comparison)
