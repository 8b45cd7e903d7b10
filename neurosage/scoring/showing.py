"""A score in words: numbers with their intervals, and the notes that belong under them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurosage.data.findings.finding import count

CEILING = "ceiling_"
ENDS = ("_low", "_high")
TITLES = {"cross_fitted": "cross-fitted", "cross_fitted_interval": "cross-fitted interval"}


def with_interval(value: float, low: float = np.nan, high: float = np.nan, digits: int = 3) -> str:
    """Write a number, and its interval where there is one.

    Parameters
    ----------
    value, low, high : float
        NaN where there is none.
    digits : int
        Decimals.

    Returns
    -------
    str
        A dash for NaN.

    Examples
    --------
    >>> with_interval(0.25, 0.2, 0.31), with_interval(0.25), with_interval(np.nan)
    ('0.250 [0.200, 0.310]', '0.250', '–')
    """
    if np.isnan(value):
        return "–"
    ends = "" if np.isnan([low, high]).any() else f" [{low:.{digits}f}, {high:.{digits}f}]"
    return f"{value:.{digits}f}{ends}"


def ceiling_kinds(data: xr.Dataset) -> dict[str, str]:
    """Return the ceilings that a score holds: the variable of each, and its kind in words.

    Parameters
    ----------
    data : xarray.Dataset
        Of a `Score`.

    Returns
    -------
    dict of str to str
        In the score's order.

    Examples
    --------
    >>> ceiling_kinds(xr.Dataset({"ceiling_subjects_lower": ("region", [0.4])}))
    {'ceiling_subjects_lower': 'subjects, lower'}
    """
    names = [str(name) for name in data.data_vars]
    kept = [name for name in names if name.startswith(CEILING) and not name.endswith(ENDS)]
    # The bounds over subjects end in lower and upper, their own ends in lower_low and so on.
    return {name: name.removeprefix(CEILING).replace("_", ", ") for name in kept}


def shown_best(best: pd.DataFrame, data: xr.Dataset) -> pd.DataFrame:
    """Write the table of the best layers as text, columns only for what is known.

    Parameters
    ----------
    best : pandas.DataFrame
        `Score.best`.
    data : xarray.Dataset
        Of that score.

    Returns
    -------
    pandas.DataFrame
        A row a region.
    """
    columns = {"similarity": "similarity", "cross-fitted": "cross_fitted"}
    columns |= {f"ceiling ({kind})": name for name, kind in ceiling_kinds(data).items()}
    shown = {"region": best["region"], "best layer": best["layer"].fillna("–")}
    for title, name in columns.items():
        if name in best and best[name].notna().any():
            prefix = "" if name == "similarity" else f"{name}_"
            parts = [best.get(key, pd.Series(np.nan, best.index))
                     for key in (name, f"{prefix}low", f"{prefix}high")]  # fmt: skip
            shown[title] = pd.Series(map(with_interval, *parts), best.index, dtype=object)
    return pd.DataFrame(shown)


def in_brackets(row: Mapping[str, Any], data: xr.Dataset) -> str:
    """Write in one line what goes with the best layer of a region.

    Parameters
    ----------
    row : mapping
        Of `Score.best`.
    data : xarray.Dataset
        Of that score.

    Returns
    -------
    str
        Such as ``"layer2; cross-fitted 0.245; ceiling (sites) 0.755"``.
    """
    parts = [str(row["layer"])]
    if pd.notna(value := row.get("cross_fitted")):
        parts.append(f"cross-fitted {value:.3f}")
    for name, kind in ceiling_kinds(data).items():
        if pd.notna(value := row.get(name)):
            parts.append(f"ceiling ({kind}) {value:.3f}")
    return "; ".join(parts)


def notes(data: xr.Dataset) -> list[str]:
    """Say what the numbers of a score mean, what could not be had, and what not to believe.

    Parameters
    ----------
    data : xarray.Dataset
        Of a `Score`.

    Returns
    -------
    list of str
        A sentence or two each.
    """
    made, layers = data.attrs, data.sizes["layer"]
    said = [_made(made)] if "comparison" in made else []
    if "low" in data and data["low"].notnull().any():
        said.append(_interval(made))
    if layers > 1:
        said.append(_selection(data, layers))
    known = [k for name, k in ceiling_kinds(data).items() if data[name].notnull().any()]
    if known:
        kinds = " and ".join(dict.fromkeys(kind.split(",")[0] for kind in known))
        said.append(f"Ceiling: estimated ceiling ({kinds}), not a bound.")
    return [*said, *_lacking(made), *_left_out(made), *_undefined(data)]


def _made(made: Mapping[str, Any]) -> str:
    own = made.get("distance_layers", made["distance"])
    other = "" if own == made["distance"] else f" (the network's: {own}, without noise)"
    rdms = "" if made["distance"] == "none" else f" of {made['distance']} RDMs{other}"
    return (
        f"{made['comparison']}{rdms} over {made['n_stimuli']} stimuli; "
        f"neuroids {made['normalise_teacher']}, units {made['normalise_layers']}."
    )


def _interval(made: Mapping[str, Any]) -> str:
    fewer = made.get("cross_fitted_resamples", made["resamples"])
    own = f", {fewer} for cross-fitted" if fewer != made["resamples"] else ""
    return (
        f"In brackets: {100 * made['interval']:g}% intervals ({made['interval_method']}; "
        f"{made['resamples']} resamples{own}). They speak for new stimuli, not for new neuroids "
        "or subjects; that of the best layer as if it had been named beforehand."
    )


def _selection(data: xr.Dataset, layers: int) -> str:
    note = (
        f"The best is a max over {layers} layers on the scored stimuli: that is selection, it "
        "grows with the number of layers; no unbiased similarity."
    )
    if "cross_fitted" in data and data["cross_fitted"].notnull().any():
        note += " Cross-fitted: layers are chosen on half of the stimuli, compared on the rest."
    return note


def _lacking(made: Mapping[str, Any]) -> list[str]:
    """Say what is not estimable, regions and kinds of one reason together."""
    reasons = json.loads(made.get("not_estimable", "{}"))
    together: dict[str, dict[str, list[str]]] = {}
    for name, by_region in reasons.items():
        for region, reason in by_region.items():
            together.setdefault(reason, {}).setdefault(_title(name), []).append(region)
    said = []
    for reason, what in together.items():
        regions = list(dict.fromkeys(r for own in what.values() for r in own if r))
        where = f" for {', '.join(regions)}" if regions else ""
        said.append(f"Not estimable{where}: {', '.join(what)}: {reason}.")
    return said


def _title(name: str) -> str:
    kind = name.removeprefix(CEILING)
    return f"ceiling ({kind.split('_')[0]})" if kind != name else TITLES.get(name, name)


def _left_out(made: Mapping[str, Any]) -> list[str]:
    said = [str(note) for note in json.loads(made.get("warnings", "[]"))]
    # Of side b, the teacher's: what a policy left out.
    for what, names in json.loads(made.get("dropped", "{}")).get("b", {}).items():
        first = ", ".join(map(str, names[:5])) + (", …" if len(names) > 5 else "")
        said.append(f"{count(len(names), what)} left out for missing responses: {first}")
    return said


def _undefined(data: xr.Dataset) -> list[str]:
    if "undefined" not in data.coords:
        return []
    reasons = data["undefined"].to_series()
    return [f"{layer} is undefined: {why}" for layer, why in reasons[reasons != ""].items()]
