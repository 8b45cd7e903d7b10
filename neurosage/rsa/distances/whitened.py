"""Mahalanobis distance: patterns whitened, so that euclidean distance is what a backend makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from neurosage.errors import InputError
from neurosage.rsa.backends.base import Floats
from neurosage.rsa.distances.noise_precision import (
    MAHALANOBIS,
    given_root,
    own_precision,
    precision_root,
)
from neurosage.rsa.distances.presentations import Repeated
from neurosage.rsa.responses.missing import leave_out
from neurosage.rsa.responses.patterns import Patterns, Source, responses_of


@dataclass(frozen=True)
class Whitened(Patterns):
    """The pattern matrices of a recording, weighed by the precision of each region's noise.

    Parameters
    ----------
    roots : mapping of str to array of float64, shape (p, p) or (p,)
        L of each region, with ``L Lᵀ`` the precision; the diagonal alone where it is such.
    """

    roots: dict[str, Floats] = field(default_factory=dict)

    def matrix(self, region: str) -> Any:
        """Return one region's patterns times L, shape (n, p), about the first of them."""
        rows = WhitenedRows(super().matrix(region), self.roots[region])
        return np.asarray(rows) if isinstance(rows.rows, np.ndarray) else rows


@dataclass(frozen=True, eq=False)
class WhitenedRows:
    """A pattern matrix times L, row by row as it is read.

    Parameters
    ----------
    rows : array, shape (n, p)
        Or what gives some rows of it at a time.
    root : array of float64, shape (p, p) or (p,)
        L.

    Examples
    --------
    >>> np.asarray(WhitenedRows(np.array([[1.0, 2.0], [2.0, 5.0]]), np.array([3.0, 1.0])))
    array([[0., 0.],
           [3., 3.]])
    """

    rows: Any
    root: Floats
    dtype = np.dtype(np.float64)

    @property
    def shape(self) -> tuple[int, int]:
        """Stimuli and neuroids."""
        n, p = self.rows.shape
        return int(n), int(p)

    @property
    def ndim(self) -> int:
        """Two."""
        return 2

    @property
    def block_rows(self) -> int | None:
        """How many rows to read at once from disk; None in memory."""
        return getattr(self.rows, "block_rows", None)

    def __len__(self) -> int:
        """Return the number of stimuli."""
        return self.shape[0]

    def __getitem__(self, index: slice) -> Floats:
        """Return some rows, whitened."""
        # No distance depends on the first row; taking it out keeps the product's digits.
        first = np.asarray(self.rows[0:1], np.float64)
        some = np.asarray(self.rows[index], np.float64) - first
        return some * self.root if self.root.ndim == 1 else np.asarray(some @ self.root)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Any:
        """Return all rows."""
        return self[0 : len(self)].astype(dtype or np.float64, copy=False)


def whiten(patterns: Patterns, source: Source, precision: str | Mapping[str, Any]) -> Whitened:
    """Weigh patterns by the precision of noise: then squared euclidean is mahalanobis distance.

    ``‖(F_i - F_j) L‖² = (F_i - F_j) P (F_i - F_j)ᵀ`` with ``L Lᵀ = P``.

    Parameters
    ----------
    patterns : Patterns
        Of `source`.
    source : Teacher or xarray.DataArray
        Assembly, with single repetitions of some stimuli unless the precision is given.
    precision : {"diagonal", "shrinkage"} or mapping of str to array, shape (p, p)
        Estimated from residuals within stimulus, of those stimuli that are in `patterns`; or
        given by region, for neuroids as normalised, in their order.

    Returns
    -------
    Whitened
        Its matrices are float64.

    Raises
    ------
    InputError
        If no stimulus was repeated, a neuroid is constant over repetitions, or a matrix that
        is given is not symmetric positive definite.

    References
    ----------
    Walther et al. 2016, "Reliability of dissimilarity measures for multi-voxel pattern
    analysis".

    Examples
    --------
    >>> from neurosage.data.assembly import assembly
    >>> from neurosage.rsa.responses.patterns import read_patterns
    >>> a = assembly([[1.0, 2.0], [3.0, 5.0]], stimulus_id=["cat", "dog"], region="V4")
    >>> whiten(read_patterns(a), a, {"V4": [[4.0, 0.0], [0.0, 1.0]]}).matrix("V4")
    array([[0., 0.],
           [4., 3.]])
    """
    own_precision(MAHALANOBIS, precision)
    present = [region for region in patterns.regions if region not in patterns.missing]
    if isinstance(precision, Mapping):
        widths = {name: _width(patterns, name) for name in present}
        roots = {name: given_root(precision, name, widths[name]) for name in present}
    else:
        roots = _from_residuals(patterns, source, precision, present)
    held = {each.name: getattr(patterns, each.name) for each in fields(Patterns)}
    return Whitened(**held, roots=roots)


def _width(patterns: Patterns, region: str) -> int:
    return int(patterns.neuroid_ids[patterns.columns[region]].size)


def _from_residuals(
    patterns: Patterns, source: Source, precision: str, regions: list[str]
) -> dict[str, Floats]:
    responses = leave_out(responses_of(source), patterns.dropped)
    roots = {}
    for region in regions:
        columns = patterns.columns[region]
        # Of responses as recorded: this precision undoes any scale that neuroids are given.
        root = _residual_root(responses.isel(neuroid=columns), region, precision)
        scale = patterns.scale[columns]
        roots[region] = scale * root if root.ndim == 1 else scale[:, None] * root
    return roots


def _residual_root(responses: xr.DataArray, region: str, precision: str) -> Floats:
    repeated = Repeated(responses, "none")
    found = repeated.region(region)
    if not len(found.starts):
        raise InputError(
            f"mahalanobis distance takes its precision from repetitions, and no stimulus has two "
            f"from every neuroid of region {region!r}{repeated.averaged_hint}: give the single "
            "repetitions, or precision={region: matrix}, or use distance='euclidean'."
        )
    return precision_root(found, precision, region, responses["neuroid_id"].values)
