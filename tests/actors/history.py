"""A log in memory, and what it takes to have a broadcaster."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import trio

from etl_actors.actors.broadcaster import Broadcaster, HandOutTimer
from etl_actors.errors import StorageUnavailable
from etl_actors.messages import Event

STREAM = UUID(int=7)


class History:
    """Every event that was committed; ``oldest`` is the first one that is left."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self.events = list(events)
        self.oldest = 1
        self.away = False
        self.pages = 0

    async def after(self, offset: int, *, limit: int, max_bytes: int) -> list[Event]:
        """The next ones, up to these limits."""
        await trio.lowlevel.checkpoint()
        self._fail()
        self.pages += 1
        page: list[Event] = []
        for event in self.events:
            if event.offset > max(offset, self.oldest - 1):
                if page and (len(page) == limit or sum(len(one.encoded) for one in page) > max_bytes):
                    break
                page.append(event)
        return page

    async def bounds(self) -> tuple[UUID, int, int]:
        """What there is."""
        await trio.lowlevel.checkpoint()
        self._fail()
        return STREAM, self.oldest, self.events[-1].offset if self.events else 0

    def _fail(self) -> None:
        if self.away:
            raise StorageUnavailable("away")


def broadcaster(
    *,
    buffer_bytes: int = 1_000_000,
    history: History | None = None,
    head: int = 0,
    recent_bytes: int = 0,
    timer: HandOutTimer | None = None,
) -> Broadcaster:
    """One over this history; without ``recent_bytes`` it remembers nothing itself."""
    return Broadcaster(
        buffer_bytes=buffer_bytes,
        stream=STREAM,
        head=head,
        history=history or History(),
        recent_bytes=recent_bytes,
        timer=timer,
    )
