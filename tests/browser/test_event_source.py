"""``new EventSource("/api/stream")``: the browser itself comes back, and says where it was."""

from __future__ import annotations

import json
import socket
from typing import Any

import websockets.sync.client

from ..web.started import Started, started
from ..web.test_live import chat
from .page import Page
from .services import feed_folder

CONNECTING = 0


def events(heard: list[Any]) -> list[Any]:
    """The events among what was heard."""
    return [one["event"] for one in heard if "timestamp" in one["event"]]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def history(address: str, upto: int) -> list[Any]:
    """The stored events up to this offset."""
    url = address.replace("http", "ws") + "/ws?since=0"
    with websockets.sync.client.connect(url, max_size=None) as connection:
        stored: list[Any] = []
        while not stored or stored[-1]["offset"] < upto:
            said = json.loads(connection.recv(timeout=20))
            stored += [said] if "timestamp" in said else []
    return stored


def btc_prices(event: Any) -> list[Any]:
    """The prices of bitcoin in an event."""
    items = event["data"]["items"] if event["type"] == "price_update" else ()
    return [item for item in items if item["coin_symbol"] == "BTC"]


def test_each_event_comes_with_its_offset_as_id(page: Page, service: Started) -> None:
    """What is committed, as it is committed, through the filters of the address."""
    page.open(f"{service.address}/dashboard")
    stream = page.stream("/api/stream?symbols=BTC&types=price_update")
    heard = stream.until_heard(lambda heard: len(heard) >= 3)
    assert [one["id"] for one in heard] == [str(one["event"]["offset"]) for one in heard]
    assert all(one["event"]["data"]["items"] == btc_prices(one["event"]) != [] for one in heard)
    assert page.complaints() == []


def test_a_browser_comes_back_by_itself_and_misses_nothing(page: Page, origins: dict[str, str]) -> None:
    """Over a stop and a ``kill -9``, with what was committed in between: each event once, in order, quiet ones too."""
    port = free_port()
    with feed_folder(origins) as folder:
        with started(folder, port=port) as first:
            page.open(f"{first.address}/dashboard")
            whole = page.stream("/api/stream")
            bitcoin = page.stream("/api/stream?symbols=BTC&types=price_update")
            quiet = page.stream("/api/stream?types=rare")
            for stream in (whole, bitcoin):
                stream.until_heard(lambda heard: len(events(heard)) >= 3)
            quiet.until_it_is("opened")
        for stream in (whole, bitcoin, quiet):
            stream.until_it_is("failed")
            assert stream.tell("source.readyState") == CONNECTING
        with started(folder) as unseen:  # on another port, so that the browser has something to catch up on
            missed = chat(unseen.address, "while nobody listened", kind="rare")[0]
            unseen.kill()
        with started(folder, port=port) as again:
            for stream in (whole, bitcoin):
                stream.until_heard(lambda heard: len(events(heard)) >= 3 and events(heard)[-1]["offset"] > missed + 10)
            quiet.until_heard(events)
            page.shows("#live", "live".__eq__)
            heard = {name: stream.heard() for name, stream in (("whole", whole), ("btc", bitcoin), ("quiet", quiet))}
            stored = history(again.address, upto=max(events(one)[-1]["offset"] for one in heard.values()))
    for one in heard.values():
        resumed = [said["event"] for said in one if said["event"]["type"] == "subscribed"]
        assert [said["recovered"] for said in resumed] == [True]
        assert all(said["id"] == str(said["event"]["offset"]) for said in one if "timestamp" in said["event"])
    for name, wanted in (("whole", bool), ("btc", btc_prices)):
        came = events(heard[name])
        first_offset, last_offset = came[0]["offset"], came[-1]["offset"]
        expected = [one for one in stored if first_offset <= one["offset"] <= last_offset and wanted(one)]
        # Their ids, since a browser rounds long numbers.
        assert [(one["offset"], one["id"]) for one in came] == [(one["offset"], one["id"]) for one in expected]
    assert [one["text"] for one in events(heard["quiet"])] == ["while nobody listened"]
