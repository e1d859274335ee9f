package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/postgres/pgtest"
)

func TestNoErrorHasThePasswordInIt(t *testing.T) {
	for _, url := range []string{
		"postgres://u:s3cret@127.0.0.1:1/db?connect_timeout=1",
		"postgres://u:p@s3cret@127.0.0.1:1/db", "postgres://u:s3cret/x@h/db", "postgres://u:s3cret", "postgres://u:%s3cret@h/db",
		"postgres://u:s3cret@h:port/db", "postgres://u:x@h/db?password=s3cret&sslmode=s3cret", "postgres://u:s3cret@127.0.0.1:1/db?pool_max_conns=0",
		"user=u password=s3cret host=127.0.0.1 port=1", "password='s3cret", "",
	} {
		s, err := Open(t.Context(), Config{URL: url})
		if s != nil {
			t.Fatal(url)
		}
		unavailable(t, url, err)
	}
}

func TestAServerThatDoesNotFlushIsRefused(t *testing.T) {
	lax := pgtest.StartInMemory(t, "fsync=off")
	_, err := Open(t.Context(), Config{URL: lax.URL("postgres")})
	if unavailable(t, "fsync=off", err); err == nil || !strings.Contains(err.Error(), "fsync is off") {
		t.Errorf("the answer is %v", err)
	}
}

func notFlushed(t *testing.T, c cluster) {
	database := c.database(t)
	c.Exec(t, "postgres", "ALTER DATABASE "+database+" SET synchronous_commit = off")
	_, err := Open(t.Context(), Config{URL: c.URL(database)})
	if unavailable(t, "synchronous_commit=off", err); err == nil || !strings.Contains(err.Error(), "synchronous_commit is off") {
		t.Errorf("the answer is %v", err)
	}
	if s := open(t, c.URL(database, "synchronous_commit=on")); !s.Durable() {
		t.Error("not durable")
	}
}

func readOnly(t *testing.T, c cluster) {
	database := c.database(t)
	s := open(t, c.SocketURL(database))
	apply(t, s, revoke("k"))
	c.Exec(t, "postgres", "ALTER DATABASE "+database+" SET default_transaction_read_only = on")
	c.Exec(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+database+"'")
	unavailable(t, "write", s.Apply(t.Context(), revoke("l")))
	unavailable(t, "ping", s.Ping(t.Context()))
	if facts, err := s.Revocations(t.Context(), 0, 9); err != nil || len(facts) != 1 {
		t.Errorf("facts %v, error %v", facts, err)
	}
	c.Exec(t, "postgres", "ALTER DATABASE "+database+" RESET default_transaction_read_only")
	soon(t, "write", func() error { return s.Apply(t.Context(), revoke("l")) })
}

func poolOfOne(t *testing.T, c cluster) {
	s := open(t, c.SocketURL(c.database(t), "pool_max_conns=1"))
	var group sync.WaitGroup
	for w := range 32 {
		group.Go(func() {
			for i := range 20 {
				commands := []store.Command{revoke(fmt.Sprint(w, i)), store.CreateSession{Session: session(w*20 + i)}}
				if i%5 == 0 {
					commands = append(commands, store.CreateUser{User: store.User{Tenant: "t", Name: fmt.Sprint(w, i)}})
				}
				_, err := s.Keys(context.Background())
				if err := errors.Join(err, s.Apply(context.Background(), commands...), s.Ping(context.Background())); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if open := s.db.Stats().MaxOpenConnections; open != 1 {
		t.Errorf("%d connections", open)
	}
}

// A text that no index takes ends a transaction.
func failsAlone(t *testing.T, c cluster) {
	s := c.open(t)
	long := make([]byte, 20_000)
	_, _ = rand.Read(long) // cannot be made smaller
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			command := store.Command(store.Once{Value: fmt.Sprint(i)})
			if i%10 == 0 {
				command = store.Once{Value: string(long)}
			}
			err := s.Apply(context.Background(), command)
			if i%10 == 0 {
				unavailable(t, "too long", err)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func oneMigrates(t *testing.T, c cluster) {
	url := c.SocketURL(c.Server.Database(t, ""))
	schema(t, url, 0)
	answers := make(chan error)
	for range 6 {
		go func() {
			s, err := Open(context.Background(), Config{URL: url})
			if err == nil {
				err = errors.Join(s.Apply(context.Background(), store.CreateUser{User: store.User{Tenant: "t", Name: rand.Text()}}), s.Close())
			}
			answers <- err
		}()
	}
	for range 6 {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
	s := open(t, url)
	schema(t, url, 1)
	if users, err := s.ListUsers(t.Context(), "t", "", 9); err != nil || len(users) != 6 {
		t.Errorf("%d users, error %v", len(users), err)
	}
	if _, err := s.db.ExecContext(t.Context(), "INSERT INTO ats_auth_versions (version_id, is_applied) VALUES (999, true)"); err != nil {
		t.Fatal(err)
	}
	schema(t, url, 999)
	_, err := Open(t.Context(), Config{URL: url})
	if unavailable(t, "newer", err); err == nil || !strings.Contains(err.Error(), "schema version 999 is newer than") {
		t.Errorf("a newer schema: %v", err)
	}
}

// schema wants a version of the schema, twice: to ask makes none.
func schema(t *testing.T, url string, want int64) {
	t.Helper()
	for range 2 {
		if has, knows, err := Schema(t.Context(), Config{URL: url}); err != nil || has != want || knows != 1 {
			t.Errorf("schema version %d of %d, error %v; want %d of 1", has, knows, err, want)
		}
	}
}
