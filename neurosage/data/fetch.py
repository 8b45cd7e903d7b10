"""Card files to verified local paths: the card's folder, a mirror, the cache, the network."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from neurosage.data.bounded import BoundedFile
from neurosage.data.cards.card import FileEntry
from neurosage.data.hashes import hash_file
from neurosage.data.mirror import find_mirrored, matches
from neurosage.errors import FetchError

log = logging.getLogger(__name__)
TIMEOUT = 60.0  # seconds without an answer, or without a further byte
ATTEMPTS = 4
FIRST_WAIT = 1.0  # seconds; twice as long before each further attempt
BUSY = (408, 425, 429, 500, 502, 503, 504)  # what servers say when it may pass
STALE = 24 * 3600  # seconds


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
        return matches(beside, entry)
    if entry.hash is None:
        return False
    if find_mirrored(entry) is not None:
        return True
    with _cache_in_use() as folder:
        cached = folder / _cached_name(entry)
        return cached.is_file() and matches(cached, entry)


def locate(
    entry: FileEntry,
    *,
    owner: str,
    card_folder: Path | None = None,
    base_url: str | None = None,
) -> Path:
    """Return the path of a file whose hash is the card's.

    Looked for in the card's folder, then anywhere below ``NEUROSAGE_MIRROR`` (by
    size and hash, whatever the name), then in the cache; then downloaded there. What
    has no hash, a folder of images among it, is looked for in the card's folder only.

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
    if entry.hash is None:
        where = entry.file if card_folder is None else card_folder / entry.file
        raise FetchError(
            f"{entry.file} of {owner!r} is not beside its card: there is no {where}. Put it "
            "there, or give its hash, so that NEUROSAGE_MIRROR is searched for it."
        )
    mirrored = find_mirrored(entry, fresh=True)
    if mirrored is not None:
        return mirrored
    with _cache_in_use() as folder:
        cached = folder / _cached_name(entry)
        if cached.is_file():
            if matches(cached, entry):
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
    if not path.is_file() and (entry.hash is not None or not path.is_dir()):
        return None
    if not path.resolve().is_relative_to(card_folder.resolve()):
        raise FetchError(f"{path} leads out of its card's folder by a link, and is refused.")
    return path


def _verify(path: Path, entry: FileEntry, owner: str) -> None:
    if entry.hash is None:
        return
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


def _download(entry: FileEntry, owner: str, url: str, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep(target.parent)
    log.info("fetching %s", url)
    partial = target.with_name(f"part-{os.getpid()}-{secrets.token_hex(4)}-{entry.name}")
    try:
        _fill(partial, entry, owner, url)
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


def _sweep(folder: Path) -> None:
    # What a killed process left; one that is alive has written within the day.
    for path in folder.glob("part-*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > STALE:
                path.unlink()


def _fill(partial: Path, entry: FileEntry, owner: str, url: str) -> None:
    import requests

    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _get(partial, entry, url)
        except FetchError:
            raise
        except Exception as error:  # requests and urllib3 have no common base
            if isinstance(error, OSError) and error.errno is not None:
                raise  # the disk's; what the network says has no number
            plainly, may_pass = _judge(error)
            if attempt == ATTEMPTS or not may_pass:
                tried = f", {attempt} times" if attempt > 1 else ""
                what = f"cannot be fetched ({plainly}{tried})"
                again = may_pass or not isinstance(error, requests.HTTPError)
                raise FetchError(_advice(entry, owner, what, url, again=again)) from error
            wait = FIRST_WAIT * 2 ** (attempt - 1)
            log.warning("%s: %s; trying again in %g s", url, plainly, wait)
            time.sleep(wait)
    return None


def _get(partial: Path, entry: FileEntry, url: str) -> None:
    import pooch
    import requests

    download = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=TIMEOUT)
    with partial.open("wb") as stream:
        download(url, BoundedFile(stream, entry, url), None)
    if entry.size is not None and partial.stat().st_size < entry.size:
        # A server that does not say how long a file is can be cut off unnoticed.
        raise requests.ConnectionError(f"{partial.stat().st_size} of {entry.size} bytes")


def _judge(error: Exception) -> tuple[str, bool]:
    """Say what a download met, and whether it may have passed when asked again."""
    import requests
    from urllib3.exceptions import NewConnectionError, ReadTimeoutError

    cause = next(iter(error.args), None)
    if isinstance(error, requests.HTTPError) and error.response is not None:
        answer = error.response
        return f"the server says {answer.status_code} {answer.reason}", answer.status_code in BUSY
    if isinstance(getattr(cause, "reason", None), NewConnectionError):
        return "there is no connection", False
    if isinstance(error, requests.Timeout) or isinstance(cause, ReadTimeoutError):
        return "the server did not answer in time", True
    if isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError):
        return "the connection was cut", True
    return str(error), False


def _advice(
    entry: FileEntry,
    owner: str,
    what: str,
    url: str | None = None,
    *,
    beside: Path | None = None,
    again: bool = True,
) -> str:
    mirror = os.environ.get("NEUROSAGE_MIRROR")
    looked = f"; no file below NEUROSAGE_MIRROR={mirror} has its hash" if mirror else ""
    fetch = f"run `neurosage fetch {owner}` with a network connection, or " if url and again else ""
    if beside is not None:
        fetch = f"put it beside its card, as {beside / entry.file}, or "
    return (
        f"{entry.file} of {owner!r} {what}{f' from {url}' if url else ''}{looked}. Next: {fetch}"
        f"set NEUROSAGE_MIRROR to a folder that holds the file ({entry.hash})."
    )
