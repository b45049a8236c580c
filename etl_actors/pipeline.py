"""The drawing: every channel, every actor, and how they stop. It knows no vendor, no SQL and no HTTP.

::

    connector ┐
    connector ┼─extracted─▶ transformer ─transformed─▶ loader ─loaded─▶ broadcaster ─▶ subscribers
    connector ┘

Beside them run a janitor (keeps what is stored within its limits) and a surveyor for each symbol table (which pair is
made of which assets); they touch no channel.

Every arrow is one bounded memory channel of one message type, so a slow stage holds up the ones before it and nothing
piles up. Connectors come and go while it runs; one that goes is drained first. To stop is to cancel the connectors and
let the rest run dry: their ends of the channel close, the transformer meets the end, the loader flushes, the
broadcaster closes its subscriptions. No flag says "running".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

import structlog
import trio

from .actors.broadcaster import Broadcaster
from .actors.janitor import Janitor
from .actors.loader import Loader
from .actors.surveyor import Surveyor
from .actors.transformer import Transformer
from .errors import NotDrained
from .ledger import Ledger
from .messages import Event, Extracted, Loaded, Transformed
from .supervisor import CONNECTORS, OURS, ActorStatistics, Restarts, Supervised

log = structlog.get_logger("pipeline")

R = TypeVar("R")
S = TypeVar("S")

# How many messages may wait between two rooms. An extraction holds a whole body, so few of them are let wait.
EXTRACTED_WAITING = 8
TRANSFORMED_WAITING = 8
LOADED_WAITING = 64

# How long a connector waits for its source's first symbol table before it starts with the one it has.
SYMBOLS_SECONDS = 5.0


class Connector(Protocol):
    """What the pipeline asks of a connector actor."""

    async def run(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None: ...


class _Running:
    """One connector's task: cancel its ``scope``, and ``ended`` is set when nothing of it runs any more."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.begun = trio.Event()
        self.ended = trio.Event()


class Pipeline:
    """All actors of one service, from the connectors to the broadcaster."""

    def __init__(
        self,
        *,
        connectors: Mapping[str, Connector],
        transformer: Transformer,
        loader: Loader,
        broadcaster: Broadcaster,
        janitor: Janitor,
        ledger: Ledger,
        surveyors: Iterable[Surveyor] = (),
        surveyor_of: Callable[[str], Surveyor | None] = lambda connector_id: None,
    ) -> None:
        self._waiting_connectors = dict(connectors)
        self._transformer = transformer
        self._loader = loader
        self._broadcaster = broadcaster
        self._janitor = janitor
        self._ledger = ledger
        self._surveyors = tuple(surveyors)
        self._surveyor_of = surveyor_of
        self._supervised: dict[str, Supervised] = {}
        self._running: dict[str, _Running] = {}
        self._start: Callable[[str, Connector], None] | None = None
        self._direct_send: trio.MemorySendChannel[Transformed] | None = None
        self._intake = trio.CancelScope()
        self._everything = trio.CancelScope()
        self._channels: dict[str, trio.MemoryReceiveChannel[Any]] = {}

    def actors(self) -> list[ActorStatistics]:
        """Every actor and how it is."""
        return [supervised.statistics() for supervised in self._supervised.values()]

    def channel_fill(self) -> dict[str, dict[str, float]]:
        """How many messages wait in each channel, and how many may."""
        fill = {}
        for name, channel in self._channels.items():
            statistics = channel.statistics()
            fill[name] = {"waiting": statistics.current_buffer_used, "capacity": statistics.max_buffer_size}
        return fill

    async def run(self) -> None:
        """Until :meth:`stop_nowait` was called and everything that was accepted is stored and sent.

        Raises :class:`~etl_actors.supervisor.GaveUp` when one of our own stages keeps crashing.
        """
        extracted_send, extracted_receive = trio.open_memory_channel[Extracted](EXTRACTED_WAITING)
        transformed_send, transformed_receive = trio.open_memory_channel[Transformed](TRANSFORMED_WAITING)
        loaded_send, loaded_receive = trio.open_memory_channel[Loaded](LOADED_WAITING)
        self._channels = {
            "extracted": extracted_receive,
            "transformed": transformed_receive,
            "loaded": loaded_receive,
        }
        with self._everything:
            async with trio.open_nursery() as stages:
                stages.start_soon(self._broadcast, loaded_receive)
                stages.start_soon(self._stage, "loader", self._loader.run, transformed_receive, loaded_send)
                stages.start_soon(
                    self._stage, "transformer", self._transformer.run, extracted_receive, transformed_send
                )
                async with extracted_send, transformed_send.clone() as self._direct_send:
                    await self._take_in(extracted_send)

    def stop_nowait(self, drain_seconds: float) -> None:
        """Take nothing in any more, and let what was accepted run dry for at most ``drain_seconds``."""
        self._intake.cancel()
        self._everything.deadline = min(self._everything.deadline, trio.current_time() + drain_seconds)

    @property
    def drained(self) -> bool:
        """Whether everything that was accepted was stored before the deadline."""
        return not self._everything.cancelled_caught

    def drop_connectors_nowait(self, connector_ids: Iterable[str]) -> None:
        """End the actors of connectors that belong to another service now."""
        for connector_id in connector_ids:
            if connector_id in self._running:
                self._running[connector_id].scope.cancel()

    def add_nowait(self, connector_id: str, connector: Connector) -> None:
        """Start one more connector, or have it started with the others. NotDrained when the service stops."""
        if self._intake.cancel_called:
            raise NotDrained("the service is stopping")
        if self._start is None:
            self._waiting_connectors[connector_id] = connector
        else:
            self._start(connector_id, connector)

    async def wait_begun(self, connector_id: str) -> None:
        """Until the actor of a connector that was added runs."""
        running = self._running.get(connector_id)
        if running is not None:
            await running.begun.wait()

    async def remove(self, connector_id: str, *, drain_seconds: float) -> None:
        """End a connector, and wait until what it read is stored. NotDrained when that takes too long."""
        running = self._running.get(connector_id)
        if running is not None:
            running.scope.cancel()
            await running.ended.wait()
        self._supervised.pop(f"connector:{connector_id}", None)
        with trio.move_on_after(drain_seconds) as draining:
            await self._ledger.wait_settled(connector_id)
        if draining.cancelled_caught:
            raise NotDrained(f"what connector {connector_id!r} read last is not stored yet")

    async def store(self, part: Transformed, *, seconds: float) -> Event | None:
        """Hand the loader what no connector read, and wait until it is settled; NotDrained when it takes too long."""
        settlement = self._ledger.accept(part.extraction_id, part.connector_id)
        try:
            if self._direct_send is None or self._intake.cancel_called:
                raise trio.ClosedResourceError
            with trio.fail_after(seconds):
                await self._direct_send.send(part)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            self._ledger.withdraw(part.extraction_id)
            raise NotDrained("the service is stopping") from None
        except BaseException as error:
            self._ledger.withdraw(part.extraction_id)
            if isinstance(error, trio.TooSlowError):
                raise NotDrained(f"the database took nothing for {seconds:g} s") from None
            raise
        with trio.move_on_after(seconds) as waiting:
            return await settlement.wait()
        assert waiting.cancelled_caught
        raise NotDrained(f"it is not stored after {seconds:g} s, and will be when the database can")

    async def _take_in(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        """Connectors, and what only matters while they run."""
        with self._intake:
            async with trio.open_nursery() as sources:
                sources.start_soon(self._supervise("janitor", OURS).run, self._janitor.run)
                for surveyor in self._surveyors:
                    name = f"surveyor:{surveyor.source_id}"
                    sources.start_soon(self._supervise(name, CONNECTORS).run, surveyor.run)

                def start(connector_id: str, connector: Connector) -> None:
                    running = self._running[connector_id] = _Running()
                    sources.start_soon(self._connect, connector_id, connector, running, extracted_send)

                self._start = start
                for connector_id, connector in self._waiting_connectors.items():
                    start(connector_id, connector)
                await trio.sleep_forever()

    async def _connect(
        self,
        connector_id: str,
        connector: Connector,
        running: _Running,
        extracted_send: trio.MemorySendChannel[Extracted],
    ) -> None:
        supervised = self._supervise(f"connector:{connector_id}", CONNECTORS)
        surveyor = self._surveyor_of(connector_id)
        try:
            with running.scope:
                running.begun.set()  # whoever waits for it goes on after this task's first step
                if surveyor is not None:
                    with trio.move_on_after(SYMBOLS_SECONDS):
                        await surveyor.ready.wait()
                await supervised.run(lambda: _with_clone(connector.run, extracted_send))
        finally:
            if self._running.get(connector_id) is running:
                del self._running[connector_id]
            running.ended.set()

    async def _stage(
        self,
        name: str,
        run: Callable[[trio.MemoryReceiveChannel[R], trio.MemorySendChannel[S]], Awaitable[None]],
        receive: trio.MemoryReceiveChannel[R],
        send: trio.MemorySendChannel[S],
    ) -> None:
        """One stage. Each incarnation works on clones; the originals stay here, so a crash does not end the stream."""
        async with receive, send:
            await self._supervise(name, OURS).run(lambda: run(receive.clone(), send.clone()))

    async def _broadcast(self, loaded_receive: trio.MemoryReceiveChannel[Loaded]) -> None:
        try:
            async with loaded_receive:
                supervised = self._supervise("broadcaster", OURS)
                await supervised.run(lambda: self._broadcaster.run(loaded_receive.clone()))
        finally:
            self._broadcaster.close_nowait()

    def _supervise(self, name: str, rule: Restarts) -> Supervised:
        """``CONNECTORS`` are restarted for ever, ``OURS`` a few times: then the service ends with a sentence."""
        supervised = self._supervised[name] = Supervised(name, rule)
        return supervised


async def _with_clone(
    run: Callable[[trio.MemorySendChannel[Extracted]], Awaitable[None]],
    extracted_send: trio.MemorySendChannel[Extracted],
) -> None:
    async with extracted_send.clone() as clone:
        await run(clone)
