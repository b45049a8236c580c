"""What a provider repeats of our credentials goes no further."""

from __future__ import annotations

import html
import json
from urllib.parse import quote, quote_plus

import pytest

from etl_actors.sources.echoes import without_echoes


@pytest.mark.parametrize(
    ("secret", "body"),
    [
        ("canary-1", b'{"you sent":"Bearer canary-1"}'),
        ("canary/2", b'{"you sent":"canary\\/2"}'),
        ('canary"3', b'{"you sent":"canary\\"3"}'),
        ("canary-\u00fc", '{"you sent":"canary-\u00fc"}'.encode()),
        ("canary-\u00fc", b'{"you sent":"canary-\\u00fc"}'),
    ],
)
def test_a_secret_is_masked_in_every_form_json_has(secret: str, body: bytes) -> None:
    """The rest of the answer stays as it is."""
    masked = without_echoes(body, [secret])
    assert b"canary" not in masked
    assert masked.startswith(b'{"you sent":"')
    assert b"***" in masked


HARD = "ab\\c\"d/e+f=g&h<i>j \u00e9'\u00fc\u20ac\U0001f600 ~canary"
WRITERS = {
    "plain": str,
    "json": json.dumps,
    "json of json": lambda text: json.dumps(json.dumps(text)),
    "json for pages": lambda text: json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003C"),
    "json with slashes escaped": lambda text: json.dumps(text, ensure_ascii=False).replace("/", "\\/"),
    "html": html.escape,
    "html of html": lambda text: html.escape(html.escape(text)),
    "html in json": lambda text: json.dumps(html.escape(text)),
    "query": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "small query": lambda text: quote(text).lower(),
    "query in a query": lambda text: quote(quote(text)),
    "misread": lambda text: json.dumps(text.encode().decode("latin-1")),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("writer", WRITERS)
def test_no_way_of_writing_hides_a_secret(writer: str, encoding: str) -> None:
    """Nor does one inside the other; what stands around it stays."""
    body = f"head {WRITERS[writer](HARD)} tail, and {WRITERS[writer](HARD)}.".encode(encoding)
    masked = without_echoes(body, [HARD])
    assert "canary" not in masked.replace(b"\0", b"").decode(errors="replace")
    assert masked.count(b"***") == 2
    assert "tail, and".encode(encoding)[-8:] in masked


def test_signs_alone_are_found_too() -> None:
    """And a secret at the seam of two slices."""
    assert without_echoes(b'{"k":"#$%^@!?~&"}', ["#$%^@!?~&"]) == b'{"k":"***"}'
    assert without_echoes(b'{"k":"%23%24%25%5E%40%21%3F%7E%26"}', ["#$%^@!?~&"]) == b'{"k":"***"}'
    seam = b" " * (4_194_304 - 3) + b"canary-1" + b" " * 70_000 + b"canary-1"
    assert without_echoes(seam, ["canary-1"]).split() == [b"***", b"***"]


def test_what_holds_no_secret_is_the_same_object() -> None:
    """No copy is made of the megabytes that most answers are; a very short secret is left alone."""
    body = b'[{"symbol":"BTCUSDT","price":"95000.50"}]'
    assert without_echoes(body, ["canary", "BTC", ""]) is body
