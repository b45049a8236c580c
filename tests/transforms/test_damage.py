"""One value that cannot be kept costs its element only; what is broken otherwise stays refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.damage import Damage
from etl_actors.errors import PayloadRefused
from etl_actors.transforms.damage import mended_document
from etl_actors.transforms.documents import decode_document, encode_json

DEPTH = 20
BAD_VALUES = {
    b"NaN": "NaN",
    b"-Infinity": "-Infinity",
    b"1" * 10_000: "number too long",
    b"0." + b"1" * 2_000: "number too long",
    b"-12E99999": "number too long",
    b'"a\\u0000b"': "NUL",
    b'"x\\ud800"': "surrogate",
    b'"\\udc00 y"': "surrogate",
    b'"\xff\xfe"': "UTF-8",
    b'"a\nb"': "control character",
    b'"\0"': "control character",
    b'"\xed\xa0\x80"': "UTF-8",
    b"[" * 50_000 + b'"]NaN"' + b"]" * 50_000: "levels deep",
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000: "levels deep",
}
TRICKY = b'"NaN \\" [[[[ \\\\u0000 1e99999 \xc3\xa9 \\ud83d\\ude00 \\\\"'


def read(body: bytes) -> tuple[Any, Damage | None]:
    try:
        return decode_document(body, max_depth=DEPTH), None
    except PayloadRefused:
        found = mended_document(body, max_depth=DEPTH)
        if found is None:
            raise
        return found


def rows(value: bytes, *, many: int = 100) -> bytes:
    """Rows of which the 43rd holds ``value``; every one has a text in which nothing may be found."""
    return b"[" + b",".join(b'{"n":%s,"t":%s}' % (value if n == 42 else b"1.50", TRICKY) for n in range(many)) + b"]"


@pytest.mark.parametrize(("value", "says"), BAD_VALUES.items(), ids=lambda value: str(value)[:12])
def test_a_bad_value_is_found_where_it_is(value: bytes, says: str) -> None:
    """The other 99 rows are as they are, the bad one can be told with its reason, and as the provider sent it."""
    document, damage = read(rows(value))
    assert damage is not None
    encoded = [encode_json(row) for row in document]
    bad = [place for place, row in enumerate(encoded) if damage.found_in(row)]
    assert bad == [42]
    assert says in damage.reasons[damage.found_in(encoded[42])[0]]
    assert value in damage.restored(encoded[42])
    good = decode_document(rows(b"null"), max_depth=DEPTH)
    assert [row for place, row in enumerate(document) if place != 42] == [
        row for place, row in enumerate(good) if place != 42
    ]


@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: str(value)[:12])
def test_the_body_that_is_left_can_be_kept(value: bytes) -> None:
    """``null`` stands in its place (of what is too deep, at the bottom), and all else is the same to the byte."""
    _, damage = read(rows(value))
    assert damage is not None
    decode_document(damage.body, max_depth=DEPTH)
    before, after = rows(b"null").split(b"null")
    assert damage.body.startswith(before)
    assert damage.body.endswith(after)
    assert b"null" in damage.body[len(before) : -len(after)]


def test_a_bad_name_is_found_too() -> None:
    """An object keeps some name for it."""
    document, damage = read(b'[{"a\\u0000":1,"b":2},{"b":3}]')
    assert damage is not None
    assert damage.found_in(encode_json(document[0]))
    assert not damage.found_in(encode_json(document[1]))
    assert json.loads(damage.body) == [{"unkept 0": 1, "b": 2}, {"b": 3}]
    assert damage.restored(encode_json(document[0])) == b'{"a\\u0000":1,"b":2}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[NaN",
        b"[NaN,]",
        b"{NaN:1}",
        b"[nan]",
        b"[Infinityy]",
        b"[1.2.3]",
        b"[01]",
        b'["\\ud800]',
        b"[",
    ],
)
def test_what_is_broken_stays_refused(body: bytes) -> None:
    """With the reason that it always had."""
    with pytest.raises(PayloadRefused) as first:
        decode_document(body, max_depth=DEPTH)
    with pytest.raises(PayloadRefused) as second:
        read(body)
    assert str(second.value) == str(first.value)


def test_a_sound_document_has_no_damage() -> None:
    """And is not looked at twice."""
    assert read(b'[{"a":1}]') == ([{"a": 1}], None)


def test_a_value_in_no_element_refuses_the_whole() -> None:
    """It could be kept with none of them."""
    document, damage = read(b'{"rate":NaN,"rows":[{"p":1}]}')
    assert damage is not None
    with pytest.raises(PayloadRefused, match="NaN"):
        damage.refuse_outside(document["rows"])
    damage.refuse_outside([document])


def test_a_place_to_go_on_from_is_never_made_of_damage() -> None:
    """What stands for a bad value must not be sent to a provider."""
    document, damage = read(b'[{"id":"\\u0000"}]')
    assert damage is not None
    damage.refuse_in(None, "7")
    with pytest.raises(PayloadRefused, match="NUL"):
        damage.refuse_in(None, document[0]["id"])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="utf-8")),
    lambda children: st.lists(children, max_size=5) | st.dictionaries(st.text(max_size=5), children, max_size=5),
    max_leaves=30,
)


@given(st.lists(JSON_VALUES, min_size=1, max_size=8), st.booleans())
def test_whatever_is_read_has_its_good_elements_unchanged(values: list[Any], ascii_only: bool) -> None:
    """Texts with NULs and deep lists among them: what is told good is what Python's own reader reads."""
    body = json.dumps(values, ensure_ascii=ascii_only).encode()
    document, damage = read(body)
    for value, element in zip(values, document, strict=True):
        if damage is None or not damage.found_in(encode_json(element)):
            assert element == value
        else:
            assert json.loads(damage.restored(encode_json(element))) == value
