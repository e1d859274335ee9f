-- +goose Up
-- The last number that a kind of record was given in a tenant. A number is never
-- given again, not even when its record is gone.
CREATE TABLE numbers (
    tenant TEXT    NOT NULL,
    kind   TEXT    NOT NULL,
    last   INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind)
) STRICT, WITHOUT ROWID;

ALTER TABLE users ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE users SET number = ranked.number
    FROM (SELECT tenant, name, row_number() OVER (PARTITION BY tenant ORDER BY created_at, name) AS number FROM users) AS ranked
    WHERE users.tenant = ranked.tenant AND users.name = ranked.name;
INSERT INTO numbers SELECT tenant, 'user', max(number) FROM users GROUP BY tenant;
CREATE UNIQUE INDEX users_by_number ON users (tenant, number);

ALTER TABLE applications ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
ALTER TABLE applications ADD COLUMN organisation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE applications ADD COLUMN owner TEXT NOT NULL DEFAULT '';
ALTER TABLE applications ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE applications ADD COLUMN implicit INTEGER NOT NULL DEFAULT 0;
UPDATE applications SET number = ranked.number
    FROM (SELECT tenant, id, row_number() OVER (PARTITION BY tenant ORDER BY created_at, id) AS number FROM applications) AS ranked
    WHERE applications.tenant = ranked.tenant AND applications.id = ranked.id;
INSERT INTO numbers SELECT tenant, 'application', max(number) FROM applications GROUP BY tenant;
CREATE UNIQUE INDEX applications_by_number ON applications (tenant, number);
CREATE INDEX applications_of_organisation ON applications (tenant, organisation) WHERE organisation <> 0;
CREATE INDEX applications_of_owner ON applications (tenant, owner) WHERE owner <> '';

CREATE TABLE organisations (
    tenant      TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    PRIMARY KEY (tenant, number),
    UNIQUE (tenant, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE memberships (
    tenant       TEXT    NOT NULL,
    user         TEXT    NOT NULL,
    organisation INTEGER NOT NULL,
    role         TEXT    NOT NULL,
    PRIMARY KEY (tenant, user, organisation, role)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_of_organisation ON memberships (tenant, organisation, user, role);

CREATE TABLE access_tokens (
    tenant      TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    door        TEXT    NOT NULL,
    family      INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    subject     TEXT    NOT NULL,
    client      TEXT    NOT NULL,
    scope       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    keep_until  INTEGER NOT NULL,
    personal    INTEGER GENERATED ALWAYS AS (client = '') VIRTUAL,
    PRIMARY KEY (tenant, number)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX access_tokens_of_family ON access_tokens (tenant, family);
CREATE INDEX access_tokens_by_end ON access_tokens (keep_until) WHERE keep_until <> 0;

-- Each list that is asked for is one walk along one of these.
CREATE INDEX access_tokens_by_sort ON access_tokens (tenant, personal, number);
CREATE INDEX access_tokens_of_subject ON access_tokens (tenant, subject, number);
CREATE INDEX access_tokens_of_subject_by_sort ON access_tokens (tenant, subject, personal, number);
-- The subject is in it for those who count what a subject has of a client.
CREATE INDEX access_tokens_of_client ON access_tokens (tenant, client, number, subject) WHERE client <> '';

-- How many there are of a tenant, a subject or a client. The kind says which, the
-- name is that of the subject or the client, that of a tenant's is empty. The
-- triggers keep it, whatever statement adds or removes a token.
CREATE TABLE access_token_counts (
    tenant      TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    personal    INTEGER NOT NULL,
    application INTEGER NOT NULL,
    PRIMARY KEY (tenant, kind, name)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER access_token_added AFTER INSERT ON access_tokens BEGIN
    INSERT INTO access_token_counts VALUES
        (new.tenant, 'tenant', '', new.client = '', new.client <> ''),
        (new.tenant, 'subject', new.subject, new.client = '', new.client <> ''),
        (new.tenant, 'client', new.client, new.client = '', new.client <> '')
        ON CONFLICT DO UPDATE SET
            personal = personal + excluded.personal, application = application + excluded.application;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER access_token_removed AFTER DELETE ON access_tokens BEGIN
    INSERT INTO access_token_counts VALUES
        (old.tenant, 'tenant', '', -(old.client = ''), -(old.client <> '')),
        (old.tenant, 'subject', old.subject, -(old.client = ''), -(old.client <> '')),
        (old.tenant, 'client', old.client, -(old.client = ''), -(old.client <> ''))
        ON CONFLICT DO UPDATE SET
            personal = personal + excluded.personal, application = application + excluded.application;
    DELETE FROM access_token_counts WHERE tenant = old.tenant AND kind = 'subject' AND name = old.subject
        AND personal = 0 AND application = 0;
    DELETE FROM access_token_counts WHERE tenant = old.tenant AND kind = 'client' AND name = old.client
        AND personal = 0 AND application = 0;
END;
-- +goose StatementEnd
