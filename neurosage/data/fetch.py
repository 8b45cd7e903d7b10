"""Card files to verified local paths: the card's folder, a mirror, the cache, the network."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurosage.data.card import FileEntry
from neurosage.data.hashes import hash_file
from neurosage.errors import FetchError

log = logging.getLogger(__name__)
_listings: dict[str, list[tuple[Path, int]]] = {}


def cache_folder() -> Path:
    """Return the folder for downloads: ``NEUROSAGE_CACHE``, or the system's for caches.

    Raises
    ------
    FetchError
        If ``NEUROSAGE_CACHE`` names something that is no folder; one that is not there
        yet is made when first needed.
    """
    chosen = os.environ.get("NEUROSAGE_CACHE")
    if chosen:
        path = Path(chosen).expanduser()
        if os.path.lexists(path) and not path.is_dir():
            raise FetchError(f"NEUROSAGE_CACHE is {chosen!r}, which is not a folder.")
        return path
    import pooch

    return Path(pooch.os_cache("neurosage"))


@contextmanager
def _cache_in_use() -> Iterator[Path]:
    """The folder of cached files; what the disk says against it, as one sentence."""
    folder = cache_folder()
    try:
        yield folder / "files"
    except FetchError:
        raise
    except OSError as error:
        raise FetchError(
            f"the cache {folder} cannot be used ({error.strerror or error}); set NEUROSAGE_CACHE "
            "to a folder that can be written to."
        ) from error


def is_available(entry: FileEntry, *, card_folder: Path | None = None) -> bool:
    """Tell whether a file is on this machine, without touching the network.

    Parameters
    ----------
    entry : FileEntry
        As its card describes it.
    card_folder : Path, optional
        The folder of that card.

    Returns
    -------
    bool
        Whether `locate` would find it, hash and all.
    """
    beside = _beside(entry, card_folder)
    if beside is not None:
        return _matches(beside, entry)
    if _mirrored(entry) is not None:
        return True
    with _cache_in_use() as folder:
        cached = folder / _cached_name(entry)
        return cached.is_file() and _matches(cached, entry)


def locate(
    entry: FileEntry,
    *,
    owner: str,
    card_folder: Path | None = None,
    base_url: str | None = None,
) -> Path:
    """Return the path of a file whose hash is the card's.

    Looked for in the card's folder, then anywhere below ``NEUROSAGE_MIRROR`` (by
    size and hash, whatever the name), then in the cache; then downloaded there.

    Parameters
    ----------
    entry : FileEntry
        As its card describes it.
    owner : str
        The id to name in messages, such as ``"macaque-v4/190923"``.
    card_folder : Path, optional
        The folder of that card.
    base_url : str, optional
        Where to download from, ``base_url + entry.file``; if omitted the network is
        never touched.

    Returns
    -------
    Path
        Verified.

    Raises
    ------
    FetchError
        If a file has the wrong hash (file, expected, found), or cannot be had (what
        to do about it), or the cache cannot be written to. A wrong download leaves
        nothing in the cache.
    """
    beside = _beside(entry, card_folder)
    if beside is not None:
        _verify(beside, entry, owner)
        return beside
    mirrored = _mirrored(entry, fresh=True)
    if mirrored is not None:
        return mirrored
    with _cache_in_use() as folder:
        cached = folder / _cached_name(entry)
        if cached.is_file():
            if _matches(cached, entry):
                return cached
            log.warning("%s is damaged; it is removed from the cache and fetched again", cached)
            cached.unlink()
        if base_url is None:
            raise FetchError(_advice(entry, owner, "is not on this machine", beside=card_folder))
        return _download(entry, owner, base_url + entry.file, cached)


def _beside(entry: FileEntry, card_folder: Path | None) -> Path | None:
    if card_folder is None:
        return None
    path = card_folder / entry.file
    if not path.is_file():
        return None
    if not path.resolve().is_relative_to(card_folder.resolve()):
        raise FetchError(f"{path} leads out of its card's folder by a link, and is refused.")
    return path


def _matches(path: Path, entry: FileEntry) -> bool:
    if entry.size is not None and path.stat().st_size != entry.size:
        return False
    return hash_file(path, entry.algorithm) == entry.digest


def _verify(path: Path, entry: FileEntry, owner: str) -> None:
    found = hash_file(path, entry.algorithm)
    if found != entry.digest:
        raise FetchError(
            f"{path} is not the file that the card of {owner!r} describes: expected "
            f"{entry.hash}, found {entry.algorithm}:{found} ({path.stat().st_size} bytes"
            f"{f', expected {entry.size}' if entry.size is not None else ''}). "
            "Replace the file, or correct the card if the change was meant."
        )


def _cached_name(entry: FileEntry) -> str:
    # The hash comes first, so that no other file can ever be taken for it.
    return f"{entry.digest[:32]}-{entry.name}"


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


def _mirrored(entry: FileEntry, *, fresh: bool = False) -> Path | None:
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
        if likely and path.is_file() and _matches(path, entry):
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


def _download(entry: FileEntry, owner: str, url: str, target: Path) -> Path:
    import pooch

    target.parent.mkdir(parents=True, exist_ok=True)
    log.info("fetching %s", url)
    handle, name = tempfile.mkstemp(prefix="part-", suffix=f"-{entry.name}", dir=target.parent)
    os.close(handle)
    partial = Path(name)
    try:
        try:
            download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=60)
            download(url, str(partial), None)
        except Exception as error:  # requests and urllib3 have no common base
            what = f"cannot be fetched ({_plainly(error)})"
            raise FetchError(_advice(entry, owner, what, url)) from error
        found = hash_file(partial, entry.algorithm)
        if found != entry.digest:
            raise FetchError(
                f"{url} is not the file that the card of {owner!r} describes: expected "
                f"{entry.hash}, found {entry.algorithm}:{found} ({partial.stat().st_size} bytes). "
                "Nothing was kept; the source may have changed."
            )
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _plainly(error: Exception) -> str:
    import requests

    if isinstance(error, requests.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.ConnectionError):
        return "there is no connection"
    return str(error)


def _advice(
    entry: FileEntry, owner: str, what: str, url: str | None = None, beside: Path | None = None
) -> str:
    mirror = os.environ.get("NEUROSAGE_MIRROR")
    looked = f"; no file below NEUROSAGE_MIRROR={mirror} has its hash" if mirror else ""
    fetch = f"run `neurosage fetch {owner}` with a network connection, or " if url else ""
    if beside is not None:
        fetch = f"put it beside its card, as {beside / entry.file}, or "
    return (
        f"{entry.file} of {owner!r} {what}{f' from {url}' if url else ''}{looked}. Next: {fetch}"
        f"set NEUROSAGE_MIRROR to a folder that holds the file ({entry.hash})."
    )
