"""``NEUROSAGE_MIRROR``: a folder that stands in for the network, searched by content."""

from __future__ import annotations

import os
from pathlib import Path

from neurosage.data.cards.card import FileEntry
from neurosage.data.hashes import hash_file
from neurosage.errors import FetchError

_listings: dict[str, list[tuple[Path, int]]] = {}


def mirror_folder() -> Path | None:
    """Return ``NEUROSAGE_MIRROR`` as a path, None where it is not set.

    Raises
    ------
    FetchError
        If it names a folder that does not exist.
    """
    folder = os.environ.get("NEUROSAGE_MIRROR")
    if not folder:
        return None
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise FetchError(f"NEUROSAGE_MIRROR is {folder!r}, which is not a folder.")
    return path


def find_mirrored(entry: FileEntry, *, fresh: bool = False) -> Path | None:
    """Return the file below the mirror that has an entry's hash, None where there is none.

    Parameters
    ----------
    entry : FileEntry
        As its card describes it; it has a hash.
    fresh : bool
        Whether to list the folder again before giving up.

    Raises
    ------
    FetchError
        If ``NEUROSAGE_MIRROR`` names a folder that does not exist.
    """
    root = mirror_folder()
    if root is None:
        return None
    known = str(root) in _listings
    found = _search(entry, root)
    if found is None and known and fresh:
        # Files may have been added since the folder was listed.
        del _listings[str(root)]
        found = _search(entry, root)
    return found


def _search(entry: FileEntry, root: Path) -> Path | None:
    if str(root) not in _listings:
        _listings[str(root)] = sorted(_walk(root))
    suffix = Path(entry.name).suffix
    for path, size in _listings[str(root)]:
        # Without a size only files of the same kind are worth hashing.
        likely = size == entry.size if entry.size is not None else path.suffix == suffix
        if likely and path.is_file() and matches(path, entry):
            return path
    return None


def _walk(root: Path) -> list[tuple[Path, int]]:
    files = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file():
                files.append((path, path.stat().st_size))
    return files


def matches(path: Path, entry: FileEntry) -> bool:
    """Tell whether a file is the one that an entry describes.

    Parameters
    ----------
    path : Path
        It exists.
    entry : FileEntry
        Size and hash count, where it says them; the name does not.
    """
    if entry.size is not None and path.stat().st_size != entry.size:
        return False
    return entry.hash is None or hash_file(path, entry.algorithm) == entry.digest
