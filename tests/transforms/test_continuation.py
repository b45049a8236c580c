"""What an answer says about what comes after it."""

from __future__ import annotations

from typing import Any

import pytest

from etl_actors.errors import PayloadRefused
from etl_actors.messages import Onward
from etl_actors.settings import ConnectorSettings, Cursor, TokenPages
from etl_actors.transforms.documents import decode_document
from etl_actors.transforms.mapping import Mapping
from etl_actors.transforms.symbols import SymbolTable


def onward(body: str, *, token: str | None = None, cursor: str | None = None) -> Onward:
    settings: dict[str, Any] = {"connector_id": "one", "url": "http://x"}
    if token is not None:
        settings["pagination"] = TokenPages(from_=token)
    if cursor is not None:
        settings["cursor"] = Cursor(param="since", from_=cursor)
    mapping = Mapping(ConnectorSettings(**settings), SymbolTable())
    return mapping.onward(decode_document(body.encode(), max_depth=10))


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ('"abc"', "abc"),
        ('"0"', "0"),
        ("7", "7"),
        ("0", "0"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("1733673600.50", "1733673600.50"),
        ("1.5E3", "1500"),
        ("null", None),
        ('""', None),
        ("false", None),
        ("[]", None),
        ("{}", None),
    ],
)
def test_next_page_and_cursor_are_texts(found: str, text: str | None) -> None:
    """Numbers with every digit and without an exponent; null, empty and false are nothing."""
    body = f'{{"meta": {{"next": {found}}}}}'
    assert onward(body, token="meta.next") == Onward(next_page=text)
    assert onward(body, cursor="meta.next") == Onward(cursor=text)


def test_cursor_may_be_computed() -> None:
    """The newest of a list, as numbers or as texts; of none, nothing."""
    assert onward('{"items":[{"id":9},{"id":10},{"x":1}]}', cursor="max(items[].id)").cursor == "10"
    assert onward('{"items":[{"id":1.10},{"id":1.9}]}', cursor="max(items[].id)").cursor == "1.9"
    assert onward('[{"at":"2025-12-08"},{"at":"2025-12-09"}]', cursor="max([].at)").cursor == "2025-12-09"
    assert onward('[{"id":5},{"id":7}]', cursor="[-1].id").cursor == "7"
    assert onward('{"items":[]}', cursor="max(items[].id)").cursor is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"next": true}', "should find a text or a number, found true"),
        ('{"next": {"page": 2}}', "should find a text or a number, found an object with page"),
        ('{"next": ["a"]}', "should find a text or a number, found a list of 1"),
        (f'{{"next": "{"x" * 5000}"}}', "longer than 4,096 characters"),
    ],
)
def test_what_cannot_be_sent_back_is_refused(body: str, reason: str) -> None:
    """The sentence names the key of the settings."""
    with pytest.raises(PayloadRefused, match=reason) as caught:
        onward(body, token="next")
    assert str(caught.value).startswith("pagination.from: ")


def test_expression_that_fails_refuses_the_payload() -> None:
    """A maximum of what cannot be compared."""
    with pytest.raises(PayloadRefused, match=r"cursor\.from: `max\(\[\]\.id\)` cannot be evaluated"):
        onward('[{"id":1},{"id":"a"}]', cursor="max([].id)")
