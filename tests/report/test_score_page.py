"""The page of a score holds its numbers, its pictures, and why something is not there."""

from __future__ import annotations

import itertools
import json
import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurosage.report.rdm_plots import plot_rdms
from neurosage.report.score_page import write_score_page
from neurosage.scoring.result import Score

REASONS = {"ceiling_trials": {"V4": "only averages exist"}}


def score(layers=6, **more):
    """Two regions; what a score with all its uncertainty holds is added by name."""
    values = np.random.default_rng(0).uniform(0.05, 0.4, (2, layers))
    both = ("region", "layer")
    data = xr.Dataset(
        {"similarity": (both, values)},
        coords={"region": ["V4", "<b>IT</b>"], "layer": [f"layer{k}" for k in range(layers)],
                "units": ("layer", [1000] * layers), "undefined": ("layer", [""] * layers)},
        attrs={"model": "<i>net</i>", "teacher": "lab", "n_stimuli": 360, "dropped": "{}"},
    )  # fmt: skip
    return Score(data.assign(**{name: (dims, v) for name, (dims, v) in more.items()}))


def uncertain():
    made = score()
    values, both = made.similarity.values, ("region", "layer")
    shares = np.zeros((2, 6))
    shares[:, 0], shares[:, 1], shares[:, 2] = 0.72, 0.25, 0.03
    made = score(
        low=(both, values - 0.02), high=(both, values + 0.02), chosen=(both, shares),
        cross_fitted=("region", [0.2, 0.3]), cross_fitted_low=("region", [0.1, 0.2]),
        cross_fitted_high=("region", [0.3, 0.4]), ceiling_sites=("region", [0.755, 0.8]),
        ceiling_trials=("region", [np.nan, np.nan]),
    )  # fmt: skip
    attrs = {"interval": 0.95, "resamples": 1000, "interval_over": "stimuli",
             "interval_method": "bootstrap", "teacher_kind": "simulated",
             "ceiling_wording": "estimated ceiling ({kind}), not a bound",
             "not_estimable": json.dumps(REASONS)}  # fmt: skip
    return Score(made.data.assign_attrs(attrs))


def text_of(path: Path) -> str:
    page = path.read_text(encoding="utf-8")
    return unescape(re.sub(r"<[^>]+>", " ", page))


def test_the_page_is_one_file(tmp_path):
    """Pictures are within; nothing but the page is left; its folder is made."""
    target = write_score_page(uncertain(), tmp_path / "new" / "score.html")
    page = target.read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(addresses) == 2
    assert all(address.startswith("data:image") for address in addresses)
    assert [path.name for path in target.parent.iterdir()] == ["score.html"]


def test_all_that_a_score_holds_is_there(tmp_path):
    """Intervals, cross-fitted similarity, ceilings with their wording, reasons, choices."""
    said = text_of(write_score_page(uncertain(), tmp_path / "score.html"))
    made = uncertain()
    for row in made.best.itertuples():
        assert f"{row.similarity:.3f} [{row.low:.3f}, {row.high:.3f}]" in said
    assert "0.200 [0.100, 0.300]" in said
    assert "estimated ceiling (sites), not a bound" in said
    assert said.count("estimated ceiling (sites), not a bound") == 2
    assert "{" not in said.split("How it was made")[1].replace(json.dumps(REASONS), "")
    assert "only averages exist" in said
    assert "layer0 72%, layer1 25%, 1 layer more rarely" in said
    assert "This teacher is simulated" in said


def test_names_cannot_become_markup(tmp_path):
    """Names of models and regions are shown as they are written."""
    page = write_score_page(uncertain(), tmp_path / "score.html").read_text(encoding="utf-8")
    assert "<i>net</i>" not in page
    assert "<b>IT</b>" not in page


@pytest.mark.parametrize("layers", [1, 6], ids=["one layer", "several"])
def test_a_bare_score_has_a_page(tmp_path, layers):
    """An old score, without intervals and ceilings; one layer has no profile."""
    made = score(layers)
    said = text_of(write_score_page(made, tmp_path / "score.html"))
    assert f"TG {made.tg:.3f}" in said
    assert "interval" not in said
    assert ("Similarity by depth" in said) == (layers > 1)
    assert "on other stimuli" not in said


def test_undefined_layers_say_why(tmp_path):
    """A layer without similarity is hatched in the picture and explained in words."""
    data = score().data.copy(deep=True)
    data["similarity"][:, 2] = np.nan
    data = data.assign_coords(undefined=("layer", ["", "", "a constant pattern", "", "", ""]))
    said = text_of(write_score_page(Score(data), tmp_path / "score.html"))
    assert "layer2 is undefined: a constant pattern" in said
    assert "Hatched" in said


# ---- RDMs by category --------------------------------------------------------------------


def rdm(count):
    square = np.random.default_rng(0).random((count, count))
    square = np.triu(square, 1) + np.triu(square, 1).T
    return xr.DataArray(square[None], dims=("region", "stimulus_i", "stimulus_j"),
                        coords={"region": ["V4"]})  # fmt: skip


def test_numbered_categories_are_sorted_by_number():
    """Category 10 stands after 2, not before it."""
    axis = plot_rdms(rdm(30), pd.Series([10, 2, 1]).repeat(10).to_list()).axes[0]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["1", "2", "10"]


def test_large_blocks_are_named_where_small_ones_find_no_room():
    """Names of blocks never overlap: small ones go unnamed, and how many there are is said."""
    labels = ["a"] * 40 + ["b"] * 40 + ["c"] * 40 + ["d"] * 2
    figure = plot_rdms(rdm(122), labels)
    figure.draw_without_rendering()
    axis = figure.axes[0]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["a", "b", "c"]
    assert axis.get_xlabel() == "4 categories, the larger named"
    many = plot_rdms(rdm(100), range(100)).axes[0]
    assert [t.get_text() for t in many.get_yticklabels()] == []
    assert many.get_xlabel() == "100 categories, by name"


def test_names_of_blocks_do_not_overlap():
    """Thirty blocks of one size: named or not, no name stands upon another."""
    for number in (10, 20, 26, 30, 40):
        figure = plot_rdms(rdm(4 * number), [f"c{k // 4}" for k in range(4 * number)])
        figure.draw_without_rendering()
        boxes = [t.get_window_extent() for t in figure.axes[0].get_yticklabels()]
        heights = sorted((box.y0, box.y1) for box in boxes)
        assert all(a[1] <= b[0] + 1 for a, b in itertools.pairwise(heights))
