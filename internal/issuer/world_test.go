package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ats-auth/ats-auth/internal/issuer"
	"github.com/ats-auth/ats-auth/internal/password"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/store/memory"
	"github.com/ats-auth/ats-auth/pkg/store/sqlite"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *fakeClock { return &fakeClock{at: time.UnixMicro(1_446_564_493_414_818)} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// hooked is a store that a test listens in on, or breaks.
type hooked struct {
	store.Store
	mu sync.Mutex
	hooks
}

type hooks struct {
	broken   error                                     // every call fails with it
	onApply  func([]store.Command) error               // before a change
	onUser   func()                                    // after a user was read
	onFacts  func(context.Context) error               // before facts are read
	answered func(commands []store.Command, err error) // after a change
}

// set changes the hooks; nothing may be under way.
func (h *hooked) set(change func(*hooked)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

// now returns the hooks of this moment.
func (h *hooked) now() hooks {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.hooks
}

func (h *hooked) Apply(ctx context.Context, commands ...store.Command) error {
	now := h.now()
	if now.broken != nil {
		return now.broken
	}
	if now.onApply != nil {
		if err := now.onApply(commands); err != nil {
			return err
		}
	}
	err := h.Store.Apply(ctx, commands...)
	if now.answered != nil {
		now.answered(commands, err)
	}
	return err
}

func (h *hooked) User(ctx context.Context, tenant, name string) (store.User, error) {
	now := h.now()
	if now.broken != nil {
		return store.User{}, now.broken
	}
	u, err := h.Store.User(ctx, tenant, name)
	if now.onUser != nil {
		now.onUser()
	}
	return u, err
}

func (h *hooked) Session(ctx context.Context, id store.ID) (store.Session, error) {
	if now := h.now(); now.broken != nil {
		return store.Session{}, now.broken
	}
	return h.Store.Session(ctx, id)
}

func (h *hooked) Revocations(ctx context.Context, after int64, limit int) ([]store.Revocation, error) {
	now := h.now()
	if now.broken != nil {
		return nil, now.broken
	}
	if now.onFacts != nil {
		if err := now.onFacts(ctx); err != nil {
			return nil, err
		}
	}
	return h.Store.Revocations(ctx, after, limit)
}

// once lets a hook fire the first time only, also when it calls itself.
func once(f func()) func() {
	var fired sync.Once
	return func() {
		first := false
		fired.Do(func() { first = true })
		if first {
			f()
		}
	}
}

var errDown = fmt.Errorf("%w: the disk is gone", store.ErrUnavailable)

// world is one service with a fake clock.
type world struct {
	testing.TB
	clock  *fakeClock
	hook   *hooked
	master *signing.Master
	hasher *password.Hasher
	issuer *issuer.Issuer
	door   *issuer.Door
}

type option func(*issuer.Config, *issuer.DoorConfig)

func doorWith(change func(*issuer.DoorConfig)) option {
	return func(_ *issuer.Config, d *issuer.DoorConfig) { change(d) }
}

// seedSecret is the example of the original's documents: 29 bytes.
const seedSecret = "ASDFFGGHJGLKJWELROISUFLDKJFLS"

func withSecret(_ *issuer.Config, d *issuer.DoorConfig) { d.Secret = token.NewSecret(seedSecret) }

func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	return newWorldOver(t, &hooked{Store: memory.New()}, signing.NewMaster(), newClock(), options...)
}

func newWorldOver(t testing.TB, s *hooked, master *signing.Master, clock *fakeClock, options ...option) *world {
	t.Helper()
	w := &world{TB: t, clock: clock, hook: s, master: master, hasher: newHasher(t)}
	if err := w.open(options...); err != nil {
		t.Fatal(err)
	}
	return w
}

// open makes an issuer and its door over the world's store, as a start does.
func (w *world) open(options ...option) error {
	brake, err := throttle.New(throttle.Config{Attempts: 1000, Now: w.clock.Now})
	if err != nil {
		return err
	}
	config := issuer.Config{Store: w.hook, Master: w.master, Hasher: w.hasher, Throttle: brake, Now: w.clock.Now}
	door := issuer.DoorConfig{Name: "ats", Issuer: "ats.auth", AccessTTL: 3600, RefreshTTL: 30 * 86400, ReuseGrace: 30}
	for _, o := range options {
		o(&config, &door)
	}
	if w.issuer, err = issuer.New(w.Context(), config); err != nil {
		return err
	}
	w.door, err = w.issuer.Door(w.Context(), door)
	return err
}

// twin is another process over the same store.
func (w *world) twin(options ...option) *world {
	w.Helper()
	return newWorldOver(w, &hooked{Store: w.hook.Store}, w.master, w.clock, options...)
}

func newHasher(t testing.TB) *password.Hasher {
	t.Helper()
	h, err := password.New(password.Config{Params: password.Params{Memory: 64, Time: 1}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func openSQLite(t testing.TB, path string) *hooked {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &hooked{Store: s}
}

func sqlitePath(t testing.TB) string { return filepath.Join(t.TempDir(), "store.db") }

func credentials(name, pass string) token.Credentials {
	return token.Credentials{Username: name, Password: token.NewPassword(pass)}
}

const pass = "correct horse"

func (w *world) addUser(name string, roles ...string) {
	w.Helper()
	u := store.User{Tenant: store.DefaultTenant, Name: name, Roles: roles}
	if err := w.issuer.AddUser(w.Context(), u, token.NewPassword(pass)); err != nil {
		w.Fatal(err)
	}
}

func (w *world) login(name string) token.Set {
	w.Helper()
	return w.loginFor(name, token.Request{})
}

func (w *world) loginRefresh(name string) token.Set {
	w.Helper()
	return w.loginFor(name, token.Request{Refresh: true})
}

func (w *world) loginFor(name string, want token.Request) token.Set {
	w.Helper()
	set, err := w.door.Login(w.Context(), credentials(name, pass), want)
	if err != nil {
		w.Fatal(err)
	}
	return set
}

func (w *world) refresh(set token.Set) token.Set {
	w.Helper()
	next, err := w.door.Refresh(w.Context(), set.RefreshToken, token.Request{})
	if err != nil {
		w.Fatal(err)
	}
	return next
}

func (w *world) inspect(set token.Set) error {
	_, err := w.door.Inspect(w.Context(), set.AccessToken.Reveal())
	return err
}

func (w *world) wantGood(set token.Set, what string) {
	w.Helper()
	if err := w.inspect(set); err != nil {
		w.Errorf("%s: %v, want it honoured", what, err)
	}
}

func (w *world) wantAccess(set token.Set, kind error, what string) {
	w.Helper()
	if err := w.inspect(set); !errors.Is(err, kind) {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func (w *world) wantRefresh(set token.Set, kind error, what string) {
	w.Helper()
	if _, err := w.door.Refresh(w.Context(), set.RefreshToken, token.Request{}); !errors.Is(err, kind) {
		w.Errorf("%s: %v, want %v", what, err, kind)
	}
}

func (w *world) do(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}
