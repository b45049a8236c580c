"""``new WebSocket("/ws")`` in a page of the service's own origin."""

from __future__ import annotations

from typing import Any

from ..web.started import Started
from .page import Page


def events(heard: list[Any], connector: str | None = None) -> list[Any]:
    """The events among what was heard, of one connector or of all."""
    return [one for one in heard if "timestamp" in one and connector in {None, one.get("connector_id")}]


def test_a_page_hears_what_is_committed_and_narrows_it(page: Page, service: Started) -> None:
    """Everything at first; then what it subscribed to, trimmed to it, under its name; then nothing; each is in REST."""
    page.open(f"{service.address}/dashboard")
    socket, whole = page.socket("/ws"), page.socket("/ws")
    socket.until_heard(lambda heard: len({one.get("connector_id") for one in events(heard)}) >= 3)
    wish = {"symbols": ["btc"], "connectors": ["binance_24hr"], "types": ["price_update"]}
    subscribed = socket.answer({"op": "subscribe", "id": 1, "sub": "mine", **wish})
    assert (subscribed["type"], subscribed["sub"], subscribed["recovered"]) == ("subscribed", "mine", True)
    heard = socket.until_heard(lambda heard: sum("subs" in one for one in heard) >= 2)
    mine = events(heard[heard.index(subscribed) + 1 :])
    assert [(one["connector_id"], one["type"], one["subs"]) for one in mine] == [
        ("binance_24hr", "price_update", ["mine"])
    ] * len(mine)
    assert {item["coin_symbol"] for one in mine for item in one["data"]["items"]} == {"BTC"}
    offsets = {one["offset"] for one in mine}
    whole.until_heard(lambda heard: offsets <= {one["offset"] for one in events(heard)})
    with service.client() as client:
        stored = client.get("/api/data/binance_24hr", params={"limit": 1000}).json()["data"]
        assert offsets <= {one["stream_offset"] for one in stored}

    assert socket.answer({"op": "unsubscribe", "id": 2, "sub": "mine"})["type"] == "unsubscribed"
    so_far = len(events(whole.heard(), "binance_24hr"))
    whole.until_heard(lambda heard: len(events(heard, "binance_24hr")) > so_far)
    assert socket.answer({"op": "ping", "id": 3}) == {"type": "pong", "id": 3}
    assert [one["type"] for one in socket.heard()[-2:]] == ["unsubscribed", "pong"]
    assert page.complaints() == []


def test_a_socket_stays_after_a_message_that_is_wrong(page: Page, service: Started) -> None:
    """It is told what was wrong, and goes on: what it says next, in any language, comes back to it."""
    page.open(f"{service.address}/dashboard")
    socket = page.socket("/ws?types=none")
    socket.until_it_is("opened")
    socket.say("{no json")
    error = socket.until_heard(bool)[0]
    assert (error["type"], error["data"]["title"]) == ("error", "Not JSON")
    assert socket.answer({"op": "ping", "id": "still here"})["type"] == "pong"
    socket.say({"type": "chat", "text": "Grüße, 世界 🌍"})
    said = socket.until_heard(lambda heard: len(heard) == 3)[-1]
    assert (said["type"], said["text"]) == ("chat", "Grüße, 世界 🌍")
    assert isinstance(said["offset"], int)
    assert (socket.tell("opened"), socket.tell("failed"), socket.tell("closed")) == (1, 0, None)


def test_an_address_says_where_to_begin_and_what_to_send(page: Page, service: Started) -> None:
    """History from ``since`` on and what follows it, once each and in order, batched; closing it is clean."""
    page.open(f"{service.address}/dashboard")
    page.socket("/ws").until_heard(lambda heard: len(events(heard)) >= 3)
    socket = page.socket("/ws?since=0&batch=true&interval_ms=100")
    newest = socket.until_heard(bool)[0]["offset"]
    assert socket.heard()[0]["recovered"] is True

    def flat(heard: list[Any]) -> list[int]:
        parts = [part for one in heard for part in (one["events"] if one["type"] == "batch" else [one])]
        return [one["offset"] for one in events(parts)]

    offsets = flat(socket.until_heard(lambda heard: max(flat(heard), default=0) > newest))
    assert offsets == list(range(1, offsets[-1] + 1))
    assert any(one["type"] == "batch" for one in socket.heard())
    page.run("kept[arguments[0]].source.close(1000, 'enough')", socket.name)
    assert socket.until_it_is("closed") == {"code": 1000, "reason": "enough", "wasClean": True}
