"""Group commit: what waits at the same time is committed together, by one of those who wait for it.

The first in the line leads: it commits everything that stands behind it, up to ``most_bytes``, tells each what became
of it, and hands the lead to the next. So there is no task that could die with what was given to it, and while one
group is on its way to the disk the next one gathers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import trio

from ..errors import EtlActorsError, SpoolFull, SpoolUnavailable
from .record import Fresh

Commit = Callable[[Sequence[Fresh]], Awaitable[tuple[int, str]]]
"""Stores a beginning of what it is given; returns how many those are, and why not the rest."""


class _Waiting:
    def __init__(self, fresh: Fresh) -> None:
        self.fresh = fresh
        self.leads = False
        self.refusal: EtlActorsError | None = None
        self.woken = trio.Event()


class Grouping:
    """The line."""

    def __init__(self, commit: Commit, *, most_bytes: int) -> None:
        self._commit = commit
        self._most_bytes = most_bytes
        self._line: deque[_Waiting] = deque()
        self._led = False

    async def add(self, fresh: Fresh) -> None:
        """Returns when it is stored; raises why it is not. Cancelled while it is on its way, it may be stored."""
        waiting = _Waiting(fresh)
        await self._reach_the_head(waiting)
        if waiting.leads:
            try:
                # Others wait for this: whoever leads does not leave in the middle.
                with trio.CancelScope(shield=True):
                    await self._lead()
            finally:
                self._hand_over()
        if waiting.refusal is not None:
            raise waiting.refusal

    async def _reach_the_head(self, waiting: _Waiting) -> None:
        self._line.append(waiting)
        if not self._led:
            self._led = waiting.leads = True
            return
        try:
            await waiting.woken.wait()
        except BaseException:
            if waiting in self._line:
                self._line.remove(waiting)
            if waiting.leads:
                self._hand_over()
            raise

    async def _lead(self) -> None:
        group, batches = self._group()
        try:
            stored, refusal = await self._commit(batches)
        except BaseException as error:
            for one in group:
                one.refusal = SpoolUnavailable(f"the spool cannot be used: {error}")
                one.woken.set()
            if not isinstance(error, SpoolUnavailable):
                raise
            return
        for number, one in enumerate(group):
            one.refusal = None if number < stored else SpoolFull(refusal)
            one.woken.set()

    def _group(self) -> tuple[list[_Waiting], list[Fresh]]:
        group: list[_Waiting] = []
        size = 0
        while self._line and (not group or size + len(self._line[0].fresh.blob) <= self._most_bytes):
            one = self._line.popleft()
            size += len(one.fresh.blob)
            group.append(one)
        return group, [one.fresh for one in group]

    def _hand_over(self) -> None:
        self._led = bool(self._line)
        if self._line:
            self._line[0].leads = True
            self._line[0].woken.set()
