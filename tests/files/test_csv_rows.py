"""CSV as rows: nothing is lost, nothing is changed, and what is bad is told by its line."""

from __future__ import annotations

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.errors import FileRefused
from etl_actors.files.rows import MAX_COLUMNS, MAX_ROW_CHARS, REPORTED_ROWS

from .reading import opened, read

CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=8)
ROWS = st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8)


@given(ROWS, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_a_writer_wrote_is_read_back(rows: list[list[str]], delimiter: str, line_end: str) -> None:
    """Every cell comes back exactly, with any delimiter and line end, line breaks and quotes within cells included."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(
        [["a", "b", "c"], *rows]
    )
    found, bad = read(text.getvalue().encode(), delimiter=delimiter)
    assert found == [dict(zip("abc", row, strict=True)) for row in rows]
    assert bad == []


@given(
    st.lists(
        st.tuples(st.sampled_from(["1,2\n", '"x\ny",2\n', '"a""b",2\r\n', "\n"]), st.just(True))
        | st.tuples(st.sampled_from(["1\n", "1,2,3\n", '"x"y,2\n', "\xff,2\n", "a\0,2\n"]), st.just(False))
    )
)
def test_bad_rows_never_cost_good_ones(lines: list[tuple[str, bool]]) -> None:
    """Whatever stands around them, the good rows are kept, and the bad ones reported by the line they begin in."""
    content, good, bad_lines, line = b"a,b\n", 0, [], 2
    for text, is_good in lines:
        content += text.encode("latin-1")
        good += is_good and text != "\n"
        if not is_good:
            bad_lines.append(line)
        line += text.count("\n")
    rows, bad = read(content, delimiter=",")
    assert (len(rows), bad) == (good, bad_lines)


@given(st.binary(max_size=300))
def test_no_bytes_at_all_are_a_crash(content: bytes) -> None:
    """Any file is either rows and reports, or refused with a reason."""
    with suppress(FileRefused):
        read(content)


def test_a_quote_that_is_never_closed_costs_its_own_line_only() -> None:
    """What it swallowed is read again, whether another quote or the end of the file ended it."""
    assert read(b'a,b\n1,"open\n2,"z"\n3,w\n') == ([{"a": "2", "b": "z"}, {"a": "3", "b": "w"}], [2])
    assert read(b'a,b\n1,"open\n2,z\n3,w') == ([{"a": "2", "b": "z"}, {"a": "3", "b": "w"}], [2])


def test_a_quote_that_swallows_megabytes_is_given_up() -> None:
    """Beyond the longest row, the line with the quote is bad, and the rows behind it are all there."""
    count = MAX_ROW_CHARS // 4 + 10
    rows, bad = read(b'a,b\n1,"open\n' + b"1,2\n" * count)
    assert (len(rows), bad) == (count, [2])


def test_an_endless_line_is_one_bad_row() -> None:
    """It is skipped without being kept."""
    rows, bad = read(b"a,b\n" + b"x" * (2 * MAX_ROW_CHARS + 5) + b"\n1,2\n")
    assert (rows, bad) == ([{"a": "1", "b": "2"}], [2])


def test_cells_are_kept_as_they_stand() -> None:
    """No number is made of a text, no space is cut, an empty cell is empty text."""
    rows, _ = read(b'id,price,note\n007,95000.50, x \n1e5,,"NaN"\n')
    assert rows == [{"id": "007", "price": "95000.50", "note": " x "}, {"id": "1e5", "price": "", "note": "NaN"}]


def test_names_of_columns_are_unique_and_never_empty() -> None:
    """A name that is there twice gets a number, an empty one its place."""
    assert opened(b"a,,a,a_2,\n").columns == ["a", "column_2", "a_2", "a_2_2", "column_5"]


@pytest.mark.parametrize(
    ("content", "declared"),
    [
        ("ä,b\nß,€\n".encode(), ""),
        ("ä,b\nß,€\n".encode("utf-8-sig"), ""),
        ("ä,b\nß,€\n".encode("utf-16"), ""),
        (b"\xfe\xff" + "ä,b\nß,€\n".encode("utf-16-be"), ""),
        ("ä,b\nß,€\n".encode("utf-16-le"), "utf-16"),
        ("ä,b\nß,€\n".encode("cp1252"), "windows-1252"),
        ("ä,b\nß,€\n".encode("iso8859-15"), "iso-8859-15"),
        ("ä,b\nß,€\n".encode("utf-8-sig"), "latin-1"),
    ],
)
def test_encodings(content: bytes, declared: str) -> None:
    """A byte order mark says it, else what is declared, else it is UTF-8."""
    assert read(content, encoding=declared) == ([{"ä": "ß", "b": "€"}], [])


def test_half_a_utf_16_character_is_one_bad_row() -> None:
    """The rows around it are kept."""
    content = b"\xff\xfe" + "a,b\n".encode("utf-16-le") + b"\x00\xd8" + ",1\n2,3\n".encode("utf-16-le")
    assert read(content) == ([{"a": "2", "b": "3"}], [2])


@pytest.mark.parametrize("name", ["zip", "idna", "unicode_escape", "nonsense", "utf-8\0", "rot13", "x" * 5000])
def test_encodings_that_are_none(name: str) -> None:
    """What is no encoding of files is refused, with the place."""
    with pytest.raises(FileRefused) as caught:
        opened(b"a,b\n", encoding=name)
    assert caught.value.places[0][0] == "encoding"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        b"\xef\xbb\xbf",
        b"a\0,b\n1,2\n",
        b"\xff,b\n1,2\n",
        b"," * MAX_COLUMNS,
        b"x" * 300 + b",b\n",
        b'"a\n1\n',
    ],
)
def test_headers_that_are_none(content: bytes) -> None:
    """Without a header there is no table."""
    with pytest.raises(FileRefused):
        opened(content)


def test_reports_are_bounded_and_their_count_is_not() -> None:
    """The first hundred are told, all are counted."""
    table = opened(b"a,b\n" + b"1\n" * 2_500 + b"1,2\n")
    assert len(list(table.documents())) == 1
    assert (table.bad.count, len(table.bad.first)) == (2_500, REPORTED_ROWS)
