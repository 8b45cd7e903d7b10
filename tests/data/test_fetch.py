"""Files are found by their hash, and a wrong file is never used nor kept."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pooch
import pytest

from neurosage.data import fetch
from neurosage.data.cards.card import FileEntry
from neurosage.data.fetch import cache_folder, is_available, locate
from neurosage.errors import FetchError

CONTENT = b"spikes"
URL = "https://example.org/"
DOWNLOADER = pooch.HTTPDownloader


def make_entry(content=CONTENT, size=True, algorithm="sha256"):
    digest = hashlib.new(algorithm, content).hexdigest()
    return FileEntry(
        file="sub/r.npy", hash=f"{algorithm}:{digest}", size=len(content) if size else None
    )


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """An empty cache, no mirror, no network."""
    monkeypatch.setenv("NEUROSAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NEUROSAGE_MIRROR", raising=False)
    serve(monkeypatch, None)


def serve(monkeypatch, content):
    """Stand in for the network: `content` is what every address holds."""

    class Downloader:
        def __init__(self, **_):
            pass

        def __call__(self, url, output_file, _):
            if content is None:
                raise OSError("no route to host")
            output_file.write(content)

    monkeypatch.setattr(pooch, "HTTPDownloader", Downloader)


def kept():
    return [p for p in cache_folder().rglob("*") if p.is_file()] if cache_folder().exists() else []


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_a_download_is_verified_and_kept(monkeypatch, algorithm):
    """A file is downloaded once, verified, and found again without the network."""
    entry = make_entry(algorithm=algorithm)
    serve(monkeypatch, CONTENT)
    path = locate(entry, owner="lab", base_url=URL)
    assert path.read_bytes() == CONTENT
    assert kept() == [path]
    serve(monkeypatch, None)
    assert is_available(entry)
    assert locate(entry, owner="lab", base_url=URL) == path


def test_a_wrong_download_is_refused_and_not_kept(monkeypatch):
    """Wrong content: which file, expected and found, and nothing is left in the cache."""
    serve(monkeypatch, b"a page that says 404")
    found = hashlib.sha256(b"a page that says 404").hexdigest()
    with pytest.raises(FetchError, match=rf"sub/r\.npy .*expected sha256:\w+, found .*{found}"):
        locate(make_entry(size=False), owner="lab", base_url=URL)
    assert kept() == []


def test_offline_says_what_to_do():
    """Without network the error names the command, the mirror and the hash."""
    with pytest.raises(FetchError, match=r"neurosage fetch lab/one.*NEUROSAGE_MIRROR.*sha256:"):
        locate(make_entry(), owner="lab/one", base_url=URL)
    assert kept() == []


def test_a_damaged_cached_file_is_fetched_again(monkeypatch):
    """A file that rotted in the cache is neither used nor left there."""
    serve(monkeypatch, CONTENT)
    path = locate(make_entry(), owner="lab", base_url=URL)
    path.write_bytes(b"rotten")
    assert not is_available(make_entry())
    assert locate(make_entry(), owner="lab", base_url=URL).read_bytes() == CONTENT
    path.write_bytes(b"rotten")
    serve(monkeypatch, None)
    with pytest.raises(FetchError, match="cannot be fetched"):
        locate(make_entry(), owner="lab", base_url=URL)
    assert kept() == []


@pytest.mark.parametrize("size", [True, False], ids=["size", "no size"])
def test_a_mirror_is_searched_by_content(tmp_path, monkeypatch, size):
    """A mirror's file is found below it under any name, also when added later."""
    mirror = tmp_path / "mirror"
    (mirror / "deep").mkdir(parents=True)
    (mirror / "wrong.npy").write_bytes(b"others")  # as long as the right one
    monkeypatch.setenv("NEUROSAGE_MIRROR", str(mirror))
    entry = make_entry(size=size)
    with pytest.raises(FetchError, match="no file below NEUROSAGE_MIRROR"):
        locate(entry, owner="lab")
    (mirror / "deep" / "renamed.npy").write_bytes(CONTENT)
    assert locate(entry, owner="lab").name == "renamed.npy"
    assert is_available(entry)
    assert kept() == []


def test_a_mirror_that_is_no_folder_is_named(monkeypatch, tmp_path):
    """A misspelt mirror is an error, not an empty one."""
    monkeypatch.setenv("NEUROSAGE_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(FetchError, match=r"nowhere.*is not a folder"):
        locate(make_entry(), owner="lab")


def test_a_file_beside_its_card_comes_first_and_is_verified(tmp_path):
    """A changed file beside its card is an error, and stays where it is."""
    beside = tmp_path / "sub" / "r.npy"
    beside.parent.mkdir()
    beside.write_bytes(CONTENT)
    assert locate(make_entry(), owner="lab", card_folder=tmp_path) == beside
    beside.write_bytes(b"changed")
    assert not is_available(make_entry(), card_folder=tmp_path)
    with pytest.raises(FetchError, match=r"r\.npy is not the file.*expected sha256:.*found sha256"):
        locate(make_entry(), owner="lab", card_folder=tmp_path)
    assert beside.read_bytes() == b"changed"


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    """A card's folder cannot reach out by a symbolic link."""
    outside = tmp_path / "outside.npy"
    outside.write_bytes(CONTENT)
    folder = tmp_path / "lab" / "sub"
    folder.mkdir(parents=True)
    (folder / "r.npy").symlink_to(outside)
    with pytest.raises(FetchError, match="leads out of its card's folder"):
        locate(make_entry(), owner="lab", card_folder=tmp_path / "lab")


def test_a_cache_that_is_no_folder_is_named(monkeypatch, tmp_path):
    """NEUROSAGE_CACHE naming a file is one clear error, whether asking or fetching."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NEUROSAGE_CACHE", str(tmp_path / "file"))
    serve(monkeypatch, CONTENT)
    for ask in (lambda: is_available(make_entry()), lambda: locate(make_entry(), owner="lab")):
        with pytest.raises(FetchError, match=r"NEUROSAGE_CACHE is .*file', which is not a folder"):
            ask()


def test_a_cache_that_cannot_be_made_is_named(monkeypatch, tmp_path):
    """A cache below a file, which no folder can be."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("NEUROSAGE_CACHE", str(tmp_path / "file" / "cache"))
    serve(monkeypatch, CONTENT)
    assert not is_available(make_entry())
    with pytest.raises(FetchError, match=r"the cache .* cannot be used .*set NEUROSAGE_CACHE"):
        locate(make_entry(), owner="lab", base_url=URL)


@pytest.mark.parametrize("step", ["mkdir", "is_file", "replace"])
def test_a_disk_that_refuses_is_a_clear_error(monkeypatch, step):
    """No right to read or write, a full disk: the cache is named, nothing half-written stays."""

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    serve(monkeypatch, CONTENT)
    with monkeypatch.context() as patch:
        patch.setattr(Path, step, refuse)
        with pytest.raises(FetchError, match=r"the cache .* cannot be used \(Permission denied\)"):
            locate(make_entry(), owner="lab", base_url=URL)
    assert kept() == []


def test_a_file_missing_beside_its_card_belongs_there(tmp_path):
    """Where nothing can be downloaded, the card's folder is the first place named."""
    with pytest.raises(FetchError, match=r"Next: put it beside its card, as .*sub/r\.npy, or set"):
        locate(make_entry(), owner="lab", card_folder=tmp_path)


NAME = "r.npy"


@pytest.fixture
def online(served, monkeypatch):
    """A server that has the file, the real downloader, and no patience."""
    (served.folder / NAME).write_bytes(CONTENT)
    monkeypatch.setattr(pooch, "HTTPDownloader", DOWNLOADER)
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(fetch, "TIMEOUT", 0.3)
    return served


def ask(served, **keys):
    entry = make_entry(**keys).model_copy(update={"file": NAME})
    return locate(entry, owner="lab", base_url=served.url)


@pytest.mark.parametrize(
    "fault", ["cut", "unannounced", "stall", 408, 429, 500, 502, 503, 504], ids=str
)
def test_what_may_pass_is_tried_again(online, fault, caplog):
    """A cut connection, silence, a busy server: asked again, said so, and the file is whole."""
    online.faults[NAME] = [fault, fault]
    path = ask(online)
    assert path.read_bytes() == CONTENT
    assert kept() == [path]
    assert online.asked == [NAME] * 3
    assert caplog.text.count("trying again") == 2


def test_a_server_that_stays_down_is_given_up(online):
    """After the last attempt: what it said, how often, what to do; nothing is left behind."""
    online.faults[NAME] = [503] * 9
    with pytest.raises(FetchError, match=r"the server says 503 .*, 4 times\).*NEUROSAGE_MIRROR"):
        ask(online)
    assert online.asked == [NAME] * fetch.ATTEMPTS
    assert kept() == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [("cut", "the connection was cut, 4 times"), ("stall", "did not answer in time, 4 times")],
)
def test_what_is_cut_each_time_leaves_nothing(online, fault, said):
    """Half a file is never kept."""
    online.faults[NAME] = [fault] * 9
    with pytest.raises(FetchError, match=said):
        ask(online)
    assert kept() == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_is_not_there_is_not_asked_for_again(online, status):
    """The server has said no: once is enough."""
    online.faults[NAME] = [status]
    said = rf"cannot be fetched \(the server says {status} [A-Z].*Next: set NEUROSAGE_MIRROR"
    with pytest.raises(FetchError, match=said):
        ask(online)
    assert online.asked == [NAME]
    assert kept() == []


def test_a_wrong_file_is_not_asked_for_again(online):
    """The same address gives the same wrong file; it is refused, and nothing is kept."""
    (online.folder / NAME).write_bytes(b"others")
    with pytest.raises(FetchError, match=r"r\.npy is not the file .*Nothing was kept"):
        ask(online)
    assert online.asked == [NAME]
    assert kept() == []


def test_a_short_file_of_unknown_size_fails_its_hash(online):
    """Where neither card nor server says how long it is, the hash does."""
    online.faults[NAME] = ["unannounced"]
    with pytest.raises(FetchError, match=r"expected sha256:\w+, found sha256:\w+ \(3 bytes\)"):
        ask(online, size=False)
    assert kept() == []


def test_no_connection_is_said_at_once(online):
    """Nothing listens there: one sentence, no waiting."""
    address = online.url
    online.close()
    monotonic = time.monotonic()
    with pytest.raises(FetchError, match=r"\(there is no connection\) from http"):
        locate(make_entry(), owner="lab", base_url=address)
    assert time.monotonic() - monotonic < 5


def test_waits_grow(online, monkeypatch):
    """Each wait is twice the one before."""
    waits = []
    monkeypatch.setattr(fetch.time, "sleep", waits.append)
    online.faults[NAME] = [500] * 3
    ask(online)
    assert waits == [0.001, 0.002, 0.004]


def test_a_download_longer_than_the_card_says_is_stopped(online):
    """It is not read to its end, not tried again, and nothing is kept."""
    entry = make_entry().model_copy(update={"file": NAME, "size": len(CONTENT) - 1})
    with pytest.raises(FetchError, match=r"longer than the \d+ bytes that the card says"):
        locate(entry, owner="lab", base_url=online.url)
    assert kept() == []


def test_what_a_killed_process_left_is_swept(online):
    """A partial file that nobody has written to for a day goes; one being written stays."""
    folder = cache_folder() / "files"
    folder.mkdir(parents=True)
    for name, age in (("part-1-old", 2 * fetch.STALE), ("part-2-new", 0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    path = ask(online)
    assert sorted(kept()) == sorted([path, folder / "part-2-new"])
