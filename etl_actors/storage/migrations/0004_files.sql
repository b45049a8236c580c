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

-- The foreign key would look its file up for every single row, which takes as long as storing them. Rows are only
-- written in the transaction of their file; that they go with it is seen to once a statement. Its name is looked up:
-- beside tables of the original that were set aside it got another.
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = 'file_data'::regclass AND contype = 'f' LOOP
        EXECUTE format('ALTER TABLE file_data DROP CONSTRAINT %I', name);
    END LOOP;
END
$$;
CREATE FUNCTION delete_rows_of_files() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM file_data WHERE file_id IN (SELECT id FROM gone);
    RETURN NULL;
END
$$;
CREATE TRIGGER rows_go_with_their_file AFTER DELETE ON files
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION delete_rows_of_files();
