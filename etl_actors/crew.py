"""The connectors that run now: each under supervision in a task of its own, coming and going while the others work.

Who comes starts at once, or with the others when the pipeline does. Who goes is cancelled, and has gone when what it
read is settled (see ``ledger``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

import trio

from .errors import NotDrained
from .ledger import Ledger
from .messages import Extracted
from .supervisor import CONNECTORS, ActorStatistics, Supervised

# How long a connector waits for its source's first symbol table before it starts with the one it has.
SYMBOLS_SECONDS = 5.0


class Connector(Protocol):
    """What is asked of a connector actor."""

    async def run(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None: ...


class _Member:
    """One connector's task: cancel its ``scope``, and ``ended`` is set when nothing of it runs any more."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.begun = trio.Event()
        self.ended = trio.Event()


class Crew:
    """Runs connectors. ``symbols_of(connector_id)`` is set once a connector's symbol table was asked for; None if it
    has none.
    """

    def __init__(
        self,
        ledger: Ledger,
        connectors: Mapping[str, Connector],
        *,
        symbols_of: Callable[[str], trio.Event | None] = lambda connector_id: None,
    ) -> None:
        self._ledger = ledger
        self._waiting = dict(connectors)
        self._symbols_of = symbols_of
        self._members: dict[str, _Member] = {}
        self._supervised: dict[str, Supervised] = {}
        self._start: Callable[[str, Connector], None] | None = None
        self._closed = False

    def statistics(self) -> list[ActorStatistics]:
        """Every connector that is, or was, on the crew."""
        return [supervised.statistics() for supervised in self._supervised.values()]

    async def run(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as tasks:

            def start(connector_id: str, connector: Connector) -> None:
                member = self._members[connector_id] = _Member()
                tasks.start_soon(self._run_one, connector_id, connector, member, extracted_send)

            self._start = start
            for connector_id, connector in self._waiting.items():
                start(connector_id, connector)
            await trio.sleep_forever()

    @property
    def closed(self) -> bool:
        """Whether the service stops, and nobody comes any more."""
        return self._closed

    def close_nowait(self) -> None:
        """Nobody comes any more: the service stops."""
        self._closed = True

    def add_nowait(self, connector_id: str, connector: Connector) -> None:
        """Start one more, or have it started with the others. NotDrained when the service stops."""
        if self._closed:
            raise NotDrained("the service is stopping")
        if self._start is None:
            self._waiting[connector_id] = connector
        else:
            self._start(connector_id, connector)

    def has(self, connector_id: str) -> bool:
        """Whether its actor runs, or will with the others."""
        return connector_id in self._members or (self._start is None and connector_id in self._waiting)

    async def wait_begun(self, connector_id: str) -> None:
        """Until the actor of a connector that was added runs."""
        member = self._members.get(connector_id)
        if member is not None:
            await member.begun.wait()

    async def remove(self, connector_id: str, *, drain_seconds: float) -> None:
        """End a connector, and wait until what it read is settled. NotDrained when that takes too long."""
        member = self._members.get(connector_id)
        if member is not None:
            member.scope.cancel()
            await member.ended.wait()
        self._supervised.pop(connector_id, None)
        self._waiting.pop(connector_id, None)
        with trio.move_on_after(drain_seconds) as draining:
            await self._ledger.wait_settled(connector_id)
        if draining.cancelled_caught:
            raise NotDrained(f"what connector {connector_id!r} read last is not stored yet")

    def drop_nowait(self, connector_ids: Iterable[str]) -> None:
        """End the actors of connectors that belong to another service now."""
        for connector_id in connector_ids:
            if connector_id in self._members:
                self._members[connector_id].scope.cancel()

    async def _run_one(
        self,
        connector_id: str,
        connector: Connector,
        member: _Member,
        extracted_send: trio.MemorySendChannel[Extracted],
    ) -> None:
        supervised = self._supervised[connector_id] = Supervised(f"connector:{connector_id}", CONNECTORS)
        symbols = self._symbols_of(connector_id)
        try:
            with member.scope:
                member.begun.set()  # whoever waits for it goes on after this task's first step
                if symbols is not None:
                    with trio.move_on_after(SYMBOLS_SECONDS):
                        await symbols.wait()
                await supervised.run(lambda: _with_clone(connector.run, extracted_send))
        finally:
            if self._members.get(connector_id) is member:
                del self._members[connector_id]
            member.ended.set()


async def _with_clone(
    run: Callable[[trio.MemorySendChannel[Extracted]], Awaitable[None]],
    extracted_send: trio.MemorySendChannel[Extracted],
) -> None:
    async with extracted_send.clone() as clone:
        await run(clone)
