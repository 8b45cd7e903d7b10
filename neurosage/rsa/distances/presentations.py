"""Recordings → single presentations, for what needs the repetitions of each stimulus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.responses.missing import leave_out
from neurosage.rsa.responses.patterns import Patterns, Source, read_patterns, responses_of

MINIMUM_STIMULI = 3


@dataclass(frozen=True)
class Presentations:
    """The single presentations of one region to stimuli that were repeated often enough.

    Parameters
    ----------
    values : array of float64, shape (presentation, p)
        Normalised; presentations of a stimulus stand together; NaN where a neuroid has no
        response in one.
    starts : array of int, shape (n,)
        Where each stimulus starts.
    stimuli : array of int, shape (n,)
        Which stimuli of the recording these are.
    left_out : tuple of str
        Stimuli that some neuroid answered too rarely.
    strata : array of int, shape (strata,)
        How many presentations stand in each stratum: those of a stimulus, or, where sessions
        recorded different neuroids, those of a stimulus in one session.
    fold : array of int or None
        Of each presentation, where the recording has a coordinate ``fold``: presentations
        of one fold, such as a run, share noise, so only different folds are independent.
    """

    values: Floats
    starts: Any
    stimuli: Any
    left_out: tuple[str, ...]
    strata: Any
    fold: Any = None

    @property
    def counts(self) -> Any:
        """Responses of each neuroid to each stimulus, shape (n, p) or (n, 1) if all the same."""
        if not np.isnan(self.values).any():
            return np.diff(np.append(self.starts, len(self.values)))[:, None]
        return np.add.reduceat(~np.isnan(self.values), self.starts, axis=0, dtype=np.int64)

    @property
    def independent(self) -> Any:
        """Independent responses of each neuroid to each stimulus: as `counts`, or folds."""
        if self.fold is None:
            return self.counts
        sizes = np.diff(np.append(self.starts, len(self.values)))
        stimulus = np.repeat(np.arange(len(self.starts)), sizes)
        return _independent(~np.isnan(self.values), stimulus, self.fold, len(self.starts))


class Repeated:
    """A recording with its repetitions, one region at a time.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses, dims ``presentation × neuroid``.
    normalise : str, optional
        As in `rdms`; statistics are those of the whole set, and stay so in its parts.
    nan : str
        What to do about neuroids without any response to a stimulus. ``drop-neuroid`` also
        leaves out those that miss single responses, where these leave fewer than three
        stimuli with `minimum` repetitions from every neuroid of a region.
    minimum : int
        Repetitions that will be asked for.

    Raises
    ------
    InputError
        As `read_patterns`.

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> a = assembly([[1.0], [2.0], [4.0]], stimulus_id=["a", "a", "b"], region="V4")
    >>> Repeated(a).region("V4").left_out
    ('b',)
    """

    def __init__(
        self,
        source: Source,
        normalise: str | None = None,
        nan: str = "raise",
        minimum: int = 2,
    ) -> None:
        self._read(source, normalise, nan)
        lacking = self._lacking(minimum) if nan == "drop-neuroid" else np.array([], int)
        if len(lacking):
            names, dropped = self.patterns.neuroid_ids[lacking], self.patterns.dropped
            left = np.setdiff1d(np.arange(self._responses.sizes["neuroid"]), lacking)
            self._read(self._responses.isel(neuroid=left), self.patterns.normalise, nan)
            self.patterns.dropped.update(dropped)
            self.patterns.dropped["neuroids"] = [*dropped.get("neuroids", []), *names]

    def _read(self, source: Source, normalise: str | None, nan: str) -> None:
        self.patterns: Patterns = read_patterns(source, normalise=normalise, nan=nan)
        self._responses = leave_out(responses_of(source), self.patterns.dropped)
        row = {name: k for k, name in enumerate(self.patterns.stimulus_ids)}
        member = np.array([row[name] for name in self._responses["stimulus_id"].values])
        self._order = np.argsort(member, kind="stable")
        self._member = member[self._order]
        self._fold = _folds(self._responses)

    def _lacking(self, minimum: int) -> Any:
        """Return the neuroids that leave a region too few stimuli by missing responses."""
        lacking = []
        fold = None if self._fold is None else self._fold[self._order]
        for columns in self.patterns.columns.values():
            places = np.arange(self._responses.sizes["neuroid"])[columns]
            present = ~np.isnan(self._responses.values[self._order][:, places])
            n = len(self.patterns.stimulus_ids)
            enough = _independent(present, self._member, fold, n) >= minimum
            short = (enough.any(1)[:, None] & ~enough).any(0)
            if enough.all(1).sum() < MINIMUM_STIMULI <= enough.any(1).sum() and not short.all():
                lacking.append(places[short])
        return np.concatenate(lacking) if lacking else np.array([], int)

    def fewer(self, stimuli: Any, nan: str) -> Repeated:
        """Return the recording without some stimuli, its statistics taken again."""
        names = self._responses["stimulus_id"].values.astype(str)
        kept = np.flatnonzero(~np.isin(names, stimuli))
        return Repeated(self._responses.isel(presentation=kept), self.patterns.normalise, nan)

    def region(self, region: str, minimum: int = 2) -> Presentations:
        """Return presentations of the stimuli that every neuroid answered `minimum` times.

        Where there is a coordinate ``fold``, in so many folds.

        Raises
        ------
        InputError
            If responses are missing or infinite, or a neuroid cannot be scaled.
        """
        values = self._normalised(region)
        present = ~np.isnan(values)
        count = len(self.patterns.stimulus_ids)
        fold = None if self._fold is None else self._fold[self._order]
        enough: Any = (_independent(present, self._member, fold, count) >= minimum).all(1)
        rows = np.flatnonzero(present.any(1) & enough[self._member])
        session = _sessions(present[rows])
        order = np.lexsort((session, self._member[rows]))
        rows, session = rows[order], session[order]
        stratum = self._member[rows] * (int(session.max(initial=0)) + 1) + session
        return Presentations(
            values=values[rows],
            starts=_starts(self._member[rows]),
            stimuli=np.flatnonzero(enough),
            left_out=tuple(map(str, self.patterns.stimulus_ids[~enough])),
            strata=np.diff(np.append(_starts(stratum), len(rows))),
            fold=None if fold is None else fold[rows],
        )

    def _normalised(self, region: str) -> Floats:
        patterns, columns = self.patterns, self.patterns.columns[region]
        patterns.required(region, "euclidean")  # refuses what cannot be used
        values = self._responses.values[:, columns][self._order].astype(np.float64)
        if patterns.normalise != "none":
            values -= patterns.shift[columns]
            values /= patterns.scale[columns]
        return values

    @property
    def size(self) -> int:
        """How many single responses there are."""
        return int(self._responses.size)

    @property
    def averaged_hint(self) -> str:
        """Say that the file holds only averages, where the card says so."""
        return averaged_hint(self._responses)

    def too_few(self, found: Presentations, minimum: int) -> str:
        """Say why too few stimuli were repeated, or nothing."""
        if len(found.stimuli) >= MINIMUM_STIMULI:
            return ""
        return (
            f"{len(found.stimuli)} of {len(self.patterns.stimulus_ids)} stimuli have {minimum} or "
            f"more {self._unit}{self.averaged_hint}{self._missing(minimum)}; at least "
            f"{MINIMUM_STIMULI} are needed"
        )

    @property
    def _unit(self) -> str:
        return "single repetitions" if self._fold is None else "folds with repetitions"

    def _missing(self, minimum: int) -> str:
        """Say that missing responses are why, where without them there were stimuli enough."""
        values = self._responses.values[self._order]
        fold = None if self._fold is None else self._fold[self._order]
        shown = ~np.isnan(values).all(1, keepdims=True)
        n = len(self.patterns.stimulus_ids)
        enough = (_independent(shown, self._member, fold, n) >= minimum).sum()
        if enough < MINIMUM_STIMULI:
            return ""
        lacking = np.isnan(values[shown[:, 0]])
        return (
            f" from every neuroid: {enough} were shown so often, but responses of "
            f"{lacking.any(0).sum()} of {values.shape[1]} neuroids are missing (NaN) in "
            f"{lacking.any(1).sum()} of {len(lacking)} presentations (nan='drop-neuroid' leaves "
            "out neuroids that miss a response where that leaves others)"
        )


def averaged_hint(responses: xr.DataArray) -> str:
    """Say that responses are averages, where their attributes or the card say so."""
    held = str(responses.attrs.get("repetitions", ""))
    return f" (responses are {held} repetitions)" if "averaged" in held else ""


def _folds(responses: xr.DataArray) -> Any:
    """Number the folds of presentations, if these have any."""
    if "fold" not in responses["presentation"].coords:
        return None
    codes = pd.factorize(responses["fold"].values.astype(object))[0]
    if (codes < 0).any():
        raise InputError(
            f"{(codes < 0).sum()} of {len(codes)} presentations have no fold (None or NaN); label "
            "all of them, or drop the coordinate 'fold' if presentations share no noise."
        )
    return codes


def _independent(present: Any, stimulus: Any, fold: Any, count: int) -> Any:
    """Count presentations, or folds, in which each neuroid answered, shape (count, p)."""
    if present.shape[1] > 1 and present.all():
        alike = _independent(present[:, :1], stimulus, fold, count)
        return np.broadcast_to(alike, (count, present.shape[1]))
    counts = np.zeros((count, present.shape[1]), np.int64)
    if fold is not None and len(fold):
        order = np.lexsort((fold, stimulus))
        present, stimulus = present[order], stimulus[order]
        starts = _starts(stimulus * (int(fold.max()) + 1) + fold[order])
        present = np.logical_or.reduceat(present, starts, axis=0)
        stimulus = stimulus[starts]
    if len(stimulus):
        starts = _starts(stimulus)
        counts[stimulus[starts]] = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
    return counts


def _sessions(present: Any) -> Any:
    """Label presentations by which neuroids answered, if no neuroid answered in two kinds.

    So a population put together from several sessions is split within each; trials that
    lack a neuroid here and there are not sessions.
    """
    if present.all():
        return np.zeros(len(present), np.int64)
    kinds, member = np.unique(np.packbits(present, axis=1), axis=0, return_inverse=True)
    answered = np.unpackbits(kinds, axis=1, count=present.shape[1])
    disjoint = (answered.sum(0) <= 1).all()
    return member.ravel() if disjoint else np.zeros(len(present), np.int64)


def _starts(labels: Any) -> Any:
    return np.flatnonzero(np.diff(labels, prepend=-1))
