"""A page is one file that shows what it was given, and nothing it was not."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd

from neurosage.report import page, plots


class Reader(HTMLParser):
    """Collects the tags, addresses and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for key, value in attrs if key in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.words += data


def read(path: Path) -> Reader:
    reader = Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def test_page_is_self_contained(tmp_path: Path) -> None:
    """Every address within the page is data, and nothing else is left in the folder."""
    figure = plots.plot_progress([0.1, np.nan, 0.3], 1)
    parts = page.section("Progress", page.figure_html(figure, "dots", "caption"))
    target = page.write_page(tmp_path / "new" / "page.html", "Title", "lead", [parts])
    reader = read(target)
    assert [a[:10] for a in reader.addresses] == ["data:image"]
    assert [p.name for p in target.parent.iterdir()] == ["page.html"]


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    """A name with markup in it is shown as it is written."""
    bad = "<script>alert(1)</script>"
    body = page.section(bad, page.paragraph(bad), page.table_html(pd.DataFrame({bad: [bad]})))
    reader = read(page.write_page(tmp_path / "p.html", bad, bad, [body]))
    assert "script" not in reader.tags
    assert reader.words.count(bad) == 7


def test_missing_numbers_are_dashes() -> None:
    """NaN is shown as a dash, counts with separators, fractions with their decimals."""
    text = page.table_html(pd.DataFrame({"a": [np.nan, 0.5], "n": [1234567, 2]}))
    assert "<td>–</td>" in text
    assert "<td>0.500</td>" in text
    assert "<td>1,234,567</td>" in text


def test_rdms_are_sorted_by_category() -> None:
    """Stimuli of one category stand together in the picture, in both rows alike."""
    labels = np.array(["b", "a", "b", "a"])
    rdm = np.array([[0, 2, 1, 2], [2, 0, 2, 1], [1, 2, 0, 2], [2, 1, 2, 0]], float)
    figure = plots.plot_rdm_pairs([("V4", rdm, "layer", rdm)], labels)
    top, bottom = (axis.images[0].get_array() for axis in figure.axes)
    assert np.array_equal(top, bottom)
    assert top[0, 1] < top[0, 2]
    assert top[2, 3] < top[1, 2]


def test_predictivity_has_a_row_per_signal() -> None:
    """Each signal is one labelled row, at its value."""
    table = pd.DataFrame(
        {"spearman": [0.5, 0.7], "low": [0.2, 0.4], "high": [0.7, 0.9], "candidates": 30},
        index=pd.Index(["P", "TG"], name="signal"),
    )
    (axis,) = plots.plot_predictivity(table, "final accuracy").axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["P", "TG"]
    assert axis.lines[0].get_xdata().tolist() == [0.5, 0.7]
