"""A small teacher's folder, as a lab would lay it out."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from neurosage.data import sources


def png(seed: int, size: int = 4) -> bytes:
    """A random image file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def write_zip(path: Path, names: list[str]) -> Path:
    """Images of those names; the k-th is random image k."""
    with zipfile.ZipFile(path, "w") as archive:
        for k, name in enumerate(names):
            archive.writestr(name, png(k))
    return path


def entry(path: Path, **keys: str) -> str:
    """A file's line in a card."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    more = "".join(f", {key} = {value}" for key, value in keys.items())
    return (
        f'{{ file = "{path.name}", hash = "sha256:{digest}", size = {path.stat().st_size}{more} }}'
    )


def lay_out(folder: Path, id_: str = "lab-it", extra: str = "") -> Path:
    """Three images, two neuroids, one part; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    images = write_zip(folder / "images.zip", ["b.png", "a.png", "c.png"])
    np.save(folder / "responses.npy", [[1.0, 2.0, 3.0], [6.0, 5.0, 4.5]])
    dims = '["neuroid", "stimulus"]'
    (folder / "card.toml").write_text(
        f'schema = 1\nid = "{id_}"\nkind = "recorded"\nspecies = "Felis catus"\n'
        f'normalise = "zscore"\nlicence = "CC0-1.0"\n{extra}\n'
        '[part.first]\nneuroids = { region = "IT", subject = "Tom" }\n'
        "counts = { neuroid = 2, stimulus = 3 }\n"
        f"responses = {entry(folder / 'responses.npy', dims=dims)}\n"
        f"images = {entry(images)}\n"
    )
    return folder


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """The folder of the teacher ``lab-it``."""
    return lay_out(tmp_path / "lab-it")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test registers for another, and none sees the real mirror unless it asks."""
    monkeypatch.setattr(sources, "_registered", {"teacher": {}, "stimuli": {}})


class Served:
    """A folder behind HTTP on this machine, whose server can be told to fail.

    `faults` holds, by file name, what the next requests for it meet, one each: a status
    such as 503, "cut" (half of the file, then the connection closes), "unannounced" (the
    same, with no word of how long the file is), "stall" (half of it, then silence).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: dict[str, list[int | str]] = {}
        self.asked: list[str] = []
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                served.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        name = request.path.removeprefix("/")
        self.asked.append(name)
        waiting = self.faults.get(name)
        fault = waiting.pop(0) if waiting else None
        path = self.folder / name
        if isinstance(fault, int) or not path.is_file():
            request.send_error(fault if isinstance(fault, int) else 404)
            return
        content = path.read_bytes()
        request.send_response(200)
        if fault != "unannounced":
            request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: len(content) // 2] if fault else content)
        if fault == "stall":
            request.wfile.flush()
            time.sleep(1)
        request.close_connection = True

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """An empty folder, served over HTTP; tests put files into `served.folder`."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = Served(folder)
    yield server
    server.close()
