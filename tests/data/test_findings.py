"""Each rule finds what it is for, names it, and is silent about sound data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.data.finding import Finding, by_severity, listed
from neurosage.data.findings import find, response_findings
from neurosage.data.registry import load_teacher
from neurosage.data.response_facts import gather
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError

STIMULI, NEUROIDS, REPETITIONS = 120, 24, 4


def recorded(repetitions=REPETITIONS, unit="spikes / 100 ms", rate=3.0, seed=0, **more):
    """Poisson counts of tuned neuroids of two regions."""
    rng = np.random.default_rng(seed)
    rates = rate * rng.gamma(3.0, 1 / 3, (STIMULI, NEUROIDS))
    values = rng.poisson(np.repeat(rates, repetitions, axis=0)).astype(float)
    ids = np.repeat([f"s{k:03}" for k in range(STIMULI)], repetitions)
    made = assembly(
        values,
        stimulus_id=ids,
        region=["V4"] * 12 + ["IT"] * 12,
        subject=("neuroid", ["M1"] * NEUROIDS),
        **more,
    )
    return made.assign_attrs(unit=unit) if unit else made


def shown(ids, seed=0, **more):
    """A stimulus set of random images of those ids."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (len(ids), 6, 6, 3), dtype=np.uint8)
    table = pd.DataFrame({"stimulus_id": list(ids)})
    return StimulusSet("set", table, more.pop("images", images), **{"degrees": 8.0, **more})


def rules(findings, *severities):
    wanted = severities or ("error", "warning", "note")
    return {finding.rule for finding in findings if finding.severity in wanted}


def only(findings, rule):
    (found,) = [finding for finding in findings if finding.rule == rule]
    assert all((found.place, found.message[-1] in ".?", found.remedy[-1] in ".?"))
    return found


def changed(make, **kinds):
    """Findings in a recording whose values were changed in place."""
    responses = recorded(**kinds)
    values = responses.values.copy()
    make(values)
    return response_findings(responses.copy(data=values), normalise="zscore")


# ---- sound data --------------------------------------------------------------------------


def test_sound_recordings_are_left_in_peace():
    """Single trials with everything said: no finding at all."""
    responses = recorded()
    teacher = Teacher("t", shown(pd.unique(responses.stimulus_id.values)), responses,
                      normalise="zscore")  # fmt: skip
    assert find(teacher) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "kinds",
    [
        {"repetitions": 1},
        {"repetitions": 10, "rate": 0.4},
        {"unit": None},
        {"unit": "spikes/s", "rate": 20.0},
        {"repetitions": 3, "rate": 0.1},
    ],
    ids=str,
)
def test_sound_recordings_of_all_sorts(kinds, seed):
    """Averages, low rates, other units: notes at most."""
    found = response_findings(recorded(**kinds, seed=seed), normalise="zscore")
    assert rules(found, "error", "warning") == set()


@pytest.mark.parametrize("seed", range(3))
def test_sound_voxels_and_networks(seed):
    """Signed responses, few neuroids that correlate, rectified units: notes at most."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(200, 3))
    values = common @ rng.normal(size=(3, 40)) + 0.3 * rng.normal(size=(200, 40))
    ids = [f"s{k}" for k in range(200)]
    voxels = assembly(values, stimulus_id=ids, region="IT")
    assert rules(response_findings(voxels), "error", "warning") == set()
    relu = assembly(np.maximum(values, 0), stimulus_id=ids, region="layer1")
    assert response_findings(relu, kind="network") == []


def test_simulated_teacher_is_sound():
    """The package's own teacher passes every rule."""
    assert find(load_teacher("simulated-macaque")) == []


@pytest.mark.realdata
@pytest.mark.parametrize("part", ["190923", "201025", "210322", "210325"])
def test_real_recordings_are_sound(mirror, part):
    """Published sessions give notes at most."""
    found = find(load_teacher(f"macaque-v4/{part}"))
    assert rules(found, "error", "warning") == set()
    assert "degrees" in rules(found, "note")


@pytest.mark.realdata
def test_real_images_shown_under_two_ids(mirror):
    """Session 210621 shows two of its images twice, under ids of their own."""
    found = only(find(load_teacher("macaque-v4/210621")), "image-twice")
    assert found.severity == "warning"
    assert "210621/image0101 = 210621/image0536" in found.place


# ---- neuroids ----------------------------------------------------------------------------


def test_dead_and_constant_neuroids():
    """They are told apart and named; where z-scoring is asked for they are errors."""

    def make(values):
        values[:, 3] = 0
        values[:, 15] = 7

    found = changed(make)
    dead, flat = only(found, "dead-neuroid"), only(found, "constant-neuroid")
    assert (dead.place, flat.place) == ("neuroid V4.3", "neuroid IT.3")
    assert {dead.severity, flat.severity} == {"error"}
    responses = recorded()
    responses[:, 3] = 0
    assert only(response_findings(responses), "dead-neuroid").severity == "warning"


def test_sparse_neuroids():
    """A neuroid with a handful of spikes is told apart from a dead one."""

    def make(values):
        values[:, 5] = 0
        values[[7, 99], 5] = 1

    found = changed(make)
    assert only(found, "sparse-neuroid").place == "neuroid V4.5"
    assert "dead-neuroid" not in rules(found)


def test_infinite_responses():
    """They are errors."""

    def make(values):
        values[0, 2] = np.inf

    found = only(changed(make), "infinite")
    assert (found.severity, found.place) == ("error", "neuroid V4.2")


def test_neuroids_recorded_twice():
    """A scaled and shifted copy is found; one of a region is a warning, many are an error."""
    responses = recorded(repetitions=1, unit=None, rate=300.0)
    values = responses.values.copy()
    values[:, 4] = 2 * values[:, 1] + 5
    found = only(response_findings(responses.copy(data=values)), "neuroid-twice")
    assert (found.severity, found.place) == ("warning", "pair V4.1 = V4.4")
    values[:, 6:9] = values[:, 9:12]
    many = only(response_findings(responses.copy(data=values)), "neuroid-twice")
    assert many.severity == "error"
    assert many.place.startswith("4 pairs")


@pytest.mark.parametrize("rate", [0.2, 3.0])
def test_copies_of_slow_neuroids(rate):
    """A copy is found among small counts too, where few values are different."""

    def make(values):
        values[:, 4] = values[:, 1]

    assert only(changed(make, rate=rate), "neuroid-twice").place == "pair V4.1 = V4.4"
    assert "neuroid-twice" not in rules(changed(lambda values: None, rate=rate))


def test_neuroids_with_a_shared_spike_are_no_copies():
    """Two neuroids that fired once, at the same stimulus, correlate at 1 by chance."""

    def make(values):
        values[:, [5, 6]] = 0
        values[7, [5, 6]] = 3

    assert "neuroid-twice" not in rules(changed(make))


def test_saturated_neuroids():
    """Values that pile up at the top are found, in graded signals only."""

    def make(values):
        values[:, 2] = np.minimum(values[:, 2], np.quantile(values[:, 2], 0.9))

    found = only(changed(make, rate=100.0), "saturated-neuroid")
    assert (found.severity, found.place) == ("warning", "neuroid V4.2")


def test_drift_over_repetitions():
    """A gain that falls with the repetition is found; in few neuroids it is a note."""

    def make(values, columns=slice(2, 4)):
        values[:, columns] += 6.0 * np.tile(np.arange(REPETITIONS), STIMULI)[:, None]

    assert only(changed(make), "drift").severity == "note"
    assert only(changed(lambda v: make(v, slice(0, 8))), "drift").severity == "warning"


@pytest.mark.parametrize(("number", "severity"), [(1, "error"), (2, "error"), (6, "warning")])
def test_few_sites(number, severity):
    """A region of one or two neuroids has no correlation distance; of a few, a poor one."""
    found = only(response_findings(recorded().isel(neuroid=slice(12 - number, 24))), "few-sites")
    assert (found.severity, found.place) == (severity, "region V4")


def test_flat_patterns():
    """A stimulus to which a region gave one response throughout has no distance, if raw."""
    responses = recorded(repetitions=1)
    responses[5, :12] = 2.0
    found = only(response_findings(responses), "flat-pattern")
    assert found.place == "region V4, stimulus s005"
    assert "flat-pattern" not in rules(response_findings(responses, normalise="zscore"))


def test_names_of_regions():
    """Regions without a name are errors; names that differ in capitals are doubted."""
    responses = recorded()
    regions = np.array(["V4"] * 12 + ["v4 "] * 11 + [""], object)
    found = response_findings(responses.assign_coords(region=("neuroid", regions)))
    assert only(found, "no-region").severity == "error"
    assert only(found, "regions-alike").severity == "warning"


# ---- units -------------------------------------------------------------------------------


def test_negative_rates():
    """Counts below 0 are doubted, unless the unit says what was done."""

    def make(values):
        values -= 1.5

    assert only(changed(make), "negative-rate").severity == "warning"
    said = changed(make, unit="spikes / 100 ms above baseline")
    assert "negative-rate" not in rules(said)


@pytest.mark.parametrize(
    ("unit", "rate", "rule"),
    [("spikes / 100 ms", 90.0, "too-fast"), ("Hz", 0.001, "too-slow"), ("Hz", 90.0, None)],
)
def test_magnitudes_fit_their_unit(unit, rate, rule):
    """90 spikes in 100 ms are too many, 90 spikes/s are not."""
    responses = recorded(unit=unit, rate=90.0)
    found = response_findings(responses * (rate / 90.0) if rate < 90 else responses)
    scaled = response_findings((responses * (rate / 90.0)).assign_attrs(unit=unit))
    assert (rules(found) | rules(scaled)) & {"too-fast", "too-slow"} == ({rule} - {None})


def test_fractional_counts():
    """Single trials that should be counts, but are not whole, are noted."""
    assert only(changed(lambda v: v.__imul__(0.37)), "fractional-count").severity == "note"


def test_raw_rates_need_normalising():
    """Neuroids of different mean rate, not normalised, are a warning with the reason."""
    responses = recorded(unit="Hz") * np.random.default_rng(1).lognormal(0, 1, NEUROIDS)
    responses = responses.assign_attrs(unit="Hz")
    found = only(response_findings(responses), "raw-rates")
    assert (found.severity, found.place) == ("warning", "2 regions: V4, IT")
    assert 'normalise = "zscore"' in found.remedy
    assert "raw-rates" not in rules(response_findings(responses, normalise="zscore"))
    assert "raw-rates" not in rules(response_findings(responses, kind="network"))


# ---- presentations -----------------------------------------------------------------------


def test_missing_responses():
    """What is missing altogether is an error; in part, the cheaper policy is named."""

    def rows(*numbers):
        return np.concatenate([np.arange(REPETITIONS * n, REPETITIONS * (n + 1)) for n in numbers])

    def silent(values):
        values[rows(3)] = np.nan

    def never(values):
        values[:, 20] = np.nan

    def one_neuroid(values):
        values[np.ix_(rows(*range(60)), [20])] = np.nan

    def one_stimulus(values):
        values[np.ix_(rows(3), range(12))] = np.nan

    assert only(changed(silent), "stimulus-without-responses").place == "stimulus s003"
    assert only(changed(never), "neuroid-without-responses").place == "neuroid IT.8"
    found = only(changed(one_neuroid), "missing-responses")
    assert (found.severity, "drop-neuroid" in found.remedy) == ("warning", True)
    assert "drop-stimulus" in only(changed(one_stimulus), "missing-responses").remedy


def test_sessions_without_common_stimuli():
    """Where no neuroid answered all and no stimulus was answered by all, nothing helps."""

    def make(values):
        values[: len(values) // 2, :12] = np.nan
        values[len(values) // 2 :, 12:] = np.nan

    assert only(changed(make), "missing-responses").severity == "error"


def test_missing_trials():
    """Single trials that are missing are a note."""

    def make(values):
        values[::4, 3] = np.nan

    found = changed(make)
    assert only(found, "missing-trials").severity == "note"
    assert rules(found, "error", "warning") == set()


def ragged(counts):
    responses = recorded(repetitions=max(counts))
    kept = responses["repetition"].values < np.resize(counts, STIMULI).repeat(max(counts))
    return rules_by_severity(response_findings(responses[kept], normalise="zscore"))


def rules_by_severity(findings):
    return {finding.rule: finding.severity for finding in findings}


def test_repetitions():
    """Ragged is normal, very ragged is not; stimuli shown once are counted."""
    assert ragged([5, 6]) == {"ragged-repetitions": "note"}
    assert ragged([2, 8])["ragged-repetitions"] == "warning"
    assert ragged([1] + [4] * 19) == {"shown-once": "note"}
    assert ragged([1, 4])["shown-once"] == "warning"
    assert ragged([2]) == {"two-repetitions": "note"}
    assert ragged([1]) == {"no-repetitions": "note"}


def test_repetitions_numbered_twice():
    """Two presentations with one number are found."""
    responses = recorded()
    number = responses["repetition"].values.copy()
    number[1] = 0
    found = response_findings(responses.assign_coords(repetition=("presentation", number)))
    assert only(found, "repetition-twice").place == "stimulus s000"


def test_copied_trials_and_responses():
    """A trial copied, or one stimulus' response given to another, is an error."""

    def trial(values):
        values[5] = values[4]

    def response(values):
        values[9] = values[100]

    assert only(changed(trial), "copied-trial").place == "stimulus s001"
    assert only(changed(response), "copied-response").severity == "error"


def test_equal_responses_by_chance():
    """A handful of neuroids with small counts give equal responses without being copies."""
    found = response_findings(recorded(rate=1.5)[:, 8:14])
    assert not {"copied-trial", "copied-response"} & rules(found)


def timed(edges):
    rng = np.random.default_rng(0)
    values = rng.poisson(5.0, (60, 12, len(edges))).astype(float)
    start, end = zip(*edges, strict=True)
    made = assembly(
        values,
        ("presentation", "neuroid", "time_bin"),
        stimulus_id=[f"s{k}" for k in range(60)],
        region="V4",
        time_bin_start=start,
        time_bin_end=end,
    )
    return rules(response_findings(made, normalise="zscore"), "error", "warning")


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ([(0, 50), (50, 100)], set()),
        ([(-50, 0), (0, 50)], set()),
        ([(0, 60), (50, 100)], {"time-bins-overlap"}),
        ([(50, 100), (0, 50)], {"time-bins-order"}),
        ([(0, 50), (100, 100)], {"time-bin"}),
        ([(0, 0.05), (0.05, 0.1)], {"time-in-seconds"}),
    ],
    ids=str,
)
def test_time_bins(edges, expected):
    """Bins that overlap, are out of order, empty, or in seconds are found."""
    assert timed(edges) == expected


@pytest.mark.parametrize(("number", "severity"), [(2, "error"), (15, "warning"), (60, "note")])
def test_few_stimuli(number, severity):
    """The fewer, the worse."""
    found = response_findings(recorded(repetitions=1)[:number])
    assert only(found, "few-stimuli").severity == severity


def test_subjects():
    """A missing subject and pooled subjects are notes."""
    responses = recorded()
    found = response_findings(responses.drop_vars("subject"), normalise="zscore")
    assert rules_by_severity(found) == {"subject": "note"}
    two = responses.assign_coords(subject=("neuroid", ["M1", "M2"] * 12))
    assert only(response_findings(two), "subjects-pooled").place == "2 regions: V4 (2), IT (2)"


def test_facts_do_not_depend_on_the_size_of_blocks(monkeypatch):
    """The same is gathered whether one neuroid is read at a time or all."""
    responses = recorded()
    responses[7, 3] = np.nan
    whole = gather(responses)
    monkeypatch.setattr("neurosage.data.response_facts.BLOCK_BYTES", 1)
    single = gather(responses)
    pd.testing.assert_frame_equal(whole.neuroids, single.neuroids)
    np.testing.assert_array_equal(whole.fewest, single.fewest)
    np.testing.assert_array_equal(whole.active, single.active)
    np.testing.assert_allclose(whole.sketch, single.sketch)
    assert whole.log_chance == pytest.approx(single.log_chance)


# ---- stimuli -----------------------------------------------------------------------------


class Broken:
    """A source whose second image cannot be read."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, i):
        if i == 1:
            raise OSError("the disk is gone")
        return self.images[i]


def stimulus_rules(images, ids=None):
    names = ids or [f"s{k}" for k in range(len(images))]
    values = np.arange(len(names) * 12.0).reshape(len(names), 12) % 7
    teacher = Teacher("t", shown(names, images=images),
                      assembly(values, stimulus_id=names, region="V4"))  # fmt: skip
    wanted = ("image-unreadable", "image-twice", "image-blank", "image-sizes", "ids-alike")
    return {finding.rule: finding for finding in find(teacher) if finding.rule in wanted}


def test_images():
    """Unreadable, equal, blank and unequal images are found and named."""
    images = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 3), dtype=np.uint8)
    assert stimulus_rules(images) == {}
    found = stimulus_rules(Broken(images))["image-unreadable"]
    assert (found.severity, found.place) == ("error", "stimulus s1")
    assert "the disk is gone" in found.message
    twice = images.copy()
    twice[4], twice[5:7] = twice[2], 128
    found = stimulus_rules(twice)
    assert found["image-twice"].place == "2 groups: s2 = s4, s5 = s6"
    assert found["image-blank"].place == "2 stimuli: s5, s6"


class Uneven(Broken):
    """A source whose images differ in size."""

    def __getitem__(self, i):
        return self.images[i][: 6 - i % 2, : 6 - i % 2]


def test_sizes_and_ids():
    """Images of several sizes are a note; ids that differ in capitals a warning."""
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)
    found = stimulus_rules(Uneven(images), ["a", "b", "c", "C"])
    assert found["image-sizes"].severity == "note"
    assert "6×6 (2)" in found["image-sizes"].place
    assert found["ids-alike"].place == "2 stimuli: c, C"


# ---- RDMs --------------------------------------------------------------------------------


def rdm_teacher(make=lambda square: None, subjects=0, distance="correlation"):
    rng = np.random.default_rng(0)
    squares = []
    for _ in range(max(subjects, 1)):
        square = 1 - np.corrcoef(rng.normal(size=(30, 50)))
        square = (square + square.T) / 2
        np.fill_diagonal(square, 0)
        make(square)
        squares.append(square[None])
    ids = [f"s{k}" for k in range(30)]
    values = np.array(squares) if subjects else squares[0]
    dims = (*(["subject"] if subjects else []), "region", "stimulus_i", "stimulus_j")
    coords = {"region": ("region", ["IT"]), "stimulus_id_i": ("stimulus_i", ids),
              "stimulus_id_j": ("stimulus_j", ids)}  # fmt: skip
    if subjects:
        coords["subject"] = ("subject", [f"M{k}" for k in range(subjects)])
    rdms = xr.DataArray(values, dims=dims, coords=coords, attrs={"distance": distance})
    return Teacher("t", shown(ids), None, rdms, kind="rdm")


def test_sound_rdms():
    """One RDM has no ceiling, which is a note; those of several subjects give none."""
    assert rules_by_severity(find(rdm_teacher())) == {"no-repetitions": "note"}
    assert find(rdm_teacher(subjects=3)) == []


def set_pair(value, both=True):
    def make(square):
        square[2, 5] = value
        if both:
            square[5, 2] = value

    return make


@pytest.mark.parametrize(
    ("make", "rule", "severity"),
    [
        (set_pair(0.3, both=False), "rdm-asymmetric", "error"),
        (set_pair(np.nan), "rdm-missing", "error"),
        (set_pair(np.inf), "rdm-missing", "error"),
        (set_pair(0.0), "rdm-zero", "warning"),
        (set_pair(-0.1), "rdm-negative", "warning"),
        (set_pair(2.5), "rdm-range", "warning"),
        (lambda s: np.fill_diagonal(s, 0.5), "rdm-diagonal", "warning"),
        (lambda s: np.copyto(s, 1 - s), "rdm-diagonal", "error"),
        (lambda s: np.copyto(s, 1.0 - np.eye(len(s))), "rdm-constant", "error"),
    ],
)
def test_rdms(make, rule, severity):
    """What an RDM cannot be is found, and the pair named."""
    found = only(find(rdm_teacher(make)), rule)
    assert found.severity == severity
    assert "region IT" in found.place
    if make.__qualname__.startswith("set_pair") and rule != "rdm-range":
        assert "s2 – s5" in found.place


def test_unbiased_distances_may_be_negative():
    """Crossnobis is not doubted for it."""
    assert "rdm-negative" not in rules(find(rdm_teacher(set_pair(-0.1), distance="crossnobis")))


# ---- findings ----------------------------------------------------------------------------


def test_findings_are_sorted_and_sane():
    """Errors first; an unknown severity is refused; places name the first few."""
    found = [Finding("r", severity, "p", "m", "s") for severity in ("note", "error", "warning")]
    assert [f.severity for f in by_severity(found)] == ["error", "warning", "note"]
    assert listed("neuroids", list("abcdef")) == "6 neuroids: a, b, c, d, …"
    with pytest.raises(InputError, match="severity 'fatal'"):
        Finding("r", "fatal", "p", "m", "s")
