-- What is needed to map a rejected payload again: what it is (a whole response, a frame, or one element of a list and
-- its place there), how long the provider took, and the fingerprint of the connector it was refused under, so that one
-- can see whether the mapping is another by now. All are null in rows from before, which are judged by their `place`.
ALTER TABLE rejected
    ADD COLUMN kind              text,
    ADD COLUMN position          integer,
    ADD COLUMN response_time_ms  integer,
    ADD COLUMN fingerprint       bytea;
CREATE INDEX rejected_by_connector ON rejected (connector_id, timestamp, id);
