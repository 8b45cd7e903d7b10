"""The demonstration does the whole way, goes on where it stopped, and says what came out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from neurosage.data.registry import load_teacher
from neurosage.demo import OUTCOME, Demo, run_demo
from neurosage.errors import InputError
from neurosage.nas.reevaluate import reevaluate
from neurosage.report.demo_page import best_rdms, verdict
from neurosage.report.run_sections import write_report
from neurosage.rsa.rdm import rdms

SMALL = ("search.candidates=5", "training.steps=2", "space.options.filters=[4]")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """The demonstration, with five candidates and four steps to maturity."""
    return run_demo(tmp_path_factory.mktemp("demo"), settings=SMALL, mature_steps=4)


def test_the_page_says_what_was_measured(small: Demo) -> None:
    """The page is one file, and holds the verdict on the numbers that the run holds."""
    text = small.page.read_text(encoding="utf-8")
    assert "The teacher is simulated" in text
    assert verdict(small.predictivity).split(".")[0] in text
    assert "http" not in text.replace("http://www.w3.org", "")
    assert text.count("<img ") == 4


def test_signals_are_those_of_the_evaluations(small: Demo) -> None:
    """P and TG of the table are the tracker's, and the correlation is scipy's."""
    frame = small.run.to_frame().set_index("k").sort_index()
    pd.testing.assert_series_equal(small.signals["TG"], frame["TG"])
    rho = spearmanr(small.signals["TG"], small.signals[OUTCOME]).statistic
    assert small.predictivity.loc["TG", "spearman"] == pytest.approx(rho, nan_ok=True)


def test_the_same_budget_gives_the_same_evaluation(small: Demo) -> None:
    """Evaluated again with the budget of the search, a candidate is what it was."""
    again = reevaluate(small.run, steps=2)
    for k, evaluation in small.run.evaluations().items():
        np.testing.assert_array_equal(again[k].similarity.values, evaluation.similarity.values)
        assert again[k].P == evaluation.P


def test_it_goes_on_where_it_stopped(small: Demo) -> None:
    """Done again, nothing is evaluated again; a line cut short is done again, and only that."""
    file = small.run.folder / "steps-4.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]) + lines[-1][:50])
    counts = []
    signals = run_demo(
        small.page.parent,
        settings=SMALL,
        mature_steps=4,
        on_count=lambda what, done, total: counts.append((what, done, total)),
    ).signals
    pd.testing.assert_frame_equal(signals, small.signals)
    assert {what for what, _, _ in counts} == {"trained 4 steps"}
    assert counts[-1][1:] == (5, 5)


def test_the_best_candidate_is_drawn_as_it_was_scored(small: Demo) -> None:
    """The RDMs shown are of the very responses that gave the similarity beside them."""
    pairs, labels = best_rdms(small.run)
    best = small.run.best
    assert best is not None
    upper = np.triu_indices(len(labels), 1)
    for region, theirs, _, ours in pairs:
        r = np.corrcoef(np.asarray(theirs)[upper], np.asarray(ours)[upper])[0, 1]
        expected = best.similarity.sel(region=region).max()
        assert r == pytest.approx(float(expected), abs=1e-4)


def test_regions_are_drawn_under_their_own_name(tmp_path: Path) -> None:
    """A search that listens to one region, not the first, draws that one."""
    settings = (*SMALL, "search.candidates=4", "teacher.regions=aIT", "teacher.normalise=none")
    demo = run_demo(tmp_path, settings=settings, mature_steps=2)
    ((name, theirs, _, _),), _ = best_rdms(demo.run)
    expected = rdms(load_teacher("simulated-macaque"), normalise="none")
    assert name == "aIT"
    np.testing.assert_array_equal(theirs, expected[expected["region"].values == "aIT"][0])


def test_failures_leave_a_page(tmp_path: Path) -> None:
    """Where no candidate can be built there is no verdict, but a page that says why."""
    demo = run_demo(tmp_path, settings=(*SMALL, "search.max_macs=1"), mature_steps=2)
    assert demo.predictivity is None
    text = demo.page.read_text(encoding="utf-8")
    assert "5 candidates failed" in text
    assert "foretell the final accuracy" not in text


def test_too_few_candidates_are_refused_at_once(tmp_path: Path) -> None:
    """What could not be correlated is refused before anything is trained."""
    with pytest.raises(InputError, match="at least 4"):
        run_demo(tmp_path, settings=("search.candidates=3",))
    assert not list(tmp_path.iterdir())


def test_report_of_any_run(small: Demo) -> None:
    """A run has a page of its own, beside it unless said."""
    page = write_report(small.run)
    assert page.parent == small.run.folder
    assert "P + 1 · TG" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("gain", "low", "high", "said"),
    [(0.2, 0.1, 0.3, "beyond chance"), (0.2, -0.1, 0.5, "do not tell"), (-0.2, -0.3, -0.1, "-.20")],
)
def test_the_verdict_is_honest(gain: float, low: float, high: float, said: str) -> None:
    """What the interval does not show is not claimed, and a loss is called one."""
    table = pd.DataFrame(
        {
            "spearman": 0.5,
            "low": 0.1,
            "high": 0.8,
            "gain": gain,
            "gain_low": low,
            "gain_high": high,
        },
        index=["P", "TG", "P+TG", "TG before training"],
    )
    assert said in verdict(table)
    assert "Not told from chance: P, TG" in verdict(table.assign(low=-0.1))
    wrong = verdict(table.assign(low=-0.8, high=-0.3))
    assert "chance: " not in wrong
    assert "opposite: P, TG" in wrong


def test_a_report_says_how_its_numbers_were_made(small: Demo) -> None:
    """The page of a run names distance, comparison, normalisation, seed and versions."""
    text = write_report(small.run).read_text(encoding="utf-8")
    for said in ("SIMULATED", "pearson of correlation RDMs", "neuroids zscore", "recipe digits",
                 "seed and threads", "neurosage 0.1.0"):  # fmt: skip
        assert said in text


def test_an_alignment_search_draws_no_p(tmp_path: Path) -> None:
    """Where P was not measured its picture is left out."""
    settings = (*SMALL, "search.candidates=4", "search.performance_weight=0", "training.steps=0")
    run = run_demo(tmp_path, settings=settings, mature_steps=1).run
    text = write_report(run).read_text(encoding="utf-8")
    assert "Performance and guidance" not in text
    assert text.count("<img ") == 1
