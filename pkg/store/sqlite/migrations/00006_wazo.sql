-- +goose Up
ALTER TABLE users ADD COLUMN backend TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN backend_id TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN acl TEXT NOT NULL DEFAULT '[]'; -- this and the next: a JSON array of strings
ALTER TABLE users ADD COLUMN policies TEXT NOT NULL DEFAULT '[]';

ALTER TABLE sessions ADD COLUMN opaque TEXT NOT NULL DEFAULT ''; -- a JSON object; empty: an ordinary session
ALTER TABLE sessions ADD COLUMN is_opaque INTEGER NOT NULL DEFAULT 0;

-- Ordinary sessions have no part in these. They ask for equality, and have the end,
-- so that nothing but the index is read to count and to pass by.
CREATE INDEX opaque_sessions ON sessions (tenant, accessor, expires_at) WHERE is_opaque = 1 AND revoked_at = 0;
CREATE INDEX opaque_sessions_of_subject ON sessions (tenant, subject, accessor, expires_at) WHERE is_opaque = 1 AND revoked_at = 0;

CREATE TABLE refresh_tokens (
    tenant     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    client     TEXT    NOT NULL,
    id         BLOB    NOT NULL UNIQUE,
    seed       BLOB    NOT NULL,
    door       TEXT    NOT NULL,
    backend    TEXT    NOT NULL,
    mobile     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, subject, client)
) STRICT, WITHOUT ROWID;

-- Each list that is asked for is one walk along one of these, there or back, or
-- along the table itself: those of a subject by client.
CREATE INDEX refresh_tokens_by_creation ON refresh_tokens (tenant, created_at, subject, client);
CREATE INDEX refresh_tokens_by_client ON refresh_tokens (tenant, client, subject);
CREATE INDEX refresh_tokens_by_mobile ON refresh_tokens (tenant, mobile, subject, client);
CREATE INDEX refresh_tokens_of_subject_by_creation ON refresh_tokens (tenant, subject, created_at, client);
CREATE INDEX refresh_tokens_of_subject_by_mobile ON refresh_tokens (tenant, subject, mobile, client);

CREATE TABLE policies (
    tenant      TEXT    NOT NULL,
    uuid        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    templates   TEXT    NOT NULL, -- a JSON array of strings
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, uuid),
    UNIQUE (tenant, name)
) STRICT, WITHOUT ROWID;
