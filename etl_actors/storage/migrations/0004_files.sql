-- What is known of a file beyond the original's columns. `kind` is 'upload' or 'processed'; `stored_name` is its name
-- in the folder of that kind, null for files that were taken over from elsewhere; `columns` are the names in the order
-- of the file (of a processed one [{"name", "original", "type", "nulls"}]); `bad_rows` is
-- {"count", "first": [{"line", "message"}]}.
ALTER TABLE files
    ADD COLUMN kind         text NOT NULL DEFAULT 'upload',
    ADD COLUMN stored_name  text UNIQUE,
    ADD COLUMN encoding     text,
    ADD COLUMN delimiter    text,
    ADD COLUMN columns      jsonb,
    ADD COLUMN bad_rows     jsonb;
CREATE INDEX files_by_time ON files (uploaded_at);
