-- What a stream did not bring, by its own numbers: one row a gap, stored with the notice that tells subscribers of it
-- (the event of that id). The numbers are NUMERIC because providers count in unsigned 64 bits; they are null where a
-- gap is known by its time only.
CREATE TABLE gaps (
    connector_id   varchar(255) NOT NULL,
    key            text         NOT NULL,
    first_missing  numeric,
    last_missing   numeric,
    timestamp      timestamptz  NOT NULL,
    event_id       uuid         NOT NULL
) PARTITION BY RANGE (timestamp);
CREATE INDEX gaps_by_connector ON gaps (connector_id, timestamp);

-- What subscribers were told last of a connector, so that its next life tells them when that is not so any more.
ALTER TABLE connector_state ADD COLUMN told jsonb;

-- As before, but a connector of which the batch holds notices only is fenced and its state stays as it is: a notice is
-- no place to continue from.
CREATE OR REPLACE FUNCTION finish_batch(states jsonb, counts jsonb, latest jsonb, entries jsonb, at timestamptz)
RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    lost text[];
    last_offset bigint;
    many integer := jsonb_array_length(entries);
BEGIN
    -- Fence: the connectors' rows, in id order, where the epoch is still ours.
    PERFORM 1
    FROM connector_state AS s
    WHERE s.connector_id IN (SELECT o ->> 'connector_id' FROM jsonb_array_elements(states) AS o)
    ORDER BY s.connector_id
    FOR UPDATE;

    SELECT array_agg(o.connector_id ORDER BY o.connector_id) INTO lost
    FROM jsonb_to_recordset(states) AS o (connector_id text, epoch bigint)
    LEFT JOIN connector_state AS s ON s.connector_id = o.connector_id AND s.epoch = o.epoch
    WHERE s.connector_id IS NULL;
    IF lost IS NOT NULL THEN
        RAISE EXCEPTION 'epoch lost' USING ERRCODE = 'EA001', DETAIL = array_to_json(lost)::text;
    END IF;

    -- State: where the next incarnation continues.
    UPDATE connector_state AS s
    SET fingerprint = decode(o.fingerprint, 'hex'), etag = o.etag, last_modified = o.last_modified,
        body_hash = decode(o.body_hash, 'hex'), cursor = o.cursor, updated_at = at
    FROM jsonb_to_recordset(states) AS o (
        connector_id text, fingerprint text, etag text, last_modified text, body_hash text, cursor jsonb
    )
    WHERE s.connector_id = o.connector_id AND o.fingerprint IS NOT NULL;

    UPDATE connector_state AS s
    SET told = o.told
    FROM jsonb_to_recordset(states) AS o (connector_id text, told jsonb)
    WHERE s.connector_id = o.connector_id AND o.told IS NOT NULL;

    INSERT INTO row_counts AS c (table_name, partition_start, connector_id, rows)
    SELECT o.table_name, o.partition_start, o.connector_id, o.rows
    FROM jsonb_to_recordset(counts) AS o (table_name text, partition_start timestamptz, connector_id text, rows bigint)
    ORDER BY 1, 2, 3
    ON CONFLICT (table_name, partition_start, connector_id) DO UPDATE SET rows = c.rows + excluded.rows;

    INSERT INTO item_latest AS l (connector_id, pair, timestamp, item_id)
    SELECT o.connector_id, o.pair, o.timestamp, o.item_id
    FROM jsonb_to_recordset(latest) AS o (connector_id text, pair text, timestamp timestamptz, item_id bigint)
    ORDER BY 1, 2
    ON CONFLICT (connector_id, pair) DO UPDATE SET timestamp = excluded.timestamp, item_id = excluded.item_id
    WHERE (excluded.timestamp, excluded.item_id) > (l.timestamp, l.item_id);

    -- Offset: the lock on this row is what makes commit order equal offset order; a rollback leaves no hole.
    UPDATE stream SET head = head + many RETURNING head INTO last_offset;

    PERFORM append_events(entries, last_offset, at);

    RETURN last_offset - many + 1;
END
$$;
