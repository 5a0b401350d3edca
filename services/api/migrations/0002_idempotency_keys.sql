-- compatible_from: 1

-- The answers to requests that came with an Idempotency-Key, for as long as they are replayed.
CREATE TABLE idempotency_keys (
    owner       text NOT NULL CHECK (char_length(owner) BETWEEN 1 AND 64),
    key         text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 128),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    status      smallint NOT NULL CHECK (status BETWEEN 200 AND 299),
    location    text NOT NULL,
    etag        text NOT NULL,
    body        bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (owner, key)
);

-- The purge walks from the oldest.
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
