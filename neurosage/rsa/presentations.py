"""Recordings → single presentations, for what needs the repetitions of each stimulus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosage.rsa.backends.base import Floats
from neurosage.rsa.missing import leave_out
from neurosage.rsa.patterns import Patterns, Source, read_patterns, responses_of

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
    repetition : array of object or None
        Of each presentation.
    """

    values: Floats
    starts: Any
    stimuli: Any
    left_out: tuple[str, ...]
    strata: Any
    repetition: Any = None

    @property
    def counts(self) -> Any:
        """Responses of each neuroid to each stimulus, shape (n, p) or (n, 1) if all the same."""
        if not np.isnan(self.values).any():
            return np.diff(np.append(self.starts, len(self.values)))[:, None]
        return np.add.reduceat(~np.isnan(self.values), self.starts, axis=0, dtype=np.int64)


class Repeated:
    """A recording with its repetitions, one region at a time.

    Parameters
    ----------
    source : Teacher or xarray.DataArray
        Responses, dims ``presentation × neuroid``.
    normalise : str, optional
        As in `rdms`; statistics are those of the whole set, and stay so in its parts.
    nan : str
        What to do about neuroids without any response to a stimulus.

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

    def __init__(self, source: Source, normalise: str | None = None, nan: str = "raise") -> None:
        self.patterns: Patterns = read_patterns(source, normalise=normalise, nan=nan)
        self._responses = leave_out(responses_of(source), self.patterns.dropped)
        row = {name: k for k, name in enumerate(self.patterns.stimulus_ids)}
        member = np.array([row[name] for name in self._responses["stimulus_id"].values])
        self._order = np.argsort(member, kind="stable")
        self._member = member[self._order]

    def fewer(self, stimuli: Any, nan: str) -> Repeated:
        """Return the recording without some stimuli, its statistics taken again."""
        names = self._responses["stimulus_id"].values.astype(str)
        kept = np.flatnonzero(~np.isin(names, stimuli))
        return Repeated(self._responses.isel(presentation=kept), self.patterns.normalise, nan)

    def region(self, region: str, minimum: int = 2) -> Presentations:
        """Return presentations of the stimuli that every neuroid answered `minimum` times.

        Raises
        ------
        InputError
            If responses are missing or infinite, or a neuroid cannot be scaled.
        """
        values = self._normalised(region)
        present = ~np.isnan(values)
        counts = np.zeros((len(self.patterns.stimulus_ids), values.shape[1]), np.int64)
        starts = _starts(self._member)
        counts[self._member[starts]] = np.add.reduceat(present, starts, axis=0, dtype=np.int64)
        enough: Any = (counts >= minimum).all(1)
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
            repetition=self._repetition(rows),
        )

    def _normalised(self, region: str) -> Floats:
        patterns, columns = self.patterns, self.patterns.columns[region]
        patterns.required(region, "euclidean")  # refuses what cannot be used
        values = self._responses.values[:, columns][self._order].astype(np.float64)
        if patterns.normalise != "none":
            values -= patterns.shift[columns]
            values /= patterns.scale[columns]
        return values

    def _repetition(self, rows: Any) -> Any:
        if "repetition" not in self._responses.coords:
            return None
        return self._responses["repetition"].values[self._order][rows]

    @property
    def size(self) -> int:
        """How many single responses there are."""
        return int(self._responses.size)

    @property
    def averaged_hint(self) -> str:
        """Say that the file holds only averages, where the card says so."""
        held = str(self._responses.attrs.get("repetitions", ""))
        return f" (responses are {held} repetitions)" if "averaged" in held else ""

    def too_few(self, found: Presentations, minimum: int) -> str:
        """Say why too few stimuli were repeated, or nothing."""
        if len(found.stimuli) >= MINIMUM_STIMULI:
            return ""
        return (
            f"{len(found.stimuli)} of {len(self.patterns.stimulus_ids)} stimuli have {minimum} or "
            f"more single repetitions{self.averaged_hint}; at least {MINIMUM_STIMULI} are needed"
        )


def _sessions(present: Any) -> Any:
    """Label presentations by which neuroids answered, if no neuroid answered in two kinds.

    So a population put together from several sessions is split within each; trials that
    lack a neuroid here and there are not sessions.
    """
    kinds, member = np.unique(np.packbits(present, axis=1), axis=0, return_inverse=True)
    answered = np.unpackbits(kinds, axis=1, count=present.shape[1])
    disjoint = (answered.sum(0) <= 1).all()
    return member.ravel() if disjoint else np.zeros(len(present), np.int64)


def _starts(labels: Any) -> Any:
    return np.flatnonzero(np.diff(labels, prepend=-1))
