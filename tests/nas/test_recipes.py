"""Recipes are named, frozen, and sound."""

from __future__ import annotations

import dataclasses

import pytest

from neurosage.errors import InputError
from neurosage.nas import recipes
from neurosage.nas.recipes import RECIPES, Recipe, get_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_a_named_recipe_is_returned_as_it_is(name: str) -> None:
    """The name given is the name of what trains."""
    assert get_recipe(name).name == name
    assert get_recipe(name) is RECIPES[name]


def test_the_paper_s_recipe_has_the_paper_s_numbers() -> None:
    """SGD with Nesterov momentum .9, rate .1 divided by 10 every 100 of 300 epochs."""
    r = get_recipe("paper-convnet")
    assert (r.momentum, r.nesterov, r.lr, r.lr_drop) == (0.9, True, 0.1, 0.1)
    assert (r.lr_drop_epochs, r.mature_epochs) == (100, 300)
    assert (r.pad, r.flip, r.per_image) == (4, True, True)


def test_a_changed_recipe_says_so() -> None:
    """A recipe with other numbers never carries the plain name; equal numbers do."""
    assert get_recipe("digits", lr=0.01).name == "digits*"
    assert get_recipe("digits", lr=0.05) is RECIPES["digits"]


def test_a_recipe_cannot_be_changed_in_place() -> None:
    """Frozen: provenance stays true."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        get_recipe("digits").lr = 1.0  # type: ignore[misc]


def test_unknown_names_are_refused_with_close_ones() -> None:
    """Both the recipe's and a field's name."""
    with pytest.raises(InputError, match="did you mean 'paper-convnet'"):
        get_recipe("paper-convent")
    with pytest.raises(InputError, match="did you mean 'momentum'"):
        get_recipe("digits", momentun=0.5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch", 1), ("lr", 0.0), ("momentum", 1.0), ("weight_decay", -1.0), ("lr_drop", 0.0),
        ("lr_drop_epochs", 0), ("clip", 0.0), ("pad", -1), ("mature_epochs", 0),
    ],
)  # fmt: skip
def test_values_that_cannot_train_are_refused(field: str, value: float) -> None:
    """The field, its value and the rule are named."""
    with pytest.raises(InputError, match=f"{field} = {value}, but must be"):
        get_recipe("digits", **{field: value})


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("lr", "fast", "a number, above 0"),
        ("lr", float("inf"), "a number"),
        ("lr", float("nan"), "a number"),
        ("lr", True, "a number"),
        ("batch", 2.5, "a whole number, at least 2"),
        ("batch", 64.0, "a whole number"),
        ("batch", [64], "a whole number"),
        ("pad", 1.5, "a whole number"),
        ("pad", True, "a whole number"),
        ("mature_epochs", "20", "a whole number"),
        ("clip", "none", "a number or left out"),
        ("flip", 1, "true or false"),
        ("per_image", "yes", "true or false"),
        ("nesterov", 0, "true or false"),
        ("momentum", {}, "a number"),
    ],
)
def test_values_of_another_kind_are_refused(field: str, value: object, rule: str) -> None:
    """TOML may hold anything: field, value and kind are named, never a TypeError."""
    with pytest.raises(InputError, match=f"{field} = .* but must be {rule}"):
        get_recipe("digits", **{field: value})


def test_every_field_has_a_rule() -> None:
    """No field goes unchecked."""
    fields = {field.name for field in dataclasses.fields(Recipe)} - {"name"}
    assert set(recipes._RULES) == fields


def test_nesterov_needs_momentum() -> None:
    """As torch demands, said before training."""
    with pytest.raises(InputError, match="nesterov"):
        Recipe("plain", momentum=0.0)
