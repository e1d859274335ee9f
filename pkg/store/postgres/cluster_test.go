package postgres

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
	"github.com/ats-auth/ats-auth/pkg/store/relational"
)

// cluster is a server, and a database of an empty store to be copied.
type cluster struct {
	*pgtest.Server
	template string
	free     *free
}

// free are databases that nobody uses any more.
type free struct {
	mu    sync.Mutex
	names []string
}

func startCluster(t testing.TB, settings ...string) cluster {
	t.Helper()
	c := cluster{Server: pgtest.StartInMemory(t, settings...), free: &free{}}
	c.prepare(t)
	return c
}

func (c *cluster) prepare(t testing.TB) {
	t.Helper()
	c.template = c.Server.Database(t, "")
	s, err := Open(t.Context(), Config{URL: c.SocketURL(c.template)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// database is that of an empty store, of its own.
func (c cluster) database(t testing.TB) string {
	t.Helper()
	return c.Server.Database(t, c.template)
}

// emptied is that of an empty store until the test is over: one that was used before is
// had much sooner than a new one.
func (c cluster) emptied(t testing.TB) (name string) {
	t.Helper()
	c.free.mu.Lock()
	if last := len(c.free.names) - 1; last >= 0 {
		name, c.free.names = c.free.names[last], c.free.names[:last]
	}
	c.free.mu.Unlock()
	if name == "" {
		name = c.database(t)
	} else {
		c.empty(t, name)
	}
	t.Cleanup(func() {
		c.free.mu.Lock()
		defer c.free.mu.Unlock()
		c.free.names = append(c.free.names, name)
	})
	return name
}

// empty makes of a database what it was in the beginning.
func (c cluster) empty(t testing.TB, database string) {
	t.Helper()
	var all strings.Builder
	for _, table := range append(relational.Tables(), "access_token_counts") {
		all.WriteString("DELETE FROM " + table + ";")
	}
	c.Exec(t, database, all.String()+"INSERT INTO "+relational.Head+" VALUES (0, 1);"+
		"INSERT INTO tenants VALUES ('default', '', '', '', '', 0, '', 0, 0, 0, 0, 0, 0, 0)")
}

// open opens an empty store.
func (c cluster) open(t testing.TB) *Store {
	t.Helper()
	return open(t, c.SocketURL(c.emptied(t)))
}

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func one(command store.Command) []store.Command { return []store.Command{command} }

func apply(t testing.TB, s *Store, commands ...store.Command) {
	t.Helper()
	if err := s.Apply(t.Context(), commands...); err != nil {
		t.Fatal(err)
	}
}

func revoke(key string) store.Command {
	return store.Revoke{Revocation: store.Revocation{Kind: store.RevokeToken, Key: key, At: 1}}
}

// unavailable wants that error, without the password that URLs of these tests have.
func unavailable(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%s: %v, want it unavailable", what, err)
	} else if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%s: the password is in %v", what, err)
	}
}

// soon tries until it works: a store goes on by itself.
func soon(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for range 200 {
		if err = try(); err == nil {
			return
		}
		unavailable(t, what, err)
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s: still %v", what, err)
}
