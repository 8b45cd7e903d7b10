"""A check says what is found and measured, and why what is missing is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurosage.data.assembly import assembly
from neurosage.data.stimuli import StimulusSet
from neurosage.data.teacher import Teacher
from neurosage.errors import InputError
from neurosage.report import rdm_plots
from neurosage.report import recording_plots as plots
from neurosage.report.check import Check, check
from neurosage.report.check_page import category_of
from neurosage.report.measures import short

N = 24


def stimuli(**columns):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"stimulus_id": [f"s{k}" for k in range(N)], **columns})
    return StimulusSet("set", table, rng.integers(0, 256, (N, 6, 6, 3), dtype=np.uint8), 8.0)


def teacher(repetitions=4, dead=False, regions=("V4", "<IT>"), **columns):
    """Two regions of ten tuned neuroids."""
    rng = np.random.default_rng(1)
    rates = 20 * rng.gamma(3.0, 1 / 3, (N, 20))
    values = rng.poisson(np.repeat(rates, repetitions, axis=0)).astype(float)
    values[:, 3] *= not dead
    made = assembly(
        values,
        stimulus_id=np.repeat([f"s{k}" for k in range(N)], repetitions),
        region=np.repeat(regions, 10),
    )
    return Teacher("lab", stimuli(**columns), made, normalise="zscore")


def of_rdms(subjects=0):
    rng = np.random.default_rng(0)
    square = rng.random((max(subjects, 1), 1, N, N))
    square = (square + square.swapaxes(2, 3)) * (1 - np.eye(N))
    ids = [f"s{k}" for k in range(N)]
    coords = {"region": ("region", ["IT"]), "stimulus_id_i": ("stimulus_i", ids),
              "stimulus_id_j": ("stimulus_j", ids)}  # fmt: skip
    dims = ("subject", "region", "stimulus_i", "stimulus_j")
    coords |= {"subject": ("subject", [f"M{k}" for k in range(subjects)])} if subjects else {}
    made = xr.DataArray(square if subjects else square[0], dims=dims[0 if subjects else 1 :],
                        coords=coords)  # fmt: skip
    return Teacher("lab", stimuli(), None, made, kind="rdm")


def test_a_sound_teacher():
    """Every number is there; the ceiling is the root of the reliability."""
    checked = check(teacher())
    assert checked.ok
    assert checked.page is None
    table = checked.regions.set_index("region")
    assert list(table.index) == ["V4", "<IT>"]
    assert (table["lowest"] <= table["reliability"]).all()
    assert (table["rdm_trials"] > 0.5).all()
    np.testing.assert_allclose(table["ceiling_trials"], np.sqrt(table["rdm_trials"]))
    assert "no error" in repr(checked)
    assert "&lt;IT&gt;" in checked._repr_html_()


def test_an_unsound_teacher():
    """An error makes it not ok; what can still be measured is, the rest has a reason."""
    checked = check(teacher(dead=True))
    assert not checked.ok
    assert checked.to_frame().loc[0, "severity"] == "error"
    assert checked.regions["reliability"].notna().all()
    assert checked.regions["estimable"].tolist() == [9, 10]
    assert "constant" in checked.measures.reasons["RDM reliability, sites"]
    assert "1 neuroid" in checked.measures.reasons["reliability of neuroids, some"]


def test_averages_have_reliability_over_sites_only():
    """Without repetitions, trials are not estimable, which is said and not shown as 0."""
    checked = check(teacher(repetitions=1))
    assert checked.regions["rdm_sites"].notna().all()
    assert checked.regions["rdm_trials"].isna().all()
    assert "RDM reliability, trials" in checked.measures.reasons
    assert "reliability of neuroids" in checked.measures.reasons
    assert "RDM, trials" not in checked.measures.shown()


def test_rdms_alone():
    """Subjects have a ceiling; one RDM has none."""
    several = check(of_rdms(subjects=4))
    lower, upper = several.regions.loc[0, ["ceiling_subjects_lower", "ceiling_subjects_upper"]]
    assert lower < upper
    one = check(of_rdms())
    assert "noise ceiling, subjects" in one.measures.reasons
    assert one.ok


@pytest.mark.parametrize("made", [teacher, lambda: teacher(1), of_rdms, lambda: of_rdms(3)])
def test_pages(made, tmp_path):
    """Every kind of teacher has a page, and names in it are no markup."""
    checked = check(made(), tmp_path / "new")
    text = checked.page.read_text(encoding="utf-8")
    assert "<IT>" not in text
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["check.html"]
    assert text.count("<figure>") == text.count("data:image/svg+xml") >= 1


def test_names_are_no_formulas(tmp_path):
    """Regions and categories may hold $, begin with _, or be markup."""
    labels = ["$c{0$", "_b", r"a$\frac$", "x^2$"]
    odd = teacher(regions=(r"$\frac$", "_V4"), category=[labels[k % 4] for k in range(N)])
    checked = check(odd, tmp_path)
    assert checked.page.read_text(encoding="utf-8").count("<figure>") == 4
    figure = plots.plot_curves(checked.measures.curves)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [r"$\frac$", "_V4"]


def test_a_page_of_what_does_not_load(tmp_path):
    """Its findings are there, and no picture."""
    (tmp_path / "lab").mkdir()
    checked = check(tmp_path / "lab", tmp_path / "out")
    assert checked.teacher is None
    assert "no card.toml" in checked.page.read_text(encoding="utf-8")


def test_a_wrong_place_is_refused_before_the_work(tmp_path):
    """A file is no folder."""
    (tmp_path / "file").write_text("")
    (tmp_path / "out" / "check.html").mkdir(parents=True)
    for out in (tmp_path / "file", tmp_path / "file" / "x", tmp_path / "out", f"{tmp_path}/a\0b"):
        with pytest.raises(InputError, match="cannot"):
            check(teacher(), out)


def test_a_place_that_cannot_be_written_to(tmp_path, monkeypatch):
    """It is refused before the work, too."""
    monkeypatch.setattr("neurosage.report.check.os.access", lambda *_: False)
    with pytest.raises(InputError, match="cannot be written to"):
        check("none", tmp_path)


def test_progress_is_reported():
    """Every step begins and ends."""
    seen = []
    check(teacher(), progress=lambda what, done, total: seen.append((what, done == total)))
    steps = dict.fromkeys(what for what, _ in seen)
    assert len(steps) >= 5
    assert all((step, True) in seen for step in steps)


def test_category():
    """A column of categories is found; ids, files and numbers of their own are none."""
    names = ["face", "hand", "house"] * 8
    files = [f"{k}.png" for k in range(N)]
    assert category_of(teacher(file=files)) is None
    assert category_of(teacher(file=files, kind=names)) == "kind"
    assert category_of(teacher(kind=names, label=[k % 4 for k in range(N)])) == "label"


def test_ranges_and_intervals_are_written_apart():
    """Round brackets from lowest to highest, square ones for intervals; ceilings have theirs."""
    shown = check(teacher()).measures.shown()
    number = r"-?\d?\.\d\d"
    assert shown["reliability"].str.fullmatch(rf"{number} \({number} to {number}\)").all()
    interval = rf"{number} \[{number}, {number}\]"
    for column in ("RDM, trials", "RDM, sites", "ceiling, trials", "ceiling, sites"):
        assert shown[column].str.fullmatch(f"{interval}|–").all()
    subjects = check(of_rdms(4)).measures.shown()["ceiling, subjects"]
    assert subjects.str.fullmatch(f"lower {interval}; upper {interval}").all()


def test_subjects_are_drawn_beside_their_mean(tmp_path):
    """A large panel a region, a small one a subject; the page says how alike they are."""
    made = of_rdms(3)
    figure = rdm_plots.plot_rdms(made.stored_rdms)
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles[:4] == ["IT, mean of 3 subjects", "M0", "M1", "M2"]
    widths = [axis.get_position().width for axis in figure.axes[:2]]
    assert widths[0] > 1.5 * widths[1]
    text = check(made, tmp_path).page.read_text(encoding="utf-8")
    assert "IT: lower " in text
    assert "as the teacher has them" in text


def test_a_page_shows_some_images_with_their_ids(tmp_path):
    """Eight of them, the first and the last among them; the verdict is in plain words."""
    text = check(teacher(), tmp_path).page.read_text(encoding="utf-8")
    assert text.count("data:image/png") == 8
    assert all(f"{k + 1}: s{k}" in text for k in (0, 1, 2, 3, N - 1))
    assert Check("lab", None, ()).verdict == "no fault found"


def test_numbers_are_short():
    """Two digits, no zero before the point."""
    assert [short(v) for v in (0.5, -0.25, 0.999, 1.0, -1.0)] == [
        ".50",
        "-.25",
        "1.00",
        "1.00",
        "-1.00",
    ]


# ---- pictures ----------------------------------------------------------------------------


def test_histogram_has_a_panel_per_region():
    """All neuroids are drawn; NaN is left out, and a region of NaN says so."""
    values = xr.DataArray([0.5, 0.7, np.nan, np.nan], dims="neuroid",
                          coords={"region": ("neuroid", ["V4", "V4", "V4", "IT"])})  # fmt: skip
    v4, it = plots.plot_reliabilities(values).axes
    assert sum(patch.get_height() for patch in v4.patches) == 2
    assert "median .60" in v4.get_title(loc="left")
    assert "none estimable" in it.get_title(loc="left")


def test_rdms_are_sorted_by_label():
    """Stimuli of one category stand together, in every region alike; blocks are named."""
    labels = ["b", "a", "b", "a"]
    near = np.array([[x != y for y in labels] for x in labels], float) * (1 - np.eye(4))
    rdms = xr.DataArray([near + 0.1 * k for k in range(2)],
                        dims=("region", "stimulus_i", "stimulus_j"),
                        coords={"region": ["V4", "IT"]})  # fmt: skip
    first = rdm_plots.plot_rdms(rdms, labels).axes[0]
    shown = first.images[0].get_array()
    assert shown[0, 1] < shown[0, 2]
    assert [t.get_text() for t in first.get_yticklabels()] == ["a", "b"]
    assert [t.get_text() for t in rdm_plots.plot_rdms(rdms).axes[0].get_yticklabels()] == []


def test_large_rdms_are_averaged_in_blocks(monkeypatch):
    """Blocks of pairs are shown, self-pairs left out, and ticks still count stimuli."""
    monkeypatch.setattr(rdm_plots, "CELLS", 2)
    near = np.ones((5, 5)) - np.eye(5)
    near[:3, 3:] = near[3:, :3] = 3
    rdms = xr.DataArray(near[None], dims=("region", "stimulus_i", "stimulus_j"),
                        coords={"region": ["V4"]})  # fmt: skip
    axis = rdm_plots.plot_rdms(rdms, list("aaabb")).axes[0]
    shown = axis.images[0].get_array()
    np.testing.assert_allclose(shown, [[0.25, 1.0], [1.0, 0.25]])
    assert list(axis.get_xticks()) == [1.0, 3.5]
    assert axis.get_xlim() == (-0.5, 4.5)


def test_curves_show_what_was_measured_and_what_was_not():
    """A panel a curve, a series a region; measured, foretold, and all that was recorded."""
    both = ("region", "size")
    curve = xr.Dataset(
        {
            "measured": (both, [[0.2, 0.4, np.nan, np.nan]] * 2),
            "predicted": (both, [[0.25, 0.4, 0.6, np.nan]] * 2),
            "extrapolated": (both, [[np.nan, np.nan, 0.6, 0.8]] * 2),
        },
        coords={"region": ["V4", "IT"], "size": [1, 2, 4, 8]},
    )
    figure = plots.plot_curves({("sites", "rdm"): curve, ("repetitions", "neuroids"): curve})
    first, second = figure.axes
    assert first.get_xlabel() == "number of sites"
    assert second.get_title(loc="left") == "median neuroid, by repetitions"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["V4", "IT"]
    recorded = [line for line in first.lines if len(line.get_xdata()) == 1]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in recorded] == [(4, 0.6)] * 2


def test_what_is_not_estimable_is_written():
    """A row without a number says so."""
    found = xr.Dataset(
        {
            key: ("region", [v, np.nan])
            for key, v in (("reliability", 0.8), ("low", 0.7), ("high", 0.9))
        },
        coords={"region": ["V4", "IT"]},
    )
    (axis,) = plots.plot_rdm_reliability({"trials": found}).axes
    assert [text.get_text() for text in axis.texts] == ["not estimable"]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["IT, trials", "V4, trials"]


def test_check_is_frozen():
    """What was found is not changed afterwards."""
    checked = Check("lab", None, ())
    with pytest.raises(AttributeError):
        checked.id = "other"
