"""Recipes: everything about training but its length, frozen and named."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from neurosage.errors import InputError, unknown


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


# The values come from TOML, where any option may be given as anything.
_KINDS: dict[str, Callable[[Any], bool]] = {
    "a whole number": _is_whole,
    "a number": _is_number,
    "a number or left out": lambda value: value is None or _is_number(value),
    "true or false": lambda value: isinstance(value, bool),
}
_RULES: dict[str, tuple[str, Callable[[Any], bool], str]] = {
    "batch": ("a whole number", lambda value: value >= 2, "at least 2"),
    "lr": ("a number", lambda value: value > 0, "above 0"),
    "momentum": ("a number", lambda value: 0 <= value < 1, "in [0, 1)"),
    "nesterov": ("true or false", lambda _: True, ""),
    "weight_decay": ("a number", lambda value: value >= 0, "at least 0"),
    "lr_drop": ("a number", lambda value: 0 < value <= 1, "in (0, 1]"),
    "lr_drop_epochs": ("a whole number", lambda value: value >= 1, "at least 1"),
    "clip": ("a number or left out", lambda value: value is None or value > 0, "above 0"),
    "pad": ("a whole number", lambda value: value >= 0, "at least 0"),
    "flip": ("true or false", lambda _: True, ""),
    "per_image": ("true or false", lambda _: True, ""),
    "mature_epochs": ("a whole number", lambda value: value >= 1, "at least 1"),
}


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, by SGD on the cross-entropy loss.

    Parameters
    ----------
    name : str
        Goes into the provenance of what was trained; ends in ``*`` once changed.
    batch : int
        Images per step, at least 2.
    lr : float
        Learning rate at the start, above 0.
    momentum : float
        In [0, 1); Nesterov's where `nesterov`.
    nesterov : bool
        Nesterov's momentum; needs ``momentum > 0``.
    weight_decay : float
        L2 penalty on every parameter, at least 0.
    lr_drop : float
        The learning rate is multiplied by this every `lr_drop_epochs` epochs, in (0, 1].
    lr_drop_epochs : int
        Epochs between drops, at least 1.
    clip : float, optional
        Gradients are clipped to this global norm.
    pad : int
        Each image is padded by this many black pixels on each side and cropped
        at random to its own size; 0 leaves it as it is.
    flip : bool
        Half of the images are mirrored left to right.
    per_image : bool
        Each image is centred and scaled by its own mean and SD over pixels and
        channels; where not, pixels are scaled to [-1, 1].
    mature_epochs : int
        The full budget, for training after the search.

    Examples
    --------
    >>> get_recipe("paper-convnet").lr
    0.1
    """

    name: str
    batch: int = 128
    lr: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 0.0
    lr_drop: float = 0.1
    lr_drop_epochs: int = 100
    clip: float | None = None
    pad: int = 4
    flip: bool = True
    per_image: bool = True
    mature_epochs: int = 300

    def __post_init__(self) -> None:
        """Refuse values that cannot train."""
        for field, (kind, holds, rule) in _RULES.items():
            value = getattr(self, field)
            if not (_KINDS[kind](value) and holds(value)):
                self._refuse(field, f"{kind}{rule and ', '}{rule}")
        if self.nesterov and not self.momentum:
            self._refuse("nesterov", "false where momentum is 0")

    def _refuse(self, field: str, rule: str) -> NoReturn:
        value = getattr(self, field)
        raise InputError(f"recipe {self.name!r}: {field} = {value!r}, but must be {rule}.")


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("paper-convnet"),
        Recipe("digits", batch=64, lr=0.05, clip=1.0, pad=1, flip=False, mature_epochs=20),
    )
}


def get_recipe(name: str, **changes: Any) -> Recipe:
    """Return a named recipe, with changes if wanted.

    Parameters
    ----------
    name : str
        ``paper-convnet`` (SGD with Nesterov momentum .9, learning rate .1 divided by
        10 every 100 epochs, pad 4, crop and flip, per-image standardisation) or
        ``digits`` (small steps on small images that must not be mirrored).
    **changes
        Fields of :class:`Recipe` to replace; the name then ends in ``*``.

    Returns
    -------
    Recipe
        Frozen.

    Raises
    ------
    InputError
        If the name, a field or a value is none that there is.

    Examples
    --------
    >>> get_recipe("digits", batch=32).name
    'digits*'
    """
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    fields = [field.name for field in dataclasses.fields(Recipe) if field.name != "name"]
    for field in changes:
        if field not in fields:
            raise unknown("recipe field", field, fields)
    recipe = RECIPES[name]
    # Made before it is compared, so that a wrong type never passes for an equal number.
    changed = dataclasses.replace(recipe, name=f"{name}*", **changes)
    return recipe if changed == dataclasses.replace(recipe, name=f"{name}*") else changed
