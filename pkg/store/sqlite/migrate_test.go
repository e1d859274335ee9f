package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/ats-auth/ats-auth/pkg/store"
)

func TestStoresOpenedAtOnceMigrateOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "store.db")
	answers := make(chan error)
	for i := range 12 {
		go func() {
			s, err := Open(context.Background(), Config{Path: path})
			if err == nil {
				err = errors.Join(s.Apply(context.Background(), revocation(fmt.Sprint(i))), s.Close())
			}
			answers <- err
		}()
	}
	for range 12 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	s := openStore(t, filepath.Dir(path))
	if all, err := s.Revocations(t.Context(), 0, 99); err != nil || len(all) != 12 {
		t.Errorf("%d facts, error %v", len(all), err)
	}
	var ran, different int
	const count = "SELECT count(*), count(DISTINCT version_id) FROM goose_db_version WHERE version_id > 0"
	if err := s.readers.db.QueryRowContext(t.Context(), count).Scan(&ran, &different); err != nil || ran != different || ran < 4 {
		t.Errorf("%d migrations ran, %d different ones, error %v", ran, different, err)
	}
}

func TestASchemaNewerThanKnownIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	if _, err := s.writer.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)"); err != nil {
		t.Fatal(err)
	}
	refusedAtOpen(t, filepath.Join(dir, "store.db"), "schema version 999 is newer than")
}

// A database as the first version of this program left it.
const firstRecords = `
	INSERT INTO users VALUES ('t', 'alice', 'hash', '["admin"]', 0, 1, 2);
	INSERT INTO sessions VALUES (x'01000000000000000000000000000001', 'accessor', 't', 'alice', 'app', 'ats', 'a b', 'laptop',
		3, 4, 5, 6, 7, 8, 90, 0);
	INSERT INTO revocations (kind, key, at, until) VALUES ('token', x'6b', 1, 2);
	INSERT INTO keys VALUES ('kid', 't', 'ats', 'HS256', 'active', 11, 12, x'00ff');`

// What the second version added to it.
const secondRecords = `
	INSERT INTO sessions (id, accessor, tenant, subject, client, door, scope, device, counter, created_at, rotated_at,
		last_used_at, idle_ttl, access_ttl, expires_at, revoked_at, grant_type, audience, bound, auth_at)
		VALUES (x'02000000000000000000000000000002', 'second', 't', 'bob', 'app', 'oauth2', 'a b', 'phone',
		3, 4, 5, 6, 7, 8, 90, 0, 'password', 'x y', 'thumbprint', 9);
	INSERT INTO applications VALUES ('t', 'app', 'App', x'01', 'none', '["password"]', '[]', '["a","b"]', '[]', '', 1, 0, 1, 2, 3);
	INSERT INTO tickets VALUES (x'03000000000000000000000000000003', 'device', 't', 'app', 'CODE', 'a', 'x', '', '', '',
		'', 'pending', '', 0, x'02000000000000000000000000000002', 1, 90, 100);
	INSERT INTO once VALUES (x'6a7469', 50);`

// What the third version added to it.
const thirdRecords = `
	INSERT INTO sessions (id, accessor, tenant, subject, client, door, scope, device, counter, created_at, rotated_at,
		last_used_at, idle_ttl, access_ttl, expires_at, revoked_at, labels)
		VALUES (x'05000000000000000000000000000005', 'third', 't', 'dave', '', 'ats', '', '', 0, 4, 0, 4, 0, 8, 90, 0, '["x"]');
	INSERT INTO properties VALUES ('t', 'kept', 'value', 6);
	INSERT INTO keys (id, tenant, door, algorithm, state, created_at, not_before, not_after, sealed)
		VALUES ('retiring', 't', 'oauth2', 'RS256', 'retiring', 5, 6, 7, x'01');`

// What the fourth version added to it.
const fourthRecords = `
	INSERT INTO tenants VALUES ('older', 'RS256', '', '', '', 0, '', 0, 0, 0, 0, 0, 1, 1);
	INSERT INTO service_accounts VALUES ('t', 'older', 'hash', '["t"]', 0, 1, 2);
	UPDATE keys SET longest_ttl = 9 WHERE id = 'retiring';`

// What the fifth version added to it.
const fifthRecords = `
	INSERT INTO users (tenant, name, password_hash, roles, disabled, number, created_at, updated_at)
		VALUES ('t', 'erin', 'hash', '["admin"]', 1, 5, 1, 2);
	INSERT INTO organisations VALUES ('t', 4, 'older', 'text', 1, 2);
	INSERT INTO access_tokens VALUES ('t', 3, 'awx', 3, 0, 'erin', '', 'read', 'text', 1, 2, 3, 4);`

func TestADatabaseOfAnOlderSchemaOpensWithItsRecords(t *testing.T) {
	for _, version := range []int64{1, 2, 3, 4, 5} {
		t.Run(fmt.Sprint("schema ", version), func(t *testing.T) {
			s := openStore(t, olderDatabase(t, version))
			hasFirstRecords(t, s)
			if version > 1 {
				hasSecondRecords(t, s)
			}
			if version > 2 {
				hasThirdRecords(t, s, version)
			}
			if version > 3 {
				hasFourthRecords(t, s)
			}
			if version > 4 {
				hasFifthRecords(t, s)
			}
			hasNewRecords(t, s)
		})
	}
}

func hasFirstRecords(t *testing.T, s *Store) {
	t.Helper()
	id := store.ID{1, 15: 1}
	session := store.Session{
		ID: id, Accessor: "accessor", Tenant: "t", Subject: "alice", Client: "app", Door: "ats", Scope: "a b", Device: "laptop",
		Counter: 3, CreatedAt: 4, RotatedAt: 5, LastUsedAt: 6, IdleTTL: 7, AccessTTL: 8, ExpiresAt: 90,
	}
	equal(t, session)(s.Session(t.Context(), id))
	keys, err := s.Keys(t.Context())
	equal(t, store.Key{
		ID: "kid", Tenant: "t", Door: "ats", Algorithm: "HS256", State: store.KeyActive,
		CreatedAt: 11, NotBefore: 11, NotAfter: 12, Sealed: []byte{0, 0xff},
	})(keys[0], err)
	equal(t, store.User{
		Tenant: "t", Name: "alice", PasswordHash: "hash", Roles: []string{store.RoleAdmin}, Number: 1, CreatedAt: 1, UpdatedAt: 2,
	})(s.User(t.Context(), "t", "alice"))
	equal(t, []store.Revocation{{Seq: 1, Kind: store.RevokeToken, Key: "k", At: 1, Until: 2}})(s.Revocations(t.Context(), 0, 9))
	if err := s.Apply(t.Context(), store.CreateApplication{Application: store.Application{Tenant: "t", ID: "alice"}}); !errors.Is(err, store.ErrExists) {
		t.Errorf("an application with the name of a user that was there: %v", err)
	}
	if err := s.Apply(t.Context(), store.RotateSession{ID: id, From: 3, At: 10}, store.RevokeSessions{Tenant: "t", Client: "app", At: 20}); err != nil {
		t.Fatal(err)
	}
	session.Counter, session.RotatedAt, session.LastUsedAt, session.RevokedAt = 4, 10, 10, 20
	equal(t, session)(s.Session(t.Context(), id))
}

func hasSecondRecords(t *testing.T, s *Store) {
	t.Helper()
	session := store.Session{
		ID: store.ID{2, 15: 2}, Accessor: "second", Tenant: "t", Subject: "bob", Client: "app", Door: "oauth2", Scope: "a b", Device: "phone",
		Counter: 3, Grant: "password", Audience: "x y", Bound: "thumbprint", AuthAt: 9,
		CreatedAt: 4, RotatedAt: 5, LastUsedAt: 6, IdleTTL: 7, AccessTTL: 8, ExpiresAt: 90, RevokedAt: 20,
	}
	equal(t, []store.Session{session})(s.ListSessions(t.Context(), "t", "bob", "", 9))
	equal(t, store.Application{
		Tenant: "t", ID: "app", Name: "App", SecretMAC: []byte{1}, AuthMethod: "none", Grants: []string{"password"}, Scopes: []string{"a", "b"},
		Introspect: true, PKCEOptional: true, Number: 1, CreatedAt: 2, UpdatedAt: 3,
	})(s.Application(t.Context(), "t", "app"))
	equal(t, store.Ticket{
		ID: store.ID{3, 15: 3}, Kind: store.TicketDevice, Tenant: "t", Client: "app", UserCode: "CODE", Scope: "a", Audience: "x",
		State: store.TicketPending, Session: session.ID, CreatedAt: 1, ExpiresAt: 90, KeepUntil: 100,
	})(s.TicketByUserCode(t.Context(), "CODE"))
	if err := s.Apply(t.Context(), store.Once{Value: "jti", Until: 60}); !errors.Is(err, store.ErrExists) {
		t.Errorf("a value that was remembered: %v", err)
	}
}

func hasThirdRecords(t *testing.T, s *Store, version int64) {
	t.Helper()
	equal(t, []store.Session{{
		ID: store.ID{5, 15: 5}, Accessor: "third", Tenant: "t", Subject: "dave", Door: "ats", Labels: []string{"x"},
		CreatedAt: 4, LastUsedAt: 4, AccessTTL: 8, ExpiresAt: 90,
	}})(s.ListSessions(t.Context(), "t", "dave", "", 9))
	equal(t, []store.Property{{Tenant: "t", Name: "kept", Value: "value", UpdatedAt: 6}})(s.Properties(t.Context(), "t"))
	keys, err := s.Keys(t.Context())
	key := store.Key{
		ID: "retiring", Tenant: "t", Door: "oauth2", Algorithm: "RS256", State: store.KeyRetiring,
		CreatedAt: 5, NotBefore: 6, NotAfter: 7, Sealed: []byte{1},
	}
	if version > 3 {
		key.LongestTTL = 9
	}
	equal(t, key)(keys[len(keys)-1], err)
}

func hasFourthRecords(t *testing.T, s *Store) {
	t.Helper()
	tenants, err := s.Tenants(t.Context())
	equal(t, store.Tenant{Name: "older", Algorithm: "RS256", CreatedAt: 1, UpdatedAt: 1})(tenants[len(tenants)-1], err)
	equal(t, store.ServiceAccount{
		Tenant: "t", Name: "older", PasswordHash: "hash", MayMint: []string{"t"}, CreatedAt: 1, UpdatedAt: 2,
	})(s.ServiceAccount(t.Context(), "t", "older"))
}

func hasFifthRecords(t *testing.T, s *Store) {
	t.Helper()
	equal(t, store.User{
		Tenant: "t", Name: "erin", PasswordHash: "hash", Roles: []string{store.RoleAdmin}, Disabled: true, Number: 5, CreatedAt: 1, UpdatedAt: 2,
	})(s.UserByNumber(t.Context(), "t", 5))
	equal(t, store.Organisation{Tenant: "t", Number: 4, Name: "older", Description: "text", CreatedAt: 1, UpdatedAt: 2})(s.Organisation(t.Context(), "t", 4))
	equal(t, store.AccessToken{
		Tenant: "t", Number: 3, Door: "awx", Family: 3, Subject: "erin", Scope: "read", Description: "text",
		CreatedAt: 1, UpdatedAt: 2, ExpiresAt: 3, KeepUntil: 4,
	})(s.AccessToken(t.Context(), "t", 3))
}

// hasNewRecords tells that what no older schema knew can be kept.
func hasNewRecords(t *testing.T, s *Store) {
	t.Helper()
	session := store.Session{ID: store.ID{4}, Accessor: "labelled", Tenant: "t", Subject: "carol", Labels: []string{"b", "a"}}
	property := store.Property{Tenant: "t", Name: "setting", Value: "on", UpdatedAt: 5}
	tenant := store.Tenant{Name: "t", Algorithm: "RS256", AccessTTL: 300, CreatedAt: 3}
	account := store.ServiceAccount{Tenant: "t", Name: "files", PasswordHash: "hash", MayMint: []string{"t"}}
	tenants, err := s.Tenants(t.Context())
	equal(t, store.Tenant{Name: store.DefaultTenant})(tenants[0], err)
	err = s.Apply(t.Context(), store.CreateSession{Session: session}, store.UseSession{ID: session.ID, At: 7}, store.PutProperty{Property: property},
		store.CreateTenant{Tenant: tenant}, store.CreateServiceAccount{ServiceAccount: account},
		store.StretchKey{ID: "kid", TTL: 300, At: 20})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, append(tenants, tenant))(s.Tenants(t.Context()))
	equal(t, account)(s.ServiceAccount(t.Context(), "t", "files"))
	keys, err := s.Keys(t.Context())
	equal(t, [2]int64{300, 300_000_020})([2]int64{keys[0].LongestTTL, keys[0].NotAfter}, err)
	session.LastUsedAt = 7
	equal(t, []store.Session{session})(s.ListSessions(t.Context(), "t", "carol", "", 9))
	equal(t, property)(s.Property(t.Context(), "t", "setting"))
	hasOpaqueRecords(t, s)
}

// hasOpaqueRecords tells the same of opaque sessions and what goes with them. The
// sessions that were there are none.
func hasOpaqueRecords(t *testing.T, s *Store) {
	t.Helper()
	equal(t, int64(0))(s.CountOpaque(t.Context(), "t", store.OpaqueQuery{}))
	user, err := s.User(t.Context(), "t", "alice")
	user.Backend, user.BackendID, user.ACL, user.Policies = "ldap", "1", []string{"a.#"}, []string{"p"}
	session := store.Session{
		ID: store.ID{6}, Accessor: "opaque", Tenant: "t", Subject: "alice",
		Opaque: &store.Opaque{UUID: "u", ACL: []string{"b", "a"}, Source: "::1", Mobile: true},
	}
	token := store.RefreshToken{Tenant: "t", Subject: "alice", Client: "phone", ID: store.ID{7}, Seed: store.ID{8}, Mobile: true}
	policy := store.Policy{Tenant: "t", UUID: "u", Name: "p", Templates: []string{"c"}}
	err = errors.Join(err, s.Apply(t.Context(), store.UpdateUser{User: user, Read: user.UpdatedAt}, store.CreateSession{Session: session, Most: 1},
		store.CreateRefreshToken{RefreshToken: token}, store.CreatePolicy{Policy: policy}))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, user)(s.User(t.Context(), "t", "alice"))
	equal(t, []store.Session{session})(s.ListOpaque(t.Context(), "t", store.OpaqueQuery{Limit: 9}))
	equal(t, token)(s.RefreshTokenByID(t.Context(), token.ID))
	equal(t, policy)(s.PolicyByName(t.Context(), "t", "p"))
}

func TestADatabaseOfAnOlderSchemaIsMigratedWholeOrNotAtAll(t *testing.T) {
	for _, older := range []struct {
		version int64
		table   string // that the migration cannot make
	}{{1, "once"}, {1, "properties"}, {2, "properties"}, {3, "tenants"}, {3, "service_accounts"}, {4, "numbers"}, {4, "access_token_counts"}, {5, "refresh_tokens"}, {5, "policies"}} {
		t.Run(fmt.Sprintf("schema %d, %s in the way", older.version, older.table), func(t *testing.T) {
			dir := olderDatabase(t, older.version)
			path := filepath.Join(dir, "store.db")
			onFile(t, path, "CREATE TABLE "+older.table+" (in_the_way INTEGER)")
			refusedAtOpen(t, path, older.table)
			equal(t, older.version)(schemaVersion(t.Context(), openFile(t, path)))
			onFile(t, path, "DROP TABLE "+older.table)
			hasFirstRecords(t, openStore(t, dir))
		})
	}
}

// olderDatabase makes a database by the migrations up to a version, with the
// records of each, and gives its directory.
func olderDatabase(t *testing.T, version int64) string {
	t.Helper()
	dir := t.TempDir()
	db := openFile(t, filepath.Join(dir, "store.db"))
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, steps,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	for i, records := range []string{firstRecords, secondRecords, thirdRecords, fourthRecords, fifthRecords}[:version] {
		if _, err := provider.UpTo(t.Context(), int64(i+1)); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), records); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func onFile(t *testing.T, path, query string) {
	t.Helper()
	db := openFile(t, path)
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func openFile(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// equal is for reads that have to give just this.
func equal[T any](t *testing.T, want T) func(T, error) {
	t.Helper()
	return func(got T, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(want, got) {
			t.Errorf("got %+v, error %v, want %+v", got, err, want)
		}
	}
}
