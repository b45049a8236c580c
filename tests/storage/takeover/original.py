"""A database as the original made it: the tables of its documentation, and rows as its scheduler wrote them."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg

CONNECTORS = {
    "binance_24hr": ("Binance - 24hr Ticker", "binance"),
    "coingecko_top": ("CoinGecko - Top", "coingecko"),
    "kraken_own": ("Kraken - of my own", "kraken"),
}

# As in the documentation, word for word.
DOCUMENTED = """
CREATE TABLE api_connectors (
    id SERIAL PRIMARY KEY,
    connector_id VARCHAR(255) UNIQUE NOT NULL,
    connector_name TEXT,
    source_id VARCHAR(255),
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE api_connector_data (
    id SERIAL PRIMARY KEY,
    connector_id VARCHAR(255) REFERENCES api_connectors(connector_id),
    response_data JSONB NOT NULL,
    raw_response TEXT,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE websocket_data (
    id SERIAL PRIMARY KEY,
    message_type VARCHAR(100),
    data JSONB NOT NULL,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX idx_connector_id ON api_connector_data(connector_id);
CREATE INDEX idx_timestamp ON api_connector_data(timestamp DESC);
"""
FILES = """
CREATE TABLE files (
    id SERIAL PRIMARY KEY,
    filename VARCHAR(255) NOT NULL,
    file_type VARCHAR(50),
    file_size BIGINT,
    uploaded_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE file_data (
    id SERIAL PRIMARY KEY,
    file_id INTEGER REFERENCES files(id) ON DELETE CASCADE,
    row_data JSONB
);
"""
ITEMS = """
CREATE TABLE api_connector_items (
    id SERIAL PRIMARY KEY,
    connector_id VARCHAR(255) REFERENCES api_connectors(connector_id),
    api_name VARCHAR(255),
    exchange VARCHAR(100),
    coin_name VARCHAR(255),
    coin_symbol VARCHAR(50),
    price NUMERIC(30, 10),
    market_cap NUMERIC(30, 2),
    volume_24h NUMERIC(30, 2),
    price_change_24h NUMERIC(10, 4),
    market_cap_rank INTEGER,
    timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    response_time_ms INTEGER
);
CREATE INDEX idx_items_symbol ON api_connector_items(coin_symbol);
"""

RESPONSES, ITEM_ROWS, MESSAGES, FILE_ROWS = 3_000, 6_000, 1_500, 2_400


def make_original(database: str, *, items: bool = True, rows: bool = True, days: int = 400) -> None:
    """The original's tables, with a few thousand rows of each that go back so many days."""
    statements = [DOCUMENTED, FILES]
    if items:
        statements.append(ITEMS)
    if rows:
        statements += _rows(days, items=items)
    run(database, *statements)


def run(database: str, *statements: str) -> None:
    """Execute each, each committed by itself."""
    with psycopg.connect(database, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def ask(database: str, query: str) -> list[tuple[object, ...]]:
    """All rows of an answer."""
    with psycopg.connect(database) as connection:
        return connection.execute(query.encode()).fetchall()


def _rows(days: int, *, items: bool) -> Iterable[str]:
    ago = f"(now() AT TIME ZONE 'UTC') - interval '{days} days' * (1 - n / {{}}.0)"
    connector = f"(ARRAY[{', '.join(map(repr, CONNECTORS))}])[1 + n % 3]"
    for connector_id, (name, source) in CONNECTORS.items():
        yield (
            "INSERT INTO api_connectors (connector_id, connector_name, source_id, created_at)"
            f" VALUES ('{connector_id}', '{name}', '{source}', '2024-01-01 12:00')"
        )
    yield (
        "INSERT INTO api_connector_data (connector_id, response_data, raw_response, timestamp)"
        f" SELECT {connector}, jsonb_build_object('n', n, 'price', 95000.50), '{{}}', {ago.format(RESPONSES)}"
        f" FROM generate_series(1, {RESPONSES}) AS n"
    )
    yield (
        "INSERT INTO websocket_data (message_type, data, timestamp)"
        f" SELECT 'price_update', jsonb_build_object('n', n), {ago.format(MESSAGES)}"
        f" FROM generate_series(1, {MESSAGES}) AS n"
    )
    yield (
        "INSERT INTO files (filename, file_type, file_size) VALUES ('a.csv', 'text/csv', 12), ('b.json', NULL, NULL)"
    )
    yield (
        "INSERT INTO file_data (file_id, row_data) SELECT 1 + n % 2, jsonb_build_object('n', n)"
        f" FROM generate_series(1, {FILE_ROWS}) AS n"
    )
    if items:
        yield (
            "INSERT INTO api_connector_items (connector_id, api_name, exchange, coin_name, coin_symbol, price,"
            " market_cap_rank, timestamp, response_time_ms)"
            f" SELECT {connector}, 'An API', (ARRAY['binance', 'coingecko', 'kraken'])[1 + n % 3],"
            f" 'Coin ' || n % 10, 'C' || n % 10, n + 0.50, n % 10, {ago.format(ITEM_ROWS)}, 145"
            f" FROM generate_series(1, {ITEM_ROWS}) AS n"
        )
