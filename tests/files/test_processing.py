"""Clean names and types."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.files.names import clean_name
from etl_actors.files.processing import Profile, render_header, render_row

from .reading import opened


def processed(content: bytes, must_be: Any = "csv", output: Any = "ndjson") -> tuple[dict[str, str], list[str]]:
    """The types by name, and the lines of the result."""
    table = opened(content, must_be=must_be)
    profile = Profile(table)
    profile.see(table.records())
    convert = profile.convert()
    rows = [render_row(convert(row), output)[1] for row in opened(content, must_be=must_be).records()]
    text = render_header(profile.columns(), output) + b"".join(rows)
    return {column.name: column.type for column in profile.columns()}, text.decode().replace("\r\n", "\n").split("\n")[
        :-1
    ]


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("First Name", "first_name"),
        ("Price (USD)", "price_usd"),
        ("camelCaseName", "camel_case_name"),
        ("HTTPServer", "http_server"),
        ("Größe", "grosse"),
        ("24h Volume", "column_24h_volume"),
        ("  --  ", "column_7"),
        ("", "column_7"),
        ("价格", "价格"),
        ("=cmd|' /C calc'!A0", "cmd_c_calc_a0"),
        ("x" * 200, "x" * 63),
    ],
)
def test_clean_names(name: str, clean: str) -> None:
    """Snake case, a letter first, never empty."""
    assert clean_name(name, 7) == clean


@given(st.text())
def test_a_clean_name_stays_clean(name: str) -> None:
    """Any text becomes a name that cleaning does not change."""
    assert clean_name(clean_name(name, 1), 1) == clean_name(name, 1) != ""


@pytest.mark.parametrize(
    ("cells", "kind", "results"),
    [
        (["1", "-20", " 3 ", ""], "integer", ["1", "-20", "3", "null"]),
        (["95000.50", "1", ".5", "-1e5"], "number", ["95000.50", "1", "0.5", "-1e5"]),
        (["123456789012345678901234567890"], "integer", ["123456789012345678901234567890"]),
        (["007", "1"], "string", ['"007"', '"1"']),
        (["1e9999"], "string", ['"1e9999"']),
        (["1,234.50"], "string", None),
        (["TRUE", "false"], "boolean", ["true", "false"]),
        (["true", "1"], "string", ['"true"', '"1"']),
        (["2024-02-29", ""], "date", ['"2024-02-29"', "null"]),
        (["2023-02-29"], "string", ['"2023-02-29"']),
        (
            ["2024-01-05 10:00", "2024-01-05T10:00:00.5"],
            "datetime",
            ['"2024-01-05T10:00:00"', '"2024-01-05T10:00:00.500000"'],
        ),
        (["2024-01-05T10:00:00+01:00", "2024-01-05t09:00:00z"], "datetime", ['"2024-01-05T09:00:00Z"'] * 2),
        (["0001-01-01T00:00:00+10:00"], "string", None),
        (["9999-12-31T23:59:59-10:00"], "string", None),
        (["2024-01-05", "2024-01-05T10:00:00Z"], "string", None),
        (["NaN"], "string", ['"NaN"']),
        (["١٢"], "string", ['"١٢"']),
        (["", " "], "string", ["null", "null"]),
        ([" x ", "1"], "string", ['" x "', '"1"']),
    ],
)
def test_types_of_cells(cells: list[str], kind: str, results: list[str] | None) -> None:
    """The narrowest type that all cells of a column are of; digits are kept; empty is null."""
    content = "V,w\n" + "".join(f'"{cell}",x\n' for cell in cells)
    types, lines = processed(content.encode())
    assert types["v"] == kind
    if results is not None:
        assert lines == [f'{{"v":{result},"w":"x"}}' for result in results]


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters='\0"\r\n')), min_size=1))
def test_whatever_was_learned_can_be_written(cells: list[str]) -> None:
    """The second reading never meets a cell that the first one did not allow for."""
    content = "V,w\n" + "".join(f'"{cell}",x\n' for cell in cells)
    assert len(processed(content.encode())[1]) == len(cells)


def test_json_says_itself_what_is_a_number() -> None:
    """Texts in JSON stay texts, but for dates; what is not there is null; nested values stay as they are."""
    content = b'[{"n":1,"m":1.50,"s":"42","d":"2024-01-05","b":true,"o":{"x":[1.10]}},{"n":2.5,"s":"","z":null}]'
    types, lines = processed(content, "json")
    assert types == {
        "n": "number",
        "m": "number",
        "s": "string",
        "d": "date",
        "b": "boolean",
        "o": "object",
        "z": "string",
    }
    assert lines == [
        '{"n":1,"m":1.50,"s":"42","d":"2024-01-05","b":true,"o":{"x":[1.10]},"z":null}',
        '{"n":2.5,"m":null,"s":null,"d":null,"b":null,"o":null,"z":null}',
    ]


def test_json_of_two_minds_becomes_text_where_it_can() -> None:
    """Numbers and texts together are texts; containers and anything else are left alone."""
    types, lines = processed(b'[{"a":1.50,"b":[1]},{"a":"x","b":2},{"a":true}]', "json")
    assert types == {"a": "string", "b": "mixed"}
    assert lines == ['{"a":"1.50","b":[1]}', '{"a":"x","b":2}', '{"a":"true","b":null}']


def test_a_spreadsheet_finds_no_formula() -> None:
    """Texts that begin one are defused in CSV; numbers with a sign are numbers."""
    _, lines = processed(b'Name,Amount\n=1+1,-5\n@x,6\n"a ""q"", b",7\n', output="csv")
    assert lines == ["name,amount", "'=1+1,-5", "'@x,6", '"a ""q"", b",7']
