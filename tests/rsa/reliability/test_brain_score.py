"""Brain-Score's internal consistency, against a plain reimplementation with scikit-learn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn.model_selection import ShuffleSplit

from neurosage.errors import InputError
from neurosage.rsa.reliability.neuroids import BRAIN_SCORE, reliability


def as_brain_score(a):
    """Whole repetitions shuffled into halves, each split corrected; median, then mean."""
    shown = np.unique(a["repetition"].values)
    shuffled = ShuffleSplit(n_splits=10, train_size=0.5, random_state=1)
    ceilings = []
    for halves in shuffled.split(shown):
        x, y = (
            a.isel(presentation=np.isin(a["repetition"], shown[half]))
            .to_pandas()
            .groupby(a["stimulus_id"].values[np.isin(a["repetition"], shown[half])])
            .mean()
            for half in halves
        )
        c = np.array([pearsonr(x[name], y[name])[0] for name in x])
        ceilings.append(np.median(2 * c / (1 + c)))
    return np.mean(ceilings)


@pytest.mark.parametrize("repetitions", [2, 5, 8])
def test_brain_score(repeated, repetitions):
    """One argument set gives Brain-Score's internal consistency of each region."""
    a = repeated(n=40, neuroids=9, low=repetitions, high=repetitions)
    a["region"] = ("neuroid", np.array(["V4"] * 4 + ["IT"] * 5, object))
    ceiling = json.loads(reliability(a, **BRAIN_SCORE).attrs["ceiling"])
    for region in ("V4", "IT"):
        expected = as_brain_score(a.isel(neuroid=np.flatnonzero(a["region"] == region)))
        assert ceiling[region] == pytest.approx(expected, abs=1e-12)


def test_brain_score_of_what_it_cannot_estimate(repeated, recording):
    """No repetitions: null, with the reason; NaN padding changes nothing; no interval."""
    found = reliability(recording(), **BRAIN_SCORE)
    assert json.loads(found.attrs["ceiling"]) == {"V4": None, "IT": None}
    assert json.loads(found.attrs["not_estimable"]) == {"no stimulus has two repetitions": 21}
    a = repeated(n=20, neuroids=3, low=4, high=4)
    a.values[:, 1] = 5.0
    found = reliability(a, **BRAIN_SCORE)
    assert np.isnan(found).values.tolist() == [False, True, False]
    with pytest.raises(InputError, match="no interval over stimuli"):
        reliability(a, **BRAIN_SCORE, interval=0.95)
