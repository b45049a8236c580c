"""Faults on request: which answers are to go wrong, how, for how long and how often.

A fault names a path (a trailing ``*`` matches everything below) and a kind; the newest that matches a request applies.
What each kind sends is told in ``refusals`` (a status with the provider's own body) and ``misbehaviour`` (bytes that
break the rules). Those befall requests, also the one that would open a stream. An open stream, named by the path it was
opened at, has faults of its own:

======================  ================================================================
``lose_frames``         data is not sent; ``count`` counts frames
``garble_frames``       something that is no JSON comes in its place; ``count`` counts frames
``silence``             nothing is sent at all while the fault is in force; with a ``count``, so many
                        connections stay silent for good
``hang_up``             the connection is reset without a word; ``count`` counts connections, as for all below
``close``               a closing frame with ``code``
``shutdown``            ``serverShutdown`` (Binance's word for it), and ``after_seconds`` later a closing frame
======================  ================================================================
"""

from __future__ import annotations

from collections.abc import Container
from typing import Annotated, Literal, get_args

import msgspec

from etl_actors.sandbox.messages import Request

Kind = Literal[
    "429", "418", "500", "503", "401", "403", "451",
    "stall", "slow", "cut", "garbage", "html", "error_object", "gzip_bomb", "huge", "reset",
    "lose_frames", "garble_frames", "silence", "hang_up", "close", "shutdown",
]  # fmt: skip
OF_FRAMES = frozenset({"lose_frames", "garble_frames"})
OF_CONNECTIONS = frozenset({"silence", "hang_up", "close", "shutdown"})
OF_REQUESTS = frozenset(get_args(Kind)) - OF_FRAMES - OF_CONNECTIONS
ProviderName = Literal["binance", "coingecko", "cryptocompare", "coinbase", "kraken"]
NonNegative = Annotated[float, msgspec.Meta(ge=0)]


class Fault(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One fault as it is asked for.

    ``provider`` and ``query`` (parameters that must be there) narrow it.
    ``retry_after`` in seconds, sent as ``retry_after_form`` says; None takes what is usual for provider and kind.
    ``seconds`` and ``count`` end it. ``every_ms`` paces ``slow``, ``megabytes`` sizes ``gzip_bomb``. ``form`` picks one
    of a provider's bodies for a refusal where it has several: "json", "text" or "html". ``code`` is that of a
    ``close``, ``after_seconds`` the notice that ``shutdown`` gives.
    """

    kind: Kind
    path: str = "*"
    provider: ProviderName | None = None
    query: dict[str, str] = {}
    retry_after: NonNegative | None = None
    retry_after_form: Literal["seconds", "date", "none"] = "seconds"
    seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None
    count: Annotated[int, msgspec.Meta(ge=1)] | None = None
    every_ms: Annotated[float, msgspec.Meta(ge=1)] = 100.0
    megabytes: Annotated[int, msgspec.Meta(ge=1, le=16_384)] = 512
    form: Literal["json", "text", "html"] | None = None
    code: Annotated[int, msgspec.Meta(ge=1000, le=4999)] = 1001
    after_seconds: NonNegative = 5.0

    def matches(self, provider: str, request: Request) -> bool:
        """Whether this request is meant."""
        if self.provider is not None and self.provider != provider:
            return False
        if self.path.endswith("*"):
            if not request.path.startswith(self.path[:-1]):
                return False
        elif request.path != self.path:
            return False
        return all(request.param(name) == value for name, value in self.query.items())


class ActiveFault(msgspec.Struct):
    """A fault in force: ``until`` in seconds since 1970, ``left`` requests, ``applied`` so far."""

    fault: Fault
    until: float | None
    left: int | None
    applied: int = 0


class FaultBoard:
    """The faults in force, newest first."""

    def __init__(self) -> None:
        self._active: list[ActiveFault] = []

    def set(self, fault: Fault, now: float) -> None:
        """Puts a fault in force, in place of one for the same provider, path and query."""
        place = fault.provider, fault.path, fault.query
        kept = [a for a in self._active if (a.fault.provider, a.fault.path, a.fault.query) != place]
        until = None if fault.seconds is None else now + fault.seconds
        self._active = [ActiveFault(fault, until, fault.count), *kept]

    def clear(self, path: str | None = None) -> None:
        """Ends all faults, or those set for one path."""
        self._active = [] if path is None else [a for a in self._active if a.fault.path != path]

    def take(self, provider: str, request: Request, now: float, among: Container[str] = OF_REQUESTS) -> Fault | None:
        """The fault that applies to this request (or to the stream it opened, for the kinds in ``among``), counted as
        applied.
        """
        for active in self.active(now):
            if active.fault.kind in among and active.fault.matches(provider, request):
                active.applied += 1
                if active.left is not None:
                    active.left -= 1
                return active.fault
        return None

    def active(self, now: float) -> list[ActiveFault]:
        """Those still in force."""
        self._active = [
            a for a in self._active if (a.until is None or now < a.until) and (a.left is None or a.left > 0)
        ]
        return list(self._active)
