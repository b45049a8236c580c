-- How far the copying of the original's tables has come: a row for each table that was set aside as `<table_name>_v0`.
-- Empty in a database that began as ours. A takeover makes this table itself, before anything else is migrated.
CREATE TABLE IF NOT EXISTS takeover (
    table_name    text PRIMARY KEY,
    set_aside_at  timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    expected      bigint,                      -- rows the original had; null until its history is planned
    last_key      bigint,                      -- key of the last row that was copied
    last_moment   timestamptz,                 -- the newest time so far, for rows that have none of their own
    rows          bigint NOT NULL DEFAULT 0,   -- copied
    mended        bigint NOT NULL DEFAULT 0,   -- of them, with some value that had to be replaced
    left_behind   bigint NOT NULL DEFAULT 0,   -- not copied: they cannot be rows of ours
    finished_at   timestamptz
);
