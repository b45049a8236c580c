"""Events as the loader makes them, for tests of who gets them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from etl_actors import wire
from etl_actors.messages import Event

from .parts import RECEIVED


def prices(offset: int, symbols: Mapping[str, str], *, connector: str = "one") -> Event:
    """A price update whose items say the offset and some text; without symbols a connector's status."""
    if not symbols:
        return event(offset, connector=connector)
    items = tuple(
        (symbol, wire.encode({"coin_symbol": symbol, "seen": offset, "text": text})) for symbol, text in symbols.items()
    )
    data = wire.join_items(piece for _, piece in items)
    return _event(offset, "price_update", connector, data, items)


def event(offset: int, *, kind: str = "connector_status", connector: str = "one") -> Event:
    """An event without items."""
    return _event(offset, kind, connector, wire.encode({"state": "running"}), ())


def items_of(said: Any) -> list[str]:
    """The symbols of a decoded event, ``[""]`` where it has no items."""
    items = said["data"].get("items")
    return [""] if items is None else [item["coin_symbol"] for item in items]


def _event(offset: int, kind: str, connector: str, data: bytes, items: tuple[tuple[str, bytes], ...]) -> Event:
    event_id = UUID(int=offset)
    encoded = wire.encode_event(
        kind=kind, connector_id=connector, offset=offset, event_id=event_id, timestamp=RECEIVED, data=data
    )
    return Event(
        offset=offset,
        event_id=event_id,
        type=kind,
        connector_id=connector,
        timestamp=RECEIVED,
        encoded=encoded,
        items=items,
    )
