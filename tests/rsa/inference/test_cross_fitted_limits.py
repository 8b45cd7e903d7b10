"""Where a cross-fitted value is not what it should be, or cannot be had, it says so."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurosage.data.assembly import assembly
from neurosage.rsa.inference.bootstrap import bootstrap_similarity
from neurosage.rsa.inference.cross_fitted import cross_fitted_similarity
from neurosage.rsa.inference.mantel import mantel_test
from neurosage.rsa.inference.paired import compare_models
from neurosage.rsa.similarity import similarity


def layers(values, names):
    """Make an assembly of equally wide layers."""
    ids = [f"s{k}" for k in range(len(values))]
    return assembly(values, stimulus_id=ids, region=np.repeat(names, values.shape[1] // len(names)))


def test_biased_comparisons_are_warned_of():
    """Biased CKA of fewer stimuli is higher: the halves' is not the whole's, and it says so."""
    rng = np.random.default_rng(0)
    noise, brain = (
        layers(rng.normal(size=(40, 60)), ["a", "b"]),
        layers(rng.normal(size=(40, 30)), ["V4"]),
    )
    how = {"interval": None, "splits": 5}
    fitted = cross_fitted_similarity(noise, brain, comparison="cka", **how)
    assert fitted.similarity.item() > similarity(noise, brain, comparison="cka").max().item()
    assert "cka_unbiased" in fitted.attrs["warnings"]
    unbiased = cross_fitted_similarity(noise, brain, comparison="cka_unbiased", **how)
    assert unbiased.attrs["warnings"] == "[]"


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "kendall", "cka"])
def test_no_layer_with_an_rdm_is_told_everywhere(comparison):
    """Where no layer has an RDM, values are NaN with the reason, in every function."""
    rng = np.random.default_rng(0)
    dead, brain = layers(np.ones((24, 6)), ["dead"]), layers(rng.normal(size=(24, 6)), ["V4"])
    alive = layers(rng.normal(size=(24, 6)), ["alive"])
    how = {"comparison": comparison, "undefined": "nan"}
    found = [
        bootstrap_similarity(dead, brain, resamples=20, **how),
        cross_fitted_similarity(dead, brain, resamples=20, splits=2, **how),
    ]
    found += [] if comparison == "kendall" else [mantel_test(dead, brain, permutations=20, **how)]
    for each in found:
        assert np.isnan(each.similarity).all()
        assert "dead" in each.attrs["undefined"]
    for choose in ("best", "cross-fitted"):
        models = {"dead": dead, "alive": alive}
        paired = compare_models(models, brain, choose=choose, splits=2, resamples=20, **how)
        assert np.isnan(paired.difference).all()
        assert json.loads(paired.attrs["not_estimable"])


def test_groups_split_whole_are_warned_of():
    """Half of the groups has more pairs within a group: it says that the value may be high."""
    rng = np.random.default_rng(0)
    objects = np.repeat(rng.normal(size=(12, 6)), 4, axis=0)
    noisy = [layers(objects + rng.normal(size=objects.shape), [name]) for name in ("a", "V4")]
    noisy[1] = noisy[1].assign_coords(object=("presentation", np.repeat(np.arange(12), 4)))
    how = {"interval": None, "splits": 5}
    grouped = cross_fitted_similarity(*noisy, by="object", **how)
    single = cross_fitted_similarity(*noisy, **how)
    assert grouped.similarity.item() > single.similarity.item()
    assert "within a group" in grouped.attrs["warnings"]
    assert single.attrs["warnings"] == "[]"
