"""The sandbox as a whole: five providers on five ports, one market, one board of faults, one journal.

``serve_sandbox`` is started in a nursery and hands over a ``Sandbox`` once every port listens; it ends when it is
cancelled.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any

import msgspec
import trio

from etl_actors.sandbox.binance import Binance
from etl_actors.sandbox.clock import Clock
from etl_actors.sandbox.coinbase import Coinbase
from etl_actors.sandbox.coingecko import CoinGecko
from etl_actors.sandbox.control import ControlRoom
from etl_actors.sandbox.conversation import House
from etl_actors.sandbox.cryptocompare import CryptoCompare
from etl_actors.sandbox.faults import ActiveFault, Fault, FaultBoard, Kind
from etl_actors.sandbox.journal import Journal, SeenRequest
from etl_actors.sandbox.kraken import Kraken
from etl_actors.sandbox.market import Market
from etl_actors.sandbox.provider import Provider
from etl_actors.sandbox.recorded import RecordedAnswers
from etl_actors.sandbox.server import Site
from etl_actors.sandbox.switches import Switches


class Sandbox:
    """A running sandbox. ``origins`` maps the providers' real origins to the local ones."""

    def __init__(self, *, pairs: int, seed: int, epoch: float | None, switches: Switches | None) -> None:
        self.origins: dict[str, str] = {}
        self.clock = Clock(epoch)
        self.market = Market(pairs, seed)
        self.switches = switches or Switches()
        self.recorded = RecordedAnswers()
        self._faults = FaultBoard()
        self._journal = Journal()
        self._control = ControlRoom(self.clock, self._faults, self._journal, self.switches)
        kinds = (Binance, CoinGecko, CryptoCompare, Coinbase, Kraken)
        self._providers: tuple[Provider, ...] = tuple(kind(self.market, self.clock, self.switches) for kind in kinds)

    def set_fault(self, path: str, kind: Kind, **details: Any) -> None:
        """Makes answers at a path go wrong; ``details`` are the fields of ``Fault``. Wrong ones raise."""
        fault = msgspec.convert({"path": path, "kind": kind, **details}, Fault)
        self._faults.set(fault, self.clock.now())

    def clear_faults(self, path: str | None = None) -> None:
        """Ends all faults, or those of one path."""
        self._faults.clear(path)

    def faults(self) -> list[ActiveFault]:
        """The faults in force."""
        return self._faults.active(self.clock.now())

    def requests(self, path: str | None = None) -> list[SeenRequest]:
        """The requests seen so far, oldest first; all, or those of one path."""
        return self._journal.requests(path)

    def clear_requests(self) -> None:
        """Forgets the requests seen so far."""
        self._journal.clear()

    def sites(self) -> list[tuple[Provider, Site]]:
        """Each provider with the site that stands in for it."""
        house = House(self.clock, self._faults, self.switches)
        parts = (house, self._journal, self.recorded, self._control)
        return [(provider, Site(provider, *parts)) for provider in self._providers]

    def found_at(self, provider: Provider, address: str) -> None:
        """Remember where the stand-in of a provider listens, for each of its origins."""
        self.origins[provider.origin] = f"http://{address}"
        self.origins.update(dict.fromkeys(provider.stream_origins, f"ws://{address}"))


async def serve_sandbox(
    *,
    pairs: int = 2500,
    seed: int = 1,
    host: str = "127.0.0.1",
    ports: Sequence[int] = (),
    epoch: float | None = None,
    switches: Switches | None = None,
    task_status: trio.TaskStatus[Sandbox] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until cancelled. ``ports`` are those of Binance, CoinGecko, CryptoCompare, Coinbase and Kraken; 0, and any
    that is not given, takes a free one.

    ``epoch`` is the time the exchange opens at, in seconds since 1970; None opens it now.
    """
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"the sandbox answers on loopback addresses only, not on {host}")
    sandbox = Sandbox(pairs=pairs, seed=seed, epoch=epoch, switches=switches)
    async with trio.open_nursery() as nursery:
        for (provider, site), port in zip(sandbox.sites(), chain(ports, repeat(0)), strict=False):
            listeners: list[trio.SocketListener] = await nursery.start(
                partial(trio.serve_tcp, site.serve, port, host=host)
            )
            address = listeners[0].socket.getsockname()
            shown = f"[{address[0]}]" if ":" in address[0] else address[0]
            sandbox.found_at(provider, f"{shown}:{address[1]}")
        task_status.started(sandbox)
