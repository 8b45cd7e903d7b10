"""The lines of a first card about its images: which they are, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neurosage.data.cards.array_guesses import UNKNOWN, ArrayFound
from neurosage.data.cards.folder_contents import Contents
from neurosage.data.cards.text import line, to_toml
from neurosage.data.hashes import hash_file
from neurosage.data.image_order import moved


def image_lines(found: Contents, chosen: ArrayFound | None) -> Iterator[str]:
    """Yield the entry of images with its comments.

    Parameters
    ----------
    found : Contents
        Of the folder.
    chosen : ArrayFound or None
        The responses.

    Yields
    ------
    str
        Lines; the order is a question where it matters and names leave it open.
    """
    if not found.images:
        yield '# A zip file of images, or a folder, such as "images/".'
        yield line("images", {"file": UNKNOWN})
        return
    (name, files), *others = found.images.items()
    entry = {"file": name} if name.endswith("/") else file_entry(found.folder / name)
    head = f"# {len(files)} images, {_some(files)}"
    if "stimuli" in found.tables:
        yield f"{head}: each is matched to its row of the table of stimuli by name."
    elif _named(found, chosen):
        yield f"{head}: each is matched to its responses by name."
    elif differ := moved(files):
        yield from _question(head, differ, len(files))
        entry["order"] = UNKNOWN
    else:
        yield f"{head}: sorted by file name: the k-th is the k-th stimulus."
    if others:
        yield f"# Images are also in {', '.join(to_toml(one) for one, _ in others)}."
    yield line("images", entry)


def _question(head: str, differ: list[tuple[int, str, str]], count: int) -> Iterator[str]:
    _, plain, number = differ[0]
    yield f"{head}: the k-th is the k-th stimulus of the responses, but in which order?"
    yield f'# order = "file name": letter by letter, {plain} before {number}.'
    yield f'# order = "number": by the numbers in names, {number} before {plain}.'
    yield f"# {len(differ)} of {count} images would change place: look how responses were saved."


def _named(found: Contents, chosen: ArrayFound | None) -> bool:
    """Whether responses name their stimuli, so that the order of images does not matter."""
    if chosen is None or "index" in chosen.keys:
        return False
    own = "dims" not in chosen.keys or "stimulus_id" in chosen.keys.get("coordinates", {})
    return own or "presentation_table" in found.tables


def file_entry(path: Path) -> dict[str, Any]:
    """Return what a card says of any file: its name, hash and size."""
    return {"file": path.name, "hash": f"sha256:{hash_file(path)}", "size": path.stat().st_size}


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
