"""The query parameters of the live feed, on ``/ws`` and ``/api/stream``."""

from __future__ import annotations

import re
from typing import Any, cast

from .live_wish import LONGEST_INTERVAL_MS, Policy, Wish, WishRefused, filter_of
from .parameters import STORABLE, Arguments, Choice, Parameter, Text, Whole
from .problems import Problem, invalid


class Names(Parameter, frozen=True, kw_only=True):
    """Names with commas between them."""

    def schema(self) -> dict[str, Any]:
        """A string: what is empty between two commas is passed over."""
        return {"type": "string", "pattern": STORABLE}

    def read(self, arguments: Arguments) -> list[str] | None:
        """The names, or None where there is none."""
        names = [name.strip() for name in arguments.get(self.name, "").split(",")]
        return [name for name in names if name] or None


class Offset(Parameter, frozen=True, kw_only=True):
    """A place in the stream."""

    def schema(self) -> dict[str, Any]:
        """A whole number that PostgreSQL can hold."""
        return {"type": "integer", "minimum": 0, "maximum": 10**18 - 1}

    def read(self, arguments: Arguments) -> int | None:
        """The offset, or None."""
        text = arguments.get(self.name)
        return None if text is None else self.number(text)

    def number(self, text: str, *, place: str = "query.since") -> int:
        """``text`` as an offset; ``place`` is where it stood."""
        if not re.fullmatch("[0-9]{1,18}", text, re.ASCII):
            raise invalid(place, "must be an offset: a whole number of 0 or more")
        return int(text)


CONNECTORS = Names(name="connectors", description="Only of these connectors, such as `binance_24hr,coingecko_top`.")
SYMBOLS = Names(
    name="symbols",
    description="Only items of these symbols, such as `BTC,ETH`, whatever the case; events without items are left out.",
)
TYPES = Names(name="types", description="Only events of these types, such as `price_update,connector_status`.")
SINCE = Offset(name="since", description="Begin with the stored events behind this offset, then go on live.")
STREAM = Text(
    name="stream", description="The history that `since` is of, as `subscribed` named it; is it another, one is told."
)
POLICY = Choice(
    name="policy",
    description="What becomes of a client that reads too slowly: it is let go (`disconnect`), it gets what is newest of"
    " each connector and symbol (`conflate`), or it misses the oldest (`drop_oldest`) and is told.",
    choices=("disconnect", "conflate", "drop_oldest"),
    refusal="must be disconnect, conflate or drop_oldest",
)
BATCH = Choice(
    name="batch",
    description="Whether several waiting events may come in one frame.",
    choices=("true", "false", "1", "0"),
    refusal="must be true or false",
)
INTERVAL = Whole(
    name="interval_ms",
    description="How many milliseconds lie between two frames of a batch.",
    low=0,
    high=LONGEST_INTERVAL_MS,
    default=0,
)

FILTERS: tuple[Parameter, ...] = (CONNECTORS, SYMBOLS, TYPES, SINCE, STREAM, POLICY)


def read_wish(arguments: Arguments) -> Wish:
    """What a query string asks for; 422 for what is not valid."""
    try:
        wanted = filter_of(CONNECTORS.read(arguments), SYMBOLS.read(arguments), TYPES.read(arguments))
    except WishRefused as error:
        raise Problem(422, "Not valid", str(error)) from None
    batch = BATCH.read(arguments)
    return Wish(
        filter=wanted,
        since=SINCE.read(arguments),
        stream=STREAM.read(arguments),
        policy=cast("Policy | None", POLICY.read(arguments)),
        batch=None if batch is None else batch in {"true", "1"},
        interval_ms=INTERVAL.read(arguments),
    )
