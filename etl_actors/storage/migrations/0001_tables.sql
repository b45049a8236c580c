-- The tables of the original (its columns, times now with their zone) and what the commit needs to be exact.

CREATE TABLE api_connectors (
    id              serial PRIMARY KEY,
    connector_id    varchar(255) UNIQUE NOT NULL,
    connector_name  text,
    source_id       varchar(255),
    created_at      timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at      timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- One row a response. Ids are handed out by the writer from blocks of the sequence, so that an event can name its rows.
CREATE SEQUENCE api_connector_data_id_seq AS bigint INCREMENT BY 100;
CREATE TABLE api_connector_data (
    id                bigint       NOT NULL,
    connector_id      varchar(255) NOT NULL,
    response_data     jsonb        NOT NULL,
    raw_response      text,
    timestamp         timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    response_time_ms  integer,
    extraction_id     uuid         NOT NULL
) PARTITION BY RANGE (timestamp);
CREATE INDEX api_connector_data_by_time ON api_connector_data (timestamp, id);
CREATE INDEX api_connector_data_by_connector ON api_connector_data (connector_id, timestamp, id);

-- One row a coin or pair. The indexes leave the id out on purpose: the thousands of rows of one poll then share one
-- deduplicated entry, and an incremental sort puts the ids of one instant in order.
CREATE SEQUENCE api_connector_items_id_seq AS bigint INCREMENT BY 1000;
CREATE TABLE api_connector_items (
    id                bigint       NOT NULL,
    connector_id      varchar(255) NOT NULL,
    api_name          text         NOT NULL,
    exchange          varchar(255),
    coin_name         text,
    coin_symbol       text,
    quote_symbol      text,
    price             numeric,
    market_cap        numeric,
    volume_24h        numeric,
    price_change_24h  numeric,
    market_cap_rank   bigint,
    timestamp         timestamptz  NOT NULL DEFAULT CURRENT_TIMESTAMP,
    response_time_ms  integer,
    extra             jsonb
) PARTITION BY RANGE (timestamp);
CREATE INDEX api_connector_items_by_time ON api_connector_items (timestamp);
CREATE INDEX api_connector_items_by_connector ON api_connector_items (connector_id, timestamp);
CREATE INDEX api_connector_items_by_symbol ON api_connector_items (upper(coin_symbol), timestamp);

CREATE SEQUENCE websocket_data_id_seq AS bigint INCREMENT BY 100;
CREATE TABLE websocket_data (
    id            bigint      NOT NULL,
    message_type  varchar(100),
    data          jsonb       NOT NULL,
    timestamp     timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    connector_id  varchar(255),
    extraction_id uuid        NOT NULL
) PARTITION BY RANGE (timestamp);
CREATE INDEX websocket_data_by_time ON websocket_data (timestamp, id);

CREATE SEQUENCE rejected_id_seq AS bigint;
CREATE TABLE rejected (
    id             bigint       NOT NULL DEFAULT nextval('rejected_id_seq'),
    connector_id   varchar(255) NOT NULL,
    raw            bytea        NOT NULL,
    reason         text         NOT NULL,
    place          text         NOT NULL,
    timestamp      timestamptz  NOT NULL,
    extraction_id  uuid         NOT NULL
) PARTITION BY RANGE (timestamp);
CREATE INDEX rejected_by_id ON rejected (id);
CREATE INDEX rejected_by_time ON rejected (timestamp);

CREATE TABLE files (
    id           serial PRIMARY KEY,
    filename     text        NOT NULL,
    file_type    varchar(50) NOT NULL,
    file_size    bigint      NOT NULL,
    row_count    bigint,
    uploaded_at  timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE file_data (
    id          bigserial PRIMARY KEY,
    file_id     integer NOT NULL REFERENCES files (id) ON DELETE CASCADE,
    row_number  bigint  NOT NULL,
    row_data    jsonb   NOT NULL
);
CREATE INDEX file_data_by_file ON file_data (file_id, row_number);

-- The log that subscribers follow. The body of an event is rebuilt from the rows it names; `data` holds the bodies of
-- events that have no rows.
CREATE TABLE events (
    stream_offset  bigint       NOT NULL,
    event_id       uuid         NOT NULL,
    type           text         NOT NULL,
    connector_id   varchar(255) NOT NULL,
    timestamp      timestamptz  NOT NULL,
    committed_at   timestamptz  NOT NULL,
    response_id    bigint,
    first_item     bigint,
    last_item      bigint,
    data           jsonb
) PARTITION BY RANGE (committed_at);
CREATE INDEX events_by_offset ON events (stream_offset);
CREATE INDEX events_by_id ON events (event_id);

-- The identity of this history, and its last offset. The lock on its one row makes commit order equal offset order.
CREATE TABLE stream (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    stream_id  uuid    NOT NULL DEFAULT gen_random_uuid(),
    head       bigint  NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO stream DEFAULT VALUES;

-- Which batches are stored: a batch that comes again is known by its id.
CREATE TABLE batches (
    batch_id      uuid PRIMARY KEY,
    committed_at  timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX batches_by_time ON batches (committed_at);

-- Who owns a connector, and where its last commit ended.
CREATE TABLE connector_state (
    connector_id   varchar(255) PRIMARY KEY,
    epoch          bigint NOT NULL,
    owner          text   NOT NULL,
    fingerprint    bytea  NOT NULL DEFAULT '',
    etag           text,
    last_modified  text,
    body_hash      bytea,
    cursor         jsonb,
    updated_at     timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
) WITH (fillfactor = 50);

-- Exact totals without counting: rows of each connector in each partition.
CREATE TABLE row_counts (
    table_name       text         NOT NULL,
    partition_start  timestamptz  NOT NULL,
    connector_id     varchar(255) NOT NULL,
    rows             bigint       NOT NULL,
    PRIMARY KEY (table_name, partition_start, connector_id)
) WITH (fillfactor = 50);

-- The newest item of each pair, by (timestamp, id) in api_connector_items.
CREATE TABLE item_latest (
    connector_id  varchar(255) NOT NULL,
    pair          text         NOT NULL,
    timestamp     timestamptz  NOT NULL,
    item_id       bigint       NOT NULL,
    PRIMARY KEY (connector_id, pair)
) WITH (fillfactor = 50);

-- Which exchange names a connector ever stored items under, so that a filter by exchange finds its connectors.
CREATE TABLE connector_exchanges (
    exchange      varchar(255) NOT NULL,
    connector_id  varchar(255) NOT NULL,
    PRIMARY KEY (exchange, connector_id)
);

-- The last symbol table each source published: {"BTCUSDT": ["BTC", "USDT"], ...}
CREATE TABLE symbol_tables (
    source_id   varchar(255) PRIMARY KEY,
    pairs       jsonb        NOT NULL,
    fetched_at  timestamptz  NOT NULL
);

-- Where the server can, bodies are compressed with lz4: three times as fast as pglz and about as small.
DO $$
BEGIN
    ALTER TABLE api_connector_data ALTER COLUMN response_data SET COMPRESSION lz4;
    ALTER TABLE rejected ALTER COLUMN raw SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported OR invalid_parameter_value THEN
    RAISE NOTICE 'this server was built without lz4; pglz is used';
END
$$;
