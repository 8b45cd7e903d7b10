"""Two sides are aligned, and their RDMs made, exactly as `similarity` does it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.errors import InputError
from neurosage.rsa.backends.torch.backend import TorchBackend
from neurosage.rsa.inference import squares
from neurosage.rsa.inference.resampled import similarities
from neurosage.rsa.inference.sides import read_sides
from neurosage.rsa.rdm import rdms
from neurosage.rsa.similarity import similarity


def point(sides, comparison="pearson"):
    """Compare with every stimulus once."""
    return similarities(sides, np.ones((1, sides.squares_b.n)), comparison)[0]


def shuffled(a, seed=0):
    """Put the presentations in another order."""
    return a[np.random.default_rng(seed).permutation(len(a))]


@pytest.mark.parametrize("distance", ["correlation", "euclidean", "cosine"])
@pytest.mark.parametrize("comparison", ["pearson", "cosine", "spearman"])
def test_every_stimulus_once_is_the_similarity(recording, distance, comparison):
    """Responses in any order, of any offset: the similarity itself, in the order of b."""
    a, b = shuffled(recording(seed=1)), recording(seed=2)
    sides = read_sides(a, b, distance, comparison)
    expected = similarity(a, b, distance, comparison, backend=TorchBackend(dtype="float64"))
    np.testing.assert_allclose(point(sides, comparison), expected.values, atol=1e-6)
    assert list(sides.stimulus_ids) == list(b["stimulus_id"].values)
    assert sides.names_a == sides.regions_a == ("V4", "IT")
    same = ("distance", "distance_a", "comparison", "normalise_a", "nan", "n_stimuli", "dropped")
    assert {name: sides.attrs[name] for name in same} == {
        name: expected.attrs[name] for name in same
    }


@pytest.mark.parametrize("nan", ["drop-stimulus", "drop-neuroid", "pairwise"])
def test_missing_responses_are_left_out_as_in_similarity(recording, nan):
    """What one side lacks both are without, before neuroids are brought to one scale."""
    a, b = recording(seed=1), recording(seed=2)
    a[3, 2], b[7, 14], b[3, 0] = np.nan, np.nan, np.nan
    how = {"nan": nan, "normalise": ("zscore", "centre") if nan != "pairwise" else (None, None)}
    sides = read_sides(shuffled(a), b, **how)
    expected = similarity(shuffled(a), b, **how)
    np.testing.assert_allclose(point(sides), expected.values, atol=1e-6)
    assert sides.attrs["n_stimuli"] == expected.attrs["n_stimuli"]
    lost = json.loads(sides.attrs["dropped"])
    assert (set(lost.get("a", {}).get("stimuli", [])) == {"img3", "img7"}) is (
        nan == "drop-stimulus"
    )


def test_rdms_stand_for_responses_on_either_side(recording):
    """RDMs in another order are aligned by stimulus."""
    a, b = recording(seed=1), recording(seed=2)
    expected = similarity(a, b).values
    for first, second in ((rdms(shuffled(a)), b), (a, rdms(shuffled(b))), (rdms(a), rdms(b))):
        sides = read_sides(first, second)
        np.testing.assert_allclose(point(sides), expected, atol=1e-6)


@pytest.mark.parametrize("distance", ["crossnobis", "mahalanobis"])
def test_a_side_without_repetitions_has_the_plain_distance(repeated, distance):
    """The distance of each side is named, as `similarity` names it."""
    b = repeated(n=30, neuroids=12, low=3)
    a = assembly(np.random.default_rng(0).normal(size=(30, 20)), region="layer1",
                 stimulus_id=[f"img{i}" for i in range(30)])  # fmt: skip
    sides, expected = read_sides(a, b, distance), similarity(a, b, distance)
    np.testing.assert_allclose(point(sides), expected.values, atol=1e-6)
    assert sides.attrs["distance_a"] == expected.attrs["distance_a"] == "euclidean"
    assert sides.attrs["precision"] == expected.attrs["precision"]


def test_regions_without_rdm_are_named_or_refused(recording):
    """A layer of one unit has no correlation distance; the others keep their places."""
    b = recording(seed=2)
    a = recording(regions=(("one", 1), ("V4", 12), ("IT", 9)))
    sides = read_sides(a, b, undefined="nan")
    assert sides.names_a == ("V4", "IT")
    assert sides.regions_a == ("one", "V4", "IT")
    assert "constant" in sides.undefined["one"]
    assert len(sides.squares_a) == 2
    with pytest.raises(InputError, match=r"'one'.*constant"):
        read_sides(a, b)


@pytest.mark.parametrize("distance", ["correlation", "euclidean", "cosine"])
def test_rdms_that_do_not_fit_are_made_by_tiles(recording, distance, monkeypatch):
    """Tiles made of patterns are those of the whole RDM, and so are the similarities."""
    a, b = recording(n=300, seed=1), recording(n=300, seed=2, offset=1e4)
    held = read_sides(a, b, distance)
    monkeypatch.setattr(squares, "HELD_BYTES", 1)
    made = read_sides(a, b, distance)
    assert isinstance(made.squares_a, squares.Made)
    np.testing.assert_allclose(made.squares_b[0], held.squares_b[0], rtol=1e-9, atol=1e-12)
    tile, whole = made.squares_b.tile(1, 100, 220), held.squares_b[1][100:220, 100:]
    np.testing.assert_allclose(tile, whole, atol=3e-6 * whole.max())
    weights = np.random.default_rng(0).integers(0, 3, (4, 300)).astype(float)
    for comparison in ("pearson", "spearman"):
        one, other = (similarities(each, weights, comparison) for each in (made, held))
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_what_has_no_rdm_is_refused(recording):
    """Before anything is computed, with the next step."""
    a = recording()
    with pytest.raises(InputError, match=r"'svcca' makes no RDM.*comparison='cka'"):
        read_sides(a, a, comparison="svcca")
    with pytest.raises(InputError, match="unknown value of undefined"):
        read_sides(a, a, undefined="drop")
    with pytest.raises(InputError, match="unknown distance"):
        read_sides(a, a, "manhattan")


@pytest.mark.parametrize("distance", ["correlation", "euclidean", "cosine"])
def test_equal_patterns_have_no_similarity(recording, distance):
    """Rounding of equal patterns is no RDM that varies."""
    b = recording(seed=2)
    a = recording(seed=1)
    a[:] = a.values[:1]
    for comparison in ("pearson", "spearman", "cka_unbiased"):
        assert np.isnan(point(read_sides(a, b, distance, comparison), comparison)).all()
