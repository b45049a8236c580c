"""JSON as rows: an array, objects one after another, or one a line."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.errors import FileRefused
from etl_actors.files import json_values
from etl_actors.files.json_rows import MAX_DEPTH
from etl_actors.files.rows import MAX_COLUMNS, MAX_ROW_CHARS, BadRows

from .reading import opened, read

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6)
VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT | st.just(']}",{[\\'),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(TEXT, inside, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(TEXT, VALUES, max_size=4), max_size=5)


@given(OBJECTS, st.sampled_from([None, 1]), st.booleans())
def test_an_array_is_its_elements(objects: list[Any], indent: int | None, plain: bool) -> None:
    """However it is laid out, and whatever brackets and quotes its texts hold."""
    content = json.dumps(objects, indent=indent, ensure_ascii=plain).encode()
    assert read(content, filename="x.json") == (objects, [])


@given(OBJECTS, st.integers(1, 7))
def test_where_a_chunk_ends_does_not_matter(objects: list[Any], chunk: int) -> None:
    """Values are cut the same from a text that comes in by a few characters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_values, "CHUNK_CHARS", chunk)
        cut = list(json_values.split_values(io.StringIO(json.dumps(objects, indent=1)), bad := BadRows()))
    assert [json.loads(text) for _, text in cut] == objects
    assert bad.count == 0


@given(OBJECTS)
def test_ndjson_is_its_lines(objects: list[Any]) -> None:
    """One object a line, known by its name or by its content."""
    content = "".join(json.dumps(one) + "\n" for one in objects).encode()
    if objects:
        assert read(content, filename="x.ndjson") == (objects, [])
        assert read(content) == (objects, [])


@given(st.binary(max_size=200), st.sampled_from(["x.json", "x.ndjson"]))
def test_no_bytes_at_all_are_a_crash(content: bytes, filename: str) -> None:
    """Any file is either rows and reports, or refused with a reason."""
    with suppress(FileRefused):
        read(content, filename=filename)


def test_one_object_is_one_row() -> None:
    """Over many lines, or in one."""
    assert read(b'{\n "a": 1,\n "b": [{"x": 1}\n]\n}\n', filename="x.json")[0] == [{"a": 1, "b": [{"x": 1}]}]
    assert read(b'{"a": 1}', filename="x.json")[0] == [{"a": 1}]
    assert read(b'{\n"a": 1}\n{\n"a": 2}', filename="x.json")[0] == [{"a": 1}, {"a": 2}]


def test_a_row_is_stored_as_it_stands() -> None:
    """Every digit of every number is kept, since the text is."""
    table = opened(b'[{"a":95000.50, "b":1e5,\n"c":123456789012345678901234567890.10}]')
    assert list(table.documents()) == [b'{"a":95000.50, "b":1e5,\n"c":123456789012345678901234567890.10}']


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"a":1', "cut off"),
        (b'{"a":NaN}', "not JSON"),
        (b'{"a":01}', "not JSON"),
        (b'{"a":1}{', "not JSON"),
        (b"[1]", "an array"),
        (b"7", "a number"),
        (b"null", "null"),
        (b'"x"', "a text"),
        (b'{"a":"\\u0000"}', "NUL"),
        (b'{"\\u0000":1}', "NUL"),
        (b'{"a":[{"b":"\\u0000"}]}', "NUL"),
        (b'{"a":"\\ud800"}', "surrogate"),
        (b'{"a":"\xff"}', "UTF-8"),
        (b'{"a":1e99999}', "exponent"),
        (b'{"a":' + b"9" * 2_000 + b"}", "digits"),
        (b'{"a":' + b"9" * 9_000 + b"}", "digits"),
        (b'{"a":0.' + b"9" * 2_000 + b"}", "digits"),
        (b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "deep"),
        (b'{"a":' + b"[" * 9_000 + b"]" * 9_000 + b"}", "deep"),
        (b'{"a":"' + b"x" * MAX_ROW_CHARS + b'"}', "longer"),
    ],
)
def test_a_bad_line_is_told_and_costs_no_other(line: bytes, said: str) -> None:
    """Each is what PostgreSQL's jsonb would refuse, or no object."""
    table = opened(b'{"x":1}\n\n' + line + b'\n{"x":2}\n', filename="x.ndjson")
    assert list(table.documents()) == [b'{"x":1}', b'{"x":2}']
    assert [one.line for one in table.bad.first] == [3]
    assert said in table.bad.first[0].message


def test_bad_elements_of_an_array_are_told_by_their_line() -> None:
    """As long as its brackets match, an array's other elements are kept."""
    content = b'[\n{"a":1},\n{"a":tru},\n5,\n{"a":"x]"} {"a":3},\n,\n{"a":2}\n]'
    assert read(content, filename="x.json") == ([{"a": 1}, {"a": 2}], [3, 4, 5, 6])


@pytest.mark.parametrize(("end", "line"), [(b"", 3), (b"]]", 3), (b'] {"a":1}', 3), (b',{"a":"', 3), (b",", 3)])
def test_an_array_that_does_not_end_well_keeps_what_came_before(end: bytes, line: int) -> None:
    """One more report, of the line where it went wrong."""
    rows, bad = read(b'[{"a":1},\n\n{"a":2}' + end, filename="x.json")
    assert rows == [{"a": 1}, {"a": 2}]
    assert bad[-1] == line


def test_a_bracket_that_is_never_closed_ends_the_reading() -> None:
    """Nothing behind it can be told apart; what was read before stays, and no memory is filled."""
    rows, bad = read(b'[{"a":1},\n{"a":["' + b"x" * (2 * MAX_ROW_CHARS), filename="x.json")
    assert (rows, bad) == ([{"a": 1}], [2])


@pytest.mark.parametrize("content", [b"[]", b" [ ] "])
def test_an_empty_array_has_no_rows(content: bytes) -> None:
    """And nothing is wrong with it."""
    assert read(content, filename="x.json") == ([], [])


def test_a_table_has_so_many_columns_at_most() -> None:
    """Where a table is wanted, a row that makes it wider is a bad one; where not, its keys are only not listed."""
    wide = json.dumps({f"k{place}": place for place in range(MAX_COLUMNS + 1)}).encode()
    content = b'[{"a":1},' + wide + b"]"
    assert len(read(content, must_be="json")[0]) == 1
    table = opened(content)
    assert len(list(table.documents())) == 2
    assert len(table.columns) == MAX_COLUMNS


def test_a_key_without_end_is_no_name_of_a_column() -> None:
    """The row is kept where no table is wanted; the names that are held for it are bounded."""
    content = b'{"a":1}\n{"' + b"x" * 300 + b'":2}\n'
    table = opened(content)
    assert len(list(table.documents())) == 2
    assert table.columns == ["a"]
    assert read(content, must_be="json") == ([{"a": 1}], [2])
