"""What every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of public recordings, or a skip that says how to have it."""
    folder = os.environ.get("NEUROSAGE_MIRROR")
    if not folder or not Path(folder).is_dir():
        pytest.skip("the public recordings are not here: set NEUROSAGE_MIRROR to their folder")
    return Path(folder)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache and folders of teachers out of the tests."""
    monkeypatch.setenv("NEUROSAGE_CACHE", str(tmp_path_factory.getbasetemp() / "neurosage-cache"))
    monkeypatch.delenv("NEUROSAGE_TEACHERS", raising=False)
