-- Connectors that were made over REST are kept here, their secrets sealed; those from files have no definition.
-- A deleted one loses its definition and keeps its row, since its data stays until retention; `version` goes on, so
-- that an id that is used again is never mistaken for what it was.
ALTER TABLE api_connectors
    ADD COLUMN definition jsonb,
    ADD COLUMN version bigint NOT NULL DEFAULT 0;

-- The key that secrets are being moved to, sealed under the one they were kept under: how a running service learns of
-- a rotation. There is a row only while some service may still hold the old key.
CREATE TABLE key_handover (
    new_key_id  text PRIMARY KEY,
    old_key_id  text NOT NULL,
    sealed_key  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
