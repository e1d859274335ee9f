-- The tables are those of SQLite, in its last shape. Text is BYTEA, since it is any
-- bytes, NUL and what is no UTF-8 included, and is compared byte for byte. Flags are
-- 0 and 1. Instants are microseconds since 1970, lifetimes seconds, 0 is never or
-- none.

-- +goose Up
CREATE TABLE tenants (
    name            BYTEA  NOT NULL PRIMARY KEY,
    algorithm       BYTEA  NOT NULL,
    issuer          BYTEA  NOT NULL,
    base_url        BYTEA  NOT NULL,
    site            BYTEA  NOT NULL,
    site_admin      BIGINT NOT NULL,
    api_version     BYTEA  NOT NULL,
    access_ttl      BIGINT NOT NULL,
    refresh_ttl     BIGINT NOT NULL,
    max_access_ttl  BIGINT NOT NULL,
    max_refresh_ttl BIGINT NOT NULL,
    weak_keys       BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL
);

-- The tenant that exists from the start.
INSERT INTO tenants VALUES ('default', '', '', '', '', 0, '', 0, 0, 0, 0, 0, 0, 0);

-- The last number that a kind of record was given in a tenant. A number is never
-- given again, not even when its record is gone.
CREATE TABLE numbers (
    tenant BYTEA  NOT NULL,
    kind   BYTEA  NOT NULL,
    last   BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind)
) WITH (fillfactor = 50);

CREATE TABLE users (
    tenant        BYTEA  NOT NULL,
    name          BYTEA  NOT NULL,
    password_hash BYTEA  NOT NULL,
    roles         BYTEA  NOT NULL, -- a JSON array of strings
    disabled      BIGINT NOT NULL,
    number        BIGINT NOT NULL,
    backend       BYTEA  NOT NULL,
    backend_id    BYTEA  NOT NULL,
    acl           BYTEA  NOT NULL, -- this and the next: a JSON array of strings
    policies      BYTEA  NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

CREATE UNIQUE INDEX users_by_number ON users (tenant, number);

CREATE TABLE applications (
    tenant        BYTEA  NOT NULL,
    id            BYTEA  NOT NULL,
    name          BYTEA  NOT NULL,
    secret_mac    BYTEA  NOT NULL,
    auth_method   BYTEA  NOT NULL,
    grants        BYTEA  NOT NULL, -- this and the next three: a JSON array of strings
    redirect_uris BYTEA  NOT NULL,
    scopes        BYTEA  NOT NULL,
    audiences     BYTEA  NOT NULL,
    jwks          BYTEA  NOT NULL,
    introspect    BIGINT NOT NULL,
    skip_consent  BIGINT NOT NULL,
    pkce_optional BIGINT NOT NULL,
    number        BIGINT NOT NULL,
    organisation  BIGINT NOT NULL,
    owner         BYTEA  NOT NULL,
    description   BYTEA  NOT NULL,
    implicit      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
);

CREATE UNIQUE INDEX applications_by_number ON applications (tenant, number);
CREATE INDEX applications_of_organisation ON applications (tenant, organisation) WHERE organisation <> 0;
CREATE INDEX applications_of_owner ON applications (tenant, owner) WHERE owner <> '';

CREATE TABLE service_accounts (
    tenant        BYTEA  NOT NULL,
    name          BYTEA  NOT NULL,
    password_hash BYTEA  NOT NULL,
    may_mint      BYTEA  NOT NULL, -- a JSON array of strings
    disabled      BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

CREATE TABLE organisations (
    tenant      BYTEA  NOT NULL,
    number      BIGINT NOT NULL,
    name        BYTEA  NOT NULL,
    description BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, number),
    UNIQUE (tenant, name)
);

CREATE TABLE memberships (
    tenant       BYTEA  NOT NULL,
    "user"       BYTEA  NOT NULL,
    organisation BIGINT NOT NULL,
    role         BYTEA  NOT NULL,
    PRIMARY KEY (tenant, "user", organisation, role)
);

CREATE INDEX memberships_of_organisation ON memberships (tenant, organisation, "user", role);

CREATE TABLE policies (
    tenant      BYTEA  NOT NULL,
    uuid        BYTEA  NOT NULL,
    name        BYTEA  NOT NULL,
    description BYTEA  NOT NULL,
    templates   BYTEA  NOT NULL, -- a JSON array of strings
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    PRIMARY KEY (tenant, uuid),
    UNIQUE (tenant, name)
);

CREATE TABLE properties (
    tenant     BYTEA  NOT NULL,
    name       BYTEA  NOT NULL,
    value      BYTEA  NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);

CREATE TABLE keys (
    id          BYTEA  NOT NULL PRIMARY KEY,
    tenant      BYTEA  NOT NULL,
    door        BYTEA  NOT NULL,
    algorithm   BYTEA  NOT NULL,
    state       BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,
    not_after   BIGINT NOT NULL,
    longest_ttl BIGINT NOT NULL,
    sealed      BYTEA  NOT NULL
);

-- Every refresh changes a row and none of what is indexed: with room on its page it
-- stays there, and no index is touched.
CREATE TABLE sessions (
    id           BYTEA  NOT NULL PRIMARY KEY,
    accessor     BYTEA  NOT NULL UNIQUE,
    tenant       BYTEA  NOT NULL,
    subject      BYTEA  NOT NULL,
    client       BYTEA  NOT NULL,
    door         BYTEA  NOT NULL,
    scope        BYTEA  NOT NULL,
    device       BYTEA  NOT NULL,
    labels       BYTEA  NOT NULL, -- a JSON array of strings
    counter      BIGINT NOT NULL,
    grant_type   BYTEA  NOT NULL,
    audience     BYTEA  NOT NULL,
    bound        BYTEA  NOT NULL,
    auth_at      BIGINT NOT NULL,
    opaque       BYTEA  NOT NULL, -- a JSON object; empty: an ordinary session
    is_opaque    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    rotated_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    idle_ttl     BIGINT NOT NULL,
    access_ttl   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    revoked_at   BIGINT NOT NULL,
    -- The end of the session as far as it is known: what Purge goes by.
    ended_at     BIGINT GENERATED ALWAYS AS (CASE
        WHEN revoked_at = 0 THEN expires_at
        WHEN expires_at = 0 THEN revoked_at
        ELSE least(expires_at, revoked_at) END) STORED
) WITH (fillfactor = 70);

CREATE INDEX sessions_of_subject ON sessions (tenant, subject, accessor);
CREATE INDEX sessions_of_client ON sessions (tenant, client) WHERE client <> '';
CREATE INDEX sessions_by_end ON sessions (ended_at, id) WHERE ended_at <> 0;

-- Ordinary sessions have no part in these.
CREATE INDEX opaque_sessions ON sessions (tenant, accessor, expires_at) WHERE is_opaque = 1 AND revoked_at = 0;
CREATE INDEX opaque_sessions_of_subject ON sessions (tenant, subject, accessor, expires_at) WHERE is_opaque = 1 AND revoked_at = 0;

CREATE TABLE refresh_tokens (
    tenant     BYTEA  NOT NULL,
    subject    BYTEA  NOT NULL,
    client     BYTEA  NOT NULL,
    id         BYTEA  NOT NULL UNIQUE,
    seed       BYTEA  NOT NULL,
    door       BYTEA  NOT NULL,
    backend    BYTEA  NOT NULL,
    mobile     BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject, client)
);

-- Each list that is asked for is one walk along one of these, there or back, or
-- along the primary key: those of a subject by client.
CREATE INDEX refresh_tokens_by_creation ON refresh_tokens (tenant, created_at, subject, client);
CREATE INDEX refresh_tokens_by_client ON refresh_tokens (tenant, client, subject);
CREATE INDEX refresh_tokens_by_mobile ON refresh_tokens (tenant, mobile, subject, client);
CREATE INDEX refresh_tokens_of_subject_by_creation ON refresh_tokens (tenant, subject, created_at, client);
CREATE INDEX refresh_tokens_of_subject_by_mobile ON refresh_tokens (tenant, subject, mobile, client);

CREATE TABLE tickets (
    id           BYTEA  NOT NULL PRIMARY KEY,
    kind         BYTEA  NOT NULL,
    tenant       BYTEA  NOT NULL,
    client       BYTEA  NOT NULL,
    user_code    BYTEA  NOT NULL,
    scope        BYTEA  NOT NULL,
    audience     BYTEA  NOT NULL,
    redirect_uri BYTEA  NOT NULL,
    challenge    BYTEA  NOT NULL,
    nonce        BYTEA  NOT NULL,
    bound        BYTEA  NOT NULL,
    state        BYTEA  NOT NULL,
    subject      BYTEA  NOT NULL,
    auth_at      BIGINT NOT NULL,
    session      BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    keep_until   BIGINT NOT NULL
);

CREATE UNIQUE INDEX tickets_by_user_code ON tickets (user_code) WHERE user_code <> '';
CREATE INDEX tickets_by_end ON tickets (keep_until, id) WHERE keep_until <> 0;

-- Values that must not come twice.
CREATE TABLE once (
    value BYTEA  NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);

CREATE INDEX once_by_end ON once (until, value) WHERE until <> 0;

CREATE TABLE revocations (
    seq   BIGINT NOT NULL PRIMARY KEY,
    kind  BYTEA  NOT NULL,
    key   BYTEA  NOT NULL,
    at    BIGINT NOT NULL,
    until BIGINT NOT NULL,
    UNIQUE (kind, key)
);

CREATE INDEX revocations_by_end ON revocations (until, seq) WHERE until <> 0;

-- The last number that a fact was given. Whoever adds facts holds this row until the
-- commit: so the order of the numbers is that in which facts can be seen, and no
-- number comes later than a higher one. A sequence could not promise that.
CREATE TABLE revocation_head (
    seq  BIGINT NOT NULL,
    one  BIGINT NOT NULL PRIMARY KEY CHECK (one = 1)
) WITH (fillfactor = 10);

INSERT INTO revocation_head VALUES (0, 1);

-- What is true of the database as a whole.
CREATE TABLE history (
    one   BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    epoch BYTEA  NOT NULL
);

INSERT INTO history VALUES (1, uuid_send(gen_random_uuid()));

CREATE TABLE access_tokens (
    tenant      BYTEA  NOT NULL,
    number      BIGINT NOT NULL,
    door        BYTEA  NOT NULL,
    family      BIGINT NOT NULL,
    generation  BIGINT NOT NULL,
    subject     BYTEA  NOT NULL,
    client      BYTEA  NOT NULL,
    scope       BYTEA  NOT NULL,
    description BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    keep_until  BIGINT NOT NULL,
    personal    BIGINT GENERATED ALWAYS AS (CASE WHEN client = '' THEN 1 ELSE 0 END) STORED,
    PRIMARY KEY (tenant, number)
);

CREATE UNIQUE INDEX access_tokens_of_family ON access_tokens (tenant, family);
CREATE INDEX access_tokens_by_end ON access_tokens (keep_until, tenant, number) WHERE keep_until <> 0;

-- Each list that is asked for is one walk along one of these.
CREATE INDEX access_tokens_by_sort ON access_tokens (tenant, personal, number);
CREATE INDEX access_tokens_of_subject ON access_tokens (tenant, subject, number);
CREATE INDEX access_tokens_of_subject_by_sort ON access_tokens (tenant, subject, personal, number);
CREATE INDEX access_tokens_of_client ON access_tokens (tenant, client, number, subject) WHERE client <> '';

-- How many there are of a tenant, a subject or a client. The kind says which, the
-- name is that of the subject or the client, that of a tenant's is empty. The
-- triggers keep it, once a statement, whatever statement adds or removes tokens.
CREATE TABLE access_token_counts (
    tenant      BYTEA  NOT NULL,
    kind        BYTEA  NOT NULL,
    name        BYTEA  NOT NULL,
    personal    BIGINT NOT NULL,
    application BIGINT NOT NULL,
    PRIMARY KEY (tenant, kind, name)
) WITH (fillfactor = 50);

-- +goose StatementBegin
CREATE FUNCTION count_access_tokens() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO access_token_counts AS counts
        SELECT of.tenant, of.kind, of.name, sum(sign * of.personal), sum(sign * (1 - of.personal))
            FROM (SELECT CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END AS sign) AS direction, (
                SELECT tenant, 'tenant'::bytea AS kind, ''::bytea AS name, CASE WHEN client = '' THEN 1 ELSE 0 END AS personal FROM changed
                UNION ALL SELECT tenant, 'subject', subject, CASE WHEN client = '' THEN 1 ELSE 0 END FROM changed
                UNION ALL SELECT tenant, 'client', client, CASE WHEN client = '' THEN 1 ELSE 0 END FROM changed) AS of
            GROUP BY of.tenant, of.kind, of.name ORDER BY of.tenant, of.kind, of.name
        ON CONFLICT (tenant, kind, name) DO UPDATE SET
            personal = counts.personal + excluded.personal, application = counts.application + excluded.application;
    DELETE FROM access_token_counts WHERE personal = 0 AND application = 0 AND (tenant, kind, name) IN (
        SELECT tenant, 'subject'::bytea, subject FROM changed UNION SELECT tenant, 'client', client FROM changed);
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER access_tokens_added AFTER INSERT ON access_tokens
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_access_tokens();
CREATE TRIGGER access_tokens_removed AFTER DELETE ON access_tokens
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_access_tokens();
