package issuer

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/ats-auth/ats-auth/internal/password"
	"github.com/ats-auth/ats-auth/pkg/store"
	"github.com/ats-auth/ats-auth/pkg/token"
)

// DoorConfig says what kind of token a dialect issues. Lifetimes are seconds.
type DoorConfig struct {
	Name   string // the dialect's, "ats"
	Tenant string // default store.DefaultTenant
	Issuer string // iss
	// Format of the access tokens. Default: that of ats.auth.
	Format Format
	// KeyAlgorithm is of the keys that are made. Default: the Format's usual one.
	KeyAlgorithm string
	// AllowWeakKeys lets RSA keys under 2048 bits sign. Danger: they can be broken.
	AllowWeakKeys bool
	// Secret signs. Default: one is made and kept in the store.
	Secret token.Secret
	// AccessTTL is the lifetime of an access token, and the longest that can be
	// asked for.
	AccessTTL int64
	// RefreshTTL is the absolute lifetime of a refresh token unless another is
	// asked for; 0: without end.
	RefreshTTL int64
	// RefreshIdle is how long a refresh token may lie unused; 0: no limit.
	RefreshIdle int64
	// MaxAccessTTL clamps what a mint asks for; 0: no limit.
	MaxAccessTTL int64
	// MaxRefreshTTL clamps what is asked for, for logins that exist too; 0: no limit.
	MaxRefreshTTL int64
	// ReuseGrace is how long a refresh token that has been used is given the same
	// successor again, for a client that lost the answer; 0: not at all.
	ReuseGrace int64
}

// Door issues and judges the tokens of one dialect. It is a dialect.Authority.
type Door struct {
	DoorConfig
	issuer *Issuer
	keys   atomic.Pointer[doorKeys]
	spans  spans
	limit  atomic.Int64 // MaxRefreshTTL, or the property where that is less
}

func (d *Door) maxRefreshTTL() int64 { return d.limit.Load() }

// LimitRefresh changes MaxRefreshTTL, for logins that exist too; 0: no limit.
func (d *Door) LimitRefresh(seconds int64) { d.limit.Store(min(max(seconds, 0), maxTTL)) }

// check refuses lifetimes that make no sense, and takes what is beyond measure
// for the longest possible.
func (c *DoorConfig) check() error {
	if c.AccessTTL == 0 {
		return errors.New("no lifetime of access tokens")
	}
	for _, l := range []struct {
		name  string
		value *int64
	}{
		{"access tokens", &c.AccessTTL},
		{"refresh tokens", &c.RefreshTTL},
		{"idle refresh tokens", &c.RefreshIdle},
		{"access tokens at most", &c.MaxAccessTTL},
		{"refresh tokens at most", &c.MaxRefreshTTL},
		{"the grace of refresh tokens", &c.ReuseGrace},
	} {
		if *l.value < 0 {
			return fmt.Errorf("a negative lifetime of %s: %d s", l.name, *l.value)
		}
		*l.value = min(*l.value, maxTTL)
	}
	return nil
}

// Door opens a door. Its keys are read, or made, now. Not to be called once Run
// has been.
func (i *Issuer) Door(ctx context.Context, c DoorConfig) (*Door, error) {
	keys, err := i.Store.Keys(ctx)
	if err != nil {
		return nil, unavailable(err)
	}
	d, err := i.open(ctx, c, keys)
	if err == nil {
		i.doors = append(i.doors, d)
	}
	return d, err
}

// open opens a door by the keys of all.
func (i *Issuer) open(ctx context.Context, c DoorConfig, keys []store.Key) (*Door, error) {
	d, err := i.closed(c)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(d.useKeys(ctx, keys), d.loadLimit(ctx)); err != nil {
		return nil, fmt.Errorf("door %s: %w", c.Name, err)
	}
	return d, nil
}

// closed is a door without its keys.
func (i *Issuer) closed(c DoorConfig) (*Door, error) {
	if c.Tenant == "" {
		c.Tenant = store.DefaultTenant
	}
	if c.Format.claims == nil {
		c.Format = FormatATS()
	}
	c.KeyAlgorithm = cmp.Or(c.KeyAlgorithm, c.Format.algorithm)
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("door %s: %w", c.Name, err)
	}
	return &Door{DoorConfig: c, issuer: i}, nil
}

// Login checks credentials and issues a token. The token counts as issued at
// the instant before the user's record was read, so that a password that
// changes meanwhile voids it.
func (d *Door) Login(ctx context.Context, who token.Credentials, want token.Request) (token.Set, error) {
	at, user, err := d.Authenticate(ctx, who, want.Source)
	if err != nil {
		return token.Set{}, err
	}
	return d.Issue(ctx, at, Order{
		Subject: user.Name, Scope: want.Scope, TTL: want.TTL, Refresh: want.Refresh, RefreshTTL: want.RefreshTTL,
	})
}

// Tick gives an instant of its own, later than all before. Whoever issues takes
// one before reading what the decision stands on.
func (d *Door) Tick() int64 { return d.issuer.clock.tick() }

func newSessionID() (id store.ID) {
	rand.Read(id[:])
	return id
}

func (d *Door) accessTTL(wanted int64) int64 {
	if wanted <= 0 {
		return d.AccessTTL
	}
	return min(wanted, d.AccessTTL)
}

// mintTTL is a lifetime that a mint asks for, within what the door allows.
func mintTTL(wanted, usual, most int64) int64 {
	ttl := usual
	if wanted > 0 {
		ttl = wanted
	}
	if most > 0 {
		ttl = min(ttl, most)
	}
	return min(ttl, maxTTL)
}

// refreshEnd is the absolute end of a login; 0 is none.
func (d *Door) refreshEnd(created, wanted int64) int64 {
	ttl := d.RefreshTTL
	if wanted > 0 {
		ttl = wanted
	}
	if d.maxRefreshTTL() > 0 && (ttl == 0 || ttl > d.maxRefreshTTL()) {
		ttl = d.maxRefreshTTL()
	}
	if ttl == 0 || ttl > maxTTL {
		return 0
	}
	return created + ttl*1_000_000
}

// maxTTL keeps exp within the year 9999, and an end in microseconds within an
// int64.
const maxTTL = 200_000_000_000

// endOf is when a login is over: its own end, or the door's maximum where that
// comes earlier; 0 is none.
func (d *Door) endOf(s store.Session) int64 {
	if d.maxRefreshTTL() == 0 {
		return s.ExpiresAt
	}
	most := s.CreatedAt + d.maxRefreshTTL()*1_000_000
	if s.ExpiresAt == 0 {
		return most
	}
	return min(s.ExpiresAt, most)
}

// braked checks credentials where guessing them is slowed.
func (i *Issuer) braked(ctx context.Context, guessed, source string, check func() error) error {
	if wait, ok := i.Throttle.Wait(ctx, guessed, source); !ok {
		return &token.Refusal{Kind: token.ErrThrottled, RetryAfter: wait}
	}
	err := check()
	switch {
	case err == nil:
		i.Throttle.Success(guessed, source)
	case errors.Is(err, token.ErrCredentials):
		i.Throttle.Failure(guessed, source)
	default:
		i.Throttle.Release(guessed, source)
	}
	return err
}

// comparePassword takes the same time for a wrong password and for no hash:
// ErrCredentials. rehash tells that the hash is of another kind than today's.
func (i *Issuer) comparePassword(ctx context.Context, name, hash string, pass token.Secret) (rehash bool, err error) {
	ok, rehash, err := i.Hasher.Verify(ctx, hash, pass.Reveal())
	var busy *password.BusyError
	switch {
	case errors.As(err, &busy):
		return false, &token.Refusal{Kind: token.ErrThrottled, Reason: "too many logins at once", RetryAfter: busy.RetryAfter}
	case errors.Is(err, password.ErrFormat):
		// An answer of its own would tell that there is such a user.
		i.Log.Error("a stored password hash cannot be read", "user", name, "error", err)
		return false, token.ErrCredentials
	case err == nil && !ok, errors.Is(err, password.ErrTooLong):
		return false, token.ErrCredentials
	}
	return rehash, err
}

// rehash replaces a hash of another kind by today's; that it did not work out
// is no reason to refuse a login.
func (i *Issuer) rehash(ctx context.Context, user store.User, pass token.Secret) {
	hashed, err := i.Hasher.Hash(ctx, pass.Reveal())
	if err == nil {
		read := user.UpdatedAt
		user.PasswordHash, user.UpdatedAt = hashed, i.clock.tick()
		err = i.alter(ctx, store.UpdateUser{User: user, Read: read})
	}
	if err != nil {
		i.Log.Warn("a password hash could not be renewed", "user", user.Name, "error", err)
	}
}

// checkName refuses names that would be trouble in a log or a terminal.
func checkName(kind, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s name is empty", kind)
	case len(name) > 255:
		return fmt.Errorf("%s name of %d bytes, at most 255 are possible", kind, len(name))
	case !utf8.ValidString(name):
		return fmt.Errorf("%s name is not UTF-8", kind)
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return fmt.Errorf("%s name %q holds a control character", kind, name)
		}
	}
	return nil
}
