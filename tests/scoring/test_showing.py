"""Laws of a score in words."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from neurosage.scoring.result import Score
from neurosage.scoring.showing import ceiling_kinds, notes, shown_best, with_interval

MADE = {
    "model": "net",
    "teacher": "lab",
    "comparison": "pearson",
    "distance": "correlation",
    "distance_layers": "correlation",
    "n_stimuli": 40,
    "normalise_teacher": "zscore",
    "normalise_layers": "none",
}


def made(**extra: Any) -> Score:
    values = np.array([[0.1, 0.3], [0.2, np.nan]])
    data = xr.Dataset(
        {"similarity": (("region", "layer"), values)},
        coords={"region": ["V4", "IT"], "layer": ["a", "b"]},
        attrs=MADE,
    )
    return Score(data.assign({k: v for k, v in extra.items() if not isinstance(v, str)}))


def known() -> Score:
    both, region = ("region", "layer"), ("region",)
    score = made(
        low=(both, np.array([[0.0, 0.2], [0.1, np.nan]])),
        high=(both, np.array([[0.2, 0.4], [0.3, np.nan]])),
        cross_fitted=(region, [0.28, np.nan]),
        cross_fitted_low=(region, [0.18, np.nan]),
        cross_fitted_high=(region, [0.38, np.nan]),
        ceiling_trials=(region, [np.nan, np.nan]),
        ceiling_trials_low=(region, [np.nan, np.nan]),
        ceiling_trials_high=(region, [np.nan, np.nan]),
        ceiling_sites=(region, [0.75, 0.6]),
        ceiling_sites_low=(region, [0.7, 0.5]),
        ceiling_sites_high=(region, [0.8, 0.7]),
    )
    reasons = {"ceiling_trials": {"V4": "only averages", "IT": "only averages"}}
    score.data.attrs |= {
        "interval": 0.95,
        "resamples": 1000,
        "interval_over": "stimuli",
        "interval_method": "bootstrap over stimuli",
        "not_estimable": json.dumps(reasons),
        "warnings": json.dumps(["beware of IT."]),
    }
    return score


def test_best_has_all_that_is_known_of_a_region() -> None:
    """The interval of the best layer, cross-fitted, ceilings; NaN layers are passed over."""
    best = known().best
    assert best.layer.tolist() == ["b", "a"]
    assert best.low.tolist() == [0.2, 0.1]
    assert best.high.tolist() == [0.4, 0.3]
    assert best.ceiling_sites.tolist() == [0.75, 0.6]
    assert best.cross_fitted_low[0] == 0.18
    assert list(made().best.columns) == ["region", "layer", "similarity"]


def test_the_frame_has_what_is_known_of_layers_only() -> None:
    """Ceilings are a region's, and would be repeated for each layer."""
    assert list(known().to_frame().columns) == ["region", "layer", "similarity", "low", "high"]


def test_the_table_has_columns_for_what_is_estimable() -> None:
    """A dash where one region lacks what the other has; no column where both lack it."""
    score = known()
    shown = shown_best(score.best, score.data)
    assert list(shown.columns) == [
        "region", "best layer", "similarity", "cross-fitted", "ceiling (sites)",
    ]  # fmt: skip
    assert shown["similarity"].tolist() == ["0.300 [0.200, 0.400]", "0.200 [0.100, 0.300]"]
    assert shown["cross-fitted"].tolist() == ["0.280 [0.180, 0.380]", "–"]
    bare = made()
    assert list(shown_best(bare.best, bare.data).columns) == ["region", "best layer", "similarity"]


def test_repr_says_interval_cross_fitted_and_ceiling() -> None:
    """In one line; a score without them is as short as before."""
    words = repr(known())
    assert "V4 0.300 [0.200, 0.400] (b; cross-fitted 0.280; ceiling (sites) 0.750)" in words
    assert "IT 0.200 [0.100, 0.300] (a; ceiling (sites) 0.600)" in words
    assert "V4 0.300 (b), IT 0.200 (a)" in repr(made())


def test_notes_say_what_numbers_mean_and_what_is_missing() -> None:
    """Intervals, selection, the ceiling's wording, reasons, warnings."""
    said = " ".join(notes(known().data))
    for words in (
        "pearson of correlation RDMs over 40 stimuli; neuroids zscore, units none",
        "95% intervals",
        "bootstrap over stimuli",
        "max over 2 layers",
        "layers are chosen on half",
        "estimated ceiling (sites), not a bound",
        "Not estimable for V4, IT: ceiling (trials): only averages.",
        "beware of IT.",
    ):
        assert words in said
    bare = " ".join(notes(made().data))
    assert "ceiling" not in bare
    assert "intervals" not in bare
    assert all(words in known()._repr_html_() for words in ("not a bound", "0.300 [0.200, 0.400]"))


def test_ceilings_are_named_by_kind() -> None:
    """Their ends are not ceilings; bounds over subjects are two."""
    names = [
        f"ceiling_{kind}{end}"
        for kind in ("sites", "subjects_lower", "subjects_upper")
        for end in ("", "_low", "_high")
    ]
    data = xr.Dataset({name: ("region", [0.5]) for name in names})
    assert list(ceiling_kinds(data).values()) == ["sites", "subjects, lower", "subjects, upper"]


def test_a_number_without_interval_stands_alone() -> None:
    """Half an interval is none."""
    assert with_interval(0.5, 0.4) == "0.500"
    assert with_interval(np.nan, 0.1, 0.2) == "–"
