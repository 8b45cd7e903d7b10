"""A card is checked as it is read: each mistake is named with what would be right."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from neurosage.data.cards.card import Card, read_card
from neurosage.data.cards.entries import FILE_KEYS, FileEntry, Part
from neurosage.data.cards.text import card_text, line
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


def test_every_key_of_a_file_is_read(tmp_path):
    """What a format needs to know arrives as it was written."""
    entry = (
        '{ file = "a.nc", format = "brainio", group = "trials", coordinates = { region = "area" }, '
        'select = { region = ["pIT", "aIT"], good = true }, window = [70, 170], text = ["label"] }'
    )
    text = f'schema = 1\nid = "x"\nkind = "recorded"\n[part.p]\nresponses = {entry}\n'
    found = read(tmp_path, text).part["p"].responses
    assert found.hash is None
    assert (found.algorithm, found.digest) == ("", "")
    assert (found.format, found.group, found.window) == ("brainio", "trials", (70.0, 170.0))
    assert found.select == {"region": ["pIT", "aIT"], "good": True}
    assert (found.coordinates, found.text) == ({"region": "area"}, ("label",))


@pytest.mark.parametrize(
    ("responses", "message"),
    [
        ('{ file = "r.npy", window = [170, 70] }', r"window: a window is .start, end. in ms"),
        ('{ file = "r.npy", window = [70, inf] }', "window: a window is"),
        ('{ file = "r.npy", format = "zarr" }', "format: .*'brainio'.* not 'zarr'"),
        ('{ file = "r.npy", select = { region = [] } }', r"select keeps .*'region' is \[\]"),
        ('{ file = "r.npy", select = { day = 2020-01-01 } }', "select keeps text, numbers"),
        ('{ file = "r.npy", select = { gain = nan } }', "select keeps text, numbers"),
        ('{ file = "responses/" }', "responses is one file, but 'responses/' names a folder"),
        ('{ file = "r\\u0000.npy" }', "a path within the card's folder"),
    ],
    ids=["window", "open window", "format", "empty", "date", "nan", "folder", "control character"],
)
def test_what_a_file_cannot_be(tmp_path, responses, message):
    """Values that no reader could take are refused as the card is read."""
    text = f'schema = 1\nid = "x"\nkind = "recorded"\n[part.p]\nresponses = {responses}\n'
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_what_is_downloaded_has_a_hash(tmp_path):
    """Beside base_url every file needs a hash; on this machine only, none does."""
    bare = CARD.replace(f'hash = "{HASH}", ', "")
    with pytest.raises(InputError, match=r"part\.first\.responses has no hash.*sha256sum r\.npy"):
        read(tmp_path, bare)
    assert read(tmp_path, bare.replace("base_url", "# base_url")).part["first"].responses
    folder = CARD + 'images = { file = "images/" }\n'
    with pytest.raises(InputError, match=r"part\.first\.images: a folder cannot be downloaded"):
        read(tmp_path, folder)


def test_a_folder_has_no_hash(tmp_path):
    """A folder of images is named by its slash, and cannot be hashed."""
    images = f'images = {{ file = "images/", hash = "{HASH}" }}\n'
    with pytest.raises(InputError, match="is a folder, which has neither hash nor size"):
        read(tmp_path, CARD.replace("base_url", "# base_url") + images)


def test_an_order_by_table_needs_the_table(tmp_path):
    """order = "table" without a table of stimuli means nothing."""
    images = f'images = {{ file = "i.zip", hash = "{HASH}", order = "table" }}\n'
    with pytest.raises(InputError, match="order = 'table', so stimuli = "):
        read(tmp_path, CARD + images)


def test_a_card_that_was_begun_names_all_that_is_left(tmp_path):
    """Each "?" is named, in one sentence."""
    text = CARD.replace('"r.npy"', '"?"').replace('["neuroid", "stimulus"]', '["?", "stimulus"]')
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    said = "is not finished: fill in part.first.responses.file, part.first.responses.dims (each is"
    assert said in str(caught.value)


SCALARS = st.one_of(
    st.text(max_size=8),
    st.integers(),
    st.integers(min_value=10**300, max_value=10**320),
    st.floats(),
    st.booleans(),
    st.sampled_from(["recorded", "arrays", "sha256:" + "a" * 64, "images/", "../x", "?", 1]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
FILE = st.fixed_dictionaries(
    {"file": st.one_of(st.just("r.npy"), SCALARS)},
    optional={key: VALUES for key in [*FileEntry.model_fields, "fil"] if key != "file"},
)
PART = st.fixed_dictionaries(
    {},
    optional={key: st.one_of(FILE, VALUES) for key in FILE_KEYS}
    | {key: VALUES for key in [*Part.model_fields, "neuroid"] if key not in FILE_KEYS},
)
DOCUMENT = st.fixed_dictionaries(
    {"schema": st.one_of(st.just(1), VALUES), "id": st.one_of(st.just("lab"), VALUES)},
    optional={key: VALUES for key in [*Card.model_fields, "knd"] if key not in ("id", "part")}
    | {"kind": st.just("recorded"), "part": st.dictionaries(st.text(max_size=6), PART, max_size=2)},
)
FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def is_card_or_one_error(folder, content: bytes):
    (folder / "card.toml").write_bytes(content)
    said = ""
    try:
        assert isinstance(read_card(folder), Card)
    except InputError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) < 20_000


@FUZZ
@given(document=DOCUMENT)
def test_any_document_is_a_card_or_one_error(tmp_path, document):
    """Whatever its tables hold, reading gives a card or one sentence."""
    text = "".join(f"{line(key, value)}\n" for key, value in document.items())
    is_card_or_one_error(tmp_path, text.encode("utf-8", "surrogatepass"))


@FUZZ
@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
@example(content=b"a = " + b"[" * 5000)
@example(content=b"a = " + b"{ b = " * 5000)
@example(content=b"a." * 5000 + b"b = 1")
@example(content=b"schema = " + b"1" * 5000)
@example(content=b"schema = 1e99999")
@example(content=b"id = 2020-01-01T00:00:00Z")
@example(content=CARD.replace("neuroid = 2", "neuroid = " + "1" * 4400).encode())
@example(content=CARD.replace("neuroid = 2", "neuroid = 0x" + "f" * 4400).encode())
def test_any_bytes_are_a_card_or_one_error(tmp_path, content):
    """Whatever a file holds, reading gives a card or one sentence."""
    is_card_or_one_error(tmp_path, content)


PLAIN = st.one_of(st.text(max_size=8), st.integers(-(2**60), 2**60), st.booleans())


@FUZZ
@given(
    neuroids=st.dictionaries(st.text(max_size=8), PLAIN, max_size=3),
    select=st.dictionaries(st.text(max_size=4), st.lists(PLAIN, min_size=1), max_size=2),
    degrees=st.floats(min_value=0, exclude_min=True, max_value=1e300),
    title=st.text(max_size=20),
)
def test_a_card_written_is_the_card_read(tmp_path, neuroids, select, degrees, title):
    """Whatever its texts hold, a card comes back equal."""
    entry = FileEntry(file="r.npy", select=select, window=(70, math.nextafter(170, 0)))
    part = Part(responses=entry, neuroids=neuroids, degrees=degrees)
    document = {"schema": 1, "id": "lab", "kind": "recorded", "title": title, "part": {"a.b": part}}
    card = Card.model_validate(document)
    (tmp_path / "card.toml").write_text(card_text(card), encoding="utf-8", newline="")
    if not ("?" in str(neuroids) or "?" in str(select) or title == "?"):
        assert read_card(tmp_path) == card


def test_a_card_that_cannot_be_read_says_so(tmp_path):
    """A folder of that name is no card, and no traceback."""
    (tmp_path / "card.toml").mkdir()
    with pytest.raises(InputError, match=r"the card .* cannot be read"):
        read_card(tmp_path / "card.toml" / "..")


@pytest.mark.parametrize("name", ["features", "features/"])
def test_features_of_a_network_are_in_a_folder(name):
    """Thingsvision's folder is named with or without a slash; other responses are one file."""
    entry = {"file": name, "format": "thingsvision"}
    card = {"schema": 1, "id": "net", "kind": "network", "part": {"all": {"responses": entry}}}
    assert Card.model_validate(card).part["all"].responses.file == name
    with pytest.raises(ValueError, match="responses is one file"):
        Card.model_validate({**card, "part": {"all": {"responses": {"file": "features/"}}}})
