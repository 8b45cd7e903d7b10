"""The first card of a folder: what can be told from its files, and what is left to fill in."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurosage.data.cards.array_guesses import UNKNOWN, ArrayFound
from neurosage.data.cards.card import NAME
from neurosage.data.cards.draft_images import file_entry, image_lines
from neurosage.data.cards.folder_contents import Contents, look_into
from neurosage.data.cards.questions import unfinished
from neurosage.data.cards.text import line
from neurosage.errors import InputError

HEAD = """\
# A teacher for neurosage: images, and what a visual system answered to them.
# Whatever is "?" has to be filled in; lines that begin with "# " and a key may be.
"""
ABOUT = """\
# title = "…"
# species = "Macaca mulatta"
# licence = "CC-BY-4.0"  # of the data
# cite = "…"
# source = "https://…"
# normalise = "zscore"  # for raw rates: else neuroids that fire much decide every distance
"""
TABLES = {  # of which a row is one
    "stimuli": "stimulus",
    "neuroid_table": "neuroid",
    "presentation_table": "presentation",
}
KINDS = "  # recorded | rdm | network | simulated"
LESS_KNOWN = """\
# repetitions = "averaged over 12"  # in words, where the file holds averages
# degrees = 8.0  # width of the images in degrees of visual angle
"""


@dataclass(frozen=True)
class Draft:
    """A card to start from.

    Parameters
    ----------
    text : str
        TOML, with comments.
    missing : tuple of str
        Keys that have to be filled in; with none, it loads as it is.
    """

    text: str
    missing: tuple[str, ...]


def draft_card(folder: str | Path, id: str | None = None, *, region: str | None = None) -> Draft:  # noqa: A002
    """Describe what lies in a folder as a commented card; nothing is written.

    Parameters
    ----------
    folder : str or Path
        With responses (``.npy``, ``.npz``, ``.csv``, ``.nc``, ``.mat``, ``.nwb``), images
        (a zip file or a folder) and perhaps tables (``.csv``).
    id : str, optional
        Of the teacher; after the folder if omitted.
    region : str, optional
        Where all neuroids lie, if the files do not say it.

    Returns
    -------
    Draft
        The text, and the keys that are left to fill in, each ``"?"`` in it.

    Raises
    ------
    InputError
        If there is no such folder, it cannot be read, or the id is no plain name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     draft_card(folder, "lab-it").missing
    ('part.all.images.file', 'part.all.responses.file', 'part.all.neuroids.region')
    """
    place = Path(os.path.expanduser(folder))
    if not os.path.isdir(place):
        raise InputError(f"there is no folder {place} to describe; make it, and put the files in.")
    name = _id(place, id)
    with _in_one_sentence(place):
        found = look_into(place)
    kind = "rdm" if {one.what for one in found.responses} == {"rdms"} else "recorded"
    top = [line("schema", 1), line("id", name), f"{line('kind', kind)}{KINDS}"]
    text = "\n".join(
        [HEAD, *top, ABOUT, "[part.all]", *map(_printable, _part(found, region)), LESS_KNOWN]
    )
    return Draft(text, unfinished(tomllib.loads(text)))


def write_card(
    folder: str | Path,
    id: str | None = None,  # noqa: A002
    *,
    region: str | None = None,
) -> Draft:
    """Write the first card of a folder; one that is there is never replaced.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.
    id, region : str, optional
        As in `draft_card`.

    Returns
    -------
    Draft
        What was written, as ``card.toml``.

    Raises
    ------
    InputError
        If there is a card already, `folder` is no folder or cannot be written to, or the id
        is no plain name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_card(folder, "lab-it")
    ...     sorted(path.name for path in Path(folder).iterdir())
    ['card.toml']
    """
    place = Path(os.path.expanduser(folder))
    if os.path.lexists(place) and not os.path.isdir(place):
        raise InputError(f"{place} is not a folder; a teacher is a folder with a card.toml.")
    card = place / "card.toml"
    already = f"{card} is there already, and is not replaced; edit it, or move it away first."
    if os.path.lexists(card):
        raise InputError(already)
    _id(place, id)
    with _in_one_sentence(place):
        place.mkdir(parents=True, exist_ok=True)
    draft = draft_card(place, id, region=region)
    try:
        with _in_one_sentence(place), card.open("x", encoding="utf-8") as stream:
            stream.write(draft.text)
    except InputError as error:
        if isinstance(error.__cause__, FileExistsError):
            raise InputError(already) from None
        raise
    return draft


@contextmanager
def _in_one_sentence(place: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"a card cannot be written in {str(place)!r}: {why}; choose another folder."
        ) from error


def _id(folder: Path, wanted: str | None) -> str:
    given = wanted if wanted is not None else re.sub(r"[^\w.-]+|[^\x00-\x7f]+", "-", _name(folder))
    if not re.fullmatch(NAME, given):
        how = "" if wanted is not None else f", made of the folder's name {_name(folder)!r},"
        raise InputError(
            f"the id {given!r}{how} is no plain name: letters, digits, '.', '_' and '-', first a "
            "letter or digit; give another (--id)."
        )
    return given


def _name(folder: Path) -> str:
    return folder.resolve().name.strip()


def _printable(text: str) -> str:
    """A name or an error in a comment may hold anything, which TOML refuses."""
    return re.sub(r"[^\x20-\x7e\xa0-\uffff]", "?", text) if text.startswith("#") else text


def _part(found: Contents, region: str | None) -> Iterator[str]:
    chosen = next((one for one in found.responses if one.what == "responses"), None)
    yield from image_lines(found, chosen)
    for key, file in found.tables.items():
        yield line(key, file_entry(found.folder / file))
    rdms = next((one for one in found.responses if one.what == "rdms"), None)
    if chosen is None and rdms is not None:
        yield from _described(rdms, found, "RDMs")
    else:
        yield from _responses(chosen, found)
        yield from _region(chosen, found, region)
    yield from _counts(chosen, found)


def _responses(chosen: ArrayFound | None, found: Contents) -> Iterator[str]:
    for name, reason in found.unread.items():
        yield f"# {name} is passed over: {' '.join(reason.split())}."
    if found.refused:
        yield f"# {', '.join(found.refused)}: pickles are never read; save arrays by numpy.save."
    if chosen is None:
        yield '# .npy, .npz and .csv have format = "arrays", netCDF "brainio", .mat "matlab", .nwb'
        yield '# "nwb"; an array needs its dims in order: dims = ["neuroid", "stimulus"].'
        yield line("responses", {"file": UNKNOWN})
        return
    yield from _described(chosen, found, "Responses")


def _described(chosen: ArrayFound, found: Contents, what: str) -> Iterator[str]:
    shape = f", shape {' × '.join(map(str, chosen.shape))}" if chosen.shape else ""
    yield f"# {what}{shape}."
    for note in chosen.notes:
        yield f"# {note}"
    if UNKNOWN in chosen.keys.get("dims", ()):
        known = ", ".join(f"{count} of {dim}" for dim, count in found.lengths.items())
        yield (
            "# Which dim is which could not be told (known are "
            f"{known or 'no lengths'}): each is neuroid, stimulus,"
        )
        yield "# repetition (or presentation, for stimulus and repetition in one), or time_bin."
    yield from _told(chosen, found)
    others = [one for one in found.responses if one is not chosen]
    if others:
        yield f"# Others that it could be: {', '.join(map(_named, others[:5]))}."
    if chosen.what == "responses" and "unit" not in chosen.keys:
        yield '# Their unit may be added: unit = "spikes / 100 ms".'
    keys = {key: _placeholder(value) for key, value in chosen.keys.items()}
    beside = dict(keys.get("coordinates", {}))
    if found.region and (own := beside.pop("region", None)):
        table = found.tables["neuroid_table"]
        yield f"# {own} in it says regions, too; those of {table} are taken."
        keys = {k: v for k, v in {**keys, "coordinates": beside}.items() if v or k == "index"}
    entry = {**file_entry(chosen.path), "format": chosen.format, **keys}
    yield line("responses" if chosen.what == "responses" else "rdms", entry)


def _told(chosen: ArrayFound, found: Contents) -> Iterator[str]:
    """By what each dim was told."""
    counted = {dim: found.tables[key] for key, dim in TABLES.items() if key in found.tables}
    ways = {"neuroid": "the other dim", "repetition": "NaN where a stimulus was shown less often"}
    if len(chosen.shape) > 2:
        ways["neuroid"] = "all of them NaN at once, or none"
    beside = chosen.keys.get("coordinates", {})
    if "index" in chosen.keys:
        ways["presentation"] = f"as many as {beside['stimulus_id']}"
    if "region" in beside:
        ways["neuroid"] = f"as many as {beside['region']}"
    ways |= {dim: f"as many as {file}" for dim, file in {"stimulus": "images", **counted}.items()}
    dims = [dim for dim in chosen.keys.get("dims", ()) if dim != UNKNOWN]
    if told := [f"{dim} ({ways[dim]})" for dim in dims if dim in ways]:
        yield f"# Dims were told so: {', '.join(told)}. Look whether that is right."


def _placeholder(value: Any) -> Any:
    return UNKNOWN if isinstance(value, tuple) and set(value) == {UNKNOWN} else value


def _named(one: ArrayFound) -> str:
    key = one.keys.get("key") or one.keys.get("group")
    shape = f" ({' × '.join(map(str, one.shape))})" if one.shape else ""
    return one.path.name + (f" {key}" if key else "") + shape


def _region(chosen: ArrayFound | None, found: Contents, region: str | None) -> Iterator[str]:
    if found.region or (chosen is not None and chosen.says_region):
        return
    if region is None:
        yield '# Where all of them lie, such as "IT". Several: neuroid_table = { file = … },'
        yield "# a CSV file with a row a neuroid, in the order of the responses: column region."
    yield line("neuroids", {"region": region or UNKNOWN})


def _counts(chosen: ArrayFound | None, found: Contents) -> Iterator[str]:
    counts = {dim: found.lengths[dim] for dim in ("neuroid", "stimulus") if dim in found.lengths}
    if chosen is not None and len(chosen.keys.get("dims", ())) == len(chosen.shape):
        sizes = dict(zip(chosen.keys["dims"], chosen.shape, strict=True)) if chosen.shape else {}
        counts |= {dim: sizes[dim] for dim in ("neuroid",) if dim in sizes}
    if counts:
        yield line("counts", {dim: counts[dim] for dim in ("neuroid", "stimulus") if dim in counts})
