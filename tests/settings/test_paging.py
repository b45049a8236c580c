"""``pagination`` and ``cursor`` as people write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from etl_actors.errors import ConfigError
from etl_actors.settings import (
    ConnectorSettings,
    Cursor,
    LinkedPages,
    NumberedPages,
    OffsetPages,
    Pages,
    TokenPages,
    read_configuration,
)
from etl_actors.settings.mistakes import connector_mistakes
from etl_actors.settings.paging import pages_of

from .test_files import ONE, mistakes, write


def read(folder: Path, text: str) -> ConnectorSettings:
    (connector,) = read_configuration(write(folder, a=ONE + text), {}).connectors
    return connector


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('"page"', NumberedPages()),
        ('"offset"', OffsetPages()),
        ('"link_header"', LinkedPages()),
        ('"cursor"\ncursor = { param = "since", from = "a" }', TokenPages()),
        ('{ type = "page", param = "p", start = 0, size_param = "n", size = 50, max_pages = 3 }', None),
        ('{ type = "offset", size = 50 }', OffsetPages(size=50)),
        ('{ type = "cursor", from = "meta.next" }', TokenPages(from_="meta.next")),
        ('{ type = "cursor", from = "next", param = "after", size = 5, size_param = "first" }', None),
        ('{ type = "link_header", max_pages = 7 }', LinkedPages(max_pages=7)),
    ],
)
def test_pagination_is_a_table_or_a_word(tmp_path: Path, written: str, meant: Pages | None) -> None:
    """A word stands for its table with the defaults."""
    found = pages_of(read(tmp_path, f"pagination = {written}\n").pagination)
    assert found is not None
    assert meant is None or found == meant


def test_table_says_everything(tmp_path: Path) -> None:
    """Each key arrives where it belongs."""
    text = 'pagination = { type = "page", param = "p", start = 0, size_param = "n", size = 50, max_pages = 3 }\n'
    assert read(tmp_path, text).pagination == NumberedPages(param="p", start=0, size_param="n", size=50, max_pages=3)


def test_cursor_is_a_table(tmp_path: Path) -> None:
    """``initial`` may be any scalar, or missing."""
    text = 'cursor = { param = "since", from = "max(items[].id)", initial = 0 }\n'
    assert read(tmp_path, text).cursor == Cursor(param="since", from_="max(items[].id)", initial=0)


def test_schema_is_the_same_in_json() -> None:
    """What a REST body says, and what is said of it."""
    body = {
        "connector_id": "one",
        "url": "http://x",
        "pagination": {"type": "cursor", "from": "next"},
        "cursor": {"param": "since", "from": "max([].id)"},
    }
    connector = msgspec.json.decode(msgspec.json.encode(body), type=ConnectorSettings, dec_hook=None)
    shown: dict[str, Any] = msgspec.to_builtins(connector, enc_hook=str)
    assert shown["pagination"]["from"] == "next"
    assert shown["cursor"]["from"] == "max([].id)"
    assert msgspec.convert(shown["pagination"], Pages) == connector.pagination


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ('pagination = "pages"', "pagination", "choose one of 'cursor', 'link_header', 'offset', 'page'"),
        ('pagination = "cursor"', "pagination", 'type = "cursor", from = '),
        ('pagination = { type = "cursor" }', "pagination", "or give the connector a cursor"),
        (
            'pagination = { type = "links" }',
            "pagination.type",
            "choose one of 'cursor', 'link_header', 'offset', 'page'",
        ),
        ('pagination = { type = "page", max_page = 5 }', "pagination.max_page", "did you mean 'max_pages'?"),
        ('pagination = { type = "page", size = 0 }', "pagination.size", "at least 1"),
        ('pagination = { type = "link_header", size = 10 }', "pagination.size", "unknown key"),
        ('cursor = { param = "since" }', "cursor.from", "this key is missing"),
        ('cursor = { param = "page", from = "a" }\npagination = "page"', "cursor.param", "sent by pagination.param"),
        ('pagination = "page"\nparams = { page = 1 }', "pagination.param", "sent by params.page"),
        ('pagination = { type = "page", size = 5 }\nparams = { per_page = 1 }', "pagination.size_param", "per_page"),
        (
            'cursor = { param = "key", from = "a" }\nauth = { type = "api_key", param = "key", value = "v" }',
            "cursor.param",
            "sent by auth",
        ),
        (
            'cursor = { param = "timestamp", from = "a" }\nauth = { type = "hmac", key = "k", secret = "s" }',
            "cursor.param",
            "sent by auth",
        ),
        ('method = "HEAD"\npagination = "page"', "pagination", "no body"),
    ],
)
def test_mistake_is_named_with_its_place(tmp_path: Path, text: str, place: str, reason: str) -> None:
    """Unknown words with those that are known, and two that would send the same parameter."""
    ((_, path, why),) = mistakes(write(tmp_path, a=ONE + text + "\n"))
    assert path == f"connectors[0].{place}"
    assert reason in why


def test_only_rest_connectors_have_pages() -> None:
    """A socket has neither."""
    connector = ConnectorSettings(
        connector_id="one", url="ws://x", kind="websocket", pagination="page", cursor=Cursor(param="a", from_="b")
    )
    assert [key for key, _ in connector_mistakes(connector)] == ["pagination", "cursor"]


def test_other_pages_are_another_fingerprint_and_another_cursor_is_not() -> None:
    """What is remembered of pages counts for those pages; a word and its table are the same pages."""
    one = ConnectorSettings(connector_id="one", url="http://x")
    paged = msgspec.structs.replace(one, pagination="page")
    assert paged.fingerprint() != one.fingerprint()
    assert msgspec.structs.replace(one, pagination=NumberedPages()).fingerprint() == paged.fingerprint()
    assert msgspec.structs.replace(one, cursor=Cursor(param="a", from_="b")).fingerprint() == one.fingerprint()


def test_expression_that_is_wrong_is_refused_with_its_place(tmp_path: Path) -> None:
    """Both are compiled when the config is read."""
    from etl_actors.compiling import compile_expressions

    text = 'cursor = { param = "s", from = "maximum(a)" }\npagination = { type = "cursor", from = "a..b" }\n'
    configuration = read_configuration(write(tmp_path, a=ONE + text), {})
    with pytest.raises(ConfigError) as caught:
        compile_expressions(configuration, {})
    assert [path for _, path, _ in caught.value.mistakes] == [
        "connectors[0].pagination.from",
        "connectors[0].cursor.from",
    ]
