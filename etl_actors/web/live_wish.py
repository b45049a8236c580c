"""What a client of the live feed asks for: which events, from where on, and how it wants to be served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import msgspec
import trio
from msgspec import Meta, Struct

from ..errors import StorageUnavailable
from ..filtering import Filter
from ..wire import encode
from .ports import Publisher, Reach, Subscriber

Policy = Literal["disconnect", "conflate", "drop_oldest"]
Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]
LONGEST_NAME = 255
LONGEST_INTERVAL_MS = 10_000
MAX_SUBSCRIPTIONS = 100
REACH_SECONDS = 10.0
# In how many places of the index the subscriptions of one client may be: connectors times symbols times types.
MAX_PLACES = 10_000


class WishRefused(Exception):
    """What is asked for is too much, or nothing. The text says what to do."""


class Wish(Struct, frozen=True, kw_only=True):
    """``since`` is None where only what is new is wanted; what else is None stays as it is."""

    filter: Filter
    since: int | None = None
    stream: str | None = None
    policy: Policy | None = None
    batch: bool | None = None
    interval_ms: int | None = None


class Subscribe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``{"op": "subscribe"}`` as a client sends it."""

    op: str
    id: Any = None
    sub: str | int | None = None
    connectors: str | list[str] | None = None
    symbols: str | list[str] | None = None
    types: str | list[str] | None = None
    since: Offset | None = None
    stream: str | None = None
    policy: Policy | None = None
    batch: bool | None = None
    interval_ms: Annotated[int, Meta(ge=0, le=LONGEST_INTERVAL_MS)] | None = None

    def wish(self) -> Wish:
        """Raises :class:`WishRefused` for a list that names nothing, or too much."""
        return Wish(
            filter=filter_of(self.connectors, self.symbols, self.types),
            since=self.since,
            stream=self.stream,
            policy=self.policy,
            batch=self.batch,
            interval_ms=self.interval_ms,
        )


def filter_of(
    connectors: str | Iterable[str] | None, symbols: str | Iterable[str] | None, types: str | Iterable[str] | None
) -> Filter:
    """The filter of these names; raises :class:`WishRefused`."""
    wanted = Filter(
        connectors=_names("connectors", connectors),
        symbols=_upper(_names("symbols", symbols)),
        types=_names("types", types),
    )
    if wanted.places > MAX_PLACES:
        raise WishRefused(
            f"connectors times symbols times types are {MAX_PLACES:,} at most: leave one of the lists out"
        )
    return wanted


async def reach_for(publisher: Publisher, wish: Wish) -> Reach | None:
    """How far back history goes for ``wish``; None when it asks for none. Raises StorageUnavailable."""
    if wish.since is None:
        return None
    with trio.move_on_after(REACH_SECONDS):
        return await publisher.reach(wish.since, wish.stream)
    raise StorageUnavailable(f"PostgreSQL did not answer within {REACH_SECONDS:g} s")


def subscribe_nowait(
    publisher: Publisher,
    subscriber: Subscriber,
    wish: Wish,
    reach: Reach | None,
    *,
    name: str | int | None = None,
    request_id: Any = None,
    quietly: bool = False,
) -> None:
    """Subscribe and say so, ahead of all its events; ``quietly`` leaves saying so out.

    Raises :class:`WishRefused`; then nothing has changed.
    """
    _check_room(subscriber, name, wish)
    subscriber.deliver_so(policy=wish.policy, batch=wish.batch, interval_ms=wish.interval_ms)
    newest = subscriber.subscribe_nowait(name, wish.filter, since=None if reach is None else reach.since)
    if not quietly:
        # Who resumes nothing misses nothing, unless it speaks of another history.
        recovered = wish.stream in {None, publisher.stream} if reach is None else reach.recovered
        answer = {"type": "subscribed", "id": request_id, "sub": name, "stream": publisher.stream, "offset": newest}
        oldest = {} if reach is None or recovered else {"oldest_offset": reach.oldest}
        subscriber.reply_nowait(encode(answer | {"recovered": recovered} | oldest))


async def tell_position(subscriber: Subscriber, position_seconds: float) -> None:
    """For ever: say now and then where the subscriber is."""
    while True:
        await trio.sleep(position_seconds)
        subscriber.tell_position_nowait()


def _check_room(subscriber: Subscriber, name: str | int | None, wish: Wish) -> None:
    others = [one for one in subscriber.subscriptions if one.name is not None and str(one.name) != str(name)]
    if len(others) >= MAX_SUBSCRIPTIONS:
        raise WishRefused(f"a client has {MAX_SUBSCRIPTIONS} subscriptions at most: end one, or open another socket")
    if wish.filter.places + sum(one.filter.places for one in others) > MAX_PLACES:
        raise WishRefused(
            f"connectors times symbols times types are {MAX_PLACES:,} at most, over all subscriptions of a client: open"
            " another socket"
        )


def _names(what: str, names: str | Iterable[str] | None) -> frozenset[str] | None:
    if names is None:
        return None
    some = frozenset([names] if isinstance(names, str) else names)
    if not some:
        raise WishRefused(f"{what}: names nothing; leave it out to have all")
    if len(some) > MAX_PLACES:
        raise WishRefused(f"{what}: names more than {MAX_PLACES:,}")
    if any(not name or len(name) > LONGEST_NAME for name in some):
        raise WishRefused(f"{what}: a name has 1 to {LONGEST_NAME} characters")
    return some


def _upper(names: frozenset[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(name.upper() for name in names)


def read_subscribe(message: str) -> Subscribe:
    """Raises :class:`msgspec.DecodeError`, which names the place."""
    return msgspec.json.decode(message, type=Subscribe)
