"""Score a network: its layers' similarity to each region of a teacher."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.errors import InputError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from neurosage.data.teacher import Teacher
    from neurosage.models.preprocess import Preprocessing
    from neurosage.models.source import Model

logger = logging.getLogger(__name__)

FORMULA = "S_i = max_j similarity(region i, layer j); TG = mean_i S_i"


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
    """Similarity of a network's layers to a teacher's regions, and how it was made.

    Parameters
    ----------
    data : xarray.Dataset
        ``similarity`` (region × layer), with ``units`` (recorded) and ``undefined``
        (why a similarity is NaN, else empty) on layer. Attributes name teacher,
        model, their content hashes, distance, comparison, normalisation of each
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
        """A row a region: ``region``, its most similar ``layer``, the ``similarity``."""
        rows = []
        for region in self.similarity.region.values:
            values = self.similarity.sel(region=region)
            known = values.dropna("layer")
            top = known.isel(layer=int(np.argmax(known.values))) if known.size else None
            rows.append(
                {
                    "region": str(region),
                    "layer": None if top is None else str(top.layer.item()),
                    "similarity": np.nan if top is None else float(top),
                }
            )
        return pd.DataFrame(rows)

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
            and what else is known of the layer.
        """
        frame = self.data.to_dataframe(dim_order=["region", "layer"]).reset_index()
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
        best = ", ".join(
            f"{row.region} {row.similarity:.3f} ({row.layer})" for row in self.best.itertuples()
        )
        layers = self.data.sizes["layer"]
        return f"<{self._title()}: {best}, TG {self.tg:.3f}, max over {layers} layers>"

    def _repr_html_(self) -> str:
        matrix = self.similarity.transpose("layer", "region").to_pandas()
        facts = "; ".join(f"{key}: {value}" for key, value in self.data.attrs.items())
        return (
            f"<p><b>{escape(self._title())}</b></p>{self.best.to_html(index=False)}"
            f"{matrix.to_html(float_format='{:.3f}'.format)}<p><small>{escape(facts)}</small></p>"
        )


def score(
    model: nn.Module | Model | str,
    teacher: Teacher | str,
    layers: Sequence[str] | None = None,
    *,
    units: int = 1000,
    seed: int = 0,
    distance: str = "correlation",
    comparison: str = "pearson",
    normalise: str | None = None,
    normalise_layers: str = "none",
    backend: str = "torch",
    preprocessing: Preprocessing | None = None,
    batch_size: int = 64,
    device: str | torch.device | None = None,
) -> Score:
    """Measure how alike each layer of a network and each region of a teacher are.

    Parameters
    ----------
    model : torch.nn.Module, Model or str
        The network, or its source such as ``"torchvision:resnet50"``.
    teacher : Teacher or str
        The teacher, or its id.
    layers : sequence of str, optional
        Names of modules; all leaf modules by default.
    units : int
        At most so many units of a layer are recorded, a random sample.
    seed : int
        Of that sample.
    distance : str
        Makes an RDM from patterns: ``correlation``, ``euclidean``.
    comparison : str
        Makes a similarity from two RDMs: ``pearson``, ``spearman``, ``cosine``.
    normalise : str, optional
        Of the teacher's neuroids; what its card says, if omitted.
    normalise_layers : str
        Of the network's units.
    backend : str
        What computes: ``torch``, ``rsatoolbox``.
    preprocessing : Preprocessing, optional
        Of the stimuli, instead of the model's own.
    batch_size : int
        Stimuli in a batch.
    device : str or torch.device, optional
        Where the network runs; where it is, if omitted.

    Returns
    -------
    Score
        Layers whose similarity is undefined (a stimulus to which all their units
        answer alike) are NaN, and it says why.

    Raises
    ------
    InputError
        If a name is unknown or a setting wrong, before anything is recorded; if
        the network fails on the stimuli; if no layer's similarity is defined.

    Examples
    --------
    >>> score("pixels", "simulated-macaque").best.layer.unique().tolist()  # doctest: +SKIP
    ['pixels']
    """
    from neurosage.data.registry import load_teacher
    from neurosage.models.record import record
    from neurosage.models.recorder import modules_to_hook
    from neurosage.models.source import as_model
    from neurosage.rsa.similarity import prepare, similarity_to

    network = as_model(model)
    modules_to_hook(network.module, layers)
    _check_layer_method(normalise_layers)
    teacher = load_teacher(teacher) if isinstance(teacher, str) else teacher
    prepared = prepare(
        teacher, distance=distance, comparison=comparison, normalise=normalise, backend=backend
    )
    recorded = record(
        network,
        teacher.stimuli,
        layers,
        units=units,
        seed=seed,
        batch_size=batch_size,
        device=device,
        preprocessing=preprocessing,
    )
    logger.info("recorded %d stimuli, %d units", *recorded.shape)
    found = similarity_to(prepared, recorded, normalise=normalise_layers, undefined="nan")
    return Score(_gather(found, recorded, network, teacher))


def _check_layer_method(method: str) -> None:
    from neurosage.rsa.normalise import check_method

    check_method(method)
    if method == "noise":
        raise InputError("normalise_layers='noise' needs repetitions; networks answer once.")


def _gather(
    found: xr.DataArray, recorded: xr.DataArray, network: Model, teacher: Teacher
) -> xr.Dataset:
    layers, regions = (list(map(str, found[dim].values)) for dim in ("region_a", "region_b"))
    reasons = json.loads(found.attrs["undefined"])
    counts = pd.Series(recorded["region"].values).value_counts()
    data = xr.Dataset(
        {"similarity": (("region", "layer"), found.transpose("region_b", "region_a").values)},
        coords={
            "region": regions,
            "layer": layers,
            "units": ("layer", [int(counts[layer]) for layer in layers]),
            "undefined": ("layer", [reasons.get(layer, "") for layer in layers]),
        },
        attrs=_provenance(found, recorded, network, teacher),
    )
    lost = [r for r in regions if data["similarity"].sel(region=r).isnull().all()]
    if lost:
        layer, reason = next(iter(reasons.items()), (layers[0], "unknown"))
        raise InputError(
            f"none of {len(layers)} layers has a defined similarity to {lost}; {layer!r}: {reason}."
        )
    return data


def _provenance(
    found: xr.DataArray, recorded: xr.DataArray, network: Model, teacher: Teacher
) -> dict[str, Any]:
    made, kept = found.attrs, recorded.attrs
    return {
        "model": network.id,
        "weights": network.weights,
        "weights_hash": kept["weights_hash"],
        "teacher": teacher.id,
        "teacher_kind": teacher.kind,
        "teacher_hash": teacher.content_hash(),
        "stimuli": kept["stimuli"],
        "stimuli_hash": kept["stimuli_hash"],
        "n_stimuli": int(made["n_stimuli"]),
        "preprocessing": kept["preprocessing"],
        "units": kept["units"],
        "seed": kept["seed"],
        "distance": made["distance"],
        "comparison": made["comparison"],
        "normalise_layers": made["normalise_a"],
        "normalise_teacher": made["normalise_b"],
        "dropped": made["dropped"],
        "formula": FORMULA,
        "backend": made["backend"],
        "versions": kept["versions"],
    }
