"""JSON in and out exactly, and one sentence for each way an answer can fail to be JSON."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.errors import PayloadRefused
from etl_actors.transforms.documents import decode_document, encode_json


def decode(body: bytes) -> Any:
    return decode_document(body, max_depth=200)


def refusal(body: bytes) -> str:
    with pytest.raises(PayloadRefused) as caught:
        decode(body)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_numbers_are_decoded_exactly() -> None:
    """Fractions become Decimals with their trailing zeros, integers stay integers of any size."""
    document = decode(b'{"a": 1.50, "b": 9.88e-06, "c": 196125250733838300000, "d": -0.0, "e": 3}')
    assert document == {
        "a": Decimal("1.50"),
        "b": Decimal("9.88e-06"),
        "c": 196125250733838300000,
        "d": Decimal("-0.0"),
        "e": 3,
    }
    assert str(document["a"]) == "1.50"
    assert type(document["e"]) is int


def test_a_byte_order_mark_is_accepted() -> None:
    """Some servers put one before the JSON."""
    assert decode(b"\xef\xbb\xbf[1]") == [1]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "empty body"),
        (b" \r\n", "empty body"),
        (b"Throttled", 'the provider sent text: "Throttled"'),
        (b"error code: 1020", 'text: "error code: 1020"'),
        (b"429 Too Many Requests", 'text: "429 Too Many Requests"'),
        (b"<!DOCTYPE html>\n<title>Access denied | x &amp; y</title>", 'an HTML page titled "Access denied | x & y"'),
        (b"\n<html><body>no</body></html>", "an HTML page"),
        (b"<?xml version='1.0'?><a/>", "the provider sent markup"),
        (b'{"a": [1, 2', "cut off after 11 bytes"),
        (b'{"a" 1}', "malformed at byte 5 of 7"),
        (b"[1, 2,]", "malformed"),
        (b"[]]", "malformed"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b'["\\ud800"]', "surrogate"),
        (b'["\\ud800', "surrogate"),
        (b'["\\udc00 later"]', "surrogate"),
        (b'["a\\u0000b"]', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'["\xff"]', "not UTF-8"),
        (b"\x1f\x8b\x08\x00\x00", "neither JSON nor UTF-8"),
        (b"1" * 10_000, "number too long"),
        (b"[" + b"1" * 1_001 + b"]", "number too long"),
        (b"[0." + b"1" * 10_000 + b"]", "number too long"),
        (b"[1e1001]", "number too long"),
        (b"[1e-1001]", "number too long"),
        (b"[1e99999999999999999999999]", "number too long"),
        (b"[" * 201 + b"]" * 201, "more than 200 levels"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "more than 200 levels"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_one_sentence(body: bytes, says: str) -> None:
    """The reason names what came instead."""
    assert says in refusal(body)


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    """Only a real NUL character is refused."""
    assert decode(b'["\\\\u0000"]') == ["\\u0000"]


def test_brackets_inside_text_do_not_count_as_nesting() -> None:
    """Depth is what the document has, not what its bytes look like."""
    assert decode(json.dumps(["[" * 10_000]).encode()) == ["[" * 10_000]


def test_the_deepest_allowed_document_passes() -> None:
    """The limit itself is allowed."""
    decode(b"[" * 200 + b"]" * 200)


def test_bottomless_nesting_is_refused_cheaply() -> None:
    """No recursion, no long work."""
    began = time.perf_counter()
    refusal(b"[" * 5_000_000)
    assert time.perf_counter() - began < 1


def test_numbers_are_encoded_plainly() -> None:
    """Decimals leave without exponent and with every digit; text that looks like a number is left alone."""
    value = {"a": Decimal("0E-8"), "b": [Decimal("1E+5"), Decimal("9.88E-12")], "c": "1E+5 \\", "1E+2": 'x"1E+9'}
    assert encode_json(value) == (b'{"a":0.00000000,"b":[100000,0.00000000000988],"c":"1E+5 \\\\","1E+2":"x\\"1E+9"}')


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e300"), max_value=Decimal("1e300")),
    lambda children: st.lists(children) | st.dictionaries(st.text("ab1E+", max_size=5), children),
    max_leaves=20,
)


@given(JSON_VALUES)
def test_what_is_encoded_decodes_to_the_same(value: Any) -> None:
    """Encoding loses nothing, and Python's own reader agrees."""
    encoded = encode_json(value)
    assert decode(encoded) == value
    assert json.loads(encoded, parse_float=Decimal) == value
