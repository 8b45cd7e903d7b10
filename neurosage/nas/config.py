"""The TOML file of a search: read and checked."""

from __future__ import annotations

import importlib.resources
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from neurosage.errors import InputError, unknown
from neurosage.nas.settings import apply_settings, place_paths

Options = dict[str, Any]
NAME_RULE = "a name is letters, digits, '.', '_' and '-', and begins with a letter or digit"
FREE_ON_RESUME = ("search.candidates", "engine.name", "engine.workers", "data.path")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _finite_or_none(value: Any) -> Any:
    return None if isinstance(value, float) and math.isinf(value) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Limit = Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(_finite_or_none)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SearchSection(_Section):
    """``[search]``: how many candidates, and what makes one good."""

    name: Name
    seed: int = Field(default=0, ge=0)
    candidates: int = Field(ge=1)
    alpha: float = 1.0
    performance_weight: float = Field(default=1.0, ge=0)
    max_macs: Limit = None


class SpaceSection(_Section):
    """``[space]``: what can be built."""

    name: str = "convnet-10"
    options: Options = {}


class ExplorerSection(_Section):
    """``[explorer]``: who proposes."""

    name: str = "tpe"
    options: Options = {}


class DataSection(_Section):
    """``[data]``: the images that train and validate a candidate."""

    name: str
    path: Names = ()
    train: int | None = Field(default=None, ge=1)
    valid: int | None = Field(default=None, ge=1)
    size: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0)


class TrainingSection(_Section):
    """``[training]``: how, and for how long."""

    recipe: str = "paper-convnet"
    epochs: int | None = Field(default=None, ge=0)
    steps: int | None = Field(default=None, ge=0)
    options: Options = {}


class TeacherSection(_Section):
    """``[[teacher]]``: whom the search listens to; there may be several."""

    id: str
    regions: Names | None = None
    normalise: str | None = None
    nan: Literal["raise", "drop-stimulus", "drop-neuroid"] = "raise"


class RecordSection(_Section):
    """``[record]``: what is recorded of a candidate."""

    units: int = Field(default=1000, ge=2)


class RSASection(_Section):
    """``[rsa]``: how similarity is measured."""

    distance: str = "correlation"
    comparison: str = "pearson"
    backend: str = "torch"


class EngineSection(_Section):
    """``[engine]``: where candidates run."""

    name: Literal["debug", "local"] | None = None
    workers: int | None = Field(default=None, ge=1)
    threads: int = Field(default=1, ge=1)
    device: str = "cpu"


class SearchConfig(_Section):
    """The settings of a search, section by section as in its TOML file."""

    search: SearchSection
    space: SpaceSection = SpaceSection()
    explorer: ExplorerSection = ExplorerSection()
    data: DataSection
    training: TrainingSection
    teacher: Annotated[tuple[TeacherSection, ...], Field(min_length=1)]
    record: RecordSection = RecordSection()
    rsa: RSASection = RSASection()
    engine: EngineSection = EngineSection()

    def document(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them; `parse_config` reads them back."""
        return self.model_dump(mode="json")


def load_config(path: str | Path, settings: Sequence[str] = ()) -> SearchConfig:
    """Read a search's TOML file.

    Paths in the file are relative to its folder, those in `settings` to the working
    folder; the search is called after the file unless the file says otherwise.

    Parameters
    ----------
    path : str or Path
        The TOML file.
    settings : sequence of str
        Changes, as ``section.key=value``, the value as TOML writes it; a string
        needs no quotes. ``teacher.id=…`` changes an only teacher, ``teacher.1.id=…``
        the second of several.

    Returns
    -------
    SearchConfig
        Checked for what can be told without looking at data or plugins.

    Raises
    ------
    InputError
        If the file is missing or not TOML, or a key or value is wrong; a misspelt
        key is named beside those that there are.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); `neurosage search --example` prints one."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}.") from error
    place_paths(document, path.resolve().parent)
    apply_settings(document, settings)
    place_paths(document, Path.cwd())
    search = document.setdefault("search", {})
    if isinstance(search, dict):
        search.setdefault("name", path.stem)
    return parse_config(document)


def parse_config(document: Mapping[str, Any]) -> SearchConfig:
    """Check the settings of a search, as TOML or JSON hold them.

    Parameters
    ----------
    document : mapping
        Sections by name.

    Returns
    -------
    SearchConfig
        Frozen.

    Raises
    ------
    InputError
        If a key or value is wrong; all of them are listed.

    Examples
    --------
    >>> parse_config({"search": {"candidats": 3}})
    Traceback (most recent call last):
    ...
    neurosage.errors.InputError: unknown key of [search] 'candidats'; did you mean 'candidates'? \
Choices: name, seed, candidates, alpha, performance_weight, max_macs.
    """
    try:
        config = SearchConfig.model_validate(dict(document))
    except ValidationError as error:
        raise _explain(error) from None
    if (config.training.epochs is None) == (config.training.steps is None):
        raise InputError("[training] needs a budget: one of epochs and steps, not both.")
    return config


def check_same(stored: SearchConfig, given: SearchConfig) -> None:
    """Refuse to go on with a search under other settings than it began with.

    What may change: how many candidates, where they run, and where the data lie.

    Parameters
    ----------
    stored, given : SearchConfig
        The search's own settings, and those it is resumed with.

    Raises
    ------
    InputError
        If another setting differs; the first few are named with both values.
    """
    before, after = _flatten(stored.document()), _flatten(given.document())
    differ = [
        f"{key} = {before.get(key)!r} then, {after.get(key)!r} now"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key) and key not in FREE_ON_RESUME
    ]
    if differ:
        raise InputError(
            f"search {stored.search.name!r} began with other settings: {'; '.join(differ[:4])}. "
            "Resume it with its own, or give the new search another name "
            "(--set search.name=NAME)."
        )


def example_config() -> str:
    """Return the text of a commented TOML file to start from.

    Examples
    --------
    >>> "[[teacher]]" in example_config()
    True
    """
    return (importlib.resources.files("neurosage") / "example.toml").read_text(encoding="utf-8")


def _explain(error: ValidationError) -> InputError:
    faults = error.errors(include_url=False)
    for fault in faults:  # a misspelt key first: the missing one is often its right spelling
        if fault["type"] == "extra_forbidden":
            return _unknown_key(fault["loc"])
    lines = [_fault(fault) for fault in faults[:5]]
    return InputError("; ".join(lines) + ".")


def _unknown_key(place: tuple[int | str, ...]) -> InputError:
    section = SearchConfig.model_fields
    if len(place) == 1:
        return unknown("section", place[0], section)
    sections: dict[str, type[BaseModel]] = {
        "search": SearchSection, "space": SpaceSection, "explorer": ExplorerSection,
        "data": DataSection, "training": TrainingSection, "teacher": TeacherSection,
        "record": RecordSection, "rsa": RSASection, "engine": EngineSection,
    }  # fmt: skip
    fields = sections[str(place[0])].model_fields
    return unknown(f"key of [{place[0]}]", place[-1], fields)


def _fault(fault: Any) -> str:
    place = ".".join(str(step) for step in fault["loc"])
    if fault["type"] == "missing":
        return f"{place} is missing"
    if fault["type"] == "string_pattern_mismatch":  # pydantic quotes the pattern
        return f"{place} = {fault['input']!r}: {NAME_RULE}"
    said = str(fault["msg"]).removeprefix("Value error, ")
    return f"{place} = {fault['input']!r}: {said[0].lower()}{said[1:]}"


def _flatten(document: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(document, dict):
        return {prefix: document}
    flat: dict[str, Any] = {}
    for key, value in document.items():
        flat |= _flatten(value, f"{prefix}.{key}" if prefix else key)
    return flat
