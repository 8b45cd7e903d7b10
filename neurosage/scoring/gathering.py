"""What was found of a network, in the form of a score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from neurosage.errors import InputError
from neurosage.scoring.ceilings import WORDING
from neurosage.scoring.settings import Settings

if TYPE_CHECKING:
    from neurosage.data.teacher import Teacher
    from neurosage.models.source import Model

FORMULA = "S_i = max_j similarity(region i, layer j); TG = mean_i S_i"


def joined(data: xr.Dataset, parts: Sequence[xr.Dataset], settings: Settings) -> xr.Dataset:
    """Put beside similarities what is known of their uncertainty.

    Parameters
    ----------
    data : xarray.Dataset
        From `gather`.
    parts : sequence of xarray.Dataset
        From `uncertainty` and `teacher_ceilings`.
    settings : Settings
        What was drawn.

    Returns
    -------
    xarray.Dataset
        Of a `Score`; NaN where a part has nothing on a layer or a region.
    """
    reasons: dict[str, dict[str, str]] = {}
    warnings = [data.attrs["warning"]] if "warning" in data.attrs else []
    for part in parts:
        own = part.reindex(region=data.region.values) if "region" in part.dims else part
        own = own.reindex(layer=data.layer.values) if "layer" in own.dims else own
        data = data.assign({k: v.transpose("region", ...) for k, v in own.data_vars.items()})
        reasons |= part.attrs.get("not_estimable", {})
        warnings += part.attrs.get("warnings", [])
        kept = {k: v for k, v in part.attrs.items() if k not in ("not_estimable", "warnings")}
        data = data.assign_attrs(kept)
    if settings.interval is not None:
        data.attrs |= {"interval": settings.interval, "resamples": settings.resamples}
    if any(name.startswith("ceiling_") for name in map(str, data.data_vars)):
        data.attrs["ceiling_wording"] = WORDING
    return data.assign_attrs(not_estimable=json.dumps(reasons), warnings=json.dumps(warnings))


def gather(
    found: xr.DataArray, recorded: xr.DataArray, network: Model, teacher: Teacher
) -> xr.Dataset:
    """Put similarities into a score's form, with how they were made.

    Parameters
    ----------
    found : xarray.DataArray
        From `similarity_to`: dims ``region_a × region_b``.
    recorded : xarray.DataArray
        Of the network.
    network : Model
        Whose layers they are.
    teacher : Teacher
        Whose regions.

    Returns
    -------
    xarray.Dataset
        ``similarity`` (region × layer), ``units`` and ``undefined`` on layer, attributes.

    Raises
    ------
    InputError
        If no layer's similarity to some region is defined.
    """
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
        first = f"{layer!r}: {reason.rstrip('.')}."
        raise InputError(
            f"none of {len(layers)} layers has a defined similarity to {lost}; {first}"
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
        "distance_layers": made["distance_a"],
        "comparison": made["comparison"],
        "normalise_layers": made["normalise_a"],
        "normalise_teacher": made["normalise_b"],
        "nan": made["nan"],
        "dropped": made["dropped"],
        "formula": FORMULA,
        "backend": made["backend"],
        "versions": kept["versions"],
        **({"warning": made["warning"]} if "warning" in made else {}),
    }
