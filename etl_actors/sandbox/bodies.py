"""Bodies that are built once and served many times.

Eight clients that ask for the same two thousand rows within a tenth of a second get the same bytes: the first builds
them, the others wait for it. A body is good for one moment (a tick, or a provider's caching period) and no longer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

import trio

from etl_actors.sandbox.messages import Body

_REMEMBERED = 128


class _Entry:
    def __init__(self) -> None:
        self.building = trio.Lock()
        self.moment: Hashable = None
        self.body: Body | None = None


class BodyCache:
    """Keeps the newest body of each of the last so many questions."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    async def get(self, key: Hashable, moment: Hashable, build: Callable[[], Awaitable[bytes]]) -> Body:
        """The body of this question at this moment; ``build`` runs only when nobody asked yet."""
        entry = self._entries.setdefault(key, _Entry())
        self._entries.move_to_end(key)
        while len(self._entries) > _REMEMBERED:
            self._entries.popitem(last=False)
        async with entry.building:
            if entry.body is None or entry.moment != moment:
                entry.body, entry.moment = Body(await build()), moment
            return entry.body
