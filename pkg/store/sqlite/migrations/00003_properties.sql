-- +goose Up
CREATE TABLE properties (
    tenant     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;

ALTER TABLE sessions ADD COLUMN labels TEXT NOT NULL DEFAULT '[]'; -- a JSON array of strings
