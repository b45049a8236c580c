"""Messages for tests, made by hand in the shapes the rooms really send."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from uuid_utils.compat import uuid7

from etl_actors.messages import Checkpoint, Extracted, Item, Transformed

RECEIVED = datetime(2025, 12, 8, 16, 0, tzinfo=UTC)


def transformed(connector_id: str = "one", items: int | tuple[Item, ...] = 2, **changes: Any) -> Transformed:
    """One extraction with these items, or so many."""
    if isinstance(items, int):
        items = tuple(Item(coin_symbol=f"C{n}", quote_symbol="USDT", price="95000.50") for n in range(items))
    fields: dict[str, Any] = {
        "extraction_id": uuid7(),
        "connector_id": connector_id,
        "api_name": "One",
        "exchange": "binance",
        "epoch": 1,
        "received_at": RECEIVED,
        "response_time_ms": 12,
        "body": b'[{"symbol":"BTCUSDT","price":"95000.50"}]',
        "checkpoint": Checkpoint(fingerprint=b"f", etag='"e"', body_hash=b"h" * 32),
        "has_items": bool(items),
        "items": items,
    }
    return Transformed(**(fields | changes))


def extracted(document: Any = None, *, connector_id: str = "one", **changes: Any) -> Extracted:
    """One answer of a provider."""
    fields: dict[str, Any] = {
        "extraction_id": uuid7(),
        "connector_id": connector_id,
        "epoch": 1,
        "received_at": RECEIVED,
        "response_time_ms": 12,
        "body": b"[]",
        "checkpoint": Checkpoint(),
        "document": document,
    }
    return Extracted(**(fields | changes))
