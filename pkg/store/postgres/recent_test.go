package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/store"
)

// stopped is a clock that a test moves.
type stopped struct {
	mu sync.Mutex
	at time.Time
}

func (c *stopped) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *stopped) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestARecentApplicationIsAsItWasASecondAgoAtMost(t *testing.T) {
	c := startCluster(t)
	url, clock := c.SocketURL(c.emptied(t)), &stopped{at: time.Now().Truncate(time.Second)}
	s, err := Open(t.Context(), Config{URL: url, Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	other := open(t, url)
	app := store.Application{Tenant: "t", ID: "app", Name: "one", Grants: []string{"g"}}
	apply(t, s, store.CreateApplication{Application: app})
	change := func(by *Store, name string) {
		t.Helper()
		read := app.UpdatedAt
		app.Name, app.UpdatedAt = name, read+1
		apply(t, by, store.UpdateApplication{Application: app, Read: read})
	}
	recent := func(want string) {
		t.Helper()
		got, err := s.RecentApplication(t.Context(), "t", "app")
		if err != nil || got.Name != want || len(got.Grants) != 1 || got.Grants[0] != "g" {
			t.Errorf("%q with %q, error %v, want %q", got.Name, got.Grants, err, want)
		}
		got.Grants[0] = "changed by who read it"
	}
	recent("one")
	change(s, "two")
	recent("two")
	change(other, "three")
	clock.move(999 * time.Millisecond)
	recent("two")
	clock.move(time.Millisecond)
	recent("three")
	change(other, "four")
	clock.move(-time.Hour) // somebody sets it
	recent("four")
	apply(t, s, store.DeleteApplication{Tenant: "t", ID: "app"})
	if _, err := s.RecentApplication(t.Context(), "t", "app"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	apply(t, s, store.CreateApplication{Application: app})
	recent("four")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.RecentApplication(t.Context(), "t", "app"); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("closed: %v", err)
	}
}

func TestAnApplicationIsReadAgainAfterAChangeThatNobodyWaitedFor(t *testing.T) {
	c := startCluster(t)
	clock := &stopped{at: time.Now().Truncate(time.Second)}
	s, err := Open(t.Context(), Config{URL: c.SocketURL(c.emptied(t)), Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	app := store.Application{Tenant: "t", ID: "app", Name: "one"}
	apply(t, s, store.CreateApplication{Application: app})
	other, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(t.Context(), "SELECT 1 FROM applications FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error)
	go func() {
		app.Name, app.UpdatedAt = "two", 1
		over <- s.Apply(ctx, store.UpdateApplication{Application: app})
	}()
	for waits := 0; waits == 0; time.Sleep(time.Millisecond) { // for the lock
		if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_locks WHERE NOT granted").Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-over; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a change that is under way: %v", err)
	}
	if a, err := s.RecentApplication(t.Context(), "t", "app"); a.Name != "one" {
		t.Errorf("%q, %v", a.Name, err)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	for name := ""; name != "two"; {
		a, err := s.Application(t.Context(), "t", "app")
		if err != nil {
			t.Fatal(err)
		}
		name = a.Name
	}
	for tries := 0; ; tries++ { // the row may be seen before the commit has come back
		if a, err := s.RecentApplication(t.Context(), "t", "app"); err != nil || a.Name == "two" {
			break
		}
		if tries == 1000 {
			t.Fatal("what was before the change is given on and on")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestFactsAreReadWhateverTheURLSaysOfThePreparingOfStatements(t *testing.T) {
	c := startCluster(t)
	for _, parameter := range []string{
		"default_query_exec_mode=simple_protocol", "default_query_exec_mode=exec", "default_query_exec_mode=describe_exec",
		"default_query_exec_mode=cache_describe", "default_query_exec_mode=exec&statement_cache_capacity=0",
	} {
		s, err := Open(t.Context(), Config{URL: c.SocketURL(c.emptied(t), strings.Split(parameter, "&")...)})
		if err != nil {
			t.Fatal(parameter, err)
		}
		apply(t, s, revoke("k"))
		head, err := s.Head(t.Context())
		if err != nil || head.Seq == 0 {
			t.Errorf("%s: head %v, %v", parameter, head, err)
		}
		facts, err := s.Revocations(t.Context(), 0, 10)
		if err != nil || len(facts) != 1 || facts[0].Key != "k" || facts[0].Seq != head.Seq {
			t.Errorf("%s: facts %v, %v", parameter, facts, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Revocations(ctx, 0, 10); !errors.Is(err, context.Canceled) || errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: a context that is over: %v", parameter, err)
		}
		_ = s.Close()
	}
}
