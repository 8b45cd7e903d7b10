"""A small teacher's folder, as a lab would lay it out."""

from __future__ import annotations

import hashlib
import io
import zipfile
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
