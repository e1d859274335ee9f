-- +goose Up
CREATE TABLE tenants (
    name            TEXT    NOT NULL PRIMARY KEY,
    algorithm       TEXT    NOT NULL,
    issuer          TEXT    NOT NULL,
    base_url        TEXT    NOT NULL,
    site            TEXT    NOT NULL,
    site_admin      INTEGER NOT NULL,
    api_version     TEXT    NOT NULL,
    access_ttl      INTEGER NOT NULL,
    refresh_ttl     INTEGER NOT NULL,
    max_access_ttl  INTEGER NOT NULL,
    max_refresh_ttl INTEGER NOT NULL,
    weak_keys       INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The tenant that exists from the start.
INSERT INTO tenants VALUES ('default', '', '', '', '', 0, '', 0, 0, 0, 0, 0, 0, 0);

CREATE TABLE service_accounts (
    tenant        TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    may_mint      TEXT    NOT NULL, -- a JSON array of strings
    disabled      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

ALTER TABLE keys ADD COLUMN longest_ttl INTEGER NOT NULL DEFAULT 0;
