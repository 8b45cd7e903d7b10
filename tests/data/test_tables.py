"""Tables are typed by what they hold, and come back as they were written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurosage.data.tables import read_table, same_values, write_table
from neurosage.errors import InputError

FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "-2"], "i", [1, -2]),
        (["1.5", ""], "f", [1.5, np.nan]),
        (["1e-3", "inf"], "f", [0.001, np.inf]),
        (["True", "False"], "b", [True, False]),
        (["007", "008"], "O", ["007", "008"]),
        (["1", "cat"], "O", ["1", "cat"]),
        (["true", "false"], "O", ["true", "false"]),
        (["", ""], "O", ["", ""]),
        (["NA", "None"], "O", ["NA", "None"]),
        (["99999999999999999999", "1"], "O", ["99999999999999999999", "1"]),
        (["1234567890123456789", "1.5"], "O", ["1234567890123456789", "1.5"]),
        ([" 2", "3 "], "i", [2, 3]),
        ([" 2.5", ""], "f", [2.5, np.nan]),
    ],
    ids=str,
)
def test_a_column_is_what_all_its_cells_are(tmp_path, cells, kind, values):
    """Numbers only where each cell is one; a leading zero is a label."""
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{cell},\n" for cell in cells))
    column = read_table(path)["x"]
    assert np.asarray(column).dtype.kind == kind
    assert same_values(column, values)


def test_ids_are_always_text(tmp_path):
    """Ids that are numbers keep their form, and so does what is said to be text."""
    path = tmp_path / "t.csv"
    path.write_text("stimulus_id,region,label\n1,17,3\n2,18,4\n")
    table = read_table(path, text=["label"])
    assert table.to_dict("list") == {
        "stimulus_id": ["1", "2"],
        "region": ["17", "18"],
        "label": ["3", "4"],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"a;b\n1;2\n", "parted by ';'; save it with commas"),
        (b"a,a\n1,2\n", r"columns that repeat: \['a'\]"),
        (b",a\n0,2\n", r"column 1 of .* has no name \(an index\?\)"),
        (b"a,b\n1\n", "row 2 of .* has 1 cells, but the first has 2"),
        (b"a\n\xff\n", "is not text in UTF-8"),
        (b'a\n"1\n', "is not a CSV table"),
        (b"\x93NUMPY\x01\x00", "is not text in UTF-8"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, content, message):
    """Each way of being no table has its sentence, with the file."""
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_table(path)
    assert "t.csv" in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path):
    """What spreadsheet programs put first is passed over."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbfstimulus_id\r\na\r\n")
    assert read_table(path).to_dict("list") == {"stimulus_id": ["a"]}


@FUZZ
@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_bytes_are_a_table_or_one_error(tmp_path, content):
    """No content makes any other exception."""
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    said = "t.csv"
    try:
        assert isinstance(read_table(path), pd.DataFrame)
    except InputError as error:
        said = str(error)
    assert "t.csv" in said


# A single column of such a name would be taken for a table parted by them.
NAMES = st.text(min_size=1, max_size=5).filter(lambda n: n.strip() == n and not set(n) & set(";\t"))
COLUMNS = st.one_of(
    st.lists(st.text(max_size=6), min_size=3, max_size=3),
    st.lists(st.sampled_from(["1", "2.0", "True", "", "nan", "007"]), min_size=3, max_size=3),
    st.lists(st.integers(-(2**59), 2**59), min_size=3, max_size=3),
    st.lists(st.floats(), min_size=3, max_size=3),
    st.lists(st.floats(width=32), min_size=3, max_size=3).map(lambda x: np.array(x, np.float32)),
    st.lists(st.booleans(), min_size=3, max_size=3),
)


@FUZZ
@given(columns=st.dictionaries(NAMES, COLUMNS, min_size=1, max_size=4))
def test_a_table_written_is_the_table_read(tmp_path, columns):
    """Names, order, kinds and values come back, or writing refuses."""
    table = pd.DataFrame(columns)
    path = tmp_path / "t.csv"
    text = write_table(table, path)
    again = read_table(path, text=text)
    assert list(again.columns) == list(table.columns)
    for name in columns:
        assert same_values(table[name], again[name])


@pytest.mark.parametrize(
    "column",
    [["a", None], [1, "a"], [pd.Timestamp("2020-01-01")] * 2, [[1], [2]], [{}, {}]],
    ids=["missing", "mixed", "dates", "lists", "mappings"],
)
def test_what_a_table_cannot_hold_is_refused(tmp_path, column):
    """A column that would come back as another is named."""
    with pytest.raises(InputError, match=r"the columns \['odd'\] cannot be written to CSV"):
        write_table(
            pd.DataFrame({"fine": [1, 2], "odd": pd.Series(column, dtype=object)}),
            tmp_path / "t.csv",
        )
