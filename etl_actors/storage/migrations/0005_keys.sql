-- Who may ask this service. Of a key only its SHA-256 is kept: 256 random bits need no slower hash.

CREATE TABLE api_keys (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL DEFAULT '',
    scope text NOT NULL CHECK (scope IN ('read', 'write', 'admin')),
    hint text NOT NULL,
    digest bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);
