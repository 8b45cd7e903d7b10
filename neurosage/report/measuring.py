"""Measure a teacher; what cannot be estimated gets a reason, and hinders nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.findings.finding import count
from neurosage.data.teacher import Teacher
from neurosage.errors import NeurosageError
from neurosage.report.measures import KINDS, Measures

Progress = Callable[[str, int, int], None]
RESAMPLES = 200  # the interval's first two digits; a teacher is checked within a minute
CURVE_SPLITS = 10  # of each size; a curve has a dozen
CURVES = (("sites", "rdm"), ("repetitions", "rdm"), ("repetitions", "neuroids"))


def measure(
    teacher: Teacher,
    *,
    seed: int = 0,
    pictures: bool = True,
    progress: Progress | None = None,
) -> Measures:
    """Measure how reliable a teacher is.

    Parameters
    ----------
    teacher : Teacher
        Loaded.
    seed : int
        Of splits and resamples.
    pictures : bool
        Also what only pictures show: RDMs and curves.
    progress : callable, optional
        Called with what is measured, 0 when it begins and 1 when it is done, and 1.

    Returns
    -------
    Measures
        Of each region; with the reason for whatever is not estimable.
    """
    work = _Work(teacher, seed, progress)
    if teacher.assembly is not None:
        work.of_neuroids()
        work.of_rdms()
    elif teacher.stored_rdms is not None:
        work.of_subjects(teacher.stored_rdms)
    if pictures:
        work.for_pictures()
    return work.done()


class _Work:
    """Steps that may each fail without hindering the others."""

    def __init__(self, teacher: Teacher, seed: int, progress: Progress | None) -> None:
        self.teacher, self.seed, self.progress = teacher, seed, progress
        self.reasons: dict[str, str] = {}
        self.found: dict[str, Any] = {"rdm": {}, "ceilings": {}, "curves": {}}
        self.warnings: list[str] = []

    def attempt(self, what: str, work: Callable[[], Any]) -> Any:
        """Return what the work gives; None, and a reason, where it cannot be had."""
        self._say(what, 0)
        try:
            with np.errstate(all="ignore"):  # of values that findings name already
                return work()
        except NeurosageError as error:
            self.reasons[what] = str(error)
            return None
        finally:
            self._say(what, 1)

    def _say(self, what: str, done: int) -> None:
        if self.progress is not None:
            self.progress(what, done, 1)

    def of_neuroids(self) -> None:
        """Estimate the reliability of each neuroid."""
        from neurosage.rsa.reliability.neuroids import reliability

        what = "reliability of neuroids"
        found = self.attempt(what, partial(reliability, self.teacher, seed=self.seed))
        if found is None:
            return
        self.found["neuroids"] = found
        reasons = json.loads(found.attrs["not_estimable"])
        if not np.isfinite(found.values).any():
            self.reasons[what] = "; ".join(reasons)
        elif reasons:
            words = [f"{count(number, 'neuroids')}: {why}" for why, number in reasons.items()]
            self.reasons[f"{what}, some"] = "; ".join(words)

    def of_rdms(self) -> None:
        """Estimate the reliability of each region's RDM, of both kinds."""
        from neurosage.rsa.reliability.regions import rdm_reliability

        for kind in KINDS:
            what = f"RDM reliability, {kind}"
            found = self.attempt(
                what,
                partial(rdm_reliability, self.teacher, kind, resamples=RESAMPLES, seed=self.seed),
            )
            if found is not None:
                self._keep(what, kind, found)

    def _keep(self, what: str, kind: str, found: xr.Dataset) -> None:
        from neurosage.rsa.ceilings.ceiling import ceiling_of

        reasons = json.loads(found.attrs["not_estimable"])
        by_reason: dict[str, list[str]] = {}
        for region, reason in reasons.items():
            by_reason.setdefault(reason, []).append(region)
        if reasons:
            everywhere = len(by_reason) == 1 and len(reasons) == found.sizes["region"]
            self.reasons[what] = "; ".join(
                reason if everywhere else f"{', '.join(regions)}: {reason}"
                for reason, regions in by_reason.items()
            )
        self.warnings += json.loads(found.attrs["warnings"])
        if len(reasons) < found.sizes["region"]:
            self.found["rdm"][kind] = found
            self.found["ceilings"][kind] = ceiling_of(found)

    def of_subjects(self, rdms: xr.DataArray) -> None:
        """Estimate the ceiling over subjects of stored RDMs."""
        from neurosage.rsa.ceilings.ceiling import noise_ceiling

        reason = "only RDMs are held, no responses"
        self.reasons |= {f"RDM reliability, {kind}": reason for kind in KINDS}
        what = "noise ceiling, subjects"
        if "subject" not in rdms.dims:
            self.reasons[what] = "there is one RDM a region, not one a subject"
            return
        found = self.attempt(what, partial(noise_ceiling, self.teacher, "subjects"))
        if found is not None:
            self.found["ceilings"]["subjects"] = found

    def for_pictures(self) -> None:
        """Make what only pictures show."""
        from neurosage.rsa.rdm import rdms
        from neurosage.rsa.reliability.curves import reliability_curve

        self.found["rdms"] = self.attempt("RDMs", partial(rdms, self.teacher))
        for over, of in CURVES if self.teacher.assembly is not None else ():
            found = self.attempt(
                f"curve of {of} over {over}",
                partial(
                    reliability_curve,
                    self.teacher,
                    over=over,
                    of=of,
                    splits=CURVE_SPLITS,
                    seed=self.seed,
                ),
            )
            if found is not None and found["measured"].notnull().any():
                self.found["curves"][over, of] = found  # else its reason stands elsewhere

    def done(self) -> Measures:
        """Return what was measured."""
        counts: dict[str, int] = {}
        if self.teacher.assembly is not None:
            regions = pd.Series([str(r) for r in self.teacher.assembly["region"].values])
            counts = {str(name): int(n) for name, n in regions.value_counts().items()}
        return Measures(
            regions=self.teacher.regions,
            counts=counts,
            reasons=self.reasons,
            warnings=tuple(dict.fromkeys(self.warnings)),
            **self.found,
        )
