"""``/api/stream`` as a foreign client of server-sent events sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from etl_actors.actors.subscription import Outgoing
from etl_actors.web.stream import as_message

from .test_live import chat


@contextmanager
def events(client: httpx.Client, query: str = "", last: str | None = None) -> Iterator[Iterator[tuple[str, Any]]]:
    """``(id, event)`` of every message of a stream."""
    headers = {"Accept": "text/event-stream"} | ({} if last is None else {"Last-Event-ID": last})
    with client.stream("GET", f"/api/stream{query}", headers=headers) as answer:
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        yield parsed(answer.iter_lines())


def parsed(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """As a browser reads them: the last id stays, comments are nothing."""
    last, data = "", []
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            last = value
        elif name == "data":
            data.append(value)
        elif not line and data:
            yield last, json.loads("\n".join(data))
            data = []


def test_events_come_with_their_offsets_as_ids(demo: str, client: httpx.Client) -> None:
    """And reconnecting with the last one goes on behind it, through history into what is live."""
    with events(client, "?types=sse") as stream:
        offsets = chat(demo, "one", "two", "three", kind="sse")
        heard = [next(stream) for _ in offsets]
    assert [(place, one["offset"]) for place, one in heard] == [(str(offset), offset) for offset in offsets]
    with events(client, "?types=sse&since=999999999", last=str(offsets[0])) as stream:
        _, first = next(stream)
        assert (first["type"], first["recovered"]) == ("subscribed", True)
        assert [next(stream)[1]["text"] for _ in range(2)] == ["two", "three"]
        chat(demo, "four", kind="sse")
        assert next(stream)[1]["text"] == "four"


def test_a_stream_says_at_once_where_it_begins(demo: str, client: httpx.Client) -> None:
    """So that a browser which loses it before the first event knows where to go on."""
    before = chat(demo, "before")[0]
    with client.stream("GET", "/api/stream?types=none", timeout=5) as answer:
        begun = [line for line, _ in zip(answer.iter_lines(), range(4), strict=False)]
    assert begun[:3] == ["retry: 1000", "", ": position"]
    assert int(begun[3].removeprefix("id: ")) >= before


def test_the_filters_are_those_of_the_socket(client: httpx.Client) -> None:
    """By symbol, type and connector."""
    with events(client, "?since=0&symbols=btc&connectors=coingecko_top&types=price_update") as stream:
        next(stream)
        _, event = next(stream)
    assert event["connector_id"] == "coingecko_top"
    assert {item["coin_symbol"] for item in event["data"]["items"]} == {"BTC"}


def test_resuming_what_is_not_there_says_so(client: httpx.Client) -> None:
    """As on the socket."""
    with events(client, "?since=5&stream=another") as stream:
        assert next(stream)[1]["recovered"] is False


@pytest.mark.parametrize("last", ["x", "-1", "1.5", "9" * 30])
def test_an_id_that_was_not_ours_is_refused(client: httpx.Client, last: str) -> None:
    """With a problem document."""
    answer = client.get("/api/stream", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert [one["path"] for one in answer.json()["errors"]] == ["header.Last-Event-ID"]


def test_a_head_is_answered_at_once(client: httpx.Client) -> None:
    """There is nothing to wait for."""
    answer = client.head("/api/stream")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")


def test_line_ends_in_json_do_not_end_a_message() -> None:
    """A provider's answer may hold some of each kind between its tokens."""
    text = b'{"a":\n1,\r\n"b":\r[\n\n]}'
    message = as_message(Outgoing(text, 7))
    assert list(parsed(iter(message.decode().split("\n")))) == [("7", {"a": 1, "b": []})]


def test_a_position_moves_the_id_and_is_no_message() -> None:
    """What a browser would resume behind, though nothing it asked for has come."""
    message = as_message(Outgoing(b'{"type":"position","offset":9}', 9)).decode()
    assert message == ": position\nid: 9\n\n"
    announced = as_message(Outgoing(b'{"type":"position","of":"somebody"}')).decode()
    assert announced == 'data: {"type":"position","of":"somebody"}\n\n'
