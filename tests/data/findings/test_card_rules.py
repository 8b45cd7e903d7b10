"""What a card says and does not say is found: the order of names, files without hash."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neurosage.data.cards.card import Card
from neurosage.data.findings.card_rules import card_findings, order_findings
from neurosage.data.stimuli import StimulusSet


def card(order=None, **responses):
    entry = {"file": "r.npy", **responses}
    return Card(
        schema=1,
        id="lab",
        kind="recorded",
        part={"all": {"responses": entry, "images": {"file": "images/", "order": order}}},
    )


def test_the_warning_counts_what_would_move_and_names_both_orders():
    """Who said an order has answered; coordinates that name no stimuli answer nothing."""
    names = [f"im{k}" for k in range(1, 13)]
    (warning,) = ordered(names)
    assert "11 of 12 stimuli would change place" in warning.message
    assert 'order = "file name"' in warning.remedy
    assert 'order = "number"' in warning.remedy
    assert ordered(names, order="file name") == ordered(names, order="number") == []
    assert ordered(names, coordinates={"region": "area"}) == [warning]
    assert ordered(names, coordinates={"stimulus_id": "ids"}) == []
    assert ordered(names, coordinates={"stimulus_id": "ids"}, index=1) == [warning]


def ordered(names, order=None, **responses):
    """The rules broken by images of these names, sorted as a card sorts them."""
    table = pd.DataFrame({"stimulus_id": sorted(names)})
    table["file"] = [f"{name}.png" for name in sorted(names)]
    table = table.sort_values("file")
    stimuli = StimulusSet("s", table, np.zeros((len(names), 2, 2, 3), np.uint8))
    return list(order_findings(card(order, **responses), "all", stimuli))


@pytest.mark.parametrize(
    "names",
    [
        [f"{kind}{k}" for kind in ("face", "house") for k in range(1, 13)],
        [f"stim{k}_v1" for k in range(1, 25)],
        [f"{k}" for k in range(12)],
        [f"s1/im{k}" for k in range(9, 11)],
    ],
    ids=["two kinds", "two numbers", "numbers", "folders"],
)
def test_names_whose_numbers_are_in_another_order(names):
    """Responses in the order of numbers would go to other images: a warning with two names."""
    (found,) = ordered(names)
    assert (found.rule, found.severity) == ("order-of-names", "warning")
    assert "10" in found.place or "1.png" in found.place


@pytest.mark.parametrize(
    "names",
    [
        [f"im{k:02}" for k in range(30)],
        ["cat", "dog", "Ape"],
        ["a", "a-1", "a1", "a-b1", "ab"],
        ["9a", "9b", "-1", "_3"],
        ["img" + "9" * 18, "img" + "8" * 18],
    ],
    ids=["padded", "words", "odd signs", "beginnings", "long"],
)
def test_names_in_one_order_either_way(names):
    """Where numbers decide nothing, nothing is said."""
    assert ordered(names) == []


def test_a_folder_of_features_needs_no_hash():
    """Nothing is advised that cannot be done."""
    for name, asked in (("features", False), ("features/", False), ("features.npy", True)):
        made = card(file=name, format="thingsvision")
        assert ("no-hash" in {f.rule for f in card_findings(made, "all")}) == asked
