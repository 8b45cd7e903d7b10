"""Where teachers and stimulus sets come from: plugins, folders, this process."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from neurosage import plugins
from neurosage.data.cards.card import NAME, Card, read_card
from neurosage.errors import InputError, unknown

What = Literal["teacher", "stimuli"]
HINTS: dict[What, str] = {
    "teacher": "`neurosage teachers` lists them; a folder with a card.toml will do, too.",
    "stimuli": "`neurosage stimuli` lists them; a folder with a card.toml will do, too.",
}
GROUPS: dict[What, str] = {"teacher": "neurosage.teachers", "stimuli": "neurosage.stimuli"}
_registered: dict[What, dict[str, Callable[..., Any]]] = {"teacher": {}, "stimuli": {}}


@dataclass(frozen=True)
class Source:
    """One place that a teacher or stimulus set can be loaded from.

    Parameters
    ----------
    id : str
        What it is asked for by.
    origin : str
        For listings: the distribution, the folder, or "this process".
    folder : Path, optional
        Where a ``card.toml`` may lie.
    point : EntryPoint, optional
        Of a plugin.
    loader : callable, optional
        Of one registered in this process.
    problem : str
        Why its folder cannot be looked for; empty where it can.
    """

    id: str
    origin: str
    folder: Path | None = None
    point: plugins.EntryPoint | None = None
    loader: Callable[..., Any] | None = None
    problem: str = ""

    def card(self) -> Card | None:
        """Read the card, None where there is none; raises InputError for a bad one."""
        if self.problem:
            raise InputError(self.problem)
        if self.folder is None or not (self.folder / "card.toml").is_file():
            return None
        card = read_card(self.folder)
        if self.point is not None and card.id != self.id:
            raise InputError(
                f"{self.folder / 'card.toml'} says id = {card.id!r}, but the entry point of "
                f"{self.origin} is named {self.id!r}; they must agree."
            )
        return card

    def make(self) -> Callable[..., Any] | None:
        """Return what loads it, importing its plugin; None where the card says it all."""
        if self.problem:
            raise InputError(self.problem)
        if self.loader is not None or self.point is None:
            return self.loader
        plugin = plugins.load_point(self.point, "plugin")
        made = plugin if callable(plugin) else getattr(plugin, "load", None)
        if made is None and self.card() is None:
            raise InputError(
                f"the plugin {self.id!r} of {self.origin} has neither a card.toml nor a "
                "function load(part=None), so there is nothing to load."
            )
        return made


def sources(what: What) -> dict[str, Source]:
    """Return all sources by id; no plugin's code is run.

    Parameters
    ----------
    what : {"teacher", "stimuli"}
        Which to look for.

    Returns
    -------
    dict of str to Source
        Plugins first, then folders of ``NEUROSAGE_TEACHERS``, then this process. Where two
        have one id, its ``problem`` names both.

    Raises
    ------
    InputError
        If two plugins have one id, or ``NEUROSAGE_TEACHERS`` names no folder.
    """
    found = {id_: _plugin(point) for id_, point in plugins.entry_points(GROUPS[what]).items()}
    here = [Source(id_, "this process", loader=made) for id_, made in _registered[what].items()]
    for source in [*_folders(what), *here]:
        found[source.id] = _twice(found[source.id], source) if source.id in found else source
    return found


def _twice(one: Source, other: Source) -> Source:
    # The others must not suffer for it: only who asks for this id is told.
    origins = f"{one.origin} and {other.origin}"
    problem = (
        f"two sources have the id {one.id!r}: {origins}; rename one of them, or give the folder."
    )
    return Source(one.id, origins, problem=problem)


def register(what: What, id_: str, loader: Callable[..., Any]) -> None:
    """Remember a loader for this process, in place of an earlier one of that id.

    Parameters
    ----------
    what : {"teacher", "stimuli"}
        What it loads.
    id_ : str
        What it will be asked for by.
    loader : callable
        Called without arguments, or with the part where one is asked for.
    """
    _registered[what][id_] = loader


def from_folder(folder: Path) -> Source:
    """Return the source that a folder with a ``card.toml`` is.

    Parameters
    ----------
    folder : Path
        As the user gave it.

    Returns
    -------
    Source
        Its id is the card's; the folder's name where the card cannot be read.
    """
    try:
        id_ = read_card(folder).id
    except InputError:
        id_ = folder.resolve().name  # loading it, or listing it, tells what is wrong
    return Source(id_, str(folder), folder=folder)


def _plugin(point: plugins.EntryPoint) -> Source:
    origin = plugins.distribution(point)
    try:
        return Source(point.name, origin, folder=plugins.package_folder(point), point=point)
    except InputError as error:
        # One bad plugin must not keep the others from being listed.
        return Source(point.name, origin, point=point, problem=str(error))


def _folders(what: What) -> list[Source]:
    found = []
    for name in filter(None, os.environ.get("NEUROSAGE_TEACHERS", "").split(os.pathsep)):
        root = Path(name).expanduser()
        if not root.is_dir():
            raise InputError(f"NEUROSAGE_TEACHERS names {name!r}, which is not a folder.")
        inside = [root] if (root / "card.toml").is_file() else sorted(root.iterdir())
        # A hidden folder is one that is being written, or was when its process was killed.
        shown = [folder for folder in inside if folder == root or not folder.name.startswith(".")]
        found += [from_folder(f) for f in shown if (f / "card.toml").is_file()]
    return [source for source in found if _is(what, source)]


def _is(what: What, source: Source) -> bool:
    try:
        card = source.card()
    except InputError:
        return what == "teacher"  # listed there, with what is wrong
    return card is not None and (card.kind == "stimuli") == (what == "stimuli")


def described(what: What, source: Source) -> tuple[Card | None, Path | None]:
    """Return the card that names a source's files, and the folder of that card.

    Parameters
    ----------
    what : {"teacher", "stimuli"}
        What the source is.
    source : Source
        Stimuli may be those of a teacher; then it is the teacher's card.

    Returns
    -------
    card : Card or None
        None where there is no card.
    folder : Path or None
        Where it lies.

    Raises
    ------
    InputError
        If the card is not sound.
    """
    card = source.card()
    if card is None or what == "teacher":
        return card, source.folder
    return _images_of(source, card)


def _images_of(source: Source, card: Card) -> tuple[Card, Path | None]:
    if card.teacher is None:
        return card, source.folder
    found = sources("teacher")
    if card.teacher not in found:
        raise unknown(f"teacher, named by the card of {source.id!r},", card.teacher, found)
    teacher = found[card.teacher]
    its_card = teacher.card()
    if its_card is None:
        raise InputError(
            f"stimuli {source.id!r} are those of the teacher {card.teacher!r}, which has no card."
        )
    return its_card, teacher.folder


def resolve(what: What, id_or_path: str | Path) -> tuple[Source, str | None]:
    """Return the source that an id or path names, and the part asked for.

    Parameters
    ----------
    what : {"teacher", "stimuli"}
        Which to look for.
    id_or_path : str or Path
        ``id``, ``id/part``, ``folder``, or ``folder/part``.

    Returns
    -------
    source : Source
        Where to load it from.
    part : str or None
        None for the default one.

    Raises
    ------
    InputError
        If it is none of these, close matches named, or the part has a path in it.
    """
    found = find(what, id_or_path)
    if found is None:
        _refuse_path(what, id_or_path)
        raise unknown(what, str(id_or_path), sources(what), HINTS[what])
    return found


def _refuse_path(what: What, id_or_path: str | Path) -> None:
    given = str(id_or_path)
    if isinstance(id_or_path, Path) or given.startswith((".", "/", "~")) or given.endswith("/"):
        raise InputError(
            f"there is no folder {given!r} to load a {what} from, seen from {Path.cwd()}; its "
            "folder holds a card.toml."
        )


def find(what: What, id_or_path: str | Path) -> tuple[Source, str | None] | None:
    """Return what `resolve` does, None where nothing has that name."""
    if not isinstance(id_or_path, str | Path) or id_or_path == "":
        named = "a teacher is" if what == "teacher" else "stimuli are"
        raise InputError(f"{named} named by an id or a folder, not {id_or_path!r}. {HINTS[what]}")
    found = sources(what)
    id_, _, part = str(id_or_path).partition("/")
    if isinstance(id_or_path, str) and id_ in found:
        if part and not re.fullmatch(NAME, part):
            raise InputError(
                f"the part {part!r} of {id_!r} has a path in it; parts are plain names, "
                "such as macaque-v4/190923."
            )
        return found[id_], part or None
    path = Path(id_or_path).expanduser()
    path = path.parent if path.name == "card.toml" else path
    if (path / "card.toml").is_file():
        return from_folder(path), None
    if (path.parent / "card.toml").is_file() and not path.exists():
        return from_folder(path.parent), path.name
    if path.is_dir():
        raise InputError(
            f"the folder {path} holds no card.toml, so it is no {what}; "
            f"`neurosage teacher new {path}` writes one to start from."
        )
    return None
