package postgres

import (
	"errors"
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
