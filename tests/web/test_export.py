"""What leaves as CSV is safe to open in a spreadsheet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from etl_actors.web.export import CSV, NDJSON, export_response


class Row(msgspec.Struct):
    """A row with a text, a number and JSON."""

    name: str | None
    price: msgspec.Raw | None
    extra: msgspec.Raw | None


async def rendered(rows: Sequence[Row], kind: str) -> str:
    """The whole export."""

    async def slices() -> AsyncIterator[Sequence[Row]]:
        yield rows

    response = export_response(slices(), kind, Row.__struct_fields__)
    async with response.response as body:
        return b"".join([piece async for piece in body]).decode()


async def test_a_text_that_looks_like_a_formula_is_neutralised() -> None:
    """Numbers keep their sign, texts get an apostrophe, quoting is the library's."""
    rows = [
        Row("=cmd()", msgspec.Raw(b"-1.50"), None),
        Row("@x", None, msgspec.Raw(b'{"a":"b,c"}')),
        Row('say "hi"', None, None),
    ]
    assert await rendered(rows, CSV) == (
        'name,price,extra\r\n\'=cmd(),-1.50,\r\n\'@x,,"{""a"":""b,c""}"\r\n"say ""hi""",,\r\n'
    )


async def test_ndjson_has_one_object_a_line() -> None:
    """With the digits as they are."""
    rows = [Row("a", msgspec.Raw(b"95000.50"), None), Row("b", None, None)]
    assert await rendered(rows, NDJSON) == (
        '{"name":"a","price":95000.50,"extra":null}\n{"name":"b","price":null,"extra":null}\n'
    )
