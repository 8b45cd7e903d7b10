"""Selection of neuroids by reliability, on other trials or marked inflated."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from neurosage.data.assembly import assembly
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.rsa.reliability.neuroids import reliability
from neurosage.rsa.reliability.selecting import select_reliable


def test_other_trials_do_not_flatter(repeated):
    """Of equal neuroids, those chosen are no better on other trials, but seem so on the same."""
    a = repeated(n=60, neuroids=300, low=8, high=8, noise=8.0)
    true_of_half = 4 / (4 + 8.0)
    # Of all trials 4/7, which is .4 of half of them.
    kept, selection = select_reliable(a, 4 / 7, method="variance")
    assert 20 < selection.kept < 280
    assert float(selection.reliability.mean()) == pytest.approx(true_of_half, abs=0.04)
    best = selection.chosen_by.values[selection.chosen_by.values >= 4 / 7]
    assert best.mean() > 8 / (8 + 8.0) + 0.08
    assert float(selection.reliability.of_all_trials.mean()) == pytest.approx(0.5, abs=0.04)
    assert not selection.inflated
    assert "inflated" not in kept.attrs


@pytest.mark.parametrize("low", [8, 4])
def test_a_threshold_means_the_same_with_either_trials(repeated, low):
    """What other trials choose by is stepped up to all, so it agrees with all trials' own."""
    a = repeated(n=300, neuroids=60, low=low, high=8, noise=4.0)
    found = {trials: select_reliable(a, 0.1, trials=trials)[1] for trials in ("other", "same")}
    means = {trials: float(each.chosen_by.mean()) for trials, each in found.items()}
    assert means["other"] == pytest.approx(means["same"], abs=0.02)
    assert found["other"].chosen_by.attrs["target"].endswith("stepped up from a part of them")
    assert "stepped up" in str(found["other"])
    assert "stepped up" not in str(found["same"])
    table = found["other"].to_frame()
    assert float(table.median_of_kept.iloc[0]) == pytest.approx(means["same"], abs=0.02)


@pytest.mark.parametrize("trials", ["other", "same"])
def test_a_teacher_stays_a_teacher(repeated, trials):
    """With its normalisation and stimuli, the mark in its id, and no card."""
    a = repeated(n=20, neuroids=8, low=4, high=4, noise=1.0)
    a.values[:, 0] = np.random.default_rng(0).normal(size=len(a))
    lost = assembly(
        np.concatenate([a.values, np.full((1, 8), np.nan)]),
        stimulus_id=[*a["stimulus_id"].values, "silent"],
        region="V4",
    )
    ids = list(dict.fromkeys(lost["stimulus_id"].values))
    images = np.zeros((len(ids), 2, 2, 3), np.uint8)
    shown = StimulusSet("s", pd.DataFrame({"stimulus_id": ids}), images)
    given = Teacher(
        "lab/one", shown, lost.assign_attrs(repetitions="4"), normalise="zscore", kind="simulated"
    )
    kept, _ = select_reliable(given, 0.3, trials=trials)
    assert isinstance(kept, Teacher)
    assert (kept.normalise, kept.kind, kept.card) == ("zscore", "simulated", None)
    assert kept.id == "lab/one-reliable"
    assert ("repetitions 4" if trials == "same" else "2 repetitions") in repr(kept)
    assert len(kept.stimuli) == (20 if trials == "other" else 21)
    assert kept.assembly is not None
    same, _ = select_reliable(given.assembly, 0.3, trials=trials)
    assert kept.assembly.identical(same)


def test_halves_share_no_trials(repeated):
    """The assembly returned holds one half of each stimulus' repetitions, of those kept."""
    a = repeated(n=40, neuroids=20, low=4, high=9, noise=1.0)
    kept, selection = select_reliable(a, 0.5, seed=1)
    shown = a["stimulus_id"].to_series().value_counts()
    left = kept["stimulus_id"].to_series().value_counts()
    assert set(shown.index) == set(left.index)
    assert ((shown - 2 * left[shown.index]).abs() <= 1).all()
    assert list(kept["neuroid_id"].values) == list(
        a["neuroid_id"].values[selection.chosen_by.values >= 0.5]
    )
    pairs = set(zip(a["stimulus_id"].values, a["repetition"].values, strict=True))
    assert set(zip(kept["stimulus_id"].values, kept["repetition"].values, strict=True)) < pairs
    rest = {tuple(row) for row in a.values.round(9)} - {
        tuple(row) for row in a.sel(presentation=_places(a, kept)).values.round(9)
    }
    assert len(rest) == len(a) - len(kept)


def _places(a, kept):
    own = list(zip(a["stimulus_id"].values, a["repetition"].values, strict=True))
    wanted = set(zip(kept["stimulus_id"].values, kept["repetition"].values, strict=True))
    return [i for i, each in enumerate(own) if each in wanted]


def test_same_trials_are_marked(repeated):
    """With the same trials all are returned, and the mark stays on what is computed from them."""
    a = repeated(n=40, neuroids=20, low=4, high=4, noise=4.0)
    kept, selection = select_reliable(a, 0.4, trials="same", seed=3)
    assert selection.inflated
    assert len(kept) == len(a)
    assert (selection.reliability >= 0.4).all()
    assert reliability(kept).attrs["inflated"] == kept.attrs["inflated"]
    how = json.loads(kept.attrs["selected"])
    assert how == {
        "threshold": 0.4,
        "method": "split-half",
        "trials": "same",
        "seed": 3,
        "kept": selection.kept,
        "neuroids": 20,
    }


def test_counts_of_each_region(repeated):
    """Kept, below the threshold and not estimable add up, region by region."""
    a = repeated(n=60, neuroids=6, low=6, high=6, noise=1.0)
    a["region"] = ("neuroid", np.array(["V4", "V4", "V4", "IT", "IT", "IT"], object))
    a.values[:, 1] = 5.0
    a.values[:, 4] = np.random.default_rng(0).normal(size=len(a))
    table = select_reliable(a, 0.5)[1].to_frame()
    assert table[["neuroids", "kept", "below", "not_estimable"]].values.tolist() == [
        [3, 2, 0, 1],
        [3, 2, 1, 0],
    ]
    assert "4 of 6 neuroids" in str(select_reliable(a, 0.5)[1])


def test_stimuli_shown_once_stay(repeated):
    """A stimulus shown once chooses nothing and stays; rows of NaN are no repetitions."""
    a = repeated(n=20, neuroids=4, low=6, high=6, noise=0.5)
    more = assembly(
        np.concatenate([a.values, np.ones((1, 4)), np.full((2, 4), np.nan)]),
        stimulus_id=[*a["stimulus_id"].values, "once", "img0", "img1"],
        region="V4",
    )
    kept, _ = select_reliable(more, 0.2)
    shown = kept["stimulus_id"].to_series().value_counts()
    assert shown["once"] == 1
    assert (shown.drop("once") == 3).all()


def test_stimuli_with_fewer_than_four_repetitions_choose_nothing(repeated):
    """They stay whole in what is returned; both sides say what they rest on."""
    a = repeated(n=60, neuroids=20, low=2, high=6, noise=1.0)
    shown = a["stimulus_id"].to_series().value_counts()
    kept, selection = select_reliable(a, 0.3, seed=2)
    left = kept["stimulus_id"].to_series().value_counts()
    few = shown.index[shown < 4]
    assert (left[few] == shown[few]).all()
    enough = shown.index[shown >= 4]
    assert ((shown - 2 * left)[enough].abs() <= 1).all()
    chose = selection.rests_on.loc["chosen_by"]
    assert (chose.stimuli, chose.stimuli_left_out) == (len(enough), len(few))
    assert chose.presentations == len(a) - len(kept)
    rest = selection.rests_on.loc["reliability"]
    assert (rest.stimuli, rest.presentations) == (60, len(kept))
    assert f"of {len(enough)} stimuli ({len(few)} left out)" in str(selection)


def test_what_is_true_of_all_repetitions_is_not_said_of_some():
    """A simulated recording's true reliability stays with all its repetitions only."""
    import neurosage as ns

    a = ns.load_teacher("simulated-macaque").assembly
    assert "true_reliability" not in select_reliable(a, 0.3, method="variance")[0].coords
    same = select_reliable(a, 0.3, method="variance", trials="same")[0]
    assert "true_reliability" in same.coords


def test_refusals(repeated, recording):
    """Too few repetitions, thresholds nobody reaches and unknown choices are named."""
    for high in (1, 2, 3):
        source = repeated(n=20, neuroids=3, low=1, high=high) if high > 1 else recording()
        with pytest.raises(InputError, match="4 repetitions of at least 3 stimuli"):
            select_reliable(source, 0.5)
    with pytest.raises(InputError, match="takes 2 repetitions"):
        select_reliable(recording(), 0.5, trials="same")
    a = repeated(n=20, neuroids=3, low=4, high=4, noise=9.0)
    with pytest.raises(InputError, match=r"no neuroid reaches a reliability of 0.999; the highest"):
        select_reliable(a, 0.999)
    with pytest.raises(InputError, match="at most 1, not 80"):
        select_reliable(a, 80)
    with pytest.raises(InputError, match="unknown method of reliability to select by"):
        select_reliable(a, 0.5, method="internal-consistency")
    with pytest.raises(InputError, match=r"splits must be a whole number"):
        select_reliable(a, 0.5, splits=2.5)
    with pytest.raises(InputError, match="unknown choice of trials 'others'"):
        select_reliable(a, 0.5, trials="others")
