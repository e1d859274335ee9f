-- Instants are microseconds since 1970, lifetimes seconds, 0 is never or none.
-- Text is compared byte for byte (collation BINARY).

-- +goose Up
CREATE TABLE users (
    tenant        TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    roles         TEXT    NOT NULL, -- a JSON array of strings
    disabled      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id           BLOB    NOT NULL PRIMARY KEY,
    accessor     TEXT    NOT NULL UNIQUE,
    tenant       TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    client       TEXT    NOT NULL,
    door         TEXT    NOT NULL,
    scope        TEXT    NOT NULL,
    device       TEXT    NOT NULL,
    counter      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    rotated_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    idle_ttl     INTEGER NOT NULL,
    access_ttl   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    revoked_at   INTEGER NOT NULL,
    -- The end of the session as far as it is known: what Purge goes by.
    ended_at     INTEGER GENERATED ALWAYS AS (CASE
        WHEN revoked_at = 0 THEN expires_at
        WHEN expires_at = 0 THEN revoked_at
        ELSE min(expires_at, revoked_at) END) VIRTUAL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_of_subject ON sessions (tenant, subject, accessor);
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at <> 0;

-- AUTOINCREMENT: a number that was seen is never given again, not even when the
-- newest rows were purged; followers rely on it.
CREATE TABLE revocations (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT    NOT NULL,
    key     BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    until   INTEGER NOT NULL,
    UNIQUE (kind, key)
) STRICT;

CREATE INDEX revocations_by_end ON revocations (until) WHERE until <> 0;

CREATE TABLE keys (
    id         TEXT    NOT NULL PRIMARY KEY,
    tenant     TEXT    NOT NULL,
    door       TEXT    NOT NULL,
    algorithm  TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    not_after  INTEGER NOT NULL,
    sealed     BLOB    NOT NULL
) STRICT, WITHOUT ROWID;
