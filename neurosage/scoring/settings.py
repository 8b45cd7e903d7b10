"""How a score is to be made, checked before anything is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from neurosage.errors import InputError
from neurosage.rsa.arguments import check_by
from neurosage.rsa.resampling import check_sampling
from neurosage.rsa.responses.normalise import check_method

Progress: TypeAlias = Callable[[str, int, int], None]
Precision: TypeAlias = str | Mapping[str, Any] | None


@dataclass(frozen=True)
class Settings:
    """How similarities are made and what is said about their uncertainty; see `score`."""

    distance: str | None = None
    comparison: str = "pearson"
    normalise: str | None = None
    normalise_layers: str = "none"
    nan: str = "raise"
    precision: Precision = None
    backend: Any = "torch"
    interval: float | None = 0.95
    resamples: int = 1000
    by: str = "stimulus_id"
    ceilings: bool = True
    seed: int = 0

    def checked(self) -> Settings:
        """Return the same.

        Raises
        ------
        InputError
            If `by` is no name, the interval or the resamples cannot be taken, or the layers'
            normalisation is unknown or needs repetitions.

        Examples
        --------
        >>> Settings(interval=95).checked()
        Traceback (most recent call last):
        neurosage.errors.InputError: interval must be between 0 and 1, such as 0.95, not 95.
        """
        check_by(self.by)
        check_sampling(seed=self.seed, resamples=self.resamples, interval=self.interval)
        check_method(self.normalise_layers)
        if self.normalise_layers == "noise":
            raise InputError("normalise_layers='noise' needs repetitions; networks answer once.")
        return self


def quiet(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""
