-- +goose Up
CREATE TABLE applications (
    tenant        TEXT    NOT NULL,
    id            TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    secret_mac    BLOB    NOT NULL,
    auth_method   TEXT    NOT NULL,
    grants        TEXT    NOT NULL, -- this and the next three: a JSON array of strings
    redirect_uris TEXT    NOT NULL,
    scopes        TEXT    NOT NULL,
    audiences     TEXT    NOT NULL,
    jwks          TEXT    NOT NULL,
    introspect    INTEGER NOT NULL,
    skip_consent  INTEGER NOT NULL,
    pkce_optional INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE tickets (
    id           BLOB    NOT NULL PRIMARY KEY,
    kind         TEXT    NOT NULL,
    tenant       TEXT    NOT NULL,
    client       TEXT    NOT NULL,
    user_code    TEXT    NOT NULL,
    scope        TEXT    NOT NULL,
    audience     TEXT    NOT NULL,
    redirect_uri TEXT    NOT NULL,
    challenge    TEXT    NOT NULL,
    nonce        TEXT    NOT NULL,
    bound        TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    subject      TEXT    NOT NULL,
    auth_at      INTEGER NOT NULL,
    session      BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    keep_until   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX tickets_by_user_code ON tickets (user_code) WHERE user_code <> '';
CREATE INDEX tickets_by_end ON tickets (keep_until) WHERE keep_until <> 0;

-- Values that must not come twice.
CREATE TABLE once (
    value BLOB    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX once_by_end ON once (until) WHERE until <> 0;

ALTER TABLE sessions ADD COLUMN grant_type TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN audience TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN bound TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN auth_at INTEGER NOT NULL DEFAULT 0;

CREATE INDEX sessions_of_client ON sessions (tenant, client) WHERE client <> '';

-- A key that is there has signed from its creation on.
ALTER TABLE keys ADD COLUMN not_before INTEGER NOT NULL DEFAULT 0;
UPDATE keys SET not_before = created_at;
