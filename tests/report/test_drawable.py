"""What cannot be drawn is said in one sentence, with what to give instead."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.data.registry import load_teacher
from neurosage.errors import InputError
from neurosage.report.mds_plots import plot_mds
from neurosage.report.profile_plots import plot_profiles
from neurosage.report.rdm_plots import plot_rdms
from neurosage.report.region_plots import plot_regions
from neurosage.report.score_page import write_score_page
from neurosage.report.similarity_plots import plot_similarity
from neurosage.rsa.rdm import rdms
from neurosage.scoring.result import Score

TEACHER = load_teacher("simulated-macaque")
RECORDED = assembly(
    np.random.default_rng(0).normal(size=(20, 6)),
    stimulus_id=[f"s{k}" for k in range(20)],
    region=["V4"] * 3 + ["IT"] * 3,
)
RDMS = rdms(RECORDED)
ONES = xr.DataArray(np.ones((1, 2)), dims=("region", "layer"))
SCORE = Score(ONES.assign_coords(region=["V4"], layer=["a", "b"]).to_dataset(name="similarity"))
OBLONG = xr.DataArray(np.ones((3, 2)), dims=("region_a", "region_b"))


@pytest.mark.parametrize(
    ("draw", "value", "message"),
    [
        (plot_rdms, TEACHER, r"'simulated-macaque'; compute RDMs first: neurosage\.rdms\(teacher"),
        (plot_rdms, "V4", r"the text 'V4'; give those of neurosage\.rdms\(teacher\)"),
        (plot_rdms, np.eye(5), r"an array of shape \(5, 5\); name its dims, region × stimulus_i"),
        (plot_rdms, RECORDED, r"presentation × neuroid; compute RDMs first"),
        (plot_rdms, SCORE, r"a Score; neurosage\.plot_similarity draws that"),
        (plot_rdms, OBLONG, r"region_a × region_b; neurosage\.plot_regions draws that"),
        (plot_rdms, RDMS.isel(region=slice(0)), r"shape \(0, 20, 20\)"),
        (plot_rdms, RDMS.isel(stimulus_i=slice(9)), r"shape \(2, 9, 20\)"),
        (plot_mds, TEACHER, r"compute RDMs first: neurosage\.rdms\(teacher\)"),
        (plot_mds, "V4", r"the text 'V4'; give"),
        (plot_mds, None, r"this is None; give"),
        (plot_mds, [[1, 2], [3]], r"a list of 2; give"),
        (plot_mds, SCORE, r"a Score; neurosage\.plot_similarity"),
        (plot_similarity, "x", r"a Score, and this is the text 'x'; give that of neurosage\.score"),
        (plot_similarity, OBLONG, r"region_a × region_b; give that of .* by neurosage\.plot_reg"),
        (plot_similarity, [SCORE], r"a list of 1; give that"),
        (plot_profiles, "abc", r"the text 'abc'; give that of neurosage\.score"),
        (plot_profiles, {"net": OBLONG}, r"region_a × region_b; give that"),
        (plot_profiles, [SCORE, 3], r"an int; give that"),
        (plot_profiles, TEACHER, r"the Teacher 'simulated-macaque'; give that"),
        (plot_regions, TEACHER, r"the Teacher 'simulated-macaque'; give those of .*mutual_simil"),
        (plot_regions, [SCORE], r"a list of 1; give those of"),
        (lambda value: write_score_page(value, "never.html"), "x", r"the text 'x'; give that"),
    ],
)  # fmt: skip
def test_other_things_are_refused_in_one_sentence(draw, value, message):
    """What was given is named, and how to come by what is drawn."""
    with pytest.raises(InputError, match=message) as raised:
        draw(value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 320


@pytest.mark.parametrize("draw", [plot_rdms, plot_mds])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b"], r"there are 2 labels for 20 \w+; give one for each"),
        ("label", r"labels are the text 'label', and there are 20 .*table\['label'\]"),
        ({"s0": "a"}, r"labels are a dict of 1, and there are 20"),
    ],
    ids=["two", "text", "dict"],
)
def test_labels_are_one_for_each(draw, labels, message):
    """Other numbers of labels are refused with both counts, not drawn as an empty picture."""
    with pytest.raises(InputError, match=message):
        draw(RDMS, labels)


def test_labels_may_be_a_column_or_an_array_with_coordinates():
    """Values are taken, whatever holds them."""
    labels = ["a"] * 12 + ["b"] * 8
    for held in (np.array(labels), xr.DataArray(labels)):
        axis = plot_rdms(RDMS, held).axes[0]
        assert [text.get_text() for text in axis.get_yticklabels()] == ["a", "b"]


def test_one_region_that_was_selected_is_drawn():
    """Its dim is gone after sel, its name is not."""
    one = RDMS.sel(region="IT")
    assert plot_rdms(one).axes[0].get_title(loc="left") == "IT"
    assert plot_mds(one).axes[0].get_title(loc="left").startswith("IT: ")
