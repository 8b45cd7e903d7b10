"""The reference backend keeps the contract too."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np

from neurosage.rsa.backends.rsatoolbox import RsatoolboxBackend
from neurosage.testing import BackendCase


class TestRsatoolbox(BackendCase):
    """The contract."""

    def make_backend(self):
        return RsatoolboxBackend()


def test_rdm_that_does_not_vary():
    """An RDM that does not vary has no similarity."""
    backend = RsatoolboxBackend()
    found = backend.compare(np.ones((1, 6)), np.random.default_rng(0).random((2, 6)), "pearson")
    assert np.isnan(found).all()


def test_it_says_its_version():
    """Provenance names the rsatoolbox that computed."""
    assert RsatoolboxBackend().version == f"rsatoolbox {version('rsatoolbox')} float64"
