"""Keys and the live feed: who may speak, and that a stream ends with its key."""

from __future__ import annotations

import json
import time
from typing import Any

import websockets.sync.client

from ..test_live import Socket
from .conftest import Guarded
from .test_keys import QUICKLY


def bearer(key: str) -> dict[str, str]:
    """The header that shows it."""
    return {"Authorization": f"Bearer {key}"}


def test_a_message_for_everybody_needs_a_key_that_may_write(guarded: Guarded) -> None:
    """Listening needs none; and the socket stays."""
    url = guarded.socket_url()
    with websockets.sync.client.connect(url, additional_headers=bearer(guarded.keys["read"])) as connection:
        socket = Socket(connection)
        socket.say(type="chat", text="may I?")
        assert socket.hear()["data"]["title"] == "Scope missing"
        assert socket.answer(op="subscribe", sub="a", types=["chat"])["type"] == "subscribed"
        with websockets.sync.client.connect(url, additional_headers=bearer(guarded.keys["write"])) as writer:
            writer.send('{"type": "chat", "text": "you may"}')
            assert socket.hear()["text"] == "you may"


def test_a_stream_ends_when_its_key_does(guarded: Guarded) -> None:
    """Revoked is revoked, also for who listens already."""
    made: Any = guarded.new_key(name="a listener", scope="read")
    with guarded.client(made["key"]) as client, client.stream("GET", "/api/stream") as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")
        with guarded.client(guarded.keys["admin"]) as admin:
            assert admin.delete(f"/api/keys/{made['id']}").status_code in {200, 204}
        rest = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert all(one["type"] != "error" for one in rest)


def test_a_stream_ends_when_its_session_does(guarded: Guarded) -> None:
    """Who logs out hears no more; another session of the same key does."""
    key = guarded.keys["read"]
    guarded.shown.add(key)
    with guarded.client() as ending, guarded.client() as staying:
        for one in (ending, staying):
            assert one.post("/api/session", json={"key": key}).status_code == 200
        with ending.stream("GET", "/api/stream?types=chat") as ended, staying.stream("GET", "/api/stream") as answer:
            lines = ended.iter_lines()
            assert next(lines).startswith("retry:")
            assert ending.delete("/api/session").status_code == 204
            deadline = time.monotonic() + QUICKLY
            for _ in lines:
                assert time.monotonic() < deadline
            with guarded.client(guarded.keys["write"]) as writer:
                assert writer.post("/ws/test", json={"type": "test", "text": "still here"}).status_code == 200
            assert any("still here" in line for line in answer.iter_lines())
