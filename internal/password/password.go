// Package password hashes passwords with argon2id (RFC 9106) and verifies them,
// also against the bcrypt and PBKDF2 hashes of an import. It bounds how many
// hashes run at once and how many wait: a flood of logins waits its turn or is
// told to come back, it cannot take the memory or all of the processor.
//
// It never stores or logs a password, never looks up a user and never decides
// how often somebody may guess.
//
//	h, err := password.New(password.Config{})
//	phc, err := h.Hash(ctx, secret)               // at "user add"
//	ok, rehash, err := h.Verify(ctx, phc, secret) // at a login; rehash: Hash again and keep that
//	err = h.Equalise(ctx, secret)                 // at a login of nobody: the same work
package password

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"
)

// MaxLength is the longest password that is hashed, in bytes. A longer one is
// refused with ErrTooLong before any work is done.
const MaxLength = 1024

// The refusals of a Hasher besides *BusyError and the end of a context.
var (
	// ErrBusy: too many hashes are running and waiting; see BusyError.
	ErrBusy = errors.New("password hashing is busy")
	// ErrTooLong: the password has more than MaxLength bytes.
	ErrTooLong = fmt.Errorf("password longer than %d bytes", MaxLength)
	// ErrFormat: a stored hash is in no format that is verified here, or its
	// parameters are out of bounds. The error never quotes the hash.
	ErrFormat = errors.New("password hash of an unknown format")
)

// BusyError says that a hash was not begun: the queue is full, or its turn did
// not come within Config.MaxWait. errors.Is sees ErrBusy.
type BusyError struct {
	// RetryAfter is when those who wait now have been served or have given up;
	// at least a second.
	RetryAfter time.Duration
}

func (e *BusyError) Error() string { return ErrBusy.Error() }

// Unwrap returns ErrBusy.
func (e *BusyError) Unwrap() error { return ErrBusy }

// Params are the cost parameters of argon2id (RFC 9106 section 3.1). A field
// that is 0 takes its default; the defaults are the least that OWASP advises.
//
// Danger: lower values make every stolen hash cheaper to guess, by the same
// factor for all users. Lower them in tests only.
type Params struct {
	Memory  uint32 // KiB a hash; default 19456 (19 MiB); from 8 x Threads to 262144 (256 MiB)
	Time    uint32 // passes over the memory; default 2; Memory x Time at most 1048576 (1 GiB)
	Threads uint8  // lanes, each a goroutine of its own; default 1; at most 16
}

// Config says how a Hasher works. Its zero value is good for a server.
type Config struct {
	Params Params
	// MaxConcurrent is how many hashes run at once; default GOMAXPROCS. Memory
	// in use is at least MaxConcurrent x Params.Memory; count with twice that,
	// since golang.org/x/crypto/argon2 cannot reuse its blocks and leaves them
	// to the collector. More than there are cores gains nothing.
	MaxConcurrent int
	// MaxWait is how long a hash waits for its turn; default 5 s.
	MaxWait time.Duration
	// MaxQueue is how many wait at once; default 1000. One more is refused
	// without waiting.
	MaxQueue int
	// Worker is a program and its arguments that calls Work, for argon2id in processes of
	// their own at a low priority: a flood of logins delays nothing else then. They are
	// started when they are needed, and ended when they are not. Default: this process.
	Worker []string
	// Problem is told when there is no worker to be had, and this process does the work
	// for a minute. Default: nobody is told.
	Problem func(error)
	// Rand gives the salts; default crypto/rand. Danger: nothing else outside tests.
	Rand io.Reader
}

// Hasher hashes and verifies. It is safe for concurrent use.
type Hasher struct {
	params Params
	random io.Reader
	gate   *gate
	dummy  stored
	derive func(order) []byte
	hashes atomic.Uint64
	work   atomic.Uint64
}

// New makes a Hasher. It refuses parameters out of the bounds of Params and
// negative limits.
func New(c Config) (*Hasher, error) {
	c = c.withDefaults()
	if err := c.Params.check(); err != nil {
		return nil, err
	}
	if c.MaxConcurrent < 0 || c.MaxWait < 0 || c.MaxQueue < 0 {
		return nil, errors.New("password hashing: a negative limit")
	}
	h := &Hasher{params: c.Params, random: c.Rand, gate: newGate(c.MaxConcurrent, c.MaxQueue, c.MaxWait), derive: derive}
	if len(c.Worker) > 0 {
		h.derive = newWorkers(c.Worker, c.Problem).derive
	}
	dummy := argon2idHash{params: c.Params, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
	for _, b := range [][]byte{dummy.salt, dummy.key} {
		if _, err := io.ReadFull(h.random, b); err != nil {
			return nil, fmt.Errorf("password hashing: random bytes: %w", err)
		}
	}
	h.dummy = dummy
	return h, nil
}

func (c Config) withDefaults() Config {
	c.Params.Memory = cmp.Or(c.Params.Memory, 19<<10)
	c.Params.Time = cmp.Or(c.Params.Time, 2)
	c.Params.Threads = cmp.Or(c.Params.Threads, 1)
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, runtime.GOMAXPROCS(0))
	c.MaxWait = cmp.Or(c.MaxWait, 5*time.Second)
	c.MaxQueue = cmp.Or(c.MaxQueue, 1000)
	if c.Problem == nil {
		c.Problem = func(error) {}
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return c
}

// Hash returns the argon2id hash of a password as a PHC string with a fresh
// salt. The password is taken byte for byte, the empty one too: what a password
// must be like is for the caller to say. The error is ErrTooLong, a *BusyError,
// or the context's.
func (h *Hasher) Hash(ctx context.Context, password string) (phc string, err error) {
	if len(password) > MaxLength {
		return "", ErrTooLong
	}
	a := argon2idHash{params: h.params, salt: make([]byte, saltBytes)}
	if _, err := io.ReadFull(h.random, a.salt); err != nil {
		return "", fmt.Errorf("password hashing: salt: %w", err)
	}
	err = h.run(ctx, a, func() { a.key = h.derive(a.order(password, keyBytes)) })
	if err != nil {
		return "", err
	}
	return a.String(), nil
}

// Verify reports, in constant time, whether a password is the one of a stored
// hash: argon2id as a PHC string, bcrypt, or PBKDF2 as passlib and Django write
// it. rehash, only ever true with ok, says that the hash is not what Hash would
// make today and should be replaced by Hash(password).
//
// An empty phc never verifies but costs one hash all the same, and so does one
// that gives ErrFormat. An imported hash costs what its format asks until it has
// been replaced, which an observer of times can tell from the rest. Further
// errors are those of Hash.
//
// bcrypt reads 72 bytes of a password, so with a longer one the rest is not
// compared; rehash is false then, lest a mistyped rest became the password.
func (h *Hasher) Verify(ctx context.Context, phc, password string) (ok, rehash bool, err error) {
	if len(password) > MaxLength {
		return false, false, ErrTooLong
	}
	hash, unknown := parse(phc)
	known := hash != nil
	if !known {
		hash = h.dummy
	}
	matches := false
	if err := h.run(ctx, hash, func() { matches = hash.matches(password, h.derive) }); err != nil {
		return false, false, err
	}
	ok = matches && known
	return ok, ok && hash.outdated(h.params, password), unknown
}

// Equalise does the work of Verify for a user that does not exist, so that a
// wrong name and a wrong password take the same time. Its errors are those of
// Hash.
func (h *Hasher) Equalise(ctx context.Context, password string) error {
	_, _, err := h.Verify(ctx, "", password)
	return err
}

// run does the work of a hash when its turn has come, and counts it.
func (h *Hasher) run(ctx context.Context, s stored, work func()) error {
	if err := h.gate.enter(ctx); err != nil {
		return err
	}
	defer h.gate.leave()
	h.hashes.Add(1)
	h.work.Add(s.work())
	work()
	return nil
}

// Stats are the counts of a Hasher since New.
type Stats struct {
	Hashes  uint64 // begun, of every format, dummies included
	Work    uint64 // of the argon2id hashes among them: KiB x passes, summed
	Refused uint64 // with a *BusyError
	Running int    // now
	Waiting int    // now
}

// Stats returns the counts.
func (h *Hasher) Stats() Stats {
	s := h.gate.stats()
	s.Hashes, s.Work = h.hashes.Load(), h.work.Load()
	return s
}
