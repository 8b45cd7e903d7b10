"""Changes to a search's settings before they are checked: ``--set``, and paths."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neurosage.errors import InputError

EITHER_OR = {"training.epochs": "steps", "training.steps": "epochs"}


def place_paths(document: dict[str, Any], folder: Path) -> None:
    """Make the relative paths of a search's settings absolute, in place.

    Parameters
    ----------
    document : dict
        Sections by name. ``data.path`` is a path or a list of them; a teacher's id is
        one where it begins as a path does, with ``.`` or ``~``, or holds a ``/``, is of
        no registered teacher, and a teacher's folder is there.
    folder : Path
        What they are relative to.

    Examples
    --------
    >>> document = {"data": {"path": "cifar"}}
    >>> place_paths(document, Path("/data"))
    >>> document
    {'data': {'path': ['/data/cifar']}}
    """
    data = document.get("data")
    if isinstance(data, dict) and "path" in data:
        paths = [data["path"]] if isinstance(data["path"], str) else data["path"]
        if isinstance(paths, list) and all(isinstance(path, str) for path in paths):
            data["path"] = [str(folder / Path(path).expanduser()) for path in paths]
    teachers = document.get("teacher")
    for teacher in teachers if isinstance(teachers, list) else []:
        id_ = teacher.get("id") if isinstance(teacher, dict) else None
        if isinstance(id_, str) and _is_folder(id_, folder):
            teacher["id"] = str((folder / Path(id_).expanduser()).resolve())


def _is_folder(id_: str, folder: Path) -> bool:
    from neurosage.data.registry import resolve
    from neurosage.data.sources import sources

    if id_.startswith((".", "~")):
        return True
    # "macaque-v4/190923" is an id with its part, as for load_teacher, whatever lies here.
    if "/" not in id_ or id_.partition("/")[0] in sources("teacher"):
        return False
    try:
        resolve("teacher", folder / id_)
    except InputError:
        return False
    return True


def apply_settings(document: dict[str, Any], settings: Sequence[str]) -> None:
    """Change settings of a search one after the other, in place, as `apply_setting` does.

    Raises
    ------
    InputError
        If they are no sequence of strings.
    """
    if isinstance(settings, str) or not all(isinstance(setting, str) for setting in settings):
        raise InputError(
            f"settings are a sequence of strings, such as ['search.seed=1'], not {settings!r}."
        )
    for setting in settings:
        apply_setting(document, setting)


def apply_setting(document: dict[str, Any], setting: str) -> None:
    """Change one setting of a search, in place.

    Parameters
    ----------
    document : dict
        Sections by name.
    setting : str
        ``section.key=value``; the value as TOML writes it, a string without quotes
        too. Setting one of the two budgets, epochs and steps, drops the other.

    Raises
    ------
    InputError
        If it does not read so, or names a teacher that is not there.

    Examples
    --------
    >>> document = {"training": {"epochs": 2}}
    >>> apply_setting(document, "training.steps=20")
    >>> document
    {'training': {'steps': 20}}
    """
    key, equals, text = setting.partition("=")
    steps = key.strip().split(".")
    if not equals or len(steps) < 2 or not all(steps):
        raise InputError(
            f"{setting!r} is not a setting: write section.key=value, as search.seed=1."
        )
    place: Any = document
    if steps[0] == "teacher":
        place, steps = _teacher(document, steps[1:], setting)
    for step in steps[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place
    if not isinstance(place, dict):
        raise InputError(f"{setting!r}: {'.'.join(steps[:-1])} is a value, not a section.")
    place[steps[-1]] = _value(text.strip())
    if key.strip() in EITHER_OR:
        place.pop(EITHER_OR[key.strip()], None)


def _teacher(
    document: dict[str, Any], steps: list[str], setting: str
) -> tuple[dict[str, Any], list[str]]:
    teachers = document.setdefault("teacher", [{}])
    if not isinstance(teachers, list):
        raise InputError("teachers are a list: write [[teacher]], with two brackets each side.")
    if not steps[0].isdigit() and len(teachers) > 1:
        raise InputError(f"{setting!r}: which of {len(teachers)}? Write teacher.0.{steps[0]}=….")
    index, steps = (int(steps[0]), steps[1:]) if steps[0].isdigit() else (0, steps)
    if index >= len(teachers) or not steps:
        raise InputError(f"{setting!r} names no setting of the {len(teachers)} teachers.")
    return teachers[index], steps


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return text
