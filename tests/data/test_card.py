"""A card is checked as it is read: each mistake is named with what would be right."""

from __future__ import annotations

import pytest

from neurosage.data.card import read_card
from neurosage.errors import InputError

HASH = "sha256:" + "0" * 64
CARD = f"""
schema = 1
id = "lab-it"
kind = "recorded"
base_url = "https://example.org/data/"

[part.first]
neuroids = {{ region = "IT" }}
counts = {{ neuroid = 2, stimulus = 3 }}
responses = {{ file = "r.npy", hash = "{HASH}", dims = ["neuroid", "stimulus"] }}
"""


def read(folder, text):
    (folder / "card.toml").write_text(text)
    return read_card(folder)


def test_a_sound_card_is_read(tmp_path):
    """Every key arrives; one part needs no default and adds nothing to the id."""
    card = read(tmp_path, CARD)
    assert card.choose(None) == "first"
    assert card.full_id("first") == "lab-it"
    entry = card.part["first"].responses
    assert (entry.algorithm, entry.digest, entry.name) == ("sha256", "0" * 64, "r.npy")
    assert card.part["first"].region_names == ("IT",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind =", "knd =", r"unknown key 'knd'; did you mean 'kind'\?"),
        ("neuroids =", "neuroid =", r"\[part.first\], unknown key 'neuroid'; did you mean"),
        ("neuroid = 2", "neurons = 2", r"\[part.first.counts\], unknown key 'neurons'.*neuroid"),
        ("dims =", "dim =", r"\[part.first.responses\], unknown key 'dim'; did you mean 'dims'"),
        ("schema = 1", "", "the key 'schema' is missing"),
        ("schema = 1", "schema = 2", "schema: Input should be 1, not 2"),
        ('"recorded"', '"measured"', "kind: .*'recorded'.* not 'measured'"),
        ('id = "lab-it"', 'id = "../it"', r"id: .* not '../it'"),
        (HASH, "md5:00", "part.first.responses.hash: .* not 'md5:00'"),
        ('"r.npy"', '"../r.npy"', "a path within the card's folder, not '../r.npy'"),
        ('"r.npy"', '"/r.npy"', "a path within the card's folder, not '/r.npy'"),
        ("https://example.org/data/", "file:///data/", "base_url: .* not 'file:///data/'"),
        ("stimulus = 3", "stimulus = 0", "counts.stimulus: .* greater than 0, not 0"),
        ('"neuroid", "stimulus"]', '"neuron", "stimulus"]', "dims.0: .*'neuroid'.* not 'neuron'"),
        ("schema = 1", "schema = ", "is not a TOML file"),
        ("[part.first]", "default = 'second'\n[part.first]", "default = 'second' is none of"),
        ("[part.first]", "[part.zero]\n[part.first]", "default must name one of"),
        ("[part.first]", "teacher = 'x'\n[part.first]", "teacher = … is for kind = 'stimuli'"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(tmp_path, old, new, message):
    """One mistake, one message, with the file, the key, and what is valid."""
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, CARD.replace(old, new))
    assert "card.toml" in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_a_folder_without_a_card_says_so(tmp_path):
    """No card is an error that says where one was looked for."""
    with pytest.raises(InputError, match=r"there is no card at .*card\.toml"):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("frist", r"unknown part of lab-it 'frist'; did you mean 'first'"),
        ("../first", r"the part '../first' of 'lab-it' has a path in it"),
        ("a/b", "has a path in it"),
        ("..", "has a path in it"),
        ("", "has a path in it"),
    ],
)
def test_parts_are_plain_names(tmp_path, part, message):
    """A part that does not exist, or has a path in it, is refused."""
    with pytest.raises(InputError, match=message):
        read(tmp_path, CARD).choose(part)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (HASH, "md5:00", "a hash is 'sha256:' with 64 digits"),
        ('id = "lab-it"', 'id = "../it"', "a name is letters, digits"),
        ("https://example.org/data/", "file:///data/", "an address begins with http"),
        ("[part.first]", '[part."../x"]', "a name is letters, digits"),
        ("schema = 1", "", "the key 'schema' is missing"),
    ],
)
def test_rules_are_told_in_words(tmp_path, old, new, rule):
    """No regular expression, and one full stop at the end even of several faults."""
    text = CARD.replace(old, new).replace('kind = "recorded"', "")
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    said = str(caught.value)
    assert rule in said
    assert "the key 'kind' is missing" in said
    assert "pattern" not in said
    assert ".;" not in said
    assert said.endswith(".")
    assert not said.endswith("..")
