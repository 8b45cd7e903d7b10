"""Which teachers and stimulus sets there are, and loading them by id."""

from __future__ import annotations

import logging
import multiprocessing
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from neurosage.data.build import build_stimuli, build_teacher, check_count
from neurosage.data.cards.card import NAME, Card
from neurosage.data.fetch import locate
from neurosage.data.listing import list_stimuli, list_teachers
from neurosage.data.sources import Source, What, described, find, register, resolve, sources
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError, NeurosageError, unknown

__all__ = [
    "fetch",
    "list_stimuli",
    "list_teachers",
    "load_stimuli",
    "load_teacher",
    "register_teacher",
    "resolve",
]

log = logging.getLogger(__name__)


def load_teacher(id_or_path: str | Path) -> Teacher:
    """Load a teacher; its files are fetched where they are not on this machine.

    Parameters
    ----------
    id_or_path : str or Path
        A registered id, ``id/part`` (a session: ``"macaque-v4/190923"``), or a folder
        with a ``card.toml``, or a part of it (``folder/part``).

    Returns
    -------
    Teacher
        A simulated one says so in a warning of the logger ``neurosage``.

    Raises
    ------
    InputError
        If there is no such teacher or part, or its files do not match.
    FetchError
        If a file cannot be had, or is not the one its card describes.

    Examples
    --------
    >>> load_teacher("simulated-macaque").regions
    ('V4', 'pIT', 'aIT')
    """
    source, part = resolve("teacher", id_or_path)
    card = source.card()
    if card is not None and part is not None:
        card.choose(part)
    made = source.make()
    if made is None:
        assert card is not None  # held by Source.make
        teacher = build_teacher(card, source.folder, part)
    else:
        teacher = _made(source, card, made, part)
    if teacher.kind == "simulated":
        _warn_simulated(teacher.id)
    return teacher


@cache
def _warn_simulated(teacher_id: str) -> None:
    # Once a process, and not in worker processes: their parent has said it.
    if multiprocessing.parent_process() is None:
        log.warning(
            "teacher %s is SIMULATED: made by a formula, measured in no animal; "
            "what it shows is about the method, not about brains",
            teacher_id,
        )


def _made(source: Source, card: Card | None, made: Callable[..., Any], part: str | None) -> Teacher:
    teacher = _call(source, made, part)
    if not isinstance(teacher, Teacher):
        raise InputError(
            f"loading {source.id!r} of {source.origin} gave {type(teacher).__name__}, "
            "not a neurosage.Teacher."
        )
    if card is None:
        return teacher
    name = card.choose(part)
    if name:
        check_count(card, name, "stimulus", teacher.stimuli.stimulus_ids)
        if teacher.assembly is not None:
            check_count(card, name, "neuroid", teacher.assembly["neuroid_id"].values)
    return replace(teacher, card=card, kind=card.kind)


def load_stimuli(id_or_path: str | Path) -> StimulusSet:
    """Load a stimulus set; images are decoded when asked for.

    Parameters
    ----------
    id_or_path : str or Path
        A registered id, ``id/part``, or a folder with a ``card.toml``.

    Returns
    -------
    StimulusSet
        With ids, labels and images.

    Raises
    ------
    InputError
        If there is no such stimulus set or part, or its files do not match.
    FetchError
        If a file cannot be had, or is not the one its card describes.

    Examples
    --------
    >>> load_stimuli("digits")
    <StimulusSet digits: 1797 stimuli, 16×16, columns: label>
    """
    source, part = resolve("stimuli", id_or_path)
    card = source.card()
    made = source.make()
    if made is None:
        assert card is not None  # held by Source.make
        described_by, folder = described("stimuli", source)
        assert described_by is not None  # as the source has a card
        return build_stimuli(described_by, folder, part)
    if card is not None and part is not None:
        card.choose(part)
    stimuli = _call(source, made, part)
    if not isinstance(stimuli, StimulusSet):
        raise InputError(
            f"loading {source.id!r} of {source.origin} gave {type(stimuli).__name__}, "
            "not a neurosage StimulusSet."
        )
    if card is not None and (name := card.choose(part)):
        check_count(card, name, "stimulus", stimuli.stimulus_ids)
    return stimuli


def _call(source: Source, made: Callable[..., Any], part: str | None) -> Any:
    try:
        return made() if part is None else made(part)
    except NeurosageError:
        raise
    except Exception as error:  # a third party's code may raise anything
        raise InputError(
            f"loading {source.id!r} of {source.origin} failed: {type(error).__name__}: {error}"
        ) from error


def register_teacher(id: str, loader: Callable[..., Teacher]) -> None:  # noqa: A002
    """Register a teacher for this process only.

    Parameters
    ----------
    id : str
        Letters, digits, ``.``, ``_`` and ``-``; one registered before is replaced.
    loader : callable
        Returns a `Teacher`; called without arguments, or with the part where
        ``id/part`` is asked for.

    Raises
    ------
    InputError
        If the id is not a plain name, or a plugin or folder has it.

    Examples
    --------
    >>> register_teacher("my-copy", lambda: load_teacher("simulated-macaque"))
    >>> load_teacher("my-copy").kind
    'simulated'
    """
    if not isinstance(id, str) or not re.fullmatch(NAME, id):
        raise InputError(f"the id {id!r} is no plain name: letters, digits, '.', '_' and '-'.")
    if not callable(loader):
        raise InputError(f"the loader of {id!r} must be callable; wrap it: lambda: teacher.")
    taken = sources("teacher").get(id)
    if taken is not None and taken.loader is None:
        raise InputError(f"the id {id!r} is taken by {taken.origin}; choose another.")
    register("teacher", id, loader)


def fetch(id_or_path: str | Path) -> list[Path]:
    """Download and verify what is not on this machine.

    Parameters
    ----------
    id_or_path : str or Path
        A teacher's id, or that of stimuli: all parts; ``id/part``: that one.

    Returns
    -------
    list of Path
        The verified files; empty for what is made on this machine.

    Raises
    ------
    InputError
        If there is no such teacher, stimulus set or part.
    FetchError
        If a file cannot be had, or is not the one its card describes.

    Examples
    --------
    >>> fetch("simulated-macaque"), fetch("digits")
    ([], [])
    """
    id_ = str(id_or_path).partition("/")[0]
    teachers, stimuli = sources("teacher"), sources("stimuli")
    what: What = "stimuli" if id_ in stimuli and id_ not in teachers else "teacher"
    found = find(what, id_or_path)
    if found is None:
        every = dict.fromkeys([*teachers, *stimuli])
        hint = (
            "`neurosage teachers` and `neurosage stimuli` list them, or give a folder with a card."
        )
        raise unknown("teacher or stimulus set", str(id_or_path), every, hint)
    source, part = found
    card, folder = described(what, source)
    if card is None:
        return []
    names = list(card.part) if part is None else [card.choose(part)]
    files = [
        locate(entry, owner=card.full_id(name), card_folder=folder, base_url=card.base_url)
        for name in names
        for entry in card.part[name].files
    ]
    return list(dict.fromkeys(files))  # parts may share files
