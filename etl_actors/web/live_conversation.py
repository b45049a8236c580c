"""What a client says on ``/ws`` and what it is answered: requests with ``op``, and messages for everybody without.

Whatever is wrong with a message is answered with an ``error``, and the socket stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec
import trio
from msgspec import Raw

from ..errors import EtlActorsError, NotDrained, StorageUnavailable
from ..messages import Event
from ..wire import encode
from .live_wish import LONGEST_NAME, Wish, WishRefused, reach_for, read_subscribe, subscribe_nowait
from .ports import Postbox, Publisher, Reach, Subscriber

OWN_TYPES = frozenset(
    {
        "subscribed", "unsubscribed", "pong", "price_update", "data_update", "connector_status", "gap", "position",
        "stored", "dropped", "error", "batch",
    }
)  # fmt: skip
"""The types of what the service itself says."""
LONGEST_TYPE = 100
LONGEST_ID = 256
MESSAGES_UNDER_WAY = 16

_NULL = Raw(b"null")
# A NUL that is written as an escape: the backslash before it is not itself escaped.
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_OPS = 'an "op" is "subscribe", "unsubscribe" or "ping"; a message for everybody has no "op" but a "type"'


class _Refused(Exception):
    """A message that cannot be done as it asks: title and detail."""


class Conversation:
    """One client's; ``nursery`` is for what takes longer than the next message should wait."""

    def __init__(
        self,
        publisher: Publisher,
        postbox: Postbox,
        subscriber: Subscriber,
        nursery: trio.Nursery,
        *,
        may_write: bool,
    ) -> None:
        self._publisher = publisher
        self._postbox = postbox
        self._subscriber = subscriber
        self._nursery = nursery
        self._may_write = may_write
        self._turns = trio.Semaphore(MESSAGES_UNDER_WAY)
        self._answered: trio.Event | None = None

    async def hear(self, frame: str | bytes | None) -> None:
        """Do what one message says, and answer. Waits while too many answers do. None is a frame without a byte."""
        await self._subscriber.wait_reply_room()
        request_id = _NULL
        try:
            message = _as_text(frame)
            said = _object(message)
            request_id = _request_id(said)
            if "op" in said:
                await self._do(message, said, request_id)
            else:
                await self._take(message, said, request_id)
        except _Refused as refused:
            self._tell(request_id, *refused.args)

    async def _do(self, message: str, said: Mapping[str, Raw], request_id: Raw) -> None:
        op = _text(said["op"])
        if op == "ping":
            self._reply({"type": "pong", "id": request_id})
        elif op == "subscribe":
            await self._subscribe(message, said, request_id)
        elif op == "unsubscribe":
            self._unsubscribe(said, request_id)
        else:
            raise _Refused("Not understood", _OPS)

    async def _subscribe(self, message: str, said: Mapping[str, Raw], request_id: Raw) -> None:
        try:
            asked = read_subscribe(message)
            wish, name = asked.wish(), _name(said)
            reach = await self._reach(wish)
            subscribe_nowait(self._publisher, self._subscriber, wish, reach, name=name, request_id=request_id)
        except (msgspec.DecodeError, WishRefused) as error:
            raise _Refused("Not valid", str(error)) from None

    async def _reach(self, wish: Wish) -> Reach | None:
        try:
            return await reach_for(self._publisher, wish)
        except StorageUnavailable as error:
            raise _Refused("Database unavailable", f"history cannot be read now: {error}") from None

    def _unsubscribe(self, said: Mapping[str, Raw], request_id: Raw) -> None:
        name = _name(said)
        if not self._subscriber.unsubscribe_nowait(name):
            raise _Refused("No such subscription", f"there is no subscription {name!r}")
        self._reply({"type": "unsubscribed", "id": request_id, "sub": name})

    async def _take(self, message: str, said: Mapping[str, Raw], request_id: Raw) -> None:
        kind = self._message_type(message, said)
        await self._turns.acquire()
        before, self._answered = self._answered, trio.Event()
        # A task makes its first step before one that is started later, so messages are handed on as they came.
        self._nursery.start_soon(self._post, kind, message.encode(), request_id, before, self._answered)

    async def _post(
        self, kind: str, body: bytes, request_id: Raw, before: trio.Event | None, answered: trio.Event
    ) -> None:
        """Post a message and say what became of it, once that is said of the one before."""
        outcome: Event | tuple[str, str]
        try:
            try:
                outcome = await self._postbox.post(kind, body)
            except (StorageUnavailable, NotDrained) as error:
                outcome = "Not now", f"the message was not taken: {error}"
            except EtlActorsError as error:
                outcome = "Not stored", str(error)
            if before is not None:
                await before.wait()
            if isinstance(outcome, Event):
                await self._acknowledge(outcome)
            else:
                self._tell(request_id, *outcome)
        finally:
            answered.set()
            self._turns.release()

    async def _acknowledge(self, event: Event) -> None:
        """The sender gets its message in any case: among what it wanted when that was published, else by itself."""
        await self._publisher.wait_published(event.offset)
        if not self._subscriber.gets(event):
            self._subscriber.reply_nowait(event.encoded)

    def _message_type(self, message: str, said: Mapping[str, Raw]) -> str:
        if not self._may_write:
            raise _Refused("Scope missing", "a message for everybody needs a key with the scope 'write'")
        kind = _text(said["type"]) if "type" in said else None
        if not kind:
            raise _Refused("No type", _OPS)
        if kind in OWN_TYPES:
            raise _Refused("Reserved type", f"{kind!r} is a type of the service's own messages; use another")
        if len(kind) > LONGEST_TYPE:
            raise _Refused("Not valid", f"type: has {LONGEST_TYPE} characters at most")
        if _ESCAPED_NUL.search(message):
            raise _Refused("Not valid", "holds a NUL character, which no stored text has")
        try:
            msgspec.json.decode(message)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _Refused("Not JSON", f"a message must be a JSON object: {error}") from None
        return kind

    def _reply(self, answer: Mapping[str, Any]) -> None:
        self._subscriber.reply_nowait(encode(answer))

    def _tell(self, request_id: Raw, title: str, detail: str) -> None:
        self._reply({"type": "error", "id": request_id, "data": {"title": title, "detail": detail}})


def _as_text(frame: str | bytes | None) -> str:
    try:
        return frame.decode() if isinstance(frame, bytes) else frame or ""
    except UnicodeDecodeError as error:
        raise _Refused("Not JSON", f"a message must be a JSON object: {error}") from None


def _object(message: str) -> dict[str, Raw]:
    try:
        return msgspec.json.decode(message, type=dict[str, Raw])
    except msgspec.ValidationError:
        raise _Refused("Not an object", "a message must be a JSON object") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise _Refused("Not JSON", f"a message must be a JSON object: {error}") from None


def _request_id(said: Mapping[str, Raw]) -> Raw:
    request_id = said.get("id", _NULL)
    if len(bytes(request_id)) > LONGEST_ID:
        raise _Refused("Not valid", f"id: takes {LONGEST_ID} bytes at most")
    return request_id


def _text(value: Raw) -> str | None:
    """The string that ``value`` is; None when it is none."""
    try:
        return msgspec.json.decode(value, type=str)
    except msgspec.DecodeError:
        return None


def _name(said: Mapping[str, Raw]) -> str | int:
    """How the subscription is called: ``sub``, else the request's ``id``."""
    for field in ("sub", "id"):
        value = said.get(field, _NULL)
        if bytes(value) == b"null":
            continue
        try:
            name: str | int = msgspec.json.decode(value, type=str | int)
        except (msgspec.DecodeError, RecursionError):
            raise _Refused("Not valid", f"{field}: must be a text or a whole number, to name a subscription") from None
        if len(str(name)) > LONGEST_NAME:
            raise _Refused("Not valid", f"{field}: has {LONGEST_NAME} characters at most")
        return name
    return "default"
