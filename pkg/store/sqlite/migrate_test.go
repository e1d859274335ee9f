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
	if err := s.readers.QueryRowContext(t.Context(), count).Scan(&ran, &different); err != nil || ran != different || ran < 2 {
		t.Errorf("%d migrations ran, %d different ones, error %v", ran, different, err)
	}
}

func TestASchemaNewerThanKnownIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	if _, err := s.writer.exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)"); err != nil {
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

func TestADatabaseOfTheFirstSchemaOpensWithItsRecords(t *testing.T) {
	s := openStore(t, firstDatabase(t))
	id := store.ID{1, 15: 1}
	session := store.Session{
		ID: id, Accessor: "accessor", Tenant: "t", Subject: "alice", Client: "app", Door: "ats", Scope: "a b", Device: "laptop",
		Counter: 3, CreatedAt: 4, RotatedAt: 5, LastUsedAt: 6, IdleTTL: 7, AccessTTL: 8, ExpiresAt: 90,
	}
	equal(t, session)(s.Session(t.Context(), id))
	equal(t, []store.Key{{
		ID: "kid", Tenant: "t", Door: "ats", Algorithm: "HS256", State: store.KeyActive,
		CreatedAt: 11, NotBefore: 11, NotAfter: 12, Sealed: []byte{0, 0xff},
	}})(s.Keys(t.Context()))
	equal(t, store.User{
		Tenant: "t", Name: "alice", PasswordHash: "hash", Roles: []string{store.RoleAdmin}, CreatedAt: 1, UpdatedAt: 2,
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

func TestADatabaseOfTheFirstSchemaIsMigratedWholeOrNotAtAll(t *testing.T) {
	dir := firstDatabase(t)
	path := filepath.Join(dir, "store.db")
	onFile(t, path, "CREATE TABLE once (in_the_way INTEGER)")
	refusedAtOpen(t, path, "once")
	onFile(t, path, "DROP TABLE once")
	equal(t, []store.Application(nil))(openStore(t, dir).ListApplications(t.Context(), "t", "", 9))
}

// firstDatabase makes a database by the first migration alone, and gives its
// directory.
func firstDatabase(t *testing.T) string {
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
	if _, err := provider.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), firstRecords); err != nil {
		t.Fatal(err)
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
