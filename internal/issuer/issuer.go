// Package issuer is the token core: login, issue, refresh, inspect, revoke. It
// owns what a token's id means, the order of instants, and the mirror of
// revocations in memory that answers without asking the store.
//
// It never speaks a wire (the dialects do), never stores a secret in clear, and
// answers a change only after the store has made it durable.
package issuer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ats-auth/ats-auth/internal/password"
	"github.com/ats-auth/ats-auth/internal/signing"
	"github.com/ats-auth/ats-auth/internal/throttle"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
	"github.com/ats-auth/ats-auth/pkg/verifier"
)

// Config is what an Issuer stands on.
type Config struct {
	Store    store.Store        // required; the caller closes it
	Master   *signing.Master    // required: seals keys, makes ids and refresh tokens
	Hasher   *password.Hasher   // required
	Throttle *throttle.Throttle // required
	// Backends are where passwords are checked, in the order in which they are asked.
	// Default: LocalBackend alone.
	Backends []Backend
	// Recheck is how often directories are asked again about their people: what those
	// have who are gone is void then, and groups that have changed count. Default: never.
	Recheck time.Duration
	// StaleAfter is how old the mirror of revocations may be before the store is
	// asked in its place. Default 1 s.
	StaleAfter time.Duration
	// MinPassword is the least number of characters of a new password. Default 0.
	MinPassword int
	Now         func() time.Time // default time.Now; the same for all who share the store
	// Machine is the clock by which ages are told, where Now follows another machine's
	// and so may leap. Default Now.
	Machine  func() time.Time
	Log      *slog.Logger // default: nothing is logged
	Recorder Recorder     // default: nothing is recorded
}

// Issuer is the token core of one service. It is safe for concurrent use.
type Issuer struct {
	Config
	clock       clock
	idMAC       macPool
	refreshMAC  macPool
	handleMAC   macPool
	secretMACs  macPool
	revocations verifier.Revocations

	following chan struct{} // a lock that is waited for no longer than a context lasts
	epoch     string        // of the facts read; this and the next: under following
	seq       int64         // of the last one
	readings  atomic.Int64  // that have begun
	read      int64         // the last of them that came to its end; this and the next: under following
	readErr   error         // how
	tail      tail
	awake     chan struct{} // has Run look at the store now
	drained   chan struct{}
	drain     sync.Once
	synced    atomic.Pointer[view]
	doors     []*Door
	tenanted  []*Doors
	services  serviceLogins
	passes    passes
	purged    counts
	started   struct{ now, machine time.Time }
}

// New makes an Issuer whose mirror holds all that the store knows. Call Run to
// keep it so.
func New(ctx context.Context, c Config) (*Issuer, error) {
	if len(c.Backends) == 0 {
		c.Backends = []Backend{{Name: LocalBackend}}
	}
	if c.StaleAfter == 0 {
		c.StaleAfter = time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Machine == nil {
		c.Machine = c.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Recorder == nil {
		c.Recorder = silent{}
	}
	i := &Issuer{
		Config: c, clock: clock{now: c.Now}, following: make(chan struct{}, 1),
		awake: make(chan struct{}, 1), drained: make(chan struct{}),
		idMAC: newMACPool(c.Master.Derive("token id", 32)), refreshMAC: newMACPool(c.Master.Derive("refresh token", 32)),
		handleMAC: newMACPool(c.Master.Derive("handle", 32)), secretMACs: newMACPool(c.Master.Derive("client secret", 32)),
	}
	i.started.now, i.started.machine = c.Now(), c.Machine()
	if err := i.sync(ctx); err != nil {
		return nil, err
	}
	return i, nil
}

// macPool lends keyed hashes.
type macPool struct{ pool *sync.Pool }

func newMACPool(key []byte) macPool {
	return macPool{&sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func (p macPool) with(use func(hash.Hash)) {
	h := p.pool.Get().(hash.Hash)
	use(h)
	p.pool.Put(h)
}

// unavailable turns a failure of the store into a refusal and keeps its text
// for the log. Answers of the store that are no failures pass.
func unavailable(err error) error {
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrConflict) {
		return err
	}
	return fmt.Errorf("%w: %w", token.ErrUnavailable, err)
}
