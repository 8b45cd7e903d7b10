"""What is measured of a teacher when it is checked: reliabilities, ceilings, curves, RDMs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

KINDS = ("trials", "sites")
ENDS = ("", "_low", "_high")  # of an interval, behind the value
BOUNDS = ("lower", "upper")
Write = Callable[..., str]
NORMALISED = {
    "none": "responses as they are",
    "centre": "centred responses",
    "zscore": "z-scored responses",
    "noise": "responses in units of their noise",
}
TABLE: dict[str, Any] = {
    "region": object,
    "neuroids": "Int64",
    "estimable": "Int64",
    **dict.fromkeys(("reliability", "lowest", "highest"), float),
    **{
        f"{what}_{kind}{end}": float
        for kind in KINDS
        for what in ("rdm", "ceiling")
        for end in ENDS
    },
    **{f"ceiling_subjects_{bound}{end}": float for bound in BOUNDS for end in ENDS},
}


@dataclass(frozen=True, eq=False)
class Measures:
    """Numbers about a teacher; what could not be estimated is absent, with its reason.

    Parameters
    ----------
    regions : tuple of str
        In order.
    counts : dict of str to int
        Neuroids of each region, where there are any.
    neuroids : xarray.DataArray or None
        Reliability of each neuroid.
    rdm : dict of str to xarray.Dataset
        Reliability of RDMs and its interval, by kind.
    ceilings : dict of str to xarray.Dataset
        Noise ceilings, by kind: trials, sites, subjects.
    curves : dict of (str, str) to xarray.Dataset
        Reliability over sites or repetitions, of rdm or neuroids.
    rdms : xarray.DataArray or None
        Of each region, for the picture.
    reasons : dict of str to str
        What is not estimable, and why.
    warnings : tuple of str
        What should not be believed as it stands.
    """

    regions: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    neuroids: xr.DataArray | None = None
    rdm: dict[str, xr.Dataset] = field(default_factory=dict)
    ceilings: dict[str, xr.Dataset] = field(default_factory=dict)
    curves: dict[tuple[str, str], xr.Dataset] = field(default_factory=dict)
    rdms: xr.DataArray | None = None
    reasons: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """A row a region; NaN where not estimable."""
        rows = [self._row(region) for region in self.regions]
        return pd.DataFrame(rows, columns=list(TABLE)).astype(TABLE)

    def _row(self, region: str) -> dict[str, Any]:
        row: dict[str, Any] = {"region": region, "neuroids": self.counts.get(region)}
        own = self._of_neuroids(region)
        row["estimable"] = None if self.neuroids is None else len(own)
        if len(own):
            row |= {"reliability": float(np.median(own))}
            row |= {"lowest": float(own.min()), "highest": float(own.max())}
        for kind, found in self.rdm.items():
            at = _at(found, region)
            row |= {f"rdm_{kind}": at["reliability"]}
            row |= {f"rdm_{kind}_{end}": at[end] for end in ("low", "high")}
        for kind, found in self.ceilings.items():
            at = _at(found, region)
            if kind == "subjects":
                names = [f"{bound}{end}" for bound in BOUNDS for end in ENDS]
                row |= {f"ceiling_subjects_{name}": at.get(name, np.nan) for name in names}
            else:
                row |= {f"ceiling_{kind}": at["ceiling"]}
                row |= {f"ceiling_{kind}_{end}": at.get(end, np.nan) for end in ("low", "high")}
        return row

    def _of_neuroids(self, region: str) -> Any:
        if self.neuroids is None:
            return np.empty(0)
        own = self.neuroids.values[self.neuroids["region"].values.astype(str) == region]
        return own[np.isfinite(own)]

    def shown(self) -> pd.DataFrame:
        """The table as text, with columns for what is estimable in some region."""
        columns: dict[str, tuple[Write, list[str]]] = {
            "region": (_text, ["region"]),
            "neuroids": (_text, ["neuroids"]),
            "reliability": (_range, ["reliability", "lowest", "highest"]),
            **{f"RDM, {k}": (_interval, [f"rdm_{k}{end}" for end in ENDS]) for k in KINDS},
            **{f"ceiling, {k}": (_interval, [f"ceiling_{k}{end}" for end in ENDS]) for k in KINDS},
            "ceiling, subjects": (
                _bounds,
                [f"ceiling_subjects_{bound}{end}" for bound in BOUNDS for end in ENDS],
            ),
        }
        table = self.table
        kept = {
            name: [write(*row) for row in table[parts].itertuples(index=False)]
            for name, (write, parts) in columns.items()
            if table[parts].notna().any(axis=None)
        }
        return pd.DataFrame(kept if set(kept) - {"region", "neuroids"} else {})

    @property
    def footnotes(self) -> Iterator[str]:
        """How the numbers of the table were made."""
        if len(table := self.shown()) and "reliability" in table:
            yield (
                "reliability: median over neuroids (lowest to highest), split-half, of the mean "
                "over all repetitions"
            )
        if self.rdm:
            made = next(iter(self.rdm.values())).attrs
            yield (
                f"RDM: reliability of {made['distance']} RDMs of {NORMALISED[made['normalise']]}, "
                f"compared by {made['comparison']} [95% interval over stimuli]"
            )
        if "subjects" in self.ceilings:
            yield (
                "ceiling, subjects: lower, each subject's RDM with the mean of the others; upper, "
                "with the mean of all"
            )
        if self.ceilings:
            kinds = ", ".join(self.ceilings)
            yield f"ceiling: estimated ceiling ({kinds}), not a bound [95% interval over stimuli]"


def _at(found: xr.Dataset, region: str) -> dict[str, float]:
    place = [str(name) for name in found["region"].values].index(region)
    own = found.isel(region=place)
    return {str(name): float(own[name]) for name in own.data_vars if own[name].dtype.kind in "fiu"}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _number(value)


def _range(value: Any, lowest: Any, highest: Any) -> str:
    """What single neuroids have, from the lowest to the highest: no interval."""
    spread = f" ({_number(lowest)} to {_number(highest)})" if pd.notna(lowest) else ""
    return f"{_number(value)}{spread}"


def _interval(value: Any, low: Any, high: Any) -> str:
    interval = f" [{_number(low)}, {_number(high)}]" if pd.notna(low) else ""
    return f"{_number(value)}{interval}"


def _bounds(*numbers: Any) -> str:
    if pd.isna(numbers[0]):
        return "–"
    return f"lower {_interval(*numbers[:3])}; upper {_interval(*numbers[3:])}"


def _number(value: Any) -> str:
    if pd.isna(value):
        return "–"
    return f"{value}" if isinstance(value, int | np.integer) else short(float(value))


def short(value: float) -> str:
    """Write a number with two digits and no zero before the point, as the field does.

    Examples
    --------
    >>> short(0.534), short(-0.05), short(1.0)
    ('.53', '-.05', '1.00')
    """
    return f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 0.995 else f"{value:.2f}"
