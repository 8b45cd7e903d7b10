"""The reference backend keeps the contract too."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import pytest
from scipy import stats

from neurosage.rsa.backends.rsatoolbox import OF_ZERO, RsatoolboxBackend
from neurosage.testing import BackendCase


class TestRsatoolbox(BackendCase):
    """The contract."""

    def make_backend(self):
        return RsatoolboxBackend()


def random_rdms(count, pairs=21, seed=0):
    """Make condensed RDMs of 7 stimuli."""
    return np.random.default_rng(seed).random((count, pairs))


def rho_a(x, y):
    """Rank correlation without correction for ties, by its definition."""
    m = len(x)
    ranks = [stats.rankdata(each) - (m + 1) / 2 for each in (x, y)]
    return 12 * (ranks[0] @ ranks[1]) / (m**3 - m)


REFERENCES = {
    "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "kendall": lambda x, y: stats.kendalltau(x, y).statistic,
    "tau-a": lambda x, y: (
        np.sign(np.subtract.outer(x, x) * np.subtract.outer(y, y)).sum() / (len(x) * (len(x) - 1))
    ),
    "rho-a": rho_a,
}


@pytest.mark.parametrize("comparison", REFERENCES)
def test_names_mean_what_scipy_means(comparison):
    """Each comparison is the one of that name, ties included."""
    a, b = random_rdms(2), random_rdms(3, seed=1).round(1)
    found = RsatoolboxBackend().compare(a, b, comparison)
    expected = [[REFERENCES[comparison](x, y) for y in b] for x in a]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_cka_is_cosine_cov():
    """Linear CKA of squared euclidean RDMs is the whitened cosine."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(9, 4)), rng.normal(size=(9, 5))
    backend = RsatoolboxBackend()
    sides = [backend.prepare([each], "euclidean", "cka") for each in (x, y)]
    x, y = x - x.mean(0), y - y.mean(0)
    cka = np.square(x.T @ y).sum() / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
    np.testing.assert_allclose(backend.similarity(*sides, "cka").values, [[cka]], atol=1e-12)


@pytest.mark.parametrize("comparison", RsatoolboxBackend.comparisons)
def test_rdm_that_does_not_vary(comparison):
    """An RDM that does not vary (is 0, for the cosines) has no similarity; others keep theirs."""
    backend, constant = RsatoolboxBackend(), 0.0 if comparison in OF_ZERO else 1.0
    a, b = random_rdms(2), random_rdms(3, seed=1)
    expected = backend.compare(a, b, comparison)
    b[1] = constant
    expected[:, 1] = np.nan
    np.testing.assert_allclose(backend.compare(a, b, comparison), expected, atol=1e-12)
    assert np.isnan(backend.compare(a, b[1:2], comparison)).all()


def test_it_says_its_version():
    """Provenance names the rsatoolbox that computed."""
    assert RsatoolboxBackend().version == f"rsatoolbox {version('rsatoolbox')} float64"
