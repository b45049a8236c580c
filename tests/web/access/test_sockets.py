"""Keys on ``/ws``, with a foreign client."""

from __future__ import annotations

import socket
from collections import deque
from functools import partial
from typing import Any

import pytest
import websockets.sync.client
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .conftest import ADMIN_KEY, Guarded, own_address


def connect(guarded: Guarded, query: str = "", **arguments: Any) -> websockets.sync.client.ClientConnection:
    """A socket, opened from an address of its own."""
    return websockets.sync.client.connect(
        guarded.socket_url(query), source_address=(own_address(), 0), max_size=None, **arguments
    )


def pong(opened: websockets.sync.client.ClientConnection) -> None:
    """It is open and answers."""
    opened.send('{"op": "ping", "id": 1}')
    assert '"pong"' in str(opened.recv(timeout=5))


def refusal(guarded: Guarded, query: str = "", **arguments: Any) -> int:
    """The status a handshake is refused with, as a problem document that does not repeat a key."""
    with pytest.raises(InvalidStatus) as refused:
        connect(guarded, query, **arguments)
    response = refused.value.response
    assert response.headers["content-type"] == "application/problem+json"
    assert b"canary" not in (response.body or b"")
    return response.status_code


def test_a_key_opens_a_socket_in_every_way(guarded: Guarded) -> None:
    """Both headers, the query, and the subprotocols that a browser can send; never is a key sent back."""
    key = guarded.keys["read"]
    for arguments in (
        {"additional_headers": {"Authorization": f"Bearer {key}"}},
        {"additional_headers": {"X-API-Key": key}},
        {"query": f"?key={key}"},
        {"query": f"?symbols=BTC&key={ADMIN_KEY}"},
        {"subprotocols": [f"etl-actors.key.{key}"]},
        {"subprotocols": [key]},
    ):
        with connect(guarded, **arguments) as opened:
            assert opened.subprotocol is None
            pong(opened)
    for offered, answered in (
        (["etl-actors", f"etl-actors.key.{key}"], "etl-actors"),
        ([f"etl-actors.key.{key}", "etl-actors"], "etl-actors"),
        (["etl-actors", key], "etl-actors"),
        (["bearer", ADMIN_KEY], "bearer"),
    ):
        with connect(guarded, subprotocols=offered) as opened:
            assert opened.subprotocol == answered
            pong(opened)


def test_without_a_key_no_socket_opens(guarded: Guarded) -> None:
    """401 before anything is sent; two different keys are 400."""
    assert refusal(guarded) == 401
    assert refusal(guarded, "?key=") == 401
    assert refusal(guarded, "?key=canary") == 401
    assert refusal(guarded, subprotocols=["etl-actors"]) == 401
    assert refusal(guarded, subprotocols=["etl-actors", "canary"]) == 401
    assert refusal(guarded, additional_headers={"Authorization": "Bearer canary"}) == 401
    assert refusal(guarded, f"?key={ADMIN_KEY}", subprotocols=["bearer", guarded.keys["read"]]) == 400
    assert refusal(guarded, additional_headers={"X-Forwarded-For": "10.1.1.1"}) == 400


def test_sockets_of_a_revoked_key_end(guarded: Guarded) -> None:
    """With 1008 and a reason; those of others stay."""
    made = guarded.new_key(scope="read")
    with connect(guarded, f"?key={made['key']}") as ending, connect(guarded, f"?key={ADMIN_KEY}") as staying:
        pong(ending)
        with guarded.client(ADMIN_KEY) as admin:
            admin.delete(f"/api/keys/{made['id']}")
        with pytest.raises(ConnectionClosed) as closed:
            deque(iter(partial(ending.recv, timeout=5), None), maxlen=0)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert "revoked" in closed.value.rcvd.reason
        pong(staying)


@pytest.mark.parametrize("name", [b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions"])
def test_a_handshake_that_breaks_the_server_s_protocol_code_ends_alone(guarded: Guarded, name: bytes) -> None:
    """Bytes beyond ASCII once ended the whole server, whoever sent them."""
    host, port = guarded.address.removeprefix("http://").split(":")
    with connect(guarded, f"?key={ADMIN_KEY}") as staying:
        with socket.create_connection((host, int(port)), timeout=5) as broken:
            broken.sendall(
                b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
                + name
                + b": \xff\r\n\r\n"
            )
            assert broken.recv(1000) == b""
        pong(staying)
    with guarded.client(ADMIN_KEY) as client:
        assert client.get("/api/status").status_code == 200
