"""``/ws`` on a running service, as a foreign client sees it: subscriptions, resuming, messages, errors that stay."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import httpx
import pytest
import websockets
import websockets.sync.client

SECONDS = 20


class Socket:
    """A connection to ``/ws``, and what was heard on it."""

    def __init__(self, connection: websockets.sync.client.ClientConnection) -> None:
        self.connection = connection
        self.heard: list[Any] = []

    def say(self, **message: Any) -> None:
        """Send a message."""
        self.connection.send(json.dumps(message))

    def hear(self, seconds: float = SECONDS) -> Any:
        """The next message."""
        self.heard.append(json.loads(self.connection.recv(timeout=seconds)))
        return self.heard[-1]

    def until(self, holds: Callable[[Any], bool]) -> Any:
        """The next message for which that is true."""
        while not holds(message := self.hear()):
            pass
        return message

    def answer(self, **request: Any) -> Any:
        """What a request is answered; its id is echoed."""
        request.setdefault("id", len(self.heard) + 1000)
        self.say(**request)
        return self.until(lambda one: one.get("id") == request["id"] and one["type"] in REPLIES)


REPLIES = {"subscribed", "unsubscribed", "pong", "error"}


@contextmanager
def listening(address: str, query: str = "") -> Iterator[Socket]:
    """A socket that listens."""
    url = f"{address.replace('http', 'ws')}/ws{query}"
    with websockets.sync.client.connect(url, max_size=None) as connection:
        yield Socket(connection)


def chat(address: str, *texts: str, kind: str = "chat") -> list[int]:
    """Say these things to everybody; the offsets they got."""
    with listening(address, "?types=none") as socket:
        for text in texts:
            socket.say(type=kind, text=text)
        return [socket.until(lambda one, text=text: one.get("text") == text)["offset"] for text in texts]


def test_a_message_is_stored_and_sent_to_everybody_the_sender_too(demo: str) -> None:
    """As it came, with offset, id and timestamp added; who asked for none of it gets what it said itself."""
    with listening(demo) as everything, listening(demo, "?types=hello") as some, listening(demo, "?types=x") as none:
        some.say(type="hello", text="one", price=1.50, nested={"a": [1, None]})
        heard = [one.until(lambda said: said["type"] == "hello") for one in (everything, some)]
        assert heard[0] == heard[1]
        assert heard[0] | {"offset": 0, "id": "", "timestamp": ""} == {
            "type": "hello", "text": "one", "price": 1.5, "nested": {"a": [1, None]}, "offset": 0, "id": "",
            "timestamp": "",
        }  # fmt: skip
        assert UUID(heard[0]["id"]).version == 7
        none.say(type="hello", text="two")
        assert none.hear()["text"] == "two"
        assert "subs" not in none.heard[0]
    with listening(demo, f"?types=hello&since={heard[0]['offset'] - 1}") as later:
        assert later.hear()["type"] == "subscribed"
        assert later.hear() == heard[0]


def test_the_sender_gets_its_message_once_whatever_it_subscribes_to_meanwhile(demo: str) -> None:
    """It is decided when the message is published, not when it was said."""
    with listening(demo, "?types=none") as socket:
        for number in range(60):
            socket.say(type="chat", text=f"m{number}")
            socket.say(op="unsubscribe" if number % 2 else "subscribe", id=number, sub="mine", types=["chat"])
        socket.until(lambda said: said.get("text") == "m59")
        socket.answer(op="ping")
        heard = [said["text"] for said in socket.heard if said["type"] == "chat"]
    assert sorted(heard, key=lambda text: int(text[1:])) == [f"m{number}" for number in range(60)]


def test_a_message_has_no_subscriptions_of_its_own(demo: str) -> None:
    """``subs`` says for which of the reader's it comes, once."""
    with listening(demo, "?types=none") as socket:
        socket.answer(op="subscribe", sub="mine", types=["chat"])
        socket.say(type="chat", text="hello", subs=["hers"])
        text = socket.connection.recv(timeout=SECONDS)
    assert str(text).count('"subs"') == 1
    assert json.loads(text)["subs"] == ["mine"]


def test_messages_of_one_client_keep_their_order(demo: str) -> None:
    """However quickly they come."""
    texts = [str(number) for number in range(100)]
    offsets = chat(demo, *texts)
    assert offsets == sorted(offsets)


@pytest.mark.parametrize(
    ("message", "title"),
    [
        ("{no json", "Not JSON"),
        ('{"a":' * 3_000, "Not JSON"),
        ("[1]", "Not an object"),
        ("17", "Not an object"),
        ("{}", "No type"),
        ('{"type": 5}', "No type"),
        ('{"type": ""}', "No type"),
        ('{"type": "price_update"}', "Reserved type"),
        ('{"type": "batch"}', "Reserved type"),
        ('{"type": "x", "a": "\\u0000"}', "Not valid"),
        ('{"type": "x", "a": "\\ud800"}', "Not JSON"),
        ('{"type": "' + "x" * 101 + '"}', "Not valid"),
        ('{"type": "x", "a": 1e999999}', "Not JSON"),
        ('{"op": "subscribe", "id": 1, "symbols": ["\\ud800"]}', "Not JSON"),
        ("", "Not JSON"),
        ('{"op": "dance"}', "Not understood"),
        ('{"op": 1}', "Not understood"),
        ('{"op": "subscribe", "id": 1, "symbol": ["BTC"]}', "Not valid"),
        ('{"op": "subscribe", "id": 1, "symbols": []}', "Not valid"),
        ('{"op": "subscribe", "id": 1, "symbols": [5]}', "Not valid"),
        ('{"op": "subscribe", "id": 1, "since": -1}', "Not valid"),
        ('{"op": "subscribe", "id": 1, "since": "12"}', "Not valid"),
        ('{"op": "subscribe", "id": 1, "policy": "guess"}', "Not valid"),
        ('{"op": "subscribe", "id": {"a": 1}}', "Not valid"),
        ('{"op": "unsubscribe", "id": 1, "sub": "nosuch"}', "No such subscription"),
        ('{"op": "ping", "id": "' + "x" * 300 + '"}', "Not valid"),
    ],
)
def test_a_wrong_message_gets_an_error_and_the_socket_stays(demo: str, message: str, title: str) -> None:
    """With a sentence that says what is wrong; what comes after it is answered."""
    with listening(demo, "?types=none") as socket:
        socket.connection.send(message)
        error = socket.hear()
        assert (error["type"], error["data"]["title"]) == ("error", title)
        assert error["data"]["detail"]
        assert socket.answer(op="ping", id="x" * 40)["type"] == "pong"
    with listening(demo, "?types=none") as socket:
        socket.connection.send(message.encode())
        assert socket.hear()["data"]["title"] == title


@pytest.mark.parametrize("request_id", [1, "one", 2**70, None, 1.5, [1]])
def test_a_request_is_echoed_by_its_id(demo: str, request_id: Any) -> None:
    """Whatever it is."""
    with listening(demo, "?types=none") as socket:
        socket.say(op="ping", id=request_id)
        assert socket.hear() == {"type": "pong", "id": request_id}


def test_subscriptions_are_named_and_ended(demo: str) -> None:
    """By ``sub``, else by the request's id; an event of two comes once with both names; none left is silence."""
    with listening(demo) as socket:
        first = socket.answer(op="subscribe", id=7, types=["chat"])
        assert (first["type"], first["sub"], first["recovered"]) == ("subscribed", 7, True)
        assert UUID(first["stream"])
        assert isinstance(first["offset"], int)
        assert socket.answer(op="subscribe", sub="both", types="chat")["sub"] == "both"
        chat(demo, "a")
        assert socket.hear()["subs"] == [7, "both"]
        assert socket.answer(op="unsubscribe", id=9, sub=7) == {"type": "unsubscribed", "id": 9, "sub": 7}
        chat(demo, "b")
        assert socket.hear()["subs"] == ["both"]
        assert socket.answer(op="unsubscribe", sub="both")["type"] == "unsubscribed"
        chat(demo, "c")
        with pytest.raises(TimeoutError):
            socket.hear(0.5)
        assert socket.answer(op="ping")["type"] == "pong"


def test_history_is_filtered_by_connector_symbol_and_type(demo: str) -> None:
    """Exactly what was asked for, trimmed to the symbols whatever their case, with the offset and id of the whole."""
    with (
        listening(demo, "?since=0") as everything,
        listening(demo, "?since=0&symbols=btc,Eth&types=price_update") as some,
    ):
        newest = everything.hear()["offset"]
        whole: dict[int, Any] = {}
        while max(whole, default=0) < newest:
            event = everything.until(lambda one: "offset" in one and one["type"] != "position")
            whole[event["offset"]] = event
        assert sorted(whole) == list(range(1, newest + 1))
        assert some.hear()["recovered"] is True
        wanted = {
            offset: kept
            for offset, event in whole.items()
            if event["type"] == "price_update"
            and (
                kept := [
                    item for item in event["data"]["items"] if (item["coin_symbol"] or "").upper() in {"BTC", "ETH"}
                ]
            )
        }
        assert len(wanted) >= 3
        for offset in sorted(wanted):
            event = some.until(lambda one: one["type"] == "price_update")
            assert event == whole[offset] | {"data": {"items": wanted[offset]}}
    with listening(demo, "?since=0&connectors=coingecko_global,nosuch") as one:
        one.hear()
        event = one.until(lambda said: "id" in said)
        assert (event["connector_id"], event["type"]) == ("coingecko_global", "data_update")


def test_resuming_says_whether_all_of_it_could_be_had(demo: str) -> None:
    """Not from another history, and not from ahead; then the oldest offset is named, and what is new comes."""
    offset = chat(demo, "before")[0]
    with listening(demo) as socket:
        good = socket.answer(op="subscribe", sub="a", types=["chat"], since=offset - 1)
        assert good["recovered"] is True
        assert good["offset"] >= offset
        assert socket.hear()["text"] == "before"
        again = socket.answer(op="subscribe", sub="a", types=["chat"], since=offset, stream=good["stream"])
        assert again["recovered"] is True
    for since, more in ((offset, {"stream": "another"}), (offset + 1_000_000, {})):
        with listening(demo) as socket:
            lost = socket.answer(op="subscribe", sub="a", types=["chat"], since=since, **more)
            assert (lost["recovered"], lost["oldest_offset"]) == (False, 1)
            text = f"after {since}"
            chat(demo, text)
            assert socket.hear()["text"] == text


def test_a_batch_is_one_frame_of_waiting_events(demo: str) -> None:
    """Each as it would have been sent alone."""
    first = chat(demo, *(str(number) for number in range(30)), kind="batched")[0]
    with listening(demo, f"?types=batched&since={first - 1}&batch=true&interval_ms=200") as socket:
        assert socket.hear()["type"] == "subscribed"
        events: list[Any] = []
        while len(events) < 30:
            frame = socket.hear()
            events += frame["events"] if frame["type"] == "batch" else [frame]
        assert [one["text"] for one in events] == [str(number) for number in range(30)]
        assert any(one["type"] == "batch" for one in socket.heard)


@pytest.mark.parametrize(
    "query",
    ["since=x", "since=-1", "since=1.5", "policy=guess", "batch=perhaps", "interval_ms=99999", "since=1&since=2",
     "symbols=" + ",".join(f"s{n}" for n in range(110)) + "&connectors=" + ",".join(f"c{n}" for n in range(110))],
)  # fmt: skip
def test_a_wrong_parameter_is_refused_before_the_socket_opens(demo: str, query: str) -> None:
    """With 422 and a problem document, on ``/api/stream`` too."""
    with pytest.raises(websockets.InvalidStatus) as refused, listening(demo, f"?{query}"):
        pass
    assert refused.value.response.status_code == 422
    assert json.loads(refused.value.response.body or b"{}")["detail"]
    if not query.startswith(("batch", "interval")):
        assert httpx.get(f"{demo}/api/stream?{query}").status_code == 422


def test_a_client_has_so_many_subscriptions_at_most(demo: str) -> None:
    """And so many names in them: what it costs is bounded; the others stay."""
    with listening(demo) as socket:
        for number in range(100):
            assert socket.answer(op="subscribe", sub=number, types=["chat"])["type"] == "subscribed"
        assert socket.answer(op="subscribe", sub="more", types=["chat"])["type"] == "error"
        assert socket.answer(op="subscribe", sub=5, types=["chat"])["type"] == "subscribed"
        many = [f"s{number}" for number in range(10_000)]
        assert socket.answer(op="subscribe", sub=6, symbols=many)["type"] == "error"
        chat(demo, "still")
        assert len(socket.until(lambda one: one["type"] == "chat")["subs"]) == 100


@pytest.mark.parametrize("compression", ["deflate", None])
def test_a_message_in_pieces_is_one_message(demo: str, compression: str | None) -> None:
    """As text and as bytes, whatever compression is offered, with pings in between, which are answered at once."""
    url = f"{demo.replace('http', 'ws')}/ws?types=none"
    with websockets.sync.client.connect(url, max_size=None, compression=compression) as connection:
        assert connection.protocol.extensions == []
        socket = Socket(connection)

        def pieces(text: str) -> Iterator[str]:
            for character in text:
                yield character
                assert connection.ping().wait(SECONDS)

        connection.send(pieces('{"op": "ping", "id": "ü"}'))
        assert socket.hear() == {"type": "pong", "id": "ü"}
        connection.send(piece.encode() for piece in ('{"type": "chat", ', '"text": "', "long " * 100_000, '"}'))
        assert socket.hear()["text"] == "long " * 100_000


@pytest.mark.parametrize("length", [1_100_000, 3_000_000, 20_000_000])
@pytest.mark.parametrize("compression", ["deflate", None])
def test_a_message_beyond_all_measure_ends_its_socket_alone(demo: str, compression: str | None, length: int) -> None:
    """With 1009, at once."""
    url = f"{demo.replace('http', 'ws')}/ws?types=none"
    with (
        listening(demo, "?types=none") as staying,
        websockets.sync.client.connect(url, max_size=None, compression=compression) as connection,
    ):
        with suppress(websockets.ConnectionClosed):  # it may be refused before all of it was sent
            connection.send('{"type": "chat", "text": "' + "x" * length + '"}')
        with pytest.raises(websockets.ConnectionClosed) as closed:
            connection.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert staying.answer(op="ping")["type"] == "pong"


def test_a_client_that_closes_is_answered_with_its_own_code(demo: str) -> None:
    """And nobody else hears of it."""
    with listening(demo, "?types=none") as socket:
        socket.connection.close(4001, "enough")
        assert (socket.connection.close_code, socket.connection.close_reason) == (4001, "enough")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x82\0\0\0\0\xff\xfe", 1007),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\x81\x02{}", 1002),
        (b"\xc1\x84\0\0\0\0\xff\xff\xff\xff", 1002),
        (b"\x89\xfe\0\x7e\0\0\0\0" + b"x" * 126, 1002),
    ],
    ids=[
        "text that is no UTF-8",
        "an unknown opcode",
        "without a mask",
        "compressed, which nobody agreed to",
        "a long ping",
    ],
)
def test_what_is_no_websocket_is_told_so(demo: str, frame: bytes, code: int) -> None:
    """By the code it is closed with."""
    with listening(demo, "?types=none") as socket:
        socket.connection.socket.sendall(frame)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            socket.hear(5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code
