"""Pictures of scores show every number that a score holds, and say what is not estimable."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import xarray as xr
from matplotlib.patches import Rectangle

from neurosage.errors import InputError
from neurosage.report.labels import cut, cut_path, in_order, named_places, thinned
from neurosage.report.profile_plots import plot_profiles
from neurosage.report.similarity_plots import plot_similarity
from neurosage.scoring.result import Score

REGIONS = ["V4", "<IT> $x$"]


def score(layers=5, regions=REGIONS, uncertain=True, undefined=(), seed=0, **made):
    """A score that looks like those of networks, without one."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.05, 0.4, (len(regions), layers))
    values[:, list(undefined)] = np.nan
    both = ("region", "layer")
    data = xr.Dataset(
        {"similarity": (both, values)},
        coords={"region": list(regions), "layer": [f"_layer{k}.conv" for k in range(layers)]},
        attrs={"model": "net.py:net", "weights": "untrained", "teacher": "lab",
               "comparison": "pearson", "distance": "correlation"} | made,
    )  # fmt: skip
    if not uncertain:
        return Score(data)
    own = np.linspace(0.2, 0.3, len(regions))
    data = data.assign(low=(both, values - 0.02), high=(both, values + 0.02))
    for name, middle in (("cross_fitted", own), ("ceiling_sites", own + 0.5)):
        data[name] = ("region", middle)
        data[f"{name}_low"], data[f"{name}_high"] = data[name] - 0.04, data[name] + 0.04
    data["ceiling_trials"] = ("region", np.full(len(regions), np.nan))
    for bound, height in (("lower", 0.55), ("upper", 0.65)):
        data[f"ceiling_subjects_{bound}"] = ("region", np.full(len(regions), height))
    return Score(data)


def words(axis) -> list[str]:
    return [text.get_text() for text in axis.texts]


def drawn(figure) -> None:
    """A figure is laid out and drawn without a warning."""
    figure.draw_without_rendering()


def test_the_matrix_holds_every_number():
    """A row a layer, a column a region, its number in each cell, names as they are written."""
    made = score()
    figure = plot_similarity(made)
    drawn(figure)
    matrix = figure.axes[0]
    np.testing.assert_allclose(matrix.images[0].get_array(), made.similarity.values.T)
    assert words(matrix) == [f"{v:.3f}" for v in made.similarity.values.T.ravel()]
    assert [t.get_text() for t in matrix.get_yticklabels()] == list(made.data.layer.values)
    assert [t.get_text() for t in matrix.get_xticklabels()] == REGIONS
    assert matrix.xaxis.get_tick_params()["labeltop"]


def test_the_best_layer_of_each_region_is_framed():
    """One frame a column, around its greatest similarity."""
    made = score(undefined=[1])
    frames = [p for p in plot_similarity(made).axes[0].patches if isinstance(p, Rectangle)]
    best = [p for p in frames if p.get_linewidth() > 1]
    rows = [round(p.get_y() + 0.5) for p in best]
    layers = made.data["layer"].values
    assert [layers[row] for row in rows] == made.best["layer"].tolist()
    assert len(frames) - len(best) == len(REGIONS)  # the undefined layer is hatched
    assert len({p.get_edgecolor() for p in best}) == 1


def test_ceilings_stand_below_with_their_kinds():
    """Cross-fitted similarity and each kind of ceiling, its interval, or that it has none."""
    table = plot_similarity(score()).axes[1]
    assert [t.get_text() for t in table.get_yticklabels()] == [
        "cross-fitted", "ceiling (sites)", "ceiling (trials)",
        "ceiling (subjects, lower)", "ceiling (subjects, upper)",
    ]  # fmt: skip
    said = words(table)
    assert said[:2] == ["0.200", "[0.16, 0.24]"]
    assert said.count("not\nestimable") == 2
    assert said.count("0.550") == 2


def test_a_bare_score_is_drawn_too():
    """Without intervals and ceilings there is nothing below."""
    made = score(uncertain=False)
    assert words(plot_similarity(made).axes[1]) == []
    drawn(plot_similarity(made))
    drawn(plot_profiles(made))


@pytest.mark.parametrize(("layers", "regions"), [(1, 1), (56, 3), (400, 14)])
def test_names_never_overlap(layers, regions):
    """However many layers there are, their names keep clear of one another."""
    made = score(layers, [f"region{k}" for k in range(regions)])
    figure = plot_similarity(made)
    drawn(figure)
    boxes = [t.get_window_extent() for t in figure.axes[0].get_yticklabels()]
    heights = sorted((box.y0, box.y1) for box in boxes)
    assert all(low[1] <= high[0] + 1 for low, high in itertools.pairwise(heights))
    assert figure.get_size_inches()[1] < 16


def test_similarity_below_zero_has_its_own_end_of_the_scale():
    """Colours reach from the least similarity where that is negative, else from 0."""
    made = score(uncertain=False)
    assert plot_similarity(made).axes[0].images[0].norm.vmin == 0
    below = Score(made.data - 0.3)
    assert plot_similarity(below).axes[0].images[0].norm.vmin == float(below.similarity.min())


def test_profiles_have_a_panel_a_region_and_a_line_a_network():
    """Each line is that network's similarity; ceilings are lines across, NaN ones are not."""
    a, b = score(), score(seed=1)
    figure = plot_profiles({"trained": a, "untrained": b})
    drawn(figure)
    assert [axis.get_title(loc="left") for axis in figure.axes] == REGIONS
    first = figure.axes[0].lines
    np.testing.assert_allclose(first[0].get_ydata(), a.similarity.values[0])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["trained", "untrained", "estimated ceiling (sites)",
                     "estimated ceiling (subjects, lower)", "estimated ceiling (subjects, upper)",
                     "best layer (a max)", "layer chosen on other stimuli"]  # fmt: skip
    levels = {float(np.ravel(line.get_ydata())[0]) for line in first}
    assert {0.55, 0.65, 0.7} <= {round(level, 6) for level in levels}


def test_the_ring_is_the_best_layer():
    """Of each line, where its similarity is greatest; undefined layers leave a gap."""
    made = score(undefined=[2])
    lines = plot_profiles(made).axes[0].lines
    (ring,) = [line for line in lines if line.get_markerfacecolor() == "white"]
    best = made.best.iloc[0]
    assert float(ring.get_ydata()[0]) == best["similarity"]
    assert made.data["layer"].values[int(ring.get_xdata()[0])] == best["layer"]
    assert np.isnan(lines[0].get_ydata()[2])


def test_bands_are_the_intervals():
    """The band of a line reaches from its low ends to its high ends."""
    made = score(layers=3)
    axis = plot_profiles(made).axes[0]
    heights = axis.collections[0].get_paths()[0].vertices[:, 1]
    own = made.data.isel(region=0)
    assert heights.min() == float(own["low"].min())
    assert heights.max() == float(own["high"].max())


def test_networks_of_other_layers_share_an_axis_of_depth():
    """From the first layer, 0, to the last, 1; the names of layers are not shown."""
    axis = plot_profiles([score(3), score(9)]).axes[0]
    assert [list(line.get_xdata())[-1] for line in axis.lines if len(line.get_xdata()) > 3] == [1.0]
    assert "depth" in axis.get_xlabel()


def test_two_unnamed_networks_keep_two_lines():
    """Scores of one model and weights are told apart by their number."""
    figure = plot_profiles([score(), score(seed=1)])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:2] == ["net.py:net, untrained", "net.py:net, untrained, 2"]


@pytest.mark.parametrize("regions", [1, 3])
@pytest.mark.parametrize("layers", [60, 150])
def test_the_best_layers_are_always_named(layers, regions):
    """Of many layers some go unnamed, never those of rings and frames; no name on another."""
    made = score(layers, [f"region{k}" for k in range(regions)])
    others = score(layers, [f"region{k}" for k in range(regions)], seed=1)
    figure = plot_profiles({"one": made, "two": others})
    drawn(figure)
    for axis, *best in zip(figure.axes, made.best["layer"], others.best["layer"], strict=True):
        labels = axis.get_xticklabels()
        assert set(best) <= {name for label in labels for name in label.get_text().split("\n")}
        boxes = [label.get_window_extent() for label in labels]
        assert all(a.x1 <= b.x0 + 1 for a, b in itertools.pairwise(boxes))
    matrix = plot_similarity(made).axes[0]
    said = {name for label in matrix.get_yticklabels() for name in label.get_text().split("\n")}
    assert set(made.best["layer"]) <= said


def test_places_that_must_be_named_are():
    """Near ones share a place; between them by one step, where there is room."""
    assert named_places(4, 9, [2]) == [(0, [0]), (1, [1]), (2, [2]), (3, [3])]
    assert named_places(101, 11, []) == [(k, [k]) for k in range(0, 101, 10)]
    places = named_places(101, 11, [33, 36, 80])
    assert (34.5, [33, 36]) in places
    assert (80, [80]) in places
    gap = 10
    for (a, first), (b, second) in itertools.pairwise(places):
        assert b - a >= gap * (len(first) + len(second)) / 2


@pytest.mark.parametrize("uncertain", [True, False])
@pytest.mark.parametrize("layers", [1, 2, 5])
def test_nothing_of_a_low_matrix_is_clipped(layers, uncertain):
    """Of one row too, all words of the bar of colours stand within the picture."""
    figure = plot_similarity(score(layers, uncertain=uncertain))
    drawn(figure)
    page, bar = figure.bbox, figure.axes[-1].get_tightbbox()
    assert page.x0 <= bar.x0
    assert page.y0 <= bar.y0
    assert bar.x1 <= page.x1
    assert bar.y1 <= page.y1


def test_the_legend_holds_the_names_of_networks():
    """A long model and its weights are told whole, and stay within the picture."""
    model = "networks/candidates.py:resnet18_with_lateral_connections"
    made = score(12, ["V4"], model=model, weights="file checkpoints/lateral_epoch_090_ema.pt")
    for figure in (plot_profiles(made), plot_profiles({"x" * 200: made})):
        drawn(figure)
        assert figure.legends[0].get_window_extent().x1 <= figure.bbox.x1
    name = plot_profiles(made).legends[0].get_texts()[0].get_text()
    assert name == "candidates.py:resnet18_with_lateral_connections, lateral_epoch_090_ema.pt"


def test_pictures_of_many_layers_go_together():
    """The matrix of 60 layers is not much higher than the picture by depth is wide."""
    made = score(60)
    (wide, high), (_, tall) = (
        plot(made).get_size_inches() for plot in (plot_profiles, plot_similarity)
    )
    assert high > 0.5 * wide
    assert tall < 3 * high


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], "there is no score to draw"),
        ([score(), score(teacher="other")], "teacher is 'lab' and 'other'; draw them apart"),
        ([score(), score(comparison="spearman")], "comparison is 'pearson' and 'spearman'"),
        ([score(), score(regions=["V1"])], "different regions"),
    ],
    ids=["none", "teachers", "comparisons", "regions"],
)
def test_what_is_of_no_common_scale_is_refused(scores, message):
    """Lines in one panel are of one teacher and one comparison."""
    with pytest.raises(InputError, match=message):
        plot_profiles(scores)


def test_labels_are_ordered_and_cut_as_a_person_would():
    """Numbers by value; a category keeps its start, a layer its end; first and last are named."""
    assert in_order([10, 9, "b2", "b10", "a"]) == ["9", "10", "a", "b2", "b10"]
    assert cut("abcdef", 4) == "abc…"
    assert cut_path("block.conv1", 6) == "…conv1"
    for count in range(1, 80):
        places = thinned(count, 7)
        assert len(places) <= 7
        assert (places[0], places[-1]) == (0, count - 1)
        assert places == sorted(set(places))
