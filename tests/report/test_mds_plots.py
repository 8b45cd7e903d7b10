"""Scaling places points as classical MDS does; pictures say how much of the whole they hold."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.patches import Rectangle

from neurosage.data.assembly import assembly
from neurosage.data.stimuli import StimulusSet
from neurosage.errors import InputError
from neurosage.report.mds_plots import plot_mds
from neurosage.report.mutual import mutual_similarity
from neurosage.report.plane_plots import look
from neurosage.report.scaling import MOST, as_squares, classical_mds, turned_towards
from neurosage.rsa.rdm import rdms
from neurosage.rsa.similarity import similarity

N = 20
IDS = [f"s{k}" for k in range(N)]


def squares(points):
    return ((points[:, None] - points) ** 2).sum(-1)


def recording(*regions, seed=0, n=N):
    rng = np.random.default_rng(seed)
    return assembly(
        rng.normal(size=(n, 12 * len(regions))),
        stimulus_id=[f"s{k}" for k in range(n)],
        region=np.repeat(regions, 12),
    )


def of_rdms(*regions):
    return rdms(recording(*regions))


# ---- scaling -----------------------------------------------------------------------------


def test_points_on_a_plane_are_found_again():
    """Distances of points that lie on a plane are kept, whatever the plane."""
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(30, 2)) @ np.linalg.qr(rng.normal(size=(7, 7)))[0][:2]
    found = classical_mds(squares(flat))
    np.testing.assert_allclose(squares(found.points), squares(flat), atol=1e-10)
    assert found.share == pytest.approx(1)
    assert found.stress < 1e-6


def test_share_is_that_of_principal_components():
    """For squared euclidean distances classical MDS is PCA of the centred patterns."""
    patterns = np.random.default_rng(1).normal(size=(40, 9)) * np.arange(1, 10)
    singular = np.linalg.svd(patterns - patterns.mean(0), compute_uv=False) ** 2
    found = classical_mds(squares(patterns))
    assert found.share == pytest.approx(singular[:2].sum() / singular.sum())
    np.testing.assert_allclose((found.points**2).sum(0), singular[:2])


def test_stress_is_least_over_the_scale_and_free_of_it():
    """Stress 1 of the best scale: no other is better, and units do not matter."""
    square = squares(np.random.default_rng(2).normal(size=(15, 5)))
    found = classical_mds(square)
    upper = np.triu_indices(15, 1)
    given, drawn = np.sqrt(square[upper]), np.sqrt(squares(found.points)[upper])
    scales = np.linspace(0.05, 2, 4000)
    tried = [np.sqrt(((drawn - b * given) ** 2).sum() / (drawn**2).sum()) for b in scales]
    assert found.stress == pytest.approx(min(tried), abs=1e-6)
    assert classical_mds(1e-6 * square).stress == pytest.approx(found.stress)


def test_negative_distances_are_taken_as_they_are():
    """Crossnobis distances may be below 0: shares stay within 0 and 1."""
    square = squares(np.random.default_rng(3).normal(size=(12, 4))) - 5
    square = np.triu(square, 1) + np.triu(square, 1).T
    found = classical_mds(square)
    assert 0 < found.share <= 1
    assert np.isfinite(found.points).all()


def test_the_plane_of_similarities_is_that_of_their_rdms():
    """2 (1 - r) is the squared distance of z-scored RDMs scaled to norm 1."""
    held = of_rdms("a", "b", "c", "d")
    upper = np.triu_indices(N, 1)
    vectors = held.values[:, upper[0], upper[1]]
    vectors = vectors - vectors.mean(1, keepdims=True)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(as_squares(similarity(held, held)), squares(vectors), atol=1e-10)


def test_turning_keeps_distances():
    """A mirrored, turned copy is brought back; a plane of its own keeps its shape."""
    rng = np.random.default_rng(4)
    points = rng.normal(size=(10, 2))
    turn = np.array([[0.6, 0.8], [0.8, -0.6]])
    np.testing.assert_allclose(turned_towards(points @ turn, points), points, atol=1e-12)
    other = turned_towards(points, rng.normal(size=(10, 2)))
    np.testing.assert_allclose(squares(other), squares(points))


@pytest.mark.parametrize(
    ("square", "message"),
    [
        (np.ones((3, 4)), "a square matrix of 3 or more"),
        (np.zeros((2, 2)), "a square matrix of 3 or more"),
        (np.zeros((MOST + 1, MOST + 1)), "average by category"),
        (np.full((3, 3), np.nan), "distances of 3 points are NaN"),
        (np.arange(9.0).reshape(3, 3), "symmetric, with zeros"),
        (np.ones((3, 3)), "symmetric, with zeros"),
        (np.zeros((3, 3)), "all points coincide"),
    ],
    ids=["oblong", "two", "many", "nan", "asymmetric", "diagonal", "coincide"],
)
def test_what_has_no_plane_is_refused(square, message):
    """The rule that is broken is named."""
    with pytest.raises(InputError, match=message):
        classical_mds(square)


# ---- pictures ----------------------------------------------------------------------------


def test_a_panel_a_region_says_what_it_holds():
    """Titles give share and stress; a dot a stimulus, a colour and marker a category."""
    labels = ["b"] * 8 + ["a"] * 12
    figure = plot_mds(of_rdms("V4", "IT"), labels)
    figure.draw_without_rendering()
    found = classical_mds(of_rdms("V4", "IT").values[0])
    share = f"{100 * found.share:.0f}%"
    assert figure.axes[0].get_title(loc="left").startswith(f"V4: {share} of the variance, stress .")
    a, b = figure.axes[0].collections
    assert (len(a.get_offsets()), len(b.get_offsets())) == (12, 8)
    np.testing.assert_allclose(b.get_offsets(), found.points[:8])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]


def test_forty_categories_differ_in_colour_or_marker():
    """Where colours are used up markers change; the legend says how many it leaves out."""
    points = np.random.default_rng(0).normal(size=(40, 3))
    figure = plot_mds(squares(points), [f"c{k}" for k in range(40)])
    dots = figure.axes[0].collections
    looks = {(tuple(d.get_facecolor()[0]), d.get_paths()[0].vertices.tobytes()) for d in dots}
    assert len(looks) == 40
    assert figure.legends[0].get_texts()[-1].get_text().endswith("(19 more)")


def test_twenty_categories_differ_at_a_glance():
    """Ten colours and seven markers that change together: no two alike, neighbours in both."""
    looks = [look(place) for place in range(70)]
    assert len(set(looks)) == 70
    assert len({colour for colour, _ in looks[:10]}) == 10
    for (colour, marker), (other, mark) in itertools.pairwise(looks):
        assert colour != other
        assert marker != mark


def test_images_stand_at_their_stimuli_and_hide_none():
    """Images are found by id, in the RDM's order; those that would overlap stay dots."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (N, 4, 6, 3), dtype=np.uint8)
    shuffled = rng.permutation(N)
    stimuli = StimulusSet("set", pd.DataFrame({"stimulus_id": np.array(IDS)[shuffled]}),
                          pixels[shuffled])  # fmt: skip
    held = of_rdms("V4")
    axis = plot_mds(held, None, stimuli).axes[0]
    places = axis.collections[0].get_offsets()
    for image in axis.images:
        left, right, low, high = image.get_extent()
        (k,) = np.flatnonzero(np.abs(places - [(left + right) / 2, (low + high) / 2]).max(1) < 1e-9)
        np.testing.assert_array_equal(image.get_array(), pixels[k])
        assert (right - left) / (high - low) == pytest.approx(1.5)
    boxes = [p for p in axis.patches if isinstance(p, Rectangle)]
    assert 3 < len(boxes) == len(axis.images)
    width = boxes[0].get_width()
    corners = np.array([p.get_xy() for p in boxes])
    apart = np.abs(corners[:, None] - corners).max(-1) + np.eye(len(boxes)) * 9
    assert apart.min() >= width


def test_subjects_are_averaged():
    """RDMs of several subjects are drawn as their mean."""
    held = of_rdms("IT")
    several = xr.concat([held, 3 * held], "subject")
    one, two = (plot_mds(x).axes[0].collections[0].get_offsets() for x in (held, several))
    np.testing.assert_allclose(two, np.sqrt(2) * one)


@pytest.mark.parametrize(
    ("value", "more", "message"),
    [
        (of_rdms("V4").rename(region="area"), {}, "plot_mds draws RDMs, .*dims area × stimulus_i"),
        (of_rdms(*"abcdefghijklm"), {}, "13 regions: a picture has 1 to 12 panels"),
        (of_rdms("V4"), {"labels": ["a"]}, "1 labels for 20 points"),
        (of_rdms("V4"), {"images": [np.zeros((2, 2))]}, "1 images for 20 points"),
        (similarity(of_rdms("a"), of_rdms("b")), {}, "the same names on both dims"),
    ],
    ids=["dims", "panels", "labels", "images", "oblong"],
)
def test_what_cannot_be_drawn_is_said(value, more, message):
    """Numbers that do not fit are named with what would."""
    with pytest.raises(InputError, match=message):
        plot_mds(value, **more)


def test_foreign_images_are_refused():
    """A stimulus set without the RDM's stimuli, or RDMs that name none."""
    stimuli = StimulusSet(
        "set", pd.DataFrame({"stimulus_id": ["x"]}), np.zeros((1, 2, 2, 3), np.uint8)
    )
    with pytest.raises(InputError, match="'set' has none of"):
        plot_mds(of_rdms("V4"), None, stimuli)
    with pytest.raises(InputError, match="RDMs that name their stimuli"):
        plot_mds(of_rdms("V4").values[0], None, stimuli)


# ---- layers and regions ------------------------------------------------------------------


def test_mutual_similarity_holds_every_pair():
    """Blocks are those of similarity itself; names that two sources share are told apart."""
    a, b = recording("x", "y"), recording("y", "z", seed=1)
    found = mutual_similarity({"one": a, "two": b}, "euclidean", normalise={"two": "zscore"})
    assert found.region_a.values.tolist() == ["x", "one/y", "two/y", "z"]
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-9)
    np.testing.assert_allclose(found, found.T, atol=1e-12)
    block = similarity(a, b, "euclidean", normalise=("none", "zscore"))
    np.testing.assert_allclose(found.values[:2, 2:], block.values)
    assert found.source_a.values.tolist() == ["one", "one", "two", "two"]


def test_mutual_similarity_refuses_what_it_is_not_given():
    """Nothing to compare, and a normalisation of no source."""
    with pytest.raises(InputError, match="nothing to compare"):
        mutual_similarity({})
    with pytest.raises(InputError, match=r"normalise names \['b'\]"):
        mutual_similarity({"a": recording("x")}, normalise={"b": "zscore"})


def test_layers_and_regions_are_joined_and_named():
    """A line a source through its layers in order; the smallest source is named first."""
    layers = [f"block{k}.conv" for k in range(40)]
    found = mutual_similarity({"net": recording(*layers), "brain": recording("V4", "IT", seed=1)})
    figure = plot_mds(found)
    figure.draw_without_rendering()
    axis = figure.axes[0]
    assert [len(line.get_xdata()) for line in axis.lines] == [2, 40]
    said = [text.get_text() for text in axis.texts]
    assert said[:2] == ["V4", "IT"]
    assert 4 <= len(said) <= 14
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["brain", "net"]


def test_names_of_crowded_layers_do_not_overlap():
    """Of layers that are almost alike some go unnamed; no name leaves the panel."""
    rng = np.random.default_rng(0)
    vectors = np.vstack([rng.normal(size=50) + 0.1 * rng.normal(size=(40, 50)), np.eye(2, 50)])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [f"block{k}.conv" for k in range(40)] + ["V4", "IT"]
    found = xr.DataArray(vectors @ vectors.T, dims=("region_a", "region_b"),
                         coords={"region_a": names, "region_b": names})  # fmt: skip
    figure = plot_mds(found, ["net"] * 40 + ["brain"] * 2)
    figure.draw_without_rendering()
    axis = figure.axes[0]
    assert 3 <= len(axis.texts) < 14
    boxes = [text.get_window_extent() for text in axis.texts]
    panel = axis.get_window_extent()
    for k, box in enumerate(boxes):
        assert panel.x0 <= box.x0
        assert box.x1 <= panel.x1
        assert not any(box.overlaps(other) for other in boxes[k + 1 :])
