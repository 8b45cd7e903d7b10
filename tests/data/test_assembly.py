"""An assembly keeps its contract, whatever it is given."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from neurosage.data.assembly import align, assembly, check_assembly, region_names, select
from neurosage.data.average import average_repetitions
from neurosage.errors import InputError

IDS = ["img1", "img2", "img10"]


def made(**changes: object) -> xr.DataArray:
    given_ = {"values": np.arange(6.0).reshape(3, 2), "stimulus_id": IDS, "region": ["V4", "IT"]}
    return assembly(**(given_ | changes))


def test_order_of_dims_does_not_matter() -> None:
    """The same responses in any order of dims are the same assembly."""
    values = np.arange(24.0).reshape(3, 2, 4)
    bins = {"time_bin_start": [0, 10, 20, 30], "time_bin_end": [10, 20, 30, 40]}
    straight = made(values=values, dims=("presentation", "neuroid", "time_bin"), **bins)
    turned = made(values=values.T, dims=("time_bin", "neuroid", "presentation"), **bins)
    assert straight.identical(turned)


def test_coordinates_are_plain() -> None:
    """No coordinate is an index, so that the assembly can be written and read back."""
    assert not made(subject=("neuroid", ["a", "b"])).indexes


def test_repetitions_are_counted_in_order() -> None:
    """Without being told, the k-th presentation of a stimulus is its repetition k."""
    a = made(stimulus_id=["b", "a", "b"])
    assert a["repetition"].values.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dims": ("image", "neuroid")}, "of the array are not understood"),
        ({"values": np.ones(3)}, r"shape \(3,\), but 2 dims"),
        ({"stimulus_id": IDS[:2]}, r"stimulus_id has shape \(2,\).*need \(3,\)"),
        ({"values": np.full((3, 2), "x")}, "must be numbers"),
        ({"stimulus_id": np.array([1, np.nan, 2])}, "1 of 3 stimulus ids are missing"),
        ({"neuroid_id": ["n", "n"]}, r"neuroid_id must be unique.*\['n'\]"),
        ({"depth": np.ones(5)}, "'depth' has shape .* fits no dim"),
        ({"values": np.ones((0, 2)), "stimulus_id": []}, "empty along"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_wrong_input(changes: dict[str, object], said: str) -> None:
    """What does not fit is refused with what was given and what is needed."""
    with pytest.raises(InputError, match=said):
        made(**changes)


def test_ambiguous_coordinate() -> None:
    """A coordinate that fits two dims is refused until it names its own."""
    square = {"values": np.eye(2), "stimulus_id": ["a", "b"]}
    with pytest.raises(InputError, match="give it as"):
        made(**square, depth=[1, 2])
    assert made(**square, depth=("neuroid", [1, 2]))["depth"].dims == ("neuroid",)


def test_check_names_what_is_wrong() -> None:
    """An array that is no assembly is refused with the way to make one."""
    with pytest.raises(InputError, match=r"neurosage\.assembly"):
        check_assembly(np.ones((2, 2)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no coordinate 'region'"):
        check_assembly(made().drop_vars("region"))
    with pytest.raises(InputError, match="are indexes"):
        check_assembly(made().set_xindex("stimulus_id"))


def test_select_keeps_order_and_offers_choices() -> None:
    """What is wanted is kept in the assembly's order; what is not there is named."""
    a = made()
    assert select(a, region=["IT", "V4"]).identical(a)
    with pytest.raises(InputError, match=r"unknown region 'it'.*V4, IT"):
        select(a, region="it")
    with pytest.raises(InputError, match="did you mean 'region'"):
        select(a, regoin="V4")


@given(st.permutations(range(8)))
def test_align_undoes_any_shuffle(order: list[int]) -> None:
    """Aligned by id, a shuffled assembly is the first again."""
    a = assembly(np.arange(8.0)[:, None], stimulus_id=[f"s{i}" for i in range(8)], region="V4")
    assert align(a.isel(presentation=list(order)), a["stimulus_id"].values).identical(a)


def test_align_refuses_a_mismatch() -> None:
    """Stimuli that differ are refused with the counts and the first ids of each side."""
    with pytest.raises(
        InputError, match=r"3 with responses, 2 wanted.*\['x'\].*\['img2', 'img10'\]"
    ):
        align(made(), ["img1", "x"])
    with pytest.raises(InputError, match=r"repeat in the responses: \['a'\]"):
        align(made(stimulus_id=["a", "a", "b"]), ["a", "b"])


def test_regions_come_in_order_of_appearance() -> None:
    """Regions are not sorted: the order is the assembly's."""
    assert region_names(made(region=["V4", "IT"])) == ("V4", "IT")


def test_repetitions_may_be_a_dim():
    """Stimulus × neuroid × repetition, in any order, gives the presentations one by one."""
    values = np.arange(12.0).reshape(2, 2, 3)
    values[1, :, 2] = np.nan
    given = assembly(
        values.transpose(1, 2, 0),
        ("neuroid", "repetition", "stimulus"),
        stimulus_id=["a", "b"],
        region="V4",
        object=("stimulus", ["cat", "dog"]),
    )
    assert given.dims == ("presentation", "neuroid")
    assert given.stimulus_id.values.tolist() == ["a", "a", "a", "b", "b"]
    assert given.repetition.values.tolist() == [0, 1, 2, 0, 1]
    assert given.object.values.tolist() == ["cat"] * 3 + ["dog"] * 2
    np.testing.assert_array_equal(given.values[3], values[1, :, 0])


@pytest.mark.parametrize(
    "wrong", [{"stimulus_id": ["a", "a"]}, {"stimulus_id": ["a", "b"], "repetition": [0, 1]}]
)
def test_repetitions_are_said_once(wrong):
    """By the dim, or by presentations that share an id: not by both."""
    with pytest.raises(InputError, match="with a dim 'repetition' each stimulus id stands once"):
        assembly(np.ones((2, 1, 2)), ("stimulus", "neuroid", "repetition"), region="V4", **wrong)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"stimulus_ids": ["a"], "region": "V4"}, "stimulus_id is missing; did you mean it by"),
        ({"stimulus_id": ["a"], "regions": "V4"}, "region is missing; did you mean it by regions"),
        ({"stimulus_id": ["a"], "region": "V4", "neuroids_id": ["x"]}, "neuroid_id is missing"),
        ({"stimulus_id": ["a"]}, "region is missing: an assembly says region=…"),
        ({"stimulus_id": ["a"], "region": "V4", "x": ("time", [1])}, "'x' is on 'time'"),
        ({"stimulus_id": ["a"], "region": "V4", "x": [[1], [1, 2]]}, "'x' is no column of values"),
    ],
)
def test_misspelt_names_are_told(said, message):
    """A name that is nearly one of ours does not become a coordinate in silence."""
    with pytest.raises(InputError, match=message):
        assembly([[1.0]], **said)


def test_the_unit_is_an_attribute():
    """One string is the unit of the values; a column of that name stays a column."""
    a = assembly([[1.0, 2.0]], stimulus_id=["a"], region="V4", unit="spikes / 100 ms")
    assert a.attrs == {"unit": "spikes / 100 ms"}
    assert "unit" not in a.coords
    b = assembly([[1.0, 2.0]], stimulus_id=["a"], region="V4", unit=("neuroid", [5, 7]))
    assert b.unit.values.tolist() == [5, 7]


def test_ids_are_text():
    """Whole numbers become text, so that they match a stimulus set's."""
    a = assembly(np.ones((3, 2)), stimulus_id=np.arange(3), region=[4, 4], neuroid_id=[10, 11])
    assert a.stimulus_id.values.tolist() == ["0", "1", "2"]
    assert a.neuroid_id.values.tolist() == ["10", "11"]


def test_a_teacher_is_no_assembly():
    """Whoever gives one is told what to give."""
    teacher = SimpleNamespace(assembly=None)
    for call in (select, average_repetitions, check_assembly):
        with pytest.raises(InputError, match=r"is SimpleNamespace; give its .assembly"):
            call(teacher)


def test_a_coordinate_stands_on_one_dim():
    """On two it is one clear error; two words are a column like any other."""
    keys = {"stimulus_id": ["a", "b", "c"], "region": "V4"}
    with pytest.raises(InputError, match=r"'x' is on \('presentation', 'neuroid'\); give one that"):
        assembly(np.zeros((3, 2)), **keys, x=(("presentation", "neuroid"), np.zeros((3, 2))))
    a = assembly(np.zeros((3, 2)), **keys, side=("left", "right"))
    assert a["side"].dims == ("neuroid",)
