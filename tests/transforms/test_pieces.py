"""What is large is decoded in pieces to the very same document, and what has too many values is not decoded at all."""

from __future__ import annotations

import gc
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_actors.errors import PayloadRefused, PayloadTooLarge
from etl_actors.transforms import pieces
from etl_actors.transforms.documents import decode_document
from etl_actors.transforms.pieces import decode_in_pieces, has_more_values, unswept

TEXTS = st.text(st.sampled_from('ab",[]{}\\ \n'), max_size=30)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TEXTS, inner, max_size=6),
    max_leaves=40,
)


def values_in(document: Any) -> int:
    """How many values it holds, itself among them."""
    inner = document if isinstance(document, list) else document.values() if isinstance(document, dict) else ()
    return 1 + sum(values_in(one) for one in inner)


@given(DOCUMENTS, st.integers(0, 40), st.sampled_from((None, 1)))
def test_pieces_make_the_same_document(document: Any, piece: int, indent: int | None) -> None:
    """However small a piece is, and however the text is laid out."""
    body = json.dumps(document, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_BYTES", piece)
        assert decode_in_pieces(body, msgspec.json.decode) == document


@given(DOCUMENTS, st.integers(1, 40))
def test_values_are_counted_whatever_the_texts_hold(document: Any, most: int) -> None:
    """Exactly; and however small a piece is, too many are never overlooked."""
    body, too_many = json.dumps(document).encode(), values_in(document) > most
    assert has_more_values(body, most) == too_many
    for piece in (1, 2, 5):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pieces, "PIECE_BYTES", piece)
            assert has_more_values(body, most) or not too_many


def test_a_document_of_too_many_values_is_refused_and_names_the_setting() -> None:
    """Its text is small, but it would not be."""
    with pytest.raises(PayloadTooLarge, match=r"more than 2,000,000 values, the limit of \[upstream\] max_values"):
        decode_document(b"[" + b"[]," * 1_999_999 + b"[]]", max_depth=9)
    assert len(decode_document(b"[" + b"0," * 1_999_998 + b"0]", max_depth=9)) == 1_999_999
    assert decode_document(b'["' + b"," * 2_000_000 + b'\\\\"]', max_depth=9) == ["," * 2_000_000 + "\\"]


def test_what_is_no_json_is_not_told_to_have_too_many_values() -> None:
    """A table, a page: they have commas as well."""
    with pytest.raises(PayloadRefused, match="expected JSON, the provider sent text"):
        decode_document(b"a,b,c\n" * 1_000_000, max_depth=9)


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (b"1", "cut off after 2,999,999 bytes"),
        (b"NaN]", "NaN or Infinity at byte 2,999,998"),
        (b"1}", "malformed at byte 2,999,999"),
    ],
)
def test_what_is_wrong_with_a_large_one_is_told_as_of_a_small_one(end: bytes, says: str) -> None:
    """With its place in the whole, not in a piece."""
    with pytest.raises(PayloadRefused, match=says):
        decode_document(b"[" + b'"0123456789",' * 230_769 + end, max_depth=9)


@pytest.mark.parametrize("inside", [b"", b",", b'\\"', b"\\\\", b"," * 600_000, b"\\" * 600_000])
def test_texts_cost_no_more_than_what_is_between_them(inside: bytes) -> None:
    """Millions of empty ones, and single ones that are longer than a piece."""
    text = b'"' + inside + b'"'
    many = 3_000_000 if len(inside) < 10 else 3
    body = b"[" + b",".join([text] * many) + b"]"
    assert has_more_values(body, many) == has_more_values(body[:-2], many)  # cut off in a text
    assert has_more_values(body, many)
    assert not has_more_values(body, many + 1)


def test_the_collector_is_as_it_was_when_the_last_one_is_done() -> None:
    """However those who need it off overlap."""
    gc.enable()
    first, second = unswept(), unswept()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_the_collector_is_as_it_was_afterwards() -> None:
    """On or off."""
    for switch in (gc.enable, gc.disable, gc.enable):
        switch()
        before = gc.isenabled()
        with unswept():
            assert not gc.isenabled()
        assert gc.isenabled() == before
