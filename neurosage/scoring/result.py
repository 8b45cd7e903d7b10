"""Scores: the similarity of a network's layers to a teacher's regions, and what follows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.errors import InputError


def teacher_guidance(similarity: xr.DataArray) -> float:
    """Average over regions the similarity of the layer most like each.

    Parameters
    ----------
    similarity : xarray.DataArray, dims region × layer
        Layers whose similarity is NaN (undefined) are passed over.

    Returns
    -------
    float
        TG, in the range of the comparison: [-1, 1] for correlations. The max over
        layers is selection on the scored stimuli and grows with their number.

    Raises
    ------
    InputError
        If dims are others, or no layer has a similarity to one of the regions.

    References
    ----------
    ``TG = mean_i max_j r(M^{T_i}, M^{C_j})`` over teacher regions i and candidate
    layers j.

    Examples
    --------
    >>> s = xr.DataArray([[0.1, 0.3, np.nan], [0.2, 0.1, 0.0]], dims=("region", "layer"))
    >>> round(teacher_guidance(s), 3)
    0.25
    """
    if set(similarity.dims) != {"region", "layer"}:
        raise InputError(f"dims of a similarity are region × layer, not {similarity.dims}.")
    values = similarity.transpose("region", "layer").values
    undefined = ~(~np.isnan(values)).any(axis=1)
    if not values.size or undefined.any():
        names = similarity.region.values if "region" in similarity.coords else range(len(values))
        regions = [str(n) for n, lost in zip(names, undefined, strict=True) if lost]
        raise InputError(f"no layer has a defined similarity to {regions or 'any region'}.")
    return float(np.nanmax(values, axis=1).mean())


@dataclass(frozen=True, eq=False, repr=False)
class Score:
    """Similarity of a network's layers to a teacher's regions, how sure it is, how it was made.

    Parameters
    ----------
    data : xarray.Dataset
        ``similarity`` (region × layer), with ``units`` (recorded) and ``undefined``
        (why a similarity is NaN, else empty) on layer. Where they were asked for: ``low`` and
        ``high`` (region × layer), the interval of each; ``cross_fitted`` (region), the
        similarity of layers chosen on other stimuli, and ``chosen`` (region × layer), how often
        each was; ``ceiling_trials``, ``ceiling_sites`` and, for a teacher with several
        subjects, ``ceiling_subjects_lower`` and ``ceiling_subjects_upper`` (region); these and
        ``cross_fitted`` with ``…_low`` and ``…_high``. NaN where not estimable, with the
        reason in attribute ``not_estimable`` (JSON, by variable and region); ``warnings`` (a
        JSON list) says what not to believe as it stands. Attributes name teacher,
        model, their content hashes, distance (of the teacher, and ``distance_layers``),
        comparison, normalisation of each
        side, formula, seed and versions.

    Examples
    --------
    >>> values = xr.DataArray([[0.1, 0.3]], dims=("region", "layer"),
    ...     coords={"region": ["V4"], "layer": ["a", "b"]}, name="similarity")
    >>> s = Score(values.to_dataset().assign_attrs(model="net", teacher="lab-v4"))
    >>> s
    <Score of net against lab-v4: V4 0.300 (b), TG 0.300, max over 2 layers>
    """

    data: xr.Dataset

    @property
    def similarity(self) -> xr.DataArray:
        """The whole matrix, dims region × layer; NaN where undefined."""
        return self.data["similarity"]

    @property
    def best(self) -> pd.DataFrame:
        """A row a region: ``region``, its most similar ``layer``, the ``similarity``.

        Where they are known also ``low`` and ``high`` of that similarity, and what is known of
        the region: ``cross_fitted``, the ceilings, their ``…_low`` and ``…_high``.
        """
        return pd.DataFrame([self._best_of(str(name)) for name in self.similarity.region.values])

    def _best_of(self, region: str) -> dict[str, Any]:
        own = self.data.sel(region=region)
        known = own["similarity"].dropna("layer")
        layer = str(known.layer.values[np.argmax(known.values)]) if known.size else None
        row: dict[str, Any] = {"region": region, "layer": layer}
        for name in ("similarity", "low", "high"):
            if name in own:
                row[name] = np.nan if layer is None else float(own[name].sel(layer=layer))
        alone = [name for name, values in own.data_vars.items() if values.dims == ()]
        return row | {str(name): float(own[name]) for name in alone}

    @property
    def tg(self) -> float:
        """Teacher guidance: see `teacher_guidance`."""
        return teacher_guidance(self.similarity)

    def to_frame(self) -> pd.DataFrame:
        """Return the matrix as a table.

        Returns
        -------
        pandas.DataFrame
            A row for each region and layer: ``region``, ``layer``, ``similarity``,
            and what else is known of the layer; `best` has what is known of the region.
        """
        whole = [name for name, values in self.data.data_vars.items() if "layer" in values.dims]
        table = self.data[whole].to_dataframe(dim_order=["region", "layer"])
        frame = table.reset_index()
        first = ["region", "layer", "similarity"]
        return frame[[*first, *(c for c in frame.columns if c not in first)]]

    def save(self, path: str | Path) -> Path:
        """Write to a netCDF file; it appears whole or not at all.

        Parameters
        ----------
        path : str or Path
            Ends in ``.nc``; folders are made.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        InputError
            If `path` does not end in ``.nc``.
        """
        path = Path(path)
        if path.suffix != ".nc":
            raise InputError(f"a score is saved as netCDF: {path} must end in .nc.")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            self.data.to_netcdf(partial, engine="netcdf4")
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Score:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the file is not there, or holds no score.
        """
        if not Path(path).is_file():
            raise InputError(f"there is no file {path}.")
        try:
            data = xr.load_dataset(path, engine="netcdf4")
        except (OSError, ValueError) as error:
            raise InputError(f"{path} is no netCDF file: {error}") from error
        if "similarity" not in data or set(data["similarity"].dims) != {"region", "layer"}:
            raise InputError(f"{path} holds no score: similarity by region and layer is missing.")
        return cls(data)

    def _title(self) -> str:
        return f"Score of {self.data.attrs.get('model')} against {self.data.attrs.get('teacher')}"

    def __repr__(self) -> str:
        from neurosage.scoring.showing import in_brackets, with_interval

        best = ", ".join(
            f"{row['region']} {with_interval(row['similarity'], *_ends(row))} "
            f"({in_brackets(row, self.data)})"
            for row in map(self._best_of, map(str, self.similarity.region.values))
        )
        layers = self.data.sizes["layer"]
        return f"<{self._title()}: {best}, TG {self.tg:.3f}, max over {layers} layers>"

    def _repr_html_(self) -> str:
        from neurosage.scoring.showing import notes, shown_best

        matrix = self.similarity.transpose("layer", "region").to_pandas()
        facts = "; ".join(f"{key}: {value}" for key, value in self.data.attrs.items())
        said = "".join(f"<p>{escape(note)}</p>" for note in notes(self.data))
        return (
            f"<p><b>{escape(self._title())}</b></p>"
            f"{shown_best(self.best, self.data).to_html(index=False)}{said}"
            f"{matrix.to_html(float_format='{:.3f}'.format)}<p><small>{escape(facts)}</small></p>"
        )


def _ends(row: Mapping[str, Any]) -> tuple[float, float]:
    return row.get("low", np.nan), row.get("high", np.nan)
