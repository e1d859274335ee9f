//go:build unix

package soak

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/pkg/server"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// broken is a store with a fault.
type broken struct {
	store.Store
	mu    sync.Mutex // for apply
	apply func(ctx context.Context, s store.Store, commands []store.Command) error
	blind atomic.Bool // to what others have done
}

func (b *broken) Apply(ctx context.Context, commands ...store.Command) error {
	if b.apply == nil {
		return b.Store.Apply(ctx, commands...)
	}
	time.Sleep(2 * time.Millisecond) // time for others to have read the same
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.apply(ctx, b.Store, commands)
}

func (b *broken) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	if b.blind.Load() {
		return nil, nil
	}
	return b.Store.Revocations(ctx, after, limit)
}

// fault is what may be wrong with servers, and what is to be said of them then.
type fault struct {
	want   string // a violation; empty: none
	store  func() *broken
	config func(c *server.Config)
	blind  bool // one of them, from its start on
}

func (f fault) build() *broken {
	if f.store == nil {
		return &broken{}
	}
	return f.store()
}

// forgets answers every end of a login, and keeps nothing of every second one.
func forgets() *broken {
	n := 0
	return &broken{apply: func(ctx context.Context, s store.Store, commands []store.Command) error {
		for _, command := range commands {
			if _, ends := command.(store.RevokeSessions); ends {
				if n++; n%2 == 0 {
					return nil
				}
			}
		}
		return s.Apply(ctx, commands...)
	}}
}

// rotatesTwice moves a login on whatever its counter is by now.
func rotatesTwice() *broken {
	return &broken{apply: func(ctx context.Context, s store.Store, commands []store.Command) error {
		r, is := commands[0].(store.RotateSession)
		if !is {
			return s.Apply(ctx, commands...)
		}
		row, err := s.Session(ctx, r.ID)
		if err != nil {
			return err
		}
		r.From = row.Counter
		return s.Apply(ctx, r)
	}}
}

// losesLogins ends now and then a login that nobody has ended.
func losesLogins() *broken {
	n := 0
	return &broken{apply: func(ctx context.Context, s store.Store, commands []store.Command) error {
		if r, is := commands[0].(store.RotateSession); is {
			if n++; n%8 == 0 {
				commands = append(commands, store.RevokeSessions{ID: r.ID, At: r.At + 1})
			}
		}
		return s.Apply(ctx, commands...)
	}}
}

// A driver that finds nothing wrong with servers that break their promises would be
// worth nothing, and one that finds something wrong with good ones as well.
func TestTheDriverFindsOutWhoBreaksAPromise(t *testing.T) {
	for name, f := range map[string]fault{
		"good servers":                     {},
		"a revocation that is not kept":    {want: "stale yes", store: forgets},
		"a refresh that is done twice":     {want: "two successors", store: rotatesTwice},
		"a login that is lost":             {want: "logged out", store: losesLogins},
		"a view that is older than it may": {want: "stale yes", blind: true, config: func(c *server.Config) { c.StaleAfter = time.Hour }},
		"no grace where one was promised":  {want: "logged out", config: func(c *server.Config) { c.ReuseGrace = -1 }},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			found := f.run(t)
			if found[f.want] == 0 && f.want != "" || f.want == "" && len(found) > 0 {
				t.Errorf("found %s, want %q", list(found), f.want)
			}
		})
	}
}

// run lets clients work for a while with servers in this process.
func (f fault) run(t *testing.T) map[string]int {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	shared, users, peers := memory.New(), names(8), []peer(nil)
	for n := range 3 {
		peers = append(peers, f.serve(ctx, t, n, shared, users))
	}
	l := newLoad(newBook(t.TempDir()), peers, users, time.Second, 1)
	l.logins.SetLimit(50)
	work, enough := context.WithTimeout(ctx, 4*time.Second)
	defer enough()
	l.run(work, 6)
	l.settle(ctx)
	var text strings.Builder
	l.report(&text, 4*time.Second)
	t.Log("\n" + text.String())
	if l.judged.deeds < 200 {
		t.Errorf("only %d deeds", l.judged.deeds)
	}
	return l.violations
}

func (f fault) serve(ctx context.Context, t *testing.T, n int, shared store.Store, users []string) peer {
	t.Helper()
	s := f.build()
	s.Store = shared
	c := server.Config{
		Store: s, Dialects: []string{"ats"}, MasterKey: token.NewSecret(strings.Repeat("A", 43) + "="),
		PasswordCost: server.PasswordCost{KiB: 8, Passes: 1}, ReuseGrace: 3600,
	}
	if f.config != nil {
		f.config(&c)
	}
	made, err := server.New(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	s.blind.Store(f.blind && n == 0)
	for _, name := range users {
		if n == 0 {
			if err := made.AddUser(ctx, store.User{Name: name}, token.NewPassword(password)); err != nil {
				t.Fatal(err)
			}
		}
	}
	go made.Run(ctx)
	served := httptest.NewServer(made)
	t.Cleanup(served.Close)
	return peer{name: "server" + string(rune('1'+n)), url: served.URL}
}
