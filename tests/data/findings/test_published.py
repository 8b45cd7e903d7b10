"""Next steps are steps: nobody is told to edit a published card, or just to mend it."""

from __future__ import annotations

import pytest

from neurosage.data.cards.card import Card
from neurosage.data.findings.finding import Finding
from neurosage.data.findings.part_files import fault
from neurosage.data.findings.published import for_users, is_published
from neurosage.errors import InputError


def test_a_published_card_is_not_the_users_to_edit():
    """What only its author can say is left out; no remedy sends to the card to write in it."""
    author = [
        Finding("degrees", "note", "stimuli", "Not said.", "Add degrees = … to the card."),
        Finding("card-silent", "note", "card.toml", "Silent.", "Add it."),
        Finding("new-rule", "note", "x", "Odd.", "Say so in the card."),
        Finding("image-twice", "warning", "x", "Twice.", "Look for a file saved twice."),
    ]
    found = list(for_users(author))
    assert [finding.rule for finding in found] == ["degrees", "new-rule", "image-twice"]
    assert "degrees=" in found[0].remedy
    assert found[1].remedy.startswith("Nothing you could do in the card")
    assert found[2] == author[3]
    card = Card(schema=1, id="x", kind="recorded", base_url="https://example.org/")
    assert (is_published(card), is_published(None)) == (True, False)


@pytest.mark.parametrize(
    ("message", "step"),
    [
        ("r.mat has no ids; give them as stimulus_id.", "Give them as stimulus_id; then check"),
        ("dims are (3, 4). Next: name them.", "Name them."),
        ("the file ends early.", "Correct what the card says of responses (key, dims"),
    ],
)
def test_a_fault_says_what_to_do(message, step):
    """The error's own advice, or what can be done about such a file."""
    assert fault("responses", "r.mat", InputError(message)).remedy.startswith(step)
