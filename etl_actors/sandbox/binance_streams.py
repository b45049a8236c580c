"""Binance's market streams: which address opens which streams, and the control messages on an open socket."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from etl_actors.sandbox.binance_frames import FrameWriter
from etl_actors.sandbox.clock import Clock
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.messages import Request
from etl_actors.sandbox.streams import Rules
from etl_actors.sandbox.switches import Switches

_MOST_STREAMS = 1_024
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


class BinanceStreams:
    """``/ws/<stream>`` sends events as they are, ``/stream?streams=a/b`` each with the name of its stream."""

    rules = Rules(messages_per_second=5, asks_for_pongs=True)

    def __init__(self, market: Market, clock: Clock, switches: Switches) -> None:
        self._in_milliseconds = FrameWriter(market, clock, switches)
        self._in_microseconds = FrameWriter(market, clock, switches, unit=1_000)

    def open(self, request: Request) -> BinanceSession | None:
        """A session with the streams that the address names."""
        writer = self._in_microseconds if _in_microseconds(request) else self._in_milliseconds
        if request.path == "/stream":
            return BinanceSession(writer, (request.param("streams") or "").split("/"), combined=True)
        head, _, names = unquote(request.path).removeprefix("/").partition("/")
        return BinanceSession(writer, names.split("/"), combined=False) if head == "ws" else None


class BinanceSession:
    """One socket: its streams, in the order they were subscribed, and whether events are wrapped."""

    def __init__(self, writer: FrameWriter, names: Sequence[str], *, combined: bool) -> None:
        self._writer = writer
        self._streams = dict.fromkeys(filter(None, names))
        self._combined = combined

    def greet(self, tick: int) -> Sequence[str]:
        """Nothing: the events are the greeting."""
        return ()

    def hear(self, text: str, tick: int) -> Sequence[str]:
        """The reply to a control message; replies are never wrapped."""
        try:
            message = json.loads(text)
        except ValueError:
            return [_dump({"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"})]
        if not isinstance(message, dict):
            return [_dump({"code": 2, "msg": "Invalid request: expected an object"})]
        try:
            result = self._obey(message.get("method"), message.get("params"))
        except ValueError as error:
            about = {"id": message["id"]} if "id" in message else {}
            return [_dump({"code": 2, "msg": f"Invalid request: {error}", **about})]
        return [_dump({"result": result, "id": message.get("id")})]

    async def due(self, since: int, tick: int) -> Sequence[str]:
        """The events of all streams."""
        found = []
        for name in tuple(self._streams):
            found += [self._wrapped(name, event) for event in await self._writer.events(name, since, tick)]
        return found

    def announce_shutdown(self, tick: int) -> Sequence[str]:
        """``serverShutdown``, under a stream name of its own."""
        return [self._wrapped("!serverShutdown", _dump({"e": "serverShutdown", "E": self._writer.time(tick)}))]

    def _wrapped(self, name: str, event: str) -> str:
        return f'{{"stream":{_dump(name)},"data":{event}}}' if self._combined else event

    def _obey(self, method: Any, params: Any) -> Any:
        match method, params:
            case "SUBSCRIBE", [*names] if all(isinstance(name, str) for name in names):
                if len(self._streams.keys() | set(names)) > _MOST_STREAMS:
                    raise ValueError(f"more than {_MOST_STREAMS} streams")
                self._streams |= dict.fromkeys(names)  # one that there is not is taken all the same, and stays silent
                return None
            case "UNSUBSCRIBE", [*names] if all(isinstance(name, str) for name in names):
                for name in names:
                    self._streams.pop(name, None)
                return None
            case "LIST_SUBSCRIPTIONS", _:
                return list(self._streams)
            case "SET_PROPERTY", ["combined", bool(combined)]:
                self._combined = combined
                return None
            case "GET_PROPERTY", ["combined"]:
                return self._combined
        if method not in _METHODS:
            raise ValueError(
                f"unknown variant `{method}`, expected one of {', '.join(f'`{name}`' for name in _METHODS)}"
            )
        raise ValueError(f"invalid params for {method}")


def _in_microseconds(request: Request) -> bool:
    return (request.param("timeUnit") or "").upper() == "MICROSECOND"


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
