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

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio

from .actors.broadcaster import Broadcaster
from .actors.janitor import Janitor
from .actors.loader import Loader
from .actors.transformer import Transformer
from .crew import Crew
from .messages import Extracted, Loaded, Transformed
from .side_door import SideDoor
from .supervisor import OURS, ActorStatistics, Restarts, Supervised
from .survey import Survey

R = TypeVar("R")
S = TypeVar("S")

# How many messages may wait between two rooms. An extraction holds a whole body, so few of them are let wait.
EXTRACTED_WAITING = 8
TRANSFORMED_WAITING = 8
LOADED_WAITING = 64
# How long before its end a drain turns to the disk, and how short it can be.
RESCUE_SECONDS, LEAST_SECONDS = 1.0, 0.6


class Pipeline:
    """All actors of one service, from the connectors to the broadcaster."""

    def __init__(
        self,
        *,
        crew: Crew,
        side_door: SideDoor,
        transformer: Transformer,
        loader: Loader,
        broadcaster: Broadcaster,
        janitor: Janitor,
        survey: Survey | None = None,
    ) -> None:
        self.crew = crew
        self.side_door = side_door
        self._transformer = transformer
        self._loader = loader
        self._broadcaster = broadcaster
        self._janitor = janitor
        self._survey = survey or Survey()
        self._supervised: dict[str, Supervised] = {}
        self._intake = trio.CancelScope()
        self._everything = trio.CancelScope()
        self._channels: dict[str, trio.MemoryReceiveChannel[Any]] = {}

    def actors(self) -> list[ActorStatistics]:
        """Every actor and how it is."""
        ours = [supervised.statistics() for supervised in self._supervised.values()]
        return [*ours, *self._survey.statistics(), *self.crew.statistics()]

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
                async with extracted_send, self.side_door.open(transformed_send):
                    await self._take_in(extracted_send)

    def stop_nowait(self, drain_seconds: float) -> None:
        """Take nothing in any more, and let what was accepted run dry for at most ``drain_seconds``.

        At the end of it what the database does not take goes to disk; there is always time for that.
        """
        self.crew.close_nowait()
        self.side_door.close_nowait()
        self._intake.cancel()
        now = trio.current_time()
        self._loader.hurry_nowait(now + max(0.0, drain_seconds - RESCUE_SECONDS))
        self._everything.deadline = min(self._everything.deadline, now + max(drain_seconds, LEAST_SECONDS))

    @property
    def drained(self) -> bool:
        """Whether everything that was accepted was stored before the deadline."""
        return not self._everything.cancelled_caught

    async def _take_in(self, extracted_send: trio.MemorySendChannel[Extracted]) -> None:
        """Connectors, and what only matters while they run."""
        with self._intake:
            async with trio.open_nursery() as sources:
                sources.start_soon(self._supervise("janitor", OURS).run, self._janitor.run)
                sources.start_soon(self._survey.run)
                await self.crew.run(extracted_send)

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
        """``OURS`` are restarted a few times: then the service ends with a sentence."""
        supervised = self._supervised[name] = Supervised(name, rule)
        return supervised
