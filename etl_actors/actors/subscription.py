"""What one subscriber is owed, and what happens when it reads too slowly. Pure: no tasks, no sockets.

Parcels wait here until the socket takes them, at most ``buffer_bytes`` of them behind the one that leaves next. Two may
always wait, however large they are: big events come in pairs, and they alone must not end a subscriber. Of a reader
that falls further behind

- ``disconnect`` lets go;
- ``conflate`` keeps what is newest of each connector and symbol, and drops the oldest if even that is too much;
- ``drop_oldest`` drops the oldest.

What is dropped is counted, and said before anything later leaves. Replies to the subscriber itself wait in the same
order and are never dropped; who makes them waits while too many do (:attr:`SubscriptionQueue.has_room_for_replies`).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Literal

from msgspec import Struct

from .. import wire
from .fan_out_parcel import Parcel
from .subscription_conflation import Conflation
from .subscription_entry import Entry

ALWAYS_WAITING = 2
REPLY_BYTES = 65_536

CLOSE_GOING_AWAY = 1001
CLOSE_TRY_AGAIN_LATER = 1013

Policy = Literal["disconnect", "conflate", "drop_oldest"]
_BATCH_BEGIN, _BATCH_END = b'{"type":"batch","events":[', b"]}"


class Closing(Struct, frozen=True):
    """Why a subscription ends: a WebSocket close code and a reason of at most 123 bytes."""

    code: int
    reason: str


class Outgoing(Struct, frozen=True):
    """What leaves in one frame. ``offset`` is where its reader has come to with it, if it tells that."""

    text: bytes
    offset: int | None = None


class SubscriptionQueue:
    """What waits for one subscriber. ``offer`` puts in, ``take`` takes out, ``closing`` says it is over."""

    def __init__(self, buffer_bytes: int, policy: Policy = "disconnect") -> None:
        self.policy: Policy = policy
        self.buffer_bytes = buffer_bytes
        self.waiting_bytes = 0
        self.dropped = 0
        self.closing: Closing | None = None
        self._entries: OrderedDict[int, Entry] = OrderedDict()
        self._events = 0
        self._reply_bytes = 0
        self._placed = 0
        self._conflation: Conflation | None = None
        self._lost: _Lost | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._entries and self._lost is None

    @property
    def has_room_for_replies(self) -> bool:
        """Whether few enough replies wait for another one."""
        return self._reply_bytes < REPLY_BYTES

    @property
    def has_room(self) -> bool:
        """Whether so little waits that somebody who can wait should put in more."""
        return self._events == 0 or self.waiting_bytes <= self.buffer_bytes // 2

    @property
    def next_is_reply(self) -> bool:
        """Whether what leaves next is no event, and need not wait for others."""
        return self._lost is not None or (bool(self._entries) and next(iter(self._entries.values())).is_reply)

    def offer(self, parcel: Parcel, suffix: bytes = b"") -> None:
        """What cannot wait: queue it, and do as the policy says when its reader is too far behind."""
        if self.closing is not None:
            return
        self.put(parcel, suffix)
        if self._is_over():
            self._enforce()

    def put(self, parcel: Parcel, suffix: bytes = b"") -> None:
        """Queue what its maker would only hand in when there is room."""
        entry = self._append(Entry(parcel, suffix))
        self._events += 1
        if self._conflation is not None:
            self._conflate(entry)

    def reply(self, text: bytes, offset: int | None = None) -> None:
        """Queue what is never dropped."""
        if self.closing is None:
            self._reply_bytes += len(text)
            self._append(Entry(Parcel(text, offset=offset), b"", is_reply=True))

    def take(self) -> Outgoing | None:
        """The next frame, or None when nothing waits."""
        if self._lost is not None:
            text, self._lost = self._lost.notice(), None
            return Outgoing(text)
        if not self._entries:
            return None
        entry = self._pop()
        return Outgoing(entry.text(), entry.parcel.offset)

    def take_batch(self, max_bytes: int) -> Outgoing | None:
        """The events that wait, as one frame of about ``max_bytes``; what stands alone leaves alone."""
        if self.next_is_reply or not self._entries:
            return self.take()
        texts: list[bytes] = []
        size, offset = 0, None
        while self._entries:
            entry = next(iter(self._entries.values()))
            if entry.is_reply or (texts and size + entry.size > max_bytes):
                break
            self._pop()
            texts.append(entry.text())
            size += entry.size
            offset = entry.parcel.offset if entry.parcel.offset is not None else offset
        text = texts[0] if len(texts) == 1 else _BATCH_BEGIN + b",".join(texts) + _BATCH_END
        return Outgoing(text, offset)

    def close(self, code: int, reason: str) -> None:
        """End it: too slow drops what waits; anything else lets it run dry first."""
        if code == CLOSE_TRY_AGAIN_LATER:
            self._entries.clear()
            self._conflation = self._lost = None
            self.waiting_bytes = self._reply_bytes = self._events = 0
        self.closing = self.closing or Closing(code, reason)

    def _append(self, entry: Entry) -> Entry:
        self._placed += 1
        entry.place = self._placed
        self._entries[entry.place] = entry
        self.waiting_bytes += entry.size
        return entry

    def _pop(self) -> Entry:
        _, entry = self._entries.popitem(last=False)
        self._forget(entry)
        return entry

    def _forget(self, entry: Entry) -> None:
        """It is out of the entries."""
        self.waiting_bytes -= entry.size
        if entry.is_reply:
            self._reply_bytes -= entry.size
            return
        self._events -= 1
        if self._conflation is not None:
            self._conflation.forget(entry)
            if not self._events:
                self._conflation = None  # its reader has caught up

    def _is_over(self) -> bool:
        if self._events <= ALWAYS_WAITING:
            return False
        first = next(iter(self._entries.values()))
        behind = self.waiting_bytes - self._reply_bytes - (0 if first.is_reply else first.size)
        return behind > self.buffer_bytes

    def _enforce(self) -> None:
        if self.policy == "disconnect":
            self.close(CLOSE_TRY_AGAIN_LATER, f"reads too slowly: {self.waiting_bytes} bytes were waiting")
            return
        if self.policy == "conflate" and self._conflation is None:
            self._conflation = Conflation()
            for entry in [entry for entry in self._entries.values() if not entry.is_reply]:
                self._conflate(entry)
        while self._is_over():
            self._drop_oldest()

    def _conflate(self, entry: Entry) -> None:
        assert self._conflation is not None
        for older, saved in self._conflation.supersede(entry):
            self.waiting_bytes -= saved
            if older.is_spent:
                del self._entries[older.place]
                self.waiting_bytes -= older.size
                self._events -= 1

    def _drop_oldest(self) -> None:
        oldest = next(entry for entry in self._entries.values() if not entry.is_reply)
        del self._entries[oldest.place]
        self._forget(oldest)
        self.dropped += 1
        self._lost = self._lost or _Lost()
        self._lost.add(oldest.parcel.offset)


class _Lost:
    """What was dropped since it was last told."""

    def __init__(self) -> None:
        self.count = 0
        self.first: int | None = None
        self.last: int | None = None

    def add(self, offset: int | None) -> None:
        self.count += 1
        if offset is not None:
            self.first = offset if self.first is None else min(self.first, offset)
            self.last = offset if self.last is None else max(self.last, offset)

    def notice(self) -> bytes:
        return dropped_notice(self.count, self.first, self.last)


def dropped_notice(count: int, first: int | None, last: int | None) -> bytes:
    """So many events, between these offsets, will not come."""
    data = {"count": count, "from_offset": first, "to_offset": last}
    return wire.encode({"type": "dropped", "data": data})
