"""The examples of the OpenAPI document: one small world, seen through every route.

A test holds each to the schema it illustrates.
"""

from __future__ import annotations

from typing import Any

MOMENT = "2025-12-08T16:00:00.123456Z"

ITEM: dict[str, Any] = {
    "id": 9840,
    "connector_id": "cryptocompare_top",
    "api_name": "CryptoCompare - Top",
    "exchange": "cryptocompare",
    "coin_name": "Bitcoin",
    "coin_symbol": "BTC",
    "quote_symbol": "USD",
    "price": 95072.77,
    "market_cap": 1896701765238.92,
    "volume_24h": 34406737451.4,
    "price_change_24h": -3.33,
    "market_cap_rank": 1,
    "timestamp": MOMENT,
    "response_time_ms": 8,
    "extra": {"supply": 19950000},
}
RESPONSE: dict[str, Any] = {
    "id": 4,
    "connector_id": "coingecko_global",
    "stream_offset": 4,
    "response_data": {"data": {"active_cryptocurrencies": 17000}},
    "timestamp": MOMENT,
    "response_time_ms": 112,
}
FRAME: dict[str, Any] = {"total": 1, "limit": 100, "offset": 0, "next": None}
ITEMS: dict[str, Any] = {"items": [ITEM], **FRAME}
RESPONSES: dict[str, Any] = {"data": [RESPONSE], **FRAME}

REJECTED_ONE: dict[str, Any] = {
    "id": 17,
    "connector_id": "coingecko_top",
    "kind": "element",
    "where": "element 3, price",
    "reason": 'price: not a number: "n/a"',
    "timestamp": MOMENT,
    "size": 31,
    "config_changed": True,
}
REJECTED: dict[str, Any] = {"rejected": [REJECTED_ONE], **FRAME}
REJECTED_WHOLE: dict[str, Any] = REJECTED_ONE | {
    "raw": '{"symbol":"btc","price":"n/a"}',
    "encoding": "utf-8",
    "truncated": False,
}
REPLAYED: dict[str, Any] = {
    "id": 17,
    "connector_id": "coingecko_top",
    "items": 1,
    "rejected": 0,
    "stream_offset": 122,
    "event_id": "0199b5a1-7c9e-7b3a-8f57-0c8f6f1d2a3b",
}
BACKLOG_REPLAYED: dict[str, Any] = {
    "replayed": 998,
    "items": 998,
    "failed": 2,
    "reasons": [{"reason": 'price: not a number: "n/a"', "count": 2}],
    "next": "/api/rejected/replay?connector_id=coingecko_top&after=1765209600123456-1042",
}
BACKLOG_DROPPED: dict[str, Any] = {"dropped": 2, "next": None}

CONNECTOR_SETTINGS: dict[str, Any] = {
    "connector_id": "binance_24hr",
    "connector_name": "Binance - 24hr Ticker",
    "source_id": "binance",
    "url": "https://api.binance.com/api/v3/ticker/24hr",
    "interval_seconds": 10,
    "store": "changed",
    "auth": {"type": "api_key", "header": "X-MBX-APIKEY", "value": "***"},
    "items": {
        "coin_symbol": "base_asset(symbol)",
        "quote_symbol": "quote_asset(symbol)",
        "price": "lastPrice",
        "extra": {"high_24h": "highPrice"},
    },
}
CONNECTOR: dict[str, Any] = CONNECTOR_SETTINGS | {"state": "running", "origin": "file"}
CONNECTOR_SENT: dict[str, Any] = {
    "connector_id": "my_api",
    "source_id": "example",
    "url": "https://api.example.com/prices",
    "interval_seconds": 30,
    "auth": {"type": "bearer", "token": "your-token"},
    "items": {"each": "data", "coin_symbol": "upper(ticker)", "quote_symbol": "'USD'", "price": "last"},
}
MADE: dict[str, Any] = CONNECTOR_SENT | {
    "auth": {"type": "bearer", "token": "***"},
    "state": "running",
    "origin": "api",
    "created_at": MOMENT,
    "updated_at": MOMENT,
}
EXTRACT_SENT: dict[str, Any] = {
    "url": "https://api.example.com/prices",
    "items": {"each": "data", "coin_symbol": "upper(ticker)", "price": "last"},
}
EXTRACTED: dict[str, Any] = {
    "connector_id": "extract",
    "id": "0199b5a1-7c9e-7b3a-8f57-0c8f6f1d2a3b",
    "stream_offset": 15,
    "timestamp": MOMENT,
    "response_time_ms": 97,
    "items": [ITEM],
    "rejected": 0,
    "response_data": {"data": [{"ticker": "btc", "last": "95072.77"}]},
}
FILE_LISTED: dict[str, Any] = {
    "id": 3,
    "filename": "prices.csv",
    "file_type": "csv",
    "file_size": 48,
    "row_count": 2,
    "uploaded_at": MOMENT,
    "kind": "upload",
    "path": "uploads/0199b5a17c9e_prices.csv",
    "encoding": "utf-8",
    "delimiter": ",",
    "bad_rows": {"count": 1, "first": [{"line": 3, "message": "has 1 cells where the header has 2"}]},
}
FILE: dict[str, Any] = FILE_LISTED | {"columns": ["Coin", "Price"]}
FILES: dict[str, Any] = {"files": [FILE_LISTED], **FRAME}
FILE_DATA: dict[str, Any] = {
    "data": [{"id": 17, "file_id": 3, "row_number": 1, "row_data": {"Coin": "BTC", "Price": "95000.50"}}],
    **FRAME,
}
PROCESSED: dict[str, Any] = FILE_LISTED | {
    "filename": "0199b5a17c9f_prices.ndjson",
    "file_type": "ndjson",
    "kind": "processed",
    "path": "processed/0199b5a17c9f_prices.ndjson",
    "delimiter": None,
    "columns": [
        {"name": "coin", "original": "Coin", "type": "string", "nulls": 0},
        {"name": "price", "original": "Price", "type": "number", "nulls": 0},
    ],
    "format": "ndjson",
    "rows": 2,
    "preview": [{"coin": "BTC", "price": 95000.5}],
}
CONNECTORS: dict[str, Any] = {"connectors": [CONNECTOR], "total": 1}
CONNECTOR_STATUS: dict[str, Any] = {
    "connector_id": "binance_24hr",
    "state": "running",
    "last_success": MOMENT,
    "last_error": None,
    "last_error_at": None,
    "failures": 0,
    "consecutive_failures": 0,
    "next_poll": "2025-12-08T16:00:10Z",
    "effective_interval_seconds": 10.0,
    "retry_after_seconds": None,
    "latency_p50_ms": 82.9,
    "latency_p99_ms": 143.7,
    "polls": 2,
    "unchanged": 0,
    "stale": False,
    "items": 4596,
    "rejected": 0,
    "warning": None,
}
STATUS: dict[str, Any] = {
    "status": "ok",
    "version": "0.1.0",
    "started_at": "2025-12-08T15:59:47Z",
    "uptime_seconds": 12.98,
    "connectors": {"running": ["binance_24hr"], "throttled": [], "failing": [], "paused": [], "stopped": []},
    "stale": [],
    "actors": [
        {"name": "loader", "state": "running", "restarts": 0, "last_error": None, "last_error_at": None},
        {
            "name": "connector:binance_24hr",
            "state": "running",
            "restarts": 0,
            "last_error": None,
            "last_error_at": None,
        },
    ],
    "config": {
        "folder": "config",
        "last_loaded_at": MOMENT,
        "last_error": None,
        "needs_restart": [],
    },
    "channels": {"extracted": {"waiting": 0, "capacity": 8}},
    "loader": {
        "batches": 13,
        "rows": 9863,
        "refused": 0,
        "spooled": 0,
        "waits": False,
        "head": 14,
        "waiting_seconds": 0.0,
        "last_error": None,
    },
    "database": {"kind": "embedded", "version": "PostgreSQL 18.4", "restarts": 0, "last_error": None},
    "spool": {
        "batches": 0,
        "rows": 0,
        "bytes": 0,
        "max_bytes": 2147483648,
        "oldest_seconds": None,
        "damaged": 0,
        "full": False,
    },
    "subscribers": {
        "subscribers": 1,
        "events": 14,
        "too_slow": 0,
        "replaying": 0,
        "dropped": 0,
        "head": 14,
        "waiting_bytes": 0,
        "fullest_bytes": 0,
        "recent_bytes": 5824000,
    },
    "symbols": {"binance": {"pairs": 2500, "refreshed_at": MOMENT, "last_error": None}},
}
NOT_READY: dict[str, Any] = {
    "type": "about:blank",
    "title": "Not ready",
    "status": 503,
    "detail": "the database does not answer",
    "reasons": ["the database does not answer"],
}
TEST_MESSAGE: dict[str, Any] = {"type": "hello", "data": {"message": "hello"}}
TEST_SENT: dict[str, Any] = {"status": "sent", "subscribers": 2, "message": TEST_MESSAGE}

SESSION: dict[str, Any] = {"scope": "read", "name": "wall display", "key_id": 3}
LOGIN: dict[str, Any] = {"key": "etl_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"}
KEY: dict[str, Any] = {
    "id": 3,
    "name": "wall display",
    "scope": "read",
    "begins": "etl_0123",
    "state": "active",
    "created_at": MOMENT,
    "expires_at": None,
    "last_used_at": MOMENT,
    "revoked_at": None,
}
KEYS: dict[str, Any] = {"keys": [KEY], "total": 1}
KEY_WANTED: dict[str, Any] = {"name": "wall display", "scope": "read", "expires_days": 90}
NEW_KEY: dict[str, Any] = KEY | {"last_used_at": None, "key": LOGIN["key"]}
EVENT_STREAM = (
    "id: 121\n"
    'data: {"type":"price_update","connector_id":"binance_24hr","offset":121,'
    '"id":"0198f000-0000-7000-8000-000000000000","data":{"items":[]},"timestamp":"2025-12-08T16:00:00Z"}\n\n'
)
